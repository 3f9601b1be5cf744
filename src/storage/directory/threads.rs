//! File work off the async threads.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::storage::StorageError;

/// File operations at a time.
const THREADS: usize = 64;

/// Runs file work on the runtime's blocking threads, and never on all of them:
/// a disk that hangs must not stop everything else.
#[derive(Clone)]
pub(super) struct Threads(Arc<Semaphore>);

impl Threads {
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(THREADS)))
    }

    /// The work goes on if the caller stops waiting: an operation happens wholly
    /// or not at all.
    pub async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<R, StorageError> + Send + 'static,
    ) -> Result<R, StorageError> {
        let thread = Arc::clone(&self.0).acquire_owned().await;
        let thread = thread.map_err(|cause| StorageError::other("the storage is closed", cause))?;
        let work = move || {
            let done = work();
            drop(thread);
            done
        };
        let done = rocket::tokio::task::spawn_blocking(work).await;
        done.map_err(|cause| StorageError::other("a storage task did not finish", cause))?
    }
}
