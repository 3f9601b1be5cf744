//! [`SessionsFairing`] as a builder: the parts that an application registers before launch.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use figment::value::Dict;
use rocket::Request;

use crate::application::Application;
use crate::by_id::MakeIdentity;
use crate::config::SessionConfig;
use crate::crypto::Random;
use crate::data::SessionData;
use crate::definition::EventListener;
use crate::event::SessionEvent;
use crate::expiry::Clock;
use crate::sessions::Sessions;
use crate::storage::SessionStorage;
use crate::table::Registered;
use crate::transformer::SessionTransformer;
use crate::transport::SessionTransport;

impl Sessions {
    /// Returns the fairing to attach to Rocket. At launch it reads the
    /// configuration of the sessions from Rocket.toml and the environment. In each
    /// request it saves the changes before the response is sent.
    ///
    /// ```
    /// use rocket_typed_sessions::Sessions;
    ///
    /// let rocket = rocket::build().attach(Sessions::fairing());
    /// ```
    pub fn fairing() -> SessionsFairing {
        SessionsFairing::default()
    }
}

/// The fairing to attach to Rocket. It reads the configuration of the sessions at
/// launch, and saves the changes of each request. [`Sessions::fairing`] returns it.
///
/// Its methods register custom storages, transports and transformers, which
/// Rocket.toml refers to by name, configure sessions in code, and listen to events.
/// Most applications call none of them.
///
/// ```
/// use rocket_typed_sessions::{Sessions, storage::Memory};
///
/// let rocket = rocket::build().attach(Sessions::fairing().storage("small", Memory::new(1000)));
/// ```
#[derive(Default)]
pub struct SessionsFairing {
    pub(super) storages: HashMap<String, Arc<dyn SessionStorage>>,
    pub(super) transports: HashMap<String, Arc<dyn SessionTransport>>,
    pub(super) transformers: HashMap<String, Arc<dyn SessionTransformer>>,
    pub(super) identities: HashMap<&'static str, MakeIdentity>,
    /// The tables of [`configure`](Self::configure). A name that was configured twice is a
    /// problem.
    pub(super) configured: BTreeMap<String, Dict>,
    pub(super) configured_twice: Vec<&'static str>,
    pub(super) required: Vec<Requirement>,
    pub(super) listeners: parking_lot::Mutex<Vec<EventListener>>,
    pub(super) clock: Clock,
    pub(super) random: Random,
}

/// Checks that a type has a definition. The error says what to write.
type Requirement = fn(&Application) -> Result<(), String>;

impl SessionsFairing {
    /// Registers a storage. A session's table refers to it by `storage = "name"`.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::*, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct Visits(u32);
    /// # impl SessionData for Visits { const NAME: &'static str = "visits"; }
    /// # #[rocket::get("/")]
    /// # fn index(session: Session<Visits>) { session.set(Visits(1)) }
    /// use rocket_typed_sessions::storage::Memory;
    ///
    /// // In Rocket.toml: [default.sessions.visits] storage = "small"
    /// let figment = rocket::Config::figment().merge(("sessions.visits.storage", "small"));
    /// let sessions = Sessions::fairing().storage("small", Memory::new(1000));
    /// let rocket = rocket::custom(figment).attach(sessions);
    /// # let rocket = rocket.mount("/", rocket::routes![index]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    /// # let response = client.get("/").dispatch();
    /// # assert_eq!(client.session_after::<Visits>(&response).map(|visits| visits.0), Some(1));
    /// ```
    #[must_use]
    pub fn storage(mut self, name: impl Into<String>, storage: impl SessionStorage) -> Self {
        self.storages.insert(name.into(), Arc::new(storage));
        self
    }

    /// Registers a transport. A session's table refers to it by `transport =
    /// "name"`.
    ///
    /// ```
    /// # use std::borrow::Cow;
    /// # use rocket::{Request, Response};
    /// # use rocket_typed_sessions::{testing::*, Session, SessionData, Sessions};
    /// # use rocket_typed_sessions::transport::{Outgoing, SessionTransport};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct Visits(u32);
    /// # impl SessionData for Visits { const NAME: &'static str = "visits"; }
    /// # #[rocket::get("/")]
    /// # fn index(session: Session<Visits>) { session.set(Visits(1)) }
    /// # struct Bearer;
    /// # impl SessionTransport for Bearer {
    /// #     fn receive<'r>(&self, request: &'r Request<'_>, _: &str) -> Vec<Cow<'r, str>> {
    /// #         let values = request.headers().get("Authorization");
    /// #         values.filter_map(|value| value.strip_prefix("Bearer ")).map(Cow::Borrowed).collect()
    /// #     }
    /// #     fn send(&self, response: &mut Response<'_>, name: &str, outgoing: Outgoing<'_>) {
    /// #         response.set_raw_header(name.to_owned(), outgoing.token.to_owned());
    /// #     }
    /// #     fn clear(&self, response: &mut Response<'_>, name: &str) { response.remove_header(name) }
    /// #     fn vary<'a>(&self, _: &'a str) -> Option<&'a str> { Some("Authorization") }
    /// # }
    /// // `Bearer` is the example of `SessionTransport`.
    /// // In Rocket.toml: [default.sessions.visits] transport = "bearer"
    /// let figment = rocket::Config::figment().merge(("sessions.visits.transport", "bearer"));
    /// let rocket = rocket::custom(figment).attach(Sessions::fairing().transport("bearer", Bearer));
    /// # let rocket = rocket.mount("/", rocket::routes![index]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    /// # let response = client.get("/").dispatch();
    /// # assert_eq!(client.session_after::<Visits>(&response).map(|visits| visits.0), Some(1));
    /// ```
    #[must_use]
    pub fn transport(mut self, name: impl Into<String>, transport: impl SessionTransport) -> Self {
        self.transports.insert(name.into(), Arc::new(transport));
        self
    }

    /// Registers a transformer. A session's table refers to it by `transform =
    /// ["name"]`.
    ///
    /// ```
    /// # use rocket_typed_sessions::transformer::{SessionTransformer, TransformError};
    /// # use rocket_typed_sessions::{testing::*, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct Visits(u32);
    /// # impl SessionData for Visits { const NAME: &'static str = "visits"; }
    /// # #[rocket::get("/")]
    /// # fn index(session: Session<Visits>) { session.set(Visits(1)) }
    /// # struct Reversed;
    /// # impl SessionTransformer for Reversed {
    /// #     fn write(&self, mut payload: Vec<u8>) -> Result<Vec<u8>, TransformError> {
    /// #         payload.reverse();
    /// #         Ok(payload)
    /// #     }
    /// #     fn read(&self, payload: Vec<u8>) -> Result<Vec<u8>, TransformError> { self.write(payload) }
    /// # }
    /// // `Reversed` is the example of `SessionTransformer`.
    /// // In Rocket.toml: [default.sessions.visits] transform = ["reversed"]
    /// let figment = rocket::Config::figment().merge(("sessions.visits.transform", ["reversed"]));
    /// let sessions = Sessions::fairing().transformer("reversed", Reversed);
    /// let rocket = rocket::custom(figment).attach(sessions);
    /// # let rocket = rocket.mount("/", rocket::routes![index]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    /// # let response = client.get("/").dispatch();
    /// # assert_eq!(client.session_after::<Visits>(&response).map(|visits| visits.0), Some(1));
    /// ```
    #[must_use]
    pub fn transformer(
        mut self,
        name: impl Into<String>,
        transformer: impl SessionTransformer,
    ) -> Self {
        self.transformers.insert(name.into(), Arc::new(transformer));
        self
    }

    /// Sets the function that makes the ids of `T`'s sessions, for
    /// `format = "ktor"` only: the format of the Kotlin framework Ktor. Other ids
    /// are always random.
    ///
    /// An id must be random, because anyone who guesses an unsigned id can use the
    /// session. Do not use a user's name. Outside the debug profile, an id of fewer
    /// than 22 characters fails the request with 500.
    ///
    /// `identity` runs at most once in a request. It runs at the first use of the session if the
    /// request presents no live session, or if its method is not `GET`, `HEAD`, `OPTIONS` or
    /// `TRACE`. In any other request it runs only when the response is sent, if the request has
    /// changed its session. Such a request cannot log in over a live session and then call
    /// [`Session::id`](crate::Session::id) or [`Session::save`](crate::Session::save).
    ///
    /// ```
    /// # use rocket_typed_sessions::{SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: String }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// fn random_part() -> String {
    ///     // … at least 128 random bits, as text
    ///     # String::new()
    /// }
    ///
    /// let tenant = "acme";
    /// let identity = move |_: &rocket::Request<'_>| format!("{tenant}-{}", random_part());
    /// let sessions = Sessions::fairing().identity::<User>(identity);
    /// ```
    #[must_use]
    pub fn identity<T: SessionData>(
        mut self,
        identity: impl Fn(&Request<'_>) -> String + Send + Sync + 'static,
    ) -> Self {
        self.identities.insert(T::NAME, Arc::new(identity));
        self
    }

    /// Configures the sessions of `T` in code, so that `T` needs no table in Rocket.toml.
    /// Rocket.toml and the environment take precedence, key by key. Secrets do not belong in code:
    /// they come from the environment or from files.
    ///
    /// A key in code that has no effect because of a key in Rocket.toml is ignored. For example,
    /// Rocket.toml may select a header for a session whose cookie the code configures.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::*, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct Visits(u32);
    /// # impl SessionData for Visits { const NAME: &'static str = "visits"; }
    /// # #[rocket::get("/")]
    /// # fn index(session: Session<Visits>) { session.set(Visits(1)) }
    /// use rocket_typed_sessions::config::SessionConfig;
    ///
    /// let sessions = Sessions::fairing().configure::<Visits>(SessionConfig {
    ///     storage: Some("memory".into()),
    ///     ..Default::default()
    /// });
    /// let rocket = rocket::build().attach(sessions);
    /// # let rocket = rocket.mount("/", rocket::routes![index]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    /// # let response = client.get("/").dispatch();
    /// # assert_eq!(client.session_after::<Visits>(&response).map(|visits| visits.0), Some(1));
    /// ```
    #[must_use]
    pub fn configure<T: SessionData>(mut self, config: SessionConfig) -> Self {
        if self.configured.insert(T::NAME.to_owned(), config.to_dict()).is_some() {
            self.configured_twice.push(T::NAME);
        }
        self
    }

    /// Refuses launch if `T` is not configured. Types that routes take as guards are checked
    /// anyway. Call it for a type that only the application's own guards and fairings use.
    ///
    /// ```
    /// # use rocket_typed_sessions::{SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// let rocket = rocket::build().attach(Sessions::fairing().require::<User>());
    /// let client = rocket::local::blocking::Client::untracked(rocket);
    /// let cause = client.expect_err("there is no table [default.sessions.user]");
    /// assert!(matches!(cause.kind(), rocket::error::ErrorKind::FailedFairings(_)));
    /// ```
    #[must_use]
    pub fn require<T: SessionData>(mut self) -> Self {
        self.required.push(|application| application.definition::<T>().map(drop));
        self
    }

    /// Registers a listener for the events of all sessions. It runs in the request
    /// that causes the event, so it must not block.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::*, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// # #[rocket::get("/login")]
    /// # fn login(session: Session<User>) { session.login(User { id: 7 }) }
    /// use rocket_typed_sessions::event::SessionEventKind;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// static BEGUN: AtomicUsize = AtomicUsize::new(0);
    ///
    /// let sessions = Sessions::fairing().on_event(|event| match event.kind {
    ///     SessionEventKind::Created => drop(BEGUN.fetch_add(1, Ordering::Relaxed)),
    ///     kind => rocket::info!("{}: {kind:?}", event.session),
    /// });
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(sessions).mount("/", rocket::routes![login]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// client.get("/login").dispatch();
    /// assert_eq!(BEGUN.load(Ordering::Relaxed), 1);
    /// ```
    #[must_use]
    pub fn on_event(self, listener: impl Fn(&SessionEvent) + Send + Sync + 'static) -> Self {
        self.listeners.lock().push(Box::new(listener));
        self
    }
}

#[cfg(feature = "testing")]
impl SessionsFairing {
    /// Uses a clock that a test moves, instead of the system's.
    ///
    /// ```
    /// use rocket_typed_sessions::{Sessions, testing::Clock};
    ///
    /// let clock = Clock::new();
    /// let rocket = rocket::build().attach(Sessions::fairing().clock(&clock));
    /// ```
    #[must_use]
    pub fn clock(self, clock: &crate::testing::Clock) -> Self {
        Self { clock: clock.inside(), ..self }
    }
}

#[cfg(test)]
impl SessionsFairing {
    /// Uses another random generator than the system's.
    pub(crate) fn random(self, random: Random) -> Self {
        Self { random, ..self }
    }
}

impl fmt::Debug for SessionsFairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionsFairing").finish_non_exhaustive()
    }
}

impl SessionsFairing {
    /// Returns the registered names, which Rocket.toml may use beside the built-in ones.
    pub(super) fn registered(&self) -> Registered {
        Registered {
            storages: names(&self.storages),
            transports: names(&self.transports),
            transformers: names(&self.transformers),
            configured: self.configured.clone(),
            configured_twice: self.configured_twice.clone(),
        }
    }
}

fn names<T>(parts: &HashMap<String, T>) -> Vec<String> {
    parts.keys().cloned().collect()
}
