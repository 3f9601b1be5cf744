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
use crate::manager::Sessions;
use crate::request::entry::Entry;
use crate::request::session_of;
use crate::request::state::State;
use crate::storage::Timestamp;
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
///
/// # A value reads back as it was
///
/// Before a value is written it is decoded again, and both values are compared by
/// what `Serialize` says of them. If they differ, nothing is written, the session
/// stays as it was, and the request fails with [`SessionError::Encode`] (500). The
/// log names the type and the reason. JSON has no float that is not finite and no
/// `Some(None)`; a field that is left out needs `#[serde(default)]`.
///
/// The order of a map's entries and of a list's items is not compared, because
/// that of a `HashSet` changes. What a type leaves out of `Serialize` is not saved
/// and not compared: a field with `skip`, one that `skip_serializing_if` leaves
/// out, or which of two `untagged` variants of one form it is. The comparison is
/// the same for a type with its own `encode` and `decode`: give `skip` to what they
/// leave out. If its `Serialize` fails, it is only decoded.
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

    /// The bytes to store or seal; JSON unless overridden. [`decode`](Self::decode)
    /// must read them.
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
        self.entry.get()
    }

    /// The value; starts a session with what `f` returns if there is none.
    pub fn get_or_insert_with(&self, f: impl FnOnce() -> T) -> Arc<T> {
        self.entry.get_or_insert_with(f)
    }

    /// Replaces the value: a blind write, the last one wins. Starts a session
    /// under a fresh id if there is none; a client's unknown id is never
    /// adopted (checklist S3).
    pub fn set(&self, value: T) {
        self.entry.set(value, false);
    }

    /// [`set`](Self::set) that always takes a fresh id and begins a new
    /// lifetime: what a login route calls. It ends every other session that the
    /// request presented.
    pub fn login(&self, value: T) {
        self.entry.set(value, true);
    }

    /// A [`login`](Self::login) that keeps something of the session before it,
    /// a cart for instance. Returns the value.
    ///
    /// `f` makes the value, first without a former session. If there is one, and
    /// it has no owner or the same as that value, `f` runs again with it, and
    /// that result counts unless it has another owner. When a concurrent request
    /// writes to the former session first, `f` is applied **again** to what that
    /// wrote, so that nothing is lost. It may read the session and not change it.
    ///
    /// The former session may have been planted in the browser by somebody else:
    /// keep nothing of it that a stranger must not choose.
    ///
    /// ```
    /// use rocket::post;
    /// use rocket_typed_sessions::{Session, SessionData};
    /// use serde::{Deserialize, Serialize};
    /// use std::borrow::Cow;
    ///
    /// #[derive(Clone, Serialize, Deserialize)]
    /// struct Shop { user: Option<String>, cart: Vec<u32> }
    ///
    /// impl SessionData for Shop {
    ///     const NAME: &'static str = "shop";
    ///
    ///     fn owner(&self) -> Option<Cow<'_, str>> {
    ///         self.user.as_deref().map(Cow::from)
    ///     }
    /// }
    ///
    /// #[post("/login")]
    /// fn login(session: Session<Shop>) {
    ///     session.login_with(|former| Shop {
    ///         user: Some("ann".into()),
    ///         cart: former.map(|shop| shop.cart.clone()).unwrap_or_default(),
    ///     });
    /// }
    /// ```
    pub fn login_with(&self, f: impl Fn(Option<&T>) -> T + Send + 'static) -> Arc<T> {
        self.entry.login_with(f)
    }

    /// Changes the value; `None` when there is no session.
    ///
    /// `f` is applied at once and kept. With server storage it is applied
    /// **again** to the fresh record if a concurrent request wrote first, so
    /// that concurrent requests lose nothing; therefore it may not consume
    /// what it captures: clone inside. With client storage the last response to
    /// reach the client wins. A panic in `f` leaves the value intact.
    ///
    /// `f` may call its own session. What it changes there counts once, before
    /// its own change. When it is applied again, such calls change nothing.
    pub fn update(&self, f: impl Fn(&mut T) + Send + 'static) -> Option<Arc<T>> {
        self.entry.update(f)
    }

    /// Changes the value and commits at once; returns what the committed run
    /// of `f` returned. `Ok(None)` when there is no session.
    ///
    /// After an error, or when the future is dropped, the change stays pending. It
    /// counts once, even if it had been written and only the answer was lost.
    pub async fn update_now<R: Send + 'static>(
        &self,
        f: impl Fn(&mut T) -> R + Send + 'static,
    ) -> Result<Option<R>, SessionError> {
        let result = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&result);
        if self.update(move |value| *slot.lock() = Some(f(value))).is_none() {
            return Ok(None);
        }
        let kept = self.entry.save().await?;
        let committed = result.lock().take();
        // A change that the request has dropped meanwhile counts for nothing.
        Ok(committed.filter(|_| kept))
    }

    /// Ends the session: its record is deleted, and the client is told to
    /// forget its token, valid or not. With client storage a copy of the token
    /// stays valid until it expires, unless `revocation` is configured.
    pub fn clear(&self) {
        self.entry.ask(State::clear);
    }

    /// Drops this request's uncommitted changes.
    pub fn discard(&self) {
        self.entry.ask(State::discard);
    }

    /// Reads again, dropping nothing: for long streams that must notice a
    /// revocation. Uncommitted changes stay on top of what is read.
    pub async fn refresh(&self) -> Result<Option<Arc<T>>, SessionError> {
        self.entry.refresh().await
    }

    /// Gives the session an idle time of its own instead of the configured one,
    /// in whole seconds, at least one: "remember me". The absolute timeout still
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
        self.entry.ask(|state, _| {
            if state.value.is_some() {
                state.pending.idle = Some(seconds);
            }
        });
    }

    /// A new id for the same session: same data, same beginning. The old id is
    /// worth nothing once this request is committed (checklist S5), or with
    /// `renewal_grace` a little later: meanwhile it reads, its changes are
    /// saved, and its `clear` ends the session, but it is not renewed again.
    pub fn renew(&self) {
        self.entry.ask(|state, _| state.pending.renew = true);
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

    /// When the session began. A session that begins with this request has the
    /// present, a login as well. `None` without a session.
    pub fn created_at(&self) -> Option<SystemTime> {
        self.entry.times()?.created.to_system_time()
    }

    /// When the session ends unless it is used again, as this request will leave
    /// it. `None` without a session.
    pub fn expires_at(&self) -> Option<SystemTime> {
        let times = self.entry.times()?;
        self.entry.definition.policy.lifetime.expires(&times).to_system_time()
    }

    /// When the session's user last logged in: the last `login`, or a change of
    /// the owner. `None` without a session, and for one that began without
    /// either. For "confirm your password" pages.
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        let times = self.entry.times()?;
        let ever = times.authenticated != Timestamp::ZERO;
        ever.then(|| times.authenticated.to_system_time())?
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
        self.entry.times().is_some_and(|times| {
            times.authenticated != Timestamp::ZERO && now.since(times.authenticated) <= age
        })
    }

    /// The session's CSRF token, for a form; `None` without a session. See
    /// [`CsrfToken`]. A session that this request starts, as a login page does
    /// for its form, has one too.
    ///
    /// [`SessionError::Unsupported`] where the session has no key to make it with;
    /// its text says what to write.
    pub fn csrf_token(&self) -> Result<Option<CsrfToken<T>>, SessionError> {
        self.entry.csrf_token()
    }

    /// Commits now, for handlers that want to see the error, and for streams.
    /// A failed `save` leaves the changes pending, but for
    /// [`SessionError::Ended`]: the changes of a session that is over are dropped.
    pub async fn save(&self) -> Result<(), SessionError> {
        self.entry.save().await.map(|_| ())
    }

    pub(crate) fn entry(&self) -> &Entry<T> {
        &self.entry
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
        match session_of::<T>(request).await {
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
