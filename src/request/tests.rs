//! Commits over a random generator that a test controls.

use std::sync::Arc;

use parking_lot::Mutex;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::Client;
use rocket::{get, routes};

use crate::crypto::Random;
use crate::{Session, SessionData, Sessions};

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Name(String);

impl SessionData for Name {
    const NAME: &'static str = "name";
}

#[get("/set/<name>")]
fn set(session: Session<Name>, name: &str) {
    session.set(Name(name.into()));
}

#[get("/get")]
fn get_it(session: Session<Name>) -> String {
    session.get().map_or_else(|| "absent".into(), |name| name.0.clone())
}

async fn client(storage: &str, random: Random) -> Client {
    let figment = figment::Figment::from(rocket::Config::default())
        .merge(("log_level", "off"))
        .merge(("sessions.name.storage", storage))
        .merge(("sessions.name.secret", "0123456789abcdef".repeat(4)));
    let fairing = Sessions::fairing().random(random);
    let rocket = rocket::custom(figment).attach(fairing).mount("/", routes![set, get_it]);
    Client::untracked(rocket).await.unwrap()
}

async fn token_for(client: &Client, name: &str) -> String {
    let response = client.get(format!("/set/{name}")).dispatch().await;
    let cookie = response.headers().get_one("Set-Cookie").unwrap().to_owned();
    cookie.split(';').next().unwrap().to_owned()
}

async fn name_under(client: &Client, token: &str) -> String {
    let cookie = Header::new("Cookie", token.to_owned());
    client.get("/get").header(cookie).dispatch().await.into_string().await.unwrap()
}

#[tokio::test]
async fn s4_a_generator_that_repeats_an_id_overwrites_nobody() {
    // An id takes one draw, and a version another. The script is drawn from its end: 1 9, then
    // 1 8, then 2 7.
    let script = vec![7, 2, 8, 1, 9, 1];
    let client = client("memory", Random::Scripted(Arc::new(Mutex::new(script)))).await;
    let (first, second) = (token_for(&client, "first").await, token_for(&client, "second").await);
    assert_ne!(first, second);
    assert_eq!(name_under(&client, &first).await, "first");
    assert_eq!(name_under(&client, &second).await, "second");
}

#[tokio::test]
async fn s2_a_generator_that_fails_gives_500_and_no_token() {
    for storage in ["client", "memory"] {
        let client = client(storage, Random::Broken).await;
        let response = client.get("/set/any").dispatch().await;
        assert_eq!(response.status(), Status::InternalServerError, "{storage}");
        assert_eq!(response.headers().get_one("Set-Cookie"), None, "{storage}");
    }
}
