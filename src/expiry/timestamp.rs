//! [`Timestamp`]: an instant in Unix milliseconds, with arithmetic that saturates.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An instant, in milliseconds since the Unix epoch. Its arithmetic saturates and
/// never panics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The Unix epoch. It stands for "never" where a time is optional.
    pub const ZERO: Self = Self(0);

    /// Makes an instant from milliseconds since the Unix epoch. A storage calls it
    /// when it reads a column.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::Timestamp;
    ///
    /// let expires = Timestamp::from_millis(1_700_000_000_000);
    /// assert!(expires < Timestamp::from(std::time::SystemTime::now()));
    /// ```
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds since the Unix epoch. A storage calls it when it
    /// writes a column.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::Timestamp;
    ///
    /// let column: u64 = Timestamp::from_millis(1_700_000_000_000).as_millis();
    /// assert_eq!(column, 1_700_000_000_000);
    /// ```
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the instant that is `duration` later, or the last instant if that
    /// overflows.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::Timestamp;
    /// use std::time::Duration;
    ///
    /// let now = Timestamp::from_millis(1_000);
    /// assert_eq!(now.after(Duration::from_secs(2)), Timestamp::from_millis(3_000));
    /// ```
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Returns the time from `earlier` to this instant, or zero if `earlier` is
    /// later. It is what a storage with a TTL writes.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::Timestamp;
    /// use std::time::Duration;
    ///
    /// let (now, expires) = (Timestamp::from_millis(1_000), Timestamp::from_millis(3_000));
    /// let ttl = expires.since(now);
    /// assert_eq!(ttl, Duration::from_secs(2));
    /// ```
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Returns the instant as the standard library's type. Returns `None` if that
    /// cannot represent it.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::Timestamp;
    /// use std::time::SystemTime;
    ///
    /// let now = SystemTime::now();
    /// let read = Timestamp::from(now).to_system_time().expect("a time of this century");
    /// assert!(now.duration_since(read).is_ok_and(|lost| lost.as_millis() == 0));
    /// ```
    pub fn to_system_time(self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.0))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms after the epoch", self.0)
    }
}
