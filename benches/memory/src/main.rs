//! The memory storage, measured beside `dashmap`, `moka` and a plain table.
//!
//! ```sh
//! cargo run --release --manifest-path benches/memory/Cargo.toml             # all tables
//! cargo run --release --manifest-path benches/memory/Cargo.toml -- threads  # one of them
//! ```
//!
//! Times on different machines say nothing about each other; compare the
//! columns of one run, and the ratio of one column's rows.

mod bytes;
mod calls;
mod candidates;
mod latency;
mod rates;

use std::process::Command;

use candidates::{Moka, Native, PAYLOAD};

#[global_allocator]
static ALLOCATOR: bytes::Counting = bytes::Counting;

/// The rounds in which the candidates take turns.
const ROUNDS: usize = 40;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["bytes"] => println!("{}", bytes::counted()),
        ["resident", "native"] => println!("{}", bytes::resident(&Native::new(2_000_000))),
        ["resident", "moka"] => println!("{}", bytes::resident(&Moka::new(2_000_000))),
        ["reads", "native"] => {
            println!("{}", latency::reads_while_expiring(&Native::new(2_000_000)))
        }
        ["reads", "moka"] => println!("{}", latency::reads_while_expiring(&Moka::new(2_000_000))),
        ["full", "native"] => println!("{}", latency::full()),
        ["threads"] => rates::threads(ROUNDS),
        ["growth"] => rates::growth(ROUNDS),
        ["calls"] => calls::report(),
        ["calls", operation, owned, count] => {
            calls::run(operation, owned == "true", count.parse().expect("a number"));
        }
        _ => report(),
    }
}

/// What this program prints with these arguments, in a process of its own.
fn measure(arguments: &[&str]) -> String {
    let path = std::env::current_exe().expect("this program's path");
    let output = Command::new(path).args(arguments).output().expect("it runs");
    String::from_utf8(output.stdout).expect("text")
}

fn report() {
    let words = |arguments: &[&str]| -> Vec<String> {
        measure(arguments).split_whitespace().map(str::to_owned).collect()
    };
    println!("{}", measure(&["threads"]));
    println!("{}", measure(&["growth"]));
    println!("{}", measure(&["calls"]));
    println!("| bytes of `Memory` a session beyond its payload, 1,000,000 sessions | |");
    println!("|---|---:|");
    let rows = ["without an owner", "each of its own owner", "ten of each owner"];
    for (row, count) in rows.iter().zip(words(&["bytes"])) {
        println!("| {row} | {count} |");
    }
    println!("\n| | `Memory` | moka |");
    println!("|---|---:|---:|");
    let (native, moka) = (words(&["resident", "native"]), words(&["resident", "moka"]));
    println!(
        "| resident bytes a session beyond its payload of {PAYLOAD}, 1,000,000 sessions | {} | {} |",
        native[0], moka[0]
    );
    let (native, moka) = (words(&["reads", "native"]), words(&["reads", "moka"]));
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
    println!("\n| a new session in `Memory`, with 1,000,000 records | p50, ns | p99, ns |");
    println!("|---|---:|---:|");
    let rows = [
        "below the capacity",
        "at the capacity, in the place of an older session",
        "refused, because every client came back",
    ];
    let full = words(&["full", "native"]);
    for (row, [p50, p99]) in rows.iter().zip(full.as_chunks::<2>().0) {
        println!("| {row} | {p50} | {p99} |");
    }
}
