//! PostgreSQL.

use std::sync::Arc;

use super::engine::{Delete, Dialect, engine};
use super::handle::{Result, Sql};
use super::server::{Server, connect};
use super::tables::Tables;
use crate::storage::EngineTable;
use crate::storage::config::EngineConfig;

/// A storage in PostgreSQL. Feature `postgres`.
pub type Postgres = Sql<sqlx::Postgres>;

engine!(
    sqlx::Postgres,
    Dialect {
        name: "PostgreSQL",
        schema: include_str!("postgres.sql"),
        // The lock of an owner's row needs this isolation level, whatever the server's default
        // is.
        begin: "BEGIN ISOLATION LEVEL READ COMMITTED",
        session: Some(
            "SELECT set_config('lock_timeout', '2s', false), set_config('statement_timeout', '30s', false)"
        ),
        one_writer: false,
        numbered: true,
        same: "IS NOT DISTINCT FROM",
        larger: "GREATEST",
        smaller: "LEAST",
        or_update: "ON CONFLICT ({key}) DO UPDATE SET",
        delete: Delete::ByLockedKeys,
    }
);

impl Sql<sqlx::Postgres> {
    /// Connects to `postgres://user:password@host/database`. It creates the tables
    /// `table` and `<table>_owners` if they do not exist.
    ///
    /// ```no_run
    /// use rocket_typed_sessions::{Sessions, storage::Postgres};
    ///
    /// # async fn open() -> Result<(), rocket_typed_sessions::storage::StorageError> {
    /// // In Rocket.toml: storage = "shop"
    /// let url = "postgres://user:password@localhost/shop";
    /// let sessions = Sessions::fairing().storage("shop", Postgres::open(url, "sessions").await?);
    /// # drop(sessions);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open(url: &str, table: &str) -> Result<Self> {
        connect(url, &Tables::new(table)).await
    }
}

/// Reads `{ type = "postgres", … }`.
pub(crate) fn read_config(table: &mut EngineTable<'_, '_, '_>) -> Option<Arc<dyn EngineConfig>> {
    let schemes = ["postgres://", "postgresql://"];
    Server::<sqlx::Postgres>::read(table, "postgres", schemes, "postgres://user@localhost/database")
}
