//! `docs/streams.md`: what a session sees and what it can still do while a long response goes on.

use std::sync::Arc;
use std::time::Duration;

use rocket::figment::Figment;
use rocket::response::stream::{Event, EventStream};
use rocket::tokio::sync::{Mutex, Notify};
use rocket::{State, get, routes};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, Sessions};
use tokio::io::AsyncReadExt;

use crate::support::*;

/// The steps of a stream that is open, each with a request meanwhile.
#[derive(Default)]
struct Steps {
    next: Notify,
    list: Mutex<Vec<String>>,
}

#[get("/login")]
fn login(session: Session<User>) {
    session.login(user("ann"));
}

#[get("/read")]
fn read(session: Session<User>) -> String {
    session.get().map_or("nobody".into(), |user| user.count.to_string())
}

#[get("/count")]
fn count(session: Session<User>) {
    session.update(|user| user.count += 1);
}

#[get("/clear")]
fn clear(session: Session<User>) {
    session.clear();
}

#[get("/renew")]
fn renew(session: Session<User>) {
    session.renew();
}

async fn step(session: &Session<User>, what: &str) -> String {
    match what {
        "get" => return session.get().map_or("nobody".into(), |user| user.count.to_string()),
        "refresh" => {
            let found = session.refresh().await.map(|user| user.map(|user| user.count));
            return format!("{found:?}");
        }
        "count" => drop(session.update(|user| user.count += 10)),
        "touch" => session.touch(),
        "login" => session.login(user("bob")),
        "renew" => session.renew(),
        "clear" => session.clear(),
        _ => {
            session.update(|user| user.count += 10);
            return "unsaved".into();
        }
    }
    format!("{:?}", session.save().await)
}

#[get("/stream")]
fn stream(session: Session<User>, steps: &State<Arc<Steps>>) -> EventStream![] {
    session.update(|user| user.count += 100);
    let steps = Arc::clone(steps);
    EventStream! {
        loop {
            steps.next.notified().await;
            let what = steps.list.lock().await.pop().unwrap_or_default();
            yield Event::data(step(&session, &what).await);
        }
    }
}

/// Opens a stream and does one thing after the other: `stream …` in it, `wait …` seconds, or a request.
async fn play(figment: Figment, script: &[&str]) -> Vec<String> {
    let (steps, clock) = (Arc::new(Steps::default()), Clock::new());
    let rocket = rocket::custom(figment)
        .attach(Sessions::fairing().clock(&clock))
        .mount("/", routes![login, read, count, clear, renew, stream])
        .manage(Arc::clone(&steps));
    let client = rocket::local::asynchronous::Client::untracked(rocket).await.expect("a rocket");
    let mut cookie = sent(&with_cookie(&client, "/login", "").await).expect("a token");
    let mut open = with_cookie(&client, "/stream", &cookie).await;
    cookie = sent(&open).unwrap_or(cookie);
    let mut seen = Vec::new();
    for act in script {
        if let Some(what) = act.strip_prefix("stream ") {
            steps.list.lock().await.push(what.to_owned());
            steps.next.notify_one();
            let mut text = String::new();
            while !text.ends_with("\n\n") {
                let mut byte = [0];
                open.read_exact(&mut byte).await.expect("an event");
                text.push(char::from(byte[0]));
            }
            seen.push(text.trim_start_matches("data:").trim().to_owned());
        } else if let Some(seconds) = act.strip_prefix("wait ") {
            clock.advance(Duration::from_secs(seconds.parse().expect("seconds")));
        } else {
            let response = with_cookie(&client, act, &cookie).await;
            cookie = sent(&response).unwrap_or(cookie);
            seen.push(response.into_string().await.unwrap_or_default());
        }
    }
    seen
}

/// A session of a minute, each use of which is written down.
fn minute(place: &str) -> Figment {
    figment(place).merge(("sessions.user.idle_timeout", 60)).merge(("sessions.user.touch_after", 0))
}

async fn holds(figment: &Figment, script: &[&str], expected: &[&str]) {
    assert_eq!(play(figment.clone(), script).await, expected, "{script:?}");
}

#[tokio::test]
async fn a_stream_sees_what_the_request_found_until_it_loads_the_session_again() {
    let memory = minute("memory");
    let script = ["/read", "/count", "stream get", "stream refresh", "stream get"];
    holds(&memory, &script, &["100", "", "100", "Ok(Some(101))", "101"]).await;
    for uri in ["/clear", "/login", "/renew"] {
        holds(&memory, &[uri, "stream get", "stream refresh"], &["", "100", "Ok(None)"]).await;
    }
    // What the client carries does not change under the request.
    let client = minute("client");
    for uri in ["/count", "/clear", "/login", "/renew"] {
        holds(&client, &[uri, "stream refresh"], &["", "Ok(Some(100))"]).await;
    }
    let remembered = client.merge(("sessions.user.revocation", "memory"));
    holds(&remembered, &["/clear", "stream refresh"], &["", "Ok(None)"]).await;
}

#[tokio::test]
async fn an_open_stream_is_no_use_of_its_session() {
    for place in ["memory", "client"] {
        let script = ["wait 40", "stream refresh", "wait 40", "stream refresh", "/read"];
        holds(&minute(place), &script, &["Ok(Some(100))", "Ok(None)", "nobody"]).await;
    }
    let memory = minute("memory");
    for (what, count) in [("touch", "100"), ("count", "110")] {
        let prolong = format!("stream {what}");
        let script = ["wait 40", &prolong, "wait 40", "/read"];
        holds(&memory, &script, &["Ok(())", count]).await;
    }
}

#[tokio::test]
async fn what_needs_a_cookie_is_too_late() {
    let (memory, client) = (minute("memory"), minute("client"));
    holds(&memory, &["stream count", "/read"], &["Ok(())", "110"]).await;
    holds(&memory, &["stream clear", "/read"], &["Ok(())", "nobody"]).await;
    for what in ["stream login", "stream renew"] {
        holds(&memory, &[what, "/read"], &["Err(TooLate)", "100"]).await;
    }
    for what in ["count", "touch", "login", "renew", "clear"] {
        let script = [&*format!("stream {what}"), "/read"];
        holds(&client, &script, &["Err(TooLate)", "100"]).await;
    }
    // The cookie would have to follow.
    let short = memory.merge(("sessions.user.cookie.max_age", 30));
    holds(&short, &["stream touch", "/read"], &["Err(TooLate)", "100"]).await;
}

#[tokio::test]
async fn a_change_is_lost_without_a_save_and_over_when_the_session_is() {
    let memory = minute("memory");
    holds(&memory, &["stream unsaved", "stream get", "/read"], &["unsaved", "110", "100"]).await;
    holds(&memory, &["/clear", "stream count"], &["", "Err(Ended)"]).await;
}

#[tokio::test]
async fn a_periodic_renewal_ends_a_stream_when_its_grace_is_over() {
    let renewed = figment("memory").merge(("sessions.user.renew_after", 60));
    let script = ["wait 70", "/read", "/read", "wait 50", "stream refresh"];
    holds(&renewed, &script, &["100", "100", "Ok(Some(100))"]).await;
    let script = ["wait 70", "/read", "/read", "wait 61", "stream refresh", "/read"];
    holds(&renewed, &script, &["100", "100", "Ok(None)", "100"]).await;
}
