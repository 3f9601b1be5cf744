//! What a commit amounts to; no I/O.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::Instant;

use super::{Job, decode, encode, owner_of, too_late};
use crate::SessionData;
use crate::definition::{Core, Definition};
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::expiry::{Times, Timestamp};
use crate::state::{Emission, Facts, Plan, plan};
use crate::storage::{OwnerGuard, OwnerKey};
use crate::token::SessionId;
use crate::tracker::{Content, Origin, Place};

/// One commit of one session.
#[derive(Clone, Copy)]
pub(super) struct Commit<'a> {
    pub core: &'a Core,
    pub definition: &'a Definition,
    pub now: Timestamp,
    pub deadline: Instant,
    /// A concurrent write was met; a budget spent after that is a `Conflict`.
    pub conflicted: &'a AtomicBool,
    /// Under which conditions a record may become its owner's.
    pub guard: OwnerGuard,
}

/// A value that is to become the session's.
pub(super) struct Candidate<T> {
    pub value: Arc<T>,
    pub content: Content,
    pub owner: Option<OwnerKey>,
}

/// What to do with the session that was found.
pub(super) struct Decision {
    pub plan: Plan,
    /// The session takes a fresh id.
    pub renew: bool,
    /// Another session begins.
    pub fresh: bool,
    pub times: Times,
}

impl Commit<'_> {
    /// What the job would write; none if it leaves the session as it is, which
    /// is then not even encoded.
    pub fn candidate_of<T: SessionData>(
        &self,
        job: &Job<T>,
    ) -> Result<Option<Candidate<T>>, SessionError> {
        if job.pending.is_empty() {
            return Ok(None);
        }
        if job.pending.rebase
            && let Some(origin) = &job.origin
        {
            return self.replay(job, &origin.content);
        }
        let Some(value) = &job.value else { return Ok(None) };
        let content = match &job.encoded {
            Some(content) => content.clone(),
            None => encode(self.definition, &**value)?,
        };
        Ok(Some(self.candidate(Arc::clone(value), content)))
    }

    /// The job's changes on top of what another request wrote.
    pub fn replay<T: SessionData>(
        &self,
        job: &Job<T>,
        fresh: &Content,
    ) -> Result<Option<Candidate<T>>, SessionError> {
        let Some(fresh) = decode(self.definition, fresh) else { return Ok(None) };
        let value = Arc::new(job.pending.apply(fresh));
        let content = encode(self.definition, &*value)?;
        Ok(Some(self.candidate(value, content)))
    }

    pub fn candidate<T: SessionData>(&self, value: Arc<T>, content: Content) -> Candidate<T> {
        let owner = owner_of(self.definition, &*value);
        Candidate { value, content, owner }
    }

    /// What the job amounts to when it starts from `origin`.
    pub fn decide<T: SessionData>(
        &self,
        job: &Job<T>,
        origin: Option<&Origin>,
        next: Option<&Candidate<T>>,
    ) -> Decision {
        let owner_changed = match (origin, next) {
            (Some(origin), Some(next)) => self.owner_before(job, origin) != next.owner,
            _ => false,
        };
        let fresh = job.pending.login || owner_changed || origin.is_none();
        // A renewed id is not renewed again by those who still have the old one.
        let in_grace = origin.is_some_and(|origin| origin.place.in_grace());
        let renew = fresh || !in_grace && (job.pending.renew || job.renewal_due);
        let changed = next.is_some_and(|next| {
            origin.is_none_or(|origin| {
                let idle = job.pending.idle.unwrap_or(origin.times.idle_override);
                origin.content.bytes() != next.content.bytes() || origin.times.idle_override != idle
            })
        });
        let due = origin.is_some_and(|origin| {
            let touch = self.definition.lifetime.touch_due(&origin.times, self.now);
            origin.stale_key || touch || job.pending.epoch.is_some()
        });
        let plan = plan(Facts {
            found: origin.is_some(),
            ended: job.pending.ended,
            value: job.value.is_some(),
            renew,
            changed,
            due: due && !job.failed && !job.late,
        });
        let times = match origin {
            Some(origin) if !fresh => {
                let idle_override = job.pending.idle.unwrap_or(origin.times.idle_override);
                Times { idle_override, ..origin.times.refreshed(self.now) }
            }
            _ => self.begin(job, next),
        };
        Decision { plan, renew, fresh, times }
    }

    /// The times of a session that begins with this job.
    pub fn begin<T>(&self, job: &Job<T>, next: Option<&Candidate<T>>) -> Times {
        let owned = next.is_some_and(|next| next.owner.is_some());
        let idle_override = job.pending.idle.unwrap_or(0);
        Times { idle_override, ..Times::begin(self.now, job.pending.login || owned) }
    }

    /// Whose session was found: what its record says, or else its value.
    fn owner_before<T: SessionData>(&self, job: &Job<T>, origin: &Origin) -> Option<OwnerKey> {
        match &origin.place {
            Place::Server(located) if !self.is_file(&located.id) => located.owner.clone(),
            _ => job.committed.as_deref().and_then(|value| owner_of(self.definition, value)),
        }
    }

    fn is_file(&self, id: &SessionId) -> bool {
        self.definition.server.as_ref().is_some_and(|server| server.is_file(id))
    }

    /// The token, on its way to the client.
    pub fn token(&self, token: String, times: &Times) -> Emission {
        let is_id = self.definition.server.is_some();
        let max_age = self.definition.lifetime.own_max_age(times, self.now, is_id);
        Emission::Token { token, max_age }
    }

    /// The removal, if the client presented anything and can still be told.
    pub fn removal<T>(job: &Job<T>) -> Emission {
        if job.presented && !job.late { Emission::Removal } else { Emission::Nothing }
    }

    pub fn report(&self, plan: Plan) {
        let event = match plan {
            Plan::Create | Plan::Replace => Event::Created,
            Plan::Renew => Event::Renewed,
            Plan::End => Event::Ended,
            Plan::Keep | Plan::Touch | Plan::Save => return,
        };
        self.core.emit(event, self.definition);
    }

    /// Why the budget is spent.
    pub fn timed_out(&self) -> SessionError {
        if self.conflicted.load(Ordering::Relaxed) { SessionError::Conflict } else { too_late() }
    }
}
