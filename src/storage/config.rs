//! The configuration of a storage.

use std::any::Any;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::error::StorageError;
use super::session_storage::SessionStorage;

/// The content of one engine's table. Its `Display` describes the storage to operators and shows
/// no password.
#[rocket::async_trait]
pub(crate) trait EngineConfig: Same + fmt::Debug + fmt::Display + Send + Sync {
    /// Whether other applications may use the server as well.
    fn is_shared(&self) -> bool {
        false
    }

    /// Whether a cache in this process would save a round trip.
    fn is_remote(&self) -> bool {
        false
    }

    /// Whether the records end with this process, and no other process sees them.
    fn is_in_process(&self) -> bool {
        false
    }

    /// The folder in which a Ktor server can keep its files.
    fn folder(&self) -> Option<&Path> {
        None
    }

    /// Opens the storage. It adds to `warnings` what operators should know.
    async fn open(
        &self,
        warnings: &mut Vec<String>,
    ) -> Result<Arc<dyn SessionStorage>, StorageError>;
}

/// Compares two tables whose types are unknown.
pub(crate) trait Same: Any {
    fn is_same(&self, other: &dyn Any) -> bool;
}

impl<C: PartialEq + 'static> Same for C {
    fn is_same(&self, other: &dyn Any) -> bool {
        other.downcast_ref() == Some(self)
    }
}

/// Where sessions are kept. Definitions with equal configurations share one storage.
#[derive(Clone, Debug)]
pub(crate) enum StorageSettings {
    /// A built-in storage.
    Engine(Arc<dyn EngineConfig>),
    /// A storage of the application, by the name under which it is registered.
    Registered(String),
    /// Another storage with a cache in front of it.
    Cached { storage: Box<StorageSettings>, capacity: usize, ttl: Duration },
}

impl PartialEq for StorageSettings {
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

impl StorageSettings {
    /// Whether other applications may use the storage's server as well. `false` for a storage
    /// that the application has registered.
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Engine(engine) => engine.is_shared(),
            Self::Registered(_) => false,
            Self::Cached { storage, .. } => storage.is_shared(),
        }
    }

    /// Whether a cache in this process would save a round trip.
    pub fn is_remote(&self) -> bool {
        match self {
            Self::Engine(engine) => engine.is_remote(),
            Self::Registered(_) => true,
            Self::Cached { .. } => false,
        }
    }

    /// Whether the records end with this process, and no other process sees them. `false` for a
    /// storage that the application has registered.
    pub fn is_in_process(&self) -> bool {
        match self {
            Self::Engine(engine) => engine.is_in_process(),
            Self::Registered(_) => false,
            Self::Cached { storage, .. } => storage.is_in_process(),
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

impl fmt::Display for StorageSettings {
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
