//! The commit of a session whose record lives in a storage.

use std::sync::Arc;

use super::envelope::Secrets;
use super::trail::Trail;
use super::unheld::Unheld;
use super::{ById, Draft, Ending, Joined, Located, Stands, record};
use crate::background::in_background;
use crate::error::{EncodeError, SessionError};
use crate::event::SessionEventKind as Event;
use crate::expiry::Times;
use crate::request::commit::{Commit, Next, Progress};
use crate::request::delivery::Holds;
use crate::request::plan::Plan;
use crate::request::tracked::{Replaced, Tracked};
use crate::storage::{
    Create, OwnerGuard, OwnerKey, Predecessor, Record, SessionStorage, StorageKey, Succeed,
    Successor, Update,
};
use crate::token::SessionId;

/// How many ids are tried before the random generator counts as broken. Two
/// equal ids of 256 random bits are not met in practice (checklist S4).
const ID_ATTEMPTS: usize = 3;

/// What the commit of a session by id has done so far.
pub(super) type Records<'a> = Progress<'a, Located>;

/// A session that has begun, and its token.
pub(super) type Created = (Arc<Tracked<Located>>, Holds);

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
    /// A session begins where there is none.
    async fn begin(
        &self,
        times: Times,
        next: &Next,
        records: &mut Records<'_>,
    ) -> Result<(), SessionError> {
        if let Some(ending) = self.commit.changes.ending() {
            let _ = ending.await;
        }
        // Taken before anything is written: a login under way when its owner is
        // revoked leaves nothing alive.
        let guard = self.guard(next.owner.as_ref()).await?;
        // From here on it is one write: what ends and what begins go together.
        if !self.commit.changes.are_wanted() {
            records.unwanted();
            return Ok(());
        }
        let id = self.commit.changes.id()?;
        // Of a session that a login has replaced nothing is left to end.
        if self.commit.asked.ended && records.sessions.replaced.is_none() {
            if let Some(replaced) = self.end_presented(records).await? {
                records.sessions.is_replaced(replaced);
                if !self.commit.asked.login {
                    records.drop_changes(self.commit);
                    return Ok(());
                }
            } else {
                records.ended();
            }
        }
        self.create_alone(id, times, next, guard, records).await
    }

    /// Writes a session that takes no other one's place, and ends what a login meets.
    pub(super) async fn create_alone(
        &self,
        id: SessionId,
        times: Times,
        next: &Next,
        mut guard: OwnerGuard,
        records: &mut Records<'_>,
    ) -> Result<(), SessionError> {
        let successor = records.sessions.replaced.as_ref().and_then(|one| one.successor.clone());
        guard.replaces.clone_from(&successor);
        let ((session, holds), _) = self.create(id, times, next, guard, None).await?;
        let unheld = self.unheld(&session.place);
        if self.commit.asked.login {
            self.end_others(records).await?;
        }
        if let Some(successor) = successor {
            self.take_place(&successor, next).await?;
        }
        unheld.keep();
        records.goes_on(session, Some(holds));
        self.commit.report(Event::Created);
        Ok(())
    }

    /// Of two logins of one owner over one session, the later one comes in the place of
    /// the earlier one, where there is a limit.
    async fn take_place(&self, other: &StorageKey, next: &Next) -> Result<(), SessionError> {
        if self.tracker.owner_limit.is_none() {
            return Ok(());
        }
        let (storage, now) = (&self.tracker.server.storage, self.commit.moment.now);
        let found = storage.read_fresh(other, now).await?;
        let theirs = found.filter(|found| found.owner.is_some() && found.owner == next.owner);
        let Some(found) = theirs else { return Ok(()) };
        let place = (other, Some(found.version));
        let ending = self.tracker.end(self.commit.definition, &**storage, place, now).await?;
        if matches!(ending, Ending::Ended) {
            self.commit.report(Event::Ended);
        }
        Ok(())
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
        while let Some(lost) = records.sessions.lost.last() {
            self.end_one(lost).await?;
            records.sessions.lost.pop();
        }
        self.end_others(records).await?;
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

    /// Writes a record under `id`, or another one if that is taken; then what a login
    /// leaves of the session `over` which it begins. Says what became of that, too.
    pub(super) async fn create(
        &self,
        id: SessionId,
        times: Times,
        next: &Next,
        guard: OwnerGuard,
        over: Option<&Located>,
    ) -> Result<(Created, Option<Update>), SessionError> {
        let Commit { definition, moment, .. } = self.commit;
        let server = &self.tracker.server;
        let (mut first, mut updated) = (Some(id), None);
        for _ in 0..ID_ATTEMPTS {
            let id = first.take().map_or_else(|| self.commit.changes.id(), Ok)?;
            let draft = Draft {
                key: definition.namespace.record(&id.locator()),
                secrets: Secrets::of(&id),
                trail: Trail::default(),
                joined: Joined::default(),
                id,
                in_grace: false,
                times,
                owner: next.owner.clone(),
                content: next.content.clone(),
            };
            let (record, written) =
                draft.write(self.commit.core, definition, server, self.commit.client)?;
            let place = &written.place;
            let holds = self.token(&place.id, &times)?;
            let storage = server.storage_of(&place.id);
            let unheld = self.unheld(place);
            let answer = match over {
                None => storage.create(&place.key, record, guard.clone(), moment.now).await,
                Some(over) => {
                    let new = Successor { key: &place.key, record, guard: guard.clone() };
                    let left = self.left_of(over, &place.key)?;
                    let old = Predecessor { key: &over.key, expected: over.version, record: left };
                    storage.succeed(new, old, moment.now).await.map(|answer| match answer {
                        Succeed::Created(answer) => {
                            updated = Some(answer);
                            Create::Created
                        }
                        Succeed::Exists => Create::Exists,
                        Succeed::Refused(refused) => Create::Refused(refused),
                    })
                }
            };
            if answer.is_ok() || !storage.loses_answers() {
                unheld.keep();
            } else {
                // Never sent again: its key is ended, and the session begins under
                // another id, if it still does.
                let _ = unheld.end().await;
            }
            match answer? {
                Create::Created => return Ok(((Arc::new(written), holds), updated)),
                // It was sent twice, and somebody else has written in between.
                Create::Exists if self.is_own(&storage, place).await? => {
                    return Ok(((Arc::new(written), holds), updated));
                }
                Create::Exists => self.commit.changes.id_is_taken(),
                Create::Refused(refused) => return Err(refused.into()),
            }
        }
        if self.tracker.identity.is_some() {
            let message = "`identity` gave the id of another session";
            return Err(SessionError::Encode(EncodeError::new(message)));
        }
        Err(SessionError::Random)
    }

    /// What a login that begins under `successor` leaves of the session at this place.
    pub(super) fn left_of(
        &self,
        place: &Located,
        successor: &StorageKey,
    ) -> Result<Record, SessionError> {
        let Commit { core, definition, moment, .. } = self.commit;
        let trail = self.trail_after(&place.trail, place.version, &place.id);
        record::replaced(core, definition, place, trail, successor, moment.now)
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

    /// Whether the record under this key was created as the one at this place.
    async fn is_own(
        &self,
        storage: &Arc<dyn SessionStorage>,
        place: &Located,
    ) -> Result<bool, SessionError> {
        if !storage.sends_again() {
            return Ok(false);
        }
        let found = storage.read_fresh(&place.key, self.commit.moment.now).await?;
        let trail = |record: &Record| Trail::of(record, self.commit.definition);
        let knows = |record: Record| trail(&record).knows(place.version, record.version);
        Ok(found.is_some_and(knows))
    }

    /// The token with this id.
    pub(super) fn token(&self, id: &SessionId, times: &Times) -> Result<Holds, SessionError> {
        let token = self.commit.definition.format().seal_id(id, &self.commit.core.random)?;
        Ok(self.commit.token(token, times))
    }
}
