//! [`Session`], the request guard that yields a session.

mod guard;
mod lifetime;
mod login;

use std::fmt;
use std::sync::Arc;

pub(crate) use guard::failed;
use parking_lot::Mutex;

use crate::absence::Absence;
use crate::data::SessionData;
use crate::error::SessionError;
use crate::request::entry::Entry;
use crate::request::state::State;

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
