//! Every operation of a storage × (error, lost answer, hang, slow): what the
//! client gets, and what the record is afterwards (checklist S65, S66).

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{State, get, routes};
use rocket_typed_sessions::storage::{SessionStorage, Timestamp};
use rocket_typed_sessions::{Session, SessionData, SessionError, Sessions, TrySession};
use serde::{Deserialize, Serialize};

use crate::support::*;

const BUDGET: Duration = Duration::from_millis(400);

/// Another request counts first, then reading fails: the replay meets it.
#[get("/conflict")]
async fn conflict(session: Session<User>, storage: &State<Faulty>) {
    session.update(|user| user.count += 1);
    elsewhere(storage, "count").await;
}

#[get("/begin-again")]
fn begin_again(session: Session<User>) {
    session.clear();
    session.set(user("again"));
}

#[get("/save")]
async fn save(session: Session<User>) -> String {
    session.update(|user| user.count += 1);
    let first = session.save().await.is_ok();
    // A failed save leaves the change pending; it is not asked for twice.
    session.discard();
    format!("{first} {}", show(&session))
}

async fn application() -> (Client, Faulty) {
    let storage = faulty();
    let figment = figment("faulty")
        .merge(("sessions.user.storage_timeout", "400 ms"))
        .merge(("sessions.user.touch_after", 0));
    let fairing = Sessions::fairing().storage("faulty", storage.clone());
    let routes = routes![conflict, begin_again, save];
    let rocket = build(figment, fairing, routes).manage(storage.clone());
    (Client::untracked(rocket).await.expect("a rocket"), storage)
}

/// What a request under a fault leaves.
#[derive(Debug, PartialEq)]
struct Left {
    status: u16,
    /// Whether the client got a token or a removal.
    emission: &'static str,
    /// What the client's old token reads afterwards, the storage mended.
    then: String,
    records: usize,
}

fn left(status: u16, emission: &'static str, then: &str, records: usize) -> Left {
    Left { status, emission, then: then.into(), records }
}

async fn try_it(operation: Operation, uri: &str, fault: Fault) -> Left {
    let (client, storage) = application().await;
    let token = logged_in(&client, "ann").await;
    // So that a touch is due.
    tokio::time::sleep(Duration::from_millis(2)).await;
    storage.set(operation, fault);
    let started = Instant::now();
    let response = with_cookie(&client, uri, &token).await;
    let patience = BUDGET + Duration::from_secs(2);
    assert!(started.elapsed() < patience, "{operation:?} {uri}: {:?}", started.elapsed());
    let emission = match sent(&response).as_deref() {
        None => "nothing",
        Some("user=") => "removal",
        Some(_) => "token",
    };
    let status = response.status().code;
    if status == 503 {
        assert_eq!(response.headers().get_one("Retry-After"), Some("1"), "{operation:?} {uri}");
        assert!(response.headers().get_one("Cache-Control").is_some());
    }
    storage.mend();
    let then = text(&client, "/get", &token).await;
    // What was given up is ended soon.
    let mut records = usize::MAX;
    for _ in 0..100 {
        records = live_records(&storage).await;
        if records < 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Left { status, emission, then, records }
}

/// What becomes of a request whose operation fails or hangs, loses its answer,
/// or is slow.
type Row = (Operation, &'static str, Left, Left, Left);

fn table() -> Vec<Row> {
    use Operation::{Create, Invalidate, OwnerGeneration, Read, Touch, Update};
    let refused = || left(503, "nothing", "ann 0", 1);
    vec![
        (Read, "/get", refused(), refused(), left(200, "nothing", "ann 0", 1)),
        (Read, "/count", refused(), refused(), left(200, "nothing", "ann 1", 1)),
        // Without its session a request cannot log in over it either.
        (Read, "/login/bob", refused(), refused(), left(200, "token", "absent", 1)),
        (Read, "/clear", refused(), refused(), left(200, "removal", "absent", 0)),
        (
            Update,
            "/count",
            refused(),
            left(503, "nothing", "ann 1", 1),
            left(200, "nothing", "ann 1", 1),
        ),
        // What a renewal has written is found out, and its client is given the token,
        // also with the 503.
        (
            Update,
            "/renew",
            refused(),
            left(503, "token", "absent", 1),
            left(200, "token", "absent", 1),
        ),
        // A login that cannot end the session before it ends itself. One that has ended it
        // goes on.
        (
            Update,
            "/login/bob",
            refused(),
            left(200, "token", "absent", 1),
            left(200, "token", "absent", 1),
        ),
        (
            Update,
            "/conflict",
            left(503, "nothing", "ann 1", 1),
            left(503, "nothing", "ann 1", 1),
            left(200, "nothing", "ann 2", 1),
        ),
        (
            Update,
            "/save",
            left(200, "nothing", "ann 0", 1),
            left(200, "nothing", "ann 1", 1),
            left(200, "nothing", "ann 1", 1),
        ),
        (
            Invalidate,
            "/clear",
            refused(),
            left(503, "nothing", "absent", 0),
            left(200, "removal", "absent", 0),
        ),
        (
            Invalidate,
            "/begin-again",
            refused(),
            left(503, "nothing", "absent", 0),
            left(200, "token", "absent", 1),
        ),
        // The old session has ended; the new one never began, or has ended, too.
        (
            Create,
            "/begin-again",
            left(503, "removal", "absent", 0),
            left(503, "removal", "absent", 0),
            left(200, "token", "absent", 1),
        ),
        // A login first asks when its owner was last revoked.
        (OwnerGeneration, "/login/bob", refused(), refused(), left(200, "token", "absent", 1)),
        // A touch is a courtesy: its failure changes nothing.
        (
            Touch,
            "/get",
            left(200, "nothing", "ann 0", 1),
            left(200, "nothing", "ann 0", 1),
            left(200, "nothing", "ann 0", 1),
        ),
    ]
}

#[tokio::test]
async fn s65_s66_every_operation_may_fail_hang_lose_its_answer_or_be_slow() {
    for (operation, uri, refused, lost, slow) in table() {
        let Fault::Fails(cause) = down() else { unreachable!() };
        for (fault, expected) in [
            (down(), &refused),
            (Fault::Hangs, &refused),
            (Fault::FailsAfterwards(cause), &lost),
            (Fault::Slow(BUDGET / 8), &slow),
        ] {
            let found = try_it(operation, uri, fault.clone()).await;
            assert_eq!(&found, expected, "{operation:?} {uri} {fault:?}");
        }
    }
}

/// The conflict's re-read fails.
#[get("/reread")]
async fn reread(session: Session<User>, storage: &State<Faulty>) {
    session.update(|user| user.count += 1);
    elsewhere(storage, "count").await;
    storage.set(Operation::Read, down());
}

#[tokio::test]
async fn a_replay_that_cannot_read_gives_503_and_keeps_the_others_write() {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("faulty", storage.clone());
    let rocket = build(figment("faulty"), fairing, routes![reread]).manage(storage.clone());
    let client = Client::untracked(rocket).await.expect("a rocket");
    let token = logged_in(&client, "ann").await;
    let response = with_cookie(&client, "/reread", &token).await;
    assert_eq!((response.status(), sent(&response)), (Status::ServiceUnavailable, None));
    storage.mend();
    assert_eq!(text(&client, "/get", &token).await, "ann 1");
}

#[tokio::test]
async fn lists_and_revocations_fail_by_their_deadline_and_say_so() {
    let (client, storage) = application().await;
    let token = logged_in(&client, "ann").await;
    let sessions = client.rocket().state::<Sessions>().expect("the fairing");
    let sessions = sessions.of::<User>();
    for fault in [down(), Fault::Hangs] {
        let started = Instant::now();
        for operation in [Operation::List, Operation::InvalidateOwner] {
            storage.set(operation, fault.clone());
        }
        let unavailable =
            |error: SessionError| assert_eq!(error.status(), Status::ServiceUnavailable);
        unavailable(sessions.list("ann").await.expect_err("no list"));
        unavailable(sessions.revoke("ann", &"x".into()).await.expect_err("no list"));
        unavailable(sessions.revoke_owner("ann").await.expect_err("not revoked"));
        assert!(started.elapsed() < 3 * BUDGET + Duration::from_secs(2), "{fault:?}");
        storage.mend();
        assert_eq!(text(&client, "/get", &token).await, "ann 0");
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Other(u32);

impl SessionData for Other {
    const NAME: &'static str = "other";
}

#[get("/other")]
fn other(other: Session<Other>) -> String {
    other.get_or_insert_with(|| Other(0));
    other.update(|other| other.0 += 1).map_or_else(String::new, |other| other.0.to_string())
}

#[get("/both")]
fn both(_user: TrySession<User>, other: Session<Other>) -> String {
    other.get().map_or_else(|| "none".into(), |other| other.0.to_string())
}

async fn two_storages(other_in: &str) -> (Arc<Client>, Faulty) {
    let storage = faulty();
    let figment = figment("faulty")
        .merge(("sessions.user.storage_timeout", "2 s"))
        .merge(("sessions.other.storage", other_in))
        .merge(("sessions.other.storage_timeout", "2 s"));
    let fairing = Sessions::fairing().storage("faulty", storage.clone());
    (Arc::new(client_with(figment, fairing, routes![other, both]).await), storage)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s60_a_hung_storage_stalls_nobody_else() {
    let (client, storage) = two_storages("memory").await;
    let token = logged_in(&client, "ann").await;
    storage.set(Operation::Read, Fault::Hangs);
    let hanging = (0..50).map(|_| {
        let (client, token) = (Arc::clone(&client), token.clone());
        tokio::spawn(async move { with_cookie(&client, "/get", &token).await.status() })
    });
    let hanging: Vec<_> = hanging.collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let started = Instant::now();
    for _ in 0..20 {
        assert_eq!(client.get("/other").dispatch().await.status(), Status::Ok);
    }
    assert!(started.elapsed() < Duration::from_secs(1), "they waited: {:?}", started.elapsed());
    assert!(hanging.iter().all(|request| !request.is_finished()), "they still hang");
    for request in hanging {
        assert_eq!(request.await.expect("no panic"), Status::ServiceUnavailable);
    }
}

#[tokio::test]
async fn s66_all_sessions_of_a_request_share_one_budget() {
    let (client, storage) = two_storages("faulty").await;
    let token = logged_in(&client, "ann").await;
    let begun = client.get("/other").dispatch().await;
    let header = format!("{token}; {}", sent(&begun).expect("a token"));
    storage.set(Operation::Read, Fault::Hangs);
    let started = Instant::now();
    let response = with_cookie(&client, "/both", &header).await;
    assert_eq!(response.status(), Status::ServiceUnavailable);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn purging_goes_on_after_a_failure_and_stops_at_shutdown() {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("faulty", storage.clone());
    let client = client_with(figment("faulty"), fairing, vec![]).await;
    let purges = || storage.calls(Operation::PurgeExpired);
    storage.set(Operation::PurgeExpired, down());
    tokio::time::sleep(Duration::from_secs(200)).await;
    let failed = purges();
    assert!((2..=3).contains(&failed), "one purge a minute or so: {failed}");
    storage.mend();
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert!(purges() > failed, "purging goes on");
    client.rocket().shutdown().notify();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stopped = purges();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(purges(), stopped, "no purge after shutdown");
}

#[tokio::test]
async fn nobody_waits_for_the_refresh_of_an_expiry() {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("fault", storage.clone());
    let always = figment("fault").merge(("sessions.user.touch_after", 0));
    let client = client_with(always, fairing, vec![]).await;
    let token = logged_in(&client, "ann").await;
    let key = storage.created().pop().expect("a login");
    let seen = async || {
        let now = Timestamp::from(SystemTime::now());
        let found = storage.read(&key, now).await.expect("an answer").expect("a record");
        found.last_seen
    };
    let before = seen().await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    storage.set(Operation::Touch, Fault::Slow(Duration::from_millis(300)));
    let started = Instant::now();
    assert_eq!(text(&client, "/get", &token).await, "ann 0");
    assert!(started.elapsed() < Duration::from_millis(200), "{:?}", started.elapsed());
    assert_eq!(seen().await, before);
    // It happens all the same.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(seen().await > before);
    storage.set(Operation::Touch, Fault::Hangs);
    let started = Instant::now();
    assert_eq!(text(&client, "/get", &token).await, "ann 0");
    assert!(started.elapsed() < Duration::from_millis(200), "{:?}", started.elapsed());
}
