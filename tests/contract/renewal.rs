//! A fresh id for the same session: on demand, in parallel, and periodically.

use std::sync::Arc;
use std::time::Duration;

use rocket::figment::Figment;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{State, get, routes};
use rocket_typed_sessions::event::SessionEventKind;
use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::storage::{Directory, Memory};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Lifetime, Session, Sessions};
use tokio::sync::Notify;

use crate::concurrency::storages;
use crate::support::*;

pub const GRACE: Duration = Duration::from_secs(30);

/// A request that waits, between its load and its commit, for another one.
#[derive(Default, Clone)]
pub struct Gate(pub Arc<(Notify, Notify)>);

#[get("/slow/<what>")]
async fn slow(session: Session<User>, gate: &State<Gate>, what: &str) -> String {
    gate.0.0.notify_one();
    gate.0.1.notified().await;
    match what {
        "count" => drop(session.update(|user| user.count += 1)),
        "set" => session.set(user("ann")),
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

#[get("/reauthenticate")]
fn reauthenticate(session: Session<User>) {
    session.reauthenticate();
}

/// Renews after an hour.
pub const HOUR: Duration = Duration::from_secs(3600);
/// So long the id before a renewal says that an answer with the next one is on its way.
pub const MARK: Duration = Duration::from_secs(120);

pub fn periodic(figment: Figment) -> Figment {
    let figment = figment.merge(("sessions.user.renew_after", "1 hour"));
    figment.merge(("sessions.user.renewal_grace", 30))
}

pub async fn application(figment: Figment) -> (Client, Clock, Gate) {
    let (clock, gate) = (Clock::new(), Gate::default());
    let routes = routes![slow, id, set_and_id, long, twice, reauthenticate];
    let rocket = build(figment, Sessions::fairing().clock(&clock), routes).manage(gate.clone());
    (Client::untracked(rocket).await.expect("a valid configuration"), clock, gate)
}

pub async fn renewed(client: &Client, token: &str) -> String {
    sent(&with_cookie(client, "/renew", token).await).expect("a token")
}

/// A session whose renewal is open: its present id, and the next one.
pub async fn renewing(client: &Client, clock: &Clock) -> (String, String) {
    let old = logged_in(client, "ann").await;
    clock.advance(HOUR);
    let next = sent(&with_cookie(client, "/get", &old).await).expect("the next id");
    (old, next)
}

/// What shows an id that a renewal has replaced a moment ago.
pub async fn is_nobody_for_now(client: &Client, old: &str) {
    for uri in ["/get", "/count", "/renew", "/reauthenticate", "/set/ann", "/clear"] {
        let response = with_cookie(client, uri, old).await;
        assert_eq!((response.status(), sent(&response)), (Status::Ok, None), "{uri}");
    }
    assert_eq!(text(client, "/get", old).await, "absent");
}

#[tokio::test]
async fn d22_who_loses_the_answer_with_the_next_id_is_sent_it_again_for_as_long_as_it_takes() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        let (client, clock, _) = application(periodic(figment)).await;
        let (old, next) = renewing(&client, &clock).await;
        for count in 1..4 {
            let response = with_cookie(&client, "/count", &old).await;
            assert_eq!(sent(&response).as_deref(), Some(&*next), "the same one");
            assert_eq!(response.into_string().await, Some(format!("ann {count}")));
            clock.advance(HOUR);
        }
        assert_eq!(sent(&with_cookie(&client, "/get", &old).await).as_deref(), Some(&*next));
        assert_eq!(text(&client, "/id", &old).await, text(&client, "/id", &next).await);
    }
}

#[get("/twice/<what>")]
async fn twice(session: Session<User>, what: &str, gate: &State<Gate>) -> String {
    gate.0.0.notify_one();
    gate.0.1.notified().await;
    match what {
        "refresh" => drop(session.refresh().await.expect("it is there")),
        _ => session.save().await.expect("it is there"),
    }
    session.update(|user| user.count += 1);
    session.save().await.expect("it is there");
    session.update(|user| user.count += 1);
    show(&session)
}

/// Nothing that a request does which was not shown the next id makes it count.
#[tokio::test]
async fn d22_no_write_over_another_one_completes_a_renewal_that_was_not_received() {
    for what in ["refresh", "save"] {
        for renews in [false, true] {
            let (client, clock, gate) = application(periodic(figment("memory"))).await;
            let old = logged_in(&client, "ann").await;
            clock.advance(HOUR);
            let client = Arc::new(client);
            if !renews {
                with_cookie(&client, "/get", &old).await;
            }
            let request = tokio::spawn({
                let (client, old) = (Arc::clone(&client), old.clone());
                async move { sent(&with_cookie(&client, &format!("/twice/{what}"), &old).await) }
            });
            gate.0.0.notified().await;
            // Another one writes meanwhile. Its answer and the other's are lost.
            with_cookie(&client, "/count", &old).await;
            gate.0.1.notify_one();
            let next = request.await.expect("no panic").expect("the next id");
            clock.advance(HOUR);
            let response = with_cookie(&client, "/get", &old).await;
            assert_eq!(sent(&response), Some(next), "{what}, {renews}");
            assert_eq!(response.into_string().await.as_deref(), Some("ann 3"));
        }
    }
}

#[tokio::test]
async fn s67_d22_the_grace_of_an_id_begins_when_the_next_one_is_first_shown() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        for uri in ["/get", "/count"] {
            let (client, clock, _) = application(periodic(figment.clone())).await;
            let (old, next) = renewing(&client, &clock).await;
            clock.advance(Duration::from_secs(3000));
            let response = with_cookie(&client, uri, &next).await;
            assert_eq!((response.status(), sent(&response)), (Status::Ok, None));
            let before = response.into_string().await.expect("a body");

            // It reads and writes for the grace, and is not told anything.
            assert_eq!(text(&client, "/get", &old).await, before);
            let response = with_cookie(&client, "/count", &old).await;
            assert_eq!((response.status(), sent(&response)), (Status::Ok, None));
            assert_eq!(sent(&with_cookie(&client, "/renew", &old).await), None);
            assert_eq!(sent(&with_cookie(&client, "/long/600", &old).await), None);
            let now = text(&client, "/get", &next).await;
            assert_ne!(now, before, "one record");

            clock.advance(GRACE.checked_sub(Duration::from_millis(1)).expect("longer"));
            assert_eq!(text(&client, "/get", &old).await, now);
            clock.advance(Duration::from_millis(1));
            is_nobody_for_now(&client, &old).await;
            assert_eq!(text(&client, "/get", &next).await, now);
        }
    }
}

#[tokio::test]
async fn the_old_id_can_log_out_and_log_in_but_opens_nothing_after_a_login() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        for shown in [false, true] {
            let (client, clock, _) = application(periodic(figment.clone())).await;
            let (old, next) = renewing(&client, &clock).await;
            if shown {
                text(&client, "/get", &next).await;
            }
            with_cookie(&client, "/clear", &old).await;
            assert_eq!(text(&client, "/get", &next).await, "absent", "over for both");

            let (old, next) = renewing(&client, &clock).await;
            if shown {
                text(&client, "/get", &next).await;
            }
            let login = sent(&with_cookie(&client, "/login/bob", &old).await).expect("a token");
            for gone in [&old, &next] {
                assert_eq!(text(&client, "/get", gone).await, "absent", "never after a login");
            }
            assert_eq!(text(&client, "/get", &login).await, "bob 0");
            // So does a value of another owner, without the word.
            let set = sent(&with_cookie(&client, "/set/eve", &login).await).expect("a token");
            assert_eq!(text(&client, "/get", &login).await, "absent");
            assert_eq!(text(&client, "/get", &set).await, "eve 0");
        }
    }
}

#[tokio::test]
async fn a_request_under_way_during_a_renewal_loses_nothing() {
    for what in ["count", "renew"] {
        let (client, clock, gate) = application(periodic(figment("memory"))).await;
        let old = logged_in(&client, "ann").await;
        clock.advance(Duration::from_secs(3599));
        let client = Arc::new(client);
        let request = tokio::spawn({
            let (client, old) = (Arc::clone(&client), old.clone());
            async move {
                let response = with_cookie(&client, &format!("/slow/{what}"), &old).await;
                (sent(&response), response.status(), response.into_string().await)
            }
        });
        gate.0.0.notified().await;
        clock.advance(Duration::from_secs(1));
        let next = sent(&with_cookie(&client, "/get", &old).await).expect("the next id");
        gate.0.1.notify_one();
        let (token, status, _) = request.await.expect("no panic");
        let token = token.expect("the next id, or the one after it");
        assert_eq!((token == next, status), (what == "count", Status::Ok), "{what}");
        let counted = if what == "count" { "ann 1" } else { "ann 0" };
        assert_eq!(text(&client, "/get", &token).await, counted, "{what}");
    }
}

#[tokio::test]
async fn an_id_that_is_asked_for_is_the_one_that_the_commit_gives() {
    let (client, _, _) = application(figment("memory")).await;
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
        let (client, clock, gate) = application(periodic(figment)).await;
        let client = Arc::new(client);
        let mut token = logged_in(&client, "ann").await;
        for what in ["/get", "/count"] {
            clock.advance(Duration::from_secs(3569));
            assert_eq!(sent(&with_cookie(&client, what, &token).await), None);
            clock.advance(Duration::from_secs(31));
            let new = sent(&with_cookie(&client, "/get", &token).await).expect("a new id");
            assert_ne!(new, token);
            assert_eq!(sent(&with_cookie(&client, "/get", &new).await), None);
            assert_eq!(sent(&with_cookie(&client, "/get", &token).await), None, "in its grace");
            clock.advance(GRACE);
            assert_eq!(text(&client, "/get", &token).await, "absent");
            token = new;
        }
        assert_eq!(text(&client, "/get", &token).await, "ann 1");

        // Of two requests at once, one renews, and the other does not mind.
        clock.advance(HOUR);
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
        let figment = periodic(figment("faulty")).merge(("sessions.user.storage_timeout", 1));
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
            let figment = figment("faulty").merge(("sessions.user.storage_timeout", 1));
            let fairing = Sessions::fairing().storage("faulty", storage.clone());
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

/// As on two nodes while one of them has the new configuration already.
#[tokio::test]
async fn s67_a_grace_that_is_shorter_now_is_shorter_for_earlier_renewals_too() {
    let (storage, clock) = (Memory::new(100), Clock::new());
    let node = async |grace: u64| {
        let figment = periodic(figment("shared")).merge(("sessions.user.renewal_grace", grace));
        let fairing = Sessions::fairing().storage("shared", storage.clone()).clock(&clock);
        client_with(figment, fairing, vec![]).await
    };
    let (before, now) = (node(30).await, node(5).await);
    let (old, next) = renewing(&before, &clock).await;
    assert_eq!(text(&before, "/get", &next).await, "ann 0");
    for (seconds, expected) in [(4, "ann 0"), (2, "absent")] {
        clock.advance(Duration::from_secs(seconds));
        assert_eq!(text(&before, "/get", &old).await, "ann 0");
        assert_eq!(text(&now, "/get", &old).await, expected);
    }
}
