//! What one request holds of its sessions: one [`Entry`] a type, loaded once,
//! and the list of them that the fairing commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rocket::{Request, error};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::SessionData;
use crate::client::ClientInfo;
use crate::csrf::CsrfToken;
use crate::definition::{Core, Definition};
use crate::error::SessionError;
use crate::exchange::{self, Job};
use crate::expiry::Timestamp;
use crate::manager::Sessions;
use crate::state::{Emission, State};
use crate::token::SessionId;
use crate::tracker::{Origin, Place, by_id};

/// The sessions of one request, in the order of their first use.
#[derive(Default)]
pub(crate) struct RequestSessions {
    entries: Mutex<Vec<Arc<dyn Committable>>>,
    shared: Arc<Shared>,
}

/// What the entries of one request share.
#[derive(Default)]
struct Shared {
    /// The response has been committed: no token reaches the client any more.
    sent: AtomicBool,
    /// Time spent in loading; all sessions of a request share one budget.
    loading: Mutex<Duration>,
}

/// One session of any type, as the fairing sees it.
#[rocket::async_trait]
pub(crate) trait Committable: Send + Sync {
    fn definition(&self) -> &Definition;
    /// The storage could not say whether there is a session.
    fn unknown(&self) -> bool;
    /// After a 5xx only `clear` holds; everything else is encoded and checked.
    fn prepare(&self, failed: bool) -> Result<(), SessionError>;
    async fn commit(&self, failed: bool, started: Instant) -> Result<(), SessionError>;
    /// What goes to the client; after a failed commit only what is final.
    fn emission(&self, succeeded: bool) -> Emission;
    /// The response says that nothing was saved; so be it.
    fn give_up(&self);
}

impl RequestSessions {
    /// The request's sessions, if a guard was evaluated.
    pub fn of<'r>(request: &'r Request<'_>) -> &'r Self {
        request.local_cache(Self::default)
    }

    pub fn entries(&self) -> Vec<Arc<dyn Committable>> {
        self.entries.lock().clone()
    }

    pub fn mark_sent(&self) {
        self.shared.sent.store(true, Ordering::SeqCst);
    }
}

/// The slot of one session type in the request's cache. Rocket's own async
/// cache would load twice under `join!`.
struct Slot<T: SessionData>(OnceCell<Result<Arc<Entry<T>>, SessionError>>);

/// The session of type `T` in this request; every caller shares one load, a
/// failed one included.
pub(crate) async fn of_request<T: SessionData>(
    request: &Request<'_>,
) -> Result<Arc<Entry<T>>, SessionError> {
    let slot = request.local_cache(|| Slot::<T>(OnceCell::new()));
    slot.0.get_or_init(|| Entry::load(request)).await.clone()
}

/// One session type in one request.
pub(crate) struct Entry<T: SessionData> {
    core: Arc<Core>,
    pub definition: Arc<Definition>,
    pub state: Mutex<State<T>>,
    shared: Arc<Shared>,
    unknown: bool,
    /// Who the client says that it is, encoded; empty if nobody wants to know.
    client: Arc<[u8]>,
    /// What the application's `identity` says.
    identity: Option<Result<SessionId, SessionError>>,
    /// One commit at a time.
    committing: tokio::sync::Mutex<()>,
}

impl<T: SessionData> Entry<T> {
    async fn load(request: &Request<'_>) -> Result<Arc<Self>, SessionError> {
        let Some(sessions) = request.rocket().state::<Sessions>() else {
            return Err(SessionError::Undefined("the `Sessions` fairing is not attached".into()));
        };
        let core = sessions.core();
        let definition = core.definition::<T>().map_err(SessionError::Undefined)?;
        let all = RequestSessions::of(request);
        let started = Instant::now();
        let budget = definition.storage_timeout.saturating_sub(*all.shared.loading.lock());
        let state = exchange::load::<T>(request, core, definition, budget).await;
        *all.shared.loading.lock() += started.elapsed();
        // A session that could not be loaded still makes the response private.
        let (state, failure) = match state {
            Ok(state) => (state, None),
            Err(cause) => {
                error!("Session `{}` could not be loaded: {cause}.", T::NAME);
                (State::new(false, None, None, Vec::new()), Some(cause))
            }
        };
        let client = definition.remember_client.then(|| ClientInfo::of(request).encode());
        let identity = definition.identity_of(request);
        let entry = Arc::new(Self {
            core: Arc::clone(core),
            definition: Arc::clone(definition),
            state: Mutex::new(state),
            shared: Arc::clone(&all.shared),
            unknown: failure.is_some(),
            client: client.unwrap_or_default().into(),
            identity,
            committing: tokio::sync::Mutex::default(),
        });
        entry.core.entries.fetch_add(1, Ordering::SeqCst);
        all.entries.lock().push(Arc::clone(&entry) as Arc<dyn Committable>);
        failure.map_or(Ok(entry), Err)
    }

    pub fn now(&self) -> Timestamp {
        self.core.clock.now()
    }

    /// The session's id, or the one that the commit will give it.
    pub fn id(&self) -> Option<SessionId> {
        self.definition.server.as_ref()?;
        self.coming_id().map(|(id, _)| id)
    }

    /// What CSRF tokens hang on: a secret of the session's, and how often it
    /// was replaced.
    pub fn csrf_token(&self) -> Result<Option<CsrfToken<T>>, SessionError> {
        if self.definition.server.is_none() && self.definition.format().writes_ktor() {
            let why = "Ktor's format has no secret of a session that a CSRF token could hang on";
            return Err(SessionError::Unsupported(why));
        }
        let Some((id, rotations)) = self.coming_id() else { return Ok(None) };
        let secret = match self.definition.server {
            Some(_) => id.locator(),
            None => id.secret(),
        };
        CsrfToken::new(&secret, rotations, &self.core.random).map(Some)
    }

    /// The id that the session has after the commit, and its rotations. For a
    /// session on the client, the id's secret is the token id.
    fn coming_id(&self) -> Option<(SessionId, u32)> {
        let (value, committed) = {
            let state = self.state.lock();
            (state.value.clone()?, state.committed.clone())
        };
        // User code runs outside the lock.
        let owner_changes = committed.is_some_and(|committed| committed.owner() != value.owner());
        let random = &self.core.random;
        let mut state = self.state.lock();
        let ended = state.pending.ended;
        let origin = state.origin.clone().filter(|_| !ended);
        let fresh = state.pending.login || owner_changes;
        let replaced = fresh || state.pending.renew || state.renewal_due;
        let mut rotations = 0;
        // What comes from another format takes an id of this one.
        let origin = origin.as_deref().filter(|origin| !origin.accepted);
        let found = match origin.map(|origin| &origin.place) {
            Some(Place::Server(located)) => {
                let renewed = fresh || !located.grace && replaced;
                let rotates = fresh || !located.grace && state.pending.renew;
                rotations = located.secrets.rotations.wrapping_add(rotates.into());
                if !renewed {
                    return Some((located.id.clone(), rotations));
                }
                located.id.renewed(random)
            }
            Some(Place::Client { token_id, .. }) if !replaced => {
                return Some((SessionId::of_token(*token_id), rotations));
            }
            _ => self.identity.clone().unwrap_or_else(|| self.definition.random_id(random)),
        };
        if state.planned_id.is_none() {
            state.planned_id = found.ok();
        }
        Some((state.planned_id.clone()?, rotations))
    }

    /// Commits now; the changes stay pending if that fails.
    pub async fn save(&self) -> Result<(), SessionError> {
        self.commit_now(false, Instant::now(), true).await?;
        if self.state.lock().lost { Err(SessionError::Ended) } else { Ok(()) }
    }

    /// Reads the record again, and applies the pending changes on top.
    pub async fn refresh(&self) -> Result<Option<Arc<T>>, SessionError> {
        let _alone = self.committing.lock().await;
        let Some(origin) = self.state.lock().origin.clone() else {
            return Ok(self.state.lock().value.clone());
        };
        let find = self.find_again(&origin);
        let found = tokio::time::timeout(self.definition.storage_timeout, find).await;
        let found = found.unwrap_or_else(|_| Err(exchange::too_late()))?;
        // User code runs outside the lock.
        let taken = self.take(false);
        let Some(job) = &taken.job else { return Ok(None) };
        let revision = job.revision;
        let login = job.begins_another();
        let shown = found.as_ref().map(|(_, fresh)| {
            let unchanged = job.pending.is_empty();
            if unchanged { Arc::clone(fresh) } else { Arc::new(job.pending.apply(T::clone(fresh))) }
        });
        drop(taken);
        let mut state = self.state.lock();
        let shown = shown.filter(|_| state.revision == revision);
        if state.refreshed(found, shown, login) {
            self.core.report_dropped(&self.definition);
        }
        Ok(state.value.clone())
    }

    /// The session as it stands now, if it still does.
    async fn find_again(&self, origin: &Origin) -> Result<Option<(Origin, Arc<T>)>, SessionError> {
        let (definition, now) = (&self.definition, self.core.clock.now());
        match (&definition.server, &definition.revocation, &origin.place) {
            (Some(server), _, Place::Server(located)) => {
                let found = by_id::find(definition, server, &located.id, now).await?;
                Ok(found.and_then(|found| {
                    let value = exchange::decode::<T>(definition, &found.content)?;
                    Some((found, Arc::new(value)))
                }))
            }
            (_, Some(revocation), Place::Client { .. }) => {
                let Some(value) = self.state.lock().committed.clone() else { return Ok(None) };
                let owner = exchange::owner_of(definition, &*value);
                let over = revocation.covers(definition, origin, owner.as_ref(), now).await?;
                Ok((!over).then(|| (origin.clone(), value)))
            }
            _ => Ok(self.state.lock().committed.clone().map(|value| (origin.clone(), value))),
        }
    }

    /// Takes the changes out of the state, to be worked on outside the lock.
    fn take(&self, failed: bool) -> Restore<'_, T> {
        let late = self.shared.sent.load(Ordering::SeqCst);
        let mut state = self.state.lock();
        let pending = std::mem::take(&mut state.pending);
        let job = Job {
            origin: state.origin.clone(),
            others: state.others.clone(),
            presented: state.presented,
            value: state.value.clone(),
            encoded: state.encoded.take(),
            committed: state.committed.clone(),
            pending,
            planned_id: state.planned_id.clone(),
            revision: state.revision,
            late,
            failed,
            renewal_due: state.renewal_due && !late && !failed,
            client: Arc::clone(&self.client),
            identity: self.identity.clone(),
        };
        Restore { entry: self, job: Some(job) }
    }

    async fn commit_now(
        &self,
        failed: bool,
        started: Instant,
        is_final: bool,
    ) -> Result<(), SessionError> {
        let _alone = self.committing.lock().await;
        let mut taken = self.take(failed);
        let Some(job) = &taken.job else { return Ok(()) };
        let deadline = started + self.definition.storage_timeout;
        let done = exchange::commit(&self.core, &self.definition, job, deadline).await?;
        taken.job = None;
        self.state.lock().done(done, is_final);
        Ok(())
    }
}

/// Puts a commit's changes back unless it succeeded: after an error, a panic
/// in user code, or a dropped future.
struct Restore<'a, T: SessionData> {
    entry: &'a Entry<T>,
    job: Option<Job<T>>,
}

impl<T: SessionData> Drop for Restore<'_, T> {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            let mut state = self.entry.state.lock();
            let later = std::mem::take(&mut state.pending);
            state.pending = job.pending.followed_by(later);
        }
    }
}

#[rocket::async_trait]
impl<T: SessionData> Committable for Entry<T> {
    fn definition(&self) -> &Definition {
        &self.definition
    }

    fn unknown(&self) -> bool {
        self.unknown
    }

    fn prepare(&self, failed: bool) -> Result<(), SessionError> {
        let (value, revision) = {
            let mut state = self.state.lock();
            if failed {
                state.drop_changes();
            }
            (state.value.clone().filter(|_| !state.pending.is_empty()), state.revision)
        };
        let Some(value) = value else { return Ok(()) };
        // User code runs outside the lock.
        let encoded = exchange::encode(&self.definition, &*value)?;
        let mut state = self.state.lock();
        state.encoded = Some(encoded).filter(|_| state.revision == revision);
        Ok(())
    }

    async fn commit(&self, failed: bool, started: Instant) -> Result<(), SessionError> {
        // A token that nothing was written for goes out only if every session's
        // commit succeeds.
        self.commit_now(failed, started, self.definition.writes()).await
    }

    fn emission(&self, succeeded: bool) -> Emission {
        let mut state = self.state.lock();
        let emission = std::mem::take(&mut state.emission);
        match std::mem::take(&mut state.tentative) {
            Emission::Nothing => emission,
            tentative if succeeded => tentative,
            _ => emission,
        }
    }

    fn give_up(&self) {
        self.state.lock().discard();
    }
}

impl<T: SessionData> Drop for Entry<T> {
    fn drop(&mut self) {
        self.core.entries.fetch_sub(1, Ordering::SeqCst);
        if !self.state.get_mut().pending.is_empty() {
            error!(
                "Session `{}`: a change was made after the response and never saved; it is lost. Call `save()` on the session.",
                self.definition.name
            );
        }
    }
}
