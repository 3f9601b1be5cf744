//! The connection of one operation, and when idle connections are assumed to be dead.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::Database;
use sqlx::pool::PoolConnection;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

/// An engine that has been silent for longer may be unreachable.
pub(super) const SILENCE: Duration = Duration::from_secs(1);

/// The time when a connection last turned out to be dead. Connections that were idle then are
/// probably dead, too. They are closed and not tried one by one.
#[derive(Clone, Default)]
pub(super) struct Suspicion(Arc<Mutex<Option<Instant>>>);

impl Suspicion {
    pub fn raise(&self) {
        *self.0.lock() = Some(Instant::now());
    }

    /// Whether a connection that has been idle for `idle_for` is suspect.
    pub fn falls_on(&self, idle_for: Duration) -> bool {
        self.0.lock().is_some_and(|raised| raised.elapsed() < idle_for)
    }
}

/// A connection of the pool that returns to it only after its work is finished.
///
/// A dropped operation may leave a statement or a transaction open on its connection. Closing the
/// connection undoes it.
pub(super) struct Lease<E: Database> {
    connection: PoolConnection<E>,
    suspicion: Suspicion,
    since: Instant,
    finished: bool,
    /// The turn of the writer, for an engine that allows one writer at a time.
    _turn: Option<OwnedMutexGuard<()>>,
}

impl<E: Database> Lease<E> {
    pub fn new(
        connection: PoolConnection<E>,
        suspicion: Suspicion,
        turn: Option<OwnedMutexGuard<()>>,
    ) -> Self {
        Self { connection, suspicion, since: Instant::now(), finished: false, _turn: turn }
    }

    /// Marks the lease as finished if the engine has answered, even with an error. No transaction
    /// may be open.
    pub fn finish<T>(mut self, answer: sqlx::Result<T>) -> sqlx::Result<T> {
        self.finished = match &answer {
            Ok(_) => true,
            Err(cause) => cause.as_database_error().is_some(),
        };
        if !self.finished {
            self.suspicion.raise();
        }
        answer
    }
}

impl<E: Database> Deref for Lease<E> {
    type Target = E::Connection;

    fn deref(&self) -> &E::Connection {
        &self.connection
    }
}

impl<E: Database> DerefMut for Lease<E> {
    fn deref_mut(&mut self) -> &mut E::Connection {
        &mut self.connection
    }
}

impl<E: Database> Drop for Lease<E> {
    fn drop(&mut self) {
        if !self.finished {
            if self.since.elapsed() >= SILENCE {
                self.suspicion.raise();
            }
            return self.connection.close_on_drop();
        }
        // A dropped connection returns to the pool by itself, but then it would wait forever for
        // an unreachable engine.
        let (returned, suspicion) = (self.connection.return_to_pool(), self.suspicion.clone());
        rocket::tokio::spawn(async move {
            if timeout(SILENCE, returned).await.is_err() {
                suspicion.raise();
            }
        });
    }
}
