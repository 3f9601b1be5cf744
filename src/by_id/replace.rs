//! Writes a session that goes on, by compare-and-swap. After each conflict, the request's changes
//! are applied to what the other request wrote, and the swap is tried again.

use std::pin::pin;
use std::sync::Arc;

use rocket::futures::future::poll_immediate;
use tokio::time::timeout_at;

use super::find::{Lookup, stands_for};
use super::job::{Job, Progress};
use super::login::Succession;
use super::proposal::{Proposal, new_owner};
use super::record::{Draft, Located};
use super::secrets::Secrets;
use super::settle::{Attempt, Verdict};
use super::trail::Trail;
use crate::commit::NextValue;
use crate::deadline::Deadline;
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::plan::{Plan, Renewal, Standing};
use crate::storage::{
    KeyedGuard, OwnerGuard, SessionStorage, StorageError, StorageKey, Update, Version,
};
use crate::token::SessionId;
use crate::tracked::{Superseded, Tracked};

/// What became of a swap.
enum Swapped {
    Done,
    /// Another request wrote first. Holds what is to be written instead.
    Again(Box<Proposal>),
    /// No session is left to write to.
    Gone,
}

/// What to do after a conflict.
enum AfterConflict {
    /// The attempt was applied all the same, because it was sent twice.
    Applied,
    /// The changes, applied to what the other request wrote.
    Replay(Box<Proposal>),
    /// A login has replaced the session, or a renewal has replaced its id.
    Superseded(Arc<Superseded>),
    /// The session has ended, or the client's id no longer opens it.
    Gone,
}

impl Job<'_> {
    pub(super) async fn replace(
        &self,
        plan: Plan,
        session: Arc<Tracked<Located>>,
        progress: &mut Progress<'_>,
    ) -> Result<(), SessionError> {
        let mut proposal = self.first(plan, &session).await?;
        // A storage that loses no answers is in this process. It answers before another commit on
        // this thread can come in between.
        let waits = self.tracker.store.storage_for(&session.place.id).loses_answers();
        let _queue = if waits { Box::pin(self.queue(&session.place.key)).await } else { None };
        loop {
            // The changes can be dropped until here. After that, they are written as a whole.
            if !self.commit.changes.are_wanted() {
                progress.unwanted();
                return Ok(());
            }
            let Some(sent) = self.attempt(&proposal)? else {
                let Some(instead) = Box::pin(self.otherwise(proposal, progress)).await? else {
                    return Ok(());
                };
                proposal = instead;
                continue;
            };
            match self.swap_record(&sent, &proposal, &session.place.id, progress).await? {
                Swapped::Done => return Ok(()),
                Swapped::Again(again) => proposal = *again,
                Swapped::Gone => {
                    progress.settled();
                    return Box::pin(self.gone(proposal.guard, progress)).await;
                }
            }
            if proposal.plan.needs_token() && self.commit.moment.late {
                return Err(SessionError::TooLate);
            }
        }
    }

    /// Sends the attempt once, and follows up on the answer.
    async fn swap_record(
        &self,
        sent: &Arc<Attempt>,
        proposal: &Proposal,
        presented: &SessionId,
        progress: &mut Progress<'_>,
    ) -> Result<Swapped, SessionError> {
        let storage = self.tracker.store.storage_for(presented);
        // The attempt is kept before it is sent, so that it can be settled if no answer comes.
        progress.attempts(sent);
        match sent.send(&**storage, self.commit.moment.now).await {
            Ok(Update::Updated) => {
                self.applied(sent, progress);
                return Ok(Swapped::Done);
            }
            // A corrupt record counts as absent.
            Ok(Update::Missing) | Err(StorageError::Corrupt(_)) => return Ok(Swapped::Gone),
            // The write was automatic, and the other request may have done the same.
            Ok(Update::Conflict) if self.commit.is_automatic() && !storage.sends_again() => {
                progress.settled();
                return Ok(Swapped::Done);
            }
            Ok(Update::Conflict) => {}
            Err(cause) => return Err(cause.into()),
        }
        if let Err(conflict) = self.commit.retry_after_conflict() {
            if !storage.sends_again() {
                progress.settled();
            }
            return Err(conflict);
        }
        if storage.is_remote() {
            Box::pin(self.commit.pause_after_conflict()).await;
        }
        self.after_conflicting_write(sent, proposal, presented, progress).await
    }

    /// Another request wrote first, or the storage's client library sent this write twice.
    async fn after_conflicting_write(
        &self,
        sent: &Arc<Attempt>,
        proposal: &Proposal,
        presented: &SessionId,
        progress: &mut Progress<'_>,
    ) -> Result<Swapped, SessionError> {
        let again = Box::pin(self.decide_after_conflict(sent, proposal, presented)).await?;
        if let AfterConflict::Applied = again {
            self.applied(sent, progress);
            return Ok(Swapped::Done);
        }
        progress.settled();
        Ok(match again {
            AfterConflict::Replay(_) if self.commit.is_automatic() => Swapped::Done,
            AfterConflict::Replay(proposal) => Swapped::Again(proposal),
            AfterConflict::Superseded(replaced) => {
                progress.sessions.supersede(replaced);
                Swapped::Gone
            }
            AfterConflict::Applied | AfterConflict::Gone => Swapped::Gone,
        })
    }

    /// Completes a renewal: the grace period of the previous id begins. This happens in the
    /// background. A failure is ignored, since the next request that shows the new id tries again.
    pub(super) async fn complete(
        &self,
        plan: Plan,
        session: Arc<Tracked<Located>>,
        progress: &mut Progress<'_>,
    ) -> Result<(), SessionError> {
        let storage = self.tracker.store.storage_for(&session.place.id).into_owned();
        let guard = OwnerGuard::default();
        let attempt = self.attempt(&Proposal { plan, next: None, session, guard })?;
        let Some(attempt) = attempt else { return Ok(()) };
        let (sent, now) = (Arc::clone(&attempt), self.commit.moment.now);
        let deadline = self.commit.deadline.at();
        let written = async move { timeout_at(deadline, sent.send(&*storage, now)).await };
        if let Some(Ok(Ok(Update::Updated))) = self.without_waiting(written).await {
            self.applied(&attempt, progress);
        }
        Ok(())
    }

    /// Waits for the other commits of this record in this process, to avoid conflicts. It gives up
    /// after half of the time that is left, because compare-and-swap is enough for correctness.
    pub(super) async fn queue(&self, key: &StorageKey) -> Option<KeyedGuard> {
        let mut turn = pin!(self.tracker.store.locks.lock(key));
        // Without another commit, no clock is read.
        if let Some(held) = poll_immediate(turn.as_mut()).await {
            return Some(held);
        }
        let half = Deadline::after(self.commit.deadline.left() / 2);
        half.within(turn).await
    }

    /// Makes the proposal of the first try.
    async fn first(
        &self,
        plan: Plan,
        session: &Arc<Tracked<Located>>,
    ) -> Result<Proposal, SessionError> {
        let mut next = self.commit.next.clone();
        if next.is_none() && session.moves(plan) {
            // The owner of a session in another format is not known yet.
            next = self.commit.changes.apply_to(Some((&session.content, None)))?;
        }
        self.proposal(plan, next, Arc::clone(session)).await
    }

    pub(super) async fn proposal(
        &self,
        plan: Plan,
        next: Option<NextValue>,
        session: Arc<Tracked<Located>>,
    ) -> Result<Proposal, SessionError> {
        let guard = match new_owner(plan, &session, next.as_ref()) {
            // The box keeps the future small for the commits that join no owner.
            joins @ Some(_) => Box::pin(self.guard(joins.as_ref())).await?,
            None => OwnerGuard::default(),
        };
        Ok(Proposal { plan, next, session, guard })
    }

    /// Decides what to do after a conflict.
    async fn decide_after_conflict(
        &self,
        sent: &Attempt,
        before: &Proposal,
        presented: &SessionId,
    ) -> Result<AfterConflict, SessionError> {
        let (commit, store) = (self.commit, &self.tracker.store);
        let (definition, now) = (commit.definition, commit.moment.now);
        let storage = store.storage_for(presented);
        let record = match sent.look(definition, &**storage, true, now).await? {
            (Verdict::Applied, _) => return Ok(AfterConflict::Applied),
            (_, Some(record)) => record,
            (_, None) => return Ok(AfterConflict::Gone),
        };
        let key = sent.written.place.key.clone();
        let mut session = match stands_for(definition, store, presented, key, record, now) {
            Some(Lookup::Session(session)) => {
                Arc::unwrap_or_clone(session).shown_as(&before.session)
            }
            Some(Lookup::Superseded(replaced)) => return Ok(AfterConflict::Superseded(replaced)),
            _ => return Ok(AfterConflict::Gone),
        };
        session.snapshot.stale_key = before.session.snapshot.stale_key;
        let Some(next) = commit.changes.apply_to(Some(session.present()))? else {
            return Ok(AfterConflict::Gone);
        };
        let standing = Standing::Session(&session.snapshot);
        let plan = commit.plan_for(standing, Some(&session.content), Some(&next));
        // The changes may change the owner of what the other request wrote.
        let proposal = self.proposal(plan, Some(next), Arc::from(session)).await?;
        Ok(AfterConflict::Replay(Box::new(proposal)))
    }

    /// Makes the write that the proposal needs. Returns `None` if this record is not written; see
    /// [`otherwise`](Self::otherwise).
    fn attempt(&self, proposal: &Proposal) -> Result<Option<Arc<Attempt>>, SessionError> {
        let Proposal { plan, next, session, .. } = proposal;
        let (times, renewal) = match *plan {
            Plan::Write { times, renewal, .. } => (times, renewal),
            // A token may go out only if the session is still the client's, so the record is
            // swapped.
            Plan::Touch { times, send: true, .. } | Plan::Complete { times } => (times, None),
            _ => return Ok(None),
        };
        let (commit, store) = (self.commit, &self.tracker.store);
        let Located { key, version, owner, trail, provenance, .. } = &session.place;
        let (id, secrets, in_grace) = self.next_id(session, renewal)?;
        let draft = Draft {
            key: key.clone(),
            secrets,
            trail: self.trail_after(&**store.storage_for(&id), trail, *version),
            provenance: provenance.clone(),
            in_grace,
            times,
            owner: next.as_ref().map_or(owner, |next| &next.owner).clone(),
            content: next.as_ref().map_or(&session.content, |next| &next.content).clone(),
            id,
        };
        let (record, written) =
            draft.write(commit.core, commit.definition, store, commit.client)?;
        let id = &written.place.id;
        let holds = plan.needs_token().then(|| self.token(id, &times)).transpose()?;
        Ok(Some(Arc::new(Attempt {
            expected: *version,
            record,
            written,
            holds,
            renews: renewal.is_some(),
        })))
    }

    /// Returns the id under which the session goes on, its secrets, and whether that id is the
    /// previous one in its grace period.
    fn next_id(
        &self,
        session: &Tracked<Located>,
        renewal: Option<Renewal>,
    ) -> Result<(SessionId, Secrets, bool), SessionError> {
        let (commit, now) = (self.commit, self.commit.moment.now);
        let (Located { id, secrets, .. }, snapshot) = (&session.place, &session.snapshot);
        let Some(renewal) = renewal else {
            let grace = commit.definition.policy.timeouts.renewal_grace;
            let completes = snapshot.completes.then(|| secrets.completing(now, grace));
            let in_grace = snapshot.in_grace && completes.is_none();
            return Ok((id.clone(), completes.unwrap_or_else(|| secrets.clone()), in_grace));
        };
        let rotations = secrets.rotations.wrapping_add(renewal.rotates.into());
        let (next, rotations) = commit.changes.renewed(id, rotations)?;
        let secrets = if renewal.at_once {
            secrets.with_new(&next, now, rotations)
        } else {
            secrets.renewing(id, &next, now)
        };
        Ok((next, secrets, false))
    }

    /// Returns the trail after a write. It is empty where no answer can be lost.
    pub(super) fn trail_after(
        &self,
        storage: &dyn SessionStorage,
        trail: &Trail,
        version: Version,
    ) -> Trail {
        if !storage.loses_answers() {
            return Trail::default();
        }
        trail.after(version, self.commit.moment.now)
    }

    fn applied(&self, sent: &Attempt, progress: &mut Progress<'_>) {
        if sent.renews {
            self.commit.report(Event::Renewed);
        }
        progress.goes_on(Arc::clone(&sent.written), sent.holds.clone());
    }

    /// Carries out a proposal that swaps no record: another session begins, this one moves or is
    /// touched, or another request wrote the same. Returns what is to be swapped instead, if
    /// anything is.
    async fn otherwise(
        &self,
        proposal: Proposal,
        progress: &mut Progress<'_>,
    ) -> Result<Option<Proposal>, SessionError> {
        if proposal.session.moves(proposal.plan) {
            self.migrate(proposal, progress).await?;
            return Ok(None);
        }
        match proposal.plan {
            Plan::Login { .. } => return self.log_in(proposal, progress).await,
            Plan::Touch { times, .. } => self.touch(&proposal.session, times, progress).await?,
            _ => progress.goes_on(proposal.session, None),
        }
        Ok(None)
    }

    /// Handles a session that ended meanwhile, or goes on under another secret. A login begins
    /// anew. All other changes are dropped, so that they never restore what has ended.
    async fn gone(
        &self,
        guard: OwnerGuard,
        progress: &mut Progress<'_>,
    ) -> Result<(), SessionError> {
        let commit = self.commit;
        if commit.is_automatic() {
            return Ok(());
        }
        let next = if commit.next.is_some() { commit.changes.apply_to(None)? } else { None };
        let begins = |next: &NextValue| commit.asked.login || next.owner_changes;
        let Some(next) = next.filter(begins) else {
            progress.drop_changes(commit);
            return Ok(());
        };
        progress.sessions.lose();
        if commit.moment.late {
            return Err(SessionError::TooLate);
        }
        let plan = commit.plan_for(Standing::Nobody, None, Some(&next));
        let Some(times) = plan.times(None) else { return Ok(()) };
        let old = self.superseded_successor(progress, next.owner.as_ref()).await?;
        let (id, ancestor) = (commit.changes.id()?, self.ancestor(progress));
        let begins = Succession { times, next, guard, old, ancestor };
        self.succeed(id, begins, progress).await.map(drop)
    }
}
