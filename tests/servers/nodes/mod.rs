//! A whole application on a server: several nodes, and what happens when the server fails.

mod agreement;
mod failures;
mod silence;

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rocket::figment::Figment;
use rocket::futures::future::{join, join_all};
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{Route, get, routes};
use rocket_typed_sessions::{Session, SessionData, SessionError, Sessions};
use serde::{Deserialize, Serialize};

pub use crate::shared::{KEY as SECRET, text, with_cookie as with};

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    id: String,
    count: u32,
    filler: String,
}

impl SessionData for User {
    const NAME: &'static str = "user";

    fn owner(&self) -> Option<Cow<'_, str>> {
        Some(self.id.as_str().into())
    }
}

#[get("/login/<id>?<filler>")]
fn login(session: Session<User>, id: &str, filler: Option<usize>) {
    session.login(User { id: id.into(), count: 0, filler: "x".repeat(filler.unwrap_or(0)) });
}

#[get("/get")]
fn get_it(session: Session<User>) -> String {
    session.get().map_or_else(|| "absent".into(), |user| format!("{} {}", user.id, user.count))
}

#[get("/count")]
fn count(session: Session<User>) -> String {
    session.update(|user| user.count += 1);
    get_it(session)
}

#[get("/logout")]
fn logout(session: Session<User>) -> &'static str {
    session.clear();
    "bye"
}

#[get("/everywhere/<id>")]
async fn everywhere(sessions: &Sessions, id: &str) -> Result<String, SessionError> {
    Ok(sessions.of::<User>().revoke_owner(id).await?.to_string())
}

pub fn figment(url: &str) -> Figment {
    let kind = match url.split_once(':') {
        Some(("redis" | "rediss", _)) => "redis",
        Some(("postgres", _)) => "postgres",
        _ => "mysql",
    };
    configured(kind, url)
}

/// One URL, or a list.
pub fn configured(kind: &str, url: impl Serialize) -> Figment {
    Figment::from(rocket::Config::default())
        .select("release")
        .merge(("log_level", std::env::var("TEST_LOG").unwrap_or("off".into())))
        .merge(("sessions.secret", SECRET))
        .merge(("sessions.app", "nodes"))
        .merge(("sessions.user.storage.type", kind))
        .merge(("sessions.user.storage.url", url))
}

async fn node(url: &str) -> Client {
    node_of(figment(url)).await
}

pub async fn node_of(figment: Figment) -> Client {
    node_with(figment, vec![]).await
}

pub async fn node_with(figment: Figment, more: Vec<Route>) -> Client {
    let rocket = rocket::custom(figment)
        .attach(Sessions::fairing())
        .mount("/", routes![login, get_it, count, logout, everywhere])
        .mount("/", more);
    Client::untracked(rocket).await.expect("a valid configuration")
}

pub async fn logged_in(client: &Client, id: &str) -> String {
    let response = client.get(format!("/login/{id}")).dispatch().await;
    let cookie = response.headers().get_one("Set-Cookie").expect("a token");
    cookie.split(';').next().expect("a value").to_owned()
}

/// 200 or 503, and within the deadline.
async fn answer(client: &Client, uri: &str, cookie: &str) -> Status {
    let started = Instant::now();
    let response = with(client, uri, cookie).await;
    let took = started.elapsed();
    assert!(took < Duration::from_secs(5), "{uri} took {took:?}");
    let status = response.status();
    assert!([Status::Ok, Status::ServiceUnavailable].contains(&status), "{uri}: {status}");
    if status != Status::Ok {
        assert_eq!(response.headers().get_one("Set-Cookie"), None, "the token is left alone");
    }
    status
}

async fn recovers(client: &Client, uri: &str, cookie: &str) {
    let started = Instant::now();
    while answer(client, uri, cookie).await != Status::Ok {
        assert!(started.elapsed() < Duration::from_secs(20), "no recovery");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What the session counts.
async fn count_of(client: &Client, cookie: &str) -> u32 {
    text(client, "/get", cookie).await.trim_start_matches("ann ").parse().expect("a number")
}

async fn wait(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// Four clients count until `meanwhile` says stop; how often they were told that they did.
async fn loaded(client: &Client, cookie: &str, meanwhile: impl AsyncFnOnce(&AtomicBool)) -> u32 {
    loaded_each(client, &[cookie.to_owned()], meanwhile).await
}

/// The same, in several sessions by turns.
async fn loaded_each(
    client: &Client,
    cookies: &[String],
    meanwhile: impl AsyncFnOnce(&AtomicBool),
) -> u32 {
    let goes_on = AtomicBool::new(true);
    let counts = (0..4).map(async |first: usize| {
        let mut acknowledged = 0;
        for cookie in cookies.iter().cycle().skip(first * 7) {
            if !goes_on.load(Ordering::Relaxed) {
                break;
            }
            acknowledged += u32::from(answer(client, "/count", cookie).await == Status::Ok);
            wait(1).await;
        }
        acknowledged
    });
    let (counts, ()) = join(join_all(counts), meanwhile(&goes_on)).await;
    counts.into_iter().sum()
}
