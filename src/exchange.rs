//! The path of a request as code: [`load`] at the first use of a session,
//! [`commit`] at the end. The only place that orders the steps.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use rocket::{Request, warn};
use tokio::time::{Instant, timeout_at};

use crate::SessionData;
use crate::definition::{Core, Definition, Server};
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::expiry::{Times, Timestamp};
use crate::state::{Emission, Facts, Pending, Plan, State, plan};
use crate::storage::{Create, OwnerKey, StorageError, StorageKey, Update};
use crate::token::{SessionId, owner_key};
use crate::tracker::{Content, Origin, Place, by_id, by_value};

/// More values of one session than this are no session (checklist S10).
const MAX_VALUES: usize = 4;

/// Finds the session that a request presents. A missing, malformed, forged,
/// expired or unknown token is an absent session; only a storage that cannot
/// answer is an error.
pub(crate) async fn load<T: SessionData>(
    request: &Request<'_>,
    core: &Core,
    definition: &Definition,
    budget: Duration,
) -> Result<State<T>, SessionError> {
    let values = definition.transport.receive(request, &definition.wire_name);
    if values.is_empty() {
        return Ok(State::new(false, None, None, Vec::new()));
    }
    let mut found = match values.len() {
        1..=MAX_VALUES => find(core, definition, &values, budget).await?,
        _ => Vec::new(),
    };
    if found.len() == 1
        && let Some(origin) = found.pop()
    {
        match decode(definition, &origin.content) {
            Some(value) => {
                return Ok(State::new(true, Some(origin), Some(Arc::new(value)), Vec::new()));
            }
            None => found.push(origin),
        }
    }
    if found.len() > 1 || values.len() > MAX_VALUES {
        warn!(
            "Session `{}`: several sessions were presented at once; none of them is used.",
            definition.name
        );
    }
    core.emit(Event::Rejected, definition);
    Ok(State::new(
        true,
        None,
        None,
        found.into_iter().filter_map(|origin| origin.place.into_key()).collect(),
    ))
}

async fn find(
    core: &Core,
    definition: &Definition,
    values: &[Cow<'_, str>],
    budget: Duration,
) -> Result<Vec<Origin>, SessionError> {
    let now = core.clock.now();
    match &definition.server {
        None => Ok(by_value::load(definition, values, now)),
        Some(server) => {
            within(Instant::now() + budget, by_id::load(definition, server, values, now)).await
        }
    }
}

/// What one commit works on: the request's changes, taken out of its state.
pub(crate) struct Job<T> {
    pub origin: Option<Arc<Origin>>,
    pub others: Vec<StorageKey>,
    pub presented: bool,
    pub value: Option<Arc<T>>,
    /// The value as it was found or last committed.
    pub committed: Option<Arc<T>>,
    pub pending: Pending<T>,
    /// The id to give to a session that takes a fresh one.
    pub planned_id: Option<SessionId>,
    /// The response has been sent: no token can reach the client any more.
    pub late: bool,
    /// After a 5xx: nothing is refreshed or re-issued.
    pub failed: bool,
}

/// What a commit left.
pub(crate) struct Done<T> {
    pub origin: Option<Arc<Origin>>,
    pub value: Option<Arc<T>>,
    /// The value is not the job's: the changes were replayed or dropped.
    pub moved: bool,
    /// The session ended meanwhile and the changes were dropped.
    pub dropped: bool,
    pub emission: Emission,
}

impl<T> Done<T> {
    fn keep(job: &Job<T>) -> Self {
        Self {
            origin: job.origin.clone(),
            value: job.value.clone(),
            moved: false,
            dropped: false,
            emission: Emission::Nothing,
        }
    }
}

/// Carries out what the state asks for, at the latest until `deadline`.
pub(crate) async fn commit<T: SessionData>(
    core: &Core,
    definition: &Definition,
    job: &Job<T>,
    deadline: Instant,
) -> Result<Done<T>, SessionError> {
    let commit = Commit { core, definition, now: core.clock.now(), deadline };
    match &definition.server {
        None => commit.by_value(job),
        Some(server) => within(deadline, commit.by_id(server, job)).await,
    }
}

/// The bytes that would be written now, checked for their size. Encoding all
/// sessions before any is written keeps a failure from writing half of them.
pub(crate) fn check<T: SessionData>(
    definition: &Definition,
    value: &T,
) -> Result<(), SessionError> {
    let content = encode(value)?;
    let payload = definition.transform_write(&content)?.len();
    definition.check_payload(payload)?;
    if definition.server.is_some() {
        return Ok(());
    }
    definition.check_token(definition.sealer.payload_token_len(payload))
}

struct Commit<'a> {
    core: &'a Core,
    definition: &'a Definition,
    now: Timestamp,
    deadline: Instant,
}

impl Commit<'_> {
    fn by_value<T: SessionData>(&self, job: &Job<T>) -> Result<Done<T>, SessionError> {
        let origin = job.origin.as_deref().filter(|_| !job.pending.ended);
        let draft = self.draft(job, origin, job.value.as_deref())?;
        let mut done = Done::keep(job);
        match (draft.plan, draft.content) {
            (Plan::Keep, _) => return Ok(done),
            _ if job.late => return Err(SessionError::TooLate),
            (Plan::End, _) | (_, None) => {
                done.origin = None;
                done.emission = removal(job);
            }
            (_, Some(content)) => {
                let before = origin.filter(|_| !draft.renew);
                let (sealed, token) = by_value::seal(
                    self.definition,
                    &self.core.random,
                    before,
                    draft.times,
                    content,
                )?;
                done.origin = Some(Arc::new(sealed));
                done.emission = Emission::Token(token);
            }
        }
        self.report(draft.plan);
        Ok(done)
    }

    async fn by_id<T: SessionData>(
        &self,
        server: &Server,
        job: &Job<T>,
    ) -> Result<Done<T>, SessionError> {
        let mut done = Done::keep(job);
        if job.pending.ended || job.pending.login {
            self.end(server, job).await?;
        }
        if job.pending.ended {
            done.origin = None;
            done.emission = removal(job);
        }
        let Some(origin) = done.origin.clone() else {
            if let Some(value) = &job.value {
                self.create(server, job, value, &mut done).await?;
            }
            return Ok(done);
        };
        let draft = self.draft(job, Some(&origin), job.value.as_deref())?;
        match draft.plan {
            Plan::Save | Plan::Renew => self.replace(server, job, &mut done).await?,
            Plan::Touch => self.touch(server, job, &mut done, draft.times).await,
            _ => {}
        }
        Ok(done)
    }

    /// Ends the sessions that the request presented and does not go on with.
    async fn end<T>(&self, server: &Server, job: &Job<T>) -> Result<(), SessionError> {
        let own = job.origin.as_ref().filter(|_| job.pending.ended);
        let own = own.and_then(|origin| origin.place.key());
        for key in own.into_iter().chain(&job.others) {
            if server.storage.invalidate(key).await? {
                self.report(Plan::End);
            }
        }
        Ok(())
    }

    async fn create<T: SessionData>(
        &self,
        server: &Server,
        job: &Job<T>,
        value: &Arc<T>,
        done: &mut Done<T>,
    ) -> Result<(), SessionError> {
        if job.late {
            return Err(SessionError::TooLate);
        }
        // A login whose record is gone cannot have the id that was planned for it.
        let planned = job.planned_id.clone().filter(|_| done.origin.is_none() && !done.moved);
        let id = planned.map_or_else(|| SessionId::random(&self.core.random), Ok)?;
        let owner = self.owner(&**value);
        let times = Times::begin(self.now, job.pending.login || owner.is_some());
        let key = id.storage_key(&self.definition.app, &self.definition.name);
        let draft = by_id::Draft { id, key, times, owner, content: encode(&**value)? };
        let record = draft.record(self.definition)?;
        match server.storage.create(&draft.key, record, by_id::guard(), self.now).await? {
            Create::Created(version) => {
                self.report(Plan::Create);
                done.emission = Emission::Token(self.definition.sealer.seal_id(&draft.id));
                done.origin = Some(Arc::new(draft.written(version)));
                Ok(())
            }
            // A repeated id of 256 random bits is a broken generator (S4).
            Create::Exists => Err(SessionError::Random),
            Create::Revoked => Err(SessionError::Ended),
            Create::LimitReached => {
                Err(SessionError::Unsupported("the owner has as many sessions as allowed"))
            }
        }
    }

    /// Compare-and-swap until it succeeds; every conflict replays the request's
    /// changes on what the other request wrote.
    async fn replace<T: SessionData>(
        &self,
        server: &Server,
        job: &Job<T>,
        done: &mut Done<T>,
    ) -> Result<(), SessionError> {
        let Some(first) = done.origin.clone() else { return Ok(()) };
        let Place::Server { id, key, .. } = &first.place else { return Ok(()) };
        let _queue = server.locks.lock(key).await;
        let mut origin = Origin::clone(&first);
        let mut value = job.value.clone();
        if job.pending.rebase {
            value = self.replay(job, &origin.content);
        }
        while let Some(current) = value.clone() {
            let (draft, renew) = self.rewrite(job, &origin, &*current)?;
            let Some((draft, version)) = draft else {
                done.value = value;
                done.origin = Some(Arc::new(origin));
                return Ok(());
            };
            if renew && job.late {
                return Err(SessionError::TooLate);
            }
            let record = draft.record(self.definition)?;
            match server
                .storage
                .update(&draft.key, version, record, by_id::guard(), self.now)
                .await?
            {
                Update::Updated(version) => {
                    self.written(renew, &origin, draft, version, done);
                    done.value = value;
                    return Ok(());
                }
                Update::Conflict => {
                    done.moved = true;
                    if Instant::now() >= self.deadline {
                        return Err(SessionError::Conflict);
                    }
                    let found = by_id::find(self.definition, server, id, self.now).await?;
                    let Some(found) = found else { break };
                    value = self.replay(job, &found.content);
                    origin = Origin { stale_key: origin.stale_key, ..found };
                }
                Update::Missing => break,
                Update::Revoked => return Err(SessionError::Ended),
                Update::LimitReached => {
                    return Err(SessionError::Unsupported(
                        "the owner has as many sessions as allowed",
                    ));
                }
            }
        }
        self.session_is_gone(server, job, &first, done).await
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
        if let Some(base) = &job.pending.base {
            let value = Arc::new(job.pending.apply(T::clone(base)));
            let new_owner = self.owner(&*value);
            if job.pending.login || new_owner.as_ref() != before.place.owner() {
                done.value = Some(Arc::clone(&value));
                return self.create(server, job, &value, done).await;
            }
        }
        warn!(
            "Session `{}`: a session ended while a request changed it; the changes are dropped.",
            self.definition.name
        );
        self.core.emit(Event::ChangesDropped, self.definition);
        done.origin = None;
        done.value = None;
        done.dropped = true;
        Ok(())
    }

    /// The record that replaces `origin`, with the version it must have, and
    /// whether that takes a fresh id. No record if nothing changes after all.
    fn rewrite<T: SessionData>(
        &self,
        job: &Job<T>,
        origin: &Origin,
        value: &T,
    ) -> Result<(Option<(by_id::Draft, crate::storage::Version)>, bool), SessionError> {
        let draft = self.draft(job, Some(origin), Some(value))?;
        let (Place::Server { id, key, version, .. }, Some(content)) =
            (&origin.place, draft.content)
        else {
            return Ok((None, false));
        };
        if !matches!(draft.plan, Plan::Save | Plan::Renew) {
            return Ok((None, false));
        }
        let id = match &job.planned_id {
            _ if !draft.renew => id.clone(),
            Some(planned) => planned.clone(),
            None => id.renewed(&self.core.random)?,
        };
        let record =
            by_id::Draft { id, key: key.clone(), times: draft.times, owner: draft.owner, content };
        Ok((Some((record, *version)), draft.renew))
    }

    fn written<T>(
        &self,
        renew: bool,
        before: &Origin,
        draft: by_id::Draft,
        version: crate::storage::Version,
        done: &mut Done<T>,
    ) {
        self.report(if renew { Plan::Renew } else { Plan::Save });
        let refresh = self.definition.token_expires_early
            && self.definition.lifetime.touch_due(&before.times, self.now);
        if renew || refresh || before.stale_key {
            done.emission = Emission::Token(self.definition.sealer.seal_id(&draft.id));
        }
        done.origin = Some(Arc::new(draft.written(version)));
    }

    /// Refreshes the expiry. A failure is a warning: nothing the client asked
    /// for is lost.
    async fn touch<T>(&self, server: &Server, job: &Job<T>, done: &mut Done<T>, times: Times) {
        let Some(origin) = job.origin.as_deref() else { return };
        let Place::Server { id, key, .. } = &origin.place else { return };
        let due = self.definition.lifetime.touch_due(&origin.times, self.now);
        if due {
            let expires = self.definition.lifetime.expires(&times);
            if let Err(cause) = server.storage.touch(key, times.seen, expires).await {
                warn!(
                    "Session `{}`: its expiry could not be refreshed: {cause}.",
                    self.definition.name
                );
                return;
            }
        }
        if !job.late && (origin.stale_key || self.definition.token_expires_early) {
            done.emission = Emission::Token(self.definition.sealer.seal_id(id));
        }
        done.origin = Some(Arc::new(Origin { times, stale_key: false, ..origin.clone() }));
    }

    /// What the job amounts to when it starts from `origin`.
    fn draft<T: SessionData>(
        &self,
        job: &Job<T>,
        origin: Option<&Origin>,
        value: Option<&T>,
    ) -> Result<Draft, SessionError> {
        let lifetime = &self.definition.lifetime;
        // An untouched session is not even encoded.
        let changed = !job.pending.is_empty() || job.pending.rebase;
        let mut content = value.filter(|_| changed).map(encode).transpose()?;
        let owner = if changed { value.and_then(|value| self.owner(value)) } else { None };
        let owner_changed =
            changed && origin.is_some_and(|origin| self.owner_before(job, origin) != owner);
        let fresh = job.pending.login || owner_changed || origin.is_none();
        let renew = fresh || job.pending.renew;
        let due = !job.failed
            && origin.is_some_and(|origin| {
                lifetime.touch_due(&origin.times, self.now) || origin.stale_key
            });
        let plan = plan(Facts {
            found: origin.is_some(),
            ended: job.pending.ended,
            value: value.is_some(),
            renew: renew && origin.is_some(),
            changed: content.as_deref().is_some_and(|content| {
                origin.is_none_or(|origin| origin.content.bytes() != content)
            }),
            due: due && !job.late,
        });
        let times = match origin {
            Some(origin) if !fresh => origin.times.refreshed(self.now),
            _ => Times::begin(self.now, job.pending.login || owner.is_some()),
        };
        if plan == Plan::Touch && content.is_none() {
            content = origin
                .map(|origin| origin.content.bytes().to_vec())
                .filter(|_| self.definition.server.is_none());
        }
        Ok(Draft { plan, renew, times, owner, content })
    }

    fn owner<T: SessionData>(&self, value: &T) -> Option<OwnerKey> {
        value.owner().map(|owner| owner_key(&self.definition.app, &self.definition.name, &owner))
    }

    /// Whose session was found: what its record says, or else its value.
    fn owner_before<T: SessionData>(&self, job: &Job<T>, origin: &Origin) -> Option<OwnerKey> {
        match &origin.place {
            Place::Server { owner, .. } => owner.clone(),
            Place::Client { .. } => job.committed.as_deref().and_then(|value| self.owner(value)),
        }
    }

    fn replay<T: SessionData>(&self, job: &Job<T>, content: &Content) -> Option<Arc<T>> {
        decode(self.definition, content).map(|fresh| Arc::new(job.pending.apply(fresh)))
    }

    fn report(&self, plan: Plan) {
        let event = match plan {
            Plan::Create | Plan::Replace => Event::Created,
            Plan::Renew => Event::Renewed,
            Plan::End => Event::Ended,
            Plan::Keep | Plan::Touch | Plan::Save => return,
        };
        self.core.emit(event, self.definition);
    }
}

/// What a job amounts to.
struct Draft {
    plan: Plan,
    renew: bool,
    times: Times,
    owner: Option<OwnerKey>,
    content: Option<Vec<u8>>,
}

fn removal<T>(job: &Job<T>) -> Emission {
    if job.presented && !job.late { Emission::Removal } else { Emission::Nothing }
}

fn encode<T: SessionData>(value: &T) -> Result<Vec<u8>, SessionError> {
    value.encode().map_err(SessionError::Encode)
}

fn decode<T: SessionData>(definition: &Definition, content: &Content) -> Option<T> {
    let value = T::decode(content.bytes()).ok();
    if value.is_none() {
        warn!("Session `{}`: a payload does not decode; it counts as absent.", definition.name);
    }
    value
}

/// The outcome, if there is one before the deadline (checklist S66).
async fn within<R>(
    deadline: Instant,
    work: impl Future<Output = Result<R, SessionError>>,
) -> Result<R, SessionError> {
    let late = || StorageError::Unavailable("no answer within the storage timeout".into(), None);
    timeout_at(deadline, work).await.unwrap_or_else(|_| Err(late().into()))
}
