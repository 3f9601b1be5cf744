//! The contract as a small sequential model. Nothing here is taken from the
//! code; where the contract leaves an outcome open, the model makes a choice,
//! and a run agrees with the contract if it agrees with one of the choices.

use std::collections::BTreeMap;

use crate::app::REPLACED;
use crate::choices::Choices;
use crate::kept::{Kept, Login, Names, Presented, Previous, Token};
use crate::logins::Rest;
use crate::renewals::{Renewal, Shown};
use crate::scenario::{Fault, Owner, Place, Settings};
use crate::trace::Failure;
use crate::view::{Found, Pending, Replaced, Sends, View};

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
    /// Of each, the first of the sessions over each of which a login began the next one.
    pub origins: Vec<usize>,
    /// Of each id that a renewal replaced or would have replaced, the one before.
    pub before: BTreeMap<usize, Previous>,
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
    /// Something comes in the middle that may come between two operations.
    pub meets: bool,
    /// The request has dropped its changes in the middle.
    pub dropping: bool,
    /// What is left to do of logins.
    pub rest: Vec<Rest>,
    /// Those whose id was not told to anybody.
    pub unheld: Vec<Found>,
    /// How often `revoke_owner` came.
    pub revocations: u32,
    /// The answer to a write that was applied is lost.
    pub unanswered: bool,
    numbers: usize,
}

impl Model {
    pub fn new(settings: Settings, choices: Choices) -> Self {
        let (sessions, writes) = (Vec::new(), Some(Fault::None));
        Self {
            settings,
            now: 0,
            sessions,
            origins: Vec::new(),
            before: BTreeMap::new(),
            choices,
            writes,
            revoking: false,
            revokes: false,
            tells: false,
            meets: false,
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
    pub fn can_end(&self) -> bool {
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
            let renewal = self.opens(&kept, names.id).filter(|_| self.is_live(&kept))?;
            let Kept { value, times, writes, .. } = kept;
            let id = if renewal.shown == Shown::Before { kept.names.id } else { names.id };
            let names = Names { id, csrf: kept.names.csrf };
            return Some(Found { session, names, value, times, writes, renewal });
        }
        let over = kept.ended || self.now >= token.times.expires();
        let Token { value, times, .. } = *token;
        let writes = kept.writes;
        let renewal = Renewal::default();
        (!over).then_some(Found { session, names, value, times, writes, renewal })
    }

    /// What this id stands for, if a login has replaced its session, or a renewal the id.
    pub fn replaced(&self, session: usize, id: usize) -> Option<Replaced> {
        let kept = self.sessions[session];
        if !self.is_kept(&kept) {
            return None;
        }
        let lately = |Previous { id: before, until }| {
            before == id && until.is_some_and(|until| self.now < until + REPLACED)
        };
        match kept.replaced {
            Some(Login { successor, .. }) if self.opens(&kept, id).is_some() => {
                let (csrf, origin) = (kept.names.csrf, self.origins[session]);
                Some(Replaced { csrf, successor: Some(successor), origin, renewed: None })
            }
            _ if self.opens(&kept, id).is_some() => None,
            _ if self.former(&kept).any(lately) => {
                let goes_on = kept.replaced.map_or(session, |login| login.successor);
                let (csrf, origin) = (FORMS + id, self.origins[session]);
                Some(Replaced { csrf, successor: Some(goes_on), origin, renewed: None })
            }
            _ => None,
        }
    }

    /// The same of a session that a request has found.
    pub fn became(&self, found: &Found) -> Option<Replaced> {
        let replaced = self.replaced(found.session, found.names.id)?;
        let renewed = Some(*found).filter(|_| self.sessions[found.session].replaced.is_none());
        Some(Replaced { renewed, ..replaced })
    }

    /// The ids before the present one, newest first.
    fn former(&self, kept: &Kept) -> impl Iterator<Item = Previous> {
        let before = |one: &Previous| self.before.get(&one.id).copied();
        std::iter::successors(kept.previous, before).take(REMEMBERED)
    }

    /// What a request presents. Several tokens of one session are one session;
    /// of several sessions none is used. One that a login has replaced counts for
    /// nothing beside them.
    pub fn load(&self, carried: bool, tokens: &[Token]) -> View {
        let mut all: Vec<Found> = Vec::new();
        for found in tokens.iter().filter_map(|token| self.find(token)) {
            match all.iter_mut().find(|other| other.session == found.session) {
                Some(same) if same.times.seen < found.times.seen => *same = found,
                Some(same) if same.renewal.shown != Shown::Present => *same = found,
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
        let again = self.find(&Token { session, names, value, times })?;
        Some(again.shown_as(found))
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

    /// `revoke_owner`.
    pub fn revoke(&mut self, owner: Owner) {
        if self.can_end() {
            self.revocations += 1;
            let all = self.sessions.iter_mut().filter(|kept| kept.replaced.is_none());
            let all = all.filter(|kept| kept.value.owner == owner);
            all.for_each(|kept| (kept.ended, kept.moves) = (true, None));
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
        if matches!(committed, Err(Failure::Ended)) {
            // Its owner was revoked meanwhile. Tried again, it would outlive that. A
            // session that was this owner's before is over with it.
            let owner = before.value.map(|value| value.owner);
            if view.found.is_some_and(|found| Some(found.value.owner) == owner) {
                view.loses();
            }
            view.is_refused();
        } else if let Err(failure) = committed {
            self.fails(view, before, failure);
        }
        committed
    }

    /// A commit has failed. What was pending `before` it stays asked for.
    fn fails(&mut self, view: &mut View, before: View, failure: Failure) {
        // A session that did not begin begins under another id, if it still does.
        let ends = before.found.is_none() || before.pending.ended;
        let begins = ends || before.begins_another();
        // Whether an end that was done counts already, is open.
        let ended = before.pending.ended && !view.pending.ended;
        // So is whether the request knows that its session is over, if it saw so.
        let over = !ended && before.found.is_some() && view.found.is_none();
        if !ended || self.choices.choose(2) == 0 {
            // A limit that was reached was an answer: tried again, it is another login.
            let guard = view.guard.filter(|_| failure != Failure::LimitReached);
            *view = View { guard, next: view.next, ..before };
        }
        if failure == Failure::LimitReached
            && let Some(found) = view.found
            && let Some(replaced) = self.became(&found)
        {
            // It has looked whether another login's place is free.
            view.stands_replaced(replaced);
        } else if over && self.choices.choose(2) == 1 {
            view.loses();
            view.planned = None;
        }
        if begins && view.planned.is_some() && self.choices.choose(2) == 1 {
            view.planned = None;
        }
        let ends = before.found.filter(|_| before.pending.ended);
        let is_over = ends.is_some_and(|found| !self.is_kept(&self.sessions[found.session]));
        if is_over && view.sends == Sends::Token && self.choices.choose(2) == 1 {
            // An end that is not done yet has ended the session of the token.
            view.sends = Sends::Nothing;
        }
    }

    /// Changes that the request drops in the middle may have been tried before.
    fn finds_out(&mut self, view: &mut View) {
        if let Some(first) = self.writes.filter(|first| self.dropping && first.later() != *first)
            && self.meets
            && self.choices.choose(2) == 1
        {
            // In vain: the session was over, or somebody else had written it.
            self.writes = Some(first.later());
        }
        let Some(found) = view.found.filter(|_| self.dropping) else { return };
        let replaced = self.became(&found);
        let Some(replaced) = replaced.filter(|_| self.choices.choose(2) == 1) else { return };
        view.stands_replaced(replaced);
        if view.pending == Pending::default() {
            view.value = None;
        }
    }

    fn carry_out(&mut self, view: &mut View, failed: bool) -> Result<(), Failure> {
        if view.pending.ended && view.stands().is_some() {
            // A login has done that.
            view.pending.ended = false;
        }
        if view.pending.ended {
            let all = [&view.presented[..], &view.begun].concat();
            if let Some(value) = view.value.filter(|_| self.settings.place.on_server()) {
                self.guard(view, value.owner);
            }
            // What a login has left of the session stays, and the client's cookie, too.
            let login = |found: &Found| self.sessions[found.session].replaced.is_some();
            let renewed = view.replaced.and_then(|replaced| replaced.renewed);
            let found = view.found.or(renewed).filter(login);
            let left = found.and_then(|found| self.became(&found));
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
        let Renewal { shown, due, .. } = found.renewal;
        let asked = !failed && (due && view.asks() || shown == Shown::Before && view.touches());
        if view.writes() || asked {
            return self.replace(view, &found);
        }
        self.touch(view, &found, failed)
    }
}
