//! The calls about how long a session lives, and which requests count as a use of it.

use std::time::SystemTime;

use super::Session;
use crate::data::SessionData;
use crate::error::SessionError;
use crate::expiry::{Lifetime, OwnLifetime};

impl<T: SessionData> Session<T> {
    /// Sets the lifetime of this session, instead of the configured one.
    /// [`Lifetime::Configured`] restores that. [The guide](crate::guide::lifetimes)
    /// has more examples.
    ///
    /// The lifetime applies to the current session, or to one that this request
    /// begins. The call may come before the first value, and before or after a
    /// [`login`](Self::login). [`clear`](Self::clear), [`discard`](Self::discard)
    /// and a 5xx response undo it like any other change. [`renew`](Self::renew)
    /// keeps it. A login of a later request starts with [`Lifetime::Configured`].
    ///
    /// `absolute_timeout` limits every lifetime. A cookie lasts as long as its
    /// session, regardless of a configured `max_age`. With server storage the cookie of
    /// [`Lifetime::Idle`] lasts until the session's absolute end.
    ///
    /// # Errors
    ///
    /// Neither error changes anything.
    ///
    /// - [`SessionError::Lifetime`] for an idle timeout of zero or a time in the
    ///   past.
    /// - [`SessionError::Unsupported`] with `format = "ktor"`, which cannot store a
    ///   lifetime.
    ///
    /// # Examples
    ///
    /// "Remember me", a box that can be ticked and unticked:
    ///
    /// ```
    /// # use rocket::post;
    /// # use rocket_typed_sessions::{SessionData};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: String }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// use rocket_typed_sessions::{Lifetime, Session, SessionError};
    /// use std::time::Duration;
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
    /// # use rocket::post;
    /// # use rocket_typed_sessions::{Lifetime, Session, SessionData, SessionError};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct Till { number: u32 }
    /// # impl SessionData for Till { const NAME: &'static str = "till"; }
    /// use rocket::time::{OffsetDateTime, Time};
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
        if self.entry.definition.tokens().writes_ktor() {
            let why = "Ktor's format has no room for a session's own lifetime";
            return Err(SessionError::Unsupported(why.into()));
        }
        let lifetime = OwnLifetime::new(lifetime, self.entry.now())?;
        self.entry.ask(|state, _| state.pending.lifetime = Some(lifetime));
        Ok(())
    }

    /// Returns the session's lifetime, with the changes of this request. Without a
    /// session it is the lifetime of one that this request may still begin.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::SessionRequest, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// use rocket_typed_sessions::Lifetime;
    ///
    /// /// Whether "remember me" is to be shown as ticked.
    /// #[rocket::get("/remembered")]
    /// fn remembered(session: Session<User>) -> String {
    ///     matches!(session.lifetime(), Lifetime::Idle(_)).to_string()
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![remembered]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let response = client.get("/remembered").session(&User { id: 7 }).dispatch();
    /// assert_eq!(response.into_string().as_deref(), Some("false"));
    /// ```
    pub fn lifetime(&self) -> Lifetime {
        self.entry.lifetime().into()
    }

    /// Prolongs the session now: its idle timeout starts again, regardless
    /// of `touch_after`. The end of a session with [`Lifetime::Until`]
    /// stays.
    ///
    /// Every request that uses a session prolongs it without a call, but at most
    /// once every `touch_after`, and not after the response has been sent. Long
    /// streams call `touch` and [`save`](Self::save).
    ///
    /// If the touch fails, `save` returns the error. Without a `save` the response is
    /// 503. The error is [`SessionError::TooLate`] if the response has been sent and
    /// the cookie would have to be sent again: with client storage, or with a `max_age`
    /// that is shorter than `absolute_timeout`.
    ///
    /// If a request calls both `touch` and [`skip_touch`](Self::skip_touch), the later call counts.
    ///
    /// ```
    /// # use rocket::get;
    /// # use rocket::response::stream::{Event, EventStream};
    /// # use rocket_typed_sessions::{Session, SessionData};
    /// # use std::time::Duration;
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: String }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// /// Keeps the session alive while somebody watches. Ends when the session does.
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
        self.entry.ask(|state, _| state.count_as_use(true));
    }

    /// Makes this request not count as a use of the session: the expiry and the time
    /// of the last use stay as they are. Polling, health checks and background
    /// refresh then do not keep an abandoned browser logged in.
    ///
    /// Changes of the request are still saved. The call may come at any time of the
    /// request. If it calls [`touch`](Self::touch) as well, the later call counts.
    /// A session that the request begins lives for its whole idle timeout.
    ///
    /// With client storage the last response to reach the client wins. If this
    /// request changes the session while another request uses it, that use may not
    /// count.
    ///
    /// ```
    /// # use rocket::get;
    /// # use rocket_typed_sessions::{Session, SessionData};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: String, unread: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// /// The page asks for this every ten seconds.
    /// #[get("/unread")]
    /// fn unread(session: Session<User>) -> Option<String> {
    ///     session.skip_touch();
    ///     session.get().map(|user| user.unread.to_string())
    /// }
    /// ```
    pub fn skip_touch(&self) {
        self.entry.ask(|state, _| state.count_as_use(false));
    }

    /// Returns when the session began. It is the current time if this request begins the
    /// session, also by a login. Returns `None` without a session.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::SessionRequest, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// /// For how long the user has been logged in.
    /// #[rocket::get("/since")]
    /// fn since(session: Session<User>) -> Option<String> {
    ///     let age = session.created_at()?.elapsed().unwrap_or_default();
    ///     Some(format!("{} minutes", age.as_secs() / 60))
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![since]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let response = client.get("/since").session(&User { id: 7 }).dispatch();
    /// assert_eq!(response.into_string().as_deref(), Some("0 minutes"));
    /// ```
    pub fn created_at(&self) -> Option<SystemTime> {
        self.entry.times()?.created.to_system_time()
    }

    /// Returns when the session ends unless it is used again, with the changes of
    /// this request. Returns `None` without a session.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::SessionRequest, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// use std::time::SystemTime;
    ///
    /// /// The page warns its user in time.
    /// #[rocket::get("/left")]
    /// fn left(session: Session<User>) -> Option<String> {
    ///     let left = session.expires_at()?.duration_since(SystemTime::now()).unwrap_or_default();
    ///     Some(format!("{} minutes", left.as_secs().div_ceil(60)))
    /// }
    ///
    /// let figment = rocket::Config::figment()
    ///     .merge(("sessions.user.storage", "memory"))
    ///     .merge(("sessions.user.idle_timeout", "30 minutes"))
    ///     .merge(("sessions.user.touch_after", "1 minute"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![left]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// // The 30 minutes begin with the last use that was recorded, or up to a minute later.
    /// let response = client.get("/left").session(&User { id: 7 }).dispatch();
    /// assert_eq!(response.into_string().as_deref(), Some("31 minutes"));
    /// ```
    pub fn expires_at(&self) -> Option<SystemTime> {
        let times = self.entry.times()?;
        self.entry.definition.policy.timeouts.expires(&times).to_system_time()
    }
}
