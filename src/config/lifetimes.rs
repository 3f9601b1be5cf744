//! How long sessions and their cookies live and keep their ids, and how long a storage may take.

use std::time::Duration;

use super::SessionConfig;
use super::settings::TransportSettings;
use crate::expiry::Timeouts;
use crate::table::{Table, Timeout, duration_text};

/// Ktor's default lifetime.
const IDLE: Duration = Duration::from_secs(7 * 86_400);
/// The limit of NIST SP 800-63B for AAL1.
const ABSOLUTE: Duration = Duration::from_secs(30 * 86_400);
/// How long the previous id stays valid after a request has shown the new id of a periodic
/// renewal.
const RENEWAL_GRACE: Duration = Duration::from_secs(60);
const LONGEST_RENEWAL_GRACE: Duration = Duration::from_secs(3600);
const STORAGE_TIMEOUT: Duration = Duration::from_secs(2);
const SHORTEST_STORAGE_TIMEOUT: Duration = Duration::from_millis(1);
const LONGEST_STORAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// A session's timeouts as its table states them, before its cookie is known.
pub(super) struct LifetimeTable {
    idle: Duration,
    absolute: Duration,
    touch_after: Option<Duration>,
}

impl LifetimeTable {
    /// Reads the timeouts. If the table has only one of the two, the default of the other is
    /// adjusted to it. Without an idle timeout, the absolute one takes its place.
    pub fn read(table: &mut Table<'_, '_>, config: &SessionConfig) -> Self {
        let absolute = positive(table, "absolute_timeout", config.absolute_timeout);
        let (idle, absolute) = match (config.idle_timeout, absolute) {
            (Some(Timeout::After(idle)), Some(absolute)) => (idle, absolute),
            (Some(Timeout::After(idle)), None) => (idle, ABSOLUTE.max(idle)),
            (Some(Timeout::Never), absolute) => {
                let absolute = absolute.unwrap_or(ABSOLUTE);
                (absolute, absolute)
            }
            (None, Some(absolute)) => (IDLE.min(absolute), absolute),
            (None, None) => (IDLE, ABSOLUTE),
        };
        if idle > absolute {
            let (name, absolute) =
                (table.beside("absolute_timeout", "idle_timeout"), duration_text(absolute));
            table.problem(
                "idle_timeout",
                format!("longer than `{name}` ({absolute}), so it could never end a session; write a shorter one, or \"never\""),
            );
        }
        let touch_after = config.touch_after;
        if touch_after.is_some_and(|touch_after| touch_after >= idle) {
            let (name, idle) = (table.beside("idle_timeout", "touch_after"), duration_text(idle));
            table.problem(
                "touch_after",
                format!("must be shorter than `{name}` ({idle}), or sessions in use would end; write a shorter one, or remove it"),
            );
        }
        Self { idle, absolute, touch_after }
    }

    /// The default `Max-Age` of a cookie, which is as long as its session can last. The cookie of
    /// an id does not depend on the idle timeout.
    pub fn max_age(&self, on_server: bool, writes_ktor: bool) -> Duration {
        match (on_server, writes_ktor) {
            (true, _) => self.absolute,
            // A token in Ktor's format has no room for the time of its last use.
            (false, true) => self.idle,
            (false, false) => {
                let latest = self.latest();
                let part_of_second = u64::from(latest.subsec_nanos() > 0);
                Duration::from_secs(latest.as_secs() + part_of_second)
            }
        }
    }

    /// How long a session can live without being used.
    fn latest(&self) -> Duration {
        let touch_after = self.touch_after.unwrap_or(self.idle / 10);
        self.idle.saturating_add(touch_after).min(self.absolute)
    }

    /// Completes the timeouts and reads those of renewals.
    pub fn timeouts(
        self,
        table: &mut Table<'_, '_>,
        config: &SessionConfig,
        transport: &TransportSettings,
        on_server: bool,
    ) -> Timeouts {
        let max_age = match transport {
            TransportSettings::Cookie(cookie) => cookie.max_age,
            _ => None,
        };
        self.check_max_age(table, max_age, on_server);
        let Self { idle, absolute, touch_after } = self;
        let smaller = max_age.map_or(idle, |max_age| max_age.min(idle));
        let touch_after = touch_after.unwrap_or(smaller / 10);
        let renew_after = read_renew_after(table, config, absolute);
        let renewal_grace = read_renewal_grace(table, config, renew_after.is_some());
        let renew_after = renew_after.filter(|_| on_server);
        Timeouts { idle, absolute, touch_after, renewal_grace, renew_after }
    }

    /// Compares the lifetime of a cookie with that of its session.
    fn check_max_age(&self, table: &mut Table<'_, '_>, max_age: Option<Duration>, on_server: bool) {
        let Some(max_age) = max_age.filter(|_| table.has("cookie.max_age")) else { return };
        let age = duration_text(max_age);
        let life = if on_server { self.absolute } else { self.latest() };
        if self.touch_after.is_some_and(|touch_after| touch_after >= max_age) {
            table.problem("touch_after", format!("must be shorter than `cookie.max_age` ({age}), or the cookies of sessions in use would end; write a shorter one, or remove it"));
        } else if max_age > life {
            let life = duration_text(life);
            table.warning("cookie.max_age", &format!("the cookie ({age}) outlives its session, which lives for {life} without being used; write a longer `idle_timeout` or `absolute_timeout`"));
        } else if max_age < self.idle {
            let idle = duration_text(self.idle);
            table.warning("cookie.max_age", &format!("the cookie ({age}) ends before the `idle_timeout` ({idle}) of its session; if that is intended, write the same `idle_timeout`"));
        }
    }
}

/// Refuses a duration of zero.
pub(super) fn positive(
    table: &mut Table<'_, '_>,
    key: &str,
    duration: Option<Duration>,
) -> Option<Duration> {
    let is_zero = duration.is_some_and(|duration| duration.is_zero());
    if is_zero {
        table.problem(key, "must be longer than zero, e.g. \"30 minutes\"");
    }
    duration.filter(|_| !is_zero)
}

fn read_renew_after(
    table: &mut Table<'_, '_>,
    config: &SessionConfig,
    absolute: Duration,
) -> Option<Duration> {
    let renew_after = after(config.renew_after)?;
    if renew_after >= absolute {
        let absolute = duration_text(absolute);
        table.problem("renew_after", format!("must be shorter than `absolute_timeout` ({absolute}), or no id would be renewed; write a shorter one, or \"never\""));
    }
    Some(renew_after)
}

fn read_renewal_grace(table: &mut Table<'_, '_>, config: &SessionConfig, renews: bool) -> Duration {
    let default = if renews { RENEWAL_GRACE } else { Duration::ZERO };
    let Some(grace) = config.renewal_grace else { return default };
    if grace > LONGEST_RENEWAL_GRACE {
        table.problem("renewal_grace", "at most one hour: who has stolen the former id could use it for as long; write e.g. \"60 seconds\"");
    } else if !renews && !table.is_for_all("renewal_grace") {
        table.warning("renewal_grace", "has no effect without `renew_after`; remove it");
    }
    grace
}

/// The limit is one minute because a write with a lost answer can be found for two; see
/// `by_id::settle`.
pub(super) fn read_storage_timeout(table: &mut Table<'_, '_>, config: &SessionConfig) -> Duration {
    let timeout = config.storage_timeout.unwrap_or(STORAGE_TIMEOUT);
    if !(SHORTEST_STORAGE_TIMEOUT..LONGEST_STORAGE_TIMEOUT).contains(&timeout) {
        let message =
            "must be at least a millisecond and shorter than one minute, e.g. \"2 seconds\"";
        table.problem("storage_timeout", message);
    }
    timeout
}

/// The duration of a timeout. `None` for "never" and for a missing key.
pub(super) fn after(timeout: Option<Timeout>) -> Option<Duration> {
    match timeout {
        Some(Timeout::After(duration)) => Some(duration),
        Some(Timeout::Never) | None => None,
    }
}
