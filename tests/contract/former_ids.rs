//! The ids before one: for two minutes after they opened their session last, they are
//! nobody's, and neither a session nor a cookie comes of a request that shows one.

use std::sync::Arc;
use std::time::Duration;

use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::Sessions;
use rocket_typed_sessions::csrf::CsrfToken;
use rocket_typed_sessions::testing::Clock;

use crate::concurrency::storages;
use crate::renewal::{
    GRACE, HOUR, MARK, application, is_nobody_for_now, periodic, renewed, renewing,
};
use crate::support::*;

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(1);

/// A moment before that time has passed.
fn before(time: Duration) -> Duration {
    time.checked_sub(MOMENT).expect("longer")
}

/// What shows an id that nothing is known of.
async fn is_a_strangers(client: &Client, former: &str) {
    let response = with_cookie(client, "/clear", former).await;
    assert_eq!(sent(&response).as_deref(), Some("user="));
    let begun = sent(&with_cookie(client, "/set/eve", former).await).expect("a session");
    assert_eq!(text(client, "/get", &begun).await, "eve 0");
}

/// An id and those that `uri` gives one after the other, ten seconds apart.
async fn chain(client: &Client, clock: &Clock, uri: &str, length: usize) -> Vec<String> {
    let mut ids = vec![logged_in(client, "ann").await];
    for _ in 0..length {
        clock.advance(10 * SECOND);
        let last = ids.last().expect("an id");
        ids.push(sent(&with_cookie(client, uri, last).await).expect("the next id"));
    }
    ids
}

#[tokio::test]
async fn d22_a_renewal_that_is_asked_for_takes_effect_at_once() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        let (client, clock, _) = application(periodic(figment)).await;
        let old = logged_in(&client, "ann").await;
        let new = renewed(&client, &old).await;
        is_nobody_for_now(&client, &old).await;
        // But for a login: it has a session of its own.
        let login = sent(&with_cookie(&client, "/login/bob", &old).await).expect("a token");
        assert_eq!(text(&client, "/get", &login).await, "bob 0");
        assert_eq!(text(&client, "/count", &new).await, "ann 1", "the present id lives on");
        // Beside the present id it counts for nothing.
        assert_eq!(text(&client, "/get", &format!("{old}; {new}")).await, "ann 1");
        clock.advance(before(MARK));
        is_nobody_for_now(&client, &old).await;
        clock.advance(Duration::from_millis(1));
        let response = with_cookie(&client, "/clear", &old).await;
        assert_eq!(sent(&response).as_deref(), Some("user="), "nobody, as any other");
        assert!(sent(&with_cookie(&client, "/set/eve", &old).await).is_some());
        assert_eq!(text(&client, "/get", &new).await, "ann 1");
    }
}

#[tokio::test]
async fn only_the_id_before_the_last_renewal_opens_anything() {
    let (client, clock, _) = application(periodic(figment("memory"))).await;
    let (first, second) = renewing(&client, &clock).await;
    text(&client, "/get", &second).await;
    clock.advance(HOUR);
    let third = sent(&with_cookie(&client, "/get", &second).await).expect("the next id");
    let answers = [("absent", &first), ("ann 0", &second), ("ann 0", &third)];
    for (expected, token) in answers {
        assert_eq!(text(&client, "/get", token).await, expected);
    }
}

#[tokio::test]
async fn d22_every_id_before_is_nobody_for_two_minutes_after_it_was_replaced() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        for uri in ["/renew", "/reauthenticate"] {
            for length in [2, 3] {
                let (client, clock, _) = application(periodic(figment.clone())).await;
                let ids = chain(&client, &clock, uri, length).await;
                let (present, former) = ids.split_last().expect("some");
                for id in former {
                    is_nobody_for_now(&client, id).await;
                    // But for a login: it has a session of its own.
                    let login = sent(&with_cookie(&client, "/login/bob", id).await);
                    assert_eq!(text(&client, "/get", &login.expect("a token")).await, "bob 0");
                    // Beside the present id it counts for nothing.
                    assert_eq!(text(&client, "/get", &format!("{id}; {present}")).await, "ann 0");
                }
                assert_eq!(text(&client, "/count", present).await, "ann 1");

                // Ten seconds after it was replaced there was another renewal.
                let renewing = 10 * SECOND * u32::try_from(length - 1).expect("few");
                clock.advance(MARK.checked_sub(renewing).expect("longer"));
                is_a_strangers(&client, &ids[0]).await;
                is_nobody_for_now(&client, &ids[1]).await;
                clock.advance(before(10 * SECOND));
                is_nobody_for_now(&client, &ids[1]).await;
                clock.advance(MOMENT);
                is_a_strangers(&client, &ids[1]).await;
                assert_eq!(text(&client, "/get", present).await, "ann 1");
            }
        }
    }
}

#[tokio::test]
async fn d22_both_ids_of_an_open_renewal_are_nobody_after_renew() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        for shows_next in [false, true] {
            let (client, clock, _) = application(periodic(figment.clone())).await;
            let (old, next) = renewing(&client, &clock).await;
            // As long as the renewal is open, the id before opens the session.
            clock.advance(HOUR);
            let present = renewed(&client, if shows_next { &next } else { &old }).await;
            for former in [&old, &next] {
                is_nobody_for_now(&client, former).await;
            }
            clock.advance(before(MARK));
            for former in [&old, &next] {
                is_nobody_for_now(&client, former).await;
            }
            clock.advance(MOMENT);
            for former in [&old, &next] {
                is_a_strangers(&client, former).await;
            }
            assert_eq!(text(&client, "/get", &present).await, "ann 0");
        }
    }
}

#[tokio::test]
async fn d22_renew_ends_the_grace_of_the_id_before_and_two_minutes_begin() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        let (client, clock, _) = application(periodic(figment)).await;
        let (old, next) = renewing(&client, &clock).await;
        text(&client, "/get", &next).await;
        clock.advance(GRACE / 2);
        assert_eq!(text(&client, "/get", &old).await, "ann 0", "in its grace");
        let present = renewed(&client, &next).await;
        for former in [&old, &next] {
            is_nobody_for_now(&client, former).await;
        }
        clock.advance(before(MARK));
        is_nobody_for_now(&client, &old).await;
        clock.advance(MOMENT);
        is_a_strangers(&client, &old).await;
        assert_eq!(text(&client, "/get", &present).await, "ann 0");
    }
}

#[tokio::test]
async fn d22_an_id_before_two_periodic_renewals_is_nobody() {
    let figment = figment("memory").merge(("sessions.user.renew_after", 40));
    let figment = figment.merge(("sessions.user.renewal_grace", 20));
    let (client, clock, _) = application(figment).await;
    let mut ids = vec![logged_in(&client, "ann").await];
    for _ in 0..3 {
        clock.advance(40 * SECOND);
        let last = ids.last().expect("an id").clone();
        ids.push(sent(&with_cookie(&client, "/get", &last).await).expect("the next id"));
        text(&client, "/get", &ids[ids.len() - 1]).await;
    }
    assert_eq!(text(&client, "/get", &ids[2]).await, "ann 0", "in its grace");
    // The first opened the session for twenty seconds after the first renewal.
    for former in &ids[..2] {
        is_nobody_for_now(&client, former).await;
    }
    clock.advance(before(60 * SECOND));
    is_nobody_for_now(&client, &ids[0]).await;
    clock.advance(MOMENT);
    is_a_strangers(&client, &ids[0]).await;
    is_nobody_for_now(&client, &ids[1]).await;
    assert_eq!(text(&client, "/get", &ids[3]).await, "ann 0");
}

/// Requests that showed the first id while it was the session's, and go on after two
/// renewals.
#[tokio::test]
async fn d22_a_slow_request_from_before_two_renewals_changes_nothing() {
    for what in ["set", "count", "renew", "login"] {
        let (client, clock, gate) = application(periodic(figment("memory"))).await;
        let first = logged_in(&client, "ann").await;
        let client = Arc::new(client);
        let slow = tokio::spawn({
            let (client, first) = (Arc::clone(&client), first.clone());
            async move { sent(&with_cookie(&client, &format!("/slow/{what}"), &first).await) }
        });
        gate.0.0.notified().await;
        let second = renewed(&client, &first).await;
        clock.advance(SECOND);
        let third = renewed(&client, &second).await;
        gate.0.1.notify_one();
        let login = slow.await.expect("no panic");
        assert_eq!(login.is_some(), what == "login", "{what}");
        // A login replaces the session over which it began, whatever its id is by now.
        let left = if what == "login" { "absent" } else { "ann 0" };
        assert_eq!(text(&client, "/get", &third).await, left, "{what}");
    }
}

#[tokio::test]
async fn d22_nothing_that_is_written_makes_a_session_forget_the_ids_before() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        for uri in ["/count", "/set/ann", "/long/600", "/login/ann", "/login/bob"] {
            let (client, clock, _) = application(periodic(figment.clone())).await;
            let ids = chain(&client, &clock, "/renew", 2).await;
            for _ in 0..3 {
                with_cookie(&client, uri, &ids[2]).await;
                clock.advance(SECOND);
            }
            for former in &ids[..2] {
                is_nobody_for_now(&client, former).await;
            }
        }
    }
}

#[get("/token")]
fn token(csrf: CsrfToken<User>) -> String {
    csrf.to_string()
}

#[get("/verify/<token>")]
fn verify(csrf: CsrfToken<User>, token: &str) -> String {
    csrf.verify(token).is_ok().to_string()
}

/// The form of a login is sent with the cookie that it was asked for with.
#[tokio::test]
async fn d22_the_forms_of_an_id_before_are_good_with_that_id_only() {
    let routes = routes![token, verify];
    let client = client_with(figment("memory"), Sessions::fairing(), routes).await;
    let mut ids = vec![logged_in(&client, "ann").await];
    for _ in 0..2 {
        ids.push(renewed(&client, &ids[ids.len() - 1]).await);
    }
    for (made, of) in ids.iter().enumerate() {
        let response = with_cookie(&client, "/token", of).await;
        assert_eq!(sent(&response), None);
        let token = response.into_string().await.expect("a token");
        for (shown, id) in ids.iter().enumerate() {
            let good = text(&client, &format!("/verify/{token}"), id).await;
            assert_eq!(good, (made == shown).to_string(), "{made} with {shown}");
        }
    }
}

/// A client that renews in a loop makes its record no longer than that.
#[tokio::test]
async fn a_session_remembers_sixteen_ids_before() {
    let (client, clock, _) = application(periodic(figment("memory"))).await;
    let mut ids = vec![logged_in(&client, "ann").await];
    for _ in 0..17 {
        clock.advance(SECOND);
        ids.push(renewed(&client, &ids[ids.len() - 1]).await);
    }
    is_a_strangers(&client, &ids[0]).await;
    for former in &ids[1..17] {
        is_nobody_for_now(&client, former).await;
    }
    assert_eq!(text(&client, "/get", &ids[17]).await, "ann 0");
}
