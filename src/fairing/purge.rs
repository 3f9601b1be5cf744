//! Removes expired records while the application runs.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use rocket::futures::FutureExt;
use rocket::{Shutdown, error, warn};

use crate::crypto::Random;
use crate::expiry::Clock;
use crate::storage::SessionStorage;

/// How often a storage removes expired records, and how many in one batch.
const PURGE_EVERY: Duration = Duration::from_secs(60);
const PURGE_BATCH: usize = 1000;
/// The shortest pause between two full batches. The pause is twice as long as the batch
/// took, so that requests are hardly slower.
const PURGE_PAUSE: Duration = Duration::from_millis(2);

/// Removes expired records in bounded batches until shutdown.
pub(super) async fn purge(storage: Arc<dyn SessionStorage>, clock: Clock, shutdown: Shutdown) {
    let random = Random::default();
    tokio::pin!(shutdown);
    loop {
        // Jitter keeps several nodes from purging in step.
        let jitter = random.bytes::<1>().map_or(0, |[byte]| u64::from(byte)) * 100;
        let pause = tokio::time::sleep(PURGE_EVERY + Duration::from_millis(jitter));
        tokio::select! {
            () = pause => {}
            () = &mut shutdown => return,
        }
        loop {
            let started = tokio::time::Instant::now();
            let purged = storage.purge_expired(clock.now(), PURGE_BATCH);
            match AssertUnwindSafe(purged).catch_unwind().await {
                Ok(Ok(PURGE_BATCH..)) => {
                    tokio::time::sleep(PURGE_PAUSE.max(2 * started.elapsed())).await;
                }
                Ok(Ok(_)) => break,
                Ok(Err(cause)) => {
                    warn!("Expired sessions could not be removed: {cause}.");
                    break;
                }
                Err(_) => {
                    error!("A storage panicked while it removed expired sessions.");
                    break;
                }
            }
        }
    }
}
