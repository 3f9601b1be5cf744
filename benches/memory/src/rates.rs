//! Operations a second, with several threads and with few and many sessions. All candidates are
//! in one process and take turns, so that other work on the machine disturbs the ratios little. A
//! rate and a ratio are the median of the rounds, and a time is that of the best round.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::candidates::{Called, Candidate, Dash, LONG, Moka, Native, Plain, now};
use crate::latency::next_random;

const RECORDS: u64 = 1_000_000;
/// How long one candidate has the machine.
const ROUND: Duration = Duration::from_millis(60);
/// The operations between two looks at the clock.
const BATCH: u64 = 1000;

type Operation = fn(&dyn Candidate, u64, u64) -> bool;
const OPERATIONS: [(&str, Operation); 2] = [
    ("read", |candidate, n, now| candidate.read(n, now)),
    ("read + compare-and-swap", |candidate, n, now| candidate.write(n, now)),
];

fn filled<C: Candidate + 'static>(candidate: C, records: u64) -> Box<dyn Candidate> {
    for n in 0..records {
        candidate.create(n, now() + LONG);
    }
    candidate.settle();
    // The clients come back.
    assert!((0..records).all(|n| candidate.read(n, now())));
    Box::new(candidate)
}

/// Operations a second of so many threads.
fn rate(candidate: &dyn Candidate, operation: Operation, threads: u64) -> f64 {
    let (stop, done, now) = (AtomicBool::new(false), AtomicU64::new(0), now());
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (stop, done) = (&stop, &done);
            scope.spawn(move || {
                let mut random = seed();
                while !stop.load(Ordering::Relaxed) {
                    for _ in 0..BATCH {
                        random = next_random(random);
                        // Two threads may swap the same record. Then one of them loses.
                        operation(candidate, random % RECORDS, now);
                    }
                    done.fetch_add(BATCH, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(ROUND);
        stop.store(true, Ordering::Relaxed);
    });
    done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

/// A start for random numbers that no round has had before. So no round finds in the caches what
/// an earlier one has read.
fn seed() -> u64 {
    static SEEDS: AtomicU64 = AtomicU64::new(1);
    SEEDS.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Prints a table of the rates with 1,000,000 sessions.
pub fn threads(rounds: usize) {
    let candidates = [
        filled(Native::new(2_000_000), RECORDS),
        filled(Dash::default(), RECORDS),
        filled(Called::default(), RECORDS),
        filled(Moka::new(2_000_000), RECORDS),
    ];
    println!(
        "| 1,000,000 sessions, M/s | threads | `Memory` | dashmap | dashmap, as a storage | moka | `Memory` : dashmap | `Memory` : dashmap, as a storage |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for (name, operation) in OPERATIONS {
        for threads in [1, 2, 4] {
            let round = |_| candidates.each_ref().map(|it| rate(&**it, operation, threads));
            let rounds: Vec<_> = (0..rounds).map(round).collect();
            let of = |value: &dyn Fn(&[f64; 4]) -> f64| median(rounds.iter().map(value).collect());
            let [native, dash, called, moka] = [0, 1, 2, 3].map(|it| of(&|row| row[it] / 1e6));
            let [to_dash, to_called] = [1, 2].map(|it| of(&|row| row[0] / row[it]));
            println!(
                "| {name} | {threads} | {native:.2} | {dash:.2} | {called:.2} | {moka:.2} | **{to_dash:.2}** | **{to_called:.2}** |"
            );
        }
    }
}

/// Prints a table of the times with 1,000 to 1,000,000 sessions, on one thread.
pub fn growth(rounds: usize) {
    const SIZES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
    let all = SIZES.map(|size| {
        [
            filled(Native::new(2_000_000), size),
            filled(Dash::default(), size),
            filled(Called::default(), size),
            filled(Plain::default(), size),
        ]
    });
    println!(
        "| ns, one thread | | 1,000 sessions | 10,000 | 100,000 | 1,000,000 | 1,000,000 : 1,000 |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|");
    for (name, operation) in OPERATIONS {
        let mut times = [[(); 4]; 4].map(|row| row.map(|()| f64::INFINITY));
        for _ in 0..rounds {
            for (size, candidates) in all.iter().enumerate() {
                for (candidate, times) in candidates.iter().zip(&mut times) {
                    times[size] = times[size].min(nanos(&**candidate, operation, SIZES[size]));
                }
            }
        }
        for (candidate, times) in
            ["`Memory`", "dashmap", "dashmap, as a storage", "plain table"].iter().zip(times)
        {
            let [a, b, c, d] = times;
            println!("| {name} | {candidate} | {a:.0} | {b:.0} | {c:.0} | {d:.0} | {:.1} |", d / a);
        }
    }
}

/// Nanoseconds of an operation on one of `size` records, after as many to warm up.
fn nanos(candidate: &dyn Candidate, operation: Operation, size: u64) -> f64 {
    const OPERATIONS: u64 = 20_000;
    let (mut random, now) = (seed(), now());
    let mut run = || {
        let started = Instant::now();
        for _ in 0..OPERATIONS {
            random = next_random(random);
            assert!(operation(candidate, random % size, now));
        }
        started.elapsed().as_nanos() as f64 / OPERATIONS as f64
    };
    run();
    run().min(run())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
