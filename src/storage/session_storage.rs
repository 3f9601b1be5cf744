//! The trait of all storages.

use rocket::futures::stream::BoxStream;

use super::error::StorageError;
use super::key::StorageKey;
use super::login::{Predecessor, Successor};
use super::outcome::{Create, Invalidate, Succeed, Touch, Update};
use super::owner::{OwnerGuard, OwnerIndex};
use super::record::{Record, Version};
use crate::expiry::Timestamp;

/// Something that has changed in a storage; see [`SessionStorage::changes`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// This record has been written, or is gone.
    Record(StorageKey),
    /// Any record may have changed: nobody has listened until now.
    Any,
}

/// A place for server sessions. See the [module](super) for the promises.
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
