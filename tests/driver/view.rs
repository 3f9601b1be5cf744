//! What one request sees of its session, and what it wants of it: the part of
//! the contract that needs no storage.

use crate::kept::{Kept, Lifetime, Names, Presented, Times, Token};
use crate::renewals::{Renewal, Shown};
use crate::scenario::{Owner, Place};
use crate::trace::{Failure, Value};

/// The session that a request goes on with.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub session: usize,
    pub names: Names,
    pub value: Value,
    pub times: Times,
    /// How often the session had been written.
    pub writes: u32,
    pub renewal: Renewal,
}

/// What is left of a session that a login of another request has replaced, or of an id
/// that a renewal has. It is nobody, and begins nothing but a login.
#[derive(Clone, Copy, Debug)]
pub struct Replaced {
    pub csrf: usize,
    /// The login's session.
    pub successor: Option<usize>,
    /// It is the session that the request has found, under another id.
    pub renewed: Option<Found>,
    /// The first of the sessions over each of which a login began the next one.
    pub origin: usize,
}

/// A write that was sent and not answered. It is sent again by itself, as it was,
/// before what is asked for later.
#[derive(Clone, Copy, Debug)]
pub struct Unsettled {
    /// What it carries out.
    pub pending: Pending,
    /// When it was first sent.
    pub at: u64,
    /// The session after it.
    pub after: Kept,
    pub found: Found,
    /// The client is to hold another token then.
    pub sends: bool,
    /// Under another id.
    pub renews: bool,
    pub applied: bool,
    /// It came too late.
    pub overtaken: bool,
    /// Its changes are still asked for.
    pub wanted: bool,
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

impl Pending {
    /// These, then the later ones.
    pub fn followed_by(self, later: Self) -> Self {
        let (base, updates) = match later.base {
            Some(_) => (later.base, later.updates),
            None => (self.base, self.updates + later.updates),
        };
        Self {
            ended: self.ended,
            base,
            updates,
            login: self.login || later.login,
            renew: self.renew || later.renew,
            lifetime: later.lifetime.or(self.lifetime),
            touch: self.touch || later.touch,
        }
    }
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
    /// In the place of a session, what a login has left of it.
    pub replaced: Option<Replaced>,
    /// Every valid session that was presented.
    pub presented: Vec<Presented>,
    /// Every session that this request began and saved.
    pub begun: Vec<Presented>,
    pub value: Option<Value>,
    pub pending: Pending,
    /// Whose session it was that is over, while changes are pending that were asked for
    /// over it. A value of somebody else still counts as a login.
    pub former: Option<Owner>,
    /// Changes were dropped, because the session was over.
    pub lost: bool,
    /// The names of the session that the commit will begin, once asked for.
    pub planned: Option<Names>,
    /// The names of the token under which a client session goes on whose renewal was not
    /// answered.
    pub next: Option<Names>,
    pub sends: Sends,
    /// The token to send, and the `Max-Age` of its cookie.
    pub token: Option<Token>,
    /// Before the next commit.
    pub unsettled: Option<Unsettled>,
    /// Whose the pending changes make the session, and how often that owner had been
    /// revoked when it was first tried. Later revocations hold against it.
    pub guard: Option<(Owner, u32)>,
    /// Of the commit under way.
    pub failure: Option<Failure>,
    pub max_age: Option<u64>,
    /// The lifetime that was said before the last commit.
    pub said: Option<Lifetime>,
    /// `skip_touch`.
    pub skips: bool,
    /// Not everything could be saved, and the request is about to drop what is left.
    pub gives_up: bool,
}

impl View {
    pub fn new(carried: bool, found: Option<Found>, presented: Vec<Presented>) -> Self {
        let value = found.map(|found| found.value);
        let (begun, pending) = (Vec::new(), Pending::default());
        let (sends, token) = (Sends::Nothing, None);
        let (planned, lost, unsettled, guard) = (None, false, None, None);
        let (max_age, said, skips) = (None, None, false);
        Self {
            carried,
            found,
            replaced: None,
            presented,
            begun,
            value,
            pending,
            former: None,
            lost,
            planned,
            next: None,
            sends,
            token,
            unsettled,
            guard,
            failure: None,
            max_age,
            said,
            skips,
            gives_up: false,
        }
    }

    /// `set`; a changed owner counts as a login.
    pub fn set(&mut self, value: Value) {
        self.planned = None;
        self.guard = None;
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
        self.drop_pending();
        self.said = None;
        self.pending = Pending { ended: true, ..Pending::default() };
        self.value = None;
    }

    /// `discard`: back to what was found or last committed.
    pub fn discard(&mut self) {
        self.drop_pending();
        self.value = self.found.map(|found| found.value);
    }

    fn drop_pending(&mut self) {
        (self.planned, self.next, self.guard, self.lost) = (None, None, None, false);
        self.pending = Pending::default();
        self.former = None;
        if let Some(unsettled) = &mut self.unsettled {
            unsettled.wanted = false;
        }
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

    /// The lifetime of a session that begins: what the request has said. What was sent
    /// is as good as said.
    pub fn begins_with(&self) -> Lifetime {
        let sent = self.unsettled.filter(|sent| sent.wanted && !self.pending.ended);
        let sent = sent.and_then(|sent| sent.pending.lifetime);
        self.pending.lifetime.or(sent).or(self.said).unwrap_or_default()
    }

    /// No change is pending any more.
    pub fn is_done(&mut self) {
        self.said = self.pending.lifetime.or(self.said);
        self.pending = Pending::default();
        self.former = None;
    }

    /// After a 5xx: only `clear` holds.
    pub fn drop_changes(&mut self) {
        let ended = self.pending.ended;
        self.discard();
        if ended {
            self.clear();
        }
    }

    /// The session that goes on, unless `clear` ends it. What was sent is as good as
    /// done.
    pub fn goes_on(&self) -> Option<Found> {
        let unsettled = self.unsettled.filter(|unsettled| unsettled.wanted);
        let found = unsettled.map(|unsettled| unsettled.found).or(self.found);
        found.filter(|_| !self.pending.ended)
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
        let renews = renew && found.renewal.shown != Shown::Grace;
        base.is_some() || updates > 0 || renews || another
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
        (self.found, self.replaced) = (None, None);
        self.presented.clear();
        self.begun.clear();
        self.pending.ended = false;
        // A token that an earlier save earned is taken back.
        self.sends = if self.carried { Sends::Removal } else { Sends::Nothing };
    }

    /// A login has replaced the session that was to end.
    pub fn has_met_a_login(&mut self, left: Replaced) {
        self.stands_replaced(left);
        self.pending.ended = false;
        self.presented.clear();
        self.begun.clear();
    }

    /// A login has replaced this session. Nothing ends it any more.
    pub fn forget(&mut self, session: usize) {
        self.presented.retain(|met| met.session != session);
        self.begun.retain(|met| met.session != session);
    }

    /// Another request's login has replaced the session that was found, or a renewal its
    /// id.
    pub fn stands_replaced(&mut self, replaced: Replaced) {
        if replaced.renewed.is_some() {
            self.loses();
        } else if let Some(found) = self.found.take() {
            self.forget(found.session);
            self.is_over(&found);
        }
        self.replaced = Some(replaced);
    }

    /// What stands in the place of a session. `clear` ends one that goes on under another
    /// id.
    pub fn stands(&self) -> Option<Replaced> {
        self.replaced.filter(|replaced| replaced.renewed.is_none() || !self.pending.ended)
    }

    /// What is pending begins nothing, since a login has replaced the session.
    pub fn begins_nothing(&self) -> bool {
        let value = self.value.filter(|_| self.pending.base.is_some());
        let another = |value: Value| self.former.is_some_and(|former| former != value.owner);
        self.stands().is_some() && !self.pending.login && !value.is_some_and(another)
    }

    /// A token goes out only as long as its session stands.
    fn is_over(&mut self, found: &Found) {
        if self.sends == Sends::Token {
            self.sends = Sends::Nothing;
        }
        // What was asked for after a `clear` was not asked for over it.
        let asked = self.pending != Pending::default() && !self.pending.ended;
        self.former = Some(found.value.owner).filter(|_| asked);
    }

    pub fn has_written(&mut self, found: Found) {
        self.found = Some(found);
        (self.replaced, self.next) = (None, None);
        self.value = Some(found.value);
        self.is_done();
        (self.planned, self.guard) = (None, None);
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
        self.is_over(&found);
        let all = self.presented.iter_mut().chain(&mut self.begun);
        all.filter(|met| met.session == found.session).for_each(|met| met.lost = true);
    }

    /// The session is over, and the changes to it are dropped.
    pub fn is_lost(&mut self) {
        self.loses();
        self.drops();
    }

    /// There is no session, and the changes are dropped.
    pub fn drops(&mut self) {
        self.value = None;
        self.is_done();
        self.lost = true;
    }

    /// The changes are dropped, whatever became of the session that was found.
    pub fn is_refused(&mut self) {
        self.is_done();
        (self.planned, self.guard) = (None, None);
        self.value = self.found.map(|found| found.value);
        self.lost = self.found.is_none();
    }
}
