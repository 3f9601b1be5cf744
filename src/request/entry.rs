//! [`Entry`]: one session type in one request. Every guard of that type shares it.

use std::any::type_name;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rocket::{Request, error};

use super::budget::{Budgets, Shared};
use super::committable::{Caching, Committable, Ended};
use super::load::{Loaded, load};
use super::parts::{Retired, Unsettled};
use super::prefetch::Loading;
use super::replay;
use super::state::State;
use crate::absence::Absence;
use crate::application::{Application, Defined, Tracker};
use crate::by_id::{self, Identity};
use crate::commit::{Fate, Holds};
use crate::data::SessionData;
use crate::deadline::Deadline;
use crate::definition::{Core, Definition};
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::expiry::Timestamp;
use crate::method::is_safe;
use crate::plan::{Moment, Plan, plan};
use crate::token::SessionId;

const UNASKED: &str = "in a GET request that presents a live session, `identity` runs only when the response is sent, so a new session has no id before that; log in with a POST request";

/// How the application makes ids, if it does.
fn own_identity(definition: &Defined) -> Option<&Identity> {
    match &definition.tracker {
        Tracker::ByValue(_) => None,
        Tracker::ById(tracker) => tracker.identity.as_ref(),
    }
}

/// One session type in one request.
pub(crate) struct Entry<T: SessionData> {
    application: Arc<Application>,
    pub definition: Arc<Defined>,
    pub(super) state: Mutex<State<T>>,
    /// The storage could not say whether there is a session.
    failure: Option<SessionError>,
    /// Why the request presents no session. `None` if it presents one, or if that is unknown.
    pub absence: Option<Absence>,
    pub(super) client: Option<Box<[u8]>>,
    /// The id that the application has made for a session that begins.
    identity: OnceLock<Box<Result<SessionId, SessionError>>>,
    /// Held by a commit or a read, of which only one runs at a time.
    pub(super) committing: tokio::sync::Mutex<()>,
    /// The response has gone out: no token can reach the client any more.
    closed: AtomicBool,
    /// The response fairing has committed once. A refresh that nobody asked for is tried
    /// once in a request.
    tried: AtomicBool,
}

impl<T: SessionData> Entry<T> {
    /// Finds the session that the request presents.
    pub async fn load(
        request: &Request<'_>,
        application: &Arc<Application>,
        definition: &Arc<Defined>,
        shared: &Shared,
    ) -> Arc<Self> {
        let found = load::<T>(&Loading { request, application, definition, shared }).await;
        let (found, failure) = match found {
            Ok(found) => (found, None),
            Err(cause) => {
                error!("Session `{}` could not be loaded: {cause}.", T::NAME);
                (Loaded::nobody(definition, None), Some(cause))
            }
        };
        let client = match &definition.tracker {
            Tracker::ByValue(_) => None,
            Tracker::ById(tracker) => tracker.client(request),
        };
        let identity = OnceLock::new();
        if let Some(own) = own_identity(definition)
            && (found.value.is_none() || !is_safe(request.method()))
        {
            identity.get_or_init(|| Box::new(own.ask(request, type_name::<T>())));
        }
        Arc::new(Self {
            application: Arc::clone(application),
            definition: Arc::clone(definition),
            state: Mutex::new(State::new(found.presented, found.value)),
            failure,
            absence: found.absence,
            client,
            identity,
            committing: tokio::sync::Mutex::default(),
            closed: AtomicBool::new(shared.sent.load(Ordering::SeqCst)),
            tried: AtomicBool::new(false),
        })
    }

    /// Returns the session, unless its load has failed.
    pub fn loaded(self: Arc<Self>) -> Result<Arc<Self>, SessionError> {
        match &self.failure {
            None => Ok(self),
            Some(cause) => Err(cause.clone()),
        }
    }

    /// Changes the state. The replaced parts are dropped after the lock is released.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut State<T>, &mut Retired<T>) -> R) -> R {
        let mut retired = Retired::default();
        let mut state = self.state.lock();
        let result = change(&mut state, &mut retired);
        drop(state);
        drop(retired);
        result
    }

    /// Ends the session that an unanswered write may have left, if no client has its id.
    fn end_unsent(&self) {
        if let (Some(Unsettled { attempt, .. }), Tracker::ById(tracker)) =
            (&self.state.lock().unsettled, &self.definition.tracker)
        {
            by_id::end_unsent(&self.definition, tracker, attempt, self.now(), self.end_reporter());
        }
    }

    /// Reports the end of a session that is ended in the background.
    pub(super) fn end_reporter(&self) -> impl FnOnce() + Send + 'static + use<T> {
        let (application, definition) =
            (Arc::clone(&self.application), Arc::clone(&self.definition));
        move || application.core.emit(Event::Ended, &definition)
    }

    /// Draws the id of a session that begins.
    pub(super) fn fresh_id(&self) -> Result<SessionId, SessionError> {
        if own_identity(&self.definition).is_none() {
            return self.definition.random_id(&self.core().random);
        }
        let unasked = || Err(SessionError::Unsupported(UNASKED.into()));
        self.identity.get().map_or_else(unasked, |identity| Result::clone(identity))
    }

    /// Notes whether a login has an owner, for the hints.
    pub(super) fn note_login(&self, owned: bool) {
        let limited = match &self.definition.tracker {
            Tracker::ByValue(_) => false,
            Tracker::ById(tracker) => tracker.owner_limit.is_some(),
        };
        self.definition.hints.logged_in(type_name::<T>(), owned, limited);
    }

    pub(super) fn name(&self) -> replay::Name {
        std::ptr::from_ref(self).addr()
    }

    pub fn core(&self) -> &Core {
        &self.application.core
    }

    pub fn now(&self) -> Timestamp {
        self.core().clock.now()
    }

    fn caching_of(&self, state: &State<T>) -> Caching {
        if self.failure.is_some() || state.last_delivered.is_some() {
            Caching::NoStore
        } else if self.absence.is_none() || state.presented.sessions.superseded().is_some() {
            Caching::Private
        } else {
            Caching::AsItSays
        }
    }

    pub(super) fn moment(&self, failed: bool) -> Moment {
        Moment { now: self.now(), late: self.closed.load(Ordering::SeqCst), failed }
    }
}

#[rocket::async_trait]
impl<T: SessionData> Committable for Entry<T> {
    fn definition(&self) -> &Definition {
        &self.definition
    }

    fn is_unknown(&self) -> bool {
        self.failure.is_some()
    }

    fn begins_without_login(&self) -> bool {
        let state = self.state.lock();
        let session = state.presented.sessions.snapshot();
        self.absence == Some(Absence::NotPresented)
            && session.is_some_and(|session| session.times.authenticated == Timestamp::ZERO)
    }

    fn application(&self) -> &Application {
        &self.application
    }

    fn caching(&self) -> Caching {
        self.caching_of(&self.state.lock())
    }

    fn ask_identity(&self, request: &Request<'_>) {
        if let Some(own) = own_identity(&self.definition) {
            self.identity.get_or_init(|| Box::new(own.ask(request, type_name::<T>())));
        }
    }

    fn is_asked(&self) -> bool {
        !self.state.lock().is_quiet()
    }

    fn if_quiet(&self, failed: bool) -> Option<Caching> {
        let state = self.state.lock();
        let quiet = state.is_quiet()
            && (self.tried.load(Ordering::SeqCst) || {
                let standing = state.presented.sessions.standing();
                // Nothing is due by itself where there is no session.
                standing.session().is_none() || {
                    // Nothing is pending.
                    let (nothing, moment) = (state.asked_by(&state.pending), self.moment(failed));
                    plan(standing, &nothing, &self.definition.policy, &moment) == Plan::Keep
                }
            });
        quiet.then(|| self.caching_of(&state))
    }

    fn prepare(&self, failed: bool) -> Result<(), SessionError> {
        if failed {
            self.change(State::drop_changes);
            return Ok(());
        }
        let (value, revision) = {
            let state = self.state.lock();
            let changes = state.pending.changes_value();
            (state.value.clone().filter(|_| changes), state.revision)
        };
        let Some(value) = value else { return Ok(()) };
        // User code runs outside the lock.
        let encoded = self.definition.encode(&*value)?;
        // What it replaces is dropped after the lock is released.
        let _before = self.state.lock().encoded.replace((revision, encoded));
        Ok(())
    }

    async fn commit(&self, failed: bool, budget: &Budgets) -> Result<(), SessionError> {
        let timeout = self.definition.storage_timeout;
        let deadline = budget.deadline(timeout);
        // Without a storage nothing is written, so the token goes out only if every
        // session of the request is committed.
        let confirmed = self.definition.writes;
        let mut done = Ok(Fate::Unwanted);
        while matches!(done, Ok(Fate::Unwanted)) {
            done = self.commit_once(failed, &deadline, confirmed).await;
        }
        budget.spend(timeout, deadline.spent());
        self.tried.store(true, Ordering::SeqCst);
        done.map(|_| ())
    }

    fn deliver(&self, succeeded: bool) -> Option<Holds> {
        // The session before an unconfirmed commit is dropped after the lock is released.
        let (holds, _before) = self.state.lock().deliver(succeeded);
        holds
    }

    fn delivered(&self, holds: Holds) {
        self.state.lock().last_delivered = Some(holds);
    }

    fn redeliver(&self) -> Option<Holds> {
        self.state.lock().last_delivered.take()
    }

    fn give_up(&self, for_good: bool) {
        if for_good {
            self.end_unsent();
        }
        self.change(|state, retired| state.give_up(for_good, retired));
    }

    async fn close(&self) {
        let deadline = Deadline::after(self.definition.storage_timeout);
        let _lock = self.commit_lock(&deadline).await;
        self.closed.store(true, Ordering::SeqCst);
    }

    fn close_at_once(&self) {
        self.closed.store(true, Ordering::Release);
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn ended_outside(&self, what: &Ended) {
        let ours = match what {
            Ended::Record(key) => self.state.lock().presented.sessions.key() == Some(key),
            Ended::OfOwner(owner) => self.owner_and_key().is_some_and(|(own, _)| own == *owner),
        };
        if ours {
            let begins = self.begins_another();
            self.change(|state, retired| state.ended_outside(begins, retired));
            self.recompute_value();
        }
    }
}

impl<T: SessionData> Drop for Entry<T> {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        if !state.pending.is_empty() || state.unsettled.is_some() {
            error!(
                "Session `{}`: a change was made after the response and never saved; it is lost. Call `save()` on the session.",
                self.definition.namespace.session
            );
            self.end_unsent();
        }
    }
}
