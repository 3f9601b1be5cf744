//! [`SessionsFairing`]: launch, response, shutdown.

mod caching;
mod format;
mod launch;
mod open;
mod reload;
mod respond;
mod summary;

use std::collections::HashMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::futures::FutureExt;
use rocket::futures::future::BoxFuture;
use rocket::{Build, Orbit, Request, Response, Rocket, Shutdown, error, info, warn};

use crate::by_id::Identity;
use crate::crypto::Random;
use crate::data::SessionData;
use crate::definition::{Core, Listener};
use crate::event::SessionEvent;
use crate::expiry::Clock;
use crate::sessions::Sessions;
use crate::storage::SessionStorage;
use crate::transformer::SessionTransformer;
use crate::transport::SessionTransport;
use respond::Turn;

/// How often a storage is asked to remove expired records, and how many at once.
const PURGE_EVERY: Duration = Duration::from_secs(60);
const PURGE_BATCH: usize = 1000;
/// The least pause between two full batches, so that requests hardly notice; it is
/// twice as long as the batch has taken.
const PURGE_PAUSE: Duration = Duration::from_millis(2);

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
    storages: HashMap<String, Arc<dyn SessionStorage>>,
    transports: HashMap<String, Arc<dyn SessionTransport>>,
    transformers: HashMap<String, Arc<dyn SessionTransformer>>,
    identities: HashMap<&'static str, Identity>,
    listeners: parking_lot::Mutex<Vec<Listener>>,
    clock: Clock,
    random: Random,
}

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

#[rocket::async_trait]
impl Fairing for SessionsFairing {
    fn info(&self) -> Info {
        // Not a singleton: Rocket would silently keep the last of two.
        Info { name: "Sessions", kind: Kind::Ignite | Kind::Liftoff | Kind::Response }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        if rocket.state::<Sessions>().is_some() {
            error!("`Sessions::fairing()` is attached twice; attach it once.");
            return Err(rocket);
        }
        match self.ignite(rocket.figment()).await {
            Ok(core) => {
                let core = Arc::new(core);
                Ok(rocket.manage(Arc::clone(&core)).manage(Sessions::new(core)).attach(Last))
            }
            Err(problems) => {
                error!("The configuration of the sessions is wrong.");
                for problem in problems {
                    error!("{problem}");
                }
                Err(rocket)
            }
        }
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        let Some(sessions) = rocket.state::<Sessions>() else { return };
        let report = &sessions.core().report;
        report.summary.iter().for_each(|line| info!("{line}"));
        report.warnings.iter().for_each(|warning| warn!("{warning}"));
        let source = reload::Source {
            figment: rocket.figment().clone(),
            registered: Arc::new(launch::registered(self)),
        };
        reload::start(&sessions.core().reloads, &source, &rocket.shutdown());
        for storage in &sessions.core().storages {
            rocket::tokio::spawn(purge(Arc::clone(storage), self.clock.clone(), rocket.shutdown()));
        }
    }

    fn on_response<'r, 'fairing, 'request, 'response, 'future>(
        &'fairing self,
        request: &'r Request<'request>,
        response: &'response mut Response<'r>,
    ) -> BoxFuture<'future, ()>
    where
        'r: 'future,
        'fairing: 'future,
        'request: 'future,
        'response: 'future,
    {
        respond::respond(request, response, Turn::First)
    }
}

/// Runs behind every other response fairing: what these do with a session is
/// committed, and their tokens reach the client.
struct Last;

#[rocket::async_trait]
impl Fairing for Last {
    fn info(&self) -> Info {
        Info { name: "Sessions (last)", kind: Kind::Response }
    }

    fn on_response<'r, 'fairing, 'request, 'response, 'future>(
        &'fairing self,
        request: &'r Request<'request>,
        response: &'response mut Response<'r>,
    ) -> BoxFuture<'future, ()>
    where
        'r: 'future,
        'fairing: 'future,
        'request: 'future,
        'response: 'future,
    {
        respond::respond(request, response, Turn::Last)
    }
}

/// Removes expired records in bounded batches until shutdown.
async fn purge(storage: Arc<dyn SessionStorage>, clock: Clock, shutdown: Shutdown) {
    let random = Random::default();
    tokio::pin!(shutdown);
    loop {
        // Jitter keeps several nodes from purging in step.
        let jitter = random.bytes::<1>().map_or(0, |[byte]| u64::from(byte)) * 100;
        let pause = tokio::time::sleep(PURGE_EVERY + Duration::from_millis(jitter));
        tokio::select! {
            () = pause => {}
            () = &mut shutdown => return,
        }
        loop {
            let started = tokio::time::Instant::now();
            let purged = storage.purge_expired(clock.now(), PURGE_BATCH);
            match AssertUnwindSafe(purged).catch_unwind().await {
                Ok(Ok(PURGE_BATCH..)) => {
                    tokio::time::sleep(PURGE_PAUSE.max(2 * started.elapsed())).await;
                }
                Ok(Ok(_)) => break,
                Ok(Err(cause)) => {
                    warn!("Expired sessions could not be removed: {cause}.");
                    break;
                }
                Err(_) => {
                    error!("A storage panicked while it removed expired sessions.");
                    break;
                }
            }
        }
    }
}

/// What the builder and the configuration amount to is made in [`launch`].
impl SessionsFairing {
    fn take_listeners(&self) -> Vec<Listener> {
        std::mem::take(&mut *self.listeners.lock())
    }

    async fn ignite(&self, figment: &figment::Figment) -> Result<Core, Vec<String>> {
        launch::core(self, figment).await
    }
}
