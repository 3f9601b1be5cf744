//! What differs between the engines.

use std::sync::Arc;

use sqlx::error::{BoxDynError, DatabaseError};

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

/// A database that can hold sessions. The trait is sealed.
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

/// What is written alike for each engine, but for its types.
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
