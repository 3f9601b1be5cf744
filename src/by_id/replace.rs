//! A session that goes on: its record is compared and swapped until that
//! succeeds. Every conflict applies the request's changes to what the other
//! request wrote.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::commit::{Job, Records};
use super::settle::{Attempt, Verdict};
use super::trail::Trail;
use super::{Draft, Located};
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::request::commit::Next;
use crate::request::load::within;
use crate::request::plan::{Plan, Renewal};
use crate::request::tracked::Tracked;
use crate::storage::{KeyedGuard, OwnerGuard, OwnerKey, StorageError, StorageKey, Update, Version};
use crate::token::SessionId;

/// What a login makes of a session's secrets: whoever had the old id stays out.
const LOGIN: Renewal = Renewal { grace: false, rotates: true };

/// What is to be written, and over what.
struct Proposal {
    plan: Plan,
    /// The value; none to leave it as it is.
    next: Option<Next>,
    session: Arc<Tracked<Located>>,
    /// The owner whose the session becomes, and was not before.
    joins: Option<OwnerKey>,
    /// Under which conditions it may. Taken before anything is written: a login
    /// under way when its owner is revoked leaves nothing alive.
    guard: OwnerGuard,
}

/// What comes after a conflict.
enum Again {
    /// The attempt was applied all the same: it was sent twice.
    Applied,
    /// The changes on what the other request wrote.
    Replay(Box<Proposal>),
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
        let mut proposal = self.first(plan, &session)?;
        proposal.guard = self.guard(proposal.joins.as_ref()).await?;
        let _queue = self.queue(&session.place.key).await;
        // From here on it is one write: what ends and what goes on go together.
        if !self.commit.changes.are_wanted() {
            records.unwanted();
            return Ok(());
        }
        let mut attempt = self.attempt(&proposal)?;
        if self.commit.asked.login {
            self.end_others(records).await?;
        }
        let storage = self.tracker.server.storage_of(&session.place.id);
        loop {
            let Some(sent) = attempt else {
                return Box::pin(self.otherwise(proposal, records)).await;
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
                Ok(Update::Refused(refused)) => {
                    records.settled();
                    return Err(refused.into());
                }
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

    /// Waits for the other commits of this record in this process, so that they do
    /// not conflict. One that never goes on is not waited for: comparing and
    /// swapping is enough.
    async fn queue(&self, key: &StorageKey) -> Option<KeyedGuard> {
        let left = self.commit.deadline.saturating_duration_since(Instant::now());
        within(Instant::now() + left / 2, pin!(self.tracker.server.locks.lock(key))).await
    }

    /// The first proposal, before it is known under which conditions.
    fn first(&self, plan: Plan, session: &Arc<Tracked<Located>>) -> Result<Proposal, SessionError> {
        let mut next = self.commit.next.clone();
        if next.is_none() && session.moves(plan) {
            // Of a session in another format nobody knows yet whose it is.
            next = self.commit.changes.on(Some((&session.content, None)))?;
        }
        let joins = joined(plan, session, next.as_ref());
        let (session, guard) = (Arc::clone(session), OwnerGuard::default());
        Ok(Proposal { plan, next, session, joins, guard })
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
        let session = super::session(definition, server, presented, key, record, now);
        let Some(mut session) = session else { return Ok(Again::Gone) };
        session.snapshot.stale_key = before.session.snapshot.stale_key;
        let present = (&session.content, session.place.owner.as_ref());
        let Some(next) = commit.changes.on(Some(present))? else { return Ok(Again::Gone) };
        let plan = commit.plan(Some(&session), Some(&next));
        // On what the other wrote, the changes may make it somebody else's.
        let joins = joined(plan, &session, Some(&next));
        let guard = self.guard(joins.as_ref()).await?;
        let (session, next) = (Arc::new(session), Some(next));
        Ok(Again::Replay(Box::new(Proposal { plan, next, session, joins, guard })))
    }

    /// The write that the proposal needs; none if the record stays or is not the one
    /// that goes on.
    fn attempt(&self, proposal: &Proposal) -> Result<Option<Arc<Attempt>>, SessionError> {
        let Proposal { plan, next, session, guard, .. } = proposal;
        let (times, renewal) = match *plan {
            Plan::Write { times, renewal, .. } => (times, renewal),
            // A token goes out only if it is still the session's.
            Plan::Touch { times, send: true, .. } => (times, None),
            Plan::Login { times } if !session.is_unlike() => (times, Some(LOGIN)),
            _ => return Ok(None),
        };
        let (commit, server) = (self.commit, &self.tracker.server);
        let Located { id, key, version, owner, secrets, trail, joined } = &session.place;
        let (id, secrets, in_grace) = match renewal {
            None => (id.clone(), secrets.clone(), session.snapshot.in_grace),
            Some(renewal) => {
                let rotations = secrets.rotations.wrapping_add(renewal.rotates.into());
                let (id, rotations) = commit.changes.renewed(id, rotations)?;
                let grace = commit.definition.policy.lifetime.renewal_grace;
                let grace = Some(grace).filter(|_| renewal.grace);
                (id.clone(), secrets.renewed(&id, commit.moment.now, rotations, grace), false)
            }
        };
        let draft = Draft {
            key: key.clone(),
            secrets,
            trail: self.trail_after(trail, *version, &id),
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
            guard: guard.clone(),
            written: Arc::new(written),
            holds,
            renews: renewal.is_some(),
        })))
    }

    /// Where no answer is lost, nobody needs a trail.
    fn trail_after(&self, trail: &Trail, version: Version, id: &SessionId) -> Trail {
        if !self.tracker.server.storage_of(id).loses_answers() {
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

    /// There is nothing to swap: the session goes on under another name, or
    /// somebody else wrote the same.
    async fn otherwise(
        &self,
        proposal: Proposal,
        records: &mut Records<'_>,
    ) -> Result<(), SessionError> {
        let Proposal { plan, next, session, guard, .. } = proposal;
        match plan {
            _ if session.moves(plan) => self.migrate(plan, next, guard, &session, records).await,
            Plan::Touch { times, .. } => {
                self.touch(&session, times, records).await;
                Ok(())
            }
            _ => {
                records.goes_on(session, None);
                Ok(())
            }
        }
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
        let plan = commit.plan::<Located>(None, Some(&next));
        if let Some(times) = plan.times(None) {
            let id = commit.changes.id()?;
            let (session, holds) = self.create(id, times, &next, guard).await?;
            records.goes_on(session, Some(holds));
            commit.report(Event::Created);
        }
        Ok(())
    }
}

impl Tracked<Located> {
    /// The session has no id of which a part can be replaced.
    pub fn is_unlike(&self) -> bool {
        self.snapshot.accepted || self.snapshot.whole_id
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
