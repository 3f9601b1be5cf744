//! What a commit does with a session, and why: one pure function.
//!
//! [`plan`] decides from plain data: the session as it stands ([`Snapshot`]),
//! what the application asked for ([`Asked`]), the definition's [`Policy`] and
//! the [`Moment`]. The commit carries the [`Plan`] out and decides nothing.
//! `id()`, `csrf_token()`, `created_at()` and `expires_at()` ask the same
//! function. The first row that fits counts.
//!
//! | | session | asked for | plan |
//! |---|---|---|---|
//! | 1 | none | nothing that begins one | `Keep` |
//! | 2 | replaced | a value, but for a login, or a change of owner without `clear` | `Drop` |
//! | 3 | none, or replaced | a value | `Create` |
//! | 4 | replaced | `clear` | `Keep` |
//! | 5 | any | `clear` | `End` |
//! | 6 | any | `clear`, then a value | `Create`, which ends the others first |
//! | 7 | one | a login, or a value of another owner | `Login` |
//! | 8 | one in an accepted format | anything, or it can be told its new token | `Move` |
//! | 9 | one whose id has no part to renew | `renew` | `Move` |
//! | 10 | one | `renew` or `reauthenticate`, and its id is not the one before a renewal | `Write` under a new id |
//! | 11 | one with an old id, due for another | that, and it can be told | `Write` under a new id |
//! | 12 | one | another value, or another lifetime | `Write` under the same id |
//! | 13 | one whose next id is shown for the first time | nothing that sends it a token | `Complete` |
//! | 14 | one | `touch`, or a token of another epoch; or expiry, key or the next id are due, and it can be told | `Touch` |
//! | 15 | one | nothing else | `Keep` |
//!
//! A session is renewed if the request has found it, and another one has given it another
//! id at once. It counts as replaced, but not after `clear`, which ends it.
//!
//! Rows 8, 11, 13 and 14 happen by themselves, so they never happen after a 5xx or
//! after the response. Every other plan that needs a token fails with
//! `TooLate` after the response, before anything is written.
//!
//! After `skip_touch` no expiry is due, and nothing moves the time of the last use.

use crate::expiry::{OwnLifetime, Timeouts, Times, Timestamp};

/// A session as it stands: found by the load, or left by the last commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub times: Times,
    /// The token was sealed by a key other than the sealing one.
    pub stale_key: bool,
    /// The token is of a format that is accepted and not written.
    pub accepted: bool,
    /// The token is the one before the last renewal. Nothing is sent to its
    /// client, which gets the present one from the request that renewed.
    pub in_grace: bool,
    /// No part of the id can be replaced: it is one of Ktor's.
    pub whole_id: bool,
    /// The session has had its id for long enough.
    pub renewal_due: bool,
    /// A renewal is open: the client has shown the id before, and goes on under the
    /// next one, which it is to be sent.
    pub next_id_unsent: bool,
    /// A renewal is open, and the client has shown the next id.
    pub completes: bool,
}

impl Snapshot {
    /// One that has just been written, under a current id and key.
    pub fn written(times: Times) -> Self {
        Self {
            times,
            stale_key: false,
            accepted: false,
            in_grace: false,
            whole_id: false,
            renewal_due: false,
            next_id_unsent: false,
            completes: false,
        }
    }
}

/// The session that a request goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing<'a> {
    Nobody,
    /// A login of another request has replaced it, or a renewal its id: an answer is on
    /// its way that must not be overwritten.
    Superseded,
    /// The same of a session that the request has found, and that goes on under another
    /// id. `clear` ends it.
    Renewed,
    Session(&'a Snapshot),
}

impl<'a> Standing<'a> {
    pub fn session(self) -> Option<&'a Snapshot> {
        match self {
            Self::Session(session) => Some(session),
            Self::Nobody | Self::Superseded | Self::Renewed => None,
        }
    }
}

/// What the application asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// `clear`: every session that the request presented ends.
    pub clear: bool,
    pub value: ValueChange,
    /// `login`.
    pub login: bool,
    /// The value belongs to another owner than the session, or to none any more.
    pub owner_changes: bool,
    /// The value has an owner.
    pub owned: bool,
    /// `renew`: a new id for the same session.
    pub renew: bool,
    /// `reauthenticate`: the same, and the user has just logged in.
    pub reauthenticate: bool,
    /// A lifetime of the session's own, or the configured one again.
    pub lifetime: Option<OwnLifetime>,
    /// What the request has said about it before the last commit: it holds for a
    /// session that this request begins later.
    pub earlier_lifetime: Option<OwnLifetime>,
    /// `touch`: the session lives longer from now on.
    pub touch: bool,
    /// `skip_touch`: this request is no use of the session.
    pub skips: bool,
    /// The token is to be sealed anew, in another epoch of its owner.
    pub reseal: bool,
}

impl Asked {
    /// Whatever happens, happens by itself.
    pub fn is_nothing(&self) -> bool {
        Self { earlier_lifetime: None, skips: false, ..*self } == Self::default()
    }
}

/// What was said about the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ValueChange {
    /// Nothing.
    #[default]
    Untouched,
    /// It was set or updated to what it is already.
    Same,
    /// It is another one, or the first.
    Changed,
}

/// What the definition says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub timeouts: Timeouts,
    /// The token is the session: whatever changes the one changes the other.
    pub by_value: bool,
    /// The client forgets a token that is sent as configured before the
    /// session's absolute end. So whatever prolongs the session sends it again.
    pub token_expires_early: bool,
    /// The same of a token that is sent to last as long as it can: browsers
    /// keep no cookie for more than 400 days.
    pub longest_expires_early: bool,
}

impl Policy {
    /// Whether the client forgets the token before the session's absolute end.
    fn expires_early(&self, times: &Times) -> bool {
        match times.lifetime {
            OwnLifetime::Configured => self.token_expires_early,
            OwnLifetime::Idle(_) | OwnLifetime::Until(_) => self.longest_expires_early,
            OwnLifetime::BrowserSession => false,
        }
    }

    fn touch_due(&self, times: &Times, now: Timestamp) -> bool {
        // A token that is good until a date gains nothing.
        let moot = self.by_value && matches!(times.lifetime, OwnLifetime::Until(_));
        (!moot || self.longest_expires_early) && self.timeouts.touch_due(times, now)
    }
}

/// When the plan is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub now: Timestamp,
    /// The response is on its way: no token can reach the client any more.
    pub late: bool,
    /// After a 5xx nothing happens by itself.
    pub failed: bool,
}

/// What the commit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// The session stays as it is, or there is none.
    Keep,
    /// The session is over, and begins nothing. The changes are dropped.
    Drop,
    /// The session stays as it is and lives longer, or its token is sealed anew.
    Touch {
        times: Times,
        /// The expiry moves. Otherwise only the token is sealed anew.
        prolongs: bool,
        /// The token goes out.
        send: bool,
    },
    /// A session begins under a fresh id. What was cleared ends first.
    Create { times: Times },
    /// A session begins in the place of the one that was found, and whoever has
    /// an id of that one is out.
    Login { times: Times },
    /// The client has shown the next id of an open renewal: the one before is over
    /// after a while.
    Complete { times: Times },
    /// The session goes on.
    Write {
        times: Times,
        /// The id is replaced.
        renewal: Option<Renewal>,
        /// The token goes out.
        send: bool,
    },
    /// The session goes on under an id of its own kind, and ends under the
    /// present one.
    Move { times: Times },
    /// Every session that the request presented ends.
    End,
}

/// How an id is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Renewal {
    /// The id before is over. Otherwise it opens the session until the next one is
    /// first shown, and for a while after that.
    pub at_once: bool,
    /// CSRF tokens lose their worth.
    pub rotates: bool,
}

/// The table above.
pub(crate) fn plan(
    standing: Standing<'_>,
    asked: &Asked,
    policy: &Policy,
    moment: &Moment,
) -> Plan {
    let begins = Times {
        lifetime: asked.lifetime.or(asked.earlier_lifetime).unwrap_or_default(),
        ..Times::begin(moment.now, asked.login || asked.owned)
    };
    match standing.session().filter(|_| !asked.clear) {
        None => without_session(standing, asked, begins),
        Some(_) if asked.login || asked.owner_changes => Plan::Login { times: begins },
        Some(session) => Facts::new(session, asked, policy, moment).plan(),
    }
}

/// Rows 1 to 6.
fn without_session(standing: Standing<'_>, asked: &Asked, begins: Times) -> Plan {
    let replaced = match standing {
        Standing::Superseded => true,
        Standing::Renewed => !asked.clear,
        Standing::Nobody | Standing::Session(_) => false,
    };
    match (asked.clear, asked.value) {
        (false, ValueChange::Untouched) => Plan::Keep,
        (true, ValueChange::Untouched) if replaced => Plan::Keep,
        (true, ValueChange::Untouched) => Plan::End,
        _ if replaced && !asked.login && (asked.clear || !asked.owner_changes) => Plan::Drop,
        (_, ValueChange::Same | ValueChange::Changed) => Plan::Create { times: begins },
    }
}

/// What rows 8 to 15 go by.
struct Facts<'a> {
    session: &'a Snapshot,
    asked: &'a Asked,
    by_value: bool,
    /// What happens by itself may happen.
    by_itself: bool,
    another_lifetime: bool,
    /// The session is another one than before.
    changed: bool,
    /// It is used, and its expiry is to be moved.
    touch: bool,
    /// The client can be given a token.
    tells: bool,
    /// Its token expires before the session would.
    early: bool,
    /// Its token is to be sealed anew, or was never told.
    resend: bool,
    /// What the session has after a write.
    times: Times,
}

impl<'a> Facts<'a> {
    fn new(session: &'a Snapshot, asked: &'a Asked, policy: &Policy, moment: &Moment) -> Self {
        let lifetime = asked.lifetime.unwrap_or(session.times.lifetime);
        let another_lifetime = lifetime != session.times.lifetime;
        let due = !asked.skips && policy.touch_due(&session.times, moment.now);
        let tells = !moment.late && !session.in_grace;
        let mut times = Times { lifetime, ..session.times.refreshed(moment.now) };
        let early = policy.expires_early(&times);
        // A use that the client is not told of would put off the next cookie.
        if asked.skips || early && !tells && !asked.touch {
            times.seen = session.times.seen;
        }
        if asked.reauthenticate {
            times.authenticated = moment.now;
        }
        Self {
            session,
            asked,
            by_value: policy.by_value,
            by_itself: !moment.late && !moment.failed,
            another_lifetime,
            changed: asked.value == ValueChange::Changed
                || another_lifetime
                || asked.reauthenticate,
            touch: asked.touch || due,
            tells,
            early,
            resend: session.stale_key || session.next_id_unsent,
            times,
        }
    }

    fn plan(self) -> Plan {
        let Self { session, asked, by_value, by_itself, touch, tells, times, .. } = self;
        let at_once = asked.renew || asked.reauthenticate && !by_value;
        if session.accepted && (by_itself || self.changed || at_once) || session.whole_id && at_once
        {
            return Plan::Move { times };
        }
        let periodic = session.renewal_due && by_itself;
        if (at_once || periodic) && !session.in_grace {
            let renewal = Some(Renewal { at_once, rotates: asked.renew });
            return Plan::Write { times, renewal, send: true };
        }
        let needs = self.resend || self.early;
        if self.changed {
            let another = self.another_lifetime && !session.in_grace;
            return Plan::Write {
                times,
                renewal: None,
                send: by_value || tells && needs || another,
            };
        }
        let due = touch || self.resend && !session.in_grace;
        let resends = asked.reseal || asked.touch || tells && needs && due;
        if session.completes && by_itself && !resends {
            return Plan::Complete { times: if touch { times } else { session.times } };
        }
        if asked.reseal || asked.touch || due && by_itself {
            let times = if touch || by_value { times } else { session.times };
            // What was asked for is not done halfway.
            let asks = asked.touch && self.early && !session.in_grace;
            return Plan::Touch {
                times,
                prolongs: touch,
                send: by_value || tells && needs || asks,
            };
        }
        Plan::Keep
    }
}

impl Plan {
    /// The times of the session that this plan leaves.
    pub fn times(&self, session: Option<&Snapshot>) -> Option<Times> {
        match self {
            Self::Keep => session.map(|session| session.times),
            Self::Touch { times, .. }
            | Self::Create { times }
            | Self::Login { times }
            | Self::Complete { times }
            | Self::Write { times, .. }
            | Self::Move { times } => Some(*times),
            Self::End | Self::Drop => None,
        }
    }

    /// Whether the client must be given a token.
    pub fn needs_token(&self) -> bool {
        match self {
            Self::Create { .. } | Self::Login { .. } | Self::Move { .. } => true,
            Self::Touch { send, .. } | Self::Write { send, .. } => *send,
            Self::Keep | Self::Drop | Self::Complete { .. } | Self::End => false,
        }
    }
}

#[cfg(test)]
mod tests;
