//! All guards for one session type in one request share one load.

use std::time::Duration;

use rocket::local::asynchronous::Client;
use rocket::request::{FromRequest, Outcome, Request};
use rocket::routes;
use rocket_typed_sessions::testing::storage::{Fault, Faulty, Operation};
use rocket_typed_sessions::{Session, Sessions};

use crate::support::*;

const SLOW: Duration = Duration::from_millis(100);

/// A guard of an application that asks for the session twice at the same time.
struct Both(String);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Both {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let ask = || request.guard::<Session<User>>();
        let (one, other) = rocket::tokio::join!(ask(), ask());
        let (one, other) = (one.succeeded(), other.succeeded());
        Outcome::Success(Self(format!("{} {}", name(one), name(other))))
    }
}

fn name(session: Option<Session<User>>) -> String {
    session.and_then(|session| session.get()).map_or("nobody".into(), |user| user.id.clone())
}

/// A guard of an application that gives up, while another guard waits for the same session.
struct Impatient(String);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Impatient {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let ask = || request.guard::<Session<User>>();
        let gives_up = rocket::tokio::time::timeout(SLOW / 2, ask());
        let (gone, waits) = rocket::tokio::join!(gives_up, ask());
        assert!(gone.is_err(), "the first guard was dropped");
        Outcome::Success(Self(name(waits.succeeded())))
    }
}

#[rocket::get("/both")]
fn both(both: Both) -> String {
    both.0
}

#[rocket::get("/impatient")]
fn impatient(impatient: Impatient) -> String {
    impatient.0
}

async fn slow_client() -> (Faulty, Client) {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("slow", storage.clone());
    let client = client_with(figment("slow"), fairing, routes![both, impatient]).await;
    (storage, client)
}

#[tokio::test]
async fn two_guards_at_the_same_time_share_one_load() {
    let (storage, client) = slow_client().await;
    let token = logged_in(&client, "ann").await;
    storage.set(Operation::Read, Fault::Slow(SLOW));
    let before = calls(&storage);
    assert_eq!(text(&client, "/both", &token).await, "ann ann");
    assert_eq!(calls(&storage) - before, 1);
}

#[tokio::test]
async fn a_guard_that_is_dropped_lets_the_one_that_waits_load() {
    let (storage, client) = slow_client().await;
    let token = logged_in(&client, "ann").await;
    storage.set(Operation::Read, Fault::Slow(SLOW));
    assert_eq!(text(&client, "/impatient", &token).await, "ann");
}

#[tokio::test]
async fn two_guards_share_a_load_that_fails() {
    let (storage, client) = slow_client().await;
    let token = logged_in(&client, "ann").await;
    storage.set(Operation::Read, down());
    let before = calls(&storage);
    let response = with_cookie(&client, "/both", &token).await;
    assert_eq!(response.status().code, 503);
    assert_eq!(calls(&storage) - before, 1);
}
