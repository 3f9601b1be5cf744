//! Limits how long a request waits for a storage.

use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

use rocket::futures::future::poll_immediate;
use tokio::time::{Instant, timeout_at};

use crate::error::SessionError;
use crate::storage::StorageError;

/// A limit for the time that may be spent in waiting. The time runs from the first wait on, so work
/// that is ready at once reads no clock and needs no timer.
pub(crate) struct Deadline {
    limit: Duration,
    first_wait: OnceLock<Instant>,
}

impl Deadline {
    pub fn after(limit: Duration) -> Self {
        Self { limit, first_wait: OnceLock::new() }
    }

    /// Returns the result of `work`, or `None` at the deadline.
    pub async fn within<R>(
        &self,
        mut work: Pin<&mut (impl Future<Output = R> + Send)>,
    ) -> Option<R> {
        match poll_immediate(work.as_mut()).await {
            Some(ready) => Some(ready),
            None => Box::pin(timeout_at(self.at(), work)).await.ok(),
        }
    }

    /// Returns when the time is over, if it runs from now on at the latest.
    pub fn at(&self) -> Instant {
        *self.first_wait.get_or_init(Instant::now) + self.limit
    }

    /// Returns what is left of the time.
    pub fn left(&self) -> Duration {
        self.at().saturating_duration_since(Instant::now())
    }

    /// Returns the time since the first wait.
    pub fn spent(&self) -> Duration {
        self.first_wait.get().map_or(Duration::ZERO, Instant::elapsed)
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
