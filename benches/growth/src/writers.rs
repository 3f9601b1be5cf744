//! Concurrent writers on one session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use overhead::scene::Scene;
use rocket::futures::future::join_all;
use rocket::tokio::sync::Barrier;
use rocket::tokio::task::yield_now;
use rocket_typed_sessions::storage::{
    Memory, Postgres, Redis, SessionStorage, StorageError, StorageKey,
};
use rocket_typed_sessions::testing::storage::{Intercept, Intercepted, Operation};
use sqlx::postgres::PgPoolOptions;

use crate::app;
use crate::servers::Servers;

/// Where the writers' requests are handled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Nodes {
    /// All by one node. The records are in memory.
    One,
    /// Each by a node of its own. The records are in memory, and the nodes take turns, one
    /// operation each, as with a storage that is equally far from all.
    Each,
    /// Each by a node of its own, with its own connection to Redis.
    Redis,
    /// The same with PostgreSQL. There are more connections than writers.
    Postgres,
}

/// Counts the updates of a storage. Other tasks run before each operation.
struct Counting {
    storage: Arc<dyn SessionStorage>,
    updates: Arc<AtomicU64>,
}

impl Intercept for Counting {
    fn storage(&self) -> Arc<dyn SessionStorage> {
        Arc::clone(&self.storage)
    }

    async fn intercept<R: Send>(
        &self,
        operation: Operation,
        _: Option<&StorageKey>,
        work: impl Future<Output = Result<R, StorageError>> + Send,
    ) -> Result<R, StorageError> {
        if operation == Operation::Update {
            self.updates.fetch_add(1, Ordering::Relaxed);
        }
        yield_now().await;
        work.await
    }
}

/// Writers that have one session.
pub struct Writers {
    /// The node of each writer.
    nodes: Vec<Arc<Scene>>,
    updates: Arc<AtomicU64>,
}

impl Writers {
    pub async fn new(nodes: Nodes, writers: u64, servers: &Servers) -> Self {
        let count = usize::try_from(writers).expect("small");
        let (updates, barrier) = (Arc::default(), Arc::new(Barrier::new(count)));
        let memory: Arc<dyn SessionStorage> = Arc::new(Memory::new(1_000));
        let postgres = PgPoolOptions::new().max_connections(200).connect_lazy(&servers.postgres);
        let mut scenes = Vec::new();
        for _ in 0..if nodes == Nodes::One { 1 } else { count } {
            let storage: Arc<dyn SessionStorage> = match nodes {
                Nodes::One | Nodes::Each => Arc::clone(&memory),
                Nodes::Redis => {
                    let opened = Redis::open([servers.redis.clone()], "writers").await;
                    Arc::new(opened.expect("a server"))
                }
                Nodes::Postgres => {
                    let pool = postgres.as_ref().expect("a URL").clone();
                    Arc::new(Postgres::with_pool(pool, "writers").await.expect("a server"))
                }
            };
            let counting = Counting { storage, updates: Arc::clone(&updates) };
            let app = app::together(Intercepted(counting), Arc::clone(&barrier));
            scenes.push(Scene::new(app, "/write/together").await);
        }
        let mut writers = Self { nodes: Vec::new(), updates };
        writers.begin(scenes, count).await;
        writers
    }

    /// The first node begins the session, and all have its cookie.
    async fn begin(&mut self, mut scenes: Vec<Scene>, writers: usize) {
        scenes[0].add_browser(0);
        scenes[0].visit("/start/types/1").await;
        let (first, others) = scenes.split_first_mut().expect("a node");
        for other in others {
            other.add_browser_of(first);
        }
        let scenes: Vec<_> = scenes.into_iter().map(Arc::new).collect();
        self.nodes = scenes.iter().cycle().take(writers).cloned().collect();
    }

    /// All writers write at the same moment, so many times.
    pub async fn write(&self, rounds: u64) {
        for _ in 0..rounds {
            join_all(self.nodes.iter().map(|node| node.send(1))).await;
        }
    }

    /// As many requests to the bare route.
    pub async fn bare(&self, rounds: u64) {
        for _ in 0..rounds {
            for node in &self.nodes {
                node.send_bare(1).await;
            }
        }
    }

    /// The attempts of a write.
    async fn attempts(&self) -> f64 {
        const ROUNDS: u64 = 20;
        self.write(1).await;
        self.updates.store(0, Ordering::Relaxed);
        self.write(ROUNDS).await;
        let updates = self.updates.load(Ordering::Relaxed);
        updates as f64 / (ROUNDS * self.nodes.len() as u64) as f64
    }
}

/// The attempts of a write with so many writers each.
pub async fn attempts(nodes: Nodes, writers: &[u64], servers: &Servers) -> Vec<(u64, f64)> {
    let mut points = Vec::new();
    for count in writers {
        let attempts = Writers::new(nodes, *count, servers).await.attempts().await;
        points.push((*count, attempts));
    }
    points
}
