//! How long sessions live, and sessions with a time of their own.

use std::time::Duration;

use rocket::figment::Figment;
use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::storage::Timestamp;
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, Sessions};

use crate::concurrency::storages;
use crate::support::*;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

#[get("/remember/<seconds>")]
fn remember(session: Session<User>, seconds: u64) {
    if session.get().is_none() {
        session.login(user("ann"));
    }
    session.expires_in(Duration::from_secs(seconds));
}

async fn application(place: &str, max_age: &str) -> (Client, Clock) {
    over(figment(place), max_age).await
}

async fn over(figment: Figment, max_age: &str) -> (Client, Clock) {
    let clock = Clock::new();
    let figment = figment
        .merge(("sessions.user.idle_timeout", "1 hour"))
        .merge(("sessions.user.absolute_timeout", "10 days"))
        .merge(("sessions.user.cookie.max_age", max_age));
    let fairing = Sessions::fairing().clock(&clock);
    (client_with(figment, fairing, routes![remember]).await, clock)
}

/// What the response's cookie says of its lifetime, in seconds.
fn max_age(response: &rocket::local::asynchronous::LocalResponse<'_>) -> Option<u64> {
    let cookie = response.headers().get_one("Set-Cookie").expect("a cookie");
    let age = cookie.split("; ").find_map(|attribute| attribute.strip_prefix("Max-Age="));
    age.map(|age| age.parse().expect("seconds"))
}

/// One request; the browser keeps what it is given.
async fn visit(client: &Client, token: &mut String) -> String {
    let response = with_cookie(client, "/get", token).await;
    if let Some(sent) = sent(&response) {
        *token = sent;
    }
    response.into_string().await.expect("a body")
}

#[tokio::test]
async fn s42_s43_idle_and_absolute_timeouts_end_a_session_wherever_it_lives() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in [figment("client")].into_iter().chain(storages(dir.path())) {
        let place = figment.find_value("sessions.user.storage").expect("a storage");
        let place = format!("{place:?}");
        let (client, clock) = over(figment, "1 hour").await;
        let mut token = logged_in(&client, "ann").await;
        clock.advance(Duration::from_secs(HOUR - 1));
        assert_eq!(visit(&client, &mut token).await, "ann 0", "{place}");
        clock.advance(Duration::from_secs(HOUR - 1));
        assert_eq!(visit(&client, &mut token).await, "ann 0", "{place}: use keeps it alive");
        clock.advance(Duration::from_secs(HOUR));
        assert_eq!(visit(&client, &mut token).await, "absent", "{place}");

        let mut token = logged_in(&client, "ann").await;
        for minutes in (0..10 * 24 * 60).step_by(50) {
            let expected = if minutes < 10 * 24 * 60 { "ann 0" } else { "absent" };
            assert_eq!(visit(&client, &mut token).await, expected, "{place} {minutes}");
            clock.advance(Duration::from_secs(50 * 60));
            if minutes == 5000 {
                token = sent(&with_cookie(&client, "/renew", &token).await).expect("a token");
            }
        }
        assert_eq!(visit(&client, &mut token).await, "absent", "{place}: ten days are over");
    }
}

#[tokio::test]
async fn a_remembered_session_has_its_own_idle_time_and_its_cookie_lasts_as_long() {
    for place in PLACES {
        for configured in ["session", "1 hour"] {
            let (client, clock) = application(place, configured).await;
            let plain = client.get("/login/ann").dispatch().await;
            assert_eq!(max_age(&plain), (configured == "1 hour").then_some(HOUR));

            let response = client.get(format!("/remember/{}", 3 * DAY)).dispatch().await;
            let expected = if place == "client" { 3 * DAY } else { 10 * DAY };
            assert_eq!(max_age(&response), Some(expected), "{place} {configured}");
            let mut token = sent(&response).expect("a token");
            for _ in 0..3 {
                clock.advance(Duration::from_secs(3 * DAY - 1));
                assert_eq!(visit(&client, &mut token).await, "ann 0", "{place} {configured}");
            }
            clock.advance(Duration::from_secs(3 * DAY));
            assert_eq!(visit(&client, &mut token).await, "absent", "{place}: the absolute end");
        }
    }
}

#[tokio::test]
async fn a_shorter_time_of_its_own_is_refreshed_soon_enough_and_gone_with_a_login() {
    for place in PLACES {
        let (client, clock) = application(place, "1 hour").await;
        let token = logged_in(&client, "ann").await;
        let mut token = sent(&with_cookie(&client, "/remember/60", &token).await).expect("a token");
        for _ in 0..20 {
            clock.advance(Duration::from_secs(50));
            assert_eq!(visit(&client, &mut token).await, "ann 0", "{place}: in use");
        }
        let response = with_cookie(&client, "/login/bob", &token).await;
        let mut bob = sent(&response).expect("a token");
        clock.advance(Duration::from_secs(60));
        assert_eq!(visit(&client, &mut token).await, "absent", "{place}");
        assert_eq!(visit(&client, &mut bob).await, "bob 0", "{place}: the configured time again");
    }
}

#[tokio::test]
async fn the_limits_of_a_duration_harm_nobody() {
    for place in PLACES {
        for seconds in [0, 1, u64::from(u32::MAX), u64::MAX] {
            let (client, clock) = application(place, "1 hour").await;
            let response = client.get(format!("/remember/{seconds}")).dispatch().await;
            let mut token = sent(&response).expect("a token");
            assert_eq!(visit(&client, &mut token).await, "ann 0", "{place} {seconds}");
            clock.advance(Duration::from_secs(10 * DAY));
            assert_eq!(visit(&client, &mut token).await, "absent", "{place} {seconds}");
        }
    }
}

#[tokio::test]
async fn a_clock_that_jumps_harms_a_session_no_more_than_time_would() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in [figment("client")].into_iter().chain(storages(dir.path())) {
        let clock = Clock::new();
        let client = client_with(figment, Sessions::fairing().clock(&clock), vec![]).await;
        let start = clock.now();
        let mut token = logged_in(&client, "ann").await;

        // Back by less than clocks of two machines may differ: all goes on.
        clock.set(Timestamp::from_millis(start.as_millis() - 59_000));
        assert_eq!(visit(&client, &mut token).await, "ann 0");
        let mut counted = token.clone();
        if let Some(sent) = sent(&with_cookie(&client, "/count", &token).await) {
            counted = sent;
        }
        assert_eq!(visit(&client, &mut counted).await, "ann 1");

        // Back by more: it began in the future, and is no session until then.
        clock.set(Timestamp::from_millis(start.as_millis() - 61_000));
        assert_eq!(visit(&client, &mut counted).await, "absent");
        clock.set(Timestamp::ZERO);
        assert_eq!(visit(&client, &mut counted).await, "absent");
        clock.set(start);
        assert_eq!(visit(&client, &mut counted).await, "ann 1", "nothing was lost");

        // To the end of time and back.
        clock.set(Timestamp::from_millis(u64::MAX));
        assert_eq!(visit(&client, &mut counted).await, "absent");
        let last = client.get("/login/eve").dispatch().await;
        assert_eq!(last.status().code, 200, "a login is answered even then");
        clock.set(start);
        assert_eq!(visit(&client, &mut counted).await, "ann 1");
    }
}
