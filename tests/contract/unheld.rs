//! Records of which nobody holds an id: what becomes of them once nobody asks any more.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rocket::figment::Figment;
use rocket::futures::future::poll_immediate;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{State, get, routes};
use rocket_typed_sessions::event::SessionEventKind::{self, Created, Ended, Renewed};
use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, SessionError, Sessions, SessionsFairing};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::support::*;

fn lost() -> Fault {
    Fault::FailsAfterwards(StorageError::Unavailable("lost".into(), None))
}

#[get("/renew-unanswered?<applied>&<reads>")]
fn renew_unanswered(session: Session<User>, storage: &State<Faulty>, applied: bool, reads: bool) {
    session.renew();
    storage.set(Operation::Update, if applied { lost() } else { down() });
    if !reads {
        storage.set(Operation::Read, down());
    }
}

async fn application(storage: &Faulty) -> Client {
    listened(figment("fault"), storage).await.0
}

type Events = Arc<parking_lot::Mutex<Vec<SessionEventKind>>>;

/// The same, with the events of which it tells.
async fn listened(figment: Figment, storage: &Faulty) -> (Client, Events) {
    let events = Events::default();
    let fairing = Sessions::fairing().storage("fault", storage.clone());
    let rocket = build(figment, listens(fairing, &events), routes![renew_unanswered]);
    let client = Client::untracked(rocket.manage(storage.clone())).await.expect("a rocket");
    (client, events)
}

fn listens(fairing: SessionsFairing, events: &Events) -> SessionsFairing {
    let events = Arc::clone(events);
    fairing.on_event(move |event| events.lock().push(event.kind))
}

fn take(events: &Events) -> Vec<SessionEventKind> {
    std::mem::take(&mut *events.lock())
}

/// The first try is made at once, the next one after a second.
#[tokio::test(start_paused = true)]
async fn a_session_whose_new_id_was_never_told_ends_as_soon_as_that_is_known() {
    for after in [0, 3, 20] {
        let storage = faulty();
        let client = application(&storage).await;
        let before = logged_in(&client, "ann").await;
        let uri = "/renew-unanswered?applied=true&reads=false";
        let response = with_cookie(&client, uri, &before).await;
        assert_eq!((response.status(), sent(&response)), (Status::ServiceUnavailable, None));
        assert_eq!(live_records(&storage).await, 1, "nobody knows so far");
        tokio::time::sleep(Duration::from_secs(after)).await;
        storage.mend();
        assert_eq!(text(&client, "/get", &before).await, "absent");
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(live_records(&storage).await, 0, "after {after} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_renewal_was_not_applied_stays() {
    let storage = faulty();
    let client = application(&storage).await;
    let before = logged_in(&client, "ann").await;
    let uri = "/renew-unanswered?applied=false&reads=false";
    let response = with_cookie(&client, uri, &before).await;
    assert_eq!((response.status(), sent(&response)), (Status::ServiceUnavailable, None));
    storage.mend();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(text(&client, "/get", &before).await, "ann 0");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_has_made_of_an_untold_session_meanwhile_stays() {
    for (uri, expected) in [("/login/bob", "bob 0"), ("/login/ann", "ann 0")] {
        let storage = faulty();
        let client = application(&storage).await;
        let before = logged_in(&client, "ann").await;
        with_cookie(&client, "/renew-unanswered?applied=true&reads=false", &before).await;
        storage.mend();
        let after = sent(&with_cookie(&client, uri, &before).await).expect("a token");
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(text(&client, "/get", &after).await, expected);
        assert_eq!(live_records(&storage).await, 1, "{uri}");
    }
}

/// It is told of when the storage has ended it, and once.
#[tokio::test(start_paused = true)]
async fn s53_the_end_of_a_session_that_nobody_waits_for_is_one_event() {
    for (faults, after) in [(vec![down()], 1), (vec![lost()], 1), (vec![down(), lost()], 6)] {
        let storage = faulty();
        let (client, events) = listened(figment("fault"), &storage).await;
        let before = logged_in(&client, "ann").await;
        assert_eq!(take(&events), [Created]);
        storage.set(Operation::Invalidate, faults[0].clone());
        with_cookie(&client, "/renew-unanswered?applied=true&reads=false", &before).await;
        for fault in faults {
            storage.set(Operation::Invalidate, fault);
            tokio::time::sleep(Duration::from_millis(900)).await;
            assert_eq!(take(&events), [], "it is not known so far");
        }
        storage.mend();
        tokio::time::sleep(Duration::from_secs(after)).await;
        assert_eq!(take(&events), [Ended]);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(take(&events), []);
        assert_eq!(live_records(&storage).await, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn s53_a_session_that_goes_on_or_never_began_has_no_end() {
    // Its renewal was not applied.
    let storage = faulty();
    let limited = figment("fault").merge(("sessions.user.max_sessions_per_owner", 1));
    let (client, events) = listened(limited, &storage).await;
    let before = logged_in(&client, "ann").await;
    with_cookie(&client, "/renew-unanswered?applied=false&reads=false", &before).await;
    storage.mend();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(take(&events), [Created]);
    // It was, and its client has logged in over it.
    with_cookie(&client, "/renew-unanswered?applied=true&reads=false", &before).await;
    storage.mend();
    with_cookie(&client, "/login/ann", &before).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(take(&events), [Renewed]);
    // The answer to its beginning was lost.
    storage.set(Operation::Create, lost());
    client.get("/login/bob").dispatch().await;
    storage.mend();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(take(&events), []);
}

/// A storage whose updates arrive late while it is `slow`, when nobody waits for them.
#[derive(Clone)]
struct Late {
    storage: Faulty,
    slow: Arc<AtomicBool>,
}

storage_over! {
    Late.storage but update;

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        if !self.slow.load(Ordering::SeqCst) {
            return self.storage.update(key, expected, record, now).await;
        }
        let (storage, key) = (self.storage.clone(), key.clone());
        rocket::tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(20)).await;
            storage.update(&key, expected, record, now).await
        });
        Err(StorageError::Unavailable("no answer".into(), None))
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_whose_renewal_arrives_after_the_response() {
    let storage = Late { storage: faulty(), slow: Arc::default() };
    let fairing = Sessions::fairing().storage("late", storage.clone());
    let client = client_with(figment("late"), fairing, vec![]).await;
    let before = logged_in(&client, "ann").await;
    storage.slow.store(true, Ordering::SeqCst);
    let response = with_cookie(&client, "/renew", &before).await;
    assert_eq!((response.status(), sent(&response)), (Status::ServiceUnavailable, None));
    tokio::time::sleep(Duration::from_secs(19)).await;
    assert_eq!(text(&client, "/get", &before).await, "ann 0", "it has not arrived");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(text(&client, "/get", &before).await, "absent");
    assert_eq!(live_records(&storage.storage).await, 0);
}

type Save = Pin<Box<dyn Future<Output = Result<(), SessionError>> + Send>>;

type UnderWay = (Save, Session<User>);

/// A save that is under way when the response goes out, and its session.
#[derive(Default, Clone)]
struct Parked(Arc<Mutex<Option<UnderWay>>>);

#[get("/park/<what>")]
async fn park(session: Session<User>, what: &str, storage: &State<Faulty>, parked: &State<Parked>) {
    match what {
        "count" => drop(session.update(|user| user.count += 1)),
        _ => session.renew(),
    }
    storage.set(Operation::Update, Fault::SlowAnswer(Duration::from_millis(50)));
    let of = session.clone();
    let mut save: Save = Box::pin(async move { of.save().await });
    assert!(poll_immediate(&mut save).await.is_none(), "the answer is on its way");
    storage.mend();
    *parked.0.lock().await = Some((save, session));
}

/// An application, a session of it whose save is under way after the response, and that.
async fn parked(what: &str) -> (Faulty, Client, String, Save, Session<User>) {
    let (storage, client, token, under_way, _) = parked_and_listened(what).await;
    let (save, session) = under_way;
    (storage, client, token, save, session)
}

/// The same, with the events of which it tells.
async fn parked_and_listened(what: &str) -> (Faulty, Client, String, UnderWay, Events) {
    let (storage, parked, clock) = (faulty(), Parked::default(), Clock::new());
    let events = Events::default();
    let fairing = Sessions::fairing().storage("fault", storage.clone()).clock(&clock);
    let fairing = listens(fairing, &events);
    let figment = figment("fault").merge(("sessions.user.storage_timeout", "100 ms"));
    let figment = figment.merge(("sessions.user.renew_after", "1 hour"));
    let rocket = build(figment, fairing, routes![park]).manage(storage.clone());
    let client = Client::untracked(rocket.manage(parked.clone())).await.expect("a rocket");
    let token = logged_in(&client, "ann").await;
    if what == "count" {
        clock.advance(Duration::from_secs(3600));
    }
    let response = with_cookie(&client, &format!("/park/{what}"), &token).await;
    assert_eq!((response.status(), sent(&response)), (Status::ServiceUnavailable, None));
    drop(response);
    let under_way = parked.0.lock().await.take().expect("it was parked");
    (storage, client, token, under_way, events)
}

#[tokio::test]
async fn a_session_that_is_found_to_be_renewed_too_late_ends() {
    let (storage, client, token, save, session) = parked("renew").await;
    // Nobody waits for the answer, and the next one finds that it was applied.
    drop(save);
    assert!(matches!(session.save().await, Err(SessionError::TooLate)));
    assert_eq!(session.get(), None);
    assert!(session.save().await.is_ok(), "nothing is left to save");
    drop(session);
    is_ended(&storage, &client, &token).await;
}

#[tokio::test]
async fn a_session_ends_whose_renewal_nobody_asks_for_any_more() {
    let (storage, client, token, save, session) = parked("renew").await;
    drop((save, session));
    is_ended(&storage, &client, &token).await;
}

#[tokio::test]
async fn s53_a_session_that_ends_since_it_was_renewed_too_late_is_one_event() {
    for ends in ["saved", "asked again", "dropped"] {
        let (storage, client, token, (save, session), events) = parked_and_listened("renew").await;
        take(&events);
        match ends {
            "saved" => assert!(matches!(save.await, Err(SessionError::TooLate))),
            "dropped" => drop(save),
            _ => {
                drop(save);
                assert!(matches!(session.save().await, Err(SessionError::TooLate)));
            }
        }
        drop(session);
        is_ended(&storage, &client, &token).await;
        let mut told = take(&events);
        told.retain(|kind| [Renewed, Ended].contains(kind));
        // Of a renewal of which nobody knew nobody was told.
        let expected = if ends == "dropped" { vec![Ended] } else { vec![Renewed, Ended] };
        assert_eq!(told, expected, "{ends}");
    }
}

async fn is_ended(storage: &Faulty, client: &Client, token: &str) {
    for _ in 0..50 {
        if live_records(storage).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(live_records(storage).await, 0);
    assert_eq!(text(client, "/get", token).await, "absent");
}

/// The id before opens the session, and whoever shows it is told the next one.
#[tokio::test]
async fn a_periodic_renewal_that_comes_too_late_ends_nothing() {
    for ends in ["saved", "dropped", "asked again"] {
        let (_storage, client, token, save, session) = parked("count").await;
        match ends {
            "saved" => assert!(matches!(save.await, Err(SessionError::TooLate))),
            "dropped" => drop(save),
            _ => {
                drop(save);
                assert!(matches!(session.save().await, Err(SessionError::TooLate)));
            }
        }
        drop(session);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let response = with_cookie(&client, "/get", &token).await;
        assert!(sent(&response).is_some(), "{ends}");
        assert_eq!(response.into_string().await.as_deref(), Some("ann 1"), "{ends}");
    }
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn no_task_waits_for_ever_for_a_storage_that_never_answers() {
    let storage = faulty();
    let client = application(&storage).await;
    let before = logged_in(&client, "ann").await;
    let at_rest = tasks();
    with_cookie(&client, "/renew-unanswered?applied=true&reads=false", &before).await;
    storage.set(Operation::Read, Fault::Hangs);
    storage.set(Operation::Invalidate, Fault::Hangs);
    // A login whose `create` has no answer is ended.
    storage.set(Operation::Create, lost());
    client.get("/login/bob").dispatch().await;
    assert!(tasks() > at_rest, "they are tried again");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(tasks(), at_rest);
}

#[tokio::test(start_paused = true)]
async fn the_first_showing_of_an_id_waits_no_longer_than_the_storage_timeout() {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("fault", storage.clone());
    let figment = figment("fault").merge(("sessions.user.renew_after", "1 ms"));
    let client = client_with(figment, fairing, vec![]).await;
    let old = logged_in(&client, "ann").await;
    std::thread::sleep(Duration::from_millis(5));
    let next = sent(&with_cookie(&client, "/get", &old).await).expect("the next id");
    let at_rest = tasks();
    storage.set(Operation::Update, Fault::Hangs);
    assert_eq!(text(&client, "/get", &next).await, "ann 0");
    assert_eq!(tasks(), at_rest + 1);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(tasks(), at_rest);
}
