//! Where server sessions live: the [`SessionStorage`] trait and the built-in storages.
//!
//! A storage keeps opaque records under opaque keys. It knows no cookie, no
//! session type, no cryptography and no clock. Ids, envelopes and expiry times
//! come from the core. Every operation that judges whether a record still lives
//! is told the time.
//!
//! Each operation is one step for everybody else. A record lives until it is
//! ended or its `expires` has come; nobody needs to purge it for that.
//!
//! | [`SessionStorage`] | promises |
//! |---|---|
//! | [`create`](SessionStorage::create) | It inserts only. It never overwrites a live record. It succeeds over an expired record that nobody purged. One that arrives after the end of what it creates is refused. |
//! | [`read`](SessionStorage::read) | It finds live records only. It creates nothing. |
//! | [`update`](SessionStorage::update) | It replaces a live record of the expected [`Version`] only. It never inserts, so nothing that ended comes back. |
//! | [`succeed`](SessionStorage::succeed) | It creates one record as `create` does, then replaces another as `update` does. If nothing was created, it replaces nothing. |
//! | [`touch`](SessionStorage::touch) | It changes neither version nor payload. It never shortens a life and never revives a record. |
//! | [`invalidate`](SessionStorage::invalidate) | It is idempotent. It beats every write that started before it. |
//! | [`purge_expired`](SessionStorage::purge_expired) | It removes expired records only, and no more than it is asked for. |
//!
//! A storage may have an index of owners. [`SessionStorage::owners`] returns it.
//!
//! | [`OwnerIndex`] | promises |
//! |---|---|
//! | always | The index changes in the same step as the record. |
//! | [`list`](OwnerIndex::list) | It gives every live record of the owner and no other. |
//! | [`invalidate_owner`](OwnerIndex::invalidate_owner) | It ends every record of the owner but the excepted ones, and counts those that lived. No guarded write that started before it leaves a live record of the owner. |
//! | [`generation`](OwnerIndex::generation) | An [`OwnerGuard`] with a generation from before an `invalidate_owner` is refused. |
//! | an [`OwnerLimit`] in a guard | The limit holds however many sessions begin at once. Expired records do not count, nor does the one that the guard says is [replaced](OwnerGuard::replaces). |
//!
//! Absence and conflict are outcomes. A [`StorageError`] means that the storage
//! could not answer. The conformance kit tries every promise on any storage: see
//! `testing::storage` (feature `testing`).
//!
//! A storage is a cheap handle: the built-in ones are [`Clone`], and clones are
//! handles on the same records. `examples/custom_storage.rs` is a complete storage
//! with an index.

pub(crate) mod bytes;
mod cached;
mod config;
mod directory;
mod engines;
mod error;
mod key;
mod keyed_lock;
mod login;
mod marks;
mod memory;
mod outcome;
mod owner;
mod record;
#[cfg(feature = "redis")]
mod redis;
mod session_storage;
mod simple;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
mod sql;
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
pub(crate) use config::StorageConfig;
pub use directory::Directory;
pub(crate) use directory::KtorDirectory;
pub(crate) use engines::{ENGINES, Engine};
pub use error::StorageError;
pub use key::{OwnerKey, StorageKey};
pub(crate) use keyed_lock::{KeyedGuard, KeyedLocks};
pub use login::{Predecessor, Successor};
pub use memory::Memory;
pub use outcome::{Create, Invalidate, Succeed, Touch, Update};
#[cfg(feature = "redis")]
pub(crate) use owner::in_order;
pub use owner::{
    Generation, OwnerGuard, OwnerIndex, OwnerLimit, OwnerLimitPolicy, OwnerPage, Refused,
};
pub(crate) use owner::{no_index, without_index};
pub(crate) use record::random_number;
pub use record::{Record, Version};
pub use session_storage::{Change, SessionStorage};
pub use simple::{LastWriteWins, SimpleStorage};
#[cfg(feature = "redis")]
pub(crate) use versions::another_owner;

pub use crate::expiry::Timestamp;
