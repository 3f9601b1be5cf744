//! Runs the scenarios of one storage and tells what they show.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::str::FromStr;
use std::time::Instant;

use crate::app::PANIC;
use crate::check::{Aspect, Deviation};
use crate::generate::{THREES, chosen, pairwise, random, three};
use crate::scenario::{Place, Scenario};
use crate::shrink::{first, shrink};
use crate::worlds::Worlds;

/// Random sequences for each storage, unless `DRIVER_SEQUENCES` says how many.
const SEQUENCES: u64 = 2000;
/// With so many random sequences, those of three calls run under all settings.
const MANY: u64 = 500_000;
/// The seeds below are sequences of three calls; from here on, chosen ones.
const FIRST_CHOSEN: u64 = 9_000_000;
/// The seeds from here on are random sequences. `DRIVER_FIRST` begins with a later one.
const FIRST_RANDOM: u64 = 10_000_000;
/// At most so many kinds of deviations are made smaller and printed.
const KINDS: usize = 200;

fn variable<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// A storage's run.
struct Drive {
    place: Place,
    worlds: Worlds,
    keep_going: bool,
    /// Aspects that are not compared: `DRIVER_IGNORE=created,expires`.
    known: Vec<Aspect>,
    sequences: usize,
    calls: usize,
    /// How often each kind of deviation was met.
    kinds: BTreeMap<String, (usize, String)>,
}

/// Everything for one storage.
pub async fn drive(place: Place) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.to_string().contains(PANIC) {
            hook(info);
        }
    }));
    let mut drive = Drive {
        place,
        worlds: Worlds::default(),
        keep_going: variable::<u8>("DRIVER_KEEP_GOING") == Some(1),
        known: known(),
        sequences: 0,
        calls: 0,
        kinds: BTreeMap::new(),
    };
    let started = Instant::now();
    if let Some(seed) = variable("DRIVER_SEED") {
        drive.seed(seed).await;
    } else {
        drive.chosen().await;
        drive.threes().await;
        drive.randoms().await;
    }
    drive.summary(started);
}

fn known() -> Vec<Aspect> {
    let ignored = std::env::var("DRIVER_IGNORE").unwrap_or_default().to_lowercase();
    let ignored: Vec<_> = ignored.split(',').collect();
    let all = Aspect::ALL.into_iter();
    all.filter(|aspect| ignored.contains(&format!("{aspect:?}").to_lowercase().as_str())).collect()
}

impl Drive {
    /// Every sequence of three calls, under one row of settings each, or all.
    async fn threes(&mut self) {
        let rows = pairwise();
        let all = variable::<u64>("DRIVER_SEQUENCES").is_some_and(|count| count >= MANY);
        for number in 0..THREES {
            for (at, row) in rows.iter().enumerate() {
                if all || number % rows.len() == at {
                    let seed = u64::try_from(number * rows.len() + at).expect("a number");
                    self.one(&three(self.place, number, *row), seed).await;
                }
            }
        }
    }

    async fn chosen(&mut self) {
        for (seed, scenario) in (FIRST_CHOSEN..).zip(chosen(self.place)) {
            self.one(&scenario, seed).await;
        }
    }

    async fn randoms(&mut self) {
        let count = variable("DRIVER_SEQUENCES").unwrap_or(SEQUENCES);
        let first: u64 = variable("DRIVER_FIRST").unwrap_or(FIRST_RANDOM);
        for number in 0..count {
            // The same seeds every time, so that a failure is met again.
            let seed = first + number;
            self.one(&random(self.place, seed), seed).await;
        }
    }

    async fn seed(&mut self, seed: u64) {
        if seed >= FIRST_RANDOM {
            return self.one(&random(self.place, seed), seed).await;
        }
        if seed >= FIRST_CHOSEN {
            return self.chosen().await;
        }
        let rows = pairwise();
        let number = usize::try_from(seed).expect("a number");
        let scenario = three(self.place, number / rows.len(), rows[number % rows.len()]);
        self.one(&scenario, seed).await;
    }

    async fn one(&mut self, scenario: &Scenario, seed: u64) {
        self.sequences += 1;
        self.calls += scenario.steps.len();
        let found = first(&mut self.worlds, scenario, &self.known).await;
        if found.is_empty() {
            return;
        }
        if !self.keep_going {
            let text = self.explain(scenario, seed, found[0].clone()).await;
            panic!("{text}");
        }
        let mut kinds = Vec::new();
        for deviation in found {
            let kind = deviation.kind();
            if !kinds.contains(&kind) {
                kinds.push(kind);
                self.count(scenario, seed, deviation).await;
            }
        }
    }

    async fn count(&mut self, scenario: &Scenario, seed: u64, deviation: Deviation) {
        let kind = deviation.kind();
        if let Some((times, _)) = self.kinds.get_mut(&kind) {
            *times += 1;
        } else if self.kinds.len() < KINDS {
            let text = self.explain(scenario, seed, deviation).await;
            self.kinds.insert(kind, (1, text));
        }
    }

    /// The smallest scenario that shows the deviation, in words.
    async fn explain(&mut self, scenario: &Scenario, seed: u64, deviation: Deviation) -> String {
        let (small, deviation) =
            shrink(&mut self.worlds, scenario.clone(), deviation, &self.known).await;
        let Deviation { place, aspect, expected, got } = deviation;
        format!(
            "{small}\n  deviates at: {place}: {aspect:?}\n    expected {expected}\n    got      {got}\n  found with DRIVER_SEED={seed}"
        )
    }

    fn summary(&self, started: Instant) {
        let (place, sequences, calls) = (self.place, self.sequences, self.calls);
        let seconds = started.elapsed().as_secs_f64();
        let mut text =
            format!("driver, {place:?}: {sequences} sequences, {calls} calls in {seconds:.1} s\n");
        for (kind, (times, example)) in &self.kinds {
            let _ = writeln!(text, "\n{place:?}, {kind}: {times} times\n{example}");
        }
        // Also where the test harness keeps what tests print.
        let _ = std::io::stderr().write_all(text.as_bytes());
        assert!(self.kinds.is_empty(), "{place:?}: {} kinds of deviations", self.kinds.len());
    }
}
