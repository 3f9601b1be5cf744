//! Runs this program under callgrind.

use std::hint::black_box;
use std::io;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::cost::Cost;
use crate::scene::Scene;

/// Callgrind's name of [`boundary`].
const BOUNDARY: &str = "overhead::callgrind::boundary";

/// What valgrind runs: as many requests to the bare route as to the scene's.
pub async fn run(scene: &Scene, warm_up: u64, requests: u64) {
    let (bare, mode) = (async |n| scene.send_bare(n).await, async |n| scene.send(n).await);
    run_each(bare, mode, warm_up, requests).await;
}

/// The same with any two kinds of requests.
pub async fn run_each(
    bare: impl AsyncFn(u64),
    mode: impl AsyncFn(u64),
    warm_up: u64,
    requests: u64,
) {
    bare(warm_up).await;
    mode(warm_up).await;
    boundary(1);
    bare(requests).await;
    boundary(2);
    mode(requests).await;
    boundary(3);
}

/// Callgrind writes what it has counted before each call, and begins anew.
#[inline(never)]
fn boundary(number: u32) {
    black_box(number);
}

/// What a request costs.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// To the bare route, with the same cookies.
    pub bare: Cost,
    /// Of the mode.
    pub mode: Cost,
}

impl Counted {
    /// What the mode costs above the bare route.
    pub fn added(&self) -> Cost {
        let (bare, mode) = (self.bare, self.mode);
        Cost {
            hash: mode.hash.saturating_sub(bare.hash),
            rest: mode.rest.saturating_sub(bare.rest),
            heap: mode.heap.saturating_sub(bare.heap),
        }
    }
}

/// Runs this program under callgrind with arguments that lead to [`run`]. Callgrind writes files
/// whose names begin with `out`.
///
/// # Errors
///
/// If valgrind cannot be run, or the program fails.
pub fn count(arguments: &[&str], requests: u64, out: &Path) -> io::Result<Counted> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--fair-sched=try"])
        .arg(format!("--dump-before={BOUNDARY}"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(env::current_exe()?)
        .args(arguments)
        .output()
        .map_err(|cause| io::Error::new(cause.kind(), format!("valgrind: {cause}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("{arguments:?} under valgrind: {said}")));
    }
    // The first file is the start's, up to boundary 1.
    let part = |number: &str| fs::read_to_string(out.with_extension(number));
    Ok(Counted {
        bare: Cost::read(&part("2")?) / requests,
        mode: Cost::read(&part("3")?) / requests,
    })
}
