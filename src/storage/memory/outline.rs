//! What can be read of each shard without its lock. It shows where to look for room when the
//! storage is full. A shard writes its own outline under its lock.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::storage::Timestamp;

const NEVER: u64 = u64::MAX;

/// The outline of one shard.
pub(super) struct Outline {
    /// When the oldest session began whose client has not come back. See
    /// [`Memory`](super::Memory).
    waiting: AtomicU64,
    /// No record of the shard expires before this time.
    expires: AtomicU64,
}

impl Default for Outline {
    fn default() -> Self {
        Self { waiting: AtomicU64::new(NEVER), expires: AtomicU64::new(NEVER) }
    }
}

impl Outline {
    /// Sets when the oldest session began whose client has not come back.
    pub fn set_waiting(&self, since: Option<Timestamp>) {
        let since = since.map_or(NEVER, |since| since.as_millis().min(NEVER - 1));
        self.waiting.store(since, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub fn waiting(&self) -> Option<u64> {
        Some(self.waiting.load(Ordering::Relaxed)).filter(|since| *since != NEVER)
    }

    /// Declares that no record expires before `first`.
    pub fn set_expires(&self, first: Timestamp) {
        self.expires.store(first.as_millis(), Ordering::Relaxed);
    }

    /// Adds a record that expires at `expires`. The shard's lock keeps other writers away.
    pub fn add_expires(&self, expires: Timestamp) {
        if expires.as_millis() < self.expires.load(Ordering::Relaxed) {
            self.set_expires(expires);
        }
    }

    /// Whether a record may have expired.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.expires.load(Ordering::Relaxed) <= now.as_millis()
    }
}

/// The shard with the oldest session whose client has not come back.
pub(super) fn longest_waiting(outlines: &[Outline]) -> Option<usize> {
    let (mut shard, mut oldest) = (None, NEVER);
    for (number, outline) in outlines.iter().enumerate() {
        let since = outline.waiting.load(Ordering::Relaxed);
        if since < oldest {
            (shard, oldest) = (Some(number), since);
        }
    }
    shard
}
