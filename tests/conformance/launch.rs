//! What an application may ask of a storage that cannot do everything.

use std::borrow::Cow;

use rocket::error::ErrorKind;
use rocket::figment::Figment;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::storage::{LastWriteWins, SessionStorage};
use rocket_typed_sessions::{Session, SessionData, SessionError, Sessions};
use serde::{Deserialize, Serialize};

use crate::wrong::{Bug, Plain};

#[derive(Clone, Serialize, Deserialize)]
struct User(String);

impl SessionData for User {
    const NAME: &'static str = "user";

    fn owner(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.0))
    }
}

#[get("/login")]
fn login(session: Session<User>) {
    session.login(User("ann".into()));
}

#[get("/list")]
async fn list(sessions: &Sessions) -> String {
    match sessions.of::<User>().list("ann").await {
        Ok(list) => list.len().to_string(),
        Err(SessionError::Unsupported(_)) => "unsupported".into(),
        Err(other) => other.to_string(),
    }
}

/// An application on `storage`, with one more line of configuration.
async fn launched(storage: impl SessionStorage, key: &str, value: &str) -> Option<Client> {
    let figment = Figment::from(rocket::Config::debug_default())
        .merge(("log_level", "off"))
        .merge(("sessions.user.storage", "mine"));
    let figment = match value.parse::<u32>() {
        Ok(number) => figment.merge((format!("sessions.user.{key}"), number)),
        Err(_) => figment.merge((format!("sessions.user.{key}"), value)),
    };
    let sessions = Sessions::fairing().storage("mine", storage);
    let rocket = rocket::custom(figment).attach(sessions).mount("/", routes![login, list]);
    match Client::untracked(rocket).await {
        Ok(client) => Some(client),
        Err(error) => {
            // Rocket panics with an error that nobody has looked at.
            assert!(matches!(error.kind(), ErrorKind::FailedFairings(_)), "{error}");
            None
        }
    }
}

#[rocket::async_test]
async fn launch_refuses_what_the_storage_cannot_keep() {
    let limit = ("max_sessions_per_owner", "2");
    let grace = ("renewal_grace", "30 seconds");
    for ((key, value), indexed, no_index, last_write_wins) in
        [(limit, true, false, false), (grace, true, true, false)]
    {
        let all = launched(Plain::new(Bug::None), key, value).await;
        assert_eq!(all.is_some(), indexed, "{key}");
        let without = launched(Plain::new(Bug::NoIndex), key, value).await;
        assert_eq!(without.is_some(), no_index, "{key} without an index");
        let simple = LastWriteWins::new(super::Map::default());
        let simple = launched(simple, key, value).await;
        assert_eq!(simple.is_some(), last_write_wins, "{key} where the last write wins");
    }
}

#[rocket::async_test]
async fn without_an_index_a_login_works_and_a_list_is_unsupported() {
    for (bug, expected) in [(Bug::None, "1"), (Bug::NoIndex, "unsupported")] {
        let client = launched(Plain::new(bug), "renew_after", "1 hour").await.expect("it launches");
        assert_eq!(client.get("/login").dispatch().await.status(), Status::Ok);
        let listed = client.get("/list").dispatch().await.into_string().await;
        assert_eq!(listed.as_deref(), Some(expected));
    }
}
