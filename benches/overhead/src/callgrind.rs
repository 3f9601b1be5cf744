//! Runs a mode under callgrind.

use std::hint::black_box;
use std::io;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::cost::Cost;
use crate::modes::Mode;
use crate::scene::Scene;

/// Callgrind's name of [`boundary`].
const BOUNDARY: &str = "overhead::callgrind::boundary";
/// Requests that find caches and lazy values empty.
const WARM_UP: u64 = 20;
/// Requests that are counted.
const REQUESTS: u64 = 200;

/// What valgrind runs: as many requests to the bare route as of the mode.
pub async fn run(scene: &Scene, requests: u64) {
    scene.send_bare(WARM_UP).await;
    scene.send(WARM_UP).await;
    boundary(1);
    scene.send_bare(requests).await;
    boundary(2);
    scene.send(requests).await;
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

/// Runs this program under callgrind, which writes its files into `folder`.
pub fn count(mode: &Mode, folder: &Path) -> io::Result<Counted> {
    let out = folder.join(mode.name);
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--fair-sched=try"])
        .arg(format!("--dump-before={BOUNDARY}"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(env::current_exe()?)
        .args(["run", mode.name, &REQUESTS.to_string()])
        .output()
        .map_err(|cause| io::Error::new(cause.kind(), format!("valgrind: {cause}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("{} under valgrind: {said}", mode.name)));
    }
    // The first file is the start's, up to boundary 1.
    let part = |number: &str| fs::read_to_string(out.with_extension(number));
    Ok(Counted {
        bare: Cost::read(&part("2")?) / REQUESTS,
        mode: Cost::read(&part("3")?) / REQUESTS,
    })
}
