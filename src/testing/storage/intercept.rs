//! A storage around another one. A test decides what happens at each operation.

use std::sync::Arc;

use rocket::futures::stream::BoxStream;

use crate::storage::{
    Change, Create, Generation, Invalidate, OwnerGuard, OwnerIndex, OwnerKey, OwnerPage, Record,
    SessionStorage, StorageError, StorageKey, Timestamp, Touch, Update, Version, no_index,
};

/// An operation of [`SessionStorage`] or [`OwnerIndex`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// [`SessionStorage::create`]
    Create,
    /// [`SessionStorage::read`] and [`SessionStorage::read_fresh`]
    Read,
    /// [`SessionStorage::read_many`]
    ReadMany,
    /// [`SessionStorage::update`]
    Update,
    /// [`SessionStorage::touch`]
    Touch,
    /// [`SessionStorage::invalidate`]
    Invalidate,
    /// [`SessionStorage::purge_expired`]
    PurgeExpired,
    /// [`OwnerIndex::list`]
    List,
    /// [`OwnerIndex::invalidate_owner`]
    InvalidateOwner,
    /// [`OwnerIndex::generation`]
    OwnerGeneration,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 10] = [
        Self::Create,
        Self::Read,
        Self::ReadMany,
        Self::Update,
        Self::Touch,
        Self::Invalidate,
        Self::PurgeExpired,
        Self::List,
        Self::InvalidateOwner,
        Self::OwnerGeneration,
    ];
}

/// Decides what happens at each operation of a storage. [`Intercepted`] turns it
/// into a storage.
///
/// [`SessionStorage::succeed`] is intercepted as a create and an update.
///
/// ```
/// use std::sync::Arc;
/// use rocket_typed_sessions::Sessions;
/// use rocket_typed_sessions::storage::{Memory, SessionStorage, StorageError, StorageKey};
/// use rocket_typed_sessions::testing::storage::{Intercept, Intercepted, Operation};
///
/// struct Logged(Arc<dyn SessionStorage>);
///
/// impl Intercept for Logged {
///     fn storage(&self) -> Arc<dyn SessionStorage> {
///         Arc::clone(&self.0)
///     }
///
///     async fn intercept<R: Send>(
///         &self,
///         operation: Operation,
///         key: Option<&StorageKey>,
///         work: impl Future<Output = Result<R, StorageError>> + Send,
///     ) -> Result<R, StorageError> {
///         println!("{operation:?} begins: {key:?}");
///         let answer = work.await;
///         println!("{operation:?} ends");
///         answer
///     }
/// }
///
/// let storage = Intercepted(Logged(Arc::new(Memory::new(1000))));
/// let sessions = Sessions::fairing().storage("logged", storage);
/// ```
pub trait Intercept: Send + Sync + 'static {
    /// Returns the storage inside.
    fn storage(&self) -> Arc<dyn SessionStorage>;

    /// Answers an operation. `key` is the record's key, if the operation is for one
    /// record. `work` is the operation on the storage inside, which begins when it
    /// is awaited.
    fn intercept<R: Send>(
        &self,
        operation: Operation,
        key: Option<&StorageKey>,
        work: impl Future<Output = Result<R, StorageError>> + Send,
    ) -> impl Future<Output = Result<R, StorageError>> + Send;
}

/// A storage that passes every operation on through an [`Intercept`].
#[derive(Clone, Debug)]
pub struct Intercepted<I>(pub I);

#[rocket::async_trait]
impl<I: Intercept> SessionStorage for Intercepted<I> {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create, StorageError> {
        let storage = self.0.storage();
        let work = storage.create(key, record, guard, now);
        self.0.intercept(Operation::Create, Some(key), work).await
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>, StorageError> {
        let storage = self.0.storage();
        self.0.intercept(Operation::Read, Some(key), storage.read(key, now)).await
    }

    async fn read_fresh(
        &self,
        key: &StorageKey,
        now: Timestamp,
    ) -> Result<Option<Record>, StorageError> {
        let storage = self.0.storage();
        self.0.intercept(Operation::Read, Some(key), storage.read_fresh(key, now)).await
    }

    async fn read_many(
        &self,
        keys: &[StorageKey],
        now: Timestamp,
    ) -> Vec<Result<Option<Record>, StorageError>> {
        let storage = self.0.storage();
        let work = async { Ok(storage.read_many(keys, now).await) };
        let found = self.0.intercept(Operation::ReadMany, None, work).await;
        found.unwrap_or_else(|cause| vec![Err(cause); keys.len()])
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        let storage = self.0.storage();
        let work = storage.update(key, expected, record, now);
        self.0.intercept(Operation::Update, Some(key), work).await
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError> {
        let storage = self.0.storage();
        let work = storage.touch(key, last_seen, expires);
        self.0.intercept(Operation::Touch, Some(key), work).await
    }

    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate, StorageError> {
        let storage = self.0.storage();
        let work = storage.invalidate(key, expected, mark);
        self.0.intercept(Operation::Invalidate, Some(key), work).await
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError> {
        let storage = self.0.storage();
        self.0.intercept(Operation::PurgeExpired, None, storage.purge_expired(now, limit)).await
    }

    fn owners(&self) -> Option<&dyn OwnerIndex> {
        self.0.storage().owners().map(|_| self as &dyn OwnerIndex)
    }

    fn changes(&self) -> Option<BoxStream<'static, Change>> {
        self.0.storage().changes()
    }

    fn sends_again(&self) -> bool {
        self.0.storage().sends_again()
    }

    fn is_remote(&self) -> bool {
        self.0.storage().is_remote()
    }

    fn may_be_behind(&self) -> bool {
        self.0.storage().may_be_behind()
    }

    fn compares_and_swaps(&self) -> bool {
        self.0.storage().compares_and_swaps()
    }
}

/// For a storage that has an index.
#[rocket::async_trait]
impl<I: Intercept> OwnerIndex for Intercepted<I> {
    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError> {
        let storage = self.0.storage();
        let work = storage.owners().ok_or_else(no_index)?.list(owner, after, limit, now);
        self.0.intercept(Operation::List, None, work).await
    }

    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize, StorageError> {
        let storage = self.0.storage();
        let work = storage.owners().ok_or_else(no_index)?.invalidate_owner(owner, except, now);
        self.0.intercept(Operation::InvalidateOwner, None, work).await
    }

    async fn generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError> {
        let storage = self.0.storage();
        let work = storage.owners().ok_or_else(no_index)?.generation(owner);
        self.0.intercept(Operation::OwnerGeneration, None, work).await
    }
}
