//! [`SessionsFairing`] as a Rocket fairing: what it does at launch and for each response.

mod builder;
mod caching;
mod launch;
mod purge;
mod reload;
mod respond;
mod storages;
mod summary;
mod tokens;

use std::sync::Arc;

use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::futures::future::BoxFuture;
use rocket::{Build, Orbit, Request, Response, Rocket, error, info, warn};

use crate::application::Application;
use crate::sessions::Sessions;
pub use builder::SessionsFairing;
use purge::purge;
use respond::Turn;

#[rocket::async_trait]
impl Fairing for SessionsFairing {
    fn info(&self) -> Info {
        // This is not a singleton, because Rocket would silently keep the last of two.
        Info { name: "Sessions", kind: Kind::Ignite | Kind::Liftoff | Kind::Response }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        if rocket.state::<Sessions>().is_some() {
            error!("`Sessions::fairing()` is attached twice; attach it once.");
            return Err(rocket);
        }
        match launch::launch(self, rocket.figment()).await {
            Ok(application) => {
                let application = Arc::new(application);
                let sessions = Sessions::new(Arc::clone(&application));
                let follow = Follow { rounds: DEEPEST_STAGES };
                Ok(rocket.manage(application).manage(sessions).attach(Last).attach(follow))
            }
            Err(problems) => {
                error!("The configuration of the sessions is invalid.");
                for problem in problems {
                    error!("{problem}");
                }
                Err(rocket)
            }
        }
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        let Some(sessions) = rocket.state::<Sessions>() else { return };
        let report = &sessions.application().report;
        report.summary.iter().for_each(|line| info!("{line}"));
        report.warnings.iter().for_each(|warning| warn!("{warning}"));
        warn_of_missing_tls(rocket, sessions.application());
        let source = reload::KeyFiles {
            figment: rocket.figment().clone(),
            registered: Arc::new(self.registered()),
        };
        reload::start(sessions.application(), &source, &rocket.shutdown());
        for storage in &sessions.application().storages {
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

/// Warns if `tls` is configured and Rocket serves plain HTTP nevertheless.
fn warn_of_missing_tls(rocket: &Rocket<Orbit>, application: &Application) {
    let secure = application.definitions.values().any(|one| one.hints.needs_https());
    if secure && rocket.figment().contains("tls") && !rocket.config().tls_enabled() {
        warn!(
            "`tls` is configured, but Rocket was built without its feature `tls` and serves plain HTTP, over which browsers drop the `Secure` cookies of the sessions. Write `features = [\"tls\"]` for `rocket` in Cargo.toml. If a proxy speaks HTTPS, remove `tls`."
        );
    }
}

/// Runs after every other response fairing, so that the changes which those make to a
/// session are committed, and their tokens are sent.
struct Last;

#[rocket::async_trait]
impl Fairing for Last {
    fn info(&self) -> Info {
        // Of a singleton, Rocket keeps the one that was attached last.
        Info { name: "Sessions (last)", kind: Kind::Response | Kind::Singleton }
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

/// How deep stages may be nested if their response fairings use sessions. It is at least 1.
const DEEPEST_STAGES: u8 = 3;

/// Moves [`Last`] behind the fairings that a stage has attached while Rocket ignites. Rocket runs
/// the ignition in rounds: what is attached in one round is ignited in the next one.
struct Follow {
    rounds: u8,
}

#[rocket::async_trait]
impl Fairing for Follow {
    fn info(&self) -> Info {
        Info { name: "Sessions (stages)", kind: Kind::Ignite }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        let rocket = rocket.attach(Last);
        let rounds = self.rounds - 1;
        Ok(if rounds == 0 { rocket } else { rocket.attach(Self { rounds }) })
    }
}
