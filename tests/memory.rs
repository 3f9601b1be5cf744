//! An application whose memory storage is full.

#![allow(clippy::expect_used)]

use rocket::http::{Cookie, Status};
use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::{Session, SessionData, SessionError, Sessions};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Visit(u32);

impl SessionData for Visit {
    const NAME: &'static str = "visit";
}

/// Writes the session twice before its client has it.
#[get("/twice")]
async fn twice(session: Session<Visit>) -> Result<String, SessionError> {
    session.get_or_insert_with(|| Visit(0));
    session.update_now(|visit| visit.0 += 1).await?;
    session.update_now(|visit| visit.0 += 1).await?;
    Ok(show(&session))
}

#[get("/login")]
fn login(session: Session<Visit>) {
    session.login(Visit(100));
}

#[get("/")]
fn index(session: Session<Visit>) -> String {
    show(&session)
}

fn show(session: &Session<Visit>) -> String {
    session.get().map_or("nobody".into(), |visit| visit.0.to_string())
}

async fn application(capacity: usize) -> Client {
    let figment = rocket::figment::Figment::from(rocket::Config::debug_default())
        .merge(("log_level", "off"))
        .merge(("sessions.visit.storage.type", "memory"))
        .merge(("sessions.visit.storage.capacity", capacity));
    let rocket = rocket::custom(figment)
        .attach(Sessions::fairing())
        .mount("/", routes![twice, login, index]);
    Client::untracked(rocket).await.expect("a valid configuration")
}

async fn ask(client: &Client, uri: &str, cookie: Option<&Cookie<'static>>) -> (Status, String) {
    let response = client.get(uri.to_owned()).cookies(cookie.cloned()).dispatch().await;
    (response.status(), response.into_string().await.unwrap_or_default())
}

async fn logged_in(client: &Client) -> Cookie<'static> {
    let response = client.get("/login").dispatch().await;
    assert_eq!(response.status(), Status::Ok, "a login has room");
    response.cookies().iter().next().expect("a token").clone().into_owned()
}

#[tokio::test]
async fn s56_requests_without_cookies_block_no_login_even_if_they_write_twice() {
    let client = application(5).await;
    let earlier = logged_in(&client).await;
    assert_eq!(ask(&client, "/", Some(&earlier)).await.1, "100");
    for n in 0..50 {
        assert_eq!(ask(&client, "/twice", None).await, (Status::Ok, "2".into()), "request {n}");
    }
    let later = logged_in(&client).await;
    assert_eq!(ask(&client, "/", Some(&later)).await.1, "100");
    assert_eq!(ask(&client, "/", Some(&earlier)).await.1, "100", "its client had come back");
}

#[tokio::test]
async fn s56_where_every_client_came_back_a_login_is_refused_and_the_others_go_on() {
    let client = application(3).await;
    let mut cookies = Vec::new();
    for _ in 0..3 {
        let cookie = logged_in(&client).await;
        assert_eq!(ask(&client, "/", Some(&cookie)).await.1, "100");
        cookies.push(cookie);
    }
    assert_eq!(ask(&client, "/login", None).await.0, Status::ServiceUnavailable);
    for cookie in &cookies {
        assert_eq!(ask(&client, "/twice", Some(cookie)).await, (Status::Ok, "102".into()));
    }
}
