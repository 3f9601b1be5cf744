//! The contract as a small sequential model. Nothing here is taken from the
//! code; where the contract leaves an outcome open, the model makes a choice,
//! and a run agrees with the contract if it agrees with one of the choices.

use crate::app::{GRACE, IDLE};
use crate::choices::Choices;
use crate::kept::{Kept, Names, Presented, Times, Token};
use crate::scenario::{Fault, Limit, Owner, Place, Settings};
use crate::trace::{Failure, Value};
use crate::view::{Found, Pending, Unsettled, View};

/// All sessions, as one storage and all clients together know them.
#[derive(Debug)]
pub struct Model {
    pub settings: Settings,
    pub now: u64,
    pub sessions: Vec<Kept>,
    pub choices: Choices,
    /// What becomes of writes now; none if the request is being dropped, and
    /// some of them may not happen.
    pub writes: Option<Fault>,
    /// A `revoke_owner` came in the middle: who begins a session meanwhile is refused.
    pub revoking: bool,
    /// How often `revoke_owner` came.
    revocations: u32,
    /// The answer to a write that was applied is lost.
    unanswered: bool,
    numbers: usize,
}

impl Model {
    pub fn new(settings: Settings, choices: Choices) -> Self {
        let (sessions, writes) = (Vec::new(), Some(Fault::None));
        Self {
            settings,
            now: 0,
            sessions,
            choices,
            writes,
            revoking: false,
            revocations: 0,
            unanswered: false,
            numbers: 0,
        }
    }

    pub fn names(&mut self) -> Names {
        self.numbers += 1;
        Names { id: self.numbers, csrf: self.numbers }
    }

    /// Whether an end from elsewhere reaches the session.
    fn can_end(&self) -> bool {
        self.settings.place != Place::Client
    }

    /// Sessions whose records are in the storage.
    pub fn live(&self) -> usize {
        self.sessions.iter().filter(|kept| self.is_live(kept)).count()
    }

    pub fn is_live(&self, kept: &Kept) -> bool {
        !kept.ended && self.now < kept.times.expires()
    }

    /// Whether this id still opens the session, and if it is the one before the last.
    fn admits(&self, kept: &Kept, id: usize) -> Option<bool> {
        let previous = kept.previous.filter(|(_, renewed)| {
            self.settings.grace && self.now - renewed < GRACE // seconds
        });
        match previous {
            _ if kept.names.id == id => Some(false),
            Some((previous, _)) if previous == id => Some(true),
            _ => None,
        }
    }

    /// The session as a request finds it by its token.
    fn find(&self, token: &Token) -> Option<Found> {
        let kept = self.sessions[token.session];
        let Token { session, names, .. } = *token;
        if self.settings.place.on_server() {
            let in_grace = self.admits(&kept, names.id).filter(|_| self.is_live(&kept))?;
            let names = Names { csrf: kept.names.csrf, ..names };
            let Kept { value, times, writes, .. } = kept;
            return Some(Found { session, names, in_grace, value, times, writes });
        }
        let over = kept.ended || self.now >= token.times.expires();
        let Token { value, times, .. } = *token;
        let (in_grace, writes) = (false, kept.writes);
        (!over).then_some(Found { session, names, in_grace, value, times, writes })
    }

    /// What a request presents. Several tokens of one session are one session;
    /// of several sessions none is used.
    pub fn load(&self, carried: bool, tokens: &[Token]) -> View {
        let mut all: Vec<Found> = Vec::new();
        for found in tokens.iter().filter_map(|token| self.find(token)) {
            match all.iter_mut().find(|other| other.session == found.session) {
                Some(same) if same.in_grace || same.times.seen < found.times.seen => *same = found,
                Some(_) => {}
                None => all.push(found),
            }
        }
        let presented = all.iter().map(|found| self.presented(found.session)).collect();
        View::new(carried, all.pop().filter(|_| all.is_empty()), presented)
    }

    pub fn presented(&self, session: usize) -> Presented {
        Presented { session, logins: self.sessions[session].logins, lost: false }
    }

    /// The session as it stands now, if it does.
    pub fn find_again(&self, found: &Found) -> Option<Found> {
        let Found { session, names, value, times, .. } = *found;
        self.find(&Token { session, names, value, times })
    }

    /// One write of the storage.
    pub fn write(&mut self) -> Result<(), Failure> {
        match self.writes {
            Some(Fault::None) => Ok(()),
            Some(Fault::LostAnswer) => {
                self.unanswered = true;
                Ok(())
            }
            None if self.choices.choose(2) == 0 => Ok(()),
            _ => Err(Failure::Storage),
        }
    }

    /// A write was applied, and nobody knows.
    pub fn lost_answer(&mut self) -> Result<(), Failure> {
        if std::mem::take(&mut self.unanswered) { Err(Failure::Storage) } else { Ok(()) }
    }

    /// The session is over already. Whether a write is tried all the same, and
    /// fails where writes do, is open.
    fn write_in_vain(&mut self) -> Result<(), Failure> {
        let fault = matches!(self.writes, Some(Fault::Down | Fault::LostAnswer));
        let fails = fault && self.choices.choose(2) == 1;
        if fails { Err(Failure::Storage) } else { Ok(()) }
    }

    /// Ends sessions for everybody.
    fn end(&mut self, sessions: &[Presented]) -> Result<(), Failure> {
        if !self.can_end() {
            return Ok(());
        }
        let mut all = Ok(());
        // In which order they end shows where an answer is lost.
        let first = match self.writes {
            Some(Fault::LostAnswer) if !sessions.is_empty() => self.choices.choose(sessions.len()),
            _ => 0,
        };
        for Presented { session, logins, .. } in sessions[first..].iter().chain(&sessions[..first])
        {
            let kept = self.sessions[*session];
            // Whether an end reaches a login that went on from it meanwhile, is open.
            let replaced = kept.logins != *logins && self.choices.choose(2) == 1;
            let over = replaced || !self.is_live(&kept);
            match if over { self.write_in_vain() } else { self.write() } {
                Ok(()) => self.sessions[*session].ended |= !over,
                failure => all = failure,
            }
            self.lost_answer()?;
        }
        all
    }

    /// A login meets sessions that the request has lost: they may go on under ids
    /// that other requests were given. Whether it ends them is open.
    fn end_lost(&mut self, lost: &[Presented]) -> Result<(), Failure> {
        if lost.is_empty() || self.choices.choose(2) == 1 {
            return Ok(());
        }
        self.end(lost)
    }

    /// `revoke_owner`.
    pub fn revoke(&mut self, owner: Owner) {
        if self.can_end() {
            self.revocations += 1;
            let all = self.sessions.iter_mut().filter(|kept| kept.value.owner == owner);
            all.for_each(|kept| kept.ended = true);
        }
    }

    /// How often the owner had been revoked when this was first tried.
    fn guard(&self, view: &mut View, owner: Owner) -> u32 {
        let guard = view.guard.filter(|(of, _)| *of == owner);
        view.guard.insert(guard.unwrap_or((owner, self.revocations))).1
    }

    /// One more session of this owner: not if that was revoked since it was first
    /// tried, and within `max_sessions_per_owner`. `at` is the session if it is there.
    pub fn joins(
        &mut self,
        view: &mut View,
        value: Value,
        at: Option<usize>,
    ) -> Result<(), Failure> {
        let revocations = self.guard(view, value.owner);
        let revoked = value.owner == Owner::Ann && revocations != self.revocations;
        if self.revoking || revoked {
            return Err(Failure::Ended);
        }
        match at {
            Some(at) if self.sessions[at].value.owner == value.owner => Ok(()),
            _ => self.make_room(value, at),
        }
    }

    /// `max_sessions_per_owner`, before one more session of this owner.
    fn make_room(&mut self, value: Value, except: Option<usize>) -> Result<(), Failure> {
        loop {
            let all = self.sessions.iter().enumerate().filter(|(at, kept)| {
                self.is_live(kept) && kept.value.owner == value.owner && Some(*at) != except
            });
            let mut others: Vec<_> = all.map(|(at, kept)| (kept.times.created, at)).collect();
            match self.settings.limit {
                _ if others.len() < 2 => return Ok(()),
                Limit::None => return Ok(()),
                Limit::Refuse => return Err(Failure::LimitReached),
                Limit::EndOldest => {}
            }
            others.sort_unstable();
            let oldest = others.iter().filter(|other| other.0 == others[0].0).count();
            let (_, oldest) = others[self.choices.choose(oldest)];
            self.sessions[oldest].ended = true;
        }
    }

    /// Carries out what a request asks for. Its changes stay pending if that
    /// fails, unless the session is over.
    pub fn commit(&mut self, view: &mut View, failed: bool) -> Result<(), Failure> {
        if let Some(failure) = view.failure.take() {
            return Err(failure);
        }
        self.settle(view, false)?;
        let before = view.clone();
        let committed = self.carry_out(view, failed);
        if view.unsettled.is_some() {
            return committed;
        }
        if committed.is_ok() && self.lost_answer().is_err() {
            // It is applied, and counts once, whenever the request finds out.
            return Err(Failure::Storage);
        }
        if matches!(committed, Err(Failure::Ended)) {
            // Its owner was revoked meanwhile. Tried again, it would outlive that. A
            // session that was this owner's before is over with it.
            let owner = before.value.map(|value| value.owner);
            view.found = view.found.filter(|found| Some(found.value.owner) != owner);
            view.is_refused();
        } else if committed.is_err() {
            // A session that did not begin begins under another id, if it still does.
            let begins = before.found.is_none() || before.begins_another();
            // Whether an end that was done counts already, is open.
            let ended = before.pending.ended && !view.pending.ended;
            // So is whether the request knows that its session is over, if it saw so.
            let over = !ended && before.found.is_some() && view.found.is_none();
            if !ended || self.choices.choose(2) == 0 {
                // A limit that was reached was an answer: tried again, it is another login.
                let guard = view.guard.filter(|_| committed != Err(Failure::LimitReached));
                *view = View { guard, ..before };
            }
            if over && self.choices.choose(2) == 1 {
                view.loses();
                view.planned = None;
            }
            if begins && view.planned.is_some() && self.choices.choose(2) == 1 {
                view.planned = None;
            }
        }
        committed
    }

    fn carry_out(&mut self, view: &mut View, failed: bool) -> Result<(), Failure> {
        if view.pending.ended {
            let all = [&view.presented[..], &view.begun].concat();
            self.end(&all)?;
            view.has_ended();
        }
        let Some(value) = view.value else {
            view.pending = Pending::default();
            return Ok(());
        };
        if view.found.is_none() || view.begins_another() {
            self.guard(view, value.owner);
        }
        let Some(found) = view.found else {
            let all = [&view.presented[..], &view.begun].concat();
            // Whether it ends the one session that a `refresh` found to be over
            // under this id, should it go on under another, is open.
            let (lost, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|met| met.lost);
            if view.pending.login {
                self.end(&others)?;
                self.end_lost(&lost)?;
            }
            return self.begin(view, value);
        };
        if view.begins_another() {
            return self.log_in(view, &found);
        }
        if !view.writes() {
            self.touch(view, &found, failed);
            return Ok(());
        }
        self.replace(view, &found)
    }

    /// Another session begins.
    fn begin(&mut self, view: &mut View, value: Value) -> Result<(), Failure> {
        if self.settings.place.on_server() {
            self.write()?;
            let joins = self.joins(view, value, None);
            // Its key is ended, and it is not begun again.
            self.lost_answer()?;
            joins?;
            if self.writes.is_none() && self.choices.choose(2) == 1 {
                // Dropped before its answer came.
                return Err(Failure::Storage);
            }
        }
        let names = view.planned.take().unwrap_or_else(|| self.names());
        let idle = view.pending.idle.unwrap_or(IDLE);
        let times = Times { created: self.now, seen: self.now, idle };
        let kept = Kept { value, times, names, previous: None, ended: false, logins: 0, writes: 1 };
        self.sessions.push(kept);
        let session = self.sessions.len() - 1;
        view.begun.push(self.presented(session));
        view.has_written(Found { session, names, in_grace: false, value, times, writes: 1 });
        view.sends_token();
        Ok(())
    }

    /// A login, or a changed owner: begins anew, whatever became of the former
    /// session, which ends.
    fn log_in(&mut self, view: &mut View, found: &Found) -> Result<(), Failure> {
        let others = [&view.presented[..], &view.begun].concat();
        let others = others.into_iter().filter(|other| other.session != found.session);
        let (lost, others): (Vec<_>, Vec<_>) = others.partition(|met| met.lost);
        // A changed owner counts as a login; whether it ends the other sessions
        // that were presented, too, is open.
        if view.pending.login || !others.is_empty() && self.choices.choose(2) == 0 {
            self.end(&others)?;
            self.end_lost(&lost)?;
        }
        let again = self.find_again(found);
        if again.is_none_or(|again| again.names != found.names || again.in_grace != found.in_grace)
        {
            // Nobody could know the names that this login gives.
            view.planned = None;
        }
        if self.settings.place.on_server() && (again.is_some() || self.tries_in_vain()) {
            return self.begin_in_place(view, found);
        }
        let value = view.on_top_of(found.value);
        view.value = Some(value);
        if again.is_none() {
            if !self.settings.place.on_server() {
                self.write_in_vain()?;
            }
            view.loses();
            return self.begin(view, value);
        }
        self.end(&[self.presented(found.session)])?;
        self.begin(view, value)
    }

    /// Another session begins in the record of the former one, whose ids open nothing.
    fn begin_in_place(&mut self, view: &mut View, found: &Found) -> Result<(), Failure> {
        let value = view.on_top_of(found.value);
        let names = view.planned.unwrap_or_else(|| self.names());
        let idle = view.pending.idle.unwrap_or(IDLE);
        let times = Times { created: self.now, seen: self.now, idle };
        let logins = self.sessions[found.session].logins + 1;
        let (previous, ended, writes) = (None, false, 0);
        let after = Kept { value, times, names, previous, ended, logins, writes };
        let write = Self::write_of(view, Found { in_grace: false, ..*found }, after, true);
        self.replaced(view, found, write)
    }

    /// The session is over already. Whether a write is tried all the same, and fails
    /// where writes do, is open.
    fn tries_in_vain(&mut self) -> bool {
        let fault = matches!(self.writes, Some(Fault::Down | Fault::LostAnswer));
        fault && self.choices.choose(2) == 1
    }

    /// A change of the session that was found, on top of what it holds now. If
    /// it is over, the change is dropped.
    fn replace(&mut self, view: &mut View, found: &Found) -> Result<(), Failure> {
        let again = self.find_again(found);
        if again.is_none() && !(self.settings.place.on_server() && self.tries_in_vain()) {
            self.write_in_vain()?;
            view.is_lost();
            return Ok(());
        }
        // What is written if nobody else wrote, or on top of it.
        let unanswered = matches!(self.writes, Some(Fault::Down | Fault::LostAnswer));
        let again = again.filter(|_| !unanswered).unwrap_or(*found);
        let value = view.on_top_of(again.value);
        let renews = view.pending.renew && !again.in_grace;
        let own_idle = view.pending.idle.unwrap_or(again.times.idle);
        let Pending { base, updates, .. } = view.pending;
        if base.is_none() && updates == 0 && !renews && own_idle == again.times.idle {
            // Somebody else has renewed it.
            view.found = Some(again);
            self.touch(view, &again, false);
            return Ok(());
        }
        let resends = own_idle != again.times.idle && !again.in_grace;
        let times = Times { seen: self.now.max(again.times.seen), idle: own_idle, ..again.times };
        let kept = self.sessions[found.session];
        let names = match view.planned.filter(|_| renews) {
            Some(names) => names,
            None if renews => self.names(),
            None => again.names,
        };
        if !self.settings.place.on_server() {
            if renews && self.can_end() {
                self.write()?;
            }
            self.seal(view, Found { names, value, times, ..again }, renews);
            return Ok(());
        }
        let previous = renews.then_some((kept.names.id, self.now)).or(kept.previous);
        let after =
            Kept { value, times, previous, names: if renews { names } else { kept.names }, ..kept };
        // Whether a lifetime of its own alone sends an id again, is open.
        let sends = renews || resends && self.choices.choose(2) == 0;
        let write = Self::write_of(view, again, after, sends);
        self.replaced(view, found, write)
    }

    fn replaced(
        &mut self,
        view: &mut View,
        found: &Found,
        write: Unsettled,
    ) -> Result<(), Failure> {
        self.swap(view, *found, write)?;
        view.goes_on_as(self.presented(write.found.session));
        view.has_written(write.found);
        if write.sends {
            view.sends_token();
        }
        Ok(())
    }

    /// Seals a client session's next token. After a renewal another one stands for it.
    fn seal(&mut self, view: &mut View, mut next: Found, renews: bool) {
        let ends_old = self.can_end();
        let Found { value, times, names, .. } = next;
        if renews {
            let kept = &mut self.sessions[next.session];
            kept.ended = ends_old;
            let kept = Kept { value, times, names, previous: None, ended: false, ..*kept };
            self.sessions.push(kept);
            next.session = self.sessions.len() - 1;
            view.begun.push(self.presented(next.session));
        }
        view.has_written(next);
        view.sends_token();
    }

    /// Refreshes an expiry that is due. A failure changes nothing.
    fn touch(&mut self, view: &mut View, found: &Found, failed: bool) {
        view.pending = Pending::default();
        if failed || !found.times.touch_due(self.now) {
            return;
        }
        let on_server = self.settings.place.on_server();
        let times = Times { seen: self.now, ..found.times };
        let written = if on_server { self.write() } else { Ok(()) };
        // Nobody asked for it.
        self.unanswered = false;
        if self.find_again(found).is_none() || written.is_err() {
            // Whether a request that changes nothing learns of an end, is open.
            let learns = if on_server { 0 } else { self.choices.choose(3) };
            if learns > 0 {
                view.is_lost();
                view.lost = learns == 2;
            }
            return;
        }
        if on_server {
            let kept = &mut self.sessions[found.session].times;
            kept.seen = kept.seen.max(self.now);
        }
        view.has_written(Found { times, ..*found });
        if !on_server {
            view.sends_token();
        }
    }

    /// `refresh()`: reads again, and the pending changes stay on top.
    pub fn refresh(&mut self, view: &mut View) {
        if self.settle(view, true) == Ok(false) {
            return;
        }
        let Some(found) = view.found else { return };
        let again = self.find_again(&found);
        if view.pending.ended {
            // Nothing to see now; whether it reads shows in a `discard` later.
            if self.choices.choose(2) == 0 {
                view.found = again;
            }
            return;
        }
        match again {
            Some(again) => {
                if again.names != found.names || again.in_grace != found.in_grace {
                    view.planned = None;
                }
                view.value = Some(view.on_top_of(again.value));
                view.found = Some(again);
            }
            None if view.begins_another() => {
                view.loses();
                view.planned = None;
            }
            None if view.pending == Pending::default() => {
                view.loses();
                view.value = None;
            }
            None => view.is_lost(),
        }
    }
}
