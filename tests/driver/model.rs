//! The contract as a small sequential model. Nothing here is taken from the
//! code; where the contract leaves an outcome open, the model makes a choice,
//! and a run agrees with the contract if it agrees with one of the choices.

use std::collections::BTreeMap;

use crate::app::REPLACED;
use crate::choices::Choices;
use crate::kept::{Kept, Login, Names, Presented, Times, Token};
use crate::logins::Rest;
use crate::scenario::{Fault, Owner, Place, Settings};
use crate::trace::Failure;
use crate::view::{Found, Pending, Replaced, View};

/// Beyond the numbers of sessions: what forms of a renewed id hang on.
const FORMS: usize = 1_000_000;

/// Of so many ids before the present one a session says that they were its own.
const REMEMBERED: usize = 16;

/// All sessions, as one storage and all clients together know them.
#[derive(Debug)]
pub struct Model {
    pub settings: Settings,
    pub now: u64,
    pub sessions: Vec<Kept>,
    /// The id before each that a renewal gave or would have given, and when that was.
    before: BTreeMap<usize, (usize, u64)>,
    pub choices: Choices,
    /// What becomes of writes now; none if the request is being dropped, and
    /// some of them may not happen.
    pub writes: Option<Fault>,
    /// A `revoke_owner` came in the middle: who begins a session meanwhile is refused.
    pub revoking: bool,
    /// It comes in the middle, and may come between the halves of a login.
    pub revokes: bool,
    /// Something comes in the middle that may tell the halves of a login.
    pub tells: bool,
    /// The request has dropped its changes in the middle.
    pub dropping: bool,
    /// What is left to do of logins.
    pub rest: Vec<Rest>,
    /// Those whose id was not told to anybody.
    pub unheld: Vec<Found>,
    /// How often `revoke_owner` came.
    pub revocations: u32,
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
            before: BTreeMap::new(),
            choices,
            writes,
            revoking: false,
            revokes: false,
            tells: false,
            dropping: false,
            rest: Vec::new(),
            unheld: Vec::new(),
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

    /// How many records are in the storage.
    pub fn records(&self) -> usize {
        self.sessions.iter().filter(|kept| self.is_kept(kept)).count()
    }

    pub fn is_live(&self, kept: &Kept) -> bool {
        kept.replaced.is_none() && self.is_kept(kept)
    }

    /// Its record is there, and may say that a login has replaced it.
    pub fn is_kept(&self, kept: &Kept) -> bool {
        let until = kept.replaced.map(|login| login.at + REPLACED);
        !kept.ended && self.now < until.unwrap_or(kept.times.expires())
    }

    /// The session as a request finds it by its token.
    fn find(&self, token: &Token) -> Option<Found> {
        let kept = self.sessions[token.session];
        let Token { session, names, .. } = *token;
        if self.settings.place.on_server() {
            let opens = kept.names.id == names.id && self.is_live(&kept);
            let Kept { value, times, writes, .. } = kept;
            let names = Names { csrf: kept.names.csrf, ..names };
            return opens.then_some(Found { session, names, value, times, writes });
        }
        let over = kept.ended || self.now >= token.times.expires();
        let Token { value, times, .. } = *token;
        let writes = kept.writes;
        (!over).then_some(Found { session, names, value, times, writes })
    }

    /// What this id stands for, if a login has replaced its session, or a renewal the id.
    fn replaced(&self, session: usize, id: usize) -> Option<Replaced> {
        let kept = self.sessions[session];
        if !self.is_kept(&kept) {
            return None;
        }
        let lately = |(before, at): (usize, u64)| before == id && self.now - at < REPLACED;
        match kept.replaced {
            Some(Login { successor, .. }) if kept.names.id == id => {
                Some(Replaced { csrf: kept.names.csrf, successor: Some(successor) })
            }
            _ if self.former(kept.names.id).any(lately) => {
                let goes_on = kept.replaced.map_or(session, |login| login.successor);
                Some(Replaced { csrf: FORMS + id, successor: Some(goes_on) })
            }
            _ => None,
        }
    }

    /// The ids before this one, newest first, and when each was replaced.
    fn former(&self, id: usize) -> impl Iterator<Item = (usize, u64)> {
        let before = |id: usize| self.before.get(&id).copied();
        std::iter::successors(before(id), move |(id, _)| before(*id)).take(REMEMBERED)
    }

    /// What a request presents. Several tokens of one session are one session;
    /// of several sessions none is used. One that a login has replaced counts for
    /// nothing beside them.
    pub fn load(&self, carried: bool, tokens: &[Token]) -> View {
        let mut all: Vec<Found> = Vec::new();
        for found in tokens.iter().filter_map(|token| self.find(token)) {
            match all.iter_mut().find(|other| other.session == found.session) {
                Some(same) if same.times.seen < found.times.seen => *same = found,
                Some(_) => {}
                None => all.push(found),
            }
        }
        let mut replaced = tokens.iter().filter_map(|at| self.replaced(at.session, at.names.id));
        let replaced = replaced.next().filter(|_| all.is_empty());
        let presented = all.iter().map(|found| Presented::new(found.session)).collect();
        let view = View::new(carried, all.pop().filter(|_| all.is_empty()), presented);
        View { replaced, ..view }
    }

    /// The session as it stands now, if it does.
    pub fn find_again(&self, found: &Found) -> Option<Found> {
        let Found { session, names, value, times, .. } = *found;
        self.find(&Token { session, names, value, times })
    }

    /// One write of the storage.
    pub fn write(&mut self) -> Result<(), Failure> {
        match self.writes {
            Some(first) if first.later() != first => {
                self.writes = Some(first.later());
                Ok(())
            }
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
    pub fn write_in_vain(&mut self) -> Result<(), Failure> {
        if self.writes.is_some_and(|first| first.later() != first) {
            return if self.choices.choose(2) == 1 { self.write() } else { Ok(()) };
        }
        let fault = matches!(self.writes, Some(Fault::Down | Fault::LostAnswer));
        let fails = fault && self.choices.choose(2) == 1;
        if fails { Err(Failure::Storage) } else { Ok(()) }
    }

    /// Ends sessions for everybody.
    pub fn end(&mut self, sessions: &[Presented], found: Option<Found>) -> Result<(), Failure> {
        if !self.can_end() {
            return Ok(());
        }
        let mut all = Ok(());
        // In which order they end shows where an answer is lost.
        let first = match self.writes {
            Some(Fault::LostAnswer | Fault::LostLater | Fault::DownLater)
                if !sessions.is_empty() =>
            {
                self.choices.choose(sessions.len())
            }
            _ => 0,
        };
        for Presented { session, .. } in sessions[first..].iter().chain(&sessions[..first]) {
            let over = !self.is_live(&self.sessions[*session]);
            if !over && self.is_overtaken(*session, found) {
                // The first try met a conflict.
                self.write()?;
                self.lost_answer()?;
            }
            match if over { self.write_in_vain() } else { self.write() } {
                Ok(()) if !over => self.second_half(Rest::End(*session)),
                Ok(()) => {}
                Err(failure) if self.writes.is_some() => return Err(failure),
                failure => all = failure,
            }
            self.lost_answer()?;
        }
        all
    }

    /// Whether somebody has written the session since the request met it; open for those
    /// that it does not go on with.
    fn is_overtaken(&mut self, session: usize, found: Option<Found>) -> bool {
        let writes = self.sessions[session].writes;
        match found.filter(|found| found.session == session) {
            Some(found) => self.settings.place.on_server() && found.writes != writes,
            None => {
                let fault = self.writes != Some(Fault::None);
                self.settings.place.on_server() && fault && self.choices.choose(2) == 1
            }
        }
    }

    /// `revoke_owner`.
    pub fn revoke(&mut self, owner: Owner) {
        if self.can_end() {
            self.revocations += 1;
            let all = self.sessions.iter_mut().filter(|kept| kept.replaced.is_none());
            let all = all.filter(|kept| kept.value.owner == owner);
            all.for_each(|kept| kept.ended = true);
        }
    }

    /// How often the owner had been revoked when this was first tried.
    pub fn guard(&self, view: &mut View, owner: Owner) -> u32 {
        let guard = view.guard.filter(|(of, _)| *of == owner);
        view.guard.insert(guard.unwrap_or((owner, self.revocations))).1
    }

    /// Carries out what a request asks for. Its changes stay pending if that
    /// fails, unless the session is over.
    pub fn commit(&mut self, view: &mut View, failed: bool) -> Result<(), Failure> {
        if let Some(failure) = view.failure.take() {
            return Err(failure);
        }
        self.settle(view, false)?;
        self.finds_out(view);
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
            let ends = before.found.is_none() || before.pending.ended;
            let begins = ends || before.begins_another();
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

    /// Changes that the request drops in the middle may have been tried before.
    fn finds_out(&mut self, view: &mut View) {
        let Some(found) = view.found.filter(|_| self.dropping) else { return };
        let replaced = self.replaced(found.session, found.names.id);
        let Some(replaced) = replaced.filter(|_| self.choices.choose(2) == 1) else { return };
        view.stands_replaced(replaced);
        if view.pending == Pending::default() {
            view.value = None;
        }
    }

    fn carry_out(&mut self, view: &mut View, failed: bool) -> Result<(), Failure> {
        if view.pending.ended && view.replaced.is_some() {
            // A login has done that.
            view.pending.ended = false;
        }
        if view.pending.ended {
            let all = [&view.presented[..], &view.begun].concat();
            // What a login has left of the session stays, and the client's cookie, too.
            let login = |found: &Found| self.sessions[found.session].replaced.is_some();
            let found = view.found.filter(login);
            let left = found.and_then(|found| self.replaced(found.session, found.names.id));
            self.end(&all, view.found)?;
            match left {
                Some(left) => view.has_met_a_login(left),
                None => view.has_ended(),
            }
        }
        let Some(value) = view.value else {
            view.is_done();
            return Ok(());
        };
        if view.begins_nothing() {
            view.drops();
            return Ok(());
        }
        let Some(found) = view.found.filter(|_| !view.begins_another()) else {
            self.guard(view, value.owner);
            return self.begin_another(view, value);
        };
        if !view.writes() {
            return self.touch(view, &found, failed);
        }
        self.replace(view, &found)
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
        let mut again = self.find_again(found);
        let on_server = self.settings.place.on_server();
        let expired = again.is_none() && !on_server && !self.sessions[found.session].ended;
        if expired && self.choices.choose(2) == 1 {
            // Whether a request goes on with what it has let expire itself, is open.
            again = Some(*found);
        }
        if again.is_none() && !(self.settings.place.on_server() && self.tries_in_vain()) {
            self.write_in_vain()?;
            match self.replaced(found.session, found.names.id) {
                Some(replaced) => view.stands_replaced(replaced),
                None => view.loses(),
            }
            view.drops();
            return Ok(());
        }
        // What is written if nobody else wrote, or on top of it.
        let unanswered = matches!(self.writes, Some(Fault::Down | Fault::LostAnswer));
        let again_seen = again.map_or(0, |again| again.times.seen);
        let again = again.filter(|_| !unanswered).unwrap_or(*found);
        if again.writes != found.writes {
            // The first try met a conflict, and was the first write.
            self.writes = self.writes.map(Fault::later);
        }
        // So may the next one, whose answer is lost.
        let lost = again.writes != found.writes && self.writes == Some(Fault::LostAnswer);
        let overtaken_again = lost && self.choices.choose(2) == 1;
        let value = view.on_top_of(again.value);
        let renews = view.pending.renew;
        let lifetime = view.pending.lifetime.unwrap_or(again.times.lifetime);
        let Pending { base, updates, .. } = view.pending;
        if base.is_none() && updates == 0 && !renews && lifetime == again.times.lifetime {
            // Somebody else has renewed it.
            (view.found, view.value) = (Some(again), Some(value));
            return self.touch(view, &again, false);
        }
        let resends = lifetime != again.times.lifetime;
        // Whether a use that another request writes down at the same moment counts, is
        // open if this one is no use.
        let present = again_seen.max(again.times.seen);
        let overtaken = view.skips && present != found.times.seen;
        let seen = match view.skips {
            true if overtaken && self.choices.choose(2) == 1 => found.times.seen,
            true => present,
            false => self.now.max(again.times.seen),
        };
        let times = Times { seen, lifetime, ..again.times };
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
        if renews {
            self.before.insert(names.id, (kept.names.id, self.now));
        }
        let after = Kept { value, times, names: if renews { names } else { kept.names }, ..kept };
        let sends = renews || resends;
        let mut write = self.write_of(view, Found { names, ..again }, after, sends);
        write.renews = renews;
        write.overtaken = overtaken_again;
        self.swap(view, *found, write)?;
        view.has_written(write.found);
        if write.sends {
            view.sends_token(self.now, self.settings.place);
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
            let kept = Kept { value, times, names, ended: false, ..*kept };
            self.sessions.push(kept);
            next.session = self.sessions.len() - 1;
            view.begun.push(Presented::new(next.session));
        }
        view.has_written(next);
        view.sends_token(self.now, self.settings.place);
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
        if self.unanswered && !asked {
            view.found = Some(*found);
        }
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
        let lives = if on_server { self.is_kept(&kept) } else { self.find_again(found).is_some() };
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
        if self.settle(view, true) == Ok(false) {
            return;
        }
        let Some(found) = view.found else { return };
        let again = self.find_again(&found);
        if view.pending.ended {
            // Nothing to see now; whether it reads shows in a `discard` later.
            if self.choices.choose(2) == 0 {
                view.found = again;
                let replaced = self.replaced(found.session, found.names.id);
                if let Some(replaced) = replaced.filter(|_| again.is_none()) {
                    view.stands_replaced(replaced);
                }
            }
            return;
        }
        match again {
            Some(again) => {
                if again.names != found.names {
                    view.planned = None;
                }
                view.value = Some(view.on_top_of(again.value));
                view.found = Some(again);
            }
            None => self.is_gone(view, &found),
        }
    }

    /// A `refresh` does not find the session any more.
    fn is_gone(&self, view: &mut View, found: &Found) {
        let begins = view.begins_another();
        match self.replaced(found.session, found.names.id) {
            Some(replaced) => view.stands_replaced(replaced),
            None => view.loses(),
        }
        if begins {
            view.planned = None;
        } else if view.pending == Pending::default() {
            view.value = None;
        } else {
            view.drops();
        }
    }
}
