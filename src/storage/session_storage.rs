//! The trait of all storages.

use rocket::futures::future::join_all;
use rocket::futures::stream::BoxStream;

use super::change::Change;
use super::error::StorageError;
use super::key::StorageKey;
use super::outcome::{Create, Invalidate, Succeed, Touch, Update};
use super::owner::{OwnerGuard, OwnerIndex};
use super::record::{Record, Version};
use super::succession::{Predecessor, Successor};
use crate::expiry::Timestamp;

/// Keeps sessions on the server. Implement it for a storage of your own. The
/// [module](super) lists the promises that every storage keeps.
///
/// A caller may drop a future at any time, for example when a request times out. A
/// dropped operation must have happened completely or not at all.
///
/// `now` is the time of the core's clock. A storage with a clock of its own, such
/// as a database with a TTL, may use that clock in addition, but never instead.
///
/// This example is a storage of one process, in which a lock makes every operation atomic:
///
/// ```
/// use rocket::tokio::sync::Mutex;
/// use rocket_typed_sessions::storage::*;
/// use std::{collections::HashMap, sync::Arc};
///
/// /// A clone is another handle on the same rows.
/// #[derive(Clone, Default)]
/// struct Table(Arc<Mutex<Rows>>);
///
/// #[derive(Default)]
/// struct Rows {
///     records: HashMap<StorageKey, Record>,
///     /// Until when an ended key must not be created again.
///     marks: HashMap<StorageKey, Timestamp>,
/// }
///
/// impl Rows {
///     fn live(&mut self, key: &StorageKey, now: Timestamp) -> Option<&mut Record> {
///         self.records.get_mut(key).filter(|record| record.is_live(now))
///     }
/// }
///
/// #[rocket::async_trait]
/// impl SessionStorage for Table {
///     async fn create(&self, key: &StorageKey, record: Record, guard: OwnerGuard, now: Timestamp)
///         -> Result<Create, StorageError>
///     {
///         if guard.needs_index() {
///             return Err(StorageError::Other("there is no index of owners".into(), None));
///         }
///         let mut rows = self.0.lock().await;
///         if let Some(found) = rows.live(key, now) {
///             let again = found.version == record.version;
///             return Ok(if again { Create::Created } else { Create::Exists });
///         }
///         if rows.marks.get(key).is_some_and(|until| now < *until) {
///             return Ok(Create::Refused(Refused::Revoked));
///         }
///         rows.records.insert(key.clone(), record);
///         Ok(Create::Created)
///     }
///
///     async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>, StorageError> {
///         Ok(self.0.lock().await.live(key, now).cloned())
///     }
///
///     async fn update(&self, key: &StorageKey, expected: Version, record: Record, now: Timestamp)
///         -> Result<Update, StorageError>
///     {
///         let mut rows = self.0.lock().await;
///         let Some(found) = rows.live(key, now) else { return Ok(Update::Missing) };
///         if found.version != record.version {
///             if found.version != expected {
///                 return Ok(Update::Conflict);
///             }
///             if record.owner.is_some() && record.owner != found.owner {
///                 return Err(StorageError::Other("the record has another owner".into(), None));
///             }
///             *found = record;
///         }
///         Ok(Update::Updated)
///     }
///
///     async fn touch(&self, key: &StorageKey, last_seen: Timestamp, expires: Timestamp)
///         -> Result<Touch, StorageError>
///     {
///         let mut rows = self.0.lock().await;
///         let Some(found) = rows.live(key, last_seen) else { return Ok(Touch::Missing) };
///         found.last_seen = found.last_seen.max(last_seen);
///         found.expires = found.expires.max(expires);
///         Ok(Touch::Touched)
///     }
///
///     async fn invalidate(&self, key: &StorageKey, expected: Option<Version>, mark: Option<Timestamp>)
///         -> Result<Invalidate, StorageError>
///     {
///         let mut rows = self.0.lock().await;
///         let found = rows.records.get(key).map(|record| record.version);
///         if found.zip(expected).is_some_and(|(found, expected)| found != expected) {
///             return Ok(Invalidate::Conflict);
///         }
///         if let Some(until) = mark {
///             let mark = rows.marks.entry(key.clone()).or_insert(until);
///             *mark = until.max(*mark);
///         }
///         rows.records.remove(key);
///         Ok(if found.is_some() { Invalidate::Invalidated } else { Invalidate::Missing })
///     }
///
///     async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError> {
///         let mut rows = self.0.lock().await;
///         rows.marks.retain(|_, until| now < *until);
///         let expired = rows.records.iter().filter(|(_, record)| !record.is_live(now));
///         let expired: Vec<_> = expired.map(|(key, _)| key.clone()).take(limit).collect();
///         expired.iter().for_each(|key| drop(rows.records.remove(key)));
///         Ok(expired.len())
///     }
/// }
/// # rocket::tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
/// # let all = std::sync::Mutex::new(HashMap::new());
/// # let open = async |name: &str| all.lock().unwrap().entry(name.to_owned()).or_insert_with(Table::default).clone();
/// # rocket_typed_sessions::testing::storage::conformance(open).await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[rocket::async_trait]
pub trait SessionStorage: Send + Sync + 'static {
    /// Inserts `record` under `key`. It never overwrites a live record, and
    /// replaces one that is expired at `now`. If the live record has the version of
    /// `record`, the call is a repeated one, and the answer is `Created`. If the
    /// end of the key has left a mark that is still valid, the answer is
    /// [`Refused::Revoked`](super::Refused::Revoked).
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create, StorageError>;

    /// Returns the record under `key`, if it is live at `now`. It creates nothing.
    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>, StorageError>;

    /// Returns the current record without using a cache. The core calls it to find out whether a
    /// write happened, and when a client's token does not match the record that `read` has
    /// returned. Override it if `read` may return an outdated record, as [`Cached`](super::Cached)
    /// does.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::*;
    /// # use std::{sync::Arc, time::Duration};
    /// # rocket::async_test(async {
    /// # let (key, now) = (StorageKey::from_bytes([7; 32]), Timestamp::from_millis(1_000));
    /// # let record = Record { version: Version::from_u64(1), payload: b"...".into(), owner: None, created: now, last_seen: now, expires: Timestamp::from_millis(9_000) };
    ///
    /// let server = Memory::new(10);
    /// let node = Cached::new(server.clone(), 64, Duration::from_secs(60));
    /// node.create(&key, record, OwnerGuard::default(), now).await?;
    /// node.read(&key, now).await?; // the node has a copy now
    /// server.invalidate(&key, None, None).await?; // by another node
    ///
    /// assert!(node.read(&key, now).await?.is_some());
    /// assert!(node.read_fresh(&key, now).await?.is_none());
    /// # Ok::<(), StorageError>(())
    /// # }).unwrap();
    /// ```
    async fn read_fresh(
        &self,
        key: &StorageKey,
        now: Timestamp,
    ) -> Result<Option<Record>, StorageError> {
        self.read(key, now).await
    }

    /// Returns for each key, in order, what [`read`](Self::read) returns. A key that cannot be read
    /// fails no other. Override it, and [`is_remote`](Self::is_remote), if one round trip is enough.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::*;
    /// # rocket::async_test(async {
    /// let keys = [6, 7].map(|byte| StorageKey::from_bytes([byte; 32]));
    /// let found = Memory::new(10).read_many(&keys, Timestamp::ZERO).await;
    /// assert!(matches!(found[..], [Ok(None), Ok(None)]));
    /// # });
    /// ```
    async fn read_many(
        &self,
        keys: &[StorageKey],
        now: Timestamp,
    ) -> Vec<Result<Option<Record>, StorageError>> {
        join_all(keys.iter().map(|key| self.read(key, now))).await
    }

    /// Replaces the record under `key` if it is live at `now` and has the version
    /// `expected`. It never inserts. If the record already has the version of
    /// `record`, the call is a repeated one, and the answer is `Updated`.
    ///
    /// The new record has the same owner as the present one, or no owner. The core never asks for
    /// another owner, because a login creates a record of its own. A storage answers such a call
    /// with [`StorageError::Other`] and writes nothing.
    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update, StorageError>;

    /// Makes the two writes of a login: it creates the successor as
    /// [`create`](Self::create) does, then replaces the predecessor as
    /// [`update`](Self::update) does. If the successor is not created, the
    /// predecessor stays as it is. If the predecessor has changed or is gone, the
    /// successor stays.
    ///
    /// Each of the two writes happens completely or not at all. If the answer is an
    /// error, or the future is dropped, the first may have happened without the
    /// second. A repeated call gets the same answer. Override it if the storage can
    /// make both writes in one round trip.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::*;
    /// # use std::sync::Arc;
    /// # rocket::async_test(async {
    /// # let now = Timestamp::from_millis(1_000);
    /// # let record = |version| Record { version: Version::from_u64(version), payload: b"...".into(), owner: None, created: now, last_seen: now, expires: Timestamp::from_millis(9_000) };
    /// # let (cart, login) = (StorageKey::from_bytes([6; 32]), StorageKey::from_bytes([7; 32]));
    ///
    /// let storage = Memory::new(10);
    /// storage.create(&cart, record(1), OwnerGuard::default(), now).await?;
    ///
    /// let new = Successor { key: &login, record: record(2), guard: OwnerGuard::default() };
    /// let old = Predecessor { key: &cart, expected: Version::from_u64(1), record: record(3) };
    /// assert_eq!(storage.succeed(new, old, now).await?, Succeed::Created(Update::Updated));
    /// # Ok::<(), StorageError>(())
    /// # }).unwrap();
    /// ```
    async fn succeed(
        &self,
        new: Successor<'_>,
        old: Predecessor<'_>,
        now: Timestamp,
    ) -> Result<Succeed, StorageError> {
        Ok(match self.create(new.key, new.record, new.guard, now).await? {
            Create::Created => {
                let updated = self.update(old.key, old.expected, old.record, now).await?;
                Succeed::Created(updated)
            }
            Create::Exists => Succeed::Exists,
            Create::Refused(refused) => Succeed::Refused(refused),
        })
    }

    /// Moves `last_seen` and `expires` of a live record forwards: each becomes the later of the
    /// stored and the given time. It changes nothing else. `last_seen` is the current time.
    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError>;

    /// Deletes the record under `key`. If `expected` is given, it deletes only a
    /// record of that version.
    ///
    /// If `mark` is given, the call leaves a mark, whether there was a record or not. Until that
    /// time, a `create` under the key is refused as [`Revoked`](super::Refused::Revoked), so that
    /// a `create` that arrives late or is repeated cannot bring the session back. The later of
    /// two marks is kept. A mark is not a record: it is never read, changed, listed or counted.
    /// The storage removes it after that time.
    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate, StorageError>;

    /// Deletes up to `limit` records that are expired at `now`. Returns how many it deleted. A
    /// storage that removes records without a call, for example by a TTL, always returns 0.
    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError>;

    /// Returns the index of owners. The default is `None`.
    ///
    /// A storage without an index stores a record that has an owner like any other
    /// record. It answers a guard that [needs an index](OwnerGuard::needs_index)
    /// with [`StorageError::Other`].
    ///
    /// ```
    /// use rocket_typed_sessions::storage::*;
    ///
    /// # rocket::async_test(async {
    /// async fn devices(storage: &dyn SessionStorage, owner: &OwnerKey, now: Timestamp) -> Result<usize, StorageError> {
    ///     let Some(index) = storage.owners() else { return Ok(0) };
    ///     Ok(index.list(owner, None, 100, now).await?.records.len())
    /// }
    ///
    /// let nobody = OwnerKey::from_bytes([7; 32]);
    /// assert_eq!(devices(&Memory::new(10), &nobody, Timestamp::ZERO).await?, 0);
    /// # Ok::<(), StorageError>(())
    /// # }).unwrap();
    /// ```
    fn owners(&self) -> Option<&dyn OwnerIndex> {
        None
    }

    /// Returns the stream of all later changes in the storage, whoever makes them.
    /// [`Cached`](super::Cached) uses it to drop outdated copies. The stream does not end: after a
    /// broken connection it connects again and continues with [`Change::Any`]. [`Change`] has an
    /// example. The default is `None`, for a storage that reports no changes.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::{Memory, SessionStorage};
    /// assert!(Memory::new(1000).changes().is_none()); // its only user is this process
    /// ```
    fn changes(&self) -> Option<BoxStream<'static, Change>> {
        None
    }

    /// Returns whether an operation costs a round trip. If so, the core reads the sessions that a
    /// route uses together, by [`read_many`](Self::read_many). The default is `false`.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::{Memory, SessionStorage};
    /// assert!(!Memory::new(1000).is_remote()); // Redis and the databases are
    /// ```
    fn is_remote(&self) -> bool {
        false
    }

    /// Returns whether `read` may return an outdated record. The default is `false`.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::{Cached, Memory, SessionStorage};
    /// use std::time::Duration;
    ///
    /// let memory = Memory::new(1000);
    /// assert!(!memory.may_be_behind());
    /// assert!(Cached::new(memory, 64, Duration::from_secs(2)).may_be_behind());
    /// ```
    fn may_be_behind(&self) -> bool {
        false
    }

    /// Returns whether a write may have happened although its answer was lost, because a connection
    /// broke or because a thread continued after the future was dropped. If so, the core stores the
    /// recent versions in each record, to find out whether a write happened. The default is `true`.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::{Directory, Memory, SessionStorage};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("sessions");
    /// assert!(!Memory::new(1000).loses_answers()); // a write ends before its future is dropped
    /// assert!(Directory::open(path)?.loses_answers()); // a thread completes the write
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn loses_answers(&self) -> bool {
        true
    }

    /// Returns whether a client library may repeat a write by itself. If so, a conflict may be the
    /// answer to a repeated write, and the core checks whether the first write happened. The
    /// default is `false`.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::{Memory, SessionStorage};
    ///
    /// assert!(!Memory::new(1000).sends_again()); // Redis in a cluster does
    /// ```
    fn sends_again(&self) -> bool {
        false
    }

    /// Returns whether `update` compares and swaps atomically across processes as well. If it does
    /// not, the last write wins. Launch then warns of the storage and refuses `renewal_grace` with
    /// it. The default is `true`.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::*;
    /// # struct Files;
    /// # #[rocket::async_trait]
    /// # impl SimpleStorage for Files {
    /// #     async fn write(&self, _: &str, _: &[u8], _: Timestamp) -> Result<(), StorageError> { Ok(()) }
    /// #     async fn read(&self, _: &str) -> Result<Option<Vec<u8>>, StorageError> { Ok(None) }
    /// #     async fn invalidate(&self, _: &str) -> Result<(), StorageError> { Ok(()) }
    /// # }
    ///
    /// // A `SimpleStorage` has nothing to compare with.
    /// assert!(!LastWriteWins::new(Files).compares_and_swaps());
    /// ```
    fn compares_and_swaps(&self) -> bool {
        true
    }
}
