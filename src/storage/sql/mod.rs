//! Records in PostgreSQL, MySQL (MariaDB) or SQLite.
//!
//! One table holds the records, another what is known of owners. Whatever makes
//! a record an owner's, or ends all of them, first locks the owner's row, so
//! that limits and revocations hold under concurrency; everything else is one
//! statement. Every value is bound (checklist S38); a table's name is checked
//! to be a plain identifier.
//!
//! A mark of an end takes its record's row: nobody's, without a payload, and with
//! the negative of the time until which it stands for `expires`. So whatever asks
//! for what expires later than now passes it over.

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
