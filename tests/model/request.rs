//! A request: what it wants, how far it is, and how it settles what it does not know.

use crate::rules::Rules;
use crate::storage::{Operation, Record, Tick, Version};

/// How a request comes to name a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Known {
    /// It was there before the run.
    Always,
    /// The client was given the id by this login.
    From(usize),
    /// The owner's sessions are listed.
    Listed,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Task {
    /// Applies its own update once, on one of the nodes.
    Update {
        key: usize,
        node: usize,
        known: Known,
    },
    /// The same, and may give its changes up: `discard()`, or a 5xx.
    Discard {
        key: usize,
        node: usize,
    },
    Login {
        key: usize,
    },
    /// Replaces the session under the key `old`.
    LoginOver {
        key: usize,
        old: usize,
    },
    End {
        key: usize,
        known: Known,
    },
    RevokeOwner,
}

impl Task {
    pub fn key(self) -> usize {
        match self {
            Self::Update { key, .. }
            | Self::Discard { key, .. }
            | Self::Login { key }
            | Self::LoginOver { key, .. }
            | Self::End { key, .. } => key,
            Self::RevokeOwner => 0,
        }
    }

    /// The node of a request that updates.
    pub fn updates_on(self) -> Option<usize> {
        match self {
            Self::Update { node, .. } | Self::Discard { node, .. } => Some(node),
            _ => None,
        }
    }

    /// Logins are on the first node, ends on the second.
    pub fn node(self) -> usize {
        self.updates_on()
            .unwrap_or(usize::from(matches!(self, Self::End { .. } | Self::RevokeOwner)))
    }

    pub fn is_login(self) -> bool {
        matches!(self, Self::Login { .. } | Self::LoginOver { .. })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Acknowledged,
    /// The session is over.
    Ended,
    /// `Storage`: nobody can tell any more whether it was applied.
    Unknown,
    /// `Conflict`: replayed too often.
    Conflict,
    /// A create whose answer was lost, and whose key was ended.
    Failed,
    /// A create that met a mark or another generation.
    Revoked,
    /// A create that took the record under its key for another's.
    Exists,
    /// Discarded; settling found that it was not applied …
    Dropped,
    /// … or that it was.
    Kept,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Idle,
    Waiting,
    /// The answer was lost, or the future dropped.
    Unsettled,
    Done(Outcome),
}

/// A write that may or may not have been applied.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    pub expected: Version,
    pub record: Record,
    /// Of the owner, for a create.
    pub generation: u8,
}

impl Attempt {
    pub fn create(&self, task: Task) -> Operation {
        let Self { expected, record, generation } = self.clone();
        match task {
            Task::LoginOver { old, .. } => Operation::Succeed { record, generation, old, expected },
            _ => Operation::Create { record, generation },
        }
    }

    pub fn update(&self) -> Operation {
        Operation::Update { expected: self.expected, record: self.record.clone() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    pub phase: Phase,
    /// Stays until it is settled.
    pub attempt: Option<Attempt>,
    /// How many versions were drawn.
    pub drawn: u8,
    /// Whether the attempt met a conflict.
    pub conflict: bool,
    pub discarded: bool,
    /// Only the properties look at these: sent again unchanged, decided by
    /// settling, once without an answer that anybody can give, settled while it was
    /// under way.
    pub resent: bool,
    pub settled: bool,
    pub beyond: bool,
    pub late: bool,
}

impl Request {
    pub const NEW: Self = Self {
        phase: Phase::Idle,
        attempt: None,
        drawn: 0,
        conflict: false,
        discarded: false,
        resent: false,
        settled: false,
        beyond: false,
        late: false,
    };

    pub fn is(&self, outcome: Outcome) -> bool {
        self.phase == Phase::Done(outcome)
    }
}

/// The version that a request draws as its `drawn`th.
pub fn version(request: usize, drawn: u8) -> Version {
    10 * (u8::try_from(request).unwrap_or(u8::MAX) + 1) + drawn
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Applied,
    StillExpected,
    NotApplied,
    Unknown,
    Gone,
}

/// What the record says about an attempt.
pub fn settle(rules: &Rules, attempt: &Attempt, record: Option<&Record>) -> Verdict {
    let Some(record) = record else { return Verdict::Gone };
    if rules.own_version_sought && record.remembers(attempt.record.version) {
        Verdict::Applied
    } else if record.version == attempt.expected {
        Verdict::StillExpected
    } else if !rules.only_own_version_counts {
        Verdict::Applied
    } else if record.remembers(attempt.expected) {
        Verdict::NotApplied
    } else {
        Verdict::Unknown
    }
}

/// How a writer cuts the trail.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// Anywhere: whatever the limits and the clocks are.
    Anywhere,
    /// By number, and by how long ago a version was replaced.
    Bounded { longest: usize, window: Tick },
}

/// The trail of the write that replaces `base` at `now`; of `Anywhere`, `kept` versions.
pub fn trail(
    rules: &Rules,
    cut: Cut,
    base: &Record,
    now: Tick,
    kept: usize,
) -> Vec<(Version, Tick)> {
    if !rules.trail_kept {
        return Vec::new();
    }
    let mut trail = base.trail.clone();
    trail.push((base.version, now));
    let longest = match cut {
        Cut::Anywhere => kept,
        Cut::Bounded { longest, window } => {
            let recent = |&(_, replaced): &(Version, Tick)| replaced >= now - window;
            if rules.trail_without_holes {
                let old = trail.iter().take_while(|former| !recent(former)).count();
                trail.drain(..old);
            } else {
                trail.retain(recent);
            }
            longest
        }
    };
    trail.drain(..trail.len().saturating_sub(longest));
    trail
}
