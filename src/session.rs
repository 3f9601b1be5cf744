//! [`SessionData`], which an application implements, and [`Session`], the
//! request guard that yields it.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use rocket::http::Status;
use rocket::outcome::Outcome;
use rocket::request::{FromRequest, Outcome as GuardOutcome, Request};
use rocket::{Ignite, Rocket, Sentinel, error};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::absence::Absence;
use crate::csrf::CsrfToken;
use crate::error::{DecodeError, EncodeError, SessionError};
use crate::expiry::{Lifetime, OwnLifetime};
use crate::manager::Sessions;
use crate::request::entry::Entry;
use crate::request::state::State;
use crate::request::{RequestSessions, session_of};
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
/// A missing, malformed, forged, expired or unknown token is an absent session.
///
/// | | outcome |
/// |---|---|
/// | a session, or none | success |
/// | the storage cannot answer | error, 503 |
///
/// A storage that cannot answer leaves the client's token alone, and is never
/// taken for an absent session. `Option<Session<T>>`, `Result<Session<T>, _>` and
/// guards of your own that swallow the error change nothing about that: the
/// handler runs, its response is replaced by the 503 of the application's
/// catcher, and what the request changed in sessions is dropped. What else the
/// handler did has happened, and a client that tries again repeats it. To serve
/// such a request all the same, take [`TrySession`](crate::TrySession).
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

    /// Why the request has presented no session; `None` if it has. It tells what was
    /// presented, and stays the same whatever the request does with its session.
    ///
    /// It is for the page: "please log in **again**". What this crate sends is the
    /// same for all three, and nothing is stored to tell them apart.
    ///
    /// ```
    /// use rocket::get;
    /// use rocket_typed_sessions::{Absence, Session, SessionData};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Clone, Serialize, Deserialize)]
    /// struct User { id: String }
    ///
    /// impl SessionData for User {
    ///     const NAME: &'static str = "user";
    /// }
    ///
    /// #[get("/login")]
    /// fn login_page(session: Session<User>) -> &'static str {
    ///     match session.absence() {
    ///         None => "You are logged in.",
    ///         Some(Absence::Ended) => "You have been logged out. Please log in again.",
    ///         Some(_) => "Please log in.",
    ///     }
    /// }
    /// ```
    pub fn absence(&self) -> Option<Absence> {
        self.entry.absence
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

    /// Gives the session a lifetime of its own, or the configured one again. See
    /// [`Lifetime`], and `docs/lifetimes.md` for more examples.
    ///
    /// It holds for the session that is there, and for one that this request begins:
    /// it may be said before the first value, and before or after a
    /// [`login`](Self::login). `clear`, `discard` and a 5xx take it back like any
    /// other change. A [`renew`](Self::renew) keeps it. A login of a later request
    /// begins with [`Lifetime::Configured`].
    ///
    /// No lifetime is longer than `absolute_timeout`. A cookie lasts as long as its
    /// session, whatever `max_age` is configured. That of an id lasts until the
    /// absolute end, if the session has an idle time of its own.
    ///
    /// [`SessionError::Lifetime`] for an idle time of zero and a date that is over,
    /// and [`SessionError::Unsupported`] with Ktor's format, which has no room for it.
    /// Both change nothing.
    ///
    /// "Remember me", as a box that can be ticked and unticked again:
    ///
    /// ```
    /// use rocket::post;
    /// use rocket_typed_sessions::{Lifetime, Session, SessionData, SessionError};
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
    /// #[post("/remember?<tick>")]
    /// fn remember(session: Session<User>, tick: bool) -> Result<(), SessionError> {
    ///     session.set_lifetime(if tick {
    ///         Lifetime::Idle(Duration::from_secs(30 * 86_400))
    ///     } else {
    ///         Lifetime::BrowserSession
    ///     })
    /// }
    /// ```
    ///
    /// A session until midnight, UTC:
    ///
    /// ```
    /// use rocket::time::{OffsetDateTime, Time};
    /// use rocket::post;
    /// use rocket_typed_sessions::{Lifetime, Session, SessionData, SessionError};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Clone, Serialize, Deserialize)]
    /// struct Till { number: u32 }
    ///
    /// impl SessionData for Till {
    ///     const NAME: &'static str = "till";
    /// }
    ///
    /// #[post("/open/<number>")]
    /// fn open(session: Session<Till>, number: u32) -> Result<(), SessionError> {
    ///     let today = OffsetDateTime::now_utc().replace_time(Time::MIDNIGHT);
    ///     let midnight = today + rocket::time::Duration::DAY;
    ///     session.set_lifetime(Lifetime::Until(midnight.into()))?;
    ///     session.login(Till { number });
    ///     Ok(())
    /// }
    /// ```
    pub fn set_lifetime(&self, lifetime: Lifetime) -> Result<(), SessionError> {
        if self.entry.definition.format().writes_ktor() {
            let why = "Ktor's format has no room for a session's own lifetime";
            return Err(SessionError::Unsupported(why));
        }
        let lifetime = OwnLifetime::of(lifetime, self.entry.now())?;
        self.entry.ask(|state, _| state.pending.lifetime = Some(lifetime));
        Ok(())
    }

    /// The session's lifetime, as this request will leave it. Without a session, that
    /// of one that this request may still begin.
    pub fn lifetime(&self) -> Lifetime {
        self.entry.lifetime().into()
    }

    /// Counts as a use of the session now: it lives for its idle time again, whatever
    /// `touch_after` is configured. A session that lasts until a date ends then all
    /// the same.
    ///
    /// Every use of a session does so by itself, but at most every `touch_after`, and
    /// not after the response. Long streams call this and [`save`](Self::save).
    ///
    /// Unlike a touch that comes by itself, this one may fail: `save` says so, and a
    /// request without a `save` is answered with 503. [`SessionError::TooLate`] if the
    /// response has been sent and the cookie would have to be sent again: with client
    /// storage, or with a `max_age` that is shorter than `absolute_timeout`.
    ///
    /// After [`skip_touch`](Self::skip_touch) it takes that back: the later one counts.
    ///
    /// ```
    /// use rocket::get;
    /// use rocket::response::stream::{Event, EventStream};
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
    /// /// Whoever watches is not logged out. Ends when the session does.
    /// #[get("/live")]
    /// fn live(session: Session<User>) -> EventStream![] {
    ///     EventStream! {
    ///         let mut minutes = rocket::tokio::time::interval(Duration::from_secs(60));
    ///         loop {
    ///             minutes.tick().await;
    ///             session.touch();
    ///             if session.save().await.is_err() {
    ///                 break session.discard();
    ///             }
    ///             yield Event::data("still here");
    ///         }
    ///     }
    /// }
    /// ```
    pub fn touch(&self) {
        self.entry.ask(|state, _| state.touch(true));
    }

    /// This request is no use of the session: it does not prolong it, and the time
    /// when it was last used stays as it was. Polling, health pages and background
    /// refresh then do not keep a forgotten browser logged in.
    ///
    /// What the request changes is saved all the same. It may be said at any time of
    /// the request, and holds until its end. [`touch`](Self::touch) takes it back: the
    /// later one counts. A session that the request begins is new, and lives for its
    /// whole idle time.
    ///
    /// With client storage the last response to reach the client wins. So where this
    /// request changes the session, and another one uses it meanwhile, that use may not
    /// count.
    ///
    /// ```
    /// use rocket::get;
    /// use rocket_typed_sessions::{Session, SessionData};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Clone, Serialize, Deserialize)]
    /// struct User { id: String, unread: u32 }
    ///
    /// impl SessionData for User {
    ///     const NAME: &'static str = "user";
    /// }
    ///
    /// /// The page asks for this every ten seconds.
    /// #[get("/unread")]
    /// fn unread(session: Session<User>) -> Option<String> {
    ///     session.skip_touch();
    ///     session.get().map(|user| user.unread.to_string())
    /// }
    /// ```
    pub fn skip_touch(&self) {
        self.entry.ask(|state, _| state.touch(false));
    }

    /// A new id for the same session: same data, same beginning. The old id is
    /// worth nothing once this request is committed (checklist S5), and so is every
    /// CSRF token from before.
    pub fn renew(&self) {
        self.entry.ask(|state, _| state.pending.renew = true);
    }

    /// The session's user has just proven once more who they are: with a password
    /// before a payment, for example. [`authenticated_at`](Self::authenticated_at) is
    /// the present, and the session has a new id at once. Its data, its beginning, its
    /// lifetime and its CSRF tokens stay, so that forms in other tabs can still be sent.
    /// It commits as [`update`](Self::update) does: without a session it does nothing.
    ///
    /// With client storage there is no id; the token is sent again.
    ///
    /// ```
    /// use rocket::{form::Form, http::Status, post};
    /// # use rocket::form::FromForm;
    /// # use rocket_typed_sessions::{Session, SessionData};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Serialize, Deserialize)]
    /// # struct User { id: String }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// # #[derive(FromForm)]
    /// # struct Proof { password: String }
    /// # fn is_right(_: &str, _: &str) -> bool { true }
    ///
    /// #[post("/confirm", data = "<proof>")]
    /// fn confirm(session: Session<User>, proof: Form<Proof>) -> Status {
    ///     match session.get() {
    ///         Some(user) if is_right(&user.id, &proof.password) => {
    ///             session.reauthenticate();
    ///             Status::NoContent
    ///         }
    ///         _ => Status::Forbidden,
    ///     }
    /// }
    /// ```
    pub fn reauthenticate(&self) {
        self.entry.ask(|state, _| state.pending.reauthenticate = true);
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

    pub(crate) fn new(entry: Arc<Entry<T>>) -> Self {
        Self { entry }
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
                if cause.status() == Status::ServiceUnavailable {
                    RequestSessions::of(request).guard_failed();
                }
                Outcome::Error(failed(cause))
            }
        }
    }
}

/// What a guard answers when there is no session to be had.
pub(crate) fn failed(cause: SessionError) -> (Status, SessionError) {
    if let SessionError::Undefined(problem) = &cause {
        error!("{problem}");
    }
    (cause.status(), cause)
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
