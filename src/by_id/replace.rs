//! A session that goes on: its record is compared and swapped until that
//! succeeds. Every conflict applies the request's changes to what the other
//! request wrote.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::commit::{Job, Records};
use super::{Draft, Located, find};
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::expiry::Times;
use crate::request::commit::Next;
use crate::request::load::within;
use crate::request::plan::{Plan, Renewal};
use crate::request::tracked::Tracked;
use crate::storage::{KeyedGuard, OwnerGuard, OwnerKey, StorageError, StorageKey, Update};
use crate::token::SessionId;

/// What a login makes of a session's secrets: whoever had the old id stays out.
const LOGIN: Renewal = Renewal { grace: false, rotates: true };

/// One attempt: what is to be written, and over what.
struct Attempt {
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

/// The record's next state, but for its value.
struct Swap {
    times: Times,
    id: SessionId,
    renewal: Option<Renewal>,
}

/// The outcome of one compare-and-swap.
enum Swapped {
    Written(Arc<Tracked<Located>>),
    Conflict,
    Missing,
}

impl Job<'_> {
    pub(super) async fn replace(
        &self,
        plan: Plan,
        session: Arc<Tracked<Located>>,
        records: &mut Records<'_>,
    ) -> Result<(), SessionError> {
        let mut attempt = self.first(plan, &session)?;
        attempt.guard = self.tracker.guard(attempt.joins.as_ref()).await?;
        let _queue = self.queue(&session.place.key).await;
        // From here on it is one write: what ends and what goes on go together.
        if !self.commit.changes.are_wanted() {
            records.unwanted();
            return Ok(());
        }
        let mut swap = self.next(&attempt)?;
        if self.commit.asked.login {
            self.end_others(records).await?;
        }
        loop {
            let Some(to) = &swap else {
                return Box::pin(self.otherwise(attempt, records)).await;
            };
            match self.swap(to, &attempt).await? {
                Swapped::Written(written) => {
                    return self.written(to, &attempt, written, records);
                }
                Swapped::Missing => break,
                // Whoever wrote may have renewed it as well.
                Swapped::Conflict if self.commit.is_unasked() => return Ok(()),
                Swapped::Conflict => self.commit.conflicted.store(true, Ordering::Relaxed),
            }
            if Instant::now() >= self.commit.deadline {
                return Err(SessionError::Conflict);
            }
            let again = Box::pin(self.again(&attempt, &session.place.id));
            let Some(again) = again.await? else { break };
            attempt = again;
            if attempt.plan.needs_token() && self.commit.moment.late {
                return Err(SessionError::TooLate);
            }
            if !self.commit.changes.are_wanted() {
                records.unwanted();
                return Ok(());
            }
            swap = self.next(&attempt)?;
        }
        Box::pin(self.gone(attempt.guard, records)).await
    }

    /// Waits for the other commits of this record in this process, so that they do
    /// not conflict. One that never goes on is not waited for: comparing and
    /// swapping is enough.
    async fn queue(&self, key: &StorageKey) -> Option<KeyedGuard> {
        let left = self.commit.deadline.saturating_duration_since(Instant::now());
        within(Instant::now() + left / 2, pin!(self.tracker.server.locks.lock(key))).await
    }

    /// The first attempt, before it is known under which conditions.
    fn first(&self, plan: Plan, session: &Arc<Tracked<Located>>) -> Result<Attempt, SessionError> {
        let mut next = self.commit.next.clone();
        if next.is_none() && session.moves(plan) {
            // Of a session in another format nobody knows yet whose it is.
            next = self.commit.changes.on(Some((&session.content, None)))?;
        }
        let joins = joined(plan, session, next.as_ref());
        let (session, guard) = (Arc::clone(session), OwnerGuard::default());
        Ok(Attempt { plan, next, session, joins, guard })
    }

    /// The attempt after a conflict, on what the other request wrote; none if the
    /// session is gone.
    async fn again(
        &self,
        before: &Attempt,
        presented: &SessionId,
    ) -> Result<Option<Attempt>, SessionError> {
        let commit = self.commit;
        let found = find(commit.definition, &self.tracker.server, presented, commit.moment.now);
        let Some(mut session) = found.await? else { return Ok(None) };
        session.snapshot.stale_key = before.session.snapshot.stale_key;
        let present = (&session.content, session.place.owner.as_ref());
        let Some(next) = commit.changes.on(Some(present))? else { return Ok(None) };
        let plan = commit.plan(Some(&session), Some(&next));
        // On what the other wrote, the changes may make it somebody else's.
        let joins = joined(plan, &session, Some(&next));
        let guard = if joins == before.joins {
            before.guard
        } else {
            self.tracker.guard(joins.as_ref()).await?
        };
        Ok(Some(Attempt { plan, next: Some(next), session: Arc::new(session), joins, guard }))
    }

    /// What the attempt writes; nothing if the record stays or is not the one that
    /// goes on.
    fn next(&self, attempt: &Attempt) -> Result<Option<Swap>, SessionError> {
        let (times, renewal) = match attempt.plan {
            Plan::Write { times, renewal, .. } => (times, renewal),
            // A token goes out only if it is still the session's.
            Plan::Touch { times, send: true, .. } => (times, None),
            Plan::Login { times } if !attempt.session.is_unlike() => (times, Some(LOGIN)),
            _ => return Ok(None),
        };
        let id = &attempt.session.place.id;
        let id = renewal.map_or_else(|| Ok(id.clone()), |_| self.commit.changes.id(Some(id)))?;
        Ok(Some(Swap { times, id, renewal }))
    }

    async fn swap(&self, swap: &Swap, attempt: &Attempt) -> Result<Swapped, SessionError> {
        let Attempt { next, session, guard, .. } = attempt;
        let Located { key, version, owner, secrets, .. } = &session.place;
        let Swap { times, id, renewal } = swap;
        let (secrets, in_grace) = match renewal {
            None => (secrets.clone(), session.snapshot.in_grace),
            Some(renewal) => {
                let grace = self.commit.definition.policy.lifetime.renewal_grace;
                (secrets.renewed(id, self.commit.moment.now, *renewal, grace), false)
            }
        };
        let draft = Draft {
            id: id.clone(),
            key: key.clone(),
            secrets,
            joined: session.place.joined.clone(),
            in_grace,
            times: *times,
            owner: next.as_ref().map_or(owner, |next| &next.owner).clone(),
            content: next.as_ref().map_or(&session.content, |next| &next.content).clone(),
        };
        let server = &self.tracker.server;
        let record = draft.record(self.commit.definition, server, self.commit.client)?;
        let storage = server.storage_of(&session.place.id);
        match storage.update(key, *version, record, *guard, self.commit.moment.now).await {
            Ok(Update::Updated(version)) => Ok(Swapped::Written(Arc::new(draft.written(version)))),
            Ok(Update::Conflict) => Ok(Swapped::Conflict),
            // A record that cannot be read back is none.
            Ok(Update::Missing) | Err(StorageError::Corrupt(_)) => Ok(Swapped::Missing),
            Ok(Update::Refused(refused)) => Err(refused.into()),
            Err(cause) => Err(cause.into()),
        }
    }

    fn written(
        &self,
        swap: &Swap,
        attempt: &Attempt,
        written: Arc<Tracked<Located>>,
        records: &mut Records<'_>,
    ) -> Result<(), SessionError> {
        if swap.renewal.is_some() {
            self.commit.report(Event::Renewed);
        }
        let sends = attempt.plan.needs_token();
        let holds = sends.then(|| self.token(&written.place.id, &swap.times)).transpose();
        let (holds, failed) = match holds {
            Ok(holds) => (holds, Ok(())),
            Err(cause) => (None, Err(cause)),
        };
        records.goes_on(written, holds);
        failed
    }

    /// There is nothing to swap: the session goes on under another name, or
    /// somebody else wrote the same.
    async fn otherwise(
        &self,
        attempt: Attempt,
        records: &mut Records<'_>,
    ) -> Result<(), SessionError> {
        let Attempt { plan, next, session, guard, .. } = attempt;
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
            let id = commit.changes.id(None)?;
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
