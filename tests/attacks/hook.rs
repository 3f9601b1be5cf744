//! A storage that does something, hangs or fails at a given operation.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rocket::futures::future::BoxFuture;
use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::storage::{
    Create, Generation, Invalidate, Memory, OwnerGuard, OwnerIndex, OwnerKey, OwnerPage, Record,
    SessionStorage, StorageKey, Timestamp, Touch, Update, Version,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    Create,
    Read,
    Update,
    Touch,
    Invalidate,
    Generation,
    InvalidateOwner,
}

pub enum Act {
    Run(Box<dyn FnOnce() + Send>),
    Do(BoxFuture<'static, ()>),
    Hang,
    Fail,
}

#[derive(Clone)]
pub struct Hook(pub Arc<Inner>);
pub struct Inner {
    pub memory: Memory,
    pub before: Mutex<Vec<(Op, Act)>>,
    pub after: Mutex<Vec<(Op, Act)>>,
    pub calls: Mutex<HashMap<Op, usize>>,
    pub keys: Mutex<Vec<StorageKey>>,
}

impl Hook {
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            memory: Memory::new(10_000),
            before: Mutex::default(),
            after: Mutex::default(),
            calls: Mutex::default(),
            keys: Mutex::default(),
        }))
    }
    pub fn before(&self, op: Op, act: Act) {
        self.0.before.lock().push((op, act));
    }
    pub fn after(&self, op: Op, act: Act) {
        self.0.after.lock().push((op, act));
    }
    pub fn calls(&self, op: Op) -> usize {
        self.0.calls.lock().get(&op).copied().unwrap_or(0)
    }
    pub async fn live(&self) -> usize {
        let keys = self.0.keys.lock().clone();
        let mut n = 0;
        for key in keys {
            let now = Timestamp::from(std::time::SystemTime::now());
            n += usize::from(self.0.memory.read(&key, now).await.unwrap().is_some());
        }
        n
    }
    pub fn pop(list: &Mutex<Vec<(Op, Act)>>, op: Op) -> Option<Act> {
        let mut list = list.lock();
        let at = list.iter().position(|(of, _)| *of == op)?;
        Some(list.remove(at).1)
    }
    pub async fn act(act: Option<Act>) -> Result<(), StorageError> {
        match act {
            None => Ok(()),
            Some(Act::Run(run)) => {
                run();
                Ok(())
            }
            Some(Act::Do(run)) => {
                run.await;
                Ok(())
            }
            Some(Act::Hang) => std::future::pending().await,
            Some(Act::Fail) => Err(StorageError::Unavailable("on demand".into(), None)),
        }
    }
    pub async fn pass<R>(
        &self,
        op: Op,
        work: impl Future<Output = Result<R, StorageError>>,
    ) -> Result<R, StorageError> {
        *self.0.calls.lock().entry(op).or_default() += 1;
        Self::act(Self::pop(&self.0.before, op)).await?;
        let result = work.await;
        Self::act(Self::pop(&self.0.after, op)).await?;
        result
    }
}

#[rocket::async_trait]
impl SessionStorage for Hook {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create, StorageError> {
        self.0.keys.lock().push(key.clone());
        self.pass(Op::Create, self.0.memory.create(key, record, guard, now)).await
    }
    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>, StorageError> {
        self.pass(Op::Read, self.0.memory.read(key, now)).await
    }
    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        self.pass(Op::Update, self.0.memory.update(key, expected, record, now)).await
    }
    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError> {
        self.pass(Op::Touch, self.0.memory.touch(key, last_seen, expires)).await
    }
    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate, StorageError> {
        self.pass(Op::Invalidate, self.0.memory.invalidate(key, expected, mark)).await
    }
    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError> {
        self.0.memory.purge_expired(now, limit).await
    }
    fn owners(&self) -> Option<&dyn OwnerIndex> {
        Some(self)
    }
}
#[rocket::async_trait]
impl OwnerIndex for Hook {
    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError> {
        self.0.memory.owners().unwrap().list(owner, after, limit, now).await
    }
    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize, StorageError> {
        self.pass(
            Op::InvalidateOwner,
            self.0.memory.owners().unwrap().invalidate_owner(owner, except, now),
        )
        .await
    }
    async fn generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError> {
        self.pass(Op::Generation, self.0.memory.owners().unwrap().generation(owner)).await
    }
}
