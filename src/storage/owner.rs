//! The index of owners: whose records are whose, limits and revocations.

use std::ops::ControlFlow;

use super::{OwnerKey, Record, StorageError, StorageKey, Timestamp};

/// The records of each owner. [`SessionStorage::owners`](super::SessionStorage::owners)
/// returns it. The index changes in the same step as the record.
///
/// The [module](super) has the promises of each operation, and
/// `examples/custom_storage.rs` is an index over a map.
#[rocket::async_trait]
pub trait OwnerIndex: Send + Sync {
    /// Up to `limit` live records of `owner` whose keys come after `after`.
    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError>;

    /// Deletes every record of `owner` but those in `except`. Returns how many
    /// live ones there were. Every later write that is guarded by an older
    /// generation of this owner is refused.
    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize, StorageError>;

    /// The present point in the history of `owner`'s revocations.
    async fn generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError>;
}

/// A point in the history of an owner's revocations.
///
/// The core takes it by [`generation`](OwnerIndex::generation) when a login begins,
/// and passes it on with the record. The storage refuses a write whose generation is
/// older than the owner's last [`invalidate_owner`](OwnerIndex::invalidate_owner): a
/// login that was under way leaves nothing alive.
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

/// Conditions under which a record may become its owner's. They are checked in the
/// same step as the write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerGuard {
    /// Refuse with `Revoked` if the owner was invalidated after this point.
    pub generation: Option<Generation>,
    /// The most live records the owner may have.
    pub limit: Option<OwnerLimit>,
    /// A record of the owner in whose place the guarded one comes. It does not count
    /// against the limit, and the limit does not push it out: the core replaces it right
    /// after. A key that is not a live record of this owner changes nothing.
    pub replaces: Option<StorageKey>,
}

impl OwnerGuard {
    /// Whether only a storage with an index of owners can keep it. There is nothing to
    /// keep of `replaces` where there is no limit.
    pub fn needs_index(&self) -> bool {
        self.generation.is_some() || self.limit.is_some()
    }
}

/// Why an [`OwnerGuard`] did not let a record become its owner's. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The owner was invalidated after the guard's generation.
    Revoked,
    /// The owner has as many sessions as allowed.
    LimitReached,
}

/// One page of [`OwnerIndex::list`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerPage {
    /// Live records of the owner, in ascending order of their keys.
    pub records: Vec<(StorageKey, Record)>,
    /// Pass this to the next call; `None` after the last page.
    pub next: Option<StorageKey>,
}

impl OwnerPage {
    /// A page of those `keys`, in any order, under which `find` finds a live
    /// record of the owner. It asks for no more of them than the page needs.
    ///
    /// # Errors
    ///
    /// The first error of `find`.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::StorageError;
    /// use rocket_typed_sessions::storage::{OwnerKey, OwnerPage, Record, StorageKey, Timestamp};
    /// use std::collections::HashMap;
    ///
    /// struct Table {
    ///     records: HashMap<StorageKey, Record>,
    ///     owners: HashMap<OwnerKey, Vec<StorageKey>>,
    /// }
    ///
    /// impl Table {
    ///     fn list(
    ///         &self,
    ///         owner: &OwnerKey,
    ///         after: Option<&StorageKey>,
    ///         limit: usize,
    ///         now: Timestamp,
    ///     ) -> Result<OwnerPage, StorageError> {
    ///         let theirs = self.owners.get(owner).into_iter().flatten().cloned();
    ///         OwnerPage::find(theirs, after, limit, |key| {
    ///             let record = self.records.get(key).cloned();
    ///             Ok(record.filter(|record| record.is_live(now)))
    ///         })
    ///     }
    /// }
    /// ```
    pub fn find<E>(
        keys: impl IntoIterator<Item = StorageKey>,
        after: Option<&StorageKey>,
        limit: usize,
        mut find: impl FnMut(&StorageKey) -> Result<Option<Record>, E>,
    ) -> Result<Self, E> {
        let mut page = Self::default();
        for key in in_order(keys, after, |key| key) {
            let Some(record) = find(&key)? else { continue };
            if page.push(limit, key, record).is_break() {
                break;
            }
        }
        Ok(page)
    }

    /// Adds the next record, in the order of keys. Breaks when the page is full:
    /// then the record belongs to the next one.
    pub(crate) fn push(
        &mut self,
        limit: usize,
        key: StorageKey,
        record: Record,
    ) -> ControlFlow<()> {
        if self.records.len() >= limit {
            self.next = self.records.last().map(|(key, _)| key.clone());
            return ControlFlow::Break(());
        }
        self.records.push((key, record));
        ControlFlow::Continue(())
    }
}

/// What a page after `after` may name, in the order of keys.
pub(crate) fn in_order<T>(
    named: impl IntoIterator<Item = T>,
    after: Option<&StorageKey>,
    key: impl Fn(&T) -> &StorageKey,
) -> Vec<T> {
    let mut named: Vec<T> = named.into_iter().collect();
    named.retain(|named| after.is_none_or(|after| key(named) > after));
    named.sort_unstable_by(|one, other| key(one).cmp(key(other)));
    named
}

/// What a storage without an index answers to a guard.
pub(crate) fn without_index(guard: &OwnerGuard) -> Result<(), StorageError> {
    if guard.needs_index() { Err(no_index()) } else { Ok(()) }
}

pub(crate) fn no_index() -> StorageError {
    StorageError::Other("the storage has no index of owners".into(), None)
}
