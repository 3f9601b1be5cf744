//! What the model keeps of a session, and what its client holds.

use crate::app::{ABSOLUTE, IDLE, TOUCH_AFTER};
use crate::scenario::Place;
use crate::trace::Value;

/// What a session is known by: `id()`, and what `csrf_token()` hangs on.
/// Numbers of the model's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names {
    pub id: usize,
    pub csrf: usize,
}

/// A session: its record, or with client storage what its owner is told of it.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    pub value: Value,
    pub times: Times,
    pub names: Names,
    /// The id before the last renewal.
    pub previous: Option<Previous>,
    /// When the id was last renewed, or the last renewal that came by itself complete.
    pub renewed: u64,
    pub ended: bool,
    /// The client session has ended by a renewal: the id of the token that takes its
    /// place. Sent again, it is no end.
    pub moves: Option<usize>,
    /// The login that replaced it, if one did.
    pub replaced: Option<Login>,
    /// How often it was written.
    pub writes: u32,
}

/// The id before a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Previous {
    pub id: usize,
    /// Until when it opens the session; none before the next id is first shown.
    pub until: Option<u64>,
}

/// A login over a session: when it was, and the session that it began.
#[derive(Clone, Copy, Debug)]
pub struct Login {
    pub at: u64,
    pub successor: usize,
}

/// A session, as a request met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented {
    pub session: usize,
    /// The request has found it to be over.
    pub lost: bool,
}

impl Presented {
    pub fn new(session: usize) -> Self {
        Self { session, lost: false }
    }
}

/// In seconds, and a date since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    #[default]
    Configured,
    Idle(u64),
    Until(u64),
    Browser,
}

/// In seconds since the run began.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub created: u64,
    pub seen: u64,
    pub lifetime: Lifetime,
}

impl Times {
    /// So long after its last use a session may be due for a refresh: after
    /// `touch_after`, or sooner after a tenth of an idle time of its own.
    fn interval(&self) -> u64 {
        match self.lifetime {
            Lifetime::Idle(idle) => TOUCH_AFTER.min(idle / 10),
            _ => TOUCH_AFTER,
        }
    }

    /// The idle time counts from the last use, which may be an interval younger than
    /// what is written down.
    pub fn expires(&self) -> u64 {
        let end = match self.lifetime {
            Lifetime::Configured | Lifetime::Browser => self.seen + IDLE + self.interval(),
            Lifetime::Idle(idle) => self.seen + idle + self.interval(),
            Lifetime::Until(end) => end,
        };
        end.min(self.created + ABSOLUTE)
    }

    /// Whether the expiry is due for a refresh. The client's token for a session until
    /// a date has none.
    pub fn touch_due(&self, now: u64, place: Place) -> bool {
        let dated = matches!(self.lifetime, Lifetime::Until(_)) && !place.on_server();
        !dated && now - self.seen >= self.interval()
    }

    /// The `Max-Age` of its cookie: at least a second.
    pub fn max_age(&self, now: u64, place: Place) -> Option<u64> {
        let id = place.on_server();
        Some(match self.lifetime {
            Lifetime::Browser => return None,
            Lifetime::Configured if id => ABSOLUTE,
            Lifetime::Configured => IDLE + TOUCH_AFTER,
            // An id is not sent again by a refresh.
            Lifetime::Idle(_) if id => self.created + ABSOLUTE - now,
            Lifetime::Idle(_) | Lifetime::Until(_) => self.expires().saturating_sub(now).max(1),
        })
    }
}

/// What a client holds. With client storage it holds the session itself.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub session: usize,
    pub names: Names,
    pub value: Value,
    pub times: Times,
}
