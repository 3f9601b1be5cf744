//! A storage on which something happens at a chosen operation.

use std::sync::Arc;

use parking_lot::Mutex;

use rocket::futures::future::BoxFuture;
use rocket::futures::stream::BoxStream;
use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::storage::{
    Change, Create, Generation, Invalidate, OwnerGuard, OwnerIndex, OwnerKey, OwnerPage, Record,
    SessionStorage, StorageKey, Timestamp, Touch, Update, Version,
};

use crate::run::is_watched;
use crate::scenario::{Edge, Fault};

/// What happens at an operation.
pub type Action = BoxFuture<'static, ()>;

/// Something that is to happen once, so many operations from now.
pub struct Armed {
    pub operation: usize,
    pub edge: Edge,
    pub action: Action,
}

#[derive(Default)]
struct Plan {
    armed: Vec<Armed>,
    fault: Option<Fault>,
    /// Operations since the plan was made.
    operations: usize,
    created: Vec<StorageKey>,
}

/// The storage that one node sees. [`Hooked::plain`] is how the others see it.
#[derive(Clone)]
pub struct Hooked {
    inner: Arc<Mutex<Arc<dyn SessionStorage>>>,
    plan: Arc<Mutex<Plan>>,
    hooks: bool,
}

impl Hooked {
    pub fn new(storage: impl SessionStorage) -> Self {
        let inner: Arc<dyn SessionStorage> = Arc::new(storage);
        Self { inner: Arc::new(Mutex::new(inner)), plan: Arc::default(), hooks: true }
    }

    /// The same storage, on which nothing happens.
    pub fn plain(&self) -> Self {
        Self { hooks: false, ..self.clone() }
    }

    /// Begins with another storage.
    pub fn replace(&self, storage: Arc<dyn SessionStorage>) {
        *self.inner.lock() = storage;
    }

    /// From now on operations are counted anew, and this happens at them.
    pub fn plan(&self, armed: Vec<Armed>, fault: Fault) {
        let mut plan = self.plan.lock();
        plan.armed = armed;
        plan.fault = Some(fault).filter(|fault| *fault != Fault::None);
        plan.operations = 0;
    }

    /// How much of the plan has not happened.
    pub fn armed(&self) -> usize {
        self.plan.lock().armed.len()
    }

    /// What has not happened does not happen any more.
    pub fn disarm(&self) {
        self.plan.lock().armed.clear();
    }

    /// Nothing happens any more.
    pub fn calm(&self) {
        let mut plan = self.plan.lock();
        plan.armed.clear();
        plan.fault = None;
    }

    /// Every key that a record was created under, and that may still be there.
    pub fn created(&self) -> Vec<StorageKey> {
        self.plan.lock().created.clone()
    }

    /// Removes what is left.
    pub async fn wipe(&self) {
        let keys = std::mem::take(&mut self.plan.lock().created);
        let inner = self.inner();
        for key in keys {
            let _ = inner.invalidate(&key, None, None).await;
        }
    }

    /// Removes what has expired by then. It is done between runs: the clock goes back for the
    /// next one, and a purge under way would take its sessions for expired.
    pub async fn purge(&self, now: Timestamp) {
        let _ = self.inner().purge_expired(now, usize::MAX).await;
    }

    /// The storage inside, on which nothing happens.
    pub fn inner(&self) -> Arc<dyn SessionStorage> {
        Arc::clone(&self.inner.lock())
    }

    fn due(&self, edge: Edge) -> Vec<Action> {
        let mut plan = self.plan.lock();
        let at = plan.operations;
        let due = plan.armed.extract_if(.., |armed| armed.operation == at && armed.edge == edge);
        due.map(|armed| armed.action).collect()
    }

    /// What becomes of this operation.
    fn fault(&self, writes: bool) -> Option<Fault> {
        let fault = &mut self.plan.lock().fault;
        let first = fault.filter(|_| writes)?;
        *fault = Some(first.later());
        (first.later() == first).then_some(first)
    }

    async fn pass<R>(
        &self,
        writes: bool,
        work: impl Future<Output = Result<R, StorageError>>,
    ) -> Result<R, StorageError> {
        if !self.hooks || !is_watched() {
            return work.await;
        }
        for action in self.due(Edge::Before) {
            action.await;
        }
        let answer = match self.fault(writes) {
            Some(Fault::Down) => Err(down()),
            Some(Fault::LostAnswer) => work.await.and(Err(down())),
            _ => work.await,
        };
        for action in self.due(Edge::After) {
            action.await;
        }
        self.plan.lock().operations += 1;
        answer
    }
}

fn down() -> StorageError {
    StorageError::Unavailable("on demand".into(), None)
}

#[rocket::async_trait]
impl SessionStorage for Hooked {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create, StorageError> {
        self.plan.lock().created.push(key.clone());
        self.pass(true, self.inner().create(key, record, guard, now)).await
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>, StorageError> {
        self.pass(false, self.inner().read(key, now)).await
    }

    async fn read_fresh(
        &self,
        key: &StorageKey,
        now: Timestamp,
    ) -> Result<Option<Record>, StorageError> {
        self.pass(false, self.inner().read_fresh(key, now)).await
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        self.pass(true, self.inner().update(key, expected, record, now)).await
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError> {
        self.pass(true, self.inner().touch(key, last_seen, expires)).await
    }

    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate, StorageError> {
        let inner = self.inner();
        if !self.plan.lock().created.contains(key) {
            // Of a run before: a session that could not be begun is ended later.
            return inner.invalidate(key, expected, mark).await;
        }
        self.pass(true, inner.invalidate(key, expected, mark)).await
    }

    /// See [`Hooked::purge`].
    async fn purge_expired(&self, _: Timestamp, _: usize) -> Result<usize, StorageError> {
        Ok(0)
    }

    fn owners(&self) -> Option<&dyn OwnerIndex> {
        Some(self)
    }

    fn changes(&self) -> Option<BoxStream<'static, Change>> {
        self.inner().changes()
    }

    fn may_be_behind(&self) -> bool {
        self.inner().may_be_behind()
    }
}

/// What a storage without an index of owners would have to say.
fn no_index() -> StorageError {
    StorageError::Other("no index of owners".into(), None)
}

#[rocket::async_trait]
impl OwnerIndex for Hooked {
    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError> {
        let inner = self.inner();
        inner.owners().ok_or_else(no_index)?.list(owner, after, limit, now).await
    }

    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize, StorageError> {
        let inner = self.inner();
        let owners = inner.owners().ok_or_else(no_index)?;
        self.pass(true, owners.invalidate_owner(owner, except, now)).await
    }

    async fn generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError> {
        let inner = self.inner();
        let owners = inner.owners().ok_or_else(no_index)?;
        self.pass(false, owners.generation(owner)).await
    }
}
