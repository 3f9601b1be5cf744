//! The index of owners: the records of each owner, limits and revocations.

use std::ops::ControlFlow;

use super::{OwnerKey, Record, StorageError, StorageKey, Timestamp};

/// Finds the records of an owner in a storage.
/// [`SessionStorage::owners`](super::SessionStorage::owners) returns it. The index
/// changes in the same step as the record. The [module](super) lists the promises
/// that it keeps.
///
/// This example is an index over a map, for a storage of one process.
/// `examples/custom_storage.rs` is the whole storage.
///
/// ```
/// use rocket::tokio::sync::Mutex;
/// use rocket_typed_sessions::storage::*;
/// use std::collections::HashMap;
///
/// #[derive(Default)]
/// struct Table(Mutex<Rows>);
///
/// #[derive(Default)]
/// struct Rows {
///     records: HashMap<StorageKey, Record>,
///     /// How often each owner was revoked.
///     generations: HashMap<OwnerKey, u64>,
/// }
///
/// impl Rows {
///     fn of(&self, owner: &OwnerKey) -> Vec<StorageKey> {
///         let theirs = self.records.iter().filter(|(_, record)| record.owner.as_ref() == Some(owner));
///         theirs.map(|(key, _)| key.clone()).collect()
///     }
/// }
///
/// #[rocket::async_trait]
/// impl OwnerIndex for Table {
///     async fn list(
///         &self,
///         owner: &OwnerKey,
///         after: Option<&StorageKey>,
///         limit: usize,
///         now: Timestamp,
///     ) -> Result<OwnerPage, StorageError> {
///         let rows = self.0.lock().await;
///         let live = |key: &StorageKey| rows.records.get(key).filter(|record| record.is_live(now));
///         OwnerPage::find(rows.of(owner), after, limit, |key| Ok(live(key).cloned()))
///     }
///
///     async fn invalidate_owner(
///         &self,
///         owner: &OwnerKey,
///         except: &[StorageKey],
///         now: Timestamp,
///     ) -> Result<usize, StorageError> {
///         let mut rows = self.0.lock().await;
///         *rows.generations.entry(owner.clone()).or_default() += 1;
///         let theirs = rows.of(owner).into_iter().filter(|key| !except.contains(key));
///         let ended = theirs.filter_map(|key| rows.records.remove(&key));
///         Ok(ended.filter(|record| record.is_live(now)).count())
///     }
///
///     async fn generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError> {
///         let rows = self.0.lock().await;
///         Ok(Generation::from_u64(rows.generations.get(owner).copied().unwrap_or(0)))
///     }
/// }
///
/// # rocket::async_test(async {
/// let (index, ann) = (Table::default(), OwnerKey::from_bytes([7; 32]));
/// let before = index.generation(&ann).await?;
/// index.invalidate_owner(&ann, &[], Timestamp::ZERO).await?;
/// assert!(index.generation(&ann).await? > before);
/// # Ok::<(), StorageError>(())
/// # }).unwrap();
/// ```
#[rocket::async_trait]
pub trait OwnerIndex: Send + Sync {
    /// Returns up to `limit` live records of `owner`, in ascending order of their
    /// keys, from the first key after `after` on.
    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError>;

    /// Deletes every record of `owner` except those in `except`. Returns how many of the deleted
    /// records were live. Every later write whose guard has an older generation of this owner is
    /// refused.
    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize, StorageError>;

    /// Returns the owner's current generation.
    async fn generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError>;
}

/// Counts the revocations of an owner.
///
/// The core asks for it with [`generation`](OwnerIndex::generation) when a login
/// begins, and passes it with the new record. The storage refuses a record whose
/// generation is older than the owner's last
/// [`invalidate_owner`](OwnerIndex::invalidate_owner). So a login that was under
/// way during a revocation leaves no live session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(u64);

impl Generation {
    /// Makes a generation from the count that a storage keeps.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::Generation;
    ///
    /// assert!(Generation::from_u64(1) < Generation::from_u64(2));
    /// ```
    pub const fn from_u64(count: u64) -> Self {
        Self(count)
    }

    /// Returns the count, for a storage to keep.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::Generation;
    ///
    /// assert_eq!(Generation::from_u64(1).as_u64(), 1);
    /// ```
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// How many live sessions an owner may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerLimit {
    /// The most live records of the owner, including the new one. At least 1.
    pub max: usize,
    /// What happens if there are more.
    pub policy: OwnerLimitPolicy,
}

/// What happens when an owner already has as many sessions as allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerLimitPolicy {
    /// The owner's oldest sessions, by `created`, end in the same step.
    EndOldest,
    /// The new session is refused.
    Refuse,
}

/// The conditions under which a record is created for its owner. The storage checks
/// them in the same step as the write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerGuard {
    /// The owner's generation when the login began. The record is refused as
    /// [`Revoked`](Refused::Revoked) if the owner was revoked after that.
    pub generation: Option<Generation>,
    /// The limit for the owner's live records.
    pub limit: Option<OwnerLimit>,
    /// The record that the new one replaces. It does not count against the limit, and the limit
    /// does not end it, because the core replaces it right after. A key without a live record of
    /// this owner has no effect.
    pub replaces: Option<StorageKey>,
}

impl OwnerGuard {
    /// Returns whether only a storage with an index of owners can check the guard.
    /// A storage without one calls it in `create`. `replaces` alone needs no index,
    /// because it only matters for a limit.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::{Generation, OwnerGuard, StorageError};
    ///
    /// fn check(guard: &OwnerGuard) -> Result<(), StorageError> {
    ///     if guard.needs_index() {
    ///         return Err(StorageError::Other("there is no index of owners".into(), None));
    ///     }
    ///     Ok(())
    /// }
    ///
    /// assert!(check(&OwnerGuard::default()).is_ok());
    /// let login = OwnerGuard { generation: Some(Generation::from_u64(1)), ..OwnerGuard::default() };
    /// assert!(check(&login).is_err());
    /// ```
    pub fn needs_index(&self) -> bool {
        self.generation.is_some() || self.limit.is_some()
    }
}

/// Why an [`OwnerGuard`] refused a record. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The owner was revoked after the guard's generation, or the key was ended.
    Revoked,
    /// The owner has as many sessions as allowed.
    LimitReached,
}

/// A page of [`OwnerIndex::list`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerPage {
    /// Live records of the owner, in ascending order of their keys.
    pub records: Vec<(StorageKey, Record)>,
    /// The `after` of the next page. `None` after the last page.
    pub next: Option<StorageKey>,
}

impl OwnerPage {
    /// Makes a page of those `keys`, in any order, for which `find` returns a live
    /// record. It calls `find` for no more keys than the page needs.
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

    /// Adds the next record in the order of keys. Breaks if the page is full and the record
    /// belongs to the next page.
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

/// The items whose keys come after `after`, in the order of keys.
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

/// Refuses a guard that only a storage with an index can check.
pub(crate) fn without_index(guard: &OwnerGuard) -> Result<(), StorageError> {
    if guard.needs_index() { Err(no_index()) } else { Ok(()) }
}

pub(crate) fn no_index() -> StorageError {
    StorageError::Other("the storage has no index of owners".into(), None)
}
