//! What a commit does with a session, and why: one pure function.
//!
//! [`plan`] decides from plain data: the session as it stands ([`Snapshot`]), what the application
//! asked for ([`Asked`]), the definition's [`Policy`] and the [`Moment`]. The commit carries the
//! [`Plan`] out, and plans anew for what it finds after a conflict. `id()`, `csrf_token()`, `created_at()` and `expires_at()` ask
//! the same function. The first row that fits counts.
//!
//! | | session | asked for | plan |
//! |---|---|---|---|
//! | 1 | none, or superseded | nothing that begins one | `Keep` |
//! | 2 | superseded | a value, but no login, and no change of owner without `clear` | `Drop` |
//! | 3 | none, or superseded | a value | `Create` |
//! | 4 | superseded | `clear` | `Keep` |
//! | 5 | any | `clear` | `End` |
//! | 6 | any | `clear`, then a value | `Create`, which ends the others first |
//! | 7 | one | a login, or a value of another owner | `Login` |
//! | 8 | one in an accepted format | a change or a new id, or automatic | `Move` |
//! | 9 | one whose id has no part to renew | `renew` or `reauthenticate` | `Move` |
//! | 10 | one, not in a grace period | `renew`, or by id `reauthenticate` | `Write`, new id |
//! | 11 | one that is due for renewal | automatic | `Write`, new id |
//! | 12 | one | another value or lifetime, or `reauthenticate` | `Write`, same id |
//! | 13 | one whose next id is first shown | automatic, if no token is sent | `Complete` |
//! | 14 | one | `touch`, or a token in another epoch | `Touch` |
//! | 14 | one whose expiry, key or next id is due | automatic | `Touch` |
//! | 15 | one | nothing else, or the value that it has | `Keep` |
//!
//! A session is superseded if a login of another request has replaced it, or a renewal has replaced
//! its id. If the request had found the session before that renewal, `clear` ends it: rows 5 and 6
//! apply.
//!
//! Rows with the word automatic apply even if the application asked for no change. Automatic
//! changes are not possible after a 5xx or after the response. After the response, every other plan
//! that needs a token fails with `TooLate`, before anything is written.
//!
//! After `skip_touch`, no expiry is due, and the time of the last use does not move.

use crate::expiry::{OwnLifetime, Timeouts, Times, Timestamp};

/// A session as the load found it, or as the last commit left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub times: Times,
    /// A key other than the sealing one has sealed the token.
    pub stale_key: bool,
    /// The token is in a format that is accepted and not written.
    pub accepted: bool,
    /// The token has the previous id, in its grace period. Nothing is sent to the client, which
    /// gets the current token from the request that renewed.
    pub in_grace: bool,
    /// No part of the id can be replaced, because it is one of Ktor's.
    pub whole_id: bool,
    /// The id is due for a periodic renewal.
    pub renewal_due: bool,
    /// A renewal is open, and the client has shown the previous id. The session goes on under the
    /// next id, which the client is to be sent.
    pub next_id_unsent: bool,
    /// A renewal is open, and the client has shown the next id.
    pub completes: bool,
}

impl Snapshot {
    /// Returns a session that has just been written, under a current id and key.
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

/// The session that a request goes on with, or what is in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing<'a> {
    Nobody,
    /// A login of another request has replaced the session, or a renewal has replaced its id. A
    /// response with the newer token is on its way, and must not be overwritten.
    Superseded,
    /// A renewal has replaced the id of a session that the request had found. `clear` ends it.
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
    /// `login`: another session begins.
    pub login: bool,
    /// The value's owner differs from the session's. The value may also have no owner any more.
    pub owner_changes: bool,
    /// The value has an owner.
    pub owned: bool,
    /// `renew`: a new id for the same session.
    pub renew: bool,
    /// `reauthenticate`: a new id for the same session, and the user has just logged in.
    pub reauthenticate: bool,
    /// The session's lifetime from now on: one of its own, or the configured one.
    pub lifetime: Option<OwnLifetime>,
    /// The lifetime that the request chose before the last commit. It holds for a session that the
    /// request begins later.
    pub earlier_lifetime: Option<OwnLifetime>,
    /// `touch`: the session's expiry is refreshed.
    pub touch: bool,
    /// `skip_touch`: this request does not count as a use of the session.
    pub skips: bool,
    /// The token is sealed anew, in another epoch of its owner.
    pub reseal: bool,
}

impl Asked {
    /// Whether the application asked for nothing, so that every change is automatic.
    pub fn is_nothing(&self) -> bool {
        Self { earlier_lifetime: None, skips: false, ..*self } == Self::default()
    }
}

/// What the application has done with the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ValueChange {
    /// The value was neither set nor updated.
    #[default]
    Untouched,
    /// The value was set or updated, but is the same as before.
    Same,
    /// The value has changed, or is the first.
    Changed,
}

/// What a plan depends on in the definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub timeouts: Timeouts,
    /// The token contains the session, so every change of the session changes the token.
    pub by_value: bool,
    /// The client forgets a token of the configured lifetime before the session's absolute end. So
    /// the token is sent again whenever the session is prolonged.
    pub token_expires_early: bool,
    /// The client forgets even a token of the longest lifetime before the session's absolute end:
    /// browsers keep no cookie for more than 400 days.
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
        // A touch changes nothing in a token that is valid until a fixed time.
        let moot = self.by_value && matches!(times.lifetime, OwnLifetime::Until(_));
        (!moot || self.longest_expires_early) && self.timeouts.touch_due(times, now)
    }
}

/// When the plan is made, and how the request stands then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub now: Timestamp,
    /// The response is on its way, so no token can reach the client any more.
    pub late: bool,
    /// The response is a 5xx, so nothing automatic happens.
    pub failed: bool,
}

/// What the commit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// The session stays as it is, or there is none.
    Keep,
    /// The session is superseded, and none begins. The changes are dropped.
    Drop,
    /// The session's expiry is refreshed, or its token is sealed anew.
    Touch {
        times: Times,
        /// The expiry moves. Otherwise the token is only sealed anew.
        prolongs: bool,
        /// The token is sent.
        send: bool,
    },
    /// A session begins under a fresh id. A `clear` ends the others first.
    Create { times: Times },
    /// A session begins in the place of the one that was found. No id from before opens it.
    Login { times: Times },
    /// The client has shown the next id of an open renewal. The grace period of the previous id
    /// begins.
    Complete { times: Times },
    /// The session goes on, and is written.
    Write {
        times: Times,
        /// The id is replaced.
        renewal: Option<Renewal>,
        /// The token is sent.
        send: bool,
    },
    /// The session goes on under an id of the written format, and ends under the present one.
    Move { times: Times },
    /// Every session that the request presented ends.
    End,
}

/// How an id is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Renewal {
    /// The previous id opens nothing from now on. Otherwise it opens the session until the next one
    /// is first shown, and during the grace period after that.
    pub at_once: bool,
    /// CSRF tokens from before become invalid.
    pub rotates: bool,
}

/// Decides by the table above.
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

/// Decides rows 1 to 6.
fn without_session(standing: Standing<'_>, asked: &Asked, begins: Times) -> Plan {
    let superseded = match standing {
        Standing::Superseded => true,
        Standing::Renewed => !asked.clear,
        Standing::Nobody | Standing::Session(_) => false,
    };
    match (asked.clear, asked.value) {
        (false, ValueChange::Untouched) => Plan::Keep,
        (true, ValueChange::Untouched) if superseded => Plan::Keep,
        (true, ValueChange::Untouched) => Plan::End,
        _ if superseded && !asked.login && (asked.clear || !asked.owner_changes) => Plan::Drop,
        (_, ValueChange::Same | ValueChange::Changed) => Plan::Create { times: begins },
    }
}

/// What rows 8 to 15 depend on.
struct Facts<'a> {
    session: &'a Snapshot,
    asked: &'a Asked,
    by_value: bool,
    /// Automatic changes are possible.
    automatic: bool,
    another_lifetime: bool,
    /// The value, the lifetime or the authentication has changed.
    changed: bool,
    /// The session's expiry is to be refreshed.
    touch: bool,
    /// A token can be sent to the client.
    can_send: bool,
    /// The token expires before the session would.
    early: bool,
    /// The token must be sealed anew, or has not been sent yet.
    resend: bool,
    /// The session's times after a write.
    times: Times,
}

impl<'a> Facts<'a> {
    fn new(session: &'a Snapshot, asked: &'a Asked, policy: &Policy, moment: &Moment) -> Self {
        let lifetime = asked.lifetime.unwrap_or(session.times.lifetime);
        let another_lifetime = lifetime != session.times.lifetime;
        let due = !asked.skips && policy.touch_due(&session.times, moment.now);
        let can_send = !moment.late && !session.in_grace;
        let mut times = Times { lifetime, ..session.times.refreshed(moment.now) };
        let early = policy.expires_early(&times);
        // The client's cookie would not be prolonged with the session, so a later request does
        // both.
        if asked.skips || early && !can_send && !asked.touch {
            times.seen = session.times.seen;
        }
        if asked.reauthenticate {
            times.authenticated = moment.now;
        }
        Self {
            session,
            asked,
            by_value: policy.by_value,
            automatic: !moment.late && !moment.failed,
            another_lifetime,
            changed: asked.value == ValueChange::Changed
                || another_lifetime
                || asked.reauthenticate,
            touch: asked.touch || due,
            can_send,
            early,
            resend: session.stale_key || session.next_id_unsent,
            times,
        }
    }

    fn plan(self) -> Plan {
        let Self { session, asked, by_value, automatic, touch, can_send, times, .. } = self;
        let at_once = asked.renew || asked.reauthenticate && !by_value;
        if session.accepted && (automatic || self.changed || at_once) || session.whole_id && at_once
        {
            return Plan::Move { times };
        }
        let periodic = session.renewal_due && automatic;
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
                send: by_value || can_send && needs || another,
            };
        }
        let due = touch || self.resend && !session.in_grace;
        let resends = asked.reseal || asked.touch || can_send && needs && due;
        if session.completes && automatic && !resends {
            return Plan::Complete { times: if touch { times } else { session.times } };
        }
        if asked.reseal || asked.touch || due && automatic {
            let times = if touch || by_value { times } else { session.times };
            // A `touch` that was asked for prolongs the cookie, too, or fails.
            let asks = asked.touch && self.early && !session.in_grace;
            return Plan::Touch {
                times,
                prolongs: touch,
                send: by_value || can_send && needs || asks,
            };
        }
        Plan::Keep
    }
}

impl Plan {
    /// Returns the times of the session that this plan leaves.
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

    /// Whether a token must be sent to the client.
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
