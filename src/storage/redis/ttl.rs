//! How long the server keeps records, marks and indexes.

use std::time::Duration;

use crate::storage::Timestamp;

/// A record that is written longer than this after its entry was reserved is refused.
pub(super) const LOGIN_SECONDS: u64 = 30;
/// An entry that has had no record for this long never gets one.
pub(super) const SETTLED_SECONDS: u64 = 2 * LOGIN_SECONDS;
/// Marks and generations are only needed as long as a login may still be running.
pub(super) const MARK: Duration = Duration::from_secs(2 * SETTLED_SECONDS);
pub(super) const GENERATION: Duration = Duration::from_secs(86_400);
/// Redis needs a finite TTL.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// How long Redis keeps a record, in milliseconds. At least one.
pub(super) fn ttl(expires: Timestamp, now: Timestamp) -> u64 {
    millis(expires.since(now).min(LONGEST)).max(1)
}

/// The TTL of an index. It is longer than that of the records, in case one renewal of the TTL is
/// lost.
pub(super) fn index_ttl(expires: Timestamp, now: Timestamp) -> u64 {
    2 * ttl(expires, now) + millis(GENERATION)
}
