//! A storage that does something, hangs or fails at a given operation.

use std::sync::Arc;

use parking_lot::Mutex;
use rocket::futures::future::BoxFuture;
use rocket_typed_sessions::storage::{Memory, SessionStorage, StorageError, StorageKey, Timestamp};
use rocket_typed_sessions::testing::storage::Intercept;
pub use rocket_typed_sessions::testing::storage::{Intercepted, Operation};

pub enum Act {
    Run(Box<dyn FnOnce() + Send>),
    Do(BoxFuture<'static, ()>),
    Hang,
    Fail,
}

impl Act {
    async fn perform(self) -> Result<(), StorageError> {
        match self {
            Self::Run(run) => run(),
            Self::Do(run) => run.await,
            Self::Hang => std::future::pending().await,
            Self::Fail => return Err(StorageError::Unavailable("on demand".into(), None)),
        }
        Ok(())
    }
}

/// Acts that are to happen once, each at the next such operation.
type Acts = Arc<Mutex<Vec<(Operation, Act)>>>;

#[derive(Clone)]
pub struct Hook {
    pub memory: Memory,
    before: Acts,
    after: Acts,
    calls: Arc<Mutex<Vec<Operation>>>,
    created: Arc<Mutex<Vec<StorageKey>>>,
}

impl Hook {
    pub fn new() -> Self {
        Self {
            memory: Memory::new(10_000),
            before: Acts::default(),
            after: Acts::default(),
            calls: Arc::default(),
            created: Arc::default(),
        }
    }

    pub fn before(&self, operation: Operation, act: Act) {
        self.before.lock().push((operation, act));
    }

    pub fn after(&self, operation: Operation, act: Act) {
        self.after.lock().push((operation, act));
    }

    pub fn calls(&self, operation: Operation) -> usize {
        self.calls.lock().iter().filter(|call| **call == operation).count()
    }

    /// The keys of all records that were to be created.
    pub fn created(&self) -> Vec<StorageKey> {
        self.created.lock().clone()
    }

    /// Its user logs out in another tab: the first record ends.
    pub async fn end_first(&self) {
        let first = &self.created()[0];
        self.memory.invalidate(first, None, None).await.unwrap();
    }

    /// How many of them live.
    pub async fn live(&self) -> usize {
        let now = Timestamp::from(std::time::SystemTime::now());
        let mut live = 0;
        for key in self.created() {
            live += usize::from(self.memory.read(&key, now).await.unwrap().is_some());
        }
        live
    }

    /// Nothing happens any more. Returns how many acts were left.
    pub fn disarm(&self) -> usize {
        let (before, after) =
            (std::mem::take(&mut *self.before.lock()), std::mem::take(&mut *self.after.lock()));
        before.len() + after.len()
    }

    /// The operations that the test waited for, and that never came.
    pub fn missed(&self) -> Vec<Operation> {
        let (before, after) = (self.before.lock(), self.after.lock());
        before.iter().chain(&*after).map(|(operation, _)| *operation).collect()
    }

    async fn act(acts: &Acts, operation: Operation) -> Result<(), StorageError> {
        let act = {
            let mut acts = acts.lock();
            let at = acts.iter().position(|(of, _)| *of == operation);
            at.map(|at| acts.remove(at).1)
        };
        match act {
            Some(act) => act.perform().await,
            None => Ok(()),
        }
    }
}

impl Intercept for Hook {
    fn storage(&self) -> Arc<dyn SessionStorage> {
        Arc::new(self.memory.clone())
    }

    async fn intercept<R: Send>(
        &self,
        operation: Operation,
        key: Option<&StorageKey>,
        work: impl Future<Output = Result<R, StorageError>> + Send,
    ) -> Result<R, StorageError> {
        self.calls.lock().push(operation);
        if operation == Operation::Create {
            self.created.lock().extend(key.cloned());
        }
        Self::act(&self.before, operation).await?;
        let answer = work.await;
        Self::act(&self.after, operation).await?;
        answer
    }
}
