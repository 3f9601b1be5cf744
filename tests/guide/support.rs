//! What the files have in common: a configuration, and an application of it.

use rocket::Route;
use rocket::figment::Figment;
use rocket::local::asynchronous::Client;
use rocket_typed_sessions::SessionsFairing;

pub use crate::shared::*;

/// A configuration of the session `user` for release.
pub fn figment(storage: &str) -> Figment {
    Figment::from(rocket::Config::default())
        .select("release")
        .merge(("log_level", std::env::var("TEST_LOG").unwrap_or("off".into())))
        .merge(("sessions.secret", KEY))
        .merge(("sessions.user.storage", storage))
}

pub async fn client(figment: Figment, sessions: SessionsFairing, routes: Vec<Route>) -> Client {
    let rocket = rocket::custom(figment).attach(sessions).mount("/", routes);
    Client::untracked(rocket).await.expect("a valid configuration")
}
