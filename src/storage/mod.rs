//! Storages for sessions on the server: the built-in ones, and the
//! [`SessionStorage`] trait for others.
//!
//! A storage keeps opaque records under opaque keys. It knows nothing of cookies,
//! session types, cryptography or the time. The rest of the crate, called the core
//! here, chooses the keys, the payloads and the expiry times. It passes the current
//! time to every operation that depends on it.
//!
//! Each operation is atomic for all other callers. A record is live until it is
//! ended or its `expires` is reached, whether it has been purged or not.
//!
//! | [`SessionStorage`] | promises |
//! |---|---|
//! | [`create`](SessionStorage::create) | It only inserts. It never overwrites a live record. It replaces an expired record that was not purged. It is refused if the key was ended before it arrives. |
//! | [`read`](SessionStorage::read) | It returns live records only. It creates nothing. |
//! | [`read_many`](SessionStorage::read_many) | It returns for each key, in order, what `read` returns. |
//! | [`update`](SessionStorage::update) | It only replaces a live record of the expected [`Version`]. It never inserts, so no session that ended comes back. |
//! | [`succeed`](SessionStorage::succeed) | It creates one record as `create` does, then replaces another as `update` does. If it created nothing, it replaces nothing. |
//! | [`touch`](SessionStorage::touch) | It changes neither version nor payload. It never shortens the life of a record and never revives one. |
//! | [`invalidate`](SessionStorage::invalidate) | It is idempotent. It prevails over every write that started before it. |
//! | [`purge_expired`](SessionStorage::purge_expired) | It removes expired records only, and at most as many as it is asked for. |
//!
//! A storage may have an index of owners. [`SessionStorage::owners`] returns it.
//!
//! | [`OwnerIndex`] | promises |
//! |---|---|
//! | always | The index changes in the same step as the record. |
//! | [`list`](OwnerIndex::list) | It returns every live record of the owner and no other. |
//! | [`invalidate_owner`](OwnerIndex::invalidate_owner) | It ends every record of the owner except the given ones, and counts those that were live. No guarded write that started before it leaves a live record of the owner. |
//! | [`generation`](OwnerIndex::generation) | An [`OwnerGuard`] with a generation from before an `invalidate_owner` is refused. |
//! | an [`OwnerLimit`] in a guard | The limit holds however many sessions begin at the same time. Expired records do not count, and neither does the record that the guard [replaces](OwnerGuard::replaces). |
//!
//! Absence and conflict are outcomes, not errors. A [`StorageError`] means that the
//! storage could not answer. The conformance kit tests every promise on any
//! storage: see `testing::storage` (feature `testing`).
//!
//! A storage is a cheap handle. The built-in storages are [`Clone`], and a clone is
//! another handle on the same records. `examples/custom_storage.rs` is a complete
//! storage with an index.

pub(crate) mod bytes;
mod cached;
mod change;
mod config;
mod directory;
mod engines;
mod error;
mod key;
mod keyed_lock;
mod marks;
mod memory;
mod outcome;
mod owner;
mod payload;
mod platform;
mod record;
#[cfg(feature = "redis")]
mod redis;
pub(crate) mod schema;
mod session_storage;
mod simple;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
mod sql;
mod succession;
mod table;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "redis", feature = "postgres", feature = "mysql"))]
mod url;
mod versions;

#[cfg(feature = "redis")]
pub use self::redis::Redis;
#[cfg(feature = "mysql")]
pub use self::sql::MySql;
#[cfg(feature = "postgres")]
pub use self::sql::Postgres;
#[cfg(feature = "sqlite")]
pub use self::sql::Sqlite;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
pub use self::sql::{Engine as SqlEngine, Sql};
pub use cached::Cached;
pub use change::Change;
pub(crate) use config::StorageSettings;
pub use directory::Directory;
pub(crate) use directory::KtorDirectory;
pub(crate) use engines::{BuiltIn, ENGINES};
pub use error::StorageError;
pub(crate) use error::no_result;
pub use key::{OwnerKey, StorageKey};
pub(crate) use keyed_lock::{KeyedGuard, KeyedLocks};
pub use memory::Memory;
pub use outcome::{Create, Invalidate, Succeed, Touch, Update};
#[cfg(feature = "redis")]
pub(crate) use owner::in_order;
pub use owner::{
    Generation, OwnerGuard, OwnerIndex, OwnerLimit, OwnerLimitPolicy, OwnerPage, Refused,
};
pub(crate) use owner::{no_index, without_index};
pub use payload::Payload;
pub(crate) use record::random_number;
pub use record::{Record, Version};
pub use session_storage::SessionStorage;
pub use simple::{LastWriteWins, SimpleStorage};
pub use succession::{Predecessor, Successor};
pub(crate) use table::{EngineTable, read_capacity};
#[cfg(feature = "redis")]
pub(crate) use versions::another_owner;

pub use crate::expiry::Timestamp;
