//! The differences between the engines.

use std::sync::Arc;

use sqlx::error::{BoxDynError, DatabaseError};

use super::value::Value;

/// The parts of SQL that differ between the engines.
pub struct Dialect {
    pub name: &'static str,
    /// The statements that create the tables. Operators who create them by hand use the same
    /// file.
    pub schema: &'static str,
    pub begin: &'static str,
    /// The first statement on each connection that the storage opens. It limits waits for locks,
    /// so that no server waits longer than the request does.
    pub session: Option<&'static str>,
    /// The engine allows one writer at a time. Writers wait less if they queue up in this
    /// process.
    pub one_writer: bool,
    /// Parameters are written `$1`, `$2` … and not `?`.
    pub numbered: bool,
    /// The operator for "equal, or both `NULL`".
    pub same: &'static str,
    /// The function that returns the larger of two numbers.
    pub larger: &'static str,
    /// The function that returns the smaller of two numbers.
    pub smaller: &'static str,
    /// The clause that begins the update of the existing row if an insert finds one. `{key}` is
    /// the column of the row's key.
    pub or_update: &'static str,
    pub delete: Delete,
}

/// How an engine deletes the first few rows in an order.
#[derive(Clone, Copy)]
pub enum Delete {
    /// With `DELETE … ORDER BY … LIMIT …`.
    Ordered,
    /// By the keys that a subquery finds.
    ByKeys,
    /// By the keys that a subquery finds and locks in order.
    ByLockedKeys,
}

/// A database that can keep sessions: PostgreSQL, MySQL or SQLite. The trait is sealed.
#[rocket::async_trait]
pub trait Engine: sqlx::Database {
    #[doc(hidden)]
    const DIALECT: Dialect;

    /// Whether the engine has rolled a transaction back because it conflicted with another one.
    /// The transaction can be tried again.
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

/// Implements [`Engine`] for a database. The implementations differ only in their types.
macro_rules! engine {
    ($database:ty, $dialect:expr $(, $begins_again:item)?) => {
        #[rocket::async_trait]
        impl $crate::storage::sql::engine::Engine for $database {
            const DIALECT: $crate::storage::sql::engine::Dialect = $dialect;

            $($begins_again)?

            fn bind(
                arguments: &mut Self::Arguments,
                value: $crate::storage::sql::value::Value<'_>,
            ) -> std::result::Result<(), sqlx::error::BoxDynError> {
                use $crate::storage::sql::value::Value;
                use sqlx::Arguments as _;

                match value {
                    Value::Number(number) => arguments.add(number),
                    Value::Bytes(bytes) => arguments.add(bytes),
                    Value::Nothing => arguments.add(None::<&[u8]>),
                }
            }

            async fn execute(
                connection: &mut Self::Connection,
                sql: std::sync::Arc<str>,
                arguments: Self::Arguments,
            ) -> sqlx::Result<u64> {
                let query = sqlx::query_with(sqlx::AssertSqlSafe(sql), arguments);
                Ok(query.execute(connection).await?.rows_affected())
            }

            async fn fetch(
                connection: &mut Self::Connection,
                sql: std::sync::Arc<str>,
                arguments: Self::Arguments,
            ) -> sqlx::Result<Vec<Self::Row>> {
                sqlx::query_with(sqlx::AssertSqlSafe(sql), arguments).fetch_all(connection).await
            }

            fn number(row: &Self::Row, column: usize) -> sqlx::Result<i64> {
                sqlx::Row::try_get(row, column)
            }

            fn bytes(row: &Self::Row, column: usize) -> sqlx::Result<Option<Vec<u8>>> {
                sqlx::Row::try_get(row, column)
            }
        }
    };
}

pub(super) use engine;
