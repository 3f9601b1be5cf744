//! How long single operations take, and the slowest of a hundred.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::candidates::{Candidate, LONG, Native, now};

const LIVE: u64 = 200_000;
const EXPIRING: u64 = 100_000;
const ROUNDS: u64 = 5;

/// Nanoseconds of a new session, p50 and p99: below the capacity, then at it
/// where older sessions make room, then where all clients have come back and the
/// new session is refused.
pub fn full() -> String {
    const CAPACITY: usize = 1_000_000;
    const SAMPLES: u64 = 100_000;
    let storage = Native::new(CAPACITY);
    let expires = now() + LONG;
    let mut number = 0;
    let mut sample = |count: u64, accepted: bool| {
        let mut times = Vec::new();
        for _ in 0..count {
            let started = Instant::now();
            let made = storage.try_create(number, expires, None);
            times.push(u32::try_from(started.elapsed().as_nanos()).unwrap_or(u32::MAX));
            assert_eq!(made, accepted);
            number += 1;
        }
        (number, times)
    };
    sample(CAPACITY as u64 - SAMPLES, true);
    let (_, below) = sample(SAMPLES, true);
    let (last, at) = sample(SAMPLES, true);
    let there = (0..last).filter(|n| storage.read(*n, now())).count();
    assert_eq!(there, CAPACITY);
    let (_, refused) = sample(SAMPLES, false);
    let [below, at, refused] = [below, at, refused].map(quantiles);
    format!("{} {} {} {} {} {}", below.0, below.1, at.0, at.1, refused.0, refused.1)
}

/// Nanoseconds of many reads: p50 and p99 at rest, then while others expire.
pub fn reads_while_expiring(candidate: &dyn Candidate) -> String {
    for n in 0..LIVE {
        candidate.create(n, now() + LONG);
    }
    let (mut rest, mut busy) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let expiry = now() + 1500;
        for n in 0..EXPIRING {
            candidate.create(LIVE + round * EXPIRING + n, expiry);
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

/// The next of a sequence of random numbers (xorshift).
pub fn next_random(mut random: u64) -> u64 {
    random ^= random << 13;
    random ^= random >> 7;
    random ^ (random << 17)
}

fn sample(candidate: &dyn Candidate, into: &mut Vec<u32>, go_on: impl Fn(Instant) -> bool) {
    let started = Instant::now();
    let mut random = 88_172_645_463_325_252_u64;
    while go_on(started) {
        for _ in 0..64 {
            random = next_random(random);
            let before = Instant::now();
            let found = candidate.read(random % LIVE, now());
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
