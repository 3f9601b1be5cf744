//! Copies of records in front of a remote storage.
//!
//! A copy saves a read, but no check: every write goes to the storage with the version that it is
//! based on, so a write that is based on an outdated copy is a conflict. A write or an end on
//! this node drops the copy in the same step. A change by another node takes effect when the
//! storage reports it ([`SessionStorage::changes`]), or after `ttl` at the latest.

mod copies;

use std::sync::Arc;
use std::time::Duration;

use copies::Copies;
use rocket::futures::StreamExt;
use rocket::futures::stream::BoxStream;
use rocket::tokio::task::JoinHandle;
use tokio::runtime::Handle;

use super::{
    Change, Create, Generation, Invalidate, OwnerGuard, OwnerIndex, OwnerKey, OwnerPage,
    Predecessor, Record, SessionStorage, StorageError, StorageKey, Succeed, Successor, Timestamp,
    Touch, Update, Version, no_index, no_result,
};

type Result<T> = std::result::Result<T, StorageError>;

/// A cache for reads in front of a remote storage.
///
/// In Rocket.toml: `cache = { capacity = 100_000, ttl = "2 seconds" }` beside
/// `storage`.
///
/// - No update is lost. A write that is based on an outdated copy is a conflict, and the core
///   resolves it with a read from the storage.
/// - An end on this node takes effect on this node at once. What another node ends,
///   changes or renews takes effect here when the storage reports it
///   ([`SessionStorage::changes`]; Redis does), and after `ttl` at the latest.
/// - A token that is newer than the copy is checked against the storage, so that no user is
///   logged out because another node has renewed their id.
/// - The absence of a record is never cached.
///
/// A clone is another handle on the same cache.
#[derive(Clone)]
pub struct Cached(Arc<Node>);

struct Node {
    storage: Arc<dyn SessionStorage>,
    copies: Arc<Copies>,
    listening: Option<JoinHandle<()>>,
}

impl Cached {
    /// Makes a cache for at most `capacity` copies, rounded up to a multiple of 64. No copy is
    /// older than `ttl`. On an asynchronous runtime it listens to the changes that the storage
    /// reports.
    ///
    /// ```
    /// use rocket_typed_sessions::{Sessions, storage::{Cached, Memory}};
    /// use std::time::Duration;
    ///
    /// let far_away = Memory::new(1000); // in place of a storage of your own
    /// let storage = Cached::new(far_away, 100_000, Duration::from_secs(2));
    /// let sessions = Sessions::fairing().storage("near", storage);
    /// ```
    pub fn new(storage: impl SessionStorage, capacity: usize, ttl: Duration) -> Self {
        Self::over(Arc::new(storage), capacity, ttl)
    }

    pub(crate) fn over(storage: Arc<dyn SessionStorage>, capacity: usize, ttl: Duration) -> Self {
        let copies = Arc::new(Copies::new(capacity, ttl));
        let listening = Handle::try_current().ok().zip(storage.changes());
        let listening =
            listening.map(|(runtime, changes)| runtime.spawn(listen(changes, Arc::clone(&copies))));
        Self(Arc::new(Node { storage, copies, listening }))
    }

    /// Waits for the answer of the storage and keeps a copy of it, if the record was not written
    /// meanwhile.
    async fn keep(
        &self,
        key: &StorageKey,
        answer: impl Future<Output = Result<Option<Record>>>,
    ) -> Result<Option<Record>> {
        let reading = self.0.copies.reading(key);
        let found = answer.await?;
        reading.keep(found.clone());
        Ok(found)
    }

    fn index(&self) -> Result<&dyn OwnerIndex> {
        self.0.storage.owners().ok_or_else(no_index)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
    }
}

async fn listen(mut changes: BoxStream<'static, Change>, copies: Arc<Copies>) {
    while let Some(change) = changes.next().await {
        match change {
            Change::Record(key) => copies.forget(&key),
            Change::Any => copies.forget_all(),
        }
    }
}

#[rocket::async_trait]
impl SessionStorage for Cached {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create> {
        let writing = self.0.copies.writing(key);
        let _ending = self.0.copies.may_end_others(&record, &guard);
        let created = self.0.storage.create(key, record.clone(), guard, now).await?;
        if created == Create::Created {
            writing.wrote(record);
        }
        Ok(created)
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>> {
        match self.0.copies.get(key, now) {
            Some(record) => Ok(Some(record)),
            None => self.keep(key, self.0.storage.read(key, now)).await,
        }
    }

    /// Reads all records without a copy in one call.
    async fn read_many(&self, keys: &[StorageKey], now: Timestamp) -> Vec<Result<Option<Record>>> {
        let node = &*self.0;
        let known: Vec<_> = keys.iter().map(|key| node.copies.get(key, now)).collect();
        let missing = keys.iter().zip(&known).filter(|(_, known)| known.is_none());
        let missing: Vec<_> = missing.map(|(key, _)| key.clone()).collect();
        if missing.is_empty() {
            return known.into_iter().map(Ok).collect();
        }
        let readings: Vec<_> = missing.iter().map(|key| node.copies.reading(key)).collect();
        let answers = node.storage.read_many(&missing, now).await.into_iter().zip(readings);
        let mut answers =
            answers.map(|(answer, reading)| answer.inspect(|found| reading.keep(found.clone())));
        let result = |known: Option<Record>| match known {
            Some(record) => Ok(Some(record)),
            None => answers.next().unwrap_or_else(|| Err(no_result())),
        };
        known.into_iter().map(result).collect()
    }

    async fn read_fresh(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>> {
        self.keep(key, self.0.storage.read_fresh(key, now)).await
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update> {
        let writing = self.0.copies.writing(key);
        let updated = self.0.storage.update(key, expected, record.clone(), now).await?;
        if updated == Update::Updated {
            writing.wrote(record);
        }
        Ok(updated)
    }

    async fn succeed(
        &self,
        new: Successor<'_>,
        old: Predecessor<'_>,
        now: Timestamp,
    ) -> Result<Succeed> {
        let writing = self.0.copies.writing(new.key);
        let _replacing = self.0.copies.writing(old.key);
        let _ending = self.0.copies.may_end_others(&new.record, &new.guard);
        let record = new.record.clone();
        let succeeded = self.0.storage.succeed(new, old, now).await?;
        if matches!(succeeded, Succeed::Created(_)) {
            writing.wrote(record);
        }
        Ok(succeeded)
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch> {
        let _writing = self.0.copies.writing(key);
        self.0.storage.touch(key, last_seen, expires).await
    }

    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate> {
        let _writing = self.0.copies.writing(key);
        self.0.storage.invalidate(key, expected, mark).await
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize> {
        self.0.storage.purge_expired(now, limit).await
    }

    fn owners(&self) -> Option<&dyn OwnerIndex> {
        self.0.storage.owners().map(|_| self as &dyn OwnerIndex)
    }

    fn is_remote(&self) -> bool {
        self.0.storage.is_remote()
    }

    fn may_be_behind(&self) -> bool {
        true
    }

    fn sends_again(&self) -> bool {
        self.0.storage.sends_again()
    }

    fn loses_answers(&self) -> bool {
        self.0.storage.loses_answers()
    }

    fn compares_and_swaps(&self) -> bool {
        self.0.storage.compares_and_swaps()
    }
}

/// The index is available if the storage has one.
#[rocket::async_trait]
impl OwnerIndex for Cached {
    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage> {
        self.index()?.list(owner, after, limit, now).await
    }

    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize> {
        let _ending = self.0.copies.ending(owner);
        self.index()?.invalidate_owner(owner, except, now).await
    }

    async fn generation(&self, owner: &OwnerKey) -> Result<Generation> {
        self.index()?.generation(owner).await
    }
}

impl std::fmt::Debug for Cached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cached").field("copies", &self.0.copies).finish_non_exhaustive()
    }
}
