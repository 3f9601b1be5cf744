//! How long the sessions of a definition live, and what that means for one of them.

use std::time::Duration;

use super::lifetime::{OwnLifetime, whole_seconds};
use super::timestamp::Timestamp;

/// How far a time may lie in the future: clocks of several machines differ.
const SKEW: Duration = Duration::from_secs(60);

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
