//! Reads the sessions that a request uses on one server in one round trip.
//!
//! A request does not say beforehand which sessions it will use, so this is learned for each route.
//! When a request loads its first session, the records of the others that its route uses are read
//! in the same round trip. They wait in the request until the others are loaded.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rocket::Request;
use rocket::futures::future::{BoxFuture, Either, select};
use tokio::time::sleep;

use super::budget::Shared;
use crate::application::{Application, Defined, Tracker};
use crate::by_id::ReadRecord;
use crate::storage::{Record, SessionStorage, StorageError, StorageKey, Timestamp, no_result};

/// How long a session waits for the records of others. After that, its own record is read alone.
const PATIENCE: Duration = Duration::from_millis(100);

/// The load of one session in a request.
pub(crate) struct Loading<'a, 'r> {
    pub request: &'a Request<'r>,
    pub application: &'a Application,
    pub definition: &'a Defined,
    pub shared: &'a Shared,
}

impl ReadRecord for Loading<'_, '_> {
    /// Reads the session's record, and prefetches those of the other sessions that the route uses.
    fn read<'s>(
        &'s self,
        storage: &'s dyn SessionStorage,
        key: &'s StorageKey,
        now: Timestamp,
    ) -> BoxFuture<'s, Result<Option<Record>, StorageError>> {
        let others = self.begin();
        let ends = self.application.core.ends.load(Ordering::SeqCst);
        if let Some(answer) = self.shared.prefetched.take(key, ends) {
            return Box::pin(async { Ok(answer.found) });
        }
        let others = self.keys_of(others);
        if others.is_empty() {
            return storage.read(key, now);
        }
        Box::pin(async move {
            let alone = async {
                sleep(PATIENCE).await;
                storage.read(key, now).await
            };
            let together = self.read_with(storage, (key, others), now, ends);
            match select(pin!(together), pin!(alone)).await {
                Either::Left((own, _)) | Either::Right((own, _)) => own,
            }
        })
    }
}

impl Loading<'_, '_> {
    /// Reads a record and others. An error of another record does not count: its own load reads it.
    async fn read_with(
        &self,
        storage: &dyn SessionStorage,
        (key, others): (&StorageKey, Vec<StorageKey>),
        now: Timestamp,
        ends: u64,
    ) -> Result<Option<Record>, StorageError> {
        let keys: Vec<_> = std::iter::once(key.clone()).chain(others).collect();
        let mut found = storage.read_many(&keys, now).await.into_iter();
        let own = found.next().unwrap_or_else(|| Err(no_result()));
        let others = keys.into_iter().skip(1).zip(found);
        let found = others.filter_map(|(key, found)| Some((key, found.ok()?)));
        self.shared.prefetched.put(found, ends);
        own
    }

    /// Begins this load. Returns the other definitions that the route is known to use and whose
    /// loads have not begun.
    fn begin(&self) -> u64 {
        let is_own = |other: &Defined| std::ptr::eq(other, self.definition);
        let own = self.definitions().find(|(_, other)| is_own(other)).map_or(0, |(bit, _)| bit);
        let known = self.application.route_uses.add(self.request, own);
        self.shared.prefetched.begin(own).map_or(0, |begun| known & !begun)
    }

    /// Returns all definitions and their bits. Those beyond the 64th have none and are never
    /// prefetched.
    fn definitions(&self) -> impl Iterator<Item = (u64, &Defined)> {
        let definitions = self.application.definitions.values();
        (0..u64::BITS).map(|at| 1 << at).zip(definitions.map(|definition| &**definition))
    }

    fn keys_of(&self, definitions: u64) -> Vec<StorageKey> {
        let wanted = self.definitions().filter(|(bit, _)| definitions & bit != 0);
        wanted.filter_map(|(_, definition)| self.key_of(definition)).collect()
    }

    /// Returns the key of another session, if it is in the same storage and the request presents
    /// one token for it, in the format that is written.
    fn key_of(&self, other: &Defined) -> Option<StorageKey> {
        let (Tracker::ById(own), Tracker::ById(theirs)) =
            (&self.definition.tracker, &other.tracker)
        else {
            return None;
        };
        if !own.store.is_same(&theirs.store) {
            return None;
        }
        let values = other.transport.receive(self.request, &other.wire_name);
        let [value] = &values[..] else { return None };
        let opened = other.tokens().open_id(value, other.size.bytes)?;
        (!opened.accepted).then(|| other.namespace.record(&opened.content.locator()))
    }
}
