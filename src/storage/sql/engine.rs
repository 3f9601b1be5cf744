//! What differs between the engines.

use std::sync::Arc;

use sqlx::Row;
use sqlx::error::{BoxDynError, DatabaseError};
use sqlx::{Arguments, AssertSqlSafe};

use super::value::Value;

/// How an engine says what is not the same everywhere.
pub struct Dialect {
    pub name: &'static str,
    /// The tables, as they are shipped for those who create them by hand.
    pub schema: &'static str,
    pub begin: &'static str,
    /// Each connection of the storage's own begins with it: no server keeps waiting
    /// for a lock when the request that wanted it has long been answered.
    pub session: Option<&'static str>,
    /// Writers wait for each other anyway, and less long if they queue up here.
    pub one_writer: bool,
    /// Parameters are `$1`, `$2` … rather than `?`.
    pub numbered: bool,
    /// Equal, or both `NULL`.
    pub same: &'static str,
    /// The larger of two numbers.
    pub larger: &'static str,
    /// The smaller of two numbers.
    pub smaller: &'static str,
    /// Begins what is done instead of inserting a row whose key, `{key}`, is there.
    pub or_update: &'static str,
    pub delete: Delete,
}

/// How an engine deletes the first few rows in an order.
#[derive(Clone, Copy)]
pub enum Delete {
    /// `DELETE … ORDER BY … LIMIT …`
    Ordered,
    /// By the keys that a subquery finds.
    ByKeys,
    /// That, with the rows locked in their order.
    ByLockedKeys,
}

/// A database that sessions can be kept in; sealed.
#[rocket::async_trait]
pub trait Engine: sqlx::Database {
    #[doc(hidden)]
    const DIALECT: Dialect;

    /// Whether the engine gave up one of several transactions that stood in each
    /// other's way, and did nothing of it.
    #[doc(hidden)]
    fn begins_again(cause: &dyn DatabaseError) -> bool {
        cause.code().is_some_and(|code| ["40001", "40P01"].contains(&&*code))
    }

    #[doc(hidden)]
    fn bind(arguments: &mut Self::Arguments, value: Value<'_>) -> Result<(), BoxDynError>;

    #[doc(hidden)]
    async fn execute(
        connection: &mut Self::Connection,
        sql: Arc<str>,
        arguments: Self::Arguments,
    ) -> sqlx::Result<u64>;

    #[doc(hidden)]
    async fn fetch(
        connection: &mut Self::Connection,
        sql: Arc<str>,
        arguments: Self::Arguments,
    ) -> sqlx::Result<Vec<Self::Row>>;

    #[doc(hidden)]
    fn number(row: &Self::Row, column: usize) -> sqlx::Result<i64>;

    #[doc(hidden)]
    fn bytes(row: &Self::Row, column: usize) -> sqlx::Result<Option<Vec<u8>>>;
}

macro_rules! engine {
    ($database:ty, $dialect:expr $(, $begins_again:item)?) => {
        #[rocket::async_trait]
        impl Engine for $database {
            const DIALECT: Dialect = $dialect;

            $($begins_again)?

            fn bind(arguments: &mut Self::Arguments, value: Value<'_>) -> Result<(), BoxDynError> {
                match value {
                    Value::Number(number) => arguments.add(number),
                    Value::Bytes(bytes) => arguments.add(bytes),
                    Value::Nothing => arguments.add(None::<&[u8]>),
                }
            }

            async fn execute(
                connection: &mut Self::Connection,
                sql: Arc<str>,
                arguments: Self::Arguments,
            ) -> sqlx::Result<u64> {
                let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
                Ok(query.execute(connection).await?.rows_affected())
            }

            async fn fetch(
                connection: &mut Self::Connection,
                sql: Arc<str>,
                arguments: Self::Arguments,
            ) -> sqlx::Result<Vec<Self::Row>> {
                sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(connection).await
            }

            fn number(row: &Self::Row, column: usize) -> sqlx::Result<i64> {
                row.try_get(column)
            }

            fn bytes(row: &Self::Row, column: usize) -> sqlx::Result<Option<Vec<u8>>> {
                row.try_get(column)
            }
        }
    };
}

#[cfg(feature = "postgres")]
engine!(
    sqlx::Postgres,
    Dialect {
        name: "PostgreSQL",
        schema: include_str!("postgres.sql"),
        // The lock of an owner's row is all that it takes, whatever the server's default is.
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

#[cfg(feature = "mysql")]
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
        // "Record has changed since last read", of MariaDB's snapshot isolation.
        let number = cause.try_downcast_ref().map(sqlx::mysql::MySqlDatabaseError::number);
        cause.code().as_deref() == Some("40001") || number == Some(1020)
    }
);

#[cfg(feature = "sqlite")]
engine!(
    sqlx::Sqlite,
    Dialect {
        name: "SQLite",
        schema: include_str!("sqlite.sql"),
        // Takes the lock that a write needs before anything is read.
        begin: "BEGIN IMMEDIATE",
        session: None,
        one_writer: true,
        numbered: false,
        same: "IS",
        larger: "MAX",
        smaller: "MIN",
        or_update: "ON CONFLICT ({key}) DO UPDATE SET",
        delete: Delete::ByKeys,
    }
);
