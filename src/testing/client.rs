//! Requests with a session, and the session that a response leaves.

use std::sync::Arc;

use std::borrow::Cow;

use rocket::local::{asynchronous, blocking};
use rocket::{Request, Response};

use crate::application::Defined;
use crate::data::SessionData;
use crate::definition::{Core, Definition};
use crate::request::load::find;
use crate::request::minting;
use crate::sessions::Sessions;
use crate::storage::Timestamp;
use crate::transport::{MaxAge, Outgoing};

/// Gives a session to a request of Rocket's local client, for every transport,
/// storage and protection.
pub trait SessionRequest: Sized {
    /// Gives a new session with `value` to the request, as if its user had just
    /// logged in. The session begins when the first guard asks for it. It replaces
    /// any token that the request carries.
    ///
    /// # Panics
    ///
    /// Panics if `T` is not configured, or if `value` cannot be encoded.
    ///
    /// ```
    /// use rocket::{get, local::blocking::Client, routes};
    /// use rocket_typed_sessions::testing::{SessionRequest, SessionResponse};
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
    /// fn index(session: Session<Visits>) -> Option<String> {
    ///     let visits = session.update(|visits| visits.count += 1)?;
    ///     Some(format!("Visit number {}", visits.count))
    /// }
    ///
    /// let figment = rocket::Config::figment().merge(("sessions.visits.storage", "memory"));
    /// let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", routes![index]);
    /// let client = Client::untracked(rocket).expect("a valid configuration");
    ///
    /// let response = client.get("/").session(&Visits { count: 7 }).dispatch();
    /// assert_eq!(client.session_after::<Visits>(&response).map(|visits| visits.count), Some(8));
    /// assert_eq!(response.into_string().as_deref(), Some("Visit number 8"));
    /// ```
    #[must_use]
    fn session<T: SessionData>(self, value: &T) -> Self;
}

/// Reads the session that a client of Rocket's blocking kind holds after a
/// response.
pub trait SessionResponse {
    /// Returns the session that the client holds after `response`. It is the first
    /// of these:
    ///
    /// 1. the session whose token the response carries,
    /// 2. the one that [`SessionRequest::session`] gave to its request,
    /// 3. the one in the cookies of a tracking client.
    ///
    /// # Panics
    ///
    /// Panics if `T` is not configured, or if the storage fails.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::*, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// # #[rocket::post("/login")]
    /// # fn login(session: Session<User>) { session.login(User { id: 7 }) }
    /// # #[rocket::post("/logout")]
    /// # fn logout(session: Session<User>) { session.clear() }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing());
    /// # let rocket = rocket.mount("/", rocket::routes![login, logout]);
    /// # let client = rocket::local::blocking::Client::tracked(rocket).unwrap();
    /// let response = client.post("/login").dispatch();
    /// assert_eq!(client.session_after::<User>(&response).map(|user| user.id), Some(7));
    ///
    /// let response = client.post("/logout").dispatch();
    /// assert!(client.session_after::<User>(&response).is_none());
    /// ```
    fn session_after<T: SessionData>(&self, response: &blocking::LocalResponse<'_>) -> Option<T>;
}

/// [`SessionResponse`] for Rocket's asynchronous client.
pub trait AsyncSessionResponse {
    /// Returns the session that the client holds after `response`, as
    /// [`SessionResponse::session_after`] does. It panics in the same cases.
    ///
    /// ```
    /// # use rocket::local::asynchronous::Client;
    /// # use rocket_typed_sessions::{testing::*, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// # #[rocket::post("/login")]
    /// # fn login(session: Session<User>) { session.login(User { id: 7 }) }
    /// # rocket::async_test(async {
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing());
    /// # let rocket = rocket.mount("/", rocket::routes![login]);
    /// # let client = Client::tracked(rocket).await.unwrap();
    /// let response = client.post("/login").dispatch().await;
    /// let user = client.session_after::<User>(&response).await;
    /// assert_eq!(user.map(|user| user.id), Some(7));
    /// # });
    /// ```
    fn session_after<T: SessionData>(
        &self,
        response: &asynchronous::LocalResponse<'_>,
    ) -> impl Future<Output = Option<T>> + Send;
}

/// Stands for a token, to see where a transport puts it.
const CANARY: &str = "canary-canary-canary-canary";

fn definition<T: SessionData>(sessions: Option<&Sessions>) -> (&Core, &Defined) {
    let Some(sessions) = sessions else { panic!("`Sessions::fairing()` is not attached") };
    match sessions.application().definition::<T>() {
        Ok(definition) => (&sessions.application().core, definition),
        Err(problem) => panic!("{problem}"),
    }
}

fn mint<T: SessionData>(request: &Request<'_>, value: &T) {
    let (_, definition) = definition::<T>(request.rocket().state());
    let content = match definition.encode(value) {
        Ok(content) => content,
        Err(cause) => panic!("{cause}"),
    };
    minting::mint(request, definition, content, definition.value_owner(value));
}

impl SessionRequest for blocking::LocalRequest<'_> {
    fn session<T: SessionData>(self, value: &T) -> Self {
        mint(self.inner(), value);
        self
    }
}

impl SessionRequest for asynchronous::LocalRequest<'_> {
    fn session<T: SessionData>(self, value: &T) -> Self {
        mint(self.inner(), value);
        self
    }
}

/// The token that the client holds after a response with these headers.
fn held(
    definition: &Definition,
    headers: &rocket::http::HeaderMap<'_>,
    cookies: &rocket::http::CookieJar<'_>,
) -> Option<String> {
    if let Some(token) = headers.get_one(&minting::header(definition)) {
        return Some(token.to_owned());
    }
    let mut example = Response::new();
    let max_age = MaxAge::Configured;
    let outgoing = Outgoing { token: CANARY, now: Timestamp::ZERO, max_age };
    definition.transport.send(&mut example, &definition.wire_name, outgoing);
    for header in example.headers().iter() {
        let Some((before, _)) = header.value().split_once(CANARY) else { continue };
        let mut values = headers.get(header.name().as_str());
        if let Some(rest) = values.find_map(|value| value.strip_prefix(before)) {
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            return Some(rest.chars().take_while(|c| plain(*c)).collect());
        }
    }
    cookies.get(&definition.wire_name).map(|cookie| cookie.value().to_owned())
}

async fn open<T: SessionData>(core: &Core, definition: &Defined, token: String) -> Option<T> {
    let values = [Cow::from(token)];
    match find::<T>(core, definition, &values, None).await {
        Ok(found) => definition.codec.decode(found.sessions.content()?).map(Arc::unwrap_or_clone),
        Err(cause) => panic!("{cause}"),
    }
}

impl AsyncSessionResponse for asynchronous::Client {
    fn session_after<T: SessionData>(
        &self,
        response: &asynchronous::LocalResponse<'_>,
    ) -> impl Future<Output = Option<T>> + Send {
        let (core, definition) = definition::<T>(self.rocket().state());
        // A response cannot be shared between threads.
        let token = held(definition, response.headers(), &self.cookies());
        async move { open(core, definition, token?).await }
    }
}

impl SessionResponse for blocking::Client {
    fn session_after<T: SessionData>(&self, response: &blocking::LocalResponse<'_>) -> Option<T> {
        let (core, definition) = definition::<T>(self.rocket().state());
        let token = held(definition, response.headers(), &self.cookies())?;
        // The client's own runtime is out of reach; it goes on beside this one.
        std::thread::scope(|scope| {
            let read = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                match runtime {
                    Ok(runtime) => runtime.block_on(open(core, definition, token)),
                    Err(cause) => panic!("no runtime: {cause}"),
                }
            });
            match read.join() {
                Ok(found) => found,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}
