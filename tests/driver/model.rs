//! The contract as a small sequential model. Nothing here is taken from the
//! code; where the contract leaves an outcome open, the model makes a choice,
//! and a run agrees with the contract if it agrees with one of the choices.

use crate::app::GRACE;
use crate::choices::Choices;
use crate::kept::{Kept, Names, Presented, Times, Token};
use crate::scenario::{Fault, Limit, Place, Settings};
use crate::trace::{Failure, Value};
use crate::view::{Found, Pending, View};

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

    fn is_live(&self, kept: &Kept) -> bool {
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
            return Some(Found { session, names, in_grace, value: kept.value, times: kept.times });
        }
        let over = kept.ended || self.now >= token.times.expires();
        let Token { value, times, .. } = *token;
        (!over).then_some(Found { session, names, in_grace: false, value, times })
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
    fn find_again(&self, found: &Found) -> Option<Found> {
        let Found { session, names, value, times, .. } = *found;
        self.find(&Token { session, names, value, times })
    }

    /// One write of the storage.
    fn write(&mut self) -> Result<(), Failure> {
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
    fn lost_answer(&mut self) -> Result<(), Failure> {
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
        for Presented { session, logins, .. } in sessions {
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
    pub fn revoke(&mut self, owner: crate::scenario::Owner) {
        if self.can_end() {
            let all = self.sessions.iter_mut().filter(|kept| kept.value.owner == owner);
            all.for_each(|kept| kept.ended = true);
        }
    }

    /// `max_sessions_per_owner`, before one more session of this owner.
    fn make_room(&mut self, value: Value, except: Option<usize>) -> Result<(), Failure> {
        if self.revoking {
            return Err(Failure::Ended);
        }
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
        let before = view.clone();
        let committed = self.carry_out(view, failed);
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
                *view = before;
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
            view.is_done();
            return Ok(());
        };
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
            return self.touch(view, &found, failed);
        }
        self.replace(view, &found)
    }

    /// Another session begins.
    fn begin(&mut self, view: &mut View, value: Value) -> Result<(), Failure> {
        if self.settings.place.on_server() {
            self.write()?;
            // Its key is ended, and it is not begun again.
            self.lost_answer()?;
            self.make_room(value, None)?;
        }
        let names = view.planned.take().unwrap_or_else(|| self.names());
        let times = Times { created: self.now, seen: self.now, lifetime: view.begins_with() };
        self.sessions.push(Kept { value, times, names, previous: None, ended: false, logins: 0 });
        let session = self.sessions.len() - 1;
        view.begun.push(self.presented(session));
        view.has_written(Found { session, names, in_grace: false, value, times });
        view.sends_token(self.now, self.settings.place);
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
        let value = view.on_top_of(found.value);
        view.value = Some(value);
        let again = self.find_again(found);
        if again.is_none_or(|again| again.names != found.names || again.in_grace != found.in_grace)
        {
            // Nobody could know the names that this login gives.
            view.planned = None;
        }
        if again.is_none() {
            self.write_in_vain()?;
            view.loses();
            return self.begin(view, value);
        }
        if self.settings.place.on_server() {
            return self.begin_in_place(view, value, found.session);
        }
        self.end(&[self.presented(found.session)])?;
        self.begin(view, value)
    }

    /// Another session begins in the record of the former one, whose ids open nothing.
    fn begin_in_place(
        &mut self,
        view: &mut View,
        value: Value,
        session: usize,
    ) -> Result<(), Failure> {
        self.write()?;
        if self.revoking {
            return Err(Failure::Ended);
        }
        if self.sessions[session].value.owner != value.owner {
            self.make_room(value, Some(session))?;
        }
        let names = view.planned.take().unwrap_or_else(|| self.names());
        let times = Times { created: self.now, seen: self.now, lifetime: view.begins_with() };
        let logins = self.sessions[session].logins + 1;
        let kept = Kept { value, times, names, previous: None, ended: false, logins };
        self.sessions[session] = kept;
        view.goes_on_as(self.presented(session));
        view.has_written(Found { session, names, in_grace: false, value, times });
        view.sends_token(self.now, self.settings.place);
        Ok(())
    }

    /// A change of the session that was found, on top of what it holds now. If
    /// it is over, the change is dropped.
    fn replace(&mut self, view: &mut View, found: &Found) -> Result<(), Failure> {
        let Some(again) = self.find_again(found) else {
            self.write_in_vain()?;
            view.is_lost();
            return Ok(());
        };
        let value = view.on_top_of(again.value);
        let renews = view.pending.renew && !again.in_grace;
        let lifetime = view.pending.lifetime.unwrap_or(again.times.lifetime);
        let resends = lifetime != again.times.lifetime && !again.in_grace;
        // Whether a use that another request writes down at the same moment counts, is
        // open if this one is no use.
        let overtaken = view.skips && again.times.seen != found.times.seen;
        let seen = match view.skips {
            true if overtaken && self.choices.choose(2) == 1 => found.times.seen,
            true => again.times.seen,
            false => self.now.max(again.times.seen),
        };
        let times = Times { seen, lifetime, ..again.times };
        let on_server = self.settings.place.on_server();
        let mut next = Found { value, times, ..again };
        if on_server || renews && self.can_end() {
            self.write()?;
        }
        if renews {
            next.names = view.planned.take().unwrap_or_else(|| self.names());
        }
        self.keep(view, &mut next, renews);
        view.has_written(next);
        if renews || !on_server || resends {
            view.sends_token(self.now, self.settings.place);
        }
        Ok(())
    }

    /// Writes a session's next state down.
    fn keep(&mut self, view: &mut View, next: &mut Found, renews: bool) {
        let ends_old = self.can_end();
        let kept = &mut self.sessions[next.session];
        let Found { value, times, names, .. } = *next;
        if self.settings.place.on_server() {
            let previous = renews.then_some((kept.names.id, self.now)).or(kept.previous);
            let names = if renews { names } else { kept.names };
            *kept = Kept { value, times, names, previous, ..*kept };
        } else if renews {
            // With client storage another token stands for it.
            kept.ended = ends_old;
            let kept = Kept { value, times, names, previous: None, ended: false, logins: 0 };
            self.sessions.push(kept);
            next.session = self.sessions.len() - 1;
            view.begun.push(self.presented(next.session));
        }
    }

    /// Refreshes an expiry that is due, or as it was asked for.
    fn touch(&mut self, view: &mut View, found: &Found, failed: bool) -> Result<(), Failure> {
        let asked = view.touches();
        let due = !view.skips && found.times.touch_due(self.now, self.settings.place);
        if !asked && (failed || !due) {
            view.is_done();
            return Ok(());
        }
        let touched = self.touch_once(view, found);
        if asked {
            if !touched? {
                view.is_lost();
            }
            return Ok(());
        }
        // Nobody asked for it: a failure changes nothing.
        self.unanswered = false;
        view.is_done();
        // Whether a request that changes nothing learns of an end, is open.
        let on_server = self.settings.place.on_server();
        let learns = if on_server || touched == Ok(true) { 0 } else { self.choices.choose(3) };
        if learns > 0 {
            view.is_lost();
            view.lost = learns == 2;
        }
        Ok(())
    }

    /// Says whether the session lives. On the server the record counts, whatever its
    /// id is by now.
    fn touch_once(&mut self, view: &mut View, found: &Found) -> Result<bool, Failure> {
        let on_server = self.settings.place.on_server();
        let kept = self.sessions[found.session];
        let lives = if on_server { self.is_live(&kept) } else { self.find_again(found).is_some() };
        if !lives {
            self.write_in_vain()?;
            return Ok(false);
        }
        if on_server {
            self.write()?;
            let kept = &mut self.sessions[found.session].times;
            kept.seen = kept.seen.max(self.now);
        }
        let times = Times { seen: self.now.max(found.times.seen), ..found.times };
        view.has_written(Found { times, ..*found });
        if !on_server {
            view.sends_token(self.now, self.settings.place);
        }
        Ok(true)
    }

    /// `refresh()`: reads again, and the pending changes stay on top.
    pub fn refresh(&mut self, view: &mut View) {
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
