//! A storage as the configuration describes it.

use std::any::Any;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::error::StorageError;
use super::session_storage::SessionStorage;

/// What the table of one engine says. Its `Display` tells operators about it, without any
/// password.
#[rocket::async_trait]
pub(crate) trait EngineConfig: Same + fmt::Debug + fmt::Display + Send + Sync {
    /// Whether other applications may use the server as well.
    fn is_shared(&self) -> bool {
        false
    }

    /// Whether a cache in this process saves a way.
    fn is_remote(&self) -> bool {
        false
    }

    /// The folder in which a Ktor server can keep its files.
    fn folder(&self) -> Option<&Path> {
        None
    }

    /// Opens the storage. What operators should know of it is added to `warnings`.
    async fn open(
        &self,
        warnings: &mut Vec<String>,
    ) -> Result<Arc<dyn SessionStorage>, StorageError>;
}

/// Whether two tables say the same, whatever their engines are.
pub(crate) trait Same: Any {
    fn is_same(&self, other: &dyn Any) -> bool;
}

impl<C: PartialEq + 'static> Same for C {
    fn is_same(&self, other: &dyn Any) -> bool {
        other.downcast_ref() == Some(self)
    }
}

/// Where sessions are kept. Equal ones share one storage.
#[derive(Clone, Debug)]
pub(crate) enum StorageConfig {
    /// A built-in storage.
    Engine(Arc<dyn EngineConfig>),
    /// The name that it was registered under.
    Registered(String),
    /// One of the others behind a cache.
    Cached { storage: Box<StorageConfig>, capacity: usize, ttl: Duration },
}

impl PartialEq for StorageConfig {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Engine(one), Self::Engine(other)) => one.is_same(&**other),
            (Self::Registered(one), Self::Registered(other)) => one == other,
            (
                Self::Cached { storage, capacity, ttl },
                Self::Cached { storage: other, capacity: other_capacity, ttl: other_ttl },
            ) => (storage, capacity, ttl) == (other, other_capacity, other_ttl),
            _ => false,
        }
    }
}

impl StorageConfig {
    /// Whether it is a server that other applications may use as well. Storages that
    /// the application registers are not checked.
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Engine(engine) => engine.is_shared(),
            Self::Registered(_) => false,
            Self::Cached { storage, .. } => storage.is_shared(),
        }
    }

    /// Whether a cache in this process saves a way.
    pub fn is_remote(&self) -> bool {
        match self {
            Self::Engine(engine) => engine.is_remote(),
            Self::Registered(_) => true,
            Self::Cached { .. } => false,
        }
    }

    /// The folder in which a Ktor server can keep its files.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Engine(engine) => engine.folder(),
            Self::Registered(_) | Self::Cached { .. } => None,
        }
    }
}

impl fmt::Display for StorageConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(engine) => engine.fmt(f),
            Self::Registered(name) => f.write_str(name),
            Self::Cached { storage, capacity, ttl } => {
                let ttl = humantime::format_duration(*ttl);
                write!(f, "{storage}; {capacity} copies cached for {ttl}")
            }
        }
    }
}
