//! Where server sessions live: the [`SessionStorage`] trait and the storages in the box.
//!
//! A storage keeps opaque records under opaque keys. It knows no cookie, no
//! session type, no cryptography and no clock: ids, envelopes and expiry times
//! come from the core, and every operation that judges whether a record still
//! lives is told the time. What a storage must hold is atomicity:
//!
//! | operation | must hold |
//! |---|---|
//! | [`create`](SessionStorage::create) | inserts only, never overwrites |
//! | [`read`](SessionStorage::read) | an expired record is none, purged or not |
//! | [`update`](SessionStorage::update) | compare-and-swap by [`Version`]; never inserts, so nothing deleted comes back |
//! | [`touch`](SessionStorage::touch) | no version bump, no payload rewrite, never shortens, never revives |
//! | [`invalidate`](SessionStorage::invalidate) | idempotent; beats every write that started before it |
//! | [`purge_expired`](SessionStorage::purge_expired) | bounded batches that keep the living |
//! | [`list`](SessionStorage::list), [`invalidate_owner`](SessionStorage::invalidate_owner) | the owner index changes in the same step as the record |
//!
//! Absence and conflict are outcomes, not errors; [`StorageError`] is for a
//! storage that could not answer. The conformance kit, `testing::storage` (feature
//! `testing`), tries every promise on any storage.

pub(crate) mod bytes;
mod cached;
mod directory;
mod key;
mod keyed_lock;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod shared;
mod simple;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
pub(crate) mod sql;
#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use rocket::futures::stream::BoxStream;

#[cfg(feature = "redis")]
pub use self::redis::Redis;
#[cfg(feature = "mysql")]
pub use self::sql::MySql;
#[cfg(feature = "postgres")]
pub use self::sql::Postgres;
#[cfg(feature = "sqlite")]
pub use self::sql::Sqlite;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
pub use self::sql::{Engine as SqlEngine, Sql};
pub use cached::Cached;
pub use directory::Directory;
pub(crate) use directory::KtorDirectory;
pub use key::{OwnerKey, StorageKey};
pub(crate) use keyed_lock::KeyedLocks;
pub use memory::Memory;
pub use simple::{LastWriteWins, SimpleStorage};

pub use crate::expiry::Timestamp;
use crate::random::Random;

/// What the core writes under a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Opaque bytes: the core's envelope and the encoded session.
    pub payload: Arc<[u8]>,
    /// Whose session this is; feeds the owner index.
    pub owner: Option<OwnerKey>,
    /// When the session began.
    pub created: Timestamp,
    /// When its client was last seen.
    pub last_seen: Timestamp,
    /// From this instant on the record is none.
    pub expires: Timestamp,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("payload", &format_args!("[{} bytes]", self.payload.len()))
            .field("owner", &self.owner)
            .field("created", &self.created)
            .field("last_seen", &self.last_seen)
            .field("expires", &self.expires)
            .finish()
    }
}

impl Record {
    /// Whether the record still lives at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires
    }
}

/// The version of a stored record: changes with every `update`, not with `touch`.
///
/// A version is never used twice for one key, so that a compare-and-swap with
/// an old version can never succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub u64);

impl Version {
    /// One that no record of this key has had: it may have been used before. Far
    /// from the end, so that it can be counted on from there.
    pub(crate) fn random() -> Result<Self, StorageError> {
        random_number().map(|number| Self(number >> 2))
    }
}

pub(crate) fn random_number() -> Result<u64, StorageError> {
    let random = Random::default().bytes();
    let bytes = random.map_err(|cause| StorageError::other("drawing a random number", cause))?;
    Ok(u64::from_be_bytes(bytes))
}

/// A record as a storage returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The version to pass to the next [`update`](SessionStorage::update).
    pub version: Version,
    /// The record; its `last_seen` and `expires` include touches.
    pub record: Record,
}

/// A point in the history of an owner's revocations.
///
/// Taken by [`owner_generation`](SessionStorage::owner_generation) when a login
/// begins and compared when its record is written: a write whose generation is
/// older than the owner's last [`invalidate_owner`](SessionStorage::invalidate_owner)
/// is refused, so that a login that was under way leaves nothing alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// How many live sessions one owner may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerLimit {
    /// The most live records of one owner, the new one included; at least 1.
    pub max: usize,
    /// What happens to the one too many.
    pub policy: OwnerLimitPolicy,
}

/// What happens when an owner has as many sessions as allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerLimitPolicy {
    /// The owner's oldest sessions (by `created`) end in the same step.
    EndOldest,
    /// The new session is refused.
    Refuse,
}

/// Conditions under which a record may become an owner's; checked in the same
/// step as the write. Both apply only to a write that brings its owner a
/// record it did not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnerGuard {
    /// Refuse with `Revoked` if the owner was invalidated after this point.
    pub generation: Option<Generation>,
    /// The most live records the owner may have.
    pub limit: Option<OwnerLimit>,
}

/// Outcome of [`SessionStorage::create`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// The record is stored.
    Created(Version),
    /// The key is taken; nothing was written.
    Exists,
    /// The owner was invalidated after the guard's generation; nothing was written.
    Revoked,
    /// The owner has as many sessions as allowed; nothing was written.
    LimitReached,
}

/// Outcome of [`SessionStorage::update`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// The record was replaced.
    Updated(Version),
    /// The record has another version by now; nothing was written.
    Conflict,
    /// There is no live record under the key; nothing was written.
    Missing,
    /// The owner was invalidated after the guard's generation; nothing was written.
    Revoked,
    /// The owner has as many sessions as allowed; nothing was written.
    LimitReached,
}

/// Outcome of [`SessionStorage::touch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// The times are recorded (or were later already).
    Touched,
    /// There is no live record under the key.
    Missing,
}

/// One page of [`SessionStorage::list`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerPage {
    /// Live records of the owner, in ascending order of their keys.
    pub records: Vec<(StorageKey, Stored)>,
    /// Pass this to the next call; `None` after the last page.
    pub next: Option<StorageKey>,
}

/// A storage that could not answer.
///
/// The cause is kept as [`source`](StdError::source); neither it nor the text
/// may hold keys, payloads or credentials.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The storage cannot be reached or is full; a retry may help.
    #[error("the session storage is unavailable: {0}")]
    Unavailable(String, #[source] Option<Arc<dyn StdError + Send + Sync>>),
    /// This one record cannot be read back. It is treated as absent.
    #[error("a session record is corrupt: {0}")]
    Corrupt(&'static str),
    /// Anything else.
    #[error("the session storage failed: {0}")]
    Other(String, #[source] Option<Arc<dyn StdError + Send + Sync>>),
}

impl StorageError {
    /// An [`Unavailable`](Self::Unavailable) error that keeps its cause.
    pub fn unavailable(
        doing: impl Into<String>,
        cause: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self::Unavailable(doing.into(), Some(Arc::new(cause)))
    }

    /// An [`Other`](Self::Other) error that keeps its cause.
    pub fn other(doing: impl Into<String>, cause: impl StdError + Send + Sync + 'static) -> Self {
        Self::Other(doing.into(), Some(Arc::new(cause)))
    }
}

/// What a storage makes of concurrent writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consistency {
    /// It compares and swaps, as [`SessionStorage`] promises.
    CompareAndSwap,
    /// Of writes by several processes the last one wins, and owners have no
    /// index: a [`SimpleStorage`].
    LastWriteWins,
}

/// What a storage tells of what has happened in it; see
/// [`SessionStorage::changes`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// This record has been written, or is gone.
    Record(StorageKey),
    /// Whatever may have changed: nobody has listened until now.
    Any,
}

/// A place for server sessions. See the [module](self) for the promises.
///
/// Futures may be dropped at any point (a request's budget ran out): a dropped
/// operation must have happened wholly or not at all. `now` is the core's
/// clock; a storage with a clock of its own (a database's TTL) may use it in
/// addition, never instead.
#[rocket::async_trait]
pub trait SessionStorage: Send + Sync + 'static {
    /// Inserts `record` under `key`, or says why not; never overwrites.
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create, StorageError>;

    /// The record under `key`, if it lives at `now`. Reading creates nothing.
    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Stored>, StorageError>;

    /// A record of another version than `than`, which `read` gave but which does
    /// not fit the client's token: for a storage whose `read` may be behind. The
    /// default says that it never is.
    async fn read_newer(
        &self,
        _key: &StorageKey,
        _than: Version,
        _now: Timestamp,
    ) -> Result<Option<Stored>, StorageError> {
        Ok(None)
    }

    /// Replaces the record under `key` if it lives at `now` and still has the
    /// version `expected`; never inserts.
    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Update, StorageError>;

    /// Moves `last_seen` and `expires` of a live record forwards (each to the
    /// later of the stored and the given time) and nothing else. `last_seen`
    /// is the present.
    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError>;

    /// Deletes the record under `key`; says whether there was one.
    async fn invalidate(&self, key: &StorageKey) -> Result<bool, StorageError>;

    /// Deletes up to `limit` records that are expired at `now`; returns how many.
    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError>;

    /// Up to `limit` live records of `owner` whose keys come after `after`.
    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError>;

    /// Deletes every record of `owner` but those in `except`; returns how many
    /// live ones there were. Afterwards every write guarded by an older
    /// generation of this owner is refused.
    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize, StorageError>;

    /// The present point in the history of `owner`'s revocations.
    async fn owner_generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError>;

    /// What changes in the storage from now on, whoever changes it, for copies
    /// that are kept of its records ([`Cached`]). The stream does not end: where
    /// the connection to a server breaks, it makes another and goes on with
    /// [`Change::Any`]. `None`, the default, if the storage is not told.
    fn changes(&self) -> Option<BoxStream<'static, Change>> {
        None
    }

    /// What the storage makes of concurrent writes. Launch warns of one that
    /// does not compare and swap.
    fn consistency(&self) -> Consistency {
        Consistency::CompareAndSwap
    }
}
