//! A storage that fails on demand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rocket::futures::stream::BoxStream;

use crate::storage::{
    Change, Create, Generation, Invalidate, OwnerGuard, OwnerIndex, OwnerKey, OwnerPage, Record,
    SessionStorage, StorageError, StorageKey, Timestamp, Touch, Update, Version, no_index,
};

/// One operation of [`SessionStorage`] or [`OwnerIndex`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// [`SessionStorage::create`]
    Create,
    /// [`SessionStorage::read`] and [`SessionStorage::read_fresh`]
    Read,
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
    pub const ALL: [Self; 9] = [
        Self::Create,
        Self::Read,
        Self::Update,
        Self::Touch,
        Self::Invalidate,
        Self::PurgeExpired,
        Self::List,
        Self::InvalidateOwner,
        Self::OwnerGeneration,
    ];
}

/// What an operation does instead of answering at once.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It fails with this error and does nothing.
    Fails(StorageError),
    /// It does its work and fails then, as when the answer is lost on the way.
    FailsAfterwards(StorageError),
    /// It never answers.
    Hangs,
    /// It begins its work after this time.
    Slow(Duration),
    /// It does its work at once, but its answer takes this time.
    SlowAnswer(Duration),
}

/// A storage that does what a test tells it: fail, hang or delay, an operation
/// at a time. Its clones are handles on the same storage.
///
/// ```
/// use rocket_typed_sessions::storage::Memory;
/// use rocket_typed_sessions::testing::storage::{Fault, Faulty, Operation};
/// use rocket_typed_sessions::storage::StorageError;
/// use rocket_typed_sessions::Sessions;
///
/// let storage = Faulty::new(Memory::new(1000));
/// let fairing = Sessions::fairing().storage("faulty", storage.clone());
/// // … start the application, log in, and then:
/// storage.set(Operation::Read, Fault::Fails(StorageError::Unavailable("down".into(), None)));
/// // … requests get 503, until
/// storage.mend();
/// # drop(fairing);
/// ```
#[derive(Clone)]
pub struct Faulty(Arc<Inner>);

struct Inner {
    storage: Box<dyn SessionStorage>,
    faults: Mutex<[Option<Fault>; Operation::ALL.len()]>,
    calls: [AtomicUsize; Operation::ALL.len()],
    created: Mutex<Vec<StorageKey>>,
}

impl Faulty {
    /// Wraps `storage`; everything works at first.
    pub fn new(storage: impl SessionStorage) -> Self {
        Self(Arc::new(Inner {
            storage: Box::new(storage),
            faults: Mutex::default(),
            calls: Default::default(),
            created: Mutex::default(),
        }))
    }

    /// From now on `operation` has this fault.
    pub fn set(&self, operation: Operation, fault: Fault) {
        self.0.faults.lock()[operation as usize] = Some(fault);
    }

    /// From now on every operation works again.
    pub fn mend(&self) {
        *self.0.faults.lock() = Default::default();
    }

    /// How often `operation` was called so far.
    pub fn calls(&self, operation: Operation) -> usize {
        self.0.calls[operation as usize].load(Ordering::SeqCst)
    }

    /// The keys that `create` was called with so far.
    pub fn created(&self) -> Vec<StorageKey> {
        self.0.created.lock().clone()
    }

    /// The storage inside, whose operations always work.
    pub fn inner(&self) -> &dyn SessionStorage {
        &*self.0.storage
    }

    fn index(&self) -> Result<&dyn OwnerIndex, StorageError> {
        self.0.storage.owners().ok_or_else(no_index)
    }

    async fn pass<R>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<R, StorageError>>,
    ) -> Result<R, StorageError> {
        self.0.calls[operation as usize].fetch_add(1, Ordering::SeqCst);
        let fault = self.0.faults.lock()[operation as usize].clone();
        match fault {
            None => work.await,
            Some(Fault::Fails(cause)) => Err(cause),
            Some(Fault::FailsAfterwards(cause)) => work.await.and(Err(cause)),
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::Slow(delay)) => {
                tokio::time::sleep(delay).await;
                work.await
            }
            Some(Fault::SlowAnswer(delay)) => {
                let answer = work.await;
                tokio::time::sleep(delay).await;
                answer
            }
        }
    }
}

#[rocket::async_trait]
impl SessionStorage for Faulty {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create, StorageError> {
        self.0.created.lock().push(key.clone());
        self.pass(Operation::Create, self.0.storage.create(key, record, guard, now)).await
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>, StorageError> {
        self.pass(Operation::Read, self.0.storage.read(key, now)).await
    }

    async fn read_fresh(
        &self,
        key: &StorageKey,
        now: Timestamp,
    ) -> Result<Option<Record>, StorageError> {
        self.pass(Operation::Read, self.0.storage.read_fresh(key, now)).await
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        self.pass(Operation::Update, self.0.storage.update(key, expected, record, now)).await
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError> {
        self.pass(Operation::Touch, self.0.storage.touch(key, last_seen, expires)).await
    }

    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate, StorageError> {
        self.pass(Operation::Invalidate, self.0.storage.invalidate(key, expected, mark)).await
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError> {
        self.pass(Operation::PurgeExpired, self.0.storage.purge_expired(now, limit)).await
    }

    fn owners(&self) -> Option<&dyn OwnerIndex> {
        self.0.storage.owners().map(|_| self as &dyn OwnerIndex)
    }

    fn changes(&self) -> Option<BoxStream<'static, Change>> {
        self.0.storage.changes()
    }

    fn sends_again(&self) -> bool {
        self.0.storage.sends_again()
    }

    fn may_be_behind(&self) -> bool {
        self.0.storage.may_be_behind()
    }

    fn compares_and_swaps(&self) -> bool {
        self.0.storage.compares_and_swaps()
    }
}

/// For a storage that has an index.
#[rocket::async_trait]
impl OwnerIndex for Faulty {
    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError> {
        self.pass(Operation::List, self.index()?.list(owner, after, limit, now)).await
    }

    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize, StorageError> {
        let work = self.index()?.invalidate_owner(owner, except, now);
        self.pass(Operation::InvalidateOwner, work).await
    }

    async fn generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError> {
        self.pass(Operation::OwnerGeneration, self.index()?.generation(owner)).await
    }
}
