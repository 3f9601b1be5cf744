//! The commit of a session whose record lives in a storage.

use super::login::Succession;
use super::unheld::Unheld;
use super::{ById, Ending, Located, Stands};
use crate::background::in_background;
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::expiry::Times;
use crate::request::commit::{Commit, Next, Progress};
use crate::request::delivery::Holds;
use crate::request::plan::{Plan, Standing};
use crate::request::tracked::{Replaced, Tracked};
use crate::storage::{OwnerGuard, OwnerKey};
use crate::token::SessionId;

/// What the commit of a session by id has done so far.
pub(super) type Records<'a> = Progress<'a, Located>;

/// Carries out what the plan says.
pub(crate) async fn commit(
    commit: &Commit<'_>,
    tracker: &ById,
    mut records: Records<'_>,
) -> Result<(), SessionError> {
    let plan = commit.plan(records.sessions, commit.next.as_ref());
    match plan {
        Plan::Keep => return Ok(()),
        Plan::Drop => {
            records.drop_changes(commit);
            return Ok(());
        }
        _ => {}
    }
    if plan.needs_token() && commit.moment.late {
        return Err(SessionError::TooLate);
    }
    if !commit.changes.are_wanted() {
        records.unwanted();
        return Ok(());
    }
    let job = Job { commit, tracker };
    match (plan, &commit.next, records.sessions.one.clone()) {
        (Plan::End, ..) => {
            match Box::pin(job.end_presented(&mut records)).await? {
                Some(replaced) => records.was_replaced(replaced),
                None => records.ended(),
            }
            Ok(())
        }
        (Plan::Create { times }, Some(next), _) => {
            Box::pin(job.begin(times, next, &mut records)).await
        }
        (Plan::Touch { times, send: false, .. }, _, Some(session)) => {
            Box::pin(job.touch(&session, times, &mut records)).await
        }
        (Plan::Complete { .. }, _, Some(session)) => {
            job.complete(plan, session, &mut records).await
        }
        (_, _, Some(session)) => {
            let (plan, session) = Box::pin(job.as_last_seen(plan, session)).await?;
            job.replace(plan, session, &mut records).await
        }
        _ => Ok(()),
    }
}

#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub commit: &'a Commit<'a>,
    pub tracker: &'a ById,
}

impl Job<'_> {
    /// A session begins where there is none, or one that a login has replaced.
    async fn begin(
        &self,
        times: Times,
        next: &Next,
        records: &mut Records<'_>,
    ) -> Result<(), SessionError> {
        self.earlier_try_ends().await;
        // Taken before anything is written: a login under way when its owner is
        // revoked leaves nothing alive.
        let guard = self.guard(next.owner.as_ref()).await?;
        let _queue = self.queue_of_logins(records).await;
        let owner = next.owner.as_ref();
        let mut old = self.successor_of_replaced(records, owner).await?;
        // From here on it is one write: what ends and what begins go together.
        if !self.commit.changes.are_wanted() {
            records.unwanted();
            return Ok(());
        }
        let id = self.commit.changes.id()?;
        // Of a session that a login has replaced nothing is left to end.
        if self.commit.asked.ended && records.sessions.standing() != Standing::Replaced {
            match self.end_presented(records).await? {
                Some(replaced) => records.sessions.is_replaced(replaced),
                None => records.ended(),
            }
            if records.sessions.replaced.is_some() && !self.commit.asked.login {
                records.drop_changes(self.commit);
                return Ok(());
            }
            old = self.successor_of_replaced(records, owner).await?;
        }
        let origin = self.origin(records);
        let begins = Succession { times, next: next.clone(), guard, old, origin };
        self.succeed(id, begins, records).await.map(drop)
    }

    /// The session that an earlier try could not begin counts until it has ended.
    pub(super) async fn earlier_try_ends(&self) {
        if let Some(ending) = self.commit.changes.ending() {
            let _ = ending.await;
        }
    }

    /// Under which conditions the record may become this owner's. They stay those of
    /// the first try: a login that is tried again does not outlive a revocation.
    pub(super) async fn guard(&self, owner: Option<&OwnerKey>) -> Result<OwnerGuard, SessionError> {
        let Some(owner) = owner else { return Ok(OwnerGuard::default()) };
        if let Some(guard) = self.commit.changes.guard(owner) {
            return Ok(guard);
        }
        let guard = self.tracker.guard(Some(owner)).await?;
        self.commit.changes.keep_guard(owner.clone(), guard.clone());
        Ok(guard)
    }

    /// Ends every session that the request presented. If a login has replaced the one
    /// that goes on, that is what is left of it.
    async fn end_presented(
        &self,
        records: &mut Records<'_>,
    ) -> Result<Option<Replaced>, SessionError> {
        let mut replaced = None;
        if let Some(session) = &records.sessions.one {
            replaced = self.end_one(session).await?;
            records.sessions.one = None;
        }
        self.end_others(records).await?;
        let renewed = records.sessions.standing() == Standing::Renewed;
        while let Some(lost) = records.sessions.lost.last() {
            let left = self.end_one(lost).await?;
            replaced = replaced.or(left.filter(|_| renewed));
            records.sessions.lost.pop();
        }
        Ok(replaced)
    }

    pub(super) async fn end_others(&self, records: &mut Records<'_>) -> Result<(), SessionError> {
        while let Some(other) = records.sessions.others.last() {
            self.end_one(other).await?;
            records.sessions.others.pop();
        }
        Ok(())
    }

    /// Gives what a login has left of the session, if it has replaced that.
    async fn end_one(&self, session: &Tracked<Located>) -> Result<Option<Replaced>, SessionError> {
        let Commit { definition, moment, .. } = self.commit;
        let (server, now) = (&self.tracker.server, moment.now);
        let Located { id, key, version, .. } = &session.place;
        let (storage, place) = (server.storage_of(id), (key, Some(*version)));
        match self.tracker.end(definition, &*storage, place, now).await? {
            Ending::Ended => self.commit.report(Event::Ended),
            Ending::Missing => {}
            Ending::Replaced(record) => {
                let found = super::session(definition, server, id, key.clone(), record, now);
                if let Some(Stands::Replaced(replaced)) = found {
                    return Ok(Some(replaced));
                }
            }
        }
        Ok(None)
    }

    /// Does what nobody waits for, and gives what came of it, if that is known at once.
    pub(super) async fn aside<R: Send + 'static>(
        &self,
        work: impl Future<Output = R> + Send + 'static,
    ) -> Option<R> {
        let work = Box::pin(work);
        // A clock that a test moves must not move in the middle of it.
        let waits = self.commit.core.clock.is_moved();
        if waits { Some(work.await) } else { in_background(work).await }
    }

    /// A record that nobody holds an id of until its token is on its way.
    pub(super) fn unheld(&self, place: &Located) -> Unheld<'_> {
        Unheld::new(self.commit, self.tracker, place)
    }

    /// The token with this id.
    pub(super) fn token(&self, id: &SessionId, times: &Times) -> Result<Holds, SessionError> {
        let token = self.commit.definition.format().seal_id(id, &self.commit.core.random)?;
        Ok(self.commit.token(token, times))
    }
}
