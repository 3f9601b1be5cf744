//! [`Lifetime`]: how long one session lives, if it differs from the configuration.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::timestamp::Timestamp;

/// How long one session lives; see
/// [`Session::set_lifetime`](crate::Session::set_lifetime). `absolute_timeout`
/// limits every lifetime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lifetime {
    /// The lifetime in the session's table in Rocket.toml.
    #[default]
    Configured,
    /// An idle timeout for this session, instead of `idle_timeout`, such as
    /// "remember me". It is stored in seconds, rounded up.
    Idle(Duration),
    /// The session ends at this time, instead of after `idle_timeout`, whether it
    /// is used or not. It is stored in milliseconds, rounded down.
    Until(SystemTime),
    /// As configured, but at most until the browser is closed: the cookie has no
    /// `Max-Age`.
    BrowserSession,
}

/// The lifetime of one session, as tokens and records hold it: one byte for the kind and
/// seven for the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OwnLifetime {
    #[default]
    Configured,
    /// The seconds after the last use.
    Idle(u64),
    Until(Timestamp),
    BrowserSession,
}

/// The end of the year 9999. It replaces a time that the platform cannot represent.
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

/// Why a lifetime leaves the session no time.
#[derive(Debug)]
pub(crate) struct NoTime(pub &'static str);

impl OwnLifetime {
    pub(super) const MAX_VALUE: u64 = (1 << 56) - 1;

    /// Converts the application's lifetime, which must end after `now`.
    pub fn new(lifetime: Lifetime, now: Timestamp) -> Result<Self, NoTime> {
        match lifetime {
            Lifetime::Configured => Ok(Self::Configured),
            Lifetime::BrowserSession => Ok(Self::BrowserSession),
            Lifetime::Idle(idle) if idle.is_zero() => Err(NoTime("an idle timeout of zero")),
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

    /// Returns `None` for an unknown kind, or for a value that the kind cannot have.
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

/// Returns the seconds, rounded up.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}
