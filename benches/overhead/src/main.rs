//! What a session adds to a request, beside a route without one. `docs/performance.md` has
//! the table and says how it is measured.

mod apps;
mod modes;
#[cfg(feature = "peers")]
mod peers;
#[cfg(feature = "peers")]
mod prototype;
mod recorded;
mod table;
mod wall;

use std::path::Path;
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::{env, io};

use modes::Mode;
use overhead::callgrind::{self, Counted};
use recorded::Recorded;
use rocket::tokio::runtime::{Builder, Runtime};
use table::Table;
use wall::Ratios;

/// Requests that find caches and lazy values empty.
const WARM_UP: u64 = 20;
/// Requests that are counted.
const REQUESTS: u64 = 200;
const USAGE: &str = "usage: overhead [check | record | run MODE REQUESTS | time MODE...]";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let passed = match arguments[..] {
        [] => print_table(),
        ["check"] => check(),
        ["record"] => record(),
        ["run", mode, requests] => run(mode, requests),
        ["time", ref names @ ..] => print_times(names),
        _ => Err(io::Error::other(USAGE)),
    };
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(cause) => {
            eprintln!("{cause}");
            ExitCode::FAILURE
        }
    }
}

/// One worker, so that what runs when does not change.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn print_table() -> io::Result<bool> {
    let counted = count(modes::all())?;
    let wall = time(modes::all())?;
    println!("{}", Table { counted: &counted, wall: &wall });
    Ok(true)
}

/// A count that is too high is repeated, and the lowest stands: where several threads share
/// the work, counts vary by 2 %.
fn check() -> io::Result<bool> {
    without_peers()?;
    let recorded = Recorded::read()?;
    let mut counted = count(modes::OURS.iter())?;
    for _ in 0..2 {
        let high = counted.iter().filter(|row| recorded.is_high(row)).map(|(mode, _)| *mode);
        let high: Vec<_> = high.collect();
        for (mode, again) in count(high.into_iter())? {
            let before = counted.iter_mut().find(|(counted, _)| counted.name == mode.name);
            if let Some((_, before)) = before
                && again.added().rest < before.added().rest
            {
                *before = again;
            }
        }
    }
    recorded.report(&counted)
}

/// Of three counts, the highest is recorded, so that none of the next three needs to be lucky.
fn record() -> io::Result<bool> {
    without_peers()?;
    let mut counted = count(modes::OURS.iter())?;
    for _ in 0..2 {
        for ((_, kept), (_, again)) in counted.iter_mut().zip(count(modes::OURS.iter())?) {
            if again.added().rest > kept.added().rest {
                *kept = again;
            }
        }
    }
    recorded::write(&counted)?;
    Ok(true)
}

/// The peers' features change Rocket, and with it the counts.
fn without_peers() -> io::Result<()> {
    if cfg!(feature = "peers") {
        return Err(io::Error::other(
            "counts are recorded and checked without the feature `peers`",
        ));
    }
    Ok(())
}

/// Prints the times of some modes, without counting instructions.
fn print_times(names: &[&str]) -> io::Result<bool> {
    let times = time(names.iter().filter_map(|name| modes::named(name)))?;
    for (name, ratio) in times {
        println!("{name} {ratio:.2}");
    }
    Ok(true)
}

fn run(mode: &str, requests: &str) -> io::Result<bool> {
    let mode = modes::named(mode).ok_or_else(|| io::Error::other("no such mode"))?;
    let requests = requests.parse().map_err(io::Error::other)?;
    let folder = tempfile::tempdir()?;
    runtime()?.block_on(async {
        callgrind::run(&mode.scene(folder.path()).await, WARM_UP, requests).await;
    });
    Ok(true)
}

/// Counts each mode in a process of its own, as many at a time as there are cores.
fn count(modes: impl Iterator<Item = &'static Mode>) -> io::Result<Vec<(&'static Mode, Counted)>> {
    let folder = tempfile::tempdir()?;
    let modes: Vec<_> = modes.collect();
    let mut counted = Vec::new();
    for some in modes.chunks(available_parallelism()?.get()) {
        let folder = folder.path();
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads = some.iter().map(|mode| scope.spawn(move || count_mode(mode, folder)));
            let threads: Vec<_> = threads.collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        for (mode, result) in some.iter().zip(results) {
            counted.push((*mode, result?));
        }
    }
    Ok(counted)
}

fn count_mode(mode: &Mode, folder: &Path) -> io::Result<Counted> {
    let arguments = ["run", mode.name, &REQUESTS.to_string()];
    callgrind::count(&arguments, REQUESTS, &folder.join(mode.name))
}

/// Times all modes in this process.
fn time(modes: impl Iterator<Item = &'static Mode>) -> io::Result<Ratios> {
    let folder = tempfile::tempdir()?;
    runtime().map(|runtime| {
        runtime.block_on(async {
            let mut scenes = Vec::new();
            for mode in modes {
                scenes.push((mode, mode.scene(&folder.path().join(mode.name)).await));
            }
            wall::measure(&scenes).await
        })
    })
}
