//! MySQL and MariaDB.

use std::sync::Arc;

use sqlx::error::DatabaseError;

use super::engine::{Delete, Dialect, engine};
use super::handle::{Result, Sql};
use super::server::{Server, connect};
use super::tables::Tables;
use crate::storage::EngineTable;
use crate::storage::config::EngineConfig;

/// A storage in MySQL 8 or MariaDB. Feature `mysql`.
pub type MySql = Sql<sqlx::MySql>;

engine!(
    sqlx::MySql,
    Dialect {
        name: "MySQL",
        schema: include_str!("mysql.sql"),
        begin: "START TRANSACTION",
        session: Some(
            "SET SESSION autocommit = 1, innodb_lock_wait_timeout = 2, lock_wait_timeout = 2"
        ),
        one_writer: false,
        numbered: false,
        same: "<=>",
        larger: "GREATEST",
        smaller: "LEAST",
        or_update: "ON DUPLICATE KEY UPDATE",
        delete: Delete::Ordered,
    },
    fn begins_again(cause: &dyn DatabaseError) -> bool {
        // MariaDB's snapshot isolation reports "Record has changed since last read" as error
        // 1020.
        let number = cause.try_downcast_ref().map(sqlx::mysql::MySqlDatabaseError::number);
        cause.code().as_deref() == Some("40001") || number == Some(1020)
    }
);

impl Sql<sqlx::MySql> {
    /// Connects to `mysql://user:password@host/database`. It creates the tables
    /// `table` and `<table>_owners` if they do not exist.
    ///
    /// ```no_run
    /// use rocket_typed_sessions::{Sessions, storage::MySql};
    ///
    /// # async fn open() -> Result<(), rocket_typed_sessions::storage::StorageError> {
    /// // In Rocket.toml: storage = "shop"
    /// let url = "mysql://user:password@localhost/shop";
    /// let sessions = Sessions::fairing().storage("shop", MySql::open(url, "sessions").await?);
    /// # drop(sessions);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open(url: &str, table: &str) -> Result<Self> {
        connect(url, &Tables::new(table)).await
    }
}

/// Reads `{ type = "mysql", … }`.
pub(crate) fn read_config(table: &mut EngineTable<'_, '_, '_>) -> Option<Arc<dyn EngineConfig>> {
    let schemes = ["mysql://", "mariadb://"];
    Server::<sqlx::MySql>::read(table, "mysql", schemes, "mysql://user@localhost/database")
}
