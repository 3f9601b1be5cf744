//! Launch is refused, with a message, where a request could only fail.

use rocket::error::ErrorKind;
use rocket::http::Status;
use rocket::outcome::try_outcome;
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, get, routes};
use rocket_typed_sessions::{Session, SessionData, SessionError, Sessions};
use serde::{Deserialize, Serialize};

use crate::support::*;

#[derive(Clone, Serialize, Deserialize)]
struct Undefined;

impl SessionData for Undefined {
    const NAME: &'static str = "undefined";
}

#[derive(Clone, Serialize, Deserialize)]
struct Impostor;

impl SessionData for Impostor {
    const NAME: &'static str = "user";
}

#[get("/undefined")]
fn undefined(_session: Option<Session<Undefined>>) {}

#[get("/impostor")]
fn impostor(_session: Result<Session<Impostor>, SessionError>) {}

/// A guard that Rocket's sentinels cannot see into.
struct Hidden;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Hidden {
    type Error = SessionError;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, SessionError> {
        let _session = try_outcome!(request.guard::<Session<Undefined>>().await);
        Outcome::Success(Self)
    }
}

#[get("/hidden")]
fn hidden(_guard: Hidden) {}

async fn refusal(rocket: rocket::Rocket<rocket::Build>) -> String {
    let error = rocket.ignite().await.expect_err("launch is refused");
    let kind = match error.kind() {
        ErrorKind::SentinelAborts(_) => "sentinel",
        ErrorKind::FailedFairings(_) => "fairing",
        _ => "else",
    };
    kind.to_owned()
}

#[tokio::test]
async fn a_missing_fairing_definition_or_name_of_its_own_aborts_launch() {
    let rocket = build(figment("memory"), Sessions::fairing(), routes![undefined]);
    assert_eq!(refusal(rocket).await, "sentinel", "no definition");
    let rocket = build(figment("memory"), Sessions::fairing(), routes![impostor]);
    assert_eq!(refusal(rocket).await, "sentinel", "two types of one name");
    let rocket = rocket::custom(figment("memory")).mount("/", routes![undefined]);
    assert_eq!(refusal(rocket).await, "sentinel", "no fairing");
}

/// The guide for those who come from Ktor says so.
#[tokio::test]
async fn an_empty_table_defines_a_session_with_the_defaults() {
    use rocket::figment::providers::{Format, Toml};
    let table = Toml::string("[default.sessions.undefined]").nested();
    let figment = figment("memory").merge(table);
    let client = client_with(figment, Sessions::fairing(), routes![undefined]).await;
    assert_eq!(client.get("/undefined").dispatch().await.status(), Status::Ok);
}

#[tokio::test]
async fn two_fairings_a_wrong_key_and_a_storage_that_does_not_open_abort_launch() {
    let rocket = build(figment("memory"), Sessions::fairing(), vec![]).attach(Sessions::fairing());
    assert_eq!(refusal(rocket).await, "fairing");
    let rocket =
        build(figment("memory").merge(("sessions.user.nam", "x")), Sessions::fairing(), vec![]);
    assert_eq!(refusal(rocket).await, "fairing");
    let directory = figment("client")
        .merge(("sessions.user.storage.type", "directory"))
        .merge(("sessions.user.storage.path", "/dev/null/sessions"));
    assert_eq!(refusal(build(directory, Sessions::fairing(), vec![])).await, "fairing");
}

#[tokio::test]
async fn a_guard_inside_a_guard_fails_with_500_and_no_panic() {
    let client = client_with(figment("memory"), Sessions::fairing(), routes![hidden]).await;
    assert_eq!(client.get("/hidden").dispatch().await.status(), Status::InternalServerError);
}
