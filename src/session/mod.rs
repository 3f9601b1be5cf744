//! [`Session`], the request guard that yields a session.

mod guard;
mod identity;
mod lifetime;

use std::fmt;
use std::sync::Arc;

pub(crate) use guard::failed;
use parking_lot::Mutex;

use crate::absence::Absence;
use crate::data::SessionData;
use crate::error::SessionError;
use crate::request::entry::Entry;
use crate::request::state::State;

/// The session of the current request, as a request guard. A handler reads, changes, begins and
/// ends the session with it.
///
/// All guards for the same `T` in one request share one session, which is loaded
/// once. A clone is another handle on it. The changes are saved once, after the
/// handler has returned and before the response is sent.
///
/// A missing, malformed, forged, expired or unknown token means that the request
/// has no session. It is not an error.
///
/// | | outcome |
/// |---|---|
/// | a session, or none | success |
/// | the storage cannot answer | error, 503 |
///
/// # When the storage cannot answer
///
/// The session is then unknown, which is not the same as absent. The client's token
/// stays as it is, and the response is the 503 of the application's catcher. This
/// also holds where the handler takes `Option<Session<T>>` or
/// `Result<Session<T>, _>`, or a guard of the application ignores the error: the
/// handler runs, its response is replaced, and the request's changes to sessions
/// are dropped. Its other effects remain, and a client that retries repeats them.
/// Take [`TrySession`](crate::TrySession) to serve such a request.
///
/// # Example
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
    /// Returns the value, with the changes of this request. Returns `None` without
    /// a session.
    ///
    /// ```
    /// # use rocket::get;
    /// # use rocket_typed_sessions::{testing::SessionRequest, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { name: String }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// #[get("/")]
    /// fn index(session: Session<User>) -> String {
    ///     match session.get() {
    ///         Some(user) => format!("Hello, {}!", user.name),
    ///         None => "Hello!".into(),
    ///     }
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![index]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let ann = User { name: "Ann".into() };
    /// let page = client.get("/").session(&ann).dispatch().into_string();
    /// assert_eq!(page.as_deref(), Some("Hello, Ann!"));
    /// ```
    pub fn get(&self) -> Option<Arc<T>> {
        self.entry.get()
    }

    /// Returns why the request presented no session. Returns `None` if it presented
    /// one. The answer does not depend on what the request does with its session.
    ///
    /// A page can use it to say "please log in **again**". The crate sends the same
    /// headers in every case, and stores nothing to tell the cases apart.
    ///
    /// ```
    /// # use rocket::get;
    /// # use rocket_typed_sessions::{Absence, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: String }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// #[get("/login")]
    /// fn login_page(session: Session<User>) -> &'static str {
    ///     match session.absence() {
    ///         None => "You are logged in.",
    ///         Some(Absence::Ended) => "You have been logged out. Please log in again.",
    ///         Some(_) => "Please log in.",
    ///     }
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![login_page]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let page = client.get("/login").dispatch().into_string();
    /// assert_eq!(page.as_deref(), Some("Please log in."));
    /// ```
    pub fn absence(&self) -> Option<Absence> {
        self.entry.absence
    }

    /// Returns the value. Begins a session with the result of `f` if there is none.
    ///
    /// ```
    /// # use rocket_typed_sessions::{Session, SessionData, Sessions};
    /// # #[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
    /// # struct Cart { items: Vec<u32> }
    /// # impl SessionData for Cart { const NAME: &'static str = "cart"; }
    /// #[rocket::get("/cart")]
    /// fn cart(session: Session<Cart>) -> String {
    ///     let cart = session.get_or_insert_with(Cart::default);
    ///     format!("{} items", cart.items.len())
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.cart.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![cart]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// assert_eq!(client.get("/cart").dispatch().into_string().as_deref(), Some("0 items"));
    /// ```
    pub fn get_or_insert_with(&self, f: impl FnOnce() -> T) -> Arc<T> {
        self.entry.get_or_insert_with(f)
    }

    /// Replaces the value. Begins a session with a new id if there is none. An id
    /// that a client made up never becomes the id of a session, which prevents
    /// session fixation (OWASP, "Session Management Cheat Sheet").
    ///
    /// `set` ignores the previous value: of two concurrent calls the later one
    /// wins. Use [`update`](Self::update) where the new value depends on the
    /// current one. A value of another [`owner`](SessionData::owner) is a
    /// [`login`](Self::login).
    ///
    /// ```
    /// # use rocket_typed_sessions::{Session, SessionData};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct Theme { dark: bool }
    /// # impl SessionData for Theme { const NAME: &'static str = "theme"; }
    /// #[rocket::post("/theme?<dark>")]
    /// fn choose(session: Session<Theme>, dark: bool) {
    ///     session.set(Theme { dark });
    /// }
    /// ```
    pub fn set(&self, value: T) {
        self.entry.set(value, false);
    }

    /// Changes the value, and returns the new one. Returns `None` without a
    /// session.
    ///
    /// `f` runs at once. With server storage it runs **again**, on the current
    /// record, if another request has written to the session first. So concurrent
    /// requests lose no update. `f` must own what it uses and not consume it:
    /// `move` the values in, and clone them inside. With client storage the last
    /// response to reach the client wins.
    ///
    /// `f` may call methods of its own session. Such changes count once, and apply before
    /// the change of `f`. They have no effect when `f` runs again.
    ///
    /// # Panics
    ///
    /// A panic in `f` passes to the caller and leaves the value as it was.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::SessionRequest, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct Cart { items: Vec<String> }
    /// # impl SessionData for Cart { const NAME: &'static str = "cart"; }
    /// #[rocket::post("/cart/<item>")]
    /// fn add(session: Session<Cart>, item: String) -> Option<String> {
    ///     let cart = session.update(move |cart| cart.items.push(item.clone()))?;
    ///     Some(cart.items.join(", "))
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.cart.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![add]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let cart = Cart { items: vec!["tea".into()] };
    /// let response = client.post("/cart/milk").session(&cart).dispatch();
    /// assert_eq!(response.into_string().as_deref(), Some("tea, milk"));
    /// ```
    pub fn update(&self, f: impl Fn(&mut T) + Send + 'static) -> Option<Arc<T>> {
        self.entry.update(f)
    }

    /// Changes the value as [`update`](Self::update) does, and saves it at once.
    /// Returns the result of `f` in the run that was saved. Returns `Ok(None)`
    /// without a session.
    ///
    /// After an error, or when the future is dropped, the change stays pending: a
    /// later [`save`](Self::save) or the response tries again. It counts once, even
    /// if it was written and only the answer was lost.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::SessionRequest, Session, SessionData, SessionError, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct Quota { left: u32 }
    /// # impl SessionData for Quota { const NAME: &'static str = "quota"; }
    /// /// Two requests at the same time never take the same download from the quota.
    /// #[rocket::post("/download")]
    /// async fn download(session: Session<Quota>) -> Result<Option<&'static str>, SessionError> {
    ///     let taken = session.update_now(|quota| {
    ///         let left = quota.left.checked_sub(1)?;
    ///         quota.left = left;
    ///         Some("the file")
    ///     });
    ///     Ok(taken.await?.flatten())
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.quota.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![download]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let response = client.post("/download").session(&Quota { left: 1 }).dispatch();
    /// assert_eq!(response.into_string().as_deref(), Some("the file"));
    /// ```
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
        // If the change was not `kept`, the request dropped it in the meantime.
        Ok(committed.filter(|_| kept))
    }

    /// Ends the session. Its record is deleted, and the client is told to remove
    /// its token, valid or not. Every session that the request presented ends.
    ///
    /// With client storage a copy of the token stays valid until it expires, unless
    /// `revocation` is configured.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::*, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// #[rocket::post("/logout")]
    /// fn logout(session: Session<User>) {
    ///     session.clear();
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![logout]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let response = client.post("/logout").session(&User { id: 7 }).dispatch();
    /// assert!(client.session_after::<User>(&response).is_none());
    /// ```
    pub fn clear(&self) {
        self.entry.ask(State::clear);
    }

    /// Drops the changes of this request that are not saved yet.
    ///
    /// ```
    /// # use rocket::http::Status;
    /// # use rocket_typed_sessions::{Session, SessionData};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct Cart { items: Vec<u32> }
    /// # impl SessionData for Cart { const NAME: &'static str = "cart"; }
    /// # fn place_order() -> Result<(), ()> { Ok(()) }
    /// #[rocket::post("/order")]
    /// fn order(session: Session<Cart>) -> Status {
    ///     session.update(|cart| cart.items.clear());
    ///     if place_order().is_err() {
    ///         session.discard(); // the cart is full again
    ///         return Status::Conflict;
    ///     }
    ///     Status::NoContent
    /// }
    /// ```
    pub fn discard(&self) {
        self.entry.ask(State::discard);
    }

    /// Loads the session again, and returns the value. Changes that are not saved yet are kept and
    /// applied to the loaded value. A long stream calls it to notice that the session was revoked
    /// or has expired.
    ///
    /// ```
    /// # use rocket::response::stream::{Event, EventStream};
    /// # use rocket_typed_sessions::{Session, SessionData};
    /// # use std::time::Duration;
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: String }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// /// The stream ends when the session does.
    /// #[rocket::get("/prices")]
    /// fn prices(session: Session<User>) -> EventStream![] {
    ///     EventStream! {
    ///         let mut seconds = rocket::tokio::time::interval(Duration::from_secs(1));
    ///         while let Ok(Some(_)) = session.refresh().await {
    ///             yield Event::data("42.00");
    ///             seconds.tick().await;
    ///         }
    ///     }
    /// }
    /// ```
    pub async fn refresh(&self) -> Result<Option<Arc<T>>, SessionError> {
        self.entry.refresh().await
    }

    /// Saves the changes now, instead of after the handler. Call it to see the error, or before an
    /// action that must not happen unless the session is saved. A stream must call it, because
    /// nothing is saved automatically after the response has been sent.
    ///
    /// After an error the changes stay pending: a later `save` or the response
    /// tries again. After [`SessionError::Ended`] they are dropped, because the
    /// session has ended.
    ///
    /// ```
    /// # use rocket_typed_sessions::{Session, SessionData, SessionError};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct Signup { code: u32 }
    /// # impl SessionData for Signup { const NAME: &'static str = "signup"; }
    /// # fn send_mail(_: u32) {}
    /// #[rocket::post("/signup")]
    /// async fn signup(session: Session<Signup>) -> Result<(), SessionError> {
    ///     let code = 123_456;
    ///     session.set(Signup { code });
    ///     session.save().await?; // no mail without a session to enter the code in
    ///     send_mail(code);
    ///     Ok(())
    /// }
    /// ```
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
