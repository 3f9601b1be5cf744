//! How a session begins on the model, over another one or where there is none.

use crate::kept::{Kept, Login, Presented, Times};
use crate::model::Model;
use crate::renewals::Renewal;
use crate::scenario::{Fault, Limit, Owner};
use crate::trace::{Failure, Value};
use crate::view::{Found, View};

/// The second half of a login or of what it could not begin, where something else
/// comes in between.
#[derive(Clone, Copy, Debug)]
pub enum Rest {
    End(usize),
    Replace(usize, Login),
}

impl Model {
    /// Another session begins, whatever became of the one that was found.
    pub fn begin_another(&mut self, view: &mut View, value: Value) -> Result<(), Failure> {
        let value = view.found.map_or(value, |found| view.on_top_of(found.value));
        view.value = Some(value);
        let session = if self.settings.place.on_server() {
            self.log_in(view, value)?
        } else {
            let former = view.found.map(|found| found.session);
            self.end_former(view)?;
            self.end_others(view, former)?;
            self.create(view, value)
        };
        view.begun.push(Presented::new(session));
        let Kept { names, times, .. } = self.sessions[session];
        view.has_written(Found {
            session,
            names,
            value,
            times,
            writes: 1,
            renewal: Renewal::default(),
        });
        view.sends_token(self.now, self.settings.place);
        Ok(())
    }

    fn create(&mut self, view: &mut View, value: Value) -> usize {
        let names = view.planned.take().unwrap_or_else(|| self.names());
        let times = Times { created: self.now, seen: self.now, lifetime: view.begins_with() };
        let (previous, renewed, moves, replaced) = (None, 0, None, None);
        let (ended, writes) = (false, 1);
        let kept = Kept { value, times, names, previous, renewed, ended, moves, replaced, writes };
        self.origins.push(self.origin(view).unwrap_or(self.sessions.len()));
        self.sessions.push(kept);
        self.sessions.len() - 1
    }

    /// Of a client's session, before a login begins over it.
    fn end_former(&mut self, view: &mut View) -> Result<(), Failure> {
        let Some(found) = view.found else { return Ok(()) };
        if self.find_again(&found).is_some() {
            return self.end(&[Presented::new(found.session)], Some(found));
        }
        self.write_in_vain()?;
        view.loses();
        Ok(())
    }

    /// A session under a record of its own; then the one before is replaced. If that
    /// fails, the new one ends.
    fn log_in(&mut self, view: &mut View, value: Value) -> Result<usize, Failure> {
        let found = view.replaces().map(|found| found.session);
        let over = self.finds_place(view, value)?;
        if self.writes.is_none() && self.choices.choose(2) == 1 {
            // Dropped before its answer came.
            return Err(Failure::Storage);
        }
        let session = self.create(view, value);
        if self.revokes && self.writes != Some(Fault::None) && self.choices.choose(2) == 1 {
            self.revoke(Owner::Ann);
        }
        let ended = self.end_others(view, found);
        let replaced = ended.and_then(|()| self.takes_place(view, over, session));
        let dropped = self.writes.is_none() && self.choices.choose(2) == 1;
        if let Err(failure) = replaced.and(if dropped { Err(Failure::Storage) } else { Ok(()) }) {
            // It may take a while.
            if self.is_halved() {
                self.rest.push(Rest::End(session));
            } else {
                self.sessions[session].ended = self.choices.choose(2) == 0;
            }
            return Err(failure);
        }
        if let Some(former) = found {
            view.forget(former);
        }
        Ok(session)
    }

    /// In whose place a login comes.
    fn finds_place(&mut self, view: &mut View, value: Value) -> Result<Option<usize>, Failure> {
        let successor = view.replaced.and_then(|replaced| replaced.successor);
        let origin = self.origin(view);
        let found = view.replaces().map(|found| found.session);
        let mut over = found.or_else(|| self.last_login(successor?, value));
        // Of two logins that look for kin at once, neither may find the other.
        let looks = view.replaced.is_some() && over.is_none();
        if looks && (!self.meets || self.choices.choose(2) == 0) {
            over = self.kin(origin, value, None);
        }
        // No other session ends for it before its kin are looked for.
        let mut limit = if origin.is_some() { Limit::Refuse } else { self.settings.limit };
        while !self.begins_over(view, value, over, limit)? {
            let successor = over.and_then(|over| self.successor(over, value));
            match successor.or_else(|| self.kin(origin, value, over)) {
                Some(next) => {
                    self.gives_way(over, next)?;
                    over = Some(next);
                }
                None if limit != self.settings.limit => limit = self.settings.limit,
                None => return Err(Failure::LimitReached),
            }
        }
        Ok(over)
    }

    /// Whether there is room for the login's session.
    fn begins_over(
        &mut self,
        view: &mut View,
        value: Value,
        over: Option<usize>,
        limit: Limit,
    ) -> Result<bool, Failure> {
        self.write()?;
        let joins = self.joins(view, value, over, limit);
        if self.lost_answer().is_err() {
            // Its key is ended, and it is not begun again.
            if joins.is_ok() && self.is_halved() {
                let session = self.create(view, value);
                self.rest.push(Rest::End(session));
            }
            return Err(Failure::Storage);
        }
        match joins {
            Err(Failure::LimitReached) => Ok(false),
            joins => joins.map(|()| true),
        }
    }

    /// The login of the same owner that has replaced this session, or the one that has
    /// replaced that, where there is a limit.
    fn successor(&self, session: usize, value: Value) -> Option<usize> {
        let kept = Some(self.sessions[session]).filter(|kept| self.is_kept(kept))?;
        self.last_login(kept.replaced?.successor, value)
    }

    fn last_login(&self, session: usize, value: Value) -> Option<usize> {
        let kept = self.sessions[session];
        if self.settings.limit == Limit::None || value.owner == Owner::Nobody {
            return None;
        }
        match kept.replaced {
            Some(_) => self.successor(session, value),
            None => (self.is_live(&kept) && kept.value.owner == value.owner).then_some(session),
        }
    }

    /// The session that a login begins over, or has begun over that another one has
    /// replaced since.
    fn origin(&self, view: &View) -> Option<usize> {
        let mut met = view.presented.iter().chain(&view.begun).rev().filter(|met| met.lost);
        let lost = met.next().filter(|_| !view.pending.ended).map(|met| met.session);
        let found = view.found.map(|found| found.session).or(lost);
        let replaced = view.replaced.map(|replaced| replaced.origin);
        replaced.or_else(|| Some(self.origins[found?]))
    }

    /// The oldest of the owner's other sessions of this origin, where there is a limit.
    fn kin(&mut self, origin: Option<usize>, value: Value, over: Option<usize>) -> Option<usize> {
        if self.settings.limit == Limit::None || value.owner == Owner::Nobody {
            return None;
        }
        let is_kin = |at: &usize| {
            let kept = &self.sessions[*at];
            let is_own = self.is_live(kept) && kept.value.owner == value.owner;
            is_own && Some(self.origins[*at]) == origin && Some(*at) != over
        };
        let created = |at: &usize| self.sessions[*at].times.created;
        let mut kin: Vec<_> = (0..self.sessions.len()).filter(is_kin).collect();
        let oldest = kin.iter().map(created).min()?;
        kin.retain(|at| created(at) == oldest);
        Some(kin[self.choices.choose(kin.len())])
    }

    /// One of its kin replaces what a login was to replace, if none has.
    fn gives_way(&mut self, over: Option<usize>, successor: usize) -> Result<(), Failure> {
        let Some(over) = over else { return Ok(()) };
        if !self.is_live(&self.sessions[over]) {
            return Ok(());
        }
        self.write()?;
        let login = Login { at: self.now, successor };
        self.second_half(Rest::Replace(over, login));
        let _ = self.lost_answer();
        Ok(())
    }

    /// What is left of the session `over` which the login begins is that it was replaced.
    /// If another login has done that, this one takes its place where there is a limit.
    fn takes_place(
        &mut self,
        view: &View,
        over: Option<usize>,
        session: usize,
    ) -> Result<(), Failure> {
        let Some(over) = over else { return Ok(()) };
        let kept = self.sessions[over];
        if !self.is_live(&kept) {
            self.write_in_vain()?;
            let successor = self.successor(over, self.sessions[session].value);
            return self.takes_place(view, successor, session);
        }
        self.write()?;
        let found = view.replaces().filter(|found| found.session == over);
        if found.is_some_and(|found| found.writes != kept.writes) {
            // That it met a conflict is not known without an answer.
            self.lost_answer()?;
        }
        if found.is_none() && self.tells && self.unanswered && self.choices.choose(2) == 1 {
            // Nor that another login has come in between.
            self.lost_answer()?;
        }
        let login = Login { at: self.now, successor: session };
        self.second_half(Rest::Replace(over, login));
        // Without an answer the record says it.
        let _ = self.lost_answer();
        Ok(())
    }

    /// Something else comes between the two halves.
    fn is_halved(&mut self) -> bool {
        self.tells && self.choices.choose(2) == 1
    }

    pub fn second_half(&mut self, rest: Rest) {
        if self.is_halved() {
            self.rest.push(rest);
        } else {
            self.complete(rest);
        }
    }

    fn complete(&mut self, rest: Rest) {
        match rest {
            Rest::End(session) => self.sessions[session].ended = true,
            Rest::Replace(session, login) if self.is_live(&self.sessions[session]) => {
                self.sessions[session].replaced = Some(login);
            }
            Rest::Replace(..) => {}
        }
    }

    /// What `clear` ends before another session begins, where something else may tell
    /// the one from the other.
    pub fn ends_first(&mut self, view: &View) {
        let both = view.pending.ended && view.value.is_some() && view.stands().is_none();
        if both && self.choices.choose(2) == 1 {
            let all = [&view.presented[..], &view.begun].concat();
            let _ = self.end(&all, view.found);
        }
    }

    /// What is left to do of a login is done.
    pub fn completes(&mut self) {
        for rest in std::mem::take(&mut self.rest) {
            self.complete(rest);
        }
    }

    /// Whether something is left to do of a login, and may be done now.
    pub fn may_complete(&mut self) -> bool {
        !self.rest.is_empty() && self.choices.choose(2) == 1
    }

    /// A login meets other sessions. Those that the request has lost may go on under
    /// ids that other requests were given: they stay.
    fn end_others(&mut self, view: &View, over: Option<usize>) -> Result<(), Failure> {
        let met = view.presented.iter().chain(&view.begun);
        let others = met.filter(|met| !met.lost && Some(met.session) != over);
        let others: Vec<_> = others.copied().collect();
        // A changed owner counts as a login; whether it ends them, too, is open.
        let ends = view.pending.login
            || over.is_some() && !others.is_empty() && self.choices.choose(2) == 0;
        if ends { self.end(&others, view.found) } else { Ok(()) }
    }

    /// One more session of this owner: not if that was revoked since it was first
    /// tried, and within `max_sessions_per_owner`. It takes the place of one.
    fn joins(
        &mut self,
        view: &mut View,
        value: Value,
        replaces: Option<usize>,
        limit: Limit,
    ) -> Result<(), Failure> {
        if value.owner == Owner::Nobody {
            return Ok(());
        }
        let revocations = self.guard(view, value.owner);
        let revoked = value.owner == Owner::Ann && revocations != self.revocations;
        if self.revoking || revoked {
            return Err(Failure::Ended);
        }
        self.make_room(value, replaces, limit)
    }

    /// `max_sessions_per_owner`, before one more session of this owner.
    fn make_room(
        &mut self,
        value: Value,
        except: Option<usize>,
        limit: Limit,
    ) -> Result<(), Failure> {
        loop {
            let all = self.sessions.iter().enumerate().filter(|(at, kept)| {
                self.is_live(kept) && kept.value.owner == value.owner && Some(*at) != except
            });
            let mut others: Vec<_> = all.map(|(at, kept)| (kept.times.created, at)).collect();
            match limit {
                _ if others.len() < 2 || self.settings.limit == Limit::None => return Ok(()),
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
}

impl View {
    /// The session that a login replaces, whatever its id is by now.
    fn replaces(&self) -> Option<Found> {
        self.found.or_else(|| self.stands()?.renewed)
    }
}
