//! The only place that judges time.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch. Arithmetic saturates and never panics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// How far a time may lie in the future: clocks of several machines differ.
const SKEW: Duration = Duration::from_secs(60);

impl Timestamp {
    /// The epoch; stands for "never" where a time is optional.
    pub const ZERO: Self = Self(0);

    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This instant and `duration` more; the far end of time if that overflows.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to this instant; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Timestamp {
    /// As the standard library's time, if that can represent it.
    pub fn to_system_time(self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms after the epoch", self.0)
    }
}

/// How long sessions of one definition live, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// Since last use.
    pub idle: Duration,
    /// Since creation.
    pub absolute: Duration,
    /// Refresh the expiry at most this often.
    pub touch_after: Duration,
    /// How long the id before the last renewal still opens a session.
    pub renewal_grace: Duration,
    /// How long a session keeps its id.
    pub renew_after: Option<Duration>,
}

/// A lifetime of a session's own, as tokens and records hold it: a byte for the
/// kind and seven for the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OwnLifetime {
    #[default]
    Configured,
    /// Seconds since last use.
    Idle(u64),
    /// Nothing writes this yet; it is kept as it was read.
    Until(Timestamp),
    /// Nothing writes this yet; it is kept as it was read.
    BrowserSession,
}

impl OwnLifetime {
    const MAX_VALUE: u64 = (1 << 56) - 1;

    pub fn to_bytes(self) -> [u8; 8] {
        let (kind, value) = match self {
            Self::Configured => (0, 0),
            Self::Idle(seconds) => (1, seconds),
            Self::Until(time) => (2, time.as_millis()),
            Self::BrowserSession => (3, 0),
        };
        (kind << 56 | value.min(Self::MAX_VALUE)).to_be_bytes()
    }

    /// `None` for an unknown kind and a value that its kind does not have.
    pub fn from_bytes(bytes: [u8; 8]) -> Option<Self> {
        let number = u64::from_be_bytes(bytes);
        match (bytes[0], number & Self::MAX_VALUE) {
            (0, 0) => Some(Self::Configured),
            (1, seconds @ 1..) => Some(Self::Idle(seconds)),
            (2, millis) => Some(Self::Until(Timestamp(millis))),
            (3, 0) => Some(Self::BrowserSession),
            _ => None,
        }
    }
}

/// The times of one session, from a token or a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub created: Timestamp,
    /// Issued (client storage) or last seen (server storage).
    pub seen: Timestamp,
    /// When its user last logged in; zero for never.
    pub authenticated: Timestamp,
    pub lifetime: OwnLifetime,
}

impl Times {
    /// The times of a session that begins now.
    pub fn begin(now: Timestamp, authenticated: bool) -> Self {
        let authenticated = if authenticated { now } else { Timestamp::ZERO };
        Self { created: now, seen: now, authenticated, lifetime: OwnLifetime::Configured }
    }

    /// The session's own idle time, if it has one.
    pub fn own_idle(&self) -> Option<Duration> {
        match self.lifetime {
            OwnLifetime::Idle(seconds) => Some(Duration::from_secs(seconds)),
            _ => None,
        }
    }

    /// The same session, seen now. A clock that jumped back moves nothing back.
    #[must_use]
    pub fn refreshed(self, now: Timestamp) -> Self {
        Self { seen: now.max(self.seen).max(self.created), ..self }
    }
}

impl Lifetime {
    /// When a session with these times ends.
    pub fn expires(&self, times: &Times) -> Timestamp {
        let idle = times.own_idle().unwrap_or(self.idle);
        times.seen.after(idle).min(times.created.after(self.absolute))
    }

    /// How long a client must keep the token of a session with an idle time of
    /// its own: until the absolute end for an id, which touches need not send
    /// again, else for that idle time. `None` leaves it to the configuration.
    pub fn own_max_age(&self, times: &Times, now: Timestamp, is_id: bool) -> Option<Duration> {
        let idle = times.own_idle()?;
        let rest = times.created.after(self.absolute).since(now);
        Some(if is_id { rest } else { idle.min(rest) })
    }

    /// Whether a session with these times lives at `now` (checklist S42–S45):
    /// not expired by the present configuration, nothing in the far future,
    /// not seen before it was created.
    pub fn admits(&self, times: &Times, now: Timestamp) -> bool {
        let horizon = now.after(SKEW);
        times.created <= horizon
            && times.seen <= horizon
            && times.authenticated <= horizon
            && times.created <= times.seen
            && now < self.expires(times)
    }

    /// Whether the id before a renewal at `renewed`, which gave it time `until`
    /// then, still opens its session: the present configuration may give it less.
    pub fn in_grace(&self, renewed: Timestamp, until: Timestamp, now: Timestamp) -> bool {
        renewed <= now.after(SKEW) && now < until && now.since(renewed) < self.renewal_grace
    }

    /// Whether a session that was last renewed at `renewed` is to take a new id.
    pub fn renewal_due(&self, times: &Times, renewed: Timestamp, now: Timestamp) -> bool {
        self.renew_after.is_some_and(|after| now.since(renewed.max(times.created)) >= after)
    }

    /// Whether an otherwise unchanged session is due for a refreshed expiry.
    pub fn touch_due(&self, times: &Times, now: Timestamp) -> bool {
        // A session that has less time than others is refreshed sooner.
        let own = times.own_idle().map_or(self.touch_after, |idle| idle / 10);
        now.since(times.seen) >= self.touch_after.min(own) && now > times.seen
    }
}

/// Where the core's time comes from.
#[derive(Clone, Default)]
pub(crate) enum Clock {
    #[default]
    System,
    /// Unix milliseconds that a test moves.
    #[cfg(feature = "testing")]
    Given(std::sync::Arc<std::sync::atomic::AtomicU64>),
}

impl Clock {
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => SystemTime::now().into(),
            #[cfg(feature = "testing")]
            Self::Given(millis) => Timestamp(millis.load(std::sync::atomic::Ordering::SeqCst)),
        }
    }

    /// A test moves it, and should not meet what goes on by itself meanwhile.
    pub fn is_moved(&self) -> bool {
        !matches!(self, Self::System)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const LIFETIME: Lifetime = Lifetime {
        idle: DAY,
        absolute: Duration::from_secs(3 * 86_400),
        touch_after: DAY,
        renewal_grace: Duration::from_secs(30),
        renew_after: Some(Duration::from_secs(3600)),
    };

    fn times(created: u64, seen: u64) -> Times {
        Times {
            created: Timestamp(created),
            seen: Timestamp(seen),
            authenticated: Timestamp::ZERO,
            lifetime: OwnLifetime::Configured,
        }
    }

    #[test]
    fn s42_idle_ends_a_session_at_the_exact_millisecond() {
        let day = 86_400_000;
        assert!(LIFETIME.admits(&times(1000, 1000), Timestamp(1000 + day - 1)));
        assert!(!LIFETIME.admits(&times(1000, 1000), Timestamp(1000 + day)));
    }

    #[test]
    fn s43_the_absolute_end_cannot_be_moved_by_use_or_override() {
        let end = 3 * 86_400_000;
        let busy = Times { lifetime: OwnLifetime::Idle(u64::MAX), ..times(0, end - 1) };
        assert!(LIFETIME.admits(&busy, Timestamp(end - 1)));
        assert!(!LIFETIME.admits(&busy, Timestamp(end)));
    }

    #[test]
    fn s45_future_inverted_and_overflowing_times_are_refused_without_panic() {
        let now = Timestamp(1_000_000);
        for (created, seen) in [
            (1_060_001, 1_060_001),
            (1_000_000, 1_060_001),
            (900_000, 800_000),
            (u64::MAX, u64::MAX),
            (0, u64::MAX),
        ] {
            assert!(!LIFETIME.admits(&times(created, seen), now), "{created} {seen}");
        }
        assert!(LIFETIME.admits(&times(1_060_000, 1_060_000), now));
        let login = Times { authenticated: Timestamp(u64::MAX), ..times(900_000, 900_000) };
        assert!(!LIFETIME.admits(&login, now));
        let forever = Lifetime { idle: Duration::MAX, absolute: Duration::MAX, ..LIFETIME };
        assert!(forever.admits(&times(0, 0), Timestamp(u64::MAX - 1)));
    }

    #[test]
    fn s67_a_grace_and_an_ids_age_end_at_the_exact_millisecond() {
        let renewed = Timestamp(1_000_000);
        for (now, expected) in
            [(939_999, false), (940_000, true), (1_029_999, true), (1_030_000, false)]
        {
            let until = renewed.after(LIFETIME.renewal_grace);
            assert_eq!(LIFETIME.in_grace(renewed, until, Timestamp(now)), expected, "{now}");
            let sooner = Timestamp(until.0 - 10_000);
            let expected = expected && now < sooner.0;
            assert_eq!(LIFETIME.in_grace(renewed, sooner, Timestamp(now)), expected, "{now}");
        }
        let hour = 3_600_000;
        let due = |renewed, now| LIFETIME.renewal_due(&times(500, 500), renewed, Timestamp(now));
        assert!(!due(Timestamp::ZERO, hour + 499) && due(Timestamp::ZERO, hour + 500));
        assert!(!due(renewed, 1_000_000 + hour - 1) && due(renewed, 1_000_000 + hour));
        assert!(!due(Timestamp(u64::MAX), 1));
    }

    #[test]
    fn a_lifetime_round_trips_and_no_other_bytes_read() {
        use OwnLifetime::{BrowserSession, Configured, Idle, Until};
        for (lifetime, kind, value) in [
            (Configured, 0, 0),
            (Idle(1), 1, 1),
            (Idle(OwnLifetime::MAX_VALUE), 1, OwnLifetime::MAX_VALUE),
            (Until(Timestamp(0)), 2, 0),
            (Until(Timestamp(1_700_000_000_000)), 2, 1_700_000_000_000),
            (BrowserSession, 3, 0),
        ] {
            let bytes = lifetime.to_bytes();
            assert_eq!(bytes, (kind << 56 | value).to_be_bytes());
            assert_eq!(OwnLifetime::from_bytes(bytes), Some(lifetime));
        }
        assert_eq!(Idle(u64::MAX).to_bytes(), Idle(OwnLifetime::MAX_VALUE).to_bytes());
        for (kind, value) in [(0_u64, 1), (1, 0), (3, 1), (4, 0), (255, 0)] {
            assert_eq!(OwnLifetime::from_bytes((kind << 56 | value).to_be_bytes()), None);
        }
    }

    #[test]
    fn a_clock_that_jumps_back_moves_nothing_back() {
        let times = times(5000, 9000).refreshed(Timestamp(7000));
        assert_eq!(times.seen, Timestamp(9000));
        assert!(!LIFETIME.touch_due(&times, Timestamp(7000)));
    }
}
