//! What one request sees of its session, and what it wants of it: the part of
//! the contract that needs no storage.

use crate::kept::{Lifetime, Names, Presented, Times, Token};
use crate::model::Model;
use crate::scenario::Place;
use crate::trace::Value;

/// The session that a request goes on with.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub session: usize,
    pub names: Names,
    /// By the id from before a renewal.
    pub in_grace: bool,
    pub value: Value,
    pub times: Times,
}

/// Changes that are not committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// `clear`; what stands beside it came after it.
    pub ended: bool,
    /// The value of the last `set`.
    pub base: Option<Value>,
    /// How often `update` added 1 since.
    pub updates: u32,
    pub login: bool,
    pub renew: bool,
    /// `set_lifetime`.
    pub lifetime: Option<Lifetime>,
    /// `touch`.
    pub touch: bool,
}

/// What goes to the client at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sends {
    Nothing,
    Removal,
    /// The token of the session that the request goes on with.
    Token,
}

/// A request's session.
#[derive(Clone, Debug)]
pub struct View {
    /// The transport carried any value, valid or not.
    pub carried: bool,
    pub found: Option<Found>,
    /// Every valid session that was presented.
    pub presented: Vec<Presented>,
    /// Every session that this request began and saved.
    pub begun: Vec<Presented>,
    pub value: Option<Value>,
    pub pending: Pending,
    /// Changes were dropped, because the session was over.
    pub lost: bool,
    /// The names of the session that the commit will begin, once asked for.
    pub planned: Option<Names>,
    pub sends: Sends,
    /// The token to send, and the `Max-Age` of its cookie.
    pub token: Option<Token>,
    pub max_age: Option<u64>,
    /// The lifetime that was said before the last commit.
    pub said: Option<Lifetime>,
    /// `skip_touch`.
    pub skips: bool,
}

/// What a session tells. Each of two expiries is right while a refresh of it is due.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub value: Option<Value>,
    pub names: Option<Names>,
    pub created: Option<u64>,
    pub expires: [Option<u64>; 2],
    pub lifetime: Lifetime,
}

impl View {
    pub fn new(carried: bool, found: Option<Found>, presented: Vec<Presented>) -> Self {
        let value = found.map(|found| found.value);
        let (begun, pending) = (Vec::new(), Pending::default());
        let (sends, token) = (Sends::Nothing, None);
        let (planned, lost) = (None, false);
        let (max_age, said, skips) = (None, None, false);
        Self {
            carried,
            found,
            presented,
            begun,
            value,
            pending,
            lost,
            planned,
            sends,
            token,
            max_age,
            said,
            skips,
        }
    }

    /// `set`; a changed owner counts as a login.
    pub fn set(&mut self, value: Value) {
        self.planned = None;
        self.lost = false;
        self.pending.base = Some(value);
        self.pending.updates = 0;
        self.value = Some(value);
    }

    /// `login`: another session.
    pub fn login(&mut self, value: Value) {
        self.set(value);
        self.pending.login = true;
    }

    /// `update`, by 1; nothing without a session.
    pub fn update(&mut self) {
        if let Some(value) = &mut self.value {
            value.count += 1;
            self.pending.updates += 1;
        }
    }

    /// `clear`: whatever was asked for before is moot.
    pub fn clear(&mut self) {
        self.planned = None;
        self.lost = false;
        self.said = None;
        self.pending = Pending { ended: true, ..Pending::default() };
        self.value = None;
    }

    /// `discard`: back to what was found or last committed.
    pub fn discard(&mut self) {
        self.planned = None;
        self.lost = false;
        self.pending = Pending::default();
        self.value = self.found.map(|found| found.value);
    }

    /// `renew`; nothing without a session.
    pub fn renew(&mut self) {
        if self.value.is_some() {
            self.planned = None;
            self.pending.renew = true;
        }
    }

    /// `touch` or `skip_touch`: the later one counts.
    pub fn touch(&mut self, touches: bool) {
        self.pending.touch = touches;
        self.skips = !touches;
    }

    /// The lifetime of a session that begins: what the request has said.
    pub fn begins_with(&self) -> Lifetime {
        self.pending.lifetime.or(self.said).unwrap_or_default()
    }

    /// No change is pending any more.
    pub fn is_done(&mut self) {
        self.said = self.pending.lifetime.or(self.said);
        self.pending = Pending::default();
    }

    /// After a 5xx: only `clear` holds.
    pub fn drop_changes(&mut self) {
        let ended = self.pending.ended;
        self.discard();
        if ended {
            self.clear();
        }
    }

    /// The session that goes on, unless `clear` ends it.
    fn goes_on(&self) -> Option<Found> {
        self.found.filter(|_| !self.pending.ended)
    }

    /// The changes begin another session over the one that was found.
    pub fn begins_another(&self) -> bool {
        let (Some(found), Some(value)) = (self.goes_on(), self.value) else { return false };
        self.pending.login || found.value.owner != value.owner
    }

    /// There is something to write to the session that was found.
    pub fn writes(&self) -> bool {
        let Some(found) = self.goes_on() else { return false };
        let Pending { base, updates, renew, lifetime, .. } = self.pending;
        let another = lifetime.is_some_and(|lifetime| lifetime != found.times.lifetime);
        base.is_some() || updates > 0 || renew && !found.in_grace || another
    }

    /// The session is to live longer from now on.
    pub fn touches(&self) -> bool {
        self.pending.touch && !self.skips
    }

    /// The changes on top of this value, or of their own base.
    pub fn on_top_of(&self, value: Value) -> Value {
        let mut value = self.pending.base.unwrap_or(value);
        value.count += self.pending.updates;
        value
    }

    /// All sessions of this request are over.
    pub fn has_ended(&mut self) {
        self.found = None;
        self.presented.clear();
        self.begun.clear();
        self.pending.ended = false;
        // A token that an earlier save earned is taken back.
        self.sends = if self.carried { Sends::Removal } else { Sends::Nothing };
    }

    /// A login of this request went on in the record of a session that it met.
    pub fn goes_on_as(&mut self, session: Presented) {
        let all = self.presented.iter_mut().chain(&mut self.begun);
        all.filter(|met| met.session == session.session).for_each(|met| *met = session);
    }

    pub fn has_written(&mut self, found: Found) {
        self.found = Some(found);
        self.value = Some(found.value);
        self.is_done();
        self.planned = None;
    }

    pub fn sends_token(&mut self, now: u64, place: Place) {
        let Some(Found { session, names, value, times, .. }) = self.found else { return };
        self.sends = Sends::Token;
        self.token = Some(Token { session, names, value, times });
        self.max_age = times.max_age(now, place);
    }

    /// The session is over, or goes on under an id that another request was
    /// given. `clear` still ends it; whether a login does is open.
    pub fn loses(&mut self) {
        let Some(found) = self.found.take() else { return };
        let all = self.presented.iter_mut().chain(&mut self.begun);
        all.filter(|met| met.session == found.session).for_each(|met| met.lost = true);
    }

    /// The session is over, and the changes to it are dropped.
    pub fn is_lost(&mut self) {
        self.loses();
        self.value = None;
        self.is_done();
        self.lost = true;
    }

    /// The changes are dropped, whatever became of the session that was found.
    pub fn is_refused(&mut self) {
        self.is_done();
        self.planned = None;
        self.value = self.found.map(|found| found.value);
        self.lost = self.found.is_none();
    }

    /// `get`, `id`, `csrf_token`, `created_at` and `expires_at`: what the commit
    /// will do.
    pub fn told(&mut self, model: &mut Model) -> Told {
        let Some(value) = self.value else {
            let (created, expires, lifetime) = (None, [None; 2], self.begins_with());
            return Told { value: None, names: None, created, expires, lifetime };
        };
        let found = self.goes_on();
        let renews = self.pending.renew && found.is_none_or(|found| !found.in_grace);
        let names = match found {
            Some(found) if !self.begins_another() && !renews => found.names,
            _ => *self.planned.get_or_insert_with(|| model.names()),
        };
        let now = model.now;
        let times = match found {
            Some(found) if !self.begins_another() => {
                let used = !self.skips && (self.writes() || self.touches());
                let seen = if used { now.max(found.times.seen) } else { found.times.seen };
                let lifetime = self.pending.lifetime.unwrap_or(found.times.lifetime);
                Times { created: found.times.created, seen, lifetime }
            }
            _ => Times { created: now, seen: now, lifetime: self.begins_with() },
        };
        let due = !self.skips && times.touch_due(now, model.settings.place);
        let seen = if due { now } else { times.seen };
        let touched = Times { seen, ..times };
        let expires = [Some(times.expires()), Some(touched.expires())];
        let (created, lifetime) = (Some(times.created), times.lifetime);
        Told { value: Some(value), names: Some(names), created, expires, lifetime }
    }
}
