//! Why a storage could not answer.

use std::error::Error as StdError;
use std::sync::Arc;

/// A storage that could not answer.
///
/// The cause is kept as [`source`](StdError::source); neither it nor the text
/// may hold keys, payloads or credentials.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The storage cannot be reached or is full; a retry may help.
    #[error("the session storage is unavailable: {0}")]
    Unavailable(String, #[source] Option<Arc<dyn StdError + Send + Sync>>),
    /// This one record cannot be read back. It is treated as absent.
    #[error("a session record is corrupt: {0}")]
    Corrupt(&'static str),
    /// Anything else.
    #[error("the session storage failed: {0}")]
    Other(String, #[source] Option<Arc<dyn StdError + Send + Sync>>),
}

impl StorageError {
    /// An [`Unavailable`](Self::Unavailable) error that keeps its cause.
    pub fn unavailable(
        doing: impl Into<String>,
        cause: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self::Unavailable(doing.into(), Some(Arc::new(cause)))
    }

    /// An [`Other`](Self::Other) error that keeps its cause.
    pub fn other(doing: impl Into<String>, cause: impl StdError + Send + Sync + 'static) -> Self {
        Self::Other(doing.into(), Some(Arc::new(cause)))
    }
}
