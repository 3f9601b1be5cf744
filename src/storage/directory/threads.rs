//! Runs file operations on blocking threads.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::storage::StorageError;

/// The most file operations that run at the same time.
const THREADS: usize = 64;

/// Runs file operations on the runtime's blocking threads. It never uses all of them, so that a
/// disk that hangs does not block other work.
#[derive(Clone)]
pub(super) struct Threads(Arc<Semaphore>);

impl Threads {
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(THREADS)))
    }

    /// Runs `work` to its end, even if the future is dropped, so that an operation happens
    /// completely or not at all.
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
