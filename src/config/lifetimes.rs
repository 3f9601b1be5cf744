//! How long sessions and their cookies live and keep their ids, and how long a storage may take.

use std::time::Duration;

use figment::value::Value;

use super::types::TransportConfig;
use crate::expiry::Timeouts;
use crate::table::Table;

/// Ktor's default lifetime.
const IDLE: Duration = Duration::from_secs(7 * 86_400);
/// The limit of NIST SP 800-63B for AAL1.
const ABSOLUTE: Duration = Duration::from_secs(30 * 86_400);
/// How long the previous id stays valid after a request has shown the new id of a periodic
/// renewal.
const RENEWAL_GRACE: Duration = Duration::from_secs(60);
const STORAGE_TIMEOUT: Duration = Duration::from_secs(2);
const LONGEST_STORAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// A session's timeouts as its table states them, before its cookie is known.
pub(super) struct LifetimeTable {
    idle: Duration,
    absolute: Duration,
    touch_after: Option<Duration>,
}

impl LifetimeTable {
    /// Reads the timeouts. If the table has only one of the two, the default of the other is
    /// adjusted to it.
    pub fn read(table: &mut Table<'_, '_>) -> Self {
        let given = (table.duration("idle_timeout"), table.duration("absolute_timeout"));
        let (idle, absolute) = match given {
            (Some(idle), Some(absolute)) => (idle, absolute),
            (Some(idle), None) => (idle, ABSOLUTE.max(idle)),
            (None, Some(absolute)) => (IDLE.min(absolute), absolute),
            (None, None) => (IDLE, ABSOLUTE),
        };
        if idle > absolute {
            table.problem(
                "idle_timeout",
                "longer than `absolute_timeout`, so it could never end a session; shorten it",
            );
        }
        Self { idle, absolute, touch_after: table.duration_or_zero("touch_after") }
    }

    /// The default `Max-Age` of a cookie, which is as long as its session can last. The cookie of
    /// an id does not depend on the idle timeout.
    pub fn max_age(&self, on_server: bool, writes_ktor: bool) -> Duration {
        match (on_server, writes_ktor) {
            (true, _) => self.absolute,
            // A token in Ktor's format has no room for the time of its last use.
            (false, true) => self.idle,
            (false, false) => {
                let touch_after = self.touch_after.unwrap_or(self.idle / 10);
                let latest = self.idle.saturating_add(touch_after);
                let part_of_second = u64::from(latest.subsec_nanos() > 0);
                Duration::from_secs(latest.as_secs() + part_of_second).min(self.absolute)
            }
        }
    }

    /// Completes the timeouts and reads those of renewals.
    pub fn timeouts(self, table: &mut Table<'_, '_>, transport: &TransportConfig) -> Timeouts {
        let Self { idle, absolute, touch_after } = self;
        let smaller = match transport {
            TransportConfig::Cookie(cookie) => cookie.max_age.map_or(idle, |age| age.min(idle)),
            _ => idle,
        };
        let touch_after = touch_after.unwrap_or(smaller / 10);
        let renew_after = read_duration_or_never(table, "renew_after");
        let grace = table.duration_or_zero("renewal_grace");
        if grace.is_some() && renew_after.is_none() {
            table.warning("renewal_grace", "has no effect without `renew_after`; remove it");
        }
        let default = if renew_after.is_some() { RENEWAL_GRACE } else { Duration::ZERO };
        let renewal_grace = grace.unwrap_or(default);
        Timeouts { idle, absolute, touch_after, renewal_grace, renew_after }
    }
}

/// The limit is one minute because a write with a lost answer can be found for two; see
/// `by_id::settle`.
pub(super) fn read_storage_timeout(table: &mut Table<'_, '_>) -> Duration {
    let timeout = table.duration("storage_timeout").unwrap_or(STORAGE_TIMEOUT);
    if timeout >= LONGEST_STORAGE_TIMEOUT {
        table.problem("storage_timeout", "must be shorter than one minute, e.g. \"2 seconds\"");
    }
    timeout
}

/// Reads a duration. `None` for the word "never" and for a missing key.
pub(super) fn read_duration_or_never(
    table: &mut Table<'_, '_>,
    key: &'static str,
) -> Option<Duration> {
    match table.value(key) {
        Some(Value::String(_, word)) if word == "never" => None,
        _ => table.duration(key),
    }
}
