//! A login over a session begins another session under a locator of its own. For two minutes, the
//! record of the session before says that a login has replaced it. No id and no token from before
//! opens the login's session, and none ends it.
//!
//! | file | what it does |
//! |---|---|
//! | `create` | writes the record of the session that begins |
//! | `former` | the session that it replaces, and what other requests have made of it |
//! | `kin` | the logins of one owner that began over the same session |
//! | `succession` | what begins, what it replaces, and what a login does next |
//!
//! Under a limit, another login of the owner may have replaced the session already. A login then
//! takes the place of that login's session, and replaces it in the same way. It looks for such a
//! session before the limit ends any other.
//!
//! After a conflict, the session that the login is to replace has changed:
//!
//! | the session | then |
//! |---|---|
//! | has ended, or was replaced by a login that stays | the login is done |
//! | was replaced by a login for which a limit has ended this one | the login is done |
//! | was replaced by a login whose place this one takes | that login's session is replaced |
//! | is another login's, and was written | it is replaced |
//! | is the request's own, and was written or renewed | the changes are applied again, and it is replaced |

mod create;
mod former;
mod kin;
mod succession;

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::by_id::job::{Job, Progress};
use crate::by_id::proposal::Proposal;
use crate::by_id::record::{Draft, Located};
use crate::by_id::trail::Trail;
use crate::by_id::unheld::Unheld;
use crate::commit::NextValue;
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::expiry::Times;
use crate::plan::{Plan, Standing};
use crate::storage::Update;
use crate::token::SessionId;
use crate::tracked::Tracked;
pub(super) use create::Begun;
use former::{Former, Meanwhile};
pub(super) use succession::Succession;
use succession::{NextStep, Step};

/// A session that has begun. No client holds its id yet.
struct NewSession<'a> {
    session: Arc<Tracked<Located>>,
    unheld: Unheld<'a>,
}

impl Job<'_> {
    /// Logs in over the session that was found. Returns what is to be written instead, if the
    /// changes are not a login over what another request wrote meanwhile.
    pub(super) async fn log_in(
        &self,
        proposal: Proposal,
        progress: &mut Progress<'_>,
    ) -> Result<Option<Proposal>, SessionError> {
        let Proposal { plan, next, session, guard } = proposal;
        let (Some(times), Some(next)) = (plan.times(None), next) else { return Ok(None) };
        self.earlier_try_ends().await;
        // The request may have dropped the login meanwhile.
        if !self.commit.changes.are_wanted() {
            progress.unwanted();
            return Ok(None);
        }
        let old = Some(Former::new(&session.place));
        let (id, ancestor) = (self.commit.changes.id()?, self.ancestor(progress));
        self.succeed(id, Succession { times, next, guard, old, ancestor }, progress).await
    }

    /// Begins the session under this id, then replaces the old one, if there is one. Returns what
    /// is to be written instead, as [`log_in`](Self::log_in) does.
    pub(super) async fn succeed(
        &self,
        mut id: SessionId,
        mut login: Succession,
        progress: &mut Progress<'_>,
    ) -> Result<Option<Proposal>, SessionError> {
        loop {
            let outcome = match self.create_in_place(&id, &mut login, progress).await? {
                ControlFlow::Continue(begun) => self.take_place(login, begun, progress).await?,
                ControlFlow::Break(instead) => instead,
            };
            match outcome {
                NextStep::Done => return Ok(None),
                NextStep::Begin(another) => (id, login) = (self.commit.changes.id()?, *another),
                NextStep::Write(proposal) => return Ok(Some(proposal)),
                NextStep::Drop => {
                    progress.drop_changes(self.commit);
                    return Ok(None);
                }
            }
        }
    }

    /// Writes the record of the session that begins. If the limit refuses it, another login may
    /// have replaced the old session meanwhile, or may have the same ancestor. The login then takes
    /// that one's place. The limit ends another session only if there is no such login.
    async fn create_in_place(
        &self,
        id: &SessionId,
        login: &mut Succession,
        progress: &mut Progress<'_>,
    ) -> Result<ControlFlow<NextStep, Begun>, SessionError> {
        let apart = self.commit.asked.login && !progress.sessions.others.is_empty();
        let mut last_resort = if login.ancestor.is_some() { login.refuse_at_first() } else { None };
        loop {
            let over = login.old.as_ref().filter(|_| !apart);
            match self.create(id.clone(), login, over).await {
                Err(SessionError::LimitReached) => {
                    match self.another_place(login, progress).await? {
                        Step::Swap(old, next) => {
                            login.old = Some(old);
                            login.next = next.unwrap_or_else(|| login.next.clone());
                        }
                        Step::Stay if last_resort.is_some() => {
                            login.guard.limit = last_resort.take();
                        }
                        Step::Stay => return Err(SessionError::LimitReached),
                        Step::Instead(outcome) => return Ok(ControlFlow::Break(outcome)),
                    }
                }
                Err(SessionError::Ended) => {
                    let owner = login.next.owner.as_ref();
                    if login.old.as_ref().is_some_and(|old| old.owner.as_ref() == owner) {
                        // The revocation of the owner has ended the old session, too.
                        progress.sessions.lose();
                    }
                    return Err(SessionError::Ended);
                }
                created => return created.map(ControlFlow::Continue),
            }
        }
    }

    /// Ends the other sessions that were presented, and replaces the old one. If that cannot be
    /// done, the new one is ended.
    async fn take_place(
        &self,
        mut login: Succession,
        begun: Begun,
        progress: &mut Progress<'_>,
    ) -> Result<NextStep, SessionError> {
        let event = if login.old.is_some() { Event::Renewed } else { Event::Created };
        let former = login.old.as_ref().map(|old| old.key.clone());
        let Begun { session, holds, replaced } = begun;
        let mut new = NewSession { unheld: self.unheld(&session.place), session };
        if self.commit.asked.login {
            self.end_others(progress).await?;
        }
        let outcome = self.swap(&mut login, &mut new, replaced).await?;
        if matches!(outcome, NextStep::Done) {
            new.unheld.keep();
            // Nothing is left of the old session that a later `clear` would have to end.
            progress.sessions.lost.retain(|lost| Some(&lost.place.key) != former.as_ref());
            progress.goes_on(new.session, Some(holds));
            self.commit.report(event);
        } else {
            new.unheld.end().await?;
        }
        Ok(outcome)
    }

    /// Replaces the old session by the new one. It tries again after each conflict.
    async fn swap<'a>(
        &'a self,
        login: &mut Succession,
        new: &mut NewSession<'a>,
        mut replaced: Option<Update>,
    ) -> Result<NextStep, SessionError> {
        while let Some(old) = login.old.take() {
            let answer = match replaced.take() {
                Some(answer) => answer,
                None => self.replace_by(&old, &new.session.place.key).await?,
            };
            if answer != Update::Conflict {
                break;
            }
            let own = &new.session.place.key;
            match self.after_conflict(login, old).await? {
                Step::Stay => break,
                // The swap was applied nevertheless.
                Step::Swap(old, _) if old.key == *own => break,
                // A limit has ended the new session in favour of that one, which stays.
                Step::Swap(Former { shown: None, .. }, _) if !self.lives(own).await? => break,
                Step::Swap(old, None) => login.old = Some(old),
                Step::Swap(old, Some(next)) => {
                    self.rewrite(new, login.times, &next).await?;
                    (login.old, login.next) = (Some(old), next);
                }
                Step::Instead(outcome) => return Ok(outcome),
            }
        }
        Ok(NextStep::Done)
    }

    /// Decides by the table above.
    pub(super) async fn after_conflict(
        &self,
        login: &Succession,
        old: Former,
    ) -> Result<Step, SessionError> {
        let Succession { times, ref next, ref ancestor, .. } = *login;
        let (old, found) = match self.look_again(&old, next.owner.as_ref()).await? {
            Meanwhile::Over => return Ok(Step::Stay),
            Meanwhile::Another(old) => return Ok(Step::Swap(old, None)),
            Meanwhile::Renewed(old) => (old, None),
            Meanwhile::Written(old, found) => (old, Some(found)),
        };
        let present = found.as_deref().map(Tracked::present);
        let Some(changed) = self.commit.changes.apply_to(present)? else {
            return Ok(Step::Instead(NextStep::Drop));
        };
        if let Some(found) = found {
            let standing = Standing::Session(&found.snapshot);
            let plan = self.commit.plan_for(standing, Some(&found.content), Some(&changed));
            if !matches!(plan, Plan::Login { .. }) {
                let proposal = self.proposal(plan, Some(changed), found).await?;
                return Ok(Step::Instead(NextStep::Write(proposal)));
            }
        }
        if changed.owner != next.owner {
            let guard = self.guard(changed.owner.as_ref()).await?;
            let (old, ancestor) = (Some(old), ancestor.clone());
            let another = Succession { times, next: changed, guard, old, ancestor };
            return Ok(Step::Instead(NextStep::Begin(Box::new(another))));
        }
        let same = changed.content.bytes() == next.content.bytes();
        Ok(Step::Swap(old, (!same).then_some(changed)))
    }

    /// Writes another value to the new session, whose id no client knows yet.
    async fn rewrite<'a>(
        &'a self,
        new: &mut NewSession<'a>,
        times: Times,
        next: &NextValue,
    ) -> Result<(), SessionError> {
        let (commit, store) = (self.commit, &self.tracker.store);
        let Located { id, key, version, owner, secrets, provenance, .. } =
            new.session.place.clone();
        let trail = self.trail_after(&*store.storage, &Trail::default(), version);
        let content = next.content.clone();
        let draft =
            Draft { id, key, secrets, trail, provenance, in_grace: false, times, owner, content };
        let (record, written) =
            draft.write(commit.core, commit.definition, store, commit.client)?;
        let (key, now) = (&written.place.key, commit.moment.now);
        match store.storage.update(key, version, record, now).await? {
            Update::Updated => {
                let unheld = self.unheld(&written.place);
                std::mem::replace(&mut new.unheld, unheld).keep();
                new.session = written;
                Ok(())
            }
            // A limit or a revocation has ended it meanwhile.
            _ => Err(SessionError::Ended),
        }
    }
}
