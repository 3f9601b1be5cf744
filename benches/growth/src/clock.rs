//! Times in one process, beside those of the bare route: a batch of each in turn.

use std::time::{Duration, Instant};

use overhead::scene::Scene;

use crate::figures::Request;
use crate::scenes::scene;

/// Batches of each.
const BATCHES: usize = 2_000;
/// Requests of a batch.
const REQUESTS: u64 = 10;

/// Durations of the batches.
#[derive(Default)]
pub struct Batches {
    pub bare: Vec<Duration>,
    pub mode: Vec<Duration>,
}

impl Batches {
    /// Times one batch to the bare route and one to the scene's.
    pub async fn add(&mut self, scene: &Scene) {
        self.bare.push(timed(scene.send_bare(REQUESTS)).await);
        self.mode.push(timed(scene.send(REQUESTS)).await);
    }

    /// Seconds of a batch above the bare route, half of the batches below and half above.
    fn added(self) -> f64 {
        median(self.mode) - median(self.bare)
    }

    /// The time of a batch, where the bare route takes 1.
    pub fn ratio(self) -> f64 {
        median(self.mode) / median(self.bare)
    }
}

/// The time above the bare route at each x, where it is 1 at the first.
pub async fn ratios(request: Request, xs: &[u64]) -> Vec<(u64, f64)> {
    let mut scenes = Vec::new();
    for x in xs {
        scenes.push((scene(request, *x).await, Batches::default()));
    }
    for _ in 0..BATCHES {
        for (scene, batches) in &mut scenes {
            batches.add(scene).await;
        }
    }
    let added: Vec<_> = scenes.into_iter().map(|(_, batches)| batches.added()).collect();
    xs.iter().zip(&added).map(|(x, here)| (*x, here / added[0])).collect()
}

async fn timed(requests: impl Future<Output = ()>) -> Duration {
    let start = Instant::now();
    requests.await;
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}
