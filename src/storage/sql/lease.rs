//! A connection for one operation, and whether idle connections are likely dead.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::Database;
use sqlx::pool::PoolConnection;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

/// An engine that has not answered for so long may have vanished.
pub(super) const SILENCE: Duration = Duration::from_secs(1);

/// When a connection last turned out to lead nowhere: those that lay idle then
/// likely do so, too, and are closed rather than tried one by one.
#[derive(Clone, Default)]
pub(super) struct Suspicion(Arc<Mutex<Option<Instant>>>);

impl Suspicion {
    pub fn raise(&self) {
        *self.0.lock() = Some(Instant::now());
    }

    /// Whether it falls on a connection that has been idle for so long.
    pub fn falls_on(&self, idle_for: Duration) -> bool {
        self.0.lock().is_some_and(|raised| raised.elapsed() < idle_for)
    }
}

/// A connection of the pool that goes back to it only once its work is finished.
///
/// An operation that nobody waits for any more may leave a statement or a
/// transaction behind on its connection; closing that is what undoes it.
pub(super) struct Lease<E: Database> {
    connection: PoolConnection<E>,
    suspicion: Suspicion,
    since: Instant,
    finished: bool,
    /// Where one writes at a time.
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

    /// The engine has answered, if only with an error, and no transaction is open.
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
        // What the connection does by itself when it is dropped, but for that it would
        // wait without end for an engine that has vanished.
        let (returned, suspicion) = (self.connection.return_to_pool(), self.suspicion.clone());
        rocket::tokio::spawn(async move {
            if timeout(SILENCE, returned).await.is_err() {
                suspicion.raise();
            }
        });
    }
}
