//! [`Authenticated`]: routes for those who have logged in.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use rocket::http::Status;
use rocket::outcome::Outcome;
use rocket::request::{FromRequest, Outcome as GuardOutcome, Request};
use rocket::{Ignite, Rocket, Sentinel};

use crate::data::SessionData;
use crate::error::SessionError;
use crate::session::Session;

/// A session type that stands for a login. Ktor's `session` authentication.
///
/// ```
/// use rocket::Request;
/// use rocket_typed_sessions::{Authenticate, SessionData};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct User { id: String, blocked: bool }
///
/// impl SessionData for User {
///     const NAME: &'static str = "user";
/// }
///
/// impl Authenticate for User {
///     async fn validate(&self, _: &Request<'_>) -> bool {
///         !self.blocked
///     }
/// }
/// ```
pub trait Authenticate: SessionData {
    /// Whether the session still counts as a login; `true` unless overridden.
    fn validate(&self, request: &Request<'_>) -> impl Future<Output = bool> + Send {
        let _ = request;
        async { true }
    }
}

/// The session of somebody who has logged in, as a request guard; derefs to `T`.
///
/// Without a session, or with one that does not [`validate`](Authenticate::validate),
/// the request is forwarded with 401. So the challenge is a route of a lower
/// rank, which may redirect to the login page, or else the 401 catcher.
///
/// | | outcome |
/// |---|---|
/// | a valid session | success |
/// | no session, or not valid | forward, 401 |
/// | the storage cannot answer | error, 503 |
///
/// `Option<Authenticated<T>>` is `None` where nobody has logged in. While the
/// storage cannot answer, nobody knows that: the response is 503, as for
/// [`Session`].
///
/// ```
/// use rocket::{get, response::Redirect, routes};
/// use rocket_typed_sessions::{Authenticate, Authenticated, SessionData, Sessions};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct User { id: String }
///
/// impl SessionData for User {
///     const NAME: &'static str = "user";
/// }
///
/// impl Authenticate for User {}
///
/// #[get("/account")]
/// fn account(user: Authenticated<User>) -> String {
///     format!("Hello, {}!", user.id)
/// }
///
/// #[get("/account", rank = 2)]
/// fn challenge() -> Redirect {
///     Redirect::to("/login")
/// }
///
/// let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
/// let rocket = rocket::custom(figment)
///     .attach(Sessions::fairing())
///     .mount("/", routes![account, challenge]);
/// let client = rocket::local::blocking::Client::tracked(rocket).expect("a valid configuration");
/// let response = client.get("/account").dispatch();
/// assert_eq!(response.headers().get_one("Location"), Some("/login"));
/// ```
#[derive(Clone, Debug)]
pub struct Authenticated<T: Authenticate> {
    session: Session<T>,
    value: Arc<T>,
}

impl<T: Authenticate> Authenticated<T> {
    /// The session itself, to change or end it.
    pub fn session(&self) -> &Session<T> {
        &self.session
    }
}

impl<T: Authenticate> Deref for Authenticated<T> {
    type Target = T;

    /// The value as it was when the guard ran.
    fn deref(&self) -> &T {
        &self.value
    }
}

#[rocket::async_trait]
impl<'r, T: Authenticate> FromRequest<'r> for Authenticated<T> {
    type Error = SessionError;

    async fn from_request(request: &'r Request<'_>) -> GuardOutcome<Self, SessionError> {
        let session = match Session::<T>::from_request(request).await {
            Outcome::Success(session) => session,
            Outcome::Error(error) => return Outcome::Error(error),
            Outcome::Forward(status) => return Outcome::Forward(status),
        };
        match session.get() {
            Some(value) if value.validate(request).await => {
                Outcome::Success(Self { session, value })
            }
            _ => Outcome::Forward(Status::Unauthorized),
        }
    }
}

/// Step-up: [`Authenticated`] whose login is at most `MINUTES` minutes old.
///
/// An older login is forwarded with 401 as none would be, so that a route of a
/// lower rank that takes `Authenticated<T>` can ask for the password again; a
/// [`Session::login`] with the same value then makes it recent.
///
/// ```
/// use rocket::{get, response::Redirect};
/// use rocket_typed_sessions::{Authenticate, Authenticated, RecentlyAuthenticated, SessionData};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct User { id: String }
///
/// impl SessionData for User {
///     const NAME: &'static str = "user";
/// }
///
/// impl Authenticate for User {}
///
/// #[get("/keys")]
/// fn keys(user: RecentlyAuthenticated<User, 10>) -> String {
///     format!("The keys of {}", user.id)
/// }
///
/// #[get("/keys", rank = 2)]
/// fn confirm(_user: Authenticated<User>) -> Redirect {
///     Redirect::to("/confirm-password")
/// }
/// ```
#[derive(Clone, Debug)]
pub struct RecentlyAuthenticated<T: Authenticate, const MINUTES: u64>(Authenticated<T>);

impl<T: Authenticate, const MINUTES: u64> Deref for RecentlyAuthenticated<T, MINUTES> {
    type Target = Authenticated<T>;

    fn deref(&self) -> &Authenticated<T> {
        &self.0
    }
}

#[rocket::async_trait]
impl<'r, T: Authenticate, const MINUTES: u64> FromRequest<'r>
    for RecentlyAuthenticated<T, MINUTES>
{
    type Error = SessionError;

    async fn from_request(request: &'r Request<'_>) -> GuardOutcome<Self, SessionError> {
        let age = Duration::from_secs(MINUTES.saturating_mul(60));
        match Authenticated::<T>::from_request(request).await {
            Outcome::Success(user) if user.session.authenticated_within(age) => {
                Outcome::Success(Self(user))
            }
            Outcome::Success(_) => Outcome::Forward(Status::Unauthorized),
            Outcome::Error(error) => Outcome::Error(error),
            Outcome::Forward(status) => Outcome::Forward(status),
        }
    }
}

impl<T: Authenticate, const MINUTES: u64> Sentinel for RecentlyAuthenticated<T, MINUTES> {
    /// As for [`Session`].
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        Session::<T>::abort(rocket)
    }
}

impl<T: Authenticate> Sentinel for Authenticated<T> {
    /// As for [`Session`].
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        Session::<T>::abort(rocket)
    }
}
