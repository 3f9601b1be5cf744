//! The handle on the storage, and the names of its keys.

use std::fmt;
use std::sync::Arc;

use super::connection::Connection;
use super::script::Scripts;
use crate::storage::{OwnerKey, StorageError, StorageKey};

pub(super) type Result<T> = std::result::Result<T, StorageError>;

/// A storage in Redis 7 or later, or in Valkey, for several machines.
///
/// A read takes one round trip; an update takes two, including the read before it.
/// The connection is multiplexed and reconnects by itself. An acknowledged write is
/// as durable as the server's configuration makes it: see
/// [operations](crate::guide::operations).
///
/// A clone is another handle on the same connection.
#[derive(Clone)]
pub struct Redis {
    pub(super) connection: Connection,
    pub(super) prefix: Arc<str>,
    pub(super) scripts: Arc<Scripts>,
    /// The storage is one server that has all slots, and the server has confirmed this.
    pub(super) one_server: bool,
    pub(super) warning: Option<String>,
}

impl Redis {
    pub(super) fn record_key(&self, key: &StorageKey) -> String {
        format!("{}:{{{key}}}:r", self.prefix)
    }

    pub(super) fn marks_key(&self, key: &StorageKey) -> String {
        format!("{}:{{{key}}}:m", self.prefix)
    }

    pub(super) fn owner_key(&self, owner: &OwnerKey, what: char) -> String {
        format!("{}:{{{owner}}}:{what}", self.prefix)
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
