//! What an application registers before launch.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use rocket::Request;

use crate::by_id::Identity;
use crate::crypto::Random;
use crate::data::SessionData;
use crate::definition::Listener;
use crate::event::SessionEvent;
use crate::expiry::Clock;
use crate::sessions::Sessions;
use crate::storage::SessionStorage;
use crate::table::Registered;
use crate::transformer::SessionTransformer;
use crate::transport::SessionTransport;

impl Sessions {
    /// The fairing that reads the definitions from Rocket.toml and the
    /// environment and commits every request's changes.
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

/// Reads the session definitions at launch, commits every request's changes.
///
/// Attach it as it is; the methods register parts that Rocket.toml names.
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
    pub(super) identities: HashMap<&'static str, Identity>,
    pub(super) listeners: parking_lot::Mutex<Vec<Listener>>,
    pub(super) clock: Clock,
    pub(super) random: Random,
}

impl SessionsFairing {
    /// A storage that a definition names by `storage = "name"`.
    #[must_use]
    pub fn storage(mut self, name: impl Into<String>, storage: impl SessionStorage) -> Self {
        self.storages.insert(name.into(), Arc::new(storage));
        self
    }

    /// A transport that a definition names by `transport = "name"`.
    #[must_use]
    pub fn transport(mut self, name: impl Into<String>, transport: impl SessionTransport) -> Self {
        self.transports.insert(name.into(), Arc::new(transport));
        self
    }

    /// A transformer that a definition names by `transform = ["name"]`.
    #[must_use]
    pub fn transformer(
        mut self,
        name: impl Into<String>,
        transformer: impl SessionTransformer,
    ) -> Self {
        self.transformers.insert(name.into(), Arc::new(transformer));
        self
    }

    /// Makes the ids of `T`'s sessions, with `format = "ktor"` only: native ids
    /// are always random. Called at a request's first use of the session.
    ///
    /// Whoever guesses an id that is not signed has the session: a user's name
    /// is no id. Outside the debug profile, fewer than 22 characters are refused
    /// with 500.
    ///
    /// ```
    /// use rocket::Request;
    /// use rocket_typed_sessions::{SessionData, Sessions};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Clone, Serialize, Deserialize)]
    /// struct User { id: String }
    ///
    /// impl SessionData for User {
    ///     const NAME: &'static str = "user";
    /// }
    ///
    /// fn random_id(_: &Request<'_>) -> String {
    ///     // … as your Ktor service makes them
    ///     # String::new()
    /// }
    ///
    /// let fairing = Sessions::fairing().identity::<User>(random_id);
    /// ```
    #[must_use]
    pub fn identity<T: SessionData>(mut self, identity: fn(&Request<'_>) -> String) -> Self {
        self.identities.insert(T::NAME, identity);
        self
    }

    /// Called for everything that happens to a session, in the request that
    /// causes it: keep it short.
    #[must_use]
    pub fn on_event(self, listener: impl Fn(&SessionEvent) + Send + Sync + 'static) -> Self {
        self.listeners.lock().push(Box::new(listener));
        self
    }
}

#[cfg(feature = "testing")]
impl SessionsFairing {
    /// Goes by a clock that a test moves, instead of the system's.
    #[must_use]
    pub fn clock(self, clock: &crate::testing::Clock) -> Self {
        Self { clock: clock.inside(), ..self }
    }
}

#[cfg(test)]
impl SessionsFairing {
    /// Draws from another generator than the system's.
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
    /// What Rocket.toml may name besides what is built in.
    pub(super) fn registered(&self) -> Registered {
        Registered {
            storages: names(&self.storages),
            transports: names(&self.transports),
            transformers: names(&self.transformers),
        }
    }
}

fn names<T>(parts: &HashMap<String, T>) -> Vec<String> {
    parts.keys().cloned().collect()
}
