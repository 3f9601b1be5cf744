//! The simplest way to write a storage: three methods.

use std::sync::Arc;

use parking_lot::Mutex;

use super::marks::Marks;
use super::{
    Create, Invalidate, KeyedLocks, OwnerGuard, Record, Refused, SessionStorage, StorageError,
    StorageKey, Timestamp, Touch, Update, Version, bytes, without_index,
};

/// The most marks of ends that a process keeps.
const MARKS: usize = 100_000;

/// The simplest storage of your own: it can write, read and delete, like Ktor's `SessionStorage`.
///
/// [`LastWriteWins`] turns it into a [`SessionStorage`], within its limits. A
/// caller may drop a future at any time. A dropped `write` must have happened
/// completely or not at all.
///
/// ```
/// use rocket::tokio::sync::Mutex;
/// use rocket_typed_sessions::storage::{SimpleStorage, StorageError, Timestamp};
/// use std::collections::HashMap;
///
/// #[derive(Default)]
/// struct Map(Mutex<HashMap<String, Vec<u8>>>);
///
/// #[rocket::async_trait]
/// impl SimpleStorage for Map {
///     async fn write(&self, id: &str, value: &[u8], _: Timestamp) -> Result<(), StorageError> {
///         self.0.lock().await.insert(id.to_owned(), value.to_owned());
///         Ok(())
///     }
///
///     async fn read(&self, id: &str) -> Result<Option<Vec<u8>>, StorageError> {
///         Ok(self.0.lock().await.get(id).cloned())
///     }
///
///     async fn invalidate(&self, id: &str) -> Result<(), StorageError> {
///         self.0.lock().await.remove(id);
///         Ok(())
///     }
/// }
///
/// # rocket::async_test(async {
/// let map = Map::default();
/// map.write("id", b"value", Timestamp::ZERO).await?;
/// assert_eq!(map.read("id").await?.as_deref(), Some(&b"value"[..]));
/// # Ok::<(), StorageError>(())
/// # }).unwrap();
/// ```
#[rocket::async_trait]
pub trait SimpleStorage: Send + Sync + 'static {
    /// Stores `value` under `id`, which is 64 lower-case hexadecimal digits, and replaces the
    /// previous value. The value is not read after `expires`. The storage should delete it then,
    /// if it can.
    async fn write(&self, id: &str, value: &[u8], expires: Timestamp) -> Result<(), StorageError>;

    /// Returns the value that was last written under `id`, or `None` if there is
    /// none.
    async fn read(&self, id: &str) -> Result<Option<Vec<u8>>, StorageError>;

    /// Deletes the value under `id`. If there is none, that is not an error.
    async fn invalidate(&self, id: &str) -> Result<(), StorageError>;
}

/// Turns a [`SimpleStorage`] into a [`SessionStorage`].
///
/// Within one process no update is lost: the process locks a record while it compares and writes,
/// and remembers which sessions have ended. Between **several processes** the last write wins: an
/// update may be lost, and a slow request of one process may bring back a session that another
/// process has ended. Launch warns of this.
///
/// There is no index of owners, so an application cannot list, limit or revoke the sessions of an
/// owner. Only the storage itself can delete expired records.
///
/// A clone is another handle on the same storage.
pub struct LastWriteWins<S>(Arc<Lifted<S>>);

struct Lifted<S> {
    storage: S,
    locks: KeyedLocks,
    marks: Mutex<Marks>,
}

impl<S> Clone for LastWriteWins<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: SimpleStorage> LastWriteWins<S> {
    /// Turns `storage` into a [`SessionStorage`].
    ///
    /// ```
    /// # use rocket::tokio::sync::Mutex;
    /// # use rocket_typed_sessions::storage::{SimpleStorage, StorageError, Timestamp};
    /// # use std::collections::HashMap;
    /// # #[derive(Default)]
    /// # struct Map(Mutex<HashMap<String, Vec<u8>>>);
    /// # #[rocket::async_trait]
    /// # impl SimpleStorage for Map {
    /// #     async fn write(&self, id: &str, value: &[u8], _: Timestamp) -> Result<(), StorageError> { self.0.lock().await.insert(id.into(), value.into()); Ok(()) }
    /// #     async fn read(&self, id: &str) -> Result<Option<Vec<u8>>, StorageError> { Ok(self.0.lock().await.get(id).cloned()) }
    /// #     async fn invalidate(&self, id: &str) -> Result<(), StorageError> { self.0.lock().await.remove(id); Ok(()) }
    /// # }
    /// use rocket_typed_sessions::{Sessions, storage::LastWriteWins};
    ///
    /// // `Map` is the example of `SimpleStorage`.
    /// // In Rocket.toml: storage = "map"
    /// let sessions = Sessions::fairing().storage("map", LastWriteWins::new(Map::default()));
    /// ```
    pub fn new(storage: S) -> Self {
        let marks = Mutex::new(Marks::new(MARKS));
        Self(Arc::new(Lifted { storage, locks: KeyedLocks::default(), marks }))
    }

    /// The record, if it is live.
    async fn live(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>, StorageError> {
        let Some(found) = self.0.storage.read(&key.to_string()).await? else { return Ok(None) };
        let record = bytes::read(key, &found)?;
        Ok(Some(record).filter(|record| record.is_live(now)))
    }

    async fn put(&self, key: &StorageKey, record: &Record) -> Result<(), StorageError> {
        let value = bytes::write(key, record);
        self.0.storage.write(&key.to_string(), &value, record.expires).await
    }
}

#[rocket::async_trait]
impl<S: SimpleStorage> SessionStorage for LastWriteWins<S> {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create, StorageError> {
        without_index(&guard)?;
        let _alone = self.0.locks.lock(key).await;
        if let Some(found) = self.live(key, now).await? {
            return Ok(Create::over(found.version, record.version));
        }
        if self.0.marks.lock().stands(key, now) {
            return Ok(Create::Refused(Refused::Revoked));
        }
        self.put(key, &record).await?;
        Ok(Create::Created)
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>, StorageError> {
        self.live(key, now).await
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        let _alone = self.0.locks.lock(key).await;
        let Some(before) = self.live(key, now).await? else { return Ok(Update::Missing) };
        let found = (before.version, before.owner.as_ref());
        if let Some(answer) = Update::over(found, expected, &record)? {
            return Ok(answer);
        }
        self.put(key, &record).await?;
        Ok(Update::Updated)
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError> {
        let _alone = self.0.locks.lock(key).await;
        let Some(mut record) = self.live(key, last_seen).await? else { return Ok(Touch::Missing) };
        record.last_seen = record.last_seen.max(last_seen);
        record.expires = record.expires.max(expires);
        self.put(key, &record).await?;
        Ok(Touch::Touched)
    }

    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate, StorageError> {
        let _alone = self.0.locks.lock(key).await;
        let name = key.to_string();
        let found = self.0.storage.read(&name).await?;
        let version = || Some(bytes::heading(key, found.as_ref()?).ok()?.version);
        if Invalidate::conflicts(expected, version) {
            return Ok(Invalidate::Conflict);
        }
        if let Some(until) = mark {
            self.0.marks.lock().leave(key, until);
        }
        self.0.storage.invalidate(&name).await?;
        Ok(found.map_or(Invalidate::Missing, |_| Invalidate::Invalidated))
    }

    async fn purge_expired(&self, _: Timestamp, _: usize) -> Result<usize, StorageError> {
        Ok(0)
    }

    fn compares_and_swaps(&self) -> bool {
        false
    }
}
