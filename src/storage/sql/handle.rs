//! The handle on a storage in a database.

use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;

use sqlx::Pool;
use tokio::sync::Mutex;

use super::engine::Engine;
use super::lease::Suspicion;
use super::statements::Statements;
use crate::guide::page;
use crate::storage::StorageError;

pub(super) type Result<T> = std::result::Result<T, StorageError>;

/// A storage in a database: [`Postgres`](crate::storage::Postgres),
/// [`MySql`](crate::storage::MySql) or [`Sqlite`](crate::storage::Sqlite). A clone
/// is another handle on the same connections.
pub struct Sql<E: Engine> {
    pub(super) pool: Pool<E>,
    pub(super) suspicion: Suspicion,
    pub(super) turns: Arc<Mutex<()>>,
    pub(super) statements: Arc<Statements>,
}

impl<E: Engine> Clone for Sql<E> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            suspicion: self.suspicion.clone(),
            turns: Arc::clone(&self.turns),
            statements: Arc::clone(&self.statements),
        }
    }
}

impl<E: Engine> fmt::Debug for Sql<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(E::DIALECT.name).finish_non_exhaustive()
    }
}

/// The error that the operator sees. It quotes the engine's message, which contains no payload
/// and no password.
pub(super) fn to_storage_error<E: Engine>(cause: sqlx::Error) -> StorageError {
    let name = E::DIALECT.name;
    match &cause {
        sqlx::Error::Database(database) => {
            let (code, message) = (database.code().unwrap_or_default(), database.message());
            let advice = advice(&code, message);
            StorageError::Unavailable(format!("{name}: {message} ({code}){advice}"), None)
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            StorageError::Corrupt("a column has an unexpected type")
        }
        sqlx::Error::Configuration(_) => {
            let advice = "in a password, `@`, `/`, `:`, `#` and `%` are written as %40, %2F, %3A, %23 and %25";
            StorageError::Other(format!("{name}: the URL is wrong: {cause}; {advice}"), None)
        }
        sqlx::Error::Io(io) => {
            let advice = if io.kind() == ErrorKind::ConnectionRefused {
                "is it running there? Check the host and the port in `url`"
            } else {
                "check the host and the port in `url`"
            };
            StorageError::Unavailable(format!("{name}: {cause}; {advice}"), None)
        }
        sqlx::Error::Tls(_) => {
            let advice = "check `sslmode` (PostgreSQL) or `ssl-mode` (MySQL) in `url`";
            StorageError::Unavailable(format!("{name}: {cause}; {advice}"), None)
        }
        _ => StorageError::Unavailable(format!("{name}: {cause}"), None),
    }
}

/// What to look at after a refused connection, by the SQLSTATE. MySQL has none of its own for an
/// unknown database.
fn advice(code: &str, message: &str) -> &'static str {
    match code {
        "28P01" | "28000" => "; check the user and the password in `url`",
        "42501" => {
            concat!("; run the SQL file as a user who may create tables: ", page!("operations"))
        }
        "42703" | "42S22" => "; the table is another application's: write another `table`",
        "3D000" => "; create this database, or correct its name in `url`",
        _ if message.starts_with("Unknown database") => {
            "; create this database, or correct its name in `url`"
        }
        _ => "",
    }
}
