//! [`Timeouts`] of a definition, [`Times`] of a session, and when that session ends.

use std::time::Duration;

use super::lifetime::{OwnLifetime, whole_seconds};
use super::timestamp::Timestamp;

/// How far a time may lie in the future, because the clocks of machines differ.
pub(crate) const SKEW: Duration = Duration::from_secs(60);

/// The configured timeouts of one definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// The time after the last use.
    pub idle: Duration,
    /// The time after the creation.
    pub absolute: Duration,
    /// The shortest time between two refreshes of the expiry.
    pub touch_after: Duration,
    /// How long the id from before a renewal still opens the session.
    pub renewal_grace: Duration,
    /// How long a session keeps its id before a periodic renewal.
    pub renew_after: Option<Duration>,
}

/// The times of one session, from a token or a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub created: Timestamp,
    /// When the token was issued (client storage), or the last use (server storage).
    pub seen: Timestamp,
    /// When the session's user last logged in, or zero for never.
    pub authenticated: Timestamp,
    pub lifetime: OwnLifetime,
}

impl Times {
    /// The times of a session that begins now.
    pub fn begin(now: Timestamp, authenticated: bool) -> Self {
        let authenticated = if authenticated { now } else { Timestamp::ZERO };
        Self { created: now, seen: now, authenticated, lifetime: OwnLifetime::Configured }
    }

    /// Returns the times after a use at `now`. A clock that went back moves no time back.
    #[must_use]
    pub fn refreshed(self, now: Timestamp) -> Self {
        Self { seen: now.max(self.seen).max(self.created), ..self }
    }

    /// Returns how far these times are in the future, if that is too far.
    pub fn ahead(&self, now: Timestamp) -> Option<Duration> {
        let latest = self.created.max(self.seen).max(self.authenticated);
        Some(latest.since(now)).filter(|ahead| *ahead > SKEW)
    }
}

/// How long a client keeps a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MaxAge {
    /// As long as the transport's configuration says.
    #[default]
    Configured,
    /// For this time from now on. The session has a [`Lifetime`](crate::Lifetime)
    /// of its own.
    Of(Duration),
    /// Until the browser is closed: the session has
    /// [`Lifetime::BrowserSession`](crate::Lifetime::BrowserSession).
    Session,
}

impl Timeouts {
    /// Returns when a session with these times ends. An idle timeout counts from the last
    /// recorded use. The last use may be up to one [`interval`](Self::interval) later, so the
    /// interval is added.
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

    /// Returns how long a session with the configured lifetime lives after its last recorded
    /// use.
    pub fn unused(&self) -> Duration {
        self.idle.saturating_add(self.touch_after)
    }

    /// Returns the absolute end.
    fn ends(&self, times: &Times) -> Timestamp {
        times.created.after(self.absolute)
    }

    /// Returns how much later than `seen` the last use may be. A session with its own idle
    /// timeout is refreshed after a tenth of it, or sooner.
    fn interval(&self, times: &Times) -> Duration {
        match times.lifetime {
            OwnLifetime::Idle(seconds) => (Duration::from_secs(seconds) / 10).min(self.touch_after),
            _ => self.touch_after,
        }
    }

    /// Returns how long a client must keep the token of a session with these times. It keeps
    /// an id until the absolute end, because a touch does not send the id again.
    pub fn max_age(&self, times: &Times, now: Timestamp, is_id: bool) -> MaxAge {
        match times.lifetime {
            OwnLifetime::Configured => MaxAge::Configured,
            OwnLifetime::BrowserSession => MaxAge::Session,
            OwnLifetime::Idle(_) if is_id => MaxAge::Of(self.ends(times).since(now)),
            OwnLifetime::Until(_) => MaxAge::Of(self.expires(times).since(now)),
            // The rest is rounded up, so that the token lasts as long as the session.
            OwnLifetime::Idle(_) => {
                let rest = self.expires(times).since(now);
                MaxAge::Of(
                    Duration::from_secs(whole_seconds(rest)).min(self.ends(times).since(now)),
                )
            }
        }
    }

    /// Whether a session with these times is alive at `now` (docs/security.md, S42–S45). It
    /// must not have expired under the present configuration, have a time in the far future,
    /// or have been used before it was created.
    pub fn admits(&self, times: &Times, now: Timestamp) -> bool {
        let horizon = now.after(SKEW);
        times.created <= horizon
            && times.seen <= horizon
            && times.authenticated <= horizon
            && times.created <= times.seen
            && now < self.expires(times)
    }

    /// Whether the id from before a renewal still opens its session. The renewal at `renewed`
    /// set the end of the grace period to `until`. The present configuration may shorten it.
    pub fn in_grace(&self, renewed: Timestamp, until: Timestamp, now: Timestamp) -> bool {
        renewed <= now.after(SKEW) && now < until && now.since(renewed) < self.renewal_grace
    }

    /// Whether a session that was last renewed at `renewed` is due for a periodic renewal.
    pub fn renewal_due(&self, times: &Times, renewed: Timestamp, now: Timestamp) -> bool {
        self.renew_after.is_some_and(|after| now.since(renewed.max(times.created)) >= after)
    }

    /// Whether an otherwise unchanged session is due for a refreshed expiry.
    pub fn touch_due(&self, times: &Times, now: Timestamp) -> bool {
        now.since(times.seen) >= self.interval(times) && now > times.seen
    }
}
