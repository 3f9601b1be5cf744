//! How long anybody waits for a storage.

use std::pin::Pin;

use rocket::futures::future::poll_immediate;
use tokio::time::{Instant, timeout_at};

use crate::error::SessionError;
use crate::storage::StorageError;

/// What `work` gives, if that is before the deadline. Work that is ready at once
/// costs no timer.
pub(crate) async fn within<R>(
    deadline: Instant,
    mut work: Pin<&mut (impl Future<Output = R> + Send)>,
) -> Option<R> {
    match poll_immediate(work.as_mut()).await {
        Some(ready) => Some(ready),
        None => Box::pin(timeout_at(deadline, work)).await.ok(),
    }
}

/// A storage that did not answer within the budget.
pub(crate) fn no_answer() -> StorageError {
    StorageError::Unavailable("no answer within the storage timeout".into(), None)
}

/// The same, of a session.
pub(crate) fn too_late() -> SessionError {
    no_answer().into()
}
