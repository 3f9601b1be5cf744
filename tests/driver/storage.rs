//! A storage on which something happens at a chosen operation.

use std::sync::Arc;

use parking_lot::Mutex;

use rocket::futures::future::BoxFuture;
use rocket_typed_sessions::storage::{SessionStorage, StorageError, StorageKey, Timestamp};
pub use rocket_typed_sessions::testing::storage::Intercepted;
use rocket_typed_sessions::testing::storage::{Intercept, Operation};

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

    fn has_created(&self, key: Option<&StorageKey>) -> bool {
        key.is_some_and(|key| self.plan.lock().created.contains(key))
    }
}

fn down() -> StorageError {
    StorageError::Unavailable("on demand".into(), None)
}

impl Intercept for Hooked {
    fn storage(&self) -> Arc<dyn SessionStorage> {
        self.inner()
    }

    async fn intercept<R: Send>(
        &self,
        operation: Operation,
        key: Option<&StorageKey>,
        work: impl Future<Output = Result<R, StorageError>> + Send,
    ) -> Result<R, StorageError> {
        match operation {
            Operation::Create => self.plan.lock().created.extend(key.cloned()),
            // See `Hooked::purge`.
            Operation::PurgeExpired => return Err(down()),
            Operation::List => return work.await,
            // Of a run before: a session that could not be begun is ended later.
            Operation::Invalidate if !self.has_created(key) => return work.await,
            _ => {}
        }
        if !self.hooks || !is_watched() {
            return work.await;
        }
        for action in self.due(Edge::Before) {
            action.await;
        }
        let writes = !matches!(operation, Operation::Read | Operation::OwnerGeneration);
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
