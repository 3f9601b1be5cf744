//! The calls about logins, new ids, and when the user last logged in.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Session;
use crate::data::SessionData;
use crate::handle::SessionHandle;
use crate::storage::Timestamp;
use crate::token::SessionId;

impl<T: SessionData> Session<T> {
    /// Logs a user in: begins a new session, with a new id and a new lifetime.
    ///
    /// Every session that the request presented ends, so that an attacker who
    /// planted or saw its id cannot use the new session (OWASP, "Session Management
    /// Cheat Sheet": renew the session id after any privilege change). The CSRF
    /// tokens of the previous session are not valid for the new one.
    ///
    /// If the storage cannot end the previous session, the new one is ended and the
    /// status is 503. With client storage, a copy of the previous token stays valid
    /// until it expires, unless `revocation` is configured.
    /// [The guide](crate::guide::logins) has the details.
    ///
    /// ```
    /// # use rocket::{form::{Form, FromForm}, http::Status};
    /// # use rocket_typed_sessions::{testing::SessionResponse, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: String }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// # #[derive(FromForm)]
    /// # struct Login { name: String, password: String }
    /// # fn is_right(_: &str, password: &str) -> bool { password == "swordfish" }
    /// #[rocket::post("/login", data = "<login>")]
    /// fn login(session: Session<User>, login: Form<Login>) -> Status {
    ///     if is_right(&login.name, &login.password) {
    ///         session.login(User { id: login.name.clone() });
    ///         Status::NoContent
    ///     } else {
    ///         Status::Forbidden
    ///     }
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![login]);
    /// # let client = rocket::local::blocking::Client::tracked(rocket).unwrap();
    ///
    /// let request = client.post("/login").header(rocket::http::ContentType::Form);
    /// let response = request.body("name=ann&password=swordfish").dispatch();
    /// assert_eq!(client.session_after::<User>(&response).map(|user| user.id), Some("ann".into()));
    /// ```
    pub fn login(&self, value: T) {
        self.entry.set(value, true);
    }

    /// Logs in as [`login`](Self::login) does, and keeps something of the previous
    /// session, such as a cart. Returns the new value.
    ///
    /// `f` makes the value. It runs first with `None`. If there is a session, and
    /// it has no owner or the same owner as that value, `f` runs again with the
    /// session's value. This second result counts unless its owner differs. If a
    /// concurrent request writes to the session first, `f` runs **again** with what
    /// that request wrote, so that nothing is lost. If another login of the same owner
    /// has replaced the session, as the first click of a double click does, `f` runs
    /// with that login's value when the session is saved. `f` may read the session but
    /// not change it.
    ///
    /// An attacker may have planted the previous session in the browser. Do not
    /// keep anything that an attacker must not choose.
    ///
    /// ```
    /// # use rocket::post;
    /// # use rocket_typed_sessions::{testing::*, Session, SessionData, Sessions};
    /// # use std::borrow::Cow;
    /// #[derive(Clone, serde::Serialize, serde::Deserialize)]
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
    ///     session.login_with(|previous| Shop {
    ///         user: Some("ann".into()),
    ///         cart: previous.map(|shop| shop.cart.clone()).unwrap_or_default(),
    ///     });
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.shop.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![login]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let response = client.post("/login").session(&Shop { user: None, cart: vec![7] }).dispatch();
    /// assert_eq!(client.session_after::<Shop>(&response).map(|shop| shop.cart), Some(vec![7]));
    /// ```
    pub fn login_with(&self, f: impl Fn(Option<&T>) -> T + Send + 'static) -> Arc<T> {
        self.entry.login_with(f)
    }

    /// Gives the session a new id, and keeps its data and the time when it began.
    /// Call it after a change of privileges that is not a login. `renew_after`
    /// renews ids periodically.
    ///
    /// The previous id and all previous CSRF tokens are invalid as soon as the
    /// change is saved (OWASP, "Session Management Cheat Sheet").
    ///
    /// ```
    /// # use rocket_typed_sessions::{Session, SessionData};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: String, is_admin: bool }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// #[rocket::post("/admin-mode")]
    /// fn enter(session: Session<User>) {
    ///     session.update(|user| user.is_admin = true);
    ///     session.renew();
    /// }
    /// ```
    pub fn renew(&self) {
        self.entry.ask(|state, _| state.pending.renew = true);
    }

    /// Records that the user has just proven their identity again, for example with
    /// a password before a payment.
    ///
    /// [`authenticated_at`](Self::authenticated_at) becomes the current time, and the session gets
    /// a new id at once. Its data, beginning, lifetime and CSRF tokens stay, so that forms in other
    /// tabs can still be sent. Without a session it does nothing. With client storage, which has no
    /// id, the token is sent again.
    ///
    /// ```
    /// # use rocket::{form::{Form, FromForm}, http::Status, post};
    /// # use rocket_typed_sessions::{Session, SessionData};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: String }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// # #[derive(FromForm)]
    /// # struct Proof { password: String }
    /// # fn is_right(_: &str, _: &str) -> bool { true }
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

    /// Returns the session's id, with the changes of this request: it is known
    /// right after [`set`](Self::set) and [`login`](Self::login). Returns `None`
    /// for client storage and without a session.
    ///
    /// The saved session may have another id in two cases: the session that a `login` was to
    /// replace has ended in the meantime, or another request has renewed the session first.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::SessionRequest, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// /// The name of the session in the log. It does not open the session.
    /// #[rocket::get("/log-name")]
    /// fn log_name(session: Session<User>) -> Option<String> {
    ///     Some(session.id()?.to_string())
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![log_name]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let response = client.get("/log-name").session(&User { id: 7 }).dispatch();
    /// assert_eq!(response.into_string().map(|name| name.chars().count()), Some(9));
    /// ```
    pub fn id(&self) -> Option<SessionId> {
        self.entry.id()
    }

    /// Returns the handle that the session has in the
    /// [list](crate::SessionManager::list) of its owner's sessions, so that a page of
    /// devices can mark this one. It is valid right after a [`login`](Self::login), too.
    /// Returns `None` for client storage and without a session.
    ///
    /// ```
    /// # use std::borrow::Cow;
    /// # use rocket_typed_sessions::{testing::SessionRequest, Session, SessionData, SessionError, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: String }
    /// # impl SessionData for User {
    /// #     const NAME: &'static str = "user";
    /// #     fn owner(&self) -> Option<Cow<'_, str>> { Some(self.id.as_str().into()) }
    /// # }
    /// #[rocket::get("/devices")]
    /// async fn devices(session: Session<User>, sessions: &Sessions) -> Result<String, SessionError> {
    ///     let this = session.handle();
    ///     let list = sessions.of::<User>().list("ann").await?;
    ///     let name = |handle| if Some(handle) == this { "this device" } else { "another" };
    ///     Ok(list.into_iter().map(|device| name(device.handle)).collect())
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![devices]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let page = client.get("/devices").session(&User { id: "ann".into() }).dispatch().into_string();
    /// assert_eq!(page.as_deref(), Some("this device"));
    /// ```
    pub fn handle(&self) -> Option<SessionHandle> {
        let locator = self.entry.id()?.locator();
        Some(SessionHandle::new(&self.entry.definition.namespace.record(&locator)))
    }

    /// Returns when the session's user last logged in: by [`login`](Self::login),
    /// by [`reauthenticate`](Self::reauthenticate), or by a change of the owner.
    /// Returns `None` without a session, and for a session without a login.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::SessionRequest, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// #[rocket::get("/account")]
    /// fn account(session: Session<User>) -> Option<String> {
    ///     let age = session.authenticated_at()?.elapsed().unwrap_or_default();
    ///     Some(format!("You logged in {} hours ago.", age.as_secs() / 3600))
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![account]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let response = client.get("/account").session(&User { id: 7 }).dispatch();
    /// assert_eq!(response.into_string().as_deref(), Some("You logged in 0 hours ago."));
    /// ```
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        let times = self.entry.times()?;
        let ever = times.authenticated != Timestamp::ZERO;
        ever.then(|| times.authenticated.to_system_time())?
    }

    /// Returns whether the session's user logged in at most `age` ago. If not, a handler
    /// can ask for the password again.
    /// [`RecentlyAuthenticated`](crate::RecentlyAuthenticated) is a guard with the same
    /// check.
    ///
    /// ```
    /// # use rocket::{get, http::Status};
    /// # use rocket_typed_sessions::{testing::SessionRequest, Session, SessionData, Sessions};
    /// # use std::time::Duration;
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// #[get("/keys")]
    /// fn keys(session: Session<User>) -> Result<&'static str, Status> {
    ///     let recent = session.authenticated_within(Duration::from_secs(600));
    ///     if recent { Ok("your keys") } else { Err(Status::Unauthorized) }
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![keys]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let response = client.get("/keys").session(&User { id: 7 }).dispatch();
    /// assert_eq!(response.status(), Status::Ok);
    /// ```
    pub fn authenticated_within(&self, age: Duration) -> bool {
        let now = self.entry.now();
        self.entry.times().is_some_and(|times| {
            times.authenticated != Timestamp::ZERO && now.since(times.authenticated) <= age
        })
    }
}
