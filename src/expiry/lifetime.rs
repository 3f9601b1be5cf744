//! How long a session lives by its own choice.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::timestamp::Timestamp;

/// How long one session lives; see
/// [`Session::set_lifetime`](crate::Session::set_lifetime). `absolute_timeout`
/// limits each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lifetime {
    /// As the session's table in Rocket.toml says.
    #[default]
    Configured,
    /// For this time after its last use, instead of `idle_timeout`: "remember me".
    /// It is stored in seconds, rounded up.
    Idle(Duration),
    /// Until this time, whether the session is used or not, instead of
    /// `idle_timeout`. It is stored in milliseconds, rounded down.
    Until(SystemTime),
    /// As configured, but not longer than the browser is open: the cookie has no
    /// `Max-Age`.
    BrowserSession,
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

/// Why a lifetime has no time in it.
#[derive(Debug)]
pub(crate) struct NoTime(pub &'static str);

impl OwnLifetime {
    pub(super) const MAX_VALUE: u64 = (1 << 56) - 1;

    /// What the application said at `now`. It must leave the session some time.
    pub fn new(lifetime: Lifetime, now: Timestamp) -> Result<Self, NoTime> {
        match lifetime {
            Lifetime::Configured => Ok(Self::Configured),
            Lifetime::BrowserSession => Ok(Self::BrowserSession),
            Lifetime::Idle(idle) if idle.is_zero() => Err(NoTime("an idle time of zero")),
            Lifetime::Idle(idle) => Ok(Self::Idle(whole_seconds(idle).min(Self::MAX_VALUE))),
            Lifetime::Until(time) => {
                let until = Timestamp::from(time).min(Timestamp::from_millis(Self::MAX_VALUE));
                let is_over = until <= now;
                if is_over { Err(NoTime("it is over already")) } else { Ok(Self::Until(until)) }
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
            (2, millis) => Some(Self::Until(Timestamp::from_millis(millis))),
            (3, 0) => Some(Self::BrowserSession),
            _ => None,
        }
    }
}

/// A part of a second counts as a whole.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}
