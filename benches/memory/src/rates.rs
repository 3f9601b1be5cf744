//! Operations a second, with several threads and with few and many sessions. All candidates are
//! in one process and take turns, so that other work on the machine disturbs all of them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::candidates::{Candidate, Dash, LONG, Moka, Native, Plain, now};
use crate::latency::next_random;

const RECORDS: u64 = 1_000_000;
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
fn rate(candidate: &dyn Candidate, operation: Operation, threads: u64, time: Duration) -> f64 {
    let (stop, done, now) = (AtomicBool::new(false), AtomicU64::new(0), now());
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (stop, done) = (&stop, &done);
            scope.spawn(move || {
                let mut random = 88_172_645_463_325_252 + thread * 0x9e37_79b9;
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
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
    });
    done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

/// Prints a table of the rates with 1,000,000 sessions.
pub fn threads(rounds: usize) {
    let candidates = [
        filled(Native::new(2_000_000), RECORDS),
        filled(Dash::default(), RECORDS),
        filled(Moka::new(2_000_000), RECORDS),
    ];
    println!(
        "| 1,000,000 sessions | threads | `Memory`, M/s | dashmap | moka | `Memory` : dashmap | moka : dashmap |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for (name, operation) in OPERATIONS {
        for threads in [1, 2, 4] {
            let mut rows = Vec::new();
            for _ in 0..rounds {
                let time = Duration::from_millis(300);
                rows.push(candidates.each_ref().map(|it| rate(&**it, operation, threads, time)));
            }
            let of = |value: &dyn Fn(&[f64; 3]) -> f64| median(rows.iter().map(value).collect());
            let [native, dash, moka] = [0, 1, 2].map(|it| of(&|row| row[it] / 1e6));
            let (ratio, others) = (of(&|row| row[0] / row[1]), of(&|row| row[2] / row[1]));
            println!(
                "| {name} | {threads} | {native:.2} | {dash:.2} | {moka:.2} | **{ratio:.2}** | {others:.2} |"
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
            filled(Plain::default(), size),
        ]
    });
    println!(
        "| ns, one thread | | 1,000 sessions | 10,000 | 100,000 | 1,000,000 | 1,000,000 : 1,000 |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|");
    for (name, operation) in OPERATIONS {
        let mut times = [[(); 4]; 3].map(|row| row.map(|()| Vec::new()));
        for _ in 0..rounds {
            for (size, candidates) in all.iter().enumerate() {
                for (candidate, times) in candidates.iter().zip(&mut times) {
                    times[size].push(nanos(&**candidate, operation, SIZES[size]));
                }
            }
        }
        for (candidate, times) in ["`Memory`", "dashmap", "plain table"].iter().zip(times) {
            let [a, b, c, d] = times.map(median);
            println!("| {name} | {candidate} | {a:.0} | {b:.0} | {c:.0} | {d:.0} | {:.1} |", d / a);
        }
    }
}

/// Nanoseconds of an operation on one of `size` records, after as many to warm up.
fn nanos(candidate: &dyn Candidate, operation: Operation, size: u64) -> f64 {
    const OPERATIONS: u64 = 100_000;
    let (mut random, now) = (88_172_645_463_325_252, now());
    let mut run = || {
        let started = Instant::now();
        for _ in 0..OPERATIONS {
            random = next_random(random);
            assert!(operation(candidate, random % size, now));
        }
        started.elapsed().as_nanos() as f64 / OPERATIONS as f64
    };
    run();
    run()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
