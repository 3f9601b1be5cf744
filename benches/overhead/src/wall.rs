//! Times in one process: a batch of bare requests and one of each mode in turn.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use overhead::scene::Scene;

use crate::modes::Mode;

/// Batches of each mode.
const BATCHES: u32 = 2000;
/// Requests of a batch.
const REQUESTS: u64 = 10;
/// Requests before a batch that are not measured. They bring back into the processor's caches what
/// another mode has driven out.
const WARM_UP: u64 = 3;

/// A mode's time, where the bare route with the same cookies takes 1.
pub type Ratios = HashMap<&'static str, f64>;

/// The best batch of the bare route and of the mode.
struct Best {
    bare: Duration,
    mode: Duration,
}

/// Measures the modes in turn, so that a busy moment meets all of them.
pub async fn measure(scenes: &[(&'static Mode, Scene)]) -> Ratios {
    let mut best: Vec<_> =
        scenes.iter().map(|_| Best { bare: Duration::MAX, mode: Duration::MAX }).collect();
    for _ in 0..BATCHES {
        for ((_, scene), best) in scenes.iter().zip(&mut best) {
            scene.send_bare(WARM_UP).await;
            best.bare = best.bare.min(timed(scene.send_bare(REQUESTS)).await);
            scene.send(WARM_UP).await;
            best.mode = best.mode.min(timed(scene.send(REQUESTS)).await);
        }
    }
    let ratio = |best: &Best| best.mode.as_secs_f64() / best.bare.as_secs_f64();
    scenes.iter().zip(&best).map(|((mode, _), best)| (mode.name, ratio(best))).collect()
}

async fn timed(requests: impl Future<Output = ()>) -> Duration {
    let start = Instant::now();
    requests.await;
    start.elapsed()
}
