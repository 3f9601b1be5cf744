//! The older keys of a list: until when sessions need them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::expiry::{Clock, Timestamp};
use crate::guide::page;
use crate::table::duration_text;
use crate::token::Tokens;

/// No session outlives `absolute_timeout`. So once the keys that seal have done so for that long,
/// no live session has a token of an older key.
pub(super) struct OlderKeys {
    absolute: Duration,
    /// Since when the same keys seal, in milliseconds.
    since: AtomicU64,
    told: AtomicBool,
}

impl OlderKeys {
    pub fn new(absolute: Duration, now: Timestamp) -> Self {
        let since = AtomicU64::new(now.as_millis());
        Self { absolute, since, told: AtomicBool::default() }
    }

    /// Notes that other keys seal from now on.
    pub fn changed(&self, now: Timestamp) {
        self.since.store(now.as_millis(), Ordering::Relaxed);
        self.told.store(false, Ordering::Relaxed);
    }

    fn end(&self) -> Timestamp {
        Timestamp::from_millis(self.since.load(Ordering::Relaxed)).after(self.absolute)
    }

    /// What to do with a key that a live session has just needed.
    pub fn needed(&self, number: usize) -> String {
        let end = self.end().to_system_time().map(humantime::format_rfc3339_seconds);
        let end = end.map_or(String::new(), |end| format!(", at the latest until {end}"));
        format!(
            "a client presented a live session whose token is protected by key number {number} of the list. The key is still needed{end}: until `absolute_timeout` has passed since the last node began to protect new tokens with a newer key. See {}",
            page!("keys")
        )
    }

    /// Says once that older keys can be dropped, when no session can need them any more.
    pub fn needless(&self, tokens: &Tokens, clock: &Clock) -> Option<String> {
        let keys = tokens.older_keys();
        if keys.is_empty() || clock.now() < self.end() || self.told.swap(true, Ordering::Relaxed) {
            return None;
        }
        let (first, last) = (keys.start, keys.end - 1);
        let which = if first == last {
            format!("key number {first} of the list is")
        } else {
            format!("keys number {first} to {last} of the list are")
        };
        Some(format!(
            "{which} no longer needed: this node has protected new tokens with a newer key for as long as `absolute_timeout`, {}. Remove the older keys once every node has.",
            duration_text(self.absolute)
        ))
    }
}
