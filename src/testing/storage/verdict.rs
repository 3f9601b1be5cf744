//! What a case of the conformance kit finds.

use crate::storage::StorageError;

/// What a case found: how the promise broke, unless it holds.
pub(super) type Check<T = ()> = Result<T, Broken>;

/// How a promise broke.
pub(super) struct Broken(pub String);

impl<W: Into<String>> From<W> for Broken {
    fn from(what: W) -> Self {
        Self(what.into())
    }
}

impl From<StorageError> for Broken {
    fn from(cause: StorageError) -> Self {
        Self(format!("it answered with an error: {cause}"))
    }
}
