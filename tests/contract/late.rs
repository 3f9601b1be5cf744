//! After the commit: streams and spawned tasks.

use std::sync::Arc;
use std::time::Duration;

use rocket::figment::Figment;
use rocket::futures::future::poll_immediate;
use rocket::http::Status;
use rocket::response::stream::{Event, EventStream, TextStream};
use rocket::{State, get, routes};
use rocket_typed_sessions::storage::Timestamp;
use rocket_typed_sessions::{Session, SessionError, Sessions};
use tokio::io::AsyncReadExt;
use tokio::sync::{Mutex, Notify};

use crate::support::*;

/// What a handler's spawned task found out.
#[derive(Default, Clone)]
struct Found(Arc<(Mutex<Vec<String>>, Notify)>);

#[get("/stream")]
fn stream(session: Session<User>) -> TextStream![String] {
    TextStream! {
        yield show(&session);
        session.update(|user| user.count += 1);
        let saved = session.save().await;
        yield format!(", {saved:?}, {}", show(&session));
        session.renew();
        let renewed = session.save().await;
        yield format!(", {}", matches!(renewed, Err(SessionError::TooLate)));
        session.discard();
    }
}

/// A page that stays open: it counts, and ends when its session does.
#[get("/events")]
fn events(session: Session<User>, gate: &State<Found>) -> EventStream![] {
    let gate = Arc::clone(&gate.0);
    EventStream! {
        loop {
            match session.refresh().await {
                Ok(Some(user)) => yield Event::data(user.count.to_string()),
                Ok(None) => break yield Event::data("over"),
                Err(cause) => break yield Event::data(cause.to_string()),
            }
            gate.1.notified().await;
        }
    }
}

#[tokio::test]
async fn an_event_stream_sees_changes_and_notices_a_logout() {
    let gate = Found::default();
    let rocket =
        build(figment("memory"), Sessions::fairing(), routes![events]).manage(gate.clone());
    let client = rocket::local::asynchronous::Client::untracked(rocket).await.expect("a rocket");
    let token = logged_in(&client, "ann").await;
    let mut stream = with_cookie(&client, "/events", &token).await;
    let mut next = async || {
        let mut text = String::new();
        while !text.contains("\n\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.expect("an event");
            text.push(char::from(byte[0]));
        }
        text.replace("data:", "").trim().to_owned()
    };
    assert_eq!(next().await, "0");
    for (uri, expected) in [("/count", "1"), ("/count", "2"), ("/clear", "over")] {
        with_cookie(&client, uri, &token).await;
        gate.0.1.notify_one();
        assert_eq!(next().await, expected);
    }
}

#[get("/task")]
fn task(session: Session<User>, found: &State<Found>) {
    let found = Arc::clone(&found.0);
    rocket::tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut texts = vec![show(&session)];
        texts.push(format!("{:?}", session.refresh().await.map(|user| user.is_some())));
        session.update(|user| user.count += 1);
        texts.push(format!("{:?}", session.save().await));
        session.discard();
        found.0.lock().await.extend(texts);
        found.1.notify_one();
    });
}

#[tokio::test]
async fn a_stream_saves_an_existing_server_session_and_no_new_token() {
    let client = client_with(figment("memory"), Sessions::fairing(), routes![stream]).await;
    let token = logged_in(&client, "ann").await;
    assert_eq!(text(&client, "/stream", &token).await, "ann 0, Ok(()), ann 1, true");
    assert_eq!(text(&client, "/get", &token).await, "ann 1");
    let client = client_with(figment("client"), Sessions::fairing(), routes![stream]).await;
    let token = logged_in(&client, "ann").await;
    assert_eq!(text(&client, "/stream", &token).await, "ann 0, Err(TooLate), ann 1, true");
}

#[tokio::test]
async fn a_spawned_task_reads_on_and_notices_a_logout() {
    let found = Found::default();
    let rocket = build(figment("memory"), Sessions::fairing(), routes![task]).manage(found.clone());
    let client = rocket::local::asynchronous::Client::untracked(rocket).await.expect("a rocket");
    let token = logged_in(&client, "ann").await;
    with_cookie(&client, "/task", &token).await;
    with_cookie(&client, "/clear", &token).await;
    found.0.1.notified().await;
    assert_eq!(*found.0.0.lock().await, ["ann 0", "Ok(false)", "Ok(())"]);
    assert_eq!(text(&client, "/get", &token).await, "absent", "s58: nothing is revived");
}

/// Ends or changes the session behind the request's back, then refreshes.
#[get("/refreshed/<before>/<meanwhile>")]
async fn refreshed(
    session: Session<User>,
    before: &str,
    meanwhile: &str,
    fault: &State<Faulty>,
) -> String {
    match before {
        "count" => drop(session.update(|user| user.count += 10)),
        "set" => session.set(User { id: "ann".into(), count: 100 }),
        "login" => session.login(user("bob")),
        _ => {}
    }
    elsewhere(fault, meanwhile).await;
    let found = session.refresh().await.map(|user| user.map(|user| user.count));
    let shown = show(&session);
    let saved = session.save().await;
    format!("{found:?}, {shown}, {saved:?}, {}", show(&session))
}

#[tokio::test]
async fn refresh_shows_own_changes_on_what_others_wrote_and_revives_nothing() {
    for (before, meanwhile, expected) in [
        ("none", "count", "Ok(Some(1)), ann 1, Ok(()), ann 1"),
        ("count", "count", "Ok(Some(11)), ann 11, Ok(()), ann 11"),
        ("set", "count", "Ok(Some(100)), ann 100, Ok(()), ann 100"),
        ("none", "end", "Ok(None), absent, Ok(()), absent"),
        ("count", "end", "Ok(None), absent, Err(Ended), absent"),
        ("set", "end", "Ok(None), absent, Err(Ended), absent"),
        ("login", "end", "Ok(Some(0)), bob 0, Ok(()), bob 0"),
    ] {
        let fault = faulty();
        let fairing = Sessions::fairing().storage("fault", fault.clone());
        let rocket = build(figment("fault"), fairing, routes![refreshed]).manage(fault.clone());
        let client =
            rocket::local::asynchronous::Client::untracked(rocket).await.expect("a rocket");
        let token = logged_in(&client, "ann").await;
        let uri = format!("/refreshed/{before}/{meanwhile}");
        assert_eq!(text(&client, &uri, &token).await, expected, "{uri}");
        let end_of_time = Timestamp::from_millis(u64::MAX);
        let left = fault.inner().purge_expired(end_of_time, 10).await.expect("memory answers");
        let lives = meanwhile == "count" || before == "login";
        assert_eq!(left, usize::from(lives), "{uri}: records left");
    }
}

/// Begins to save, and goes on with that after the response.
#[get("/parked/<what>")]
async fn parked(session: Session<User>, what: &str, storage: &State<Faulty>, found: &State<Found>) {
    match what {
        "begin" => session.set(user("ann")),
        "login" => session.login(user("bob")),
        "count" => drop(session.update(|user| user.count += 1)),
        _ => session.renew(),
    }
    for operation in [Operation::Create, Operation::Update] {
        storage.set(operation, Fault::SlowAnswer(Duration::from_millis(50)));
    }
    let mut save = Box::pin(async move { session.save().await });
    assert!(poll_immediate(&mut save).await.is_none(), "the answer is on its way");
    storage.mend();
    let found = Arc::clone(&found.0);
    rocket::tokio::spawn(async move {
        found.1.notified().await;
        let saved = save.await;
        found.0.lock().await.push(format!("{saved:?}"));
        found.1.notify_one();
    });
}

/// What a save says that goes on after the response, and what the id before reads then.
async fn park(figment: Figment, what: &str, meanwhile: Option<&str>) -> (String, String) {
    let (storage, found) = (faulty(), Found::default());
    let fairing = Sessions::fairing().storage("fault", storage.clone());
    let figment = figment.merge(("sessions.user.storage_timeout", "100 ms"));
    let rocket = build(figment, fairing, routes![parked]);
    let rocket = rocket.manage(storage.clone()).manage(found.clone());
    let client = rocket::local::asynchronous::Client::untracked(rocket).await.expect("a rocket");
    let mut token = if what == "begin" { String::new() } else { logged_in(&client, "ann").await };
    let response = with_cookie(&client, &format!("/parked/{what}"), &token).await;
    assert_eq!((response.status(), sent(&response)), (Status::ServiceUnavailable, None), "{what}");
    if let Some(uri) = meanwhile {
        token = sent(&with_cookie(&client, uri, &token).await).expect("a token");
    }
    found.0.1.notify_one();
    found.0.1.notified().await;
    let saved = found.0.0.lock().await.concat();
    // What nobody holds is ended soon, and nothing else.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let reads = text(&client, "/get", &token).await;
    let expected = usize::from(reads != "absent");
    let mut live = usize::MAX;
    for _ in 0..50 {
        live = live_records(&storage).await;
        if live == expected {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(live, expected, "{what}, {meanwhile:?}: records that are left");
    (saved, reads)
}

#[tokio::test]
async fn a_save_that_goes_on_after_the_response_is_too_late_for_a_token_and_leaves_nothing() {
    let native = || figment("fault");
    let ktor = || {
        let figment = figment("fault").merge(("sessions.user.format", "ktor"));
        let figment = figment.merge(("sessions.user.protect", "sign"));
        figment.merge(("sessions.user.sign_key", KEY))
    };
    let early = || native().merge(("sessions.user.cookie.max_age", "1 hour"));
    for (figment, what, meanwhile, expected) in [
        (native(), "begin", None, ("Err(TooLate)", "absent")),
        (native(), "login", None, ("Err(TooLate)", "absent")),
        (native(), "renew", None, ("Err(TooLate)", "absent")),
        (ktor(), "begin", None, ("Err(TooLate)", "absent")),
        (ktor(), "login", None, ("Err(TooLate)", "absent")),
        (ktor(), "renew", None, ("Err(TooLate)", "absent")),
        // What somebody else has begun since is theirs.
        (native(), "renew", Some("/login/bob"), ("Err(TooLate)", "bob 0")),
        // The client holds the session, and misses a longer life of its cookie.
        (early(), "count", None, ("Err(TooLate)", "ann 1")),
        (native(), "count", None, ("Ok(())", "ann 1")),
    ] {
        let (saved, reads) = park(figment, what, meanwhile).await;
        assert_eq!((saved.as_str(), reads.as_str()), expected, "{what}, {meanwhile:?}");
    }
}
