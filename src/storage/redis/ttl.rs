//! How long the server keeps what it is given.

use std::time::Duration;

use crate::storage::Timestamp;

/// A record that is written longer than this after its reservation is refused.
pub(super) const LOGIN_SECONDS: u64 = 30;
/// A reservation without a record for so long never gets one.
pub(super) const SETTLED_SECONDS: u64 = 2 * LOGIN_SECONDS;
/// Marks and generations need to outlast the logins under way only.
pub(super) const MARK: Duration = Duration::from_secs(2 * SETTLED_SECONDS);
pub(super) const GENERATION: Duration = Duration::from_secs(86_400);
/// Redis takes no TTL without end.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// How long Redis keeps a record; at least a millisecond.
pub(super) fn ttl(expires: Timestamp, now: Timestamp) -> u64 {
    millis(expires.since(now).min(LONGEST)).max(1)
}

/// An index outlives its records, should one miss a refresh.
pub(super) fn index_ttl(expires: Timestamp, now: Timestamp) -> u64 {
    2 * ttl(expires, now) + millis(GENERATION)
}
