//! The only place that judges time.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::SessionError;
use crate::transport::MaxAge;

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

/// How long one session lives; see [`Session::set_lifetime`](crate::Session::set_lifetime).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lifetime {
    /// As the session's table in Rocket.toml says.
    #[default]
    Configured,
    /// So long since its last use, instead of `idle_timeout`: "remember me". It is
    /// kept in whole seconds; a part of one counts as a whole.
    Idle(Duration),
    /// Until this time, used or not, instead of `idle_timeout`. It is kept in whole
    /// milliseconds; a part of one is dropped.
    Until(SystemTime),
    /// As configured, and no longer than the browser is open: its cookie has no
    /// `Max-Age`.
    BrowserSession,
}

/// How long sessions of one definition live, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeouts {
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
    Until(Timestamp),
    BrowserSession,
}

/// Stands for a time that this platform cannot represent: the end of the year 9999.
const FAR: Duration = Duration::from_secs(253_402_300_799);

impl From<OwnLifetime> for Lifetime {
    fn from(lifetime: OwnLifetime) -> Self {
        match lifetime {
            OwnLifetime::Configured => Self::Configured,
            OwnLifetime::Idle(seconds) => Self::Idle(Duration::from_secs(seconds)),
            OwnLifetime::Until(time) => {
                Self::Until(time.to_system_time().unwrap_or(UNIX_EPOCH + FAR))
            }
            OwnLifetime::BrowserSession => Self::BrowserSession,
        }
    }
}

impl OwnLifetime {
    const MAX_VALUE: u64 = (1 << 56) - 1;

    /// What the application said at `now`. It must leave the session some time.
    pub fn of(lifetime: Lifetime, now: Timestamp) -> Result<Self, SessionError> {
        match lifetime {
            Lifetime::Configured => Ok(Self::Configured),
            Lifetime::BrowserSession => Ok(Self::BrowserSession),
            Lifetime::Idle(idle) if idle.is_zero() => {
                Err(SessionError::Lifetime("an idle time of zero"))
            }
            Lifetime::Idle(idle) => Ok(Self::Idle(whole_seconds(idle).min(Self::MAX_VALUE))),
            Lifetime::Until(time) => {
                let until = Timestamp::from(time).min(Timestamp(Self::MAX_VALUE));
                let is_over = until <= now;
                if is_over {
                    Err(SessionError::Lifetime("it is over already"))
                } else {
                    Ok(Self::Until(until))
                }
            }
        }
    }

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

    /// The same session, seen now. A clock that jumped back moves nothing back.
    #[must_use]
    pub fn refreshed(self, now: Timestamp) -> Self {
        Self { seen: now.max(self.seen).max(self.created), ..self }
    }
}

impl Timeouts {
    /// From when on a session with these times is over. An idle time counts from the
    /// last use that was written down. Later uses are up to one interval younger, so
    /// that interval is added.
    pub fn expires(&self, times: &Times) -> Timestamp {
        let end = match times.lifetime {
            OwnLifetime::Until(time) => time,
            OwnLifetime::Idle(seconds) => {
                times.seen.after(Duration::from_secs(seconds)).after(self.interval(times))
            }
            OwnLifetime::Configured | OwnLifetime::BrowserSession => {
                times.seen.after(self.unused())
            }
        };
        end.min(self.ends(times))
    }

    /// How long a session with the configured lifetime lives after the last use that
    /// was written down.
    pub fn unused(&self) -> Duration {
        self.idle.saturating_add(self.touch_after)
    }

    /// The absolute end.
    fn ends(&self, times: &Times) -> Timestamp {
        times.created.after(self.absolute)
    }

    /// How much younger than `seen` the last use may be. A session with an idle time
    /// of its own is refreshed after a tenth of it, or sooner.
    fn interval(&self, times: &Times) -> Duration {
        match times.lifetime {
            OwnLifetime::Idle(seconds) => (Duration::from_secs(seconds) / 10).min(self.touch_after),
            _ => self.touch_after,
        }
    }

    /// How long a client must keep the token of a session with these times. An id is
    /// good until the absolute end, since touches need not send it again.
    pub fn max_age(&self, times: &Times, now: Timestamp, is_id: bool) -> MaxAge {
        match times.lifetime {
            OwnLifetime::Configured => MaxAge::Configured,
            OwnLifetime::BrowserSession => MaxAge::Session,
            OwnLifetime::Idle(_) if is_id => MaxAge::Of(self.ends(times).since(now)),
            OwnLifetime::Until(_) => MaxAge::Of(self.expires(times).since(now)),
            // A part of a second less would break the promise.
            OwnLifetime::Idle(_) => {
                let rest = self.expires(times).since(now);
                MaxAge::Of(
                    Duration::from_secs(whole_seconds(rest)).min(self.ends(times).since(now)),
                )
            }
        }
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
        now.since(times.seen) >= self.interval(times) && now > times.seen
    }
}

/// A part of a second counts as a whole.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
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
    const HOUR: u64 = 3_600_000;
    const LIFETIME: Timeouts = Timeouts {
        idle: DAY,
        absolute: Duration::from_secs(3 * 86_400),
        touch_after: Duration::from_secs(3600),
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
        // A use up to an hour after the last touch is not written down.
        let end = 1000 + 25 * HOUR;
        assert!(LIFETIME.admits(&times(1000, 1000), Timestamp(end - 1)));
        assert!(!LIFETIME.admits(&times(1000, 1000), Timestamp(end)));
        let exact = Timeouts { touch_after: Duration::ZERO, ..LIFETIME };
        assert!(exact.admits(&times(1000, 1000), Timestamp(1000 + 24 * HOUR - 1)));
        assert!(!exact.admits(&times(1000, 1000), Timestamp(1000 + 24 * HOUR)));
    }

    /// The promise of `idle_timeout`, at every moment of a use.
    #[test]
    fn s42_a_session_lives_for_its_idle_time_after_every_use_and_no_longer_than_an_interval_more() {
        for (lifetime, idle, interval) in [
            (OwnLifetime::Configured, 24 * HOUR, HOUR),
            (OwnLifetime::BrowserSession, 24 * HOUR, HOUR),
            (OwnLifetime::Idle(40 * 3600), 40 * HOUR, HOUR),
            (OwnLifetime::Idle(60), 60_000, 6_000),
            (OwnLifetime::Idle(1), 1_000, 100),
        ] {
            let times = Times { lifetime, ..times(5, 5) };
            for since in (0..=interval).step_by(100) {
                let used = Timestamp(5 + since);
                let due = LIFETIME.touch_due(&times, used);
                assert_eq!(due, since >= interval, "{lifetime:?} {since}");
                let after = if due { times.refreshed(used) } else { times };
                let end = LIFETIME.expires(&after);
                assert!(end >= Timestamp(used.0 + idle), "{lifetime:?} {since}");
                assert!(end <= Timestamp(used.0 + idle + interval), "{lifetime:?} {since}");
            }
        }
    }

    #[test]
    fn s43_a_date_takes_the_place_of_the_idle_time_and_not_of_the_absolute_end() {
        let until = |end| Times { lifetime: OwnLifetime::Until(Timestamp(end)), ..times(0, 0) };
        for (end, expected) in [(1, 1), (71 * HOUR, 71 * HOUR), (u64::MAX, 72 * HOUR)] {
            let times = until(end);
            assert_eq!(LIFETIME.expires(&times), Timestamp(expected));
            assert_eq!(LIFETIME.expires(&times.refreshed(Timestamp(HOUR))), Timestamp(expected));
            assert!(LIFETIME.admits(&times, Timestamp(expected - 1)));
            assert!(!LIFETIME.admits(&times, Timestamp(expected)));
        }
    }

    #[test]
    fn a_token_is_kept_until_its_session_ends_and_no_longer() {
        use OwnLifetime::{BrowserSession, Configured, Idle, Until};
        let now = 10 * HOUR;
        let age = |lifetime, is_id| {
            LIFETIME.max_age(&Times { lifetime, ..times(HOUR, now) }, Timestamp(now), is_id)
        };
        let millis = |millis| MaxAge::Of(Duration::from_millis(millis));
        for (lifetime, id, token) in [
            (Configured, MaxAge::Configured, MaxAge::Configured),
            (BrowserSession, MaxAge::Session, MaxAge::Session),
            (Idle(36_000), millis(63 * HOUR), millis(11 * HOUR)),
            // Two and a half seconds of it are a tenth.
            (Idle(25), millis(63 * HOUR), millis(28_000)),
            (Idle(600 * 3600), millis(63 * HOUR), millis(63 * HOUR)),
            (Until(Timestamp(now + 1500)), millis(1500), millis(1500)),
            (Until(Timestamp(1000 * HOUR)), millis(63 * HOUR), millis(63 * HOUR)),
        ] {
            assert_eq!(age(lifetime, true), id, "{lifetime:?}");
            assert_eq!(age(lifetime, false), token, "{lifetime:?}");
        }
    }

    #[test]
    fn what_an_application_says_is_kept_and_what_leaves_no_time_is_refused() {
        let now = Timestamp(1_000_000);
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let of = |lifetime| OwnLifetime::of(lifetime, now).ok();
        for (lifetime, expected) in [
            (Lifetime::Configured, OwnLifetime::Configured),
            (Lifetime::BrowserSession, OwnLifetime::BrowserSession),
            (Lifetime::Idle(Duration::from_nanos(1)), OwnLifetime::Idle(1)),
            (Lifetime::Idle(Duration::from_millis(1001)), OwnLifetime::Idle(2)),
            (Lifetime::Idle(Duration::MAX), OwnLifetime::Idle(OwnLifetime::MAX_VALUE)),
            (Lifetime::Until(at(1_000_001)), OwnLifetime::Until(Timestamp(1_000_001))),
        ] {
            assert_eq!(of(lifetime), Some(expected), "{lifetime:?}");
            assert_eq!(OwnLifetime::from_bytes(expected.to_bytes()), Some(expected));
        }
        let over = at(1_000_000) + Duration::from_micros(999);
        for lifetime in [
            Lifetime::Idle(Duration::ZERO),
            Lifetime::Until(over),
            Lifetime::Until(UNIX_EPOCH - Duration::from_secs(1)),
        ] {
            assert_eq!(of(lifetime), None, "{lifetime:?}");
        }
        for lifetime in [
            Lifetime::Configured,
            Lifetime::Idle(Duration::from_secs(1)),
            Lifetime::Until(at(2_000_000)),
            Lifetime::BrowserSession,
        ] {
            assert_eq!(of(lifetime).map(Lifetime::from), Some(lifetime));
        }
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
        let forever = Timeouts { idle: Duration::MAX, absolute: Duration::MAX, ..LIFETIME };
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
