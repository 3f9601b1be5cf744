//! Requests that prolong a session now, and requests that do not prolong it.

use std::sync::Arc;
use std::time::Duration;

use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{State, get, routes};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, SessionError, Sessions};
use tokio::sync::{Mutex, Notify};

use crate::lifetime::{Browser, Cookie, DAY, HOUR, TOUCH, application, everywhere, just_before};
use crate::support::*;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn d16_a_touch_prolongs_now_on_every_storage_and_is_sent_where_the_token_is_the_session() {
    let dir = tempfile::tempdir().expect("a folder");
    for (place, figment) in everywhere(dir.path()) {
        let (client, clock) = application(figment, vec![]).await;
        let mut browser = Browser::new(&client);
        browser.calls("login.ann").await;
        clock.advance(MINUTE);
        assert_eq!(browser.calls("skip").await, "ann 0, Configured, 3900 s", "{place}");
        for calls in ["touch", "touch+save", "skip+touch", "skip+touch+save"] {
            assert_eq!(browser.calls(calls).await, "ann 0, Configured, 3960 s", "{place} {calls}");
            let client_storage = place.contains("\"client\"");
            assert_eq!(browser.cookie != Cookie::None, client_storage, "{place} {calls}");
            // It was written down.
            assert_eq!(browser.calls("skip").await, "ann 0, Configured, 3960 s", "{place} {calls}");
            clock.advance(MINUTE);
        }
        // Without a session it is nothing.
        assert_eq!(Browser::new(&client).calls("touch").await, "absent, Configured, never");
    }
}

/// A cookie that would end before its session goes out with it.
#[tokio::test]
async fn d16_a_touch_sends_a_cookie_that_would_end_first() {
    let figment = figment("memory").merge(("sessions.user.cookie.max_age", "2 hours"));
    let (client, clock) = application(figment, vec![]).await;
    let mut browser = Browser::new(&client);
    browser.calls("login.ann").await;
    clock.advance(MINUTE);
    assert_eq!(browser.calls("touch").await, "ann 0, Configured, 3960 s");
    assert_eq!(browser.cookie, Cookie::For(2 * HOUR));
    assert_eq!(browser.calls("skip").await, "ann 0, Configured, 3960 s");
}

/// D9: polling, for ever.
#[tokio::test]
async fn d9_requests_that_skip_the_touch_keep_nobody_logged_in() {
    let dir = tempfile::tempdir().expect("a folder");
    for (place, figment) in everywhere(dir.path()) {
        let (client, clock) = application(figment, vec![]).await;
        for calls in [
            "skip",
            "skip+count",
            "count+skip",
            "skip+count+save",
            "skip+renew+save+count",
            "touch+skip",
            "skip+set.ann",
        ] {
            let mut browser = Browser::new(&client);
            browser.calls("login.ann").await;
            let minutes = (HOUR + TOUCH) / 60;
            for minute in 1..minutes {
                clock.advance(MINUTE);
                let text = browser.calls(calls).await;
                let rest = (minutes - minute) * 60;
                assert!(
                    text.ends_with(&format!(", Configured, {rest} s")),
                    "{place} {calls}: {text}"
                );
            }
            clock.advance(MINUTE);
            assert_eq!(
                browser.calls(calls).await.split(',').next(),
                Some(if calls.contains("set") { "ann 0" } else { "absent" }),
                "{place} {calls}"
            );
        }
    }
}

#[tokio::test]
async fn d9_what_a_request_that_skips_the_touch_changes_is_saved() {
    let dir = tempfile::tempdir().expect("a folder");
    for (place, figment) in everywhere(dir.path()) {
        let (client, clock) = application(figment, vec![]).await;
        let mut browser = Browser::new(&client);
        assert_eq!(browser.calls("skip+login.ann").await, "ann 0, Configured, 3960 s", "{place}");
        clock.advance(MINUTE);
        assert_eq!(browser.calls("skip+count").await, "ann 1, Configured, 3900 s", "{place}");
        clock.advance(MINUTE * 10);
        assert_eq!(browser.calls("skip+count+save+count").await, "ann 3, Configured, 3300 s");
        assert_eq!(browser.calls("skip").await, "ann 3, Configured, 3300 s", "{place}");
        let told = browser.calls("skip+idle.7200000").await;
        assert_eq!(told, "ann 3, Idle(7200s), 6900 s", "{place}: counted from the last use");
        if place.contains("\"client\"") {
            assert_eq!(browser.cookie, Cookie::For(6900), "no longer than the session");
        }
        assert_eq!(browser.reads().await, "ann 3");
        assert_eq!(browser.calls("skip").await, "ann 3, Idle(7200s), 7560 s", "{place}: a use");
        assert_eq!(browser.calls("skip+login.ann").await, "ann 0, Configured, 3960 s", "{place}");
    }
}

/// Of both, the later one counts.
#[tokio::test]
async fn d9_a_touch_that_is_taken_back_sends_and_writes_nothing() {
    let (client, clock) = application(figment("client"), vec![]).await;
    let mut browser = Browser::new(&client);
    browser.calls("login.ann").await;
    clock.advance(MINUTE);
    for (calls, cookie) in [
        ("touch+skip", Cookie::None),
        ("skip+touch+skip", Cookie::None),
        ("touch+discard", Cookie::None),
        ("skip+touch", Cookie::For(HOUR + TOUCH)),
    ] {
        browser.calls(calls).await;
        assert_eq!(browser.cookie, cookie, "{calls}");
    }

    let storage = faulty();
    let (clock, routes) = (Clock::new(), routes![prolong_and_skip]);
    let fairing = Sessions::fairing().storage("fault", storage.clone()).clock(&clock);
    let client = client_with(figment("fault"), fairing, routes).await;
    let token = logged_in(&client, "ann").await;
    clock.advance(Duration::from_secs(DAY));
    with_cookie(&client, "/prolong-and-skip", &token).await;
    assert_eq!(storage.calls(Operation::Touch), 0);
}

#[get("/prolong-and-skip")]
fn prolong_and_skip(session: Session<User>) {
    session.touch();
    session.skip_touch();
}

/// Only where a use may have been written down meanwhile.
#[tokio::test]
async fn d9_a_write_that_is_no_use_reads_once_more_where_a_touch_is_due() {
    let storage = faulty();
    let (clock, routes) = (Clock::new(), routes![count_and_skip]);
    let fairing = Sessions::fairing().storage("fault", storage.clone()).clock(&clock);
    let figment = figment("fault").merge(("sessions.user.idle_timeout", "1 hour"));
    let client = client_with(figment, fairing, routes).await;
    let token = logged_in(&client, "ann").await;
    for (after, uri, reads) in
        [(TOUCH - 1, "/count-and-skip", 1), (1, "/count-and-skip", 2), (0, "/count", 1)]
    {
        clock.advance(Duration::from_secs(after));
        let before = storage.calls(Operation::Read);
        with_cookie(&client, uri, &token).await;
        assert_eq!(storage.calls(Operation::Read) - before, reads, "{uri} {after}");
    }
    assert_eq!(text(&client, "/get", &token).await, "ann 3");
}

#[get("/count-and-skip")]
fn count_and_skip(session: Session<User>) {
    session.update(|user| user.count += 1);
    session.skip_touch();
}

/// It is said once for all commits of the request, also of its fairing's.
#[tokio::test]
async fn d9_skipping_holds_until_the_request_ends_and_not_in_the_next_one() {
    let dir = tempfile::tempdir().expect("a folder");
    for (place, figment) in everywhere(dir.path()) {
        let (client, clock) = application(figment, vec![]).await;
        let mut browser = Browser::new(&client);
        browser.calls("login.ann").await;
        clock.advance(Duration::from_secs(TOUCH));
        for calls in ["skip+save", "skip+discard", "skip+refresh"] {
            assert_eq!(browser.calls(calls).await, "ann 0, Configured, 3600 s", "{place} {calls}");
        }
        assert_eq!(browser.calls("skip").await, "ann 0, Configured, 3600 s", "{place}");
        browser.reads().await;
        assert_eq!(browser.calls("skip").await, "ann 0, Configured, 3960 s", "{place}");
    }
}

/// A poll that waits between its load and its commit.
#[derive(Clone, Default)]
struct Gate(Arc<(Notify, Notify)>);

#[get("/poll")]
async fn poll(session: Session<User>, gate: &State<Gate>) {
    session.skip_touch();
    session.update(|user| user.count += 1);
    gate.0.0.notify_one();
    gate.0.1.notified().await;
}

/// The poll writes what it found; a use in the meantime counts all the same.
#[tokio::test]
async fn d9_a_write_that_is_no_use_takes_no_use_of_another_request_back() {
    let dir = tempfile::tempdir().expect("a folder");
    for (place, figment) in everywhere(dir.path()).into_iter().skip(1) {
        let gate = Gate::default();
        let clock = Clock::new();
        let figment = figment.merge(("sessions.user.idle_timeout", "1 hour"));
        let rocket = build(figment, Sessions::fairing().clock(&clock), routes![poll]);
        let client = Client::untracked(rocket.manage(gate.clone())).await.expect("a rocket");
        for waits in [TOUCH - 1, TOUCH, HOUR] {
            let token = logged_in(&client, "ann").await;
            clock.advance(Duration::from_secs(waits));
            let user = async {
                gate.0.0.notified().await;
                assert_eq!(text(&client, "/get", &token).await, "ann 0");
                gate.0.1.notify_one();
            };
            tokio::join!(with_cookie(&client, "/poll", &token), user);
            clock.advance(just_before(HOUR));
            assert_eq!(text(&client, "/get", &token).await, "ann 1", "{place} {waits}");
        }
    }
}

#[tokio::test]
async fn d16_a_touch_that_is_asked_for_says_when_it_fails() {
    let storage = faulty();
    let clock = Clock::new();
    let fairing = Sessions::fairing().storage("fault", storage.clone()).clock(&clock);
    let client = client_with(figment("fault"), fairing, routes![prolong, prolong_and_save]).await;
    let token = logged_in(&client, "ann").await;
    clock.advance(MINUTE);
    break_writes(&storage, &down());
    assert_eq!(with_cookie(&client, "/prolong", &token).await.status(), Status::ServiceUnavailable);
    assert_eq!(text(&client, "/prolong-and-save", &token).await, "Storage, 0 left");
    // One that comes by itself fails in silence.
    clock.advance(Duration::from_secs(DAY));
    assert_eq!(text(&client, "/get", &token).await, "ann 0");
    storage.mend();
    assert_eq!(text(&client, "/prolong-and-save", &token).await, "Ok, 1 left");
}

#[get("/prolong")]
fn prolong(session: Session<User>) {
    session.touch();
}

#[get("/prolong-and-save")]
async fn prolong_and_save(session: Session<User>) -> String {
    session.touch();
    let saved = match session.save().await {
        Ok(()) => "Ok",
        Err(SessionError::Storage(_)) => "Storage",
        Err(SessionError::Ended) => "Ended",
        Err(SessionError::TooLate) => "TooLate",
        Err(other) => panic!("{other}"),
    };
    let left = usize::from(saved == "Ok");
    session.discard();
    format!("{saved}, {left} left")
}

/// One that has failed is still asked for.
#[tokio::test]
async fn d16_a_touch_that_has_failed_is_tried_again() {
    let storage = faulty();
    let clock = Clock::new();
    let fairing = Sessions::fairing().storage("fault", storage.clone()).clock(&clock);
    let rocket = build(figment("fault"), fairing, routes![twice]).manage(Ends(storage.clone()));
    let client = Client::untracked(rocket).await.expect("a rocket");
    let token = logged_in(&client, "ann").await;
    clock.advance(MINUTE);
    for then in ["", "touch", "renew"] {
        let touches = storage.calls(Operation::Touch);
        let text = text(&client, &format!("/twice?then={then}"), &token).await;
        assert_eq!(text, "true Ok(())", "{then}");
        let expected = if then == "renew" { 1 } else { 2 };
        assert_eq!(storage.calls(Operation::Touch) - touches, expected, "{then}");
    }
}

#[get("/twice?<then>")]
async fn twice(session: Session<User>, then: &str, storage: &State<Ends>) -> String {
    session.touch();
    break_writes(&storage.0, &down());
    let first = session.save().await.is_err();
    storage.0.mend();
    match then {
        "touch" => session.touch(),
        "renew" => session.renew(),
        _ => {}
    }
    format!("{first} {:?}", session.save().await)
}

#[derive(Clone, Default)]
struct Late(Arc<(Notify, Mutex<String>, Notify)>);

#[get("/late")]
fn late(session: Session<User>, late: &State<Late>) {
    let late = Arc::clone(&late.0);
    rocket::tokio::spawn(async move {
        late.0.notified().await;
        session.touch();
        let saved = session.save().await;
        *late.1.lock().await = format!("{saved:?}");
        session.discard();
        late.2.notify_one();
    });
}

/// A stream prolongs its session, unless a cookie would have to follow.
#[tokio::test]
async fn d16_a_touch_after_the_response_is_done_or_too_late() {
    for (place, max_age, expected) in [
        ("memory", "30 days", "Ok(())"),
        ("memory", "1 day", "Err(TooLate)"),
        ("client", "30 days", "Err(TooLate)"),
    ] {
        let (clock, state) = (Clock::new(), Late::default());
        let figment = figment(place)
            .merge(("sessions.user.idle_timeout", "1 hour"))
            .merge(("sessions.user.cookie.max_age", max_age));
        let rocket = build(figment, Sessions::fairing().clock(&clock), routes![late]);
        let client = Client::untracked(rocket.manage(state.clone())).await.expect("a rocket");
        let token = logged_in(&client, "ann").await;
        clock.advance(MINUTE);
        with_cookie(&client, "/late", &token).await;
        clock.advance(Duration::from_secs(HOUR));
        state.0.0.notify_one();
        state.0.2.notified().await;
        assert_eq!(*state.0.1.lock().await, expected, "{place} {max_age}");
        // As long as the session was to live without it, and then.
        clock.advance(just_before(HOUR));
        let reads = if expected == "Ok(())" { "ann 0" } else { "absent" };
        assert_eq!(text(&client, "/get", &token).await, reads, "{place} {max_age}");
    }
}

/// The session ends between the load and the touch.
#[tokio::test]
async fn d16_a_touch_of_a_session_that_has_ended_is_told() {
    let storage = faulty();
    let ends = Ends(storage.clone());
    let fairing = Sessions::fairing().storage("fault", storage.clone());
    let rocket = build(figment("fault"), fairing, routes![ended]).manage(ends);
    let client = Client::untracked(rocket).await.expect("a rocket");
    let token = logged_in(&client, "ann").await;
    assert_eq!(text(&client, "/ended", &token).await, "Err(Ended), absent");
}

struct Ends(Faulty);

#[get("/ended")]
async fn ended(session: Session<User>, ends: &State<Ends>) -> String {
    elsewhere(&ends.0, "end").await;
    session.touch();
    let saved = session.save().await;
    format!("{saved:?}, {}", show(&session))
}
