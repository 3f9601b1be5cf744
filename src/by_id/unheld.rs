//! A record that nobody holds an id of.

use std::sync::Arc;
use std::time::Duration;

use rocket::warn;
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::{ById, Located};
use crate::expiry::Timestamp;
use crate::request::commit::Changes;
use crate::storage::{SessionStorage, StorageError, StorageKey, Version};

/// A record that was written, or may have been, and of which nobody holds an id so
/// far. It is ended when this is dropped, and its id is not given to anybody.
pub(super) struct Unheld<'a> {
    changes: &'a dyn Changes,
    storage: Arc<dyn SessionStorage>,
    record: Named,
    kept: bool,
}

/// What is to be ended.
#[derive(Clone)]
struct Named {
    key: StorageKey,
    version: Version,
    mark: Option<Timestamp>,
}

impl Named {
    async fn end(&self, storage: &dyn SessionStorage) -> Result<(), StorageError> {
        // Where ids are used again, there may be another session under the key.
        let expected = self.mark.is_none().then_some(self.version);
        storage.invalidate(&self.key, expected, self.mark).await.map(drop)
    }
}

impl<'a> Unheld<'a> {
    /// The record at `place`, which a `create` may still be on its way to.
    pub fn new(changes: &'a dyn Changes, tracker: &ById, place: &Located, now: Timestamp) -> Self {
        let (key, version) = (place.key.clone(), place.version);
        let record = Named { key, version, mark: tracker.mark(now) };
        Self { changes, storage: tracker.server.storage_of(&place.id), record, kept: false }
    }

    /// It stays: its id goes out, or it is not this one's.
    pub fn keep(mut self) {
        self.kept = true;
    }

    /// Ends it now. If that fails, it is tried again later.
    pub async fn end(mut self) -> Result<(), StorageError> {
        self.record.end(&*self.storage).await?;
        self.changes.id_is_taken();
        self.kept = true;
        Ok(())
    }
}

impl Drop for Unheld<'_> {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        self.changes.id_is_taken();
        if let Ok(runtime) = Handle::try_current() {
            let end = runtime.spawn(end_soon(Arc::clone(&self.storage), self.record.clone()));
            self.changes.is_ending(end);
        }
    }
}

/// A session was written and its id goes to nobody any more. It is ended, unless
/// `before` has the same id, and so somebody holds it. Says whether it is.
pub(crate) fn end_unheld(
    changes: &dyn Changes,
    tracker: &ById,
    before: Option<&Located>,
    place: &Located,
    now: Timestamp,
) -> bool {
    if before.is_some_and(|before| before.id == place.id) {
        return false;
    }
    let mut unheld = Unheld::new(changes, tracker, place, now);
    if before.is_some_and(|before| before.key == place.key) {
        // Whoever has the id before may have logged in over it since. That stays.
        unheld.record.mark = None;
    }
    drop(unheld);
    true
}

/// Ends it as soon as the storage answers.
async fn end_soon(storage: Arc<dyn SessionStorage>, record: Named) {
    for seconds in [0, 1, 5, 30] {
        sleep(Duration::from_secs(seconds)).await;
        if record.end(&*storage).await.is_ok() {
            return;
        }
    }
    warn!("A session that nobody holds may be left in its storage until it expires.");
}
