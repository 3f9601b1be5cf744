//! Records in PostgreSQL, MySQL (MariaDB) or SQLite.
//!
//! One table holds the records. Another one holds what is known of owners. Every operation that
//! adds a record to an owner, or ends all records of an owner, first locks the owner's row, so
//! that limits and revocations hold under concurrency. Every other write is one statement.
//! Every value is bound (docs/security.md, S38). The name of a table must be a plain identifier.
//!
//! The mark of an end takes the row of its record. It has no owner and no payload, and its
//! `expires` is the negative of the time until which the mark is valid. So a query for records
//! that expire after `now` does not find marks.

mod ends;
mod engine;
mod handle;
mod lease;
#[cfg(feature = "mysql")]
pub(crate) mod mysql;
mod open;
mod owners;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
mod run;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod server;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
mod statements;
mod storage;
mod tables;
mod value;
mod writes;

pub use engine::Engine;
pub use handle::Sql;
#[cfg(feature = "mysql")]
pub use mysql::MySql;
#[cfg(feature = "postgres")]
pub use postgres::Postgres;
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;
