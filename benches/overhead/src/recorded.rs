//! The counts of a file, which no change may exceed by more than 3 %, or 8 % with a directory.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;
use std::{fs, io};

use overhead::callgrind::Counted;
use rocket::figment::Figment;
use rocket::figment::providers::{Format, Toml};
use serde::Deserialize;

use crate::modes::Mode;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recorded.toml");
const UPDATE: &str = "cargo run --release --manifest-path benches/overhead/Cargo.toml -- record";
/// A count may be higher by this part of itself.
const PERCENT: u64 = 3;
/// The same for the modes with a directory. Their counts differ by 5 %, with the order in which
/// threads run.
const PERCENT_OF_THREADS: u64 = 8;
/// And by this many instructions, more than two runs differ by where few are counted.
const NOISE: u64 = 20;

/// What the file holds.
#[derive(Deserialize)]
pub struct Recorded {
    /// What counts depend on beside the sources.
    made_with: String,
    modes: BTreeMap<String, Instructions>,
}

/// Above the bare route.
#[derive(Clone, Copy, Deserialize)]
struct Instructions {
    hash: u64,
    rest: u64,
}

impl From<&Counted> for Instructions {
    fn from(counted: &Counted) -> Self {
        let added = counted.added();
        Self { hash: added.hash, rest: added.rest }
    }
}

impl Recorded {
    /// Reads the file.
    pub fn read() -> io::Result<Self> {
        Figment::from(Toml::file_exact(PATH)).extract().map_err(io::Error::other)
    }

    /// Whether a mode costs more than it may. What is not recorded may cost nothing.
    pub fn is_high(&self, (mode, counted): &(&Mode, Counted)) -> bool {
        let now = Instructions::from(counted);
        let threads = mode.name.starts_with("directory");
        let percent = if threads { PERCENT_OF_THREADS } else { PERCENT };
        let within = |now: u64, then: u64| now <= then + then * percent / 100 + NOISE;
        let then = self.modes.get(mode.name);
        !then.is_some_and(|then| within(now.hash, then.hash) && within(now.rest, then.rest))
    }

    /// Prints the counts beside the recorded ones. Whether the check passes.
    pub fn report(&self, counted: &[(&Mode, Counted)]) -> io::Result<bool> {
        println!("{:22}{:>10}{:>10}{:>10}{:>10}", "", "hash", "recorded", "rest", "recorded");
        for row in counted {
            let (now, then) = (Instructions::from(&row.1), self.modes.get(row.0.name));
            let (hash, rest) = then.map_or((0, 0), |then| (then.hash, then.rest));
            let verdict = if self.is_high(row) { "  too high" } else { "" };
            let name = row.0.name;
            println!("{name:22}{:10}{hash:10}{:10}{rest:10}{verdict}", now.hash, now.rest);
        }
        let made_with = made_with()?;
        if self.made_with != made_with {
            println!(
                "Not judged: recorded with {},\nand counted with {made_with}.",
                self.made_with
            );
            return Ok(true);
        }
        let passed = !counted.iter().any(|row| self.is_high(row));
        if !passed {
            println!(
                "Too far above the recorded count. Where it is worth it, record it:\n{UPDATE}"
            );
        }
        Ok(passed)
    }
}

/// Writes the file.
pub fn write(counted: &[(&Mode, Counted)]) -> io::Result<()> {
    let mut text = format!(
        "# Instructions of a request above those of the bare route. `overhead check` fails where\n\
         # one is more than {PERCENT} % higher, or {PERCENT_OF_THREADS} % with a directory. This file\n\
         # is written by\n\
         # {UPDATE}\n\
         made_with = \"{}\"\n\n[modes]\n",
        made_with()?
    );
    for (mode, counted) in counted {
        let Instructions { hash, rest } = counted.into();
        writeln!(text, "{} = {{ hash = {hash}, rest = {rest} }}", mode.name)
            .map_err(io::Error::other)?;
    }
    fs::write(PATH, text)
}

/// The compiler, the C library and what of the processor their code looks at.
fn made_with() -> io::Result<String> {
    let valgrind = first_line("valgrind", "--version")?;
    let libc = first_line("getconf", "GNU_LIBC_VERSION")?;
    Ok(format!("{}, {valgrind}, {libc}, {}", env!("RUSTC_VERSION"), processor()))
}

fn first_line(program: &str, argument: &str) -> io::Result<String> {
    let output = Command::new(program).arg(argument).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(target_arch = "x86_64")]
fn processor() -> String {
    let found = |has: bool, name| if has { name } else { "" };
    let avx2 = found(is_x86_feature_detected!("avx2"), " with AVX2");
    let aes = found(is_x86_feature_detected!("aes"), " with AES");
    format!("x86_64{avx2}{aes}")
}

#[cfg(not(target_arch = "x86_64"))]
fn processor() -> String {
    std::env::consts::ARCH.to_owned()
}

#[cfg(test)]
mod tests {
    use overhead::cost::Cost;

    use super::*;
    use crate::modes::OURS;

    #[test]
    fn a_count_may_grow_by_three_percent() {
        let recorded: Recorded = Figment::from(Toml::string(
            "made_with = \"\"\n[modes]\nmemory-read = { hash = 10000, rest = 20000 }",
        ))
        .extract()
        .unwrap();
        let is_high = |name: &str, hash: u64, rest: u64| {
            let mode = OURS.iter().find(|mode| mode.name == name).unwrap();
            let cost = Cost { hash, rest, heap: 0 };
            recorded.is_high(&(mode, Counted { bare: Cost::default(), mode: cost }))
        };
        assert!(!is_high("memory-read", 10_300, 20_600));
        assert!(is_high("memory-read", 10_321, 20_000));
        assert!(is_high("memory-read", 0, 20_621));
        assert!(is_high("memory-write", 0, 0), "nothing is recorded of it");
    }
}
