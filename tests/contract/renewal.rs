//! A fresh id for the same session: on demand, in parallel, and periodically.

use std::sync::Arc;
use std::time::Duration;

use rocket::figment::Figment;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{State, get, routes};
use rocket_typed_sessions::storage::{Directory, Memory};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Lifetime, Session, SessionEventKind, Sessions, StorageError};
use tokio::sync::Notify;

use crate::concurrency::storages;
use crate::support::*;

const GRACE: Duration = Duration::from_secs(30);

/// A request that waits, between its load and its commit, for another one.
#[derive(Default, Clone)]
struct Gate(Arc<(Notify, Notify)>);

#[get("/slow/<what>")]
async fn slow(session: Session<User>, gate: &State<Gate>, what: &str) -> String {
    gate.0.0.notify_one();
    gate.0.1.notified().await;
    match what {
        "count" => drop(session.update(|user| user.count += 1)),
        "renew" => session.renew(),
        "login" => session.login(user("bob")),
        _ => {}
    }
    show(&session)
}

#[get("/id")]
fn id(session: Session<User>) -> String {
    session.id().map(|id| id.to_text()).unwrap_or_default()
}

#[get("/set-id/<id>")]
fn set_and_id(session: Session<User>, id: &str) -> String {
    session.set(user(id));
    session.id().map(|id| id.to_text()).unwrap_or_default()
}

#[get("/long/<seconds>")]
fn long(session: Session<User>, seconds: u64) {
    session.set_lifetime(Lifetime::Idle(Duration::from_secs(seconds))).expect("some time");
}

fn with_grace(figment: Figment) -> Figment {
    figment.merge(("sessions.user.renewal_grace", 30))
}

async fn application(figment: Figment) -> (Client, Clock, Gate) {
    let (clock, gate) = (Clock::new(), Gate::default());
    let routes = routes![slow, id, set_and_id, long];
    let rocket = build(figment, Sessions::fairing().clock(&clock), routes).manage(gate.clone());
    (Client::untracked(rocket).await.expect("a valid configuration"), clock, gate)
}

async fn renewed(client: &Client, token: &str) -> String {
    sent(&with_cookie(client, "/renew", token).await).expect("a token")
}

#[tokio::test]
async fn s67_a_renewed_id_reads_and_writes_for_the_grace_and_not_a_moment_longer() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        let (client, clock, _) = application(with_grace(figment)).await;
        let old = logged_in(&client, "ann").await;
        let new = renewed(&client, &old).await;

        let response = with_cookie(&client, "/count", &old).await;
        assert_eq!(sent(&response), None, "nothing is sent for it");
        assert_eq!(response.into_string().await.as_deref(), Some("ann 1"));
        assert_eq!(text(&client, "/count", &new).await, "ann 2", "one record");

        assert_eq!(sent(&with_cookie(&client, "/renew", &old).await), None, "no second renewal");
        assert_eq!(sent(&with_cookie(&client, "/long/600", &old).await), None);
        assert_eq!(text(&client, "/get", &new).await, "ann 2", "the present id lives on");

        clock.advance(GRACE.checked_sub(Duration::from_millis(1)).expect("longer"));
        assert_eq!(text(&client, "/get", &old).await, "ann 2");
        clock.advance(Duration::from_millis(1));
        assert_eq!(text(&client, "/get", &old).await, "absent");
        assert_eq!(text(&client, "/get", &new).await, "ann 2");
    }
}

#[tokio::test]
async fn the_old_id_can_log_out_and_log_in_but_opens_nothing_after_a_login() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        let (client, _, _) = application(with_grace(figment)).await;
        let old = logged_in(&client, "ann").await;
        let new = renewed(&client, &old).await;
        with_cookie(&client, "/clear", &old).await;
        assert_eq!(text(&client, "/get", &new).await, "absent", "the session is over for both");

        let old = logged_in(&client, "ann").await;
        let new = renewed(&client, &old).await;
        let login = sent(&with_cookie(&client, "/login/bob", &old).await).expect("a token");
        for gone in [&old, &new] {
            assert_eq!(text(&client, "/get", gone).await, "absent", "never after a login");
        }
        assert_eq!(text(&client, "/get", &login).await, "bob 0");
        // So does a value of another owner, without the word.
        let set = sent(&with_cookie(&client, "/set/eve", &login).await).expect("a token");
        assert_eq!(text(&client, "/get", &login).await, "absent");
        assert_eq!(text(&client, "/get", &set).await, "eve 0");
    }
}

#[tokio::test]
async fn only_the_id_before_the_last_renewal_has_a_grace() {
    let (client, _, _) = application(with_grace(figment("memory"))).await;
    let first = logged_in(&client, "ann").await;
    let second = renewed(&client, &first).await;
    let third = renewed(&client, &second).await;
    let answers = [("absent", &first), ("ann 0", &second), ("ann 0", &third)];
    for (expected, token) in answers {
        assert_eq!(text(&client, "/get", token).await, expected);
    }
}

#[tokio::test]
async fn a_request_under_way_during_a_renewal_loses_nothing_with_a_grace() {
    for (what, answer, counted) in [("count", "ann 1", "ann 1"), ("renew", "ann 0", "ann 0")] {
        let (client, _, gate) = application(with_grace(figment("memory"))).await;
        let old = logged_in(&client, "ann").await;
        let client = Arc::new(client);
        let request = tokio::spawn({
            let (client, old) = (Arc::clone(&client), old.clone());
            async move {
                let response = with_cookie(&client, &format!("/slow/{what}"), &old).await;
                (sent(&response), response.status(), response.into_string().await)
            }
        });
        gate.0.0.notified().await;
        let new = renewed(&client, &old).await;
        gate.0.1.notify_one();
        let (token, status, body) = request.await.expect("no panic");
        assert_eq!((token, status, body.as_deref()), (None, Status::Ok, Some(answer)), "{what}");
        assert_eq!(text(&client, "/get", &new).await, counted, "{what}");
    }
}

#[tokio::test]
async fn an_id_that_is_asked_for_is_the_one_that_the_commit_gives() {
    let (client, _, _) = application(with_grace(figment("memory"))).await;
    let first = client.get("/set-id/ann").dispatch().await;
    let token = sent(&first).expect("a token");
    let id = first.into_string().await.expect("an id");
    assert_eq!(text(&client, "/id", &token).await, id);
    let other = with_cookie(&client, "/set-id/bob", &token).await;
    let token = sent(&other).expect("another owner, another id");
    let id = other.into_string().await.expect("an id");
    assert_eq!(text(&client, "/id", &token).await, id);
}

#[tokio::test]
async fn an_id_is_renewed_by_itself_when_it_is_old_enough() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        let figment = with_grace(figment).merge(("sessions.user.renew_after", "1 hour"));
        let (client, clock, gate) = application(figment).await;
        let client = Arc::new(client);
        let mut token = logged_in(&client, "ann").await;
        for what in ["/get", "/count"] {
            clock.advance(Duration::from_secs(3569));
            assert_eq!(sent(&with_cookie(&client, what, &token).await), None);
            clock.advance(Duration::from_secs(31));
            let new = sent(&with_cookie(&client, "/get", &token).await).expect("a new id");
            assert_ne!(new, token);
            assert_eq!(sent(&with_cookie(&client, "/get", &token).await), None, "in its grace");
            clock.advance(GRACE);
            assert_eq!(text(&client, "/get", &token).await, "absent");
            token = new;
        }
        assert_eq!(text(&client, "/get", &token).await, "ann 1");

        // Of two requests at once, one renews, and the other does not mind.
        clock.advance(Duration::from_secs(3600));
        let slow = tokio::spawn({
            let (client, token) = (Arc::clone(&client), token.clone());
            async move {
                let response = with_cookie(&client, "/slow/nothing", &token).await;
                (response.status(), sent(&response))
            }
        });
        gate.0.0.notified().await;
        let new = sent(&with_cookie(&client, "/count", &token).await).expect("a new id");
        gate.0.1.notify_one();
        assert_eq!(slow.await.expect("no panic"), (Status::Ok, None));
        assert_eq!(text(&client, "/get", &new).await, "ann 2");
    }
}

#[tokio::test]
async fn a_periodic_renewal_that_fails_fails_nobodys_request() {
    for fault in [
        down(),
        Fault::Hangs,
        Fault::FailsAfterwards(StorageError::Unavailable("lost".into(), None)),
    ] {
        let (storage, clock) = (Faulty::new(Memory::new(10)), Clock::new());
        let figment = with_grace(figment("faulty"))
            .merge(("sessions.user.renew_after", "1 hour"))
            .merge(("sessions.user.storage_timeout", 1));
        let fairing = Sessions::fairing().clock(&clock).storage("faulty", storage.clone());
        let client = client_with(figment, fairing, vec![]).await;
        let token = logged_in(&client, "ann").await;
        clock.advance(Duration::from_secs(3600));
        storage.set(Operation::Update, fault.clone());
        let response = with_cookie(&client, "/get", &token).await;
        assert_eq!(response.status(), Status::Ok, "{fault:?}");
        // What was written although no answer came is found out, and told.
        let given = sent(&response);
        assert_eq!(given.is_some(), matches!(fault, Fault::FailsAfterwards(_)), "{fault:?}");
        storage.mend();
        for token in given.iter().chain([&token]) {
            assert_eq!(text(&client, "/get", token).await, "ann 0", "{fault:?}: the id works");
        }
    }
}

#[tokio::test]
async fn losing_the_race_to_renew_is_no_lost_change() {
    let (clock, gate) = (Clock::new(), Gate::default());
    let events = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let told = Arc::clone(&events);
    let figment = figment("memory").merge(("sessions.user.renew_after", "1 hour"));
    let fairing =
        Sessions::fairing().clock(&clock).on_event(move |event| told.lock().push(event.kind));
    let rocket = build(figment, fairing, routes![slow]).manage(gate.clone());
    let client = Arc::new(Client::untracked(rocket).await.expect("a valid configuration"));
    let token = logged_in(&client, "ann").await;
    clock.advance(Duration::from_secs(3600));
    let slow = tokio::spawn({
        let (client, token) = (Arc::clone(&client), token.clone());
        async move { sent(&with_cookie(&client, "/slow/nothing", &token).await) }
    });
    gate.0.0.notified().await;
    let new = sent(&with_cookie(&client, "/get", &token).await).expect("a new id");
    gate.0.1.notify_one();
    assert_eq!(slow.await.expect("no panic"), None);
    assert_eq!(text(&client, "/get", &new).await, "ann 0");
    assert_eq!(*events.lock(), [SessionEventKind::Created, SessionEventKind::Renewed]);
}

#[tokio::test]
async fn s67_a_renewal_that_breaks_off_never_leaves_two_ids_alive() {
    let dir = tempfile::tempdir().expect("a folder");
    let directory = || Directory::open(dir.path()).expect("a folder");
    let lost = || Fault::FailsAfterwards(StorageError::Unavailable("lost".into(), None));
    for fault in [down(), lost(), Fault::Hangs] {
        for storage in [Faulty::new(Memory::new(10)), Faulty::new(directory())] {
            let clock = Clock::new();
            let figment = with_grace(figment("faulty")).merge(("sessions.user.storage_timeout", 1));
            let fairing = Sessions::fairing().clock(&clock).storage("faulty", storage.clone());
            let client = client_with(figment, fairing, routes![renew_to]).await;
            let old = logged_in(&client, "ann").await;
            storage.set(Operation::Update, fault.clone());
            let response = with_cookie(&client, "/renew-to", &old).await;
            assert_eq!(response.status(), Status::ServiceUnavailable, "{fault:?}");
            // Only the lost answer comes after the new id was written.
            let renewed = matches!(fault, Fault::FailsAfterwards(_));
            let new = sent(&response);
            assert_eq!(new.is_some(), renewed, "{fault:?}: a token of what was written");
            storage.mend();
            assert_eq!(text(&client, "/get", &old).await, "ann 0", "{fault:?}: within the grace");
            clock.advance(GRACE);
            let old_lives = text(&client, "/get", &old).await == "ann 0";
            assert_eq!(old_lives, !renewed, "{fault:?}");
        }
    }
}

#[get("/renew-to")]
fn renew_to(session: Session<User>) {
    session.renew();
    session.update(|user| user.count += 0);
}
