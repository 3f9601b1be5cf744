//! The memory storage, measured beside `moka`.
//!
//! ```sh
//! cargo run --release --manifest-path benches/memory/Cargo.toml
//! ```
//!
//! Times on different machines say nothing about each other; compare the two
//! columns of one run, and the ratio of one column's rows.

mod candidates;

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use candidates::{Candidate, Moka, Native, now};

const PAYLOAD: usize = 100;
const LIVE: u64 = 200_000;
const EXPIRING: u64 = 100_000;
const ROUNDS: u64 = 5;
const LONG: u64 = 3_600_000;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["memory", "native"] => println!("{}", bytes_per_record(&Native::new(2_000_000))),
        ["memory", "moka"] => println!("{}", bytes_per_record(&Moka::new(2_000_000))),
        ["reads", "native"] => println!("{}", reads_while_expiring(&Native::new(2_000_000))),
        ["full", "native"] => println!("{}", full()),
        ["reads", "moka"] => println!("{}", reads_while_expiring(&Moka::new(2_000_000))),
        _ => report(),
    }
}

/// Every figure comes from a process of its own.
fn report() {
    let measure = |what: &str, candidate: &str| -> Vec<String> {
        let path = std::env::current_exe().expect("this program's path");
        let output = Command::new(path).args([what, candidate]).output().expect("it runs");
        let text = String::from_utf8(output.stdout).expect("text");
        text.split_whitespace().map(str::to_owned).collect()
    };
    println!("| | `Memory` | moka 0.12 |");
    println!("|---|---|---|");
    let (native, moka) = (measure("memory", "native"), measure("memory", "moka"));
    println!(
        "| resident bytes a session beyond its payload of {PAYLOAD}, 1,000,000 sessions | {} | {} |",
        native[0], moka[0]
    );
    let (native, moka) = (measure("reads", "native"), measure("reads", "moka"));
    let rows = [
        "p50 of a read at rest, ns",
        "p99 of a read at rest, ns",
        "p50 of a read while 100,000 sessions expire, ns",
        "p99 of a read while 100,000 sessions expire, ns",
        "p99 while they expire : p99 at rest",
    ];
    for (row, (native, moka)) in rows.iter().zip(native.iter().zip(&moka)) {
        println!("| {row} | {native} | {moka} |");
    }
    let rows = [
        "p50 of a new session, 1,000,000 records, ns",
        "p99 of it",
        "p50 of a new session that takes an older one's place, ns",
        "p99 of it",
        "p50 of a new session that is refused, ns",
        "p99 of it",
    ];
    for (row, native) in rows.iter().zip(measure("full", "native")) {
        println!("| {row} | {native} | |");
    }
}

/// Nanoseconds of a new session, p50 and p99: below the capacity, then at it
/// where older sessions make room, then where all clients have come back and the
/// new session is refused.
fn full() -> String {
    const CAPACITY: usize = 1_000_000;
    const SAMPLES: u64 = 100_000;
    let storage = Native::new(CAPACITY);
    let expires = now() + LONG;
    let mut number = 0;
    let mut sample = |count: u64, accepted: bool| {
        let mut times = Vec::new();
        for _ in 0..count {
            let started = Instant::now();
            let made = storage.try_create(number, &[7; PAYLOAD], expires);
            times.push(u32::try_from(started.elapsed().as_nanos()).unwrap_or(u32::MAX));
            assert_eq!(made, accepted);
            number += 1;
        }
        (number, times)
    };
    sample(CAPACITY as u64 - SAMPLES, true);
    let (_, below) = sample(SAMPLES, true);
    let (last, at) = sample(SAMPLES, true);
    let there = (0..last).filter(|n| storage.read(*n)).count();
    assert_eq!(there, CAPACITY);
    let (_, refused) = sample(SAMPLES, false);
    let [below, at, refused] = [below, at, refused].map(quantiles);
    format!("{} {} {} {} {} {}", below.0, below.1, at.0, at.1, refused.0, refused.1)
}

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number of pages") * 4096
}

fn bytes_per_record(candidate: &dyn Candidate) -> u64 {
    const RECORDS: u64 = 1_000_000;
    let before = resident();
    for n in 0..RECORDS {
        candidate.create(n, &[7; PAYLOAD], now() + LONG);
    }
    candidate.settle();
    assert!(candidate.read(RECORDS / 2));
    (resident() - before) / RECORDS - PAYLOAD as u64
}

/// Nanoseconds of many reads: p50 and p99 at rest, then while others expire.
fn reads_while_expiring(candidate: &dyn Candidate) -> String {
    for n in 0..LIVE {
        candidate.create(n, &[7; PAYLOAD], now() + LONG);
    }
    let (mut rest, mut busy) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let expiry = now() + 1500;
        for n in 0..EXPIRING {
            candidate.create(LIVE + round * EXPIRING + n, &[7; PAYLOAD], expiry);
        }
        candidate.settle();
        sample(candidate, &mut rest, |started| started.elapsed() < Duration::from_millis(300));
        while now() <= expiry {
            std::thread::sleep(Duration::from_millis(1));
        }
        let purging = AtomicBool::new(true);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                candidate.purge();
                purging.store(false, Ordering::Release);
            });
            sample(candidate, &mut busy, |_| purging.load(Ordering::Acquire));
        });
    }
    let (rest, busy) = (quantiles(rest), quantiles(busy));
    let ratio = f64::from(busy.1) / f64::from(rest.1);
    format!("{} {} {} {} {ratio:.2}", rest.0, rest.1, busy.0, busy.1)
}

fn sample(candidate: &dyn Candidate, into: &mut Vec<u32>, go_on: impl Fn(Instant) -> bool) {
    let started = Instant::now();
    let mut random = 88_172_645_463_325_252_u64;
    while go_on(started) {
        for _ in 0..64 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let before = Instant::now();
            let found = candidate.read(random % LIVE);
            into.push(u32::try_from(before.elapsed().as_nanos()).unwrap_or(u32::MAX));
            assert!(found);
        }
    }
}

fn quantiles(mut samples: Vec<u32>) -> (u32, u32) {
    samples.sort_unstable();
    let at = |share: usize| samples[samples.len() * share / 100];
    (at(50), at(99))
}
