//! Limits how long a request waits for a storage.

use std::pin::Pin;

use rocket::futures::future::poll_immediate;
use tokio::time::{Instant, timeout_at};

use crate::error::SessionError;
use crate::storage::StorageError;

/// Returns the result of `work`, or `None` at the deadline. Work that is ready at once costs no
/// timer.
pub(crate) async fn within<R>(
    deadline: Instant,
    mut work: Pin<&mut (impl Future<Output = R> + Send)>,
) -> Option<R> {
    match poll_immediate(work.as_mut()).await {
        Some(ready) => Some(ready),
        None => Box::pin(timeout_at(deadline, work)).await.ok(),
    }
}

/// Returns the error for a storage that did not answer within `storage_timeout`.
pub(crate) fn no_answer() -> StorageError {
    StorageError::Unavailable("no answer within the storage timeout".into(), None)
}

/// Returns [`no_answer`] as the error of a session.
pub(crate) fn too_late() -> SessionError {
    no_answer().into()
}
