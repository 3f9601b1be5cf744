//! A connection for one operation.

use std::ops::{Deref, DerefMut};

use sqlx::Database;
use sqlx::pool::PoolConnection;

/// A connection of the pool that goes back to it only once its work is settled.
///
/// An operation that nobody waits for any more may leave a statement or a
/// transaction behind on its connection; closing that is what undoes it.
pub(super) struct Lease<E: Database> {
    connection: PoolConnection<E>,
    settled: bool,
}

impl<E: Database> Lease<E> {
    pub fn new(connection: PoolConnection<E>) -> Self {
        Self { connection, settled: false }
    }

    /// The engine has answered, if only with an error, and no transaction is open.
    pub fn settle<T>(mut self, answer: sqlx::Result<T>) -> sqlx::Result<T> {
        self.settled = match &answer {
            Ok(_) => true,
            Err(cause) => cause.as_database_error().is_some(),
        };
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
        if !self.settled {
            self.connection.close_on_drop();
        }
    }
}
