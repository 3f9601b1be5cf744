//! How long a session lives, and what counts as a use of it.

use std::time::SystemTime;

use super::Session;
use crate::data::SessionData;
use crate::error::SessionError;
use crate::expiry::{Lifetime, OwnLifetime};

impl<T: SessionData> Session<T> {
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
}
