//! [`SessionData`], which an application implements, and [`Session`], the
//! request guard that yields it.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use rocket::outcome::Outcome;
use rocket::request::{FromRequest, Outcome as GuardOutcome, Request};
use rocket::{Ignite, Rocket, Sentinel, error};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::csrf::CsrfToken;
use crate::error::{DecodeError, EncodeError, SessionError};
use crate::exchange::owner_of;
use crate::expiry::Times;
use crate::manager::Sessions;
use crate::request::{Entry, of_request};
use crate::state::Change;
use crate::storage::{OwnerKey, StorageKey, Timestamp};
use crate::token::SessionId;

/// What a session holds.
///
/// ```
/// use rocket_typed_sessions::SessionData;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct UserSession { id: String, count: u32 }
///
/// impl SessionData for UserSession {
///     const NAME: &'static str = "user_session"; // the table [default.sessions.user_session]
/// }
/// ```
pub trait SessionData: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Names the definition: the key of the session's table in Rocket.toml.
    /// Lower-case words joined by `_`; not `secret` or `app`. Each type has its own.
    const NAME: &'static str;

    /// Whom the session belongs to, a user's id for instance. When it changes,
    /// the session begins anew under a fresh id, so that a login cannot be
    /// fixated (checklist S5).
    fn owner(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// The bytes to store or seal; JSON unless overridden.
    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        serde_json::to_vec(self).map_err(|cause| EncodeError::caused_by("JSON failed", cause))
    }

    /// The value in `bytes`; override it to migrate an older schema. A payload
    /// that does not decode is an absent session, never an error response.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(bytes).map_err(|cause| DecodeError::caused_by("JSON failed", cause))
    }
}

/// The session of the present request, typed.
///
/// Cheap to clone; every guard for the same `T` in one request shares one
/// state, loaded once. Changes are committed once, in the response fairing.
///
/// As a guard it fails only when the storage cannot answer, with 503, and
/// leaves the client's token alone; take `Result<Session<T>, SessionError>` to
/// deal with that in the handler. A missing, malformed, forged, expired or
/// unknown token is an absent session.
///
/// ```
/// use rocket::{get, routes};
/// use rocket_typed_sessions::{Session, SessionData, Sessions};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Visits { count: u32 }
///
/// impl SessionData for Visits {
///     const NAME: &'static str = "visits";
/// }
///
/// #[get("/")]
/// fn index(session: Session<Visits>) -> String {
///     session.get_or_insert_with(|| Visits { count: 0 });
///     let visits = session.update(|visits| visits.count += 1);
///     format!("Visit number {}", visits.map_or(0, |visits| visits.count))
/// }
///
/// let figment = rocket::Config::figment()
///     .merge(("sessions.visits.storage", "memory"))
///     .merge(("sessions.visits.cookie.path", "/"));
/// let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", routes![index]);
/// let client = rocket::local::blocking::Client::tracked(rocket).expect("a valid configuration");
/// assert_eq!(client.get("/").dispatch().into_string().as_deref(), Some("Visit number 1"));
/// assert_eq!(client.get("/").dispatch().into_string().as_deref(), Some("Visit number 2"));
/// ```
pub struct Session<T: SessionData> {
    entry: Arc<Entry<T>>,
}

impl<T: SessionData> Session<T> {
    /// The value as this request sees it, its own changes included.
    pub fn get(&self) -> Option<Arc<T>> {
        self.entry.state.lock().value.clone()
    }

    /// The value; starts a session with what `f` returns if there is none.
    pub fn get_or_insert_with(&self, f: impl FnOnce() -> T) -> Arc<T> {
        if let Some(value) = self.get() {
            return value;
        }
        let fresh = Arc::new(f());
        let mut state = self.entry.state.lock();
        if let Some(value) = &state.value {
            return Arc::clone(value);
        }
        state.set(Arc::clone(&fresh), false);
        fresh
    }

    /// Replaces the value: a blind write, the last one wins. Starts a session
    /// under a fresh id if there is none; a client's unknown id is never
    /// adopted (checklist S3).
    pub fn set(&self, value: T) {
        self.entry.state.lock().set(Arc::new(value), false);
    }

    /// [`set`](Self::set) that always takes a fresh id and begins a new
    /// lifetime: what a login route calls.
    pub fn login(&self, value: T) {
        self.entry.state.lock().set(Arc::new(value), true);
    }

    /// Changes the value; `None` when there is no session.
    ///
    /// `f` is applied at once and kept. With server storage it is applied
    /// **again** to the fresh record if a concurrent request wrote first, so
    /// that concurrent requests lose nothing; therefore it may not consume
    /// what it captures: clone inside. With client storage the last response to
    /// reach the client wins. A panic in `f` leaves the value intact.
    pub fn update(&self, f: impl Fn(&mut T) + Send + 'static) -> Option<Arc<T>> {
        let mut change = Change::new(f);
        loop {
            let (value, revision) = {
                let state = self.entry.state.lock();
                (state.value.clone()?, state.revision)
            };
            // User code runs outside the lock.
            let mut changed = T::clone(&value);
            change.apply(&mut changed);
            let changed = Arc::new(changed);
            match self.entry.state.lock().update(revision, Arc::clone(&changed), change) {
                Ok(()) => return Some(changed),
                Err(again) => change = again,
            }
        }
    }

    /// Changes the value and commits at once; returns what the committed run
    /// of `f` returned. `Ok(None)` when there is no session.
    pub async fn update_now<R: Send + 'static>(
        &self,
        f: impl Fn(&mut T) -> R + Send + 'static,
    ) -> Result<Option<R>, SessionError> {
        let result = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&result);
        if self.update(move |value| *slot.lock() = Some(f(value))).is_none() {
            return Ok(None);
        }
        self.save().await?;
        let committed = result.lock().take();
        Ok(committed)
    }

    /// Ends the session: its record is deleted, and the client is told to
    /// forget its token, valid or not. With client storage a copy of the token
    /// stays valid until it expires, unless `revocation` is configured.
    pub fn clear(&self) {
        self.entry.state.lock().clear();
    }

    /// Drops this request's uncommitted changes.
    pub fn discard(&self) {
        self.entry.state.lock().discard();
    }

    /// Reads again, dropping nothing: for long streams that must notice a
    /// revocation. Uncommitted changes stay on top of what is read.
    pub async fn refresh(&self) -> Result<Option<Arc<T>>, SessionError> {
        self.entry.refresh().await
    }

    /// Gives the session an idle time of its own instead of the configured one,
    /// in whole seconds, at least one: «remember me». The absolute timeout still
    /// holds. A cookie then lasts as long as the session, whatever its
    /// configured `max_age`. A login begins with the configured time again.
    ///
    /// ```
    /// use rocket::post;
    /// use rocket_typed_sessions::{Session, SessionData};
    /// use serde::{Deserialize, Serialize};
    /// use std::time::Duration;
    ///
    /// #[derive(Clone, Serialize, Deserialize)]
    /// struct User { id: String }
    ///
    /// impl SessionData for User {
    ///     const NAME: &'static str = "user";
    /// }
    ///
    /// #[post("/login?<remember>")]
    /// fn login(session: Session<User>, remember: bool) {
    ///     session.login(User { id: "ann".into() });
    ///     if remember {
    ///         session.expires_in(Duration::from_secs(30 * 86_400));
    ///     }
    /// }
    /// ```
    pub fn expires_in(&self, idle: Duration) {
        let seconds = u32::try_from(idle.as_secs()).unwrap_or(u32::MAX).max(1);
        let mut state = self.entry.state.lock();
        if state.value.is_some() {
            state.pending.idle = Some(seconds);
        }
    }

    /// A new id for the same session: same data, same beginning. The old id is
    /// worth nothing once this request is committed (checklist S5), or with
    /// `renewal_grace` a little later: meanwhile it reads, its changes are
    /// saved, and its `clear` ends the session, but it is not renewed again.
    pub fn renew(&self) {
        self.entry.state.lock().renew();
    }

    /// The session's id. For server storage, valid right after `set` and
    /// `login` too; `None` for client storage and without a session.
    ///
    /// The commit gives another id than it was asked for in two cases: the
    /// record that a `login` meant to replace has ended meanwhile, or another
    /// request renewed the session first (see `renewal_grace`).
    pub fn id(&self) -> Option<SessionId> {
        self.entry.id()
    }

    /// When the session began; `None` for one that is not committed yet.
    pub fn created_at(&self) -> Option<SystemTime> {
        self.times().and_then(|times| times.created.to_system_time())
    }

    /// When the session ends unless it is used again; `None` for one that is
    /// not committed yet.
    pub fn expires_at(&self) -> Option<SystemTime> {
        let lifetime = &self.entry.definition.lifetime;
        self.times().and_then(|times| lifetime.expires(&times).to_system_time())
    }

    /// When the session's user last logged in: the last `login`, or a change of
    /// the owner. `None` for a session that began without either, and for one
    /// that is not committed yet. For «confirm your password» pages.
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        let times = self.times().filter(|times| times.authenticated != Timestamp::ZERO);
        times.and_then(|times| times.authenticated.to_system_time())
    }

    /// Whether the session's user logged in no longer than `age` ago. Asks for
    /// the password again where it matters; as a guard:
    /// [`RecentlyAuthenticated`](crate::RecentlyAuthenticated).
    ///
    /// ```
    /// use rocket::{get, http::Status};
    /// use rocket_typed_sessions::{Session, SessionData};
    /// use serde::{Deserialize, Serialize};
    /// use std::time::Duration;
    ///
    /// #[derive(Clone, Serialize, Deserialize)]
    /// struct User { id: String }
    ///
    /// impl SessionData for User {
    ///     const NAME: &'static str = "user";
    /// }
    ///
    /// #[get("/keys")]
    /// fn keys(session: Session<User>) -> Result<&'static str, Status> {
    ///     let recent = session.authenticated_within(Duration::from_secs(600));
    ///     if recent { Ok("your keys") } else { Err(Status::Unauthorized) }
    /// }
    /// ```
    pub fn authenticated_within(&self, age: Duration) -> bool {
        let now = self.entry.now();
        self.times().is_some_and(|times| {
            times.authenticated != Timestamp::ZERO && now.since(times.authenticated) <= age
        })
    }

    /// The session's CSRF token, for a form; `None` without a session. See
    /// [`CsrfToken`]. A session that this request starts, as a login page does
    /// for its form, has one too.
    pub fn csrf_token(&self) -> Result<Option<CsrfToken<T>>, SessionError> {
        self.entry.csrf_token()
    }

    fn times(&self) -> Option<Times> {
        let state = self.entry.state.lock();
        let goes_on = !state.pending.ended && !state.pending.login;
        state.origin.as_deref().filter(|_| goes_on).map(|origin| origin.times)
    }

    /// The committed session's owner, and its record's key on the server.
    pub(crate) fn owner_and_key(&self) -> Option<(OwnerKey, Option<StorageKey>)> {
        let (origin, value) = {
            let state = self.entry.state.lock();
            (state.origin.clone()?, state.committed.clone()?)
        };
        let owner = owner_of(&self.entry.definition, &*value)?;
        Some((owner, origin.place.key().cloned()))
    }

    /// Seals the token anew in this epoch of its owner.
    pub(crate) fn goes_on_in(&self, epoch: u64) {
        self.entry.state.lock().pending.epoch = Some(epoch);
    }

    /// Commits now, for handlers that want to see the error, and for streams.
    /// A failed `save` leaves the changes pending.
    pub async fn save(&self) -> Result<(), SessionError> {
        self.entry.save().await
    }
}

impl<T: SessionData> Clone for Session<T> {
    fn clone(&self) -> Self {
        Self { entry: Arc::clone(&self.entry) }
    }
}

impl<T: SessionData> fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("name", &T::NAME).finish_non_exhaustive()
    }
}

#[rocket::async_trait]
impl<'r, T: SessionData> FromRequest<'r> for Session<T> {
    type Error = SessionError;

    async fn from_request(request: &'r Request<'_>) -> GuardOutcome<Self, SessionError> {
        match of_request::<T>(request).await {
            Ok(entry) => Outcome::Success(Self { entry }),
            Err(cause) => {
                if let SessionError::Undefined(problem) = &cause {
                    error!("{problem}");
                }
                Outcome::Error((cause.status(), cause))
            }
        }
    }
}

impl<T: SessionData> Sentinel for Session<T> {
    /// Refuses launch when the fairing is missing, `T` has no definition, or
    /// two types share one name.
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        let Some(sessions) = rocket.state::<Sessions>() else {
            error!(
                "A route takes `Session<{}>`, but the fairing is not attached. Write `.attach(Sessions::fairing())`.",
                type_name::<T>()
            );
            return true;
        };
        sessions.core().definition::<T>().inspect_err(|message| error!("{message}")).is_err()
    }
}
