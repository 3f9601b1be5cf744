//! [`Authenticated`]: routes for users who have logged in.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use rocket::http::Status;
use rocket::outcome::{Outcome, try_outcome};
use rocket::request::{FromRequest, Outcome as GuardOutcome, Request};
use rocket::{Ignite, Rocket, Sentinel};

use crate::data::SessionData;
use crate::error::SessionError;
use crate::session::Session;

/// A session type that represents a login. [`Authenticated`] requires it. It
/// corresponds to the `session` authentication of the Kotlin framework Ktor.
///
/// ```
/// use rocket_typed_sessions::{Authenticate, SessionData};
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
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not represent a login",
    label = "this type does not implement `Authenticate`",
    note = "write `impl Authenticate for {Self} {{}}`; override `validate` to refuse sessions that no longer count as a login"
)]
pub trait Authenticate: SessionData {
    /// Returns whether the session still counts as a login. The default is `true`.
    /// [`Authenticated`] calls it in every request. Override it to refuse a user
    /// who has been blocked, for example.
    ///
    /// ```
    /// # use rocket::{get, http::Status};
    /// # use rocket_typed_sessions::{testing::SessionRequest, Authenticate, Authenticated, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// use rocket::Request;
    /// use std::collections::HashSet;
    ///
    /// struct Blocked(HashSet<u32>);
    ///
    /// impl Authenticate for User {
    ///     async fn validate(&self, request: &Request<'_>) -> bool {
    ///         let blocked = request.rocket().state::<Blocked>();
    ///         blocked.is_some_and(|blocked| !blocked.0.contains(&self.id))
    ///     }
    /// }
    /// # #[get("/account")]
    /// # fn account(_user: Authenticated<User>) {}
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![account]);
    ///
    /// let rocket = rocket.manage(Blocked(HashSet::from([7])));
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    /// let status = |id| client.get("/account").session(&User { id }).dispatch().status();
    /// assert_eq!(status(6), Status::Ok);
    /// assert_eq!(status(7), Status::Unauthorized);
    /// ```
    fn validate(&self, request: &Request<'_>) -> impl Future<Output = bool> + Send {
        let _ = request;
        async { true }
    }
}

/// The session of a user who has logged in, as a request guard. It dereferences to
/// `T`.
///
/// Without a session, or with one that [`validate`](Authenticate::validate)
/// refuses, the guard forwards with 401. The next matching route, with `rank = 2`,
/// can redirect to the login page. Without such a route the 401 catcher answers.
///
/// | | outcome |
/// |---|---|
/// | a valid session | success |
/// | no session, or not valid | forward, 401 |
/// | the storage cannot answer | error, 503 |
///
/// `Option<Authenticated<T>>` is `None` if no user has logged in. If the storage
/// cannot answer, the response is 503, as for [`Session`].
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
    /// Returns the session itself, to change or end it.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::*, Authenticate, Authenticated, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// # impl Authenticate for User {}
    /// #[rocket::post("/logout")]
    /// fn logout(user: Authenticated<User>) {
    ///     rocket::info!("User {} logs out.", user.id);
    ///     user.session().clear();
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![logout]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let response = client.post("/logout").session(&User { id: 7 }).dispatch();
    /// assert!(client.session_after::<User>(&response).is_none());
    /// ```
    pub fn session(&self) -> &Session<T> {
        &self.session
    }
}

impl<T: Authenticate> Deref for Authenticated<T> {
    type Target = T;

    /// Returns the value as it was when the guard ran.
    fn deref(&self) -> &T {
        &self.value
    }
}

#[rocket::async_trait]
impl<'r, T: Authenticate> FromRequest<'r> for Authenticated<T> {
    type Error = SessionError;

    async fn from_request(request: &'r Request<'_>) -> GuardOutcome<Self, SessionError> {
        let session = try_outcome!(Session::<T>::from_request(request).await);
        match session.get() {
            Some(value) if value.validate(request).await => {
                Outcome::Success(Self { session, value })
            }
            _ => Outcome::Forward(Status::Unauthorized),
        }
    }
}

/// An [`Authenticated`] user whose login is at most `MINUTES` minutes old, as a
/// request guard for step-up authentication.
///
/// An older login forwards with 401, and so does a request without a login. The
/// next matching route can take `Authenticated<T>` and ask for the password again.
/// [`Session::reauthenticate`] and [`Session::login`] make the login recent.
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
        let user = try_outcome!(Authenticated::<T>::from_request(request).await);
        if user.session.authenticated_within(age) {
            Outcome::Success(Self(user))
        } else {
            Outcome::Forward(Status::Unauthorized)
        }
    }
}

impl<T: Authenticate, const MINUTES: u64> Sentinel for RecentlyAuthenticated<T, MINUTES> {
    /// Refuses launch as [`Session`] does.
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        Session::<T>::abort(rocket)
    }
}

impl<T: Authenticate> Sentinel for Authenticated<T> {
    /// Refuses launch as [`Session`] does.
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        Session::<T>::abort(rocket)
    }
}
