//! The configured timeouts.

use std::time::Duration;

use rocket::local::asynchronous::Client;
use rocket_typed_sessions::Sessions;
use rocket_typed_sessions::storage::Timestamp;
use rocket_typed_sessions::testing::Clock;

use super::*;
use crate::concurrency::storages;
use crate::support::*;

#[tokio::test]
async fn s42_s43_idle_and_absolute_timeouts_end_a_session_wherever_it_lives() {
    let dir = tempfile::tempdir().expect("a folder");
    for (place, figment) in everywhere(dir.path()) {
        let (client, clock) = application(figment, vec![]).await;
        let mut browser = Browser::new(&client);
        browser.calls("login.ann").await;
        clock.advance(seconds(HOUR - 1));
        assert_eq!(browser.reads().await, "ann 0", "{place}");
        clock.advance(seconds(HOUR - 1));
        assert_eq!(browser.reads().await, "ann 0", "{place}: use keeps it alive");
        clock.advance(seconds(HOUR + TOUCH));
        assert_eq!(browser.reads().await, "absent", "{place}");

        browser.calls("login.ann").await;
        for minutes in (0..10 * 24 * 60).step_by(50) {
            assert_eq!(browser.reads().await, "ann 0", "{place} {minutes}");
            clock.advance(seconds(50 * 60));
            if minutes == 5000 {
                browser.calls("renew").await;
            }
        }
        assert_eq!(browser.reads().await, "absent", "{place}: ten days are over");
    }
}

/// T7: the idle timeout is a promise, whether the last use was written down or not.
#[tokio::test]
async fn s42_a_session_lives_for_its_idle_time_after_its_last_use_and_an_interval_more_at_most() {
    let dir = tempfile::tempdir().expect("a folder");
    for (place, figment) in everywhere(dir.path()) {
        let (client, clock) = application(figment, vec![]).await;
        for (lifetime, idle, interval) in [("configured", HOUR, TOUCH), ("idle.600000", 600, 60)] {
            for used in [0, 1, interval - 1, interval, 2 * interval - 1] {
                let mut browser = Browser::new(&client);
                browser.calls(&format!("{lifetime}+login.ann")).await;
                let Cookie::For(mut cookie_ends) = browser.cookie else { panic!("no Max-Age") };
                clock.advance(seconds(used));
                assert_eq!(browser.reads().await, "ann 0");
                if let Cookie::For(max_age) = browser.cookie {
                    cookie_ends = used + max_age;
                }
                assert!(cookie_ends >= used + idle, "{place} {lifetime} {used}: {cookie_ends}");
                clock.advance(just_before(idle));
                assert_eq!(browser.reads().await, "ann 0", "{place} {lifetime} {used}");
                clock.advance(seconds(idle + interval));
                assert_eq!(browser.reads().await, "absent", "{place} {lifetime} {used}");
            }
        }
    }
}

#[tokio::test]
async fn s42_an_unused_session_is_over_an_interval_after_its_idle_time_to_the_millisecond() {
    let dir = tempfile::tempdir().expect("a folder");
    for (place, figment) in everywhere(dir.path()) {
        let (client, clock) = application(figment, vec![]).await;
        for (lifetime, end) in
            [("configured", HOUR + TOUCH), ("browser", HOUR + TOUCH), ("idle.600000", 660)]
        {
            for (early, reads) in [(1, "ann 0"), (0, "absent")] {
                let mut browser = Browser::new(&client);
                browser.calls(&format!("{lifetime}+login.ann")).await;
                clock.advance(Duration::from_millis(end * 1000 - early));
                assert_eq!(browser.reads().await, reads, "{place} {lifetime} {early}");
            }
        }
    }
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
