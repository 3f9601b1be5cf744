//! Compares what a run showed with the model.

use std::collections::HashMap;

use crate::choices::Choices;
use crate::kept::{Kept, Token};
use crate::model::Model;
use crate::scenario::*;
use crate::trace::*;
use crate::view::View;

/// Where a run and the contract part.
#[derive(Clone, Debug)]
pub struct Deviation {
    /// The call, or what else was looked at.
    pub place: String,
    pub aspect: Aspect,
    pub expected: String,
    pub got: String,
}

impl Deviation {
    /// What tells it from others: all but the numbers.
    pub fn kind(&self) -> String {
        let Self { place, aspect, expected, got } = self;
        let text = format!("{aspect:?} at {place}: {got} for {expected}");
        text.replace(|c: char| c.is_ascii_digit(), "")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aspect {
    Value,
    Answer,
    Status,
    Sent,
    Upgrade,
    Records,
    Id,
    Csrf,
    Created,
    Expires,
    Lifetime,
    MaxAge,
}

impl Aspect {
    pub const ALL: [Self; 12] = [
        Self::Value,
        Self::Answer,
        Self::Status,
        Self::Sent,
        Self::Upgrade,
        Self::Records,
        Self::Id,
        Self::Csrf,
        Self::Created,
        Self::Expires,
        Self::Lifetime,
        Self::MaxAge,
    ];

    /// A deviation in what is only told does not change what comes after it.
    fn is_told(self) -> bool {
        matches!(
            self,
            Self::Id | Self::Csrf | Self::Created | Self::Expires | Self::Lifetime | Self::MaxAge
        )
    }
}

/// It deviates, and nothing that comes later can be compared.
pub struct Stop;

/// One run, replayed on the model with certain choices.
pub struct Check {
    pub model: Model,
    pub tokens: HashMap<usize, Token>,
    /// Real ids and CSRF tokens, by the model's names.
    ids: HashMap<usize, usize>,
    csrf: HashMap<usize, usize>,
    found: Vec<Deviation>,
    /// How many comparisons were made.
    compared: usize,
    /// Names the run before the first request of the scenario and after it.
    pub chapter: &'static str,
}

/// What is wrong with a run; empty if some choices of the model agree with it.
/// Otherwise the deviations from those choices that agree the longest.
pub fn deviations(scenario: &Scenario, record: &Record) -> Vec<Deviation> {
    let mut choices = Choices::default();
    let mut best: Option<((bool, usize), Vec<Deviation>)> = None;
    for _ in 0..MOST_CHOICES {
        let mut check = Check::new(scenario.settings, choices);
        let whole = !matches!(check.run(scenario, record), Err(Stop));
        if check.found.is_empty() {
            return Vec::new();
        }
        let rank = (whole, if whole { usize::MAX - check.found.len() } else { check.compared });
        match &mut best {
            Some((before, found)) if *before == rank => also_expects(found, &check.found),
            Some((before, _)) if *before > rank => {}
            _ => best = Some((rank, check.found)),
        }
        match check.model.choices.advance() {
            Some(next) => choices = next,
            None => break,
        }
    }
    best.map(|(_, found)| found).unwrap_or_default()
}

/// More choices than any scenario has.
const MOST_CHOICES: usize = 2000;

/// Where several choices agree as long, either of what they expect would be right.
fn also_expects(found: &mut [Deviation], also: &[Deviation]) {
    for (found, also) in found.iter_mut().zip(also) {
        let same = found.place == also.place && found.aspect == also.aspect;
        if same && !found.expected.contains(&also.expected) {
            found.expected = format!("{} or {}", found.expected, also.expected);
        }
    }
}

impl Check {
    fn new(settings: Settings, choices: Choices) -> Self {
        Self {
            model: Model::new(settings, choices),
            tokens: HashMap::new(),
            ids: HashMap::new(),
            csrf: HashMap::new(),
            found: Vec::new(),
            compared: 0,
            chapter: "",
        }
    }

    pub fn equal<T: PartialEq + std::fmt::Debug>(
        &mut self,
        place: &str,
        aspect: Aspect,
        expected: &T,
        got: &T,
    ) -> Result<(), Stop> {
        self.compared += 1;
        if expected == got {
            return Ok(());
        }
        let (expected, got) = (format!("{expected:?}"), format!("{got:?}"));
        self.deviates(place, aspect, expected, got)
    }

    fn deviates(
        &mut self,
        place: &str,
        aspect: Aspect,
        expected: String,
        got: String,
    ) -> Result<(), Stop> {
        let place = format!("{}{place}", self.chapter);
        self.found.push(Deviation { place, aspect, expected, got });
        if aspect.is_told() { Ok(()) } else { Err(Stop) }
    }

    /// A deviation after which nothing can be compared.
    pub fn stops(&mut self, place: &str, aspect: Aspect, expected: &str, got: String) -> Stop {
        let _ = self.deviates(place, aspect, expected.to_owned(), got);
        Stop
    }

    pub fn seen(&mut self, place: &str, view: &mut View, seen: Seen) -> Result<(), Stop> {
        let told = view.told(&mut self.model);
        self.equal(place, Aspect::Value, &told.value, &seen.value)?;
        let on_server = self.model.settings.place.on_server();
        let id = told.id.filter(|_| on_server);
        let found = view.found.map(|found| found.names);
        let forms = found.map(|names| names.csrf).or(view.replaced.map(|one| one.csrf));
        self.named(place, Aspect::Id, (id, seen.id), found.map(|names| names.id))?;
        self.named(place, Aspect::Csrf, (told.csrf, seen.csrf), forms)?;
        let millis = |time: Option<u64>| time.map(|seconds| seconds * 1000);
        self.equal(place, Aspect::Created, &millis(told.created), &seen.created)?;
        let [plain, touched] = told.expires.map(millis);
        let expected = if seen.expires == touched { touched } else { plain };
        self.equal(place, Aspect::Expires, &expected, &seen.expires)?;
        self.equal(place, Aspect::Lifetime, &told.lifetime, &seen.lifetime)
    }

    /// Equal names of the model are one real name; a new one differs from that
    /// of the session that was found, and one session's from another's.
    fn named(
        &mut self,
        place: &str,
        aspect: Aspect,
        (name, real): (Option<usize>, Option<usize>),
        found: Option<usize>,
    ) -> Result<(), Stop> {
        let (Some(name), Some(real)) = (name, real) else {
            return self.equal(place, aspect, &name.is_some(), &real.is_some());
        };
        self.compared += 1;
        let of = |kept: &Kept| match aspect {
            Aspect::Id => kept.names.id,
            _ => kept.names.csrf,
        };
        let taken: Vec<_> = self.model.sessions.iter().map(of).collect();
        let known = if aspect == Aspect::Id { &mut self.ids } else { &mut self.csrf };
        let before = *known.entry(name).or_insert(real);
        if before != real {
            return self.deviates(place, aspect, format!("number {before}"), format!("{real}"));
        }
        let is_taken = taken.contains(&name);
        let others = known.iter().filter(|(other, its)| **other != name && **its == real);
        let mut others = others.map(|(other, _)| *other);
        if others.any(|other| found == Some(other) || is_taken && taken.contains(&other)) {
            return self.deviates(place, aspect, "a new one".into(), format!("number {real}"));
        }
        Ok(())
    }
}
