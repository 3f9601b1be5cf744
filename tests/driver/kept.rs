//! What the model keeps of a session, and what its client holds.

use crate::app::{ABSOLUTE, IDLE, TOUCH_AFTER};
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
    /// The id before the last renewal, and when that was.
    pub previous: Option<(usize, u64)>,
    pub ended: bool,
    /// How many logins went on in its record.
    pub logins: u32,
    /// How often it was written.
    pub writes: u32,
}

/// A session, as a request met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented {
    pub session: usize,
    pub logins: u32,
    /// The request has found it to be over.
    pub lost: bool,
}

/// In seconds since the run began.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub created: u64,
    pub seen: u64,
    /// The idle timeout; its own if `expires_in` gave it one.
    pub idle: u64,
}

impl Times {
    pub fn expires(&self) -> u64 {
        (self.seen + self.idle).min(self.created + ABSOLUTE)
    }

    /// Whether the expiry is due for a refresh: after `touch_after`, or sooner
    /// after a tenth of an idle time of its own.
    pub fn touch_due(&self, now: u64) -> bool {
        let age = now - self.seen;
        age >= TOUCH_AFTER || self.idle != IDLE && age * 10 >= self.idle
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
