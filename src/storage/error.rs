//! The error of a storage.

use std::error::Error as StdError;
use std::sync::Arc;

/// The error of a storage that could not answer.
///
/// [`source`](StdError::source) returns the cause. Neither the cause nor the text
/// may contain keys, payloads or credentials.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The storage cannot be reached or is full. A retry may help.
    #[error("the session storage is unavailable: {0}")]
    Unavailable(String, #[source] Option<Arc<dyn StdError + Send + Sync>>),
    /// The record cannot be decoded. It is treated as absent.
    #[error("a session record is corrupt: {0}")]
    Corrupt(&'static str),
    /// Any other error.
    #[error("the session storage failed: {0}")]
    Other(String, #[source] Option<Arc<dyn StdError + Send + Sync>>),
}

impl StorageError {
    /// Makes an [`Unavailable`](Self::Unavailable) error that keeps its cause.
    /// `doing` says what the storage was doing.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::StorageError;
    /// use std::net::TcpStream;
    ///
    /// fn connect() -> Result<TcpStream, StorageError> {
    ///     let connection = TcpStream::connect("127.0.0.1:1");
    ///     connection.map_err(|cause| StorageError::unavailable("connecting to the store", cause))
    /// }
    ///
    /// let cause = connect().expect_err("no server listens there");
    /// assert_eq!(cause.to_string(), "the session storage is unavailable: connecting to the store");
    /// ```
    pub fn unavailable(
        doing: impl Into<String>,
        cause: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self::Unavailable(doing.into(), Some(Arc::new(cause)))
    }

    /// Makes an [`Other`](Self::Other) error that keeps its cause. `doing` says
    /// what the storage was doing.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::StorageError;
    ///
    /// let version = "seven".parse::<u64>();
    /// let version = version.map_err(|cause| StorageError::other("reading the schema's version", cause));
    /// let cause = version.expect_err("no number");
    /// assert_eq!(cause.to_string(), "the session storage failed: reading the schema's version");
    /// ```
    pub fn other(doing: impl Into<String>, cause: impl StdError + Send + Sync + 'static) -> Self {
        Self::Other(doing.into(), Some(Arc::new(cause)))
    }
}

/// The error for a key of which `read_many` has returned no result.
pub(crate) fn no_result() -> StorageError {
    StorageError::Other("`read_many` returned fewer results than there are keys".into(), None)
}
