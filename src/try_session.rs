//! [`TrySession`]: for pages that are served while the storage cannot answer.

use std::fmt;

use rocket::outcome::Outcome;
use rocket::request::{FromRequest, Outcome as GuardOutcome, Request};
use rocket::{Ignite, Rocket, Sentinel};

use crate::data::SessionData;
use crate::error::SessionError;
use crate::request::request_session;
use crate::session::{Session, failed};

/// A session as a request guard, for pages that are served even while the storage
/// cannot answer.
///
/// | | outcome |
/// |---|---|
/// | a session | success, `Present` |
/// | no session | success, `Absent` |
/// | the storage cannot answer | success, `Unavailable` |
///
/// `Unavailable` is not `Absent`: the user may have logged in. Show neither a login
/// form nor a page that is only for visitors without a session.
///
/// When it is `Unavailable`, the client's token stays as it is, and the response is
/// `no-store`. The request's other sessions are saved as usual. If another guard of
/// the request needs the same session, the response is 503.
///
/// The guard fails with 500 if `T` is not configured, as [`Session`] does.
///
/// ```
/// use rocket::{get, routes};
/// use rocket_typed_sessions::{SessionData, Sessions, TrySession};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct User { name: String }
///
/// impl SessionData for User {
///     const NAME: &'static str = "user";
/// }
///
/// #[get("/news")]
/// fn news(session: TrySession<User>) -> String {
///     match session {
///         TrySession::Present(session) => {
///             format!("News for {}", session.get().map_or(String::new(), |user| user.name.clone()))
///         }
///         TrySession::Absent(_) => "News. Log in to see yours.".into(),
///         TrySession::Unavailable(_) => "News. Yours are not available at the moment.".into(),
///     }
/// }
///
/// let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
/// let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", routes![news]);
/// let client = rocket::local::blocking::Client::tracked(rocket).expect("a valid configuration");
/// let page = client.get("/news").dispatch().into_string();
/// assert_eq!(page.as_deref(), Some("News. Log in to see yours."));
/// ```
pub enum TrySession<T: SessionData> {
    /// The request has a session.
    Present(Session<T>),
    /// The request has no session; [`Session::absence`] says why. The handler can begin one.
    Absent(Session<T>),
    /// The storage cannot answer. The [`status`](SessionError::status) of the error
    /// is 503.
    Unavailable(SessionError),
}

impl<T: SessionData> Clone for TrySession<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Present(session) => Self::Present(session.clone()),
            Self::Absent(session) => Self::Absent(session.clone()),
            Self::Unavailable(cause) => Self::Unavailable(cause.clone()),
        }
    }
}

impl<T: SessionData> fmt::Debug for TrySession<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present(session) => f.debug_tuple("Present").field(session).finish(),
            Self::Absent(session) => f.debug_tuple("Absent").field(session).finish(),
            Self::Unavailable(cause) => f.debug_tuple("Unavailable").field(cause).finish(),
        }
    }
}

#[rocket::async_trait]
impl<'r, T: SessionData> FromRequest<'r> for TrySession<T> {
    type Error = SessionError;

    async fn from_request(request: &'r Request<'_>) -> GuardOutcome<Self, SessionError> {
        match request_session::<T>(request).await.map(Session::new) {
            Ok(session) if session.get().is_some() => Outcome::Success(Self::Present(session)),
            Ok(session) => Outcome::Success(Self::Absent(session)),
            Err(cause) if cause.is_unavailable() => Outcome::Success(Self::Unavailable(cause)),
            Err(cause) => Outcome::Error(failed(cause)),
        }
    }
}

impl<T: SessionData> Sentinel for TrySession<T> {
    /// Refuses launch as [`Session`] does.
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        Session::<T>::abort(rocket)
    }
}
