//! Where server sessions live: the [`SessionStorage`] trait and the built-in storages.
//!
//! A storage keeps opaque records under opaque keys. It knows no cookie, no
//! session type, no cryptography and no clock. Ids, envelopes and expiry times
//! come from the core. Every operation that judges whether a record still lives
//! is told the time.
//!
//! Each operation is one step for everybody else. A record lives until it is
//! ended or its `expires` has come; nobody needs to purge it for that.
//!
//! | [`SessionStorage`] | promises |
//! |---|---|
//! | [`create`](SessionStorage::create) | It inserts only. It never overwrites a live record. It succeeds over an expired record that nobody purged. One that arrives after the end of what it creates is refused. |
//! | [`read`](SessionStorage::read) | It finds live records only. It creates nothing. |
//! | [`update`](SessionStorage::update) | It replaces a live record of the expected [`Version`] only. It never inserts, so nothing that ended comes back. |
//! | [`succeed`](SessionStorage::succeed) | It creates one record as `create` does, then replaces another as `update` does. If nothing was created, it replaces nothing. |
//! | [`touch`](SessionStorage::touch) | It changes neither version nor payload. It never shortens a life and never revives a record. |
//! | [`invalidate`](SessionStorage::invalidate) | It is idempotent. It beats every write that started before it. |
//! | [`purge_expired`](SessionStorage::purge_expired) | It removes expired records only, and no more than it is asked for. |
//!
//! A storage may have an index of owners. [`SessionStorage::owners`] returns it.
//!
//! | [`OwnerIndex`] | promises |
//! |---|---|
//! | always | The index changes in the same step as the record. |
//! | [`list`](OwnerIndex::list) | It gives every live record of the owner and no other. |
//! | [`invalidate_owner`](OwnerIndex::invalidate_owner) | It ends every record of the owner but the excepted ones, and counts those that lived. No guarded write that started before it leaves a live record of the owner. |
//! | [`generation`](OwnerIndex::generation) | An [`OwnerGuard`] with a generation from before an `invalidate_owner` is refused. |
//! | an [`OwnerLimit`] in a guard | The limit holds however many sessions begin at once. Expired records do not count, nor does the one that the guard says is [replaced](OwnerGuard::replaces). |
//!
//! Absence and conflict are outcomes. A [`StorageError`] means that the storage
//! could not answer. The conformance kit tries every promise on any storage: see
//! `testing::storage` (feature `testing`).
//!
//! A storage is a cheap handle: the built-in ones are [`Clone`], and clones are
//! handles on the same records. `examples/custom_storage.rs` is a complete storage
//! with an index.

pub(crate) mod bytes;
mod cached;
mod directory;
mod key;
mod keyed_lock;
mod marks;
mod memory;
mod owner;
#[cfg(feature = "redis")]
mod redis;
mod simple;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
pub(crate) mod sql;
#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use rocket::futures::stream::BoxStream;
use sha2::{Digest, Sha256};

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
pub(crate) use keyed_lock::{KeyedGuard, KeyedLocks};
pub use memory::Memory;
pub use owner::{
    Generation, OwnerGuard, OwnerIndex, OwnerLimit, OwnerLimitPolicy, OwnerPage, Refused,
};
#[cfg(feature = "redis")]
pub(crate) use owner::{another_owner, in_order};
pub(crate) use owner::{keeps_owner, no_index, without_index};
pub use simple::{LastWriteWins, SimpleStorage};

use crate::crypto::Random;
pub use crate::expiry::Timestamp;

/// What the core writes under a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Tells this state of the record from all others. The core draws it.
    pub version: Version,
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
            .field("version", &self.version)
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

/// The version of a record: 64 random bits, which the core draws for each write
/// before it asks the storage. A storage keeps it as it is given, so that the core
/// finds out what became of a write whose answer was lost. `touch` does not change
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub u64);

impl Version {
    /// The one of this content, where there is no room for another.
    pub(crate) fn of(content: &[u8]) -> Self {
        let hash = Sha256::digest(content);
        Self(hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)))
    }

    /// One that no record has had.
    pub(crate) fn random() -> Result<Self, StorageError> {
        random_number().map(Self)
    }
}

pub(crate) fn random_number() -> Result<u64, StorageError> {
    let random = Random::default().bytes();
    let bytes = random.map_err(|cause| StorageError::other("drawing a random number", cause))?;
    Ok(u64::from_be_bytes(bytes))
}

/// Outcome of [`SessionStorage::create`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// The record is stored. It may have been before: then this is the same
    /// `create`, sent again.
    Created,
    /// Another live record has this key. Nothing was written.
    Exists,
    /// The guard refused the record. Nothing was written.
    Refused(Refused),
}

/// Outcome of [`SessionStorage::update`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// The record was replaced. It may have been before: then this is the same
    /// `update`, sent again.
    Updated,
    /// The record has another version by now. Nothing was written.
    Conflict,
    /// There is no live record under the key. Nothing was written.
    Missing,
}

/// The record that a login begins; see [`SessionStorage::succeed`].
#[derive(Clone, Debug)]
pub struct Successor<'a> {
    /// Where it is created.
    pub key: &'a StorageKey,
    /// What is created.
    pub record: Record,
    /// Its conditions. [`replaces`](OwnerGuard::replaces) names the predecessor.
    pub guard: OwnerGuard,
}

/// The record that a login replaces; see [`SessionStorage::succeed`].
#[derive(Clone, Debug)]
pub struct Predecessor<'a> {
    /// Where it is.
    pub key: &'a StorageKey,
    /// Its present version.
    pub expected: Version,
    /// What stands there from now on: it says that a login has replaced the session,
    /// and is nobody's.
    pub record: Record,
}

/// Outcome of [`SessionStorage::succeed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Succeed {
    /// The successor is stored. This became of the predecessor.
    Created(Update),
    /// Another live record has the successor's key. Nothing was written.
    Exists,
    /// The successor's guard refused it. Nothing was written.
    Refused(Refused),
}

/// Outcome of [`SessionStorage::touch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// The times are recorded (or were later already).
    Touched,
    /// There is no live record under the key.
    Missing,
}

/// Outcome of [`SessionStorage::invalidate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalidate {
    /// The record was deleted.
    Invalidated,
    /// The record has another version than expected. It stays, and no mark was left.
    Conflict,
    /// There is no record under the key.
    Missing,
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

/// Something that has changed in a storage; see [`SessionStorage::changes`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// This record has been written, or is gone.
    Record(StorageKey),
    /// Any record may have changed: nobody has listened until now.
    Any,
}

/// A place for server sessions. See the [module](self) for the promises.
///
/// A caller may drop a future at any point, when a request's time is over for
/// example. A dropped operation must have happened wholly or not at all.
///
/// `now` is the core's clock. A storage with a clock of its own, such as a
/// database's TTL, may use that in addition, never instead.
#[rocket::async_trait]
pub trait SessionStorage: Send + Sync + 'static {
    /// Inserts `record` under `key`, or says why not. It never overwrites a live
    /// record, and replaces one that is expired at `now`. If the live record has the
    /// version of `record`, it is this one, and the answer is `Created`. If an end of
    /// the key has left a mark that still stands, it is [`Refused::Revoked`].
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create, StorageError>;

    /// The record under `key`, if it lives at `now`. Reading creates nothing.
    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>, StorageError>;

    /// The record as it stands, past every cache. The core asks when it must know
    /// what became of a write, or when the client's token does not fit what `read`
    /// gave: the `read` of a storage such as [`Cached`] may be behind. The default
    /// is for storages whose `read` never is.
    async fn read_fresh(
        &self,
        key: &StorageKey,
        now: Timestamp,
    ) -> Result<Option<Record>, StorageError> {
        self.read(key, now).await
    }

    /// Replaces the record under `key` if it lives at `now` and still has the
    /// version `expected`; never inserts. If it has the version of `record` already,
    /// the answer is `Updated`.
    ///
    /// The record keeps its owner, or is nobody's from now on. The core never asks for
    /// another owner: who logs in gets a record of their own. A storage answers that
    /// with [`StorageError::Other`] and writes nothing.
    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update, StorageError>;

    /// The two writes of a login: creates the successor, then replaces the predecessor.
    /// They are a [`create`](Self::create) and an [`update`](Self::update). If the
    /// successor is not created, the predecessor stays as it is. If the
    /// predecessor has changed or is gone, the successor stays all the same.
    ///
    /// Each of the two happens wholly or not at all. If the answer is an error, or the
    /// future is dropped, the first may have happened without the second. If the same
    /// two are sent again, the answer is the same. The default is for storages that
    /// save nothing by doing both at once.
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

    /// Moves `last_seen` and `expires` of a live record forwards, each to the later
    /// of the stored and the given time. It changes nothing else. `last_seen` is
    /// the present.
    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError>;

    /// Deletes the record under `key`: whatever its version, or if it has the version
    /// `expected`.
    ///
    /// If `mark` is given, the end leaves a mark, whether there was a record or not:
    /// until then a `create` under the key is refused as [`Revoked`](Refused::Revoked).
    /// One that is on its way, or is sent again, brings nothing back. Of two marks the
    /// later one counts. A mark is no record: nothing reads, changes, lists or counts it,
    /// and it goes by itself.
    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate, StorageError>;

    /// Deletes up to `limit` records that are expired at `now`. Returns how many it
    /// deleted: always 0 where records go by themselves, by a TTL for example.
    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError>;

    /// The index of owners. The default is none.
    ///
    /// A storage without an index stores a record that has an owner as any other.
    /// It answers a guard that [needs an index](OwnerGuard::needs_index) with
    /// [`StorageError::Other`].
    fn owners(&self) -> Option<&dyn OwnerIndex> {
        None
    }

    /// What changes in the storage from now on, whoever changes it. [`Cached`] drops
    /// its copies by it. The stream does not end: when the connection to a server
    /// breaks, it makes another and goes on with [`Change::Any`]. The default is for
    /// storages that are not told of changes.
    fn changes(&self) -> Option<BoxStream<'static, Change>> {
        None
    }

    /// Whether `read` may be behind what was written elsewhere. The default is that
    /// it never is.
    fn may_be_behind(&self) -> bool {
        false
    }

    /// Whether a write may have happened although its answer did not come: where a
    /// connection can break, or a future is dropped while a thread goes on. The core
    /// then keeps a trail of versions in each record, to tell.
    fn loses_answers(&self) -> bool {
        true
    }

    /// Whether a client library may send a write again by itself, so that the answer
    /// may be that of the second one. Then the core does not take a conflict's word
    /// for it that nothing was written.
    fn sends_again(&self) -> bool {
        false
    }

    /// Whether `update` compares and swaps against writes of other processes, too.
    /// If not, the last of their writes wins. Launch warns of such a storage and
    /// refuses `renewal_grace` on it.
    fn compares_and_swaps(&self) -> bool {
        true
    }
}
