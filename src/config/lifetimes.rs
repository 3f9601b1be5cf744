//! How long sessions and their cookies live, and keep their ids.

use std::time::Duration;

use rocket::figment::value::Value;

use super::types::TransportConfig;
use crate::expiry::Timeouts;
use crate::table::Table;

/// Ktor's own default lifetime.
const IDLE: Duration = Duration::from_secs(7 * 86_400);
/// NIST SP 800-63B, AAL1.
const ABSOLUTE: Duration = Duration::from_secs(30 * 86_400);
/// How long the id before a periodic renewal opens a session after the new one was first
/// shown.
const RENEWAL_GRACE: Duration = Duration::from_secs(60);
const STORAGE_TIMEOUT: Duration = Duration::from_secs(2);
const LONGEST_STORAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// What is written of a session's life, before its cookie is known.
pub(super) struct Life {
    idle: Duration,
    absolute: Duration,
    touch_after: Option<Duration>,
}

impl Life {
    /// If only one of the two timeouts is given, the other's default gives way.
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

    /// How long a cookie lasts by default: as long as its session, and that of an id as
    /// long as the session ever could.
    pub fn max_age(&self, on_server: bool, writes_ktor: bool) -> Duration {
        match (on_server, writes_ktor) {
            (true, _) => self.absolute,
            // A token of Ktor's has no idle time to keep.
            (false, true) => self.idle,
            (false, false) => {
                let touch_after = self.touch_after.unwrap_or(self.idle / 10);
                let latest = self.idle.saturating_add(touch_after);
                let part_of_second = u64::from(latest.subsec_nanos() > 0);
                Duration::from_secs(latest.as_secs() + part_of_second).min(self.absolute)
            }
        }
    }

    /// How long sessions live and keep their ids.
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

/// Writes whose answers are lost can be found for two minutes; see `by_id::settle`.
pub(super) fn read_storage_timeout(table: &mut Table<'_, '_>) -> Duration {
    let timeout = table.duration("storage_timeout").unwrap_or(STORAGE_TIMEOUT);
    if timeout >= LONGEST_STORAGE_TIMEOUT {
        table.problem("storage_timeout", "must be shorter than one minute, e.g. \"2 seconds\"");
    }
    timeout
}

/// A duration; `None` for the word "never".
pub(super) fn read_duration_or_never(
    table: &mut Table<'_, '_>,
    key: &'static str,
) -> Option<Duration> {
    match table.value(key) {
        Some(Value::String(_, word)) if word == "never" => None,
        _ => table.duration(key),
    }
}
