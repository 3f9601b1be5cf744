//! The commit of a session whose record lives in a storage.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rocket::warn;
use tokio::time::{Instant, timeout_at};

use super::decision::{Candidate, Commit, Decision};
use super::relocation::moves;
use super::{Done, Job, encode, too_late};
use crate::SessionData;
use crate::definition::Server;
use crate::error::{EncodeError, SessionError};
use crate::expiry::Times;
use crate::state::{Emission, Plan};
use crate::storage::{Create, OwnerKey, StorageError, Update};
use crate::token::SessionId;
use crate::tracker::by_id::Draft;
use crate::tracker::{Located, Origin, Place, Renewal, Secrets, by_id};

/// How many ids are tried before the random generator counts as broken. Two
/// equal ids of 256 random bits are not met in practice (checklist S4).
const ID_ATTEMPTS: usize = 3;

impl Commit<'_> {
    pub async fn on_server<T: SessionData>(
        &self,
        server: &Server,
        job: &Job<T>,
        next: Option<Candidate<T>>,
    ) -> Result<Done<T>, SessionError> {
        let before = job.origin.as_deref().filter(|_| !job.pending.ended && !job.pending.login);
        let joins = next.as_ref().and_then(|next| joined(before, next));
        // Taken before anything is written: a login under way when its owner is
        // revoked leaves nothing alive.
        let guard = by_id::guard(self.definition, server, joins).await?;
        Commit { guard, ..*self }.write(server, job, next).await
    }

    async fn write<T: SessionData>(
        &self,
        server: &Server,
        job: &Job<T>,
        next: Option<Candidate<T>>,
    ) -> Result<Done<T>, SessionError> {
        let mut done = Done::keep(job);
        if job.pending.ended || job.pending.login {
            self.end(server, job).await?;
        }
        if job.pending.ended {
            done.origin = None;
            done.emission = Self::removal(job);
        }
        let Some(origin) = done.origin.clone() else {
            if let Some(next) = next {
                let times = self.begin(job, Some(&next));
                self.create(server, job, next, times, &mut done).await?;
                self.report(Plan::Create);
            }
            return Ok(done);
        };
        let decision = self.decide(job, Some(&origin), next.as_ref());
        if decision.plan != Plan::Keep && moves(&origin, &decision) {
            self.relocate(server, job, &origin, &decision, next, &mut done).await?;
            return Ok(done);
        }
        match (decision.plan, next) {
            (Plan::Save | Plan::Renew, Some(next)) => {
                self.replace(server, job, &origin, next, &mut done).await?;
            }
            (Plan::Renew, None) => {
                self.renew_alone(server, job, &origin, &decision, &mut done).await;
            }
            (Plan::Touch, _) => {
                self.touch(server, job, &origin, decision.times, &mut done).await;
            }
            _ => {}
        }
        Ok(done)
    }

    /// Ends the sessions that the request presented and does not go on with.
    async fn end<T>(&self, server: &Server, job: &Job<T>) -> Result<(), SessionError> {
        let own = job.origin.as_deref().filter(|_| job.pending.ended);
        for origin in own.into_iter().chain(&job.others) {
            let Place::Server(located) = &origin.place else { continue };
            if server.storage_of(&located.id).invalidate(&located.key).await? {
                self.report(Plan::End);
            }
        }
        Ok(())
    }

    pub(super) async fn create<T: SessionData>(
        &self,
        server: &Server,
        job: &Job<T>,
        next: Candidate<T>,
        times: Times,
        done: &mut Done<T>,
    ) -> Result<(), SessionError> {
        if job.late {
            return Err(SessionError::TooLate);
        }
        // A login whose record is gone cannot have the id that was planned for it.
        let mut planned = job.planned_id.clone().filter(|_| !done.moved);
        for _ in 0..ID_ATTEMPTS {
            let planned = match planned.take() {
                None => job.identity.clone().transpose()?,
                planned => planned,
            };
            let id = planned.map_or_else(|| self.definition.random_id(&self.core.random), Ok)?;
            let key = id.storage_key(&self.definition.app, &self.definition.name);
            let (owner, content) = (next.owner.clone(), next.content.clone());
            let secrets = Secrets::of(&id);
            let draft = Draft { id, key, secrets, grace: false, times, owner, content };
            let record = draft.record(self.definition, &job.client)?;
            let storage = server.storage_of(&draft.id);
            match storage.create(&draft.key, record, self.guard, self.now).await? {
                Create::Created(version) => {
                    done.emission = self.id_token(&draft.id, &times)?;
                    done.origin = Some(Arc::new(draft.written(version)));
                    done.value = Some(next.value);
                    return Ok(());
                }
                Create::Exists => {}
                Create::Revoked => return Err(SessionError::Ended),
                Create::LimitReached => return Err(SessionError::LimitReached),
            }
        }
        if job.identity.is_some() {
            let message = "`identity` gave the id of another session";
            return Err(SessionError::Encode(EncodeError::new(message)));
        }
        Err(SessionError::Random)
    }

    pub(super) fn id_token(&self, id: &SessionId, times: &Times) -> Result<Emission, SessionError> {
        Ok(self.token(self.definition.format().seal_id(id, &self.core.random)?, times))
    }

    /// Compare-and-swap until it succeeds; every conflict replays the request's
    /// changes on what the other request wrote.
    async fn replace<T: SessionData>(
        &self,
        server: &Server,
        job: &Job<T>,
        first: &Arc<Origin>,
        next: Candidate<T>,
        done: &mut Done<T>,
    ) -> Result<(), SessionError> {
        let Place::Server(located) = &first.place else { return Ok(()) };
        let _queue = server.locks.lock(&located.key).await;
        let mut commit = *self;
        let mut joins = joined(Some(first), &next).cloned();
        let mut origin = Arc::clone(first);
        let mut next = Some(next);
        while let Some(candidate) = next {
            let decision = self.decide(job, Some(&origin), Some(&candidate));
            if decision.plan != Plan::Keep && moves(&origin, &decision) {
                return commit
                    .relocate(server, job, &origin, &decision, Some(candidate), done)
                    .await;
            }
            match commit.swap(server, job, &origin, &candidate, &decision).await? {
                Swap::Unchanged => {
                    (done.value, done.origin) = (Some(candidate.value), Some(origin));
                    return Ok(());
                }
                Swap::Written(written) => {
                    done.emission = self.token_after(&decision, &origin, &written)?;
                    (done.value, done.origin) = (Some(candidate.value), Some(written));
                    return Ok(());
                }
                Swap::Missing => break,
                Swap::Conflict => {}
            }
            done.moved = true;
            self.conflicted.store(true, Ordering::Relaxed);
            if Instant::now() >= self.deadline {
                return Err(SessionError::Conflict);
            }
            let Some(found) = by_id::find(self.definition, server, &located.id, self.now).await?
            else {
                break;
            };
            next = self.replay(job, &found.content)?;
            origin = Arc::new(Origin { stale_key: origin.stale_key, ..found });
            // On what the other wrote, the changes may make it somebody else's.
            let joins_now = next.as_ref().and_then(|next| joined(Some(&origin), next));
            if joins_now != joins.as_ref() {
                commit.guard = by_id::guard(self.definition, server, joins_now).await?;
                joins = joins_now.cloned();
            }
        }
        self.session_is_gone(server, job, first, done).await
    }

    /// One attempt to write `candidate` in place of `origin`.
    async fn swap<T: SessionData>(
        &self,
        server: &Server,
        job: &Job<T>,
        origin: &Origin,
        candidate: &Candidate<T>,
        decision: &Decision,
    ) -> Result<Swap, SessionError> {
        let Place::Server(located) = &origin.place else { return Ok(Swap::Missing) };
        if !matches!(decision.plan, Plan::Save | Plan::Renew) {
            return Ok(Swap::Unchanged);
        }
        if decision.renew && job.late {
            return Err(SessionError::TooLate);
        }
        let (id, secrets) = self.id_after(job, located, decision)?;
        let draft = Draft {
            id,
            key: located.key.clone(),
            secrets,
            grace: located.grace && !decision.renew,
            times: decision.times,
            owner: candidate.owner.clone(),
            content: candidate.content.clone(),
        };
        let record = draft.record(self.definition, &job.client)?;
        let storage = server.storage_of(&located.id);
        let update = storage.update(&located.key, located.version, record, self.guard, self.now);
        match update.await {
            Ok(Update::Updated(version)) => {
                self.report(decision.plan);
                Ok(Swap::Written(Arc::new(draft.written(version))))
            }
            Ok(Update::Conflict) => Ok(Swap::Conflict),
            // A record that cannot be read back is none.
            Ok(Update::Missing) | Err(StorageError::Corrupt(_)) => Ok(Swap::Missing),
            Ok(Update::Revoked) => Err(SessionError::Ended),
            Ok(Update::LimitReached) => Err(SessionError::LimitReached),
            Err(cause) => Err(cause.into()),
        }
    }

    /// The id under which the session goes on, and what opens it then.
    fn id_after<T>(
        &self,
        job: &Job<T>,
        located: &Located,
        decision: &Decision,
    ) -> Result<(SessionId, Secrets), SessionError> {
        if !decision.renew {
            return Ok((located.id.clone(), located.secrets.clone()));
        }
        let id = match &job.planned_id {
            Some(planned) => planned.clone(),
            None => located.id.renewed(&self.core.random)?,
        };
        let grace = !self.definition.lifetime.renewal_grace.is_zero();
        let renewal = Renewal {
            // Never after a login: whoever had the old id stays logged out.
            grace: grace && !decision.fresh,
            rotates: decision.fresh || job.pending.renew,
        };
        let secrets = located.secrets.renewed(&id, self.now, renewal);
        Ok((id, secrets))
    }

    /// The token to send after a write: a new id's, or one that must be
    /// refreshed in the client or sealed by the first key.
    fn token_after(
        &self,
        decision: &Decision,
        before: &Origin,
        written: &Origin,
    ) -> Result<Emission, SessionError> {
        let refresh = self.definition.token_expires_early
            && self.definition.lifetime.touch_due(&before.times, self.now);
        let own_time = before.times.idle_override != written.times.idle_override;
        match &written.place {
            Place::Server(located)
                if decision.renew
                    || !located.grace && (refresh || before.stale_key || own_time) =>
            {
                self.id_token(&located.id, &written.times)
            }
            _ => Ok(Emission::Nothing),
        }
    }

    /// Periodic renewal of a session that the request leaves as it is. A failure
    /// is a warning; if another request renews it meanwhile, nothing is to be done.
    async fn renew_alone<T: SessionData>(
        &self,
        server: &Server,
        job: &Job<T>,
        origin: &Arc<Origin>,
        decision: &Decision,
        done: &mut Done<T>,
    ) {
        let (Some(value), content) = (job.value.clone(), origin.content.clone()) else { return };
        let candidate = Candidate { value, content, owner: origin.place.owner().cloned() };
        let swap = self.swap(server, job, origin, &candidate, decision);
        match timeout_at(self.deadline, swap).await.unwrap_or_else(|_| Err(too_late())) {
            Ok(Swap::Written(written)) => {
                done.emission = self.token_after(decision, origin, &written).unwrap_or_default();
                done.origin = Some(written);
            }
            Ok(_) => {}
            Err(cause) => {
                warn!("Session `{}`: its id could not be renewed: {cause}.", self.definition.name);
            }
        }
    }

    /// The session ended, or went on under another secret, meanwhile. A login
    /// starts fresh; all other changes are dropped and never re-inserted.
    async fn session_is_gone<T: SessionData>(
        &self,
        server: &Server,
        job: &Job<T>,
        before: &Origin,
        done: &mut Done<T>,
    ) -> Result<(), SessionError> {
        done.moved = true;
        done.origin = None;
        if let Some(base) = &job.pending.base {
            let value = Arc::new(job.pending.apply(T::clone(base)));
            let content = encode(self.definition, &*value)?;
            let next = self.candidate(value, content);
            if job.pending.login || next.owner.as_ref() != before.place.owner() {
                let times = self.begin(job, Some(&next));
                self.create(server, job, next, times, done).await?;
                self.report(Plan::Create);
                return Ok(());
            }
        }
        self.core.report_dropped(self.definition);
        done.value = None;
        done.dropped = true;
        Ok(())
    }
}

/// The owner whose a session becomes, and was not before.
fn joined<'n, T>(before: Option<&Origin>, next: &'n Candidate<T>) -> Option<&'n OwnerKey> {
    let before = before.and_then(|before| before.place.owner());
    next.owner.as_ref().filter(|owner| before != Some(*owner))
}

/// The outcome of one compare-and-swap.
enum Swap {
    Written(Arc<Origin>),
    /// Nothing to write after all: somebody else wrote the same.
    Unchanged,
    Conflict,
    Missing,
}
