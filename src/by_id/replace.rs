//! A session that goes on: its record is compared and swapped until that
//! succeeds. Every conflict applies the request's changes to what the other
//! request wrote.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::{Instant, timeout_at};

use super::commit::{Job, Records};
use super::login::Succession;
use super::settle::{Attempt, Verdict};
use super::trail::Trail;
use super::{Draft, Located, Stands};
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::request::commit::{Next, Present};
use crate::request::load::within;
use crate::request::plan::{Plan, Standing};
use crate::request::tracked::{Replaced, Tracked};
use crate::storage::{
    KeyedGuard, OwnerGuard, OwnerKey, SessionStorage, StorageError, StorageKey, Update, Version,
};
use crate::token::SessionId;

/// What is to be written, and over what.
pub(super) struct Proposal {
    pub plan: Plan,
    /// The value; none to leave it as it is.
    pub next: Option<Next>,
    pub session: Arc<Tracked<Located>>,
    /// Under which conditions it may become its owner's, if it was not before. Taken
    /// before anything is written: a login under way when its owner is revoked leaves
    /// nothing alive.
    pub guard: OwnerGuard,
}

/// What comes after a conflict.
enum Again {
    /// The attempt was applied all the same: it was sent twice.
    Applied,
    /// The changes on what the other request wrote.
    Replay(Box<Proposal>),
    /// A login has replaced the session.
    Replaced(Replaced),
    /// The session is over, or the client's id is not its id any more.
    Gone,
}

impl Job<'_> {
    pub(super) async fn replace(
        &self,
        plan: Plan,
        session: Arc<Tracked<Located>>,
        records: &mut Records<'_>,
    ) -> Result<(), SessionError> {
        let mut proposal = self.first(plan, &session).await?;
        let _queue = self.queue(&session.place.key).await;
        // From here on it is one write: what ends and what goes on go together.
        if !self.commit.changes.are_wanted() {
            records.unwanted();
            return Ok(());
        }
        let mut attempt = self.attempt(&proposal)?;
        let storage = self.tracker.server.storage_of(&session.place.id);
        loop {
            let Some(sent) = attempt else {
                let Some(instead) = Box::pin(self.otherwise(proposal, records)).await? else {
                    return Ok(());
                };
                proposal = instead;
                attempt = self.attempt(&proposal)?;
                continue;
            };
            // Kept before it is sent, should no answer come.
            records.attempts(&sent);
            match sent.send(&*storage, self.commit.moment.now).await {
                Ok(Update::Updated) => {
                    self.applied(&sent, records);
                    return Ok(());
                }
                // A record that cannot be read back is none.
                Ok(Update::Missing) | Err(StorageError::Corrupt(_)) => break,
                // Whoever wrote may have renewed it as well.
                Ok(Update::Conflict) if self.commit.is_unasked() && !storage.sends_again() => {
                    records.settled();
                    return Ok(());
                }
                Ok(Update::Conflict) => self.commit.conflicted.store(true, Ordering::Relaxed),
                Err(cause) => return Err(cause.into()),
            }
            if Instant::now() >= self.commit.deadline {
                if !storage.sends_again() {
                    records.settled();
                }
                return Err(SessionError::Conflict);
            }
            proposal = match Box::pin(self.again(&sent, &proposal, &session.place.id)).await? {
                Again::Applied => {
                    self.applied(&sent, records);
                    return Ok(());
                }
                Again::Replay(_) if self.commit.is_unasked() => {
                    records.settled();
                    return Ok(());
                }
                Again::Replay(proposal) => *proposal,
                Again::Replaced(replaced) => {
                    records.sessions.is_replaced(replaced);
                    break;
                }
                Again::Gone => break,
            };
            records.settled();
            if proposal.plan.needs_token() && self.commit.moment.late {
                return Err(SessionError::TooLate);
            }
            if !self.commit.changes.are_wanted() {
                records.unwanted();
                return Ok(());
            }
            attempt = self.attempt(&proposal)?;
        }
        records.settled();
        Box::pin(self.gone(proposal.guard, records)).await
    }

    /// The id before the last renewal is over after a while. Nobody waits for that, and
    /// a failure is none: the next request that shows the new id tries it again.
    pub(super) async fn complete(
        &self,
        plan: Plan,
        session: Arc<Tracked<Located>>,
        records: &mut Records<'_>,
    ) -> Result<(), SessionError> {
        let storage = self.tracker.server.storage_of(&session.place.id);
        let guard = OwnerGuard::default();
        let attempt = self.attempt(&Proposal { plan, next: None, session, guard })?;
        let Some(attempt) = attempt else { return Ok(()) };
        let (sent, now) = (Arc::clone(&attempt), self.commit.moment.now);
        let deadline = self.commit.deadline;
        let written = async move { timeout_at(deadline, sent.send(&*storage, now)).await };
        if let Some(Ok(Ok(Update::Updated))) = self.aside(written).await {
            self.applied(&attempt, records);
        }
        Ok(())
    }

    /// Waits for the other commits of this record in this process, so that they do
    /// not conflict. One that never goes on is not waited for: comparing and
    /// swapping is enough.
    pub(super) async fn queue(&self, key: &StorageKey) -> Option<KeyedGuard> {
        let left = self.commit.deadline.saturating_duration_since(Instant::now());
        within(Instant::now() + left / 2, pin!(self.tracker.server.locks.lock(key))).await
    }

    /// The first proposal.
    async fn first(
        &self,
        plan: Plan,
        session: &Arc<Tracked<Located>>,
    ) -> Result<Proposal, SessionError> {
        let mut next = self.commit.next.clone();
        if next.is_none() && session.moves(plan) {
            // Of a session in another format nobody knows yet whose it is.
            next = self.commit.changes.on(Some((&session.content, None)))?;
        }
        self.proposal(plan, next, Arc::clone(session)).await
    }

    pub(super) async fn proposal(
        &self,
        plan: Plan,
        next: Option<Next>,
        session: Arc<Tracked<Located>>,
    ) -> Result<Proposal, SessionError> {
        let joins = joined(plan, &session, next.as_ref());
        let guard = self.guard(joins.as_ref()).await?;
        Ok(Proposal { plan, next, session, guard })
    }

    /// What comes after a conflict.
    async fn again(
        &self,
        sent: &Attempt,
        before: &Proposal,
        presented: &SessionId,
    ) -> Result<Again, SessionError> {
        let (commit, server) = (self.commit, &self.tracker.server);
        let (definition, now) = (commit.definition, commit.moment.now);
        let storage = server.storage_of(presented);
        let record = match sent.look(definition, &*storage, true, now).await? {
            (Verdict::Applied, _) => return Ok(Again::Applied),
            (_, Some(record)) => record,
            (_, None) => return Ok(Again::Gone),
        };
        let key = sent.written.place.key.clone();
        let mut session = match super::session(definition, server, presented, key, record, now) {
            Some(Stands::Session(session)) => session.shown_as(&before.session),
            Some(Stands::Replaced(replaced)) => return Ok(Again::Replaced(replaced)),
            _ => return Ok(Again::Gone),
        };
        session.snapshot.stale_key = before.session.snapshot.stale_key;
        let Some(next) = commit.changes.on(Some(session.present()))? else {
            return Ok(Again::Gone);
        };
        let standing = Standing::Session(&session.snapshot);
        let plan = commit.plan_for(standing, Some(&session.content), Some(&next));
        // On what the other wrote, the changes may make it somebody else's.
        let proposal = self.proposal(plan, Some(next), Arc::from(session)).await?;
        Ok(Again::Replay(Box::new(proposal)))
    }

    /// The write that the proposal needs; none if the record stays or is not the one
    /// that goes on.
    fn attempt(&self, proposal: &Proposal) -> Result<Option<Arc<Attempt>>, SessionError> {
        let Proposal { plan, next, session, .. } = proposal;
        let (times, renewal) = match *plan {
            Plan::Write { times, renewal, .. } => (times, renewal),
            // A token goes out only if it is still the session's.
            Plan::Touch { times, send: true, .. } | Plan::Complete { times } => (times, None),
            _ => return Ok(None),
        };
        let (commit, server) = (self.commit, &self.tracker.server);
        let Located { id, key, version, owner, secrets, trail, joined } = &session.place;
        let (now, snapshot) = (commit.moment.now, &session.snapshot);
        let (id, secrets, in_grace) = match renewal {
            None if snapshot.completes => {
                let grace = commit.definition.policy.lifetime.renewal_grace;
                (id.clone(), secrets.completed(now, grace), false)
            }
            None => (id.clone(), secrets.clone(), snapshot.in_grace),
            Some(renewal) => {
                let rotations = secrets.rotations.wrapping_add(renewal.rotates.into());
                let (next, rotations) = commit.changes.renewed(id, rotations)?;
                let secrets = if renewal.at_once {
                    secrets.renewed(&next, now, rotations)
                } else {
                    secrets.renewing(id, &next, now)
                };
                (next, secrets, false)
            }
        };
        let draft = Draft {
            key: key.clone(),
            secrets,
            trail: self.trail_after(&*server.storage_of(&id), trail, *version),
            joined: joined.clone(),
            in_grace,
            times,
            owner: next.as_ref().map_or(owner, |next| &next.owner).clone(),
            content: next.as_ref().map_or(&session.content, |next| &next.content).clone(),
            id,
        };
        let (record, written) =
            draft.write(commit.core, commit.definition, server, commit.client)?;
        let id = &written.place.id;
        let holds = plan.needs_token().then(|| self.token(id, &times)).transpose()?;
        Ok(Some(Arc::new(Attempt {
            expected: *version,
            record,
            written: Arc::new(written),
            holds,
            renews: renewal.is_some(),
        })))
    }

    /// Where no answer is lost, nobody needs a trail.
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

    fn applied(&self, sent: &Attempt, records: &mut Records<'_>) {
        if sent.renews {
            self.commit.report(Event::Renewed);
        }
        records.goes_on(Arc::clone(&sent.written), sent.holds.clone());
    }

    /// There is nothing to swap: another session begins, this one goes on under another
    /// name, or somebody else wrote the same. Gives what is to be swapped instead.
    async fn otherwise(
        &self,
        proposal: Proposal,
        records: &mut Records<'_>,
    ) -> Result<Option<Proposal>, SessionError> {
        if proposal.session.moves(proposal.plan) {
            self.migrate(proposal, records).await?;
            return Ok(None);
        }
        match proposal.plan {
            Plan::Login { .. } => return self.log_in(proposal, records).await,
            Plan::Touch { times, .. } => self.touch(&proposal.session, times, records).await?,
            _ => records.goes_on(proposal.session, None),
        }
        Ok(None)
    }

    /// The session ended, or went on under another secret, meanwhile. A login
    /// starts fresh. All other changes are dropped and never inserted again.
    async fn gone(&self, guard: OwnerGuard, records: &mut Records<'_>) -> Result<(), SessionError> {
        let commit = self.commit;
        if commit.is_unasked() {
            return Ok(());
        }
        let next = if commit.next.is_some() { commit.changes.on(None)? } else { None };
        let begins = |next: &Next| commit.asked.login || next.owner_changes;
        let Some(next) = next.filter(begins) else {
            records.drop_changes(commit);
            return Ok(());
        };
        records.sessions.lose();
        if commit.moment.late {
            return Err(SessionError::TooLate);
        }
        let plan = commit.plan_for(Standing::Nobody, None, Some(&next));
        let Some(times) = plan.times(None) else { return Ok(()) };
        let old = self.successor_of_replaced(records, next.owner.as_ref()).await?;
        let (id, origin) = (commit.changes.id()?, self.origin(records));
        let begins = Succession { times, next, guard, old, origin };
        self.succeed(id, begins, records).await.map(drop)
    }
}

impl Tracked<Located> {
    /// The session has no id of which a part can be replaced.
    pub fn is_unlike(&self) -> bool {
        self.snapshot.accepted || self.snapshot.whole_id
    }

    /// As the client has shown it that `before` was found for: if this one was found again
    /// under the next id of a renewal, its client does not have that yet.
    pub fn shown_as(mut self: Box<Self>, before: &Self) -> Box<Self> {
        let unaware = before.place.secrets.is_open() && !before.snapshot.completes;
        let same_id = before.place.id == self.place.id && !self.snapshot.untold;
        if unaware && same_id {
            let is_open = std::mem::take(&mut self.snapshot.completes);
            self.snapshot.untold = is_open;
            self.snapshot.in_grace = !is_open;
        }
        self
    }

    /// What changes apply to.
    pub fn present(&self) -> Present<'_> {
        (&self.content, self.place.owner.as_ref())
    }

    /// Whether the plan gives the session another name in the storage.
    fn moves(&self, plan: Plan) -> bool {
        matches!(plan, Plan::Move { .. }) || self.is_unlike() && matches!(plan, Plan::Login { .. })
    }
}

fn joined(plan: Plan, before: &Tracked<Located>, next: Option<&Next>) -> Option<OwnerKey> {
    let is_login = matches!(plan, Plan::Login { .. });
    let owner = next?.owner.as_ref()?;
    (is_login || before.place.owner.as_ref() != Some(owner)).then(|| owner.clone())
}
