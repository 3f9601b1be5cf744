//! An end is terminal: what a request has ended, nothing gives back.

use std::time::{Duration, SystemTime};

use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{Route, State, get, routes};
use rocket_typed_sessions::storage::{Record, SessionStorage as _, Timestamp};
use rocket_typed_sessions::{Session, SessionError, SessionId, Sessions};

use crate::support::*;

#[get("/clear-refresh")]
async fn clear_refresh(session: Session<User>) -> Result<String, SessionError> {
    session.clear();
    session.refresh().await?;
    Ok(show(&session))
}

#[get("/clear-during-save")]
async fn clear_during_save(session: Session<User>, storage: &State<Faulty>) -> String {
    session.update(|user| user.count += 10);
    elsewhere(storage, "count").await;
    storage.set(Operation::Update, Fault::Slow(Duration::from_millis(100)));
    let (saved, ()) = rocket::tokio::join!(session.save(), async {
        rocket::tokio::time::sleep(Duration::from_millis(30)).await;
        session.clear();
    });
    format!("{saved:?}, {}", show(&session))
}

#[get("/login-save-clear/<calls>")]
async fn login_save_clear(session: Session<User>, calls: &str) -> Result<(), SessionError> {
    for call in calls.split('-') {
        match call {
            "login" => session.login(user("banned")),
            "set" => session.set(user("other")),
            "save" => session.save().await?,
            _ => session.clear(),
        }
    }
    Ok(())
}

#[get("/twice")]
async fn twice(session: Session<User>, storage: &State<Faulty>) -> String {
    session.update(|user| user.count += 1);
    elsewhere(storage, "end").await;
    let first = session.save().await;
    let again = session.save().await;
    session.clear();
    format!("{first:?} {again:?} {:?}", session.save().await)
}

fn routes() -> Vec<Route> {
    routes![clear_refresh, login_save_clear]
}

fn places() -> [rocket::figment::Figment; 3] {
    let revocable = figment("client").merge(("sessions.user.revocation", "memory"));
    [figment("client"), revocable, figment("memory")]
}

#[tokio::test]
async fn c1_a_refresh_after_clear_gives_neither_the_session_nor_a_token_back() {
    for figment in places() {
        let client = client_with(figment, Sessions::fairing(), routes()).await;
        let token = logged_in(&client, "ann").await;
        let response = with_cookie(&client, "/clear-refresh", &token).await;
        assert_eq!(sent(&response).as_deref(), Some("user="));
        assert_eq!(response.into_string().await.as_deref(), Some("absent"));
    }
}

async fn with_storage(storage: &Faulty, routes: Vec<Route>) -> Client {
    let fairing = Sessions::fairing().storage("fault", storage.clone());
    let rocket = build(figment("fault"), fairing, routes).manage(storage.clone());
    Client::untracked(rocket).await.expect("a rocket")
}

/// The records that are left in a storage.
#[tokio::test]
async fn c2_clear_while_a_save_meets_a_conflict_ends_the_session() {
    let storage = faulty();
    let client = with_storage(&storage, routes![clear_during_save]).await;
    let token = logged_in(&client, "ann").await;
    let response = with_cookie(&client, "/clear-during-save", &token).await;
    assert_eq!(sent(&response).as_deref(), Some("user="));
    assert_eq!(response.into_string().await.as_deref(), Some("Ok(()), absent"));
    storage.mend();
    assert_eq!(text(&client, "/get", &token).await, "absent");
    assert_eq!(live_records(&storage).await, 0);
}

#[tokio::test]
async fn c3_a_token_that_a_save_earned_and_a_later_clear_takes_back_is_never_sent() {
    for figment in places() {
        let client = client_with(figment, Sessions::fairing(), routes()).await;
        for calls in ["login-save-clear", "login-save-clear-save", "set-save-login-save-clear"] {
            let uri = format!("/login-save-clear/{calls}");
            let response = client.get(&uri).dispatch().await;
            assert_eq!((response.status(), sent(&response)), (Status::Ok, None), "{calls}");
            let token = logged_in(&client, "ann").await;
            let response = with_cookie(&client, &uri, &token).await;
            assert_eq!(sent(&response).as_deref(), Some("user="), "{calls}");
        }
    }
}

#[tokio::test]
async fn c4_clear_and_login_end_every_session_presented_however_often_the_request_saved_before() {
    for calls in ["set-save-clear", "set-save-login", "clear", "login", "set-save-clear-save"] {
        let storage = faulty();
        let client = with_storage(&storage, routes()).await;
        let (one, two) = (logged_in(&client, "ann").await, logged_in(&client, "bob").await);
        let response =
            with_cookie(&client, &format!("/login-save-clear/{calls}"), &format!("{one}; {two}"))
                .await;
        assert_eq!(response.status(), Status::Ok);
        for token in [one, two] {
            assert_eq!(text(&client, "/get", &token).await, "absent", "{calls}");
        }
        let lives = calls.ends_with("login");
        assert_eq!(live_records(&storage).await, usize::from(lives), "{calls}");
    }
}

#[tokio::test]
async fn c25_clear_and_save_after_ended_is_no_error() {
    let storage = faulty();
    let client = with_storage(&storage, routes![twice]).await;
    let token = logged_in(&client, "ann").await;
    assert_eq!(text(&client, "/twice", &token).await, "Err(Ended) Err(Ended) Ok(())");
}

/// Ends the request's own session from outside.
#[get("/revoke/<what>?<then>")]
async fn revoke_own(
    session: Session<User>,
    sessions: &Sessions,
    what: &str,
    then: Option<&str>,
) -> Result<String, SessionError> {
    let manager = sessions.of::<User>();
    match what {
        "owner" => drop(manager.revoke_owner("ann").await?),
        "id" => drop(manager.revoke_id(&session.id().expect("an id")).await?),
        "handle" => {
            let list = manager.list("ann").await?;
            manager.revoke("ann", &list[0].handle).await?;
        }
        "owner after clear" => {
            session.clear();
            manager.revoke_owner("ann").await?;
            session.save().await?;
        }
        "foreign id" => {
            let foreign: SessionId = "A".repeat(43).parse().expect("an id");
            manager.revoke_id(&foreign).await?;
        }
        _ => drop(manager.revoke_owner("bob").await?),
    }
    if then == Some("login") {
        session.login(user("ann"));
    }
    Ok(show(&session))
}

#[tokio::test]
async fn c32_a_request_that_ends_its_own_session_from_outside_removes_its_token() {
    let revocable = figment("client").merge(("sessions.user.revocation", "memory"));
    for (figment, whats) in [
        (figment("memory"), &["owner", "id", "handle", "owner%20after%20clear"][..]),
        (revocable, &["owner"]),
    ] {
        for what in whats {
            let client =
                client_with(figment.clone(), Sessions::fairing(), routes![revoke_own]).await;
            let token = logged_in(&client, "ann").await;
            let response = with_cookie(&client, &format!("/revoke/{what}"), &token).await;
            assert_eq!(sent(&response).as_deref(), Some("user="), "{what}");
            assert_eq!(response.into_string().await.as_deref(), Some("absent"), "{what}");
            // A login in the same request begins another session.
            let client =
                client_with(figment.clone(), Sessions::fairing(), routes![revoke_own]).await;
            let token = logged_in(&client, "ann").await;
            let response =
                with_cookie(&client, &format!("/revoke/{what}?then=login"), &token).await;
            let new = sent(&response).expect("a token");
            assert_eq!(text(&client, "/get", &new).await, "ann 0", "{what}");
            assert_eq!(text(&client, "/get", &token).await, "absent", "{what}");
        }
    }
    let client = client_with(figment("memory"), Sessions::fairing(), routes![revoke_own]).await;
    for what in ["other", "foreign%20id"] {
        let token = logged_in(&client, "ann").await;
        let response = with_cookie(&client, &format!("/revoke/{what}"), &token).await;
        assert_eq!(sent(&response), None, "{what}: nothing of this request's has ended");
        assert_eq!(response.into_string().await.as_deref(), Some("ann 0"));
    }
}

#[get("/fail-while-it-ends")]
async fn fail_while_it_ends(session: Session<User>, storage: &State<Faulty>) -> Status {
    session.clear();
    storage.set(Operation::Invalidate, Fault::Hangs);
    let task = session.clone();
    rocket::tokio::spawn(async move {
        let save = rocket::tokio::time::timeout(Duration::from_millis(100), task.save());
        assert!(save.await.is_err(), "the storage hangs");
    });
    rocket::tokio::time::sleep(Duration::from_millis(30)).await;
    storage.mend();
    Status::InternalServerError
}

#[tokio::test]
async fn a_logout_holds_after_a_5xx_although_its_save_was_dropped_under_way() {
    let storage = faulty();
    let client = with_storage(&storage, routes![fail_while_it_ends]).await;
    let token = logged_in(&client, "ann").await;
    let response = with_cookie(&client, "/fail-while-it-ends", &token).await;
    assert_eq!(response.status(), Status::InternalServerError);
    assert_eq!(sent(&response).as_deref(), Some("user="));
    assert_eq!(text(&client, "/get", &token).await, "absent");
    assert_eq!(live_records(&storage).await, 0);
}

#[get("/update-ended")]
async fn update_ended(session: Session<User>, storage: &State<Faulty>) -> Result<(), SessionError> {
    elsewhere(storage, "end").await;
    session.update_now(|user| user.count += 1).await.map(|_| ())
}

#[tokio::test]
async fn c33_a_client_whose_session_is_over_is_told_so_with_401() {
    let storage = faulty();
    let client = with_storage(&storage, routes![update_ended]).await;
    let token = logged_in(&client, "ann").await;
    let response = with_cookie(&client, "/update-ended", &token).await;
    assert_eq!((response.status(), sent(&response)), (Status::Unauthorized, None));
}

#[get("/clear-under-writes/<writes>")]
async fn clear_under_writes(
    session: Session<User>,
    writes: usize,
    storage: &State<Faulty>,
) -> Result<(), SessionError> {
    session.clear();
    storage.set(Operation::Invalidate, Fault::Slow(Duration::from_millis(5)));
    let (saved, ()) = rocket::tokio::join!(session.save(), async {
        let [key] = &storage.created()[..] else { panic!("one record") };
        let (inner, now) = (storage.inner(), Timestamp::from(SystemTime::now()));
        for _ in 0..writes {
            let Ok(Some(stored)) = inner.read(key, now).await else { break };
            let next = Record { version: version(), ..stored.clone() };
            let _ = inner.update(key, stored.version, next, now).await;
            rocket::tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    saved
}

#[tokio::test]
async fn a_clear_ends_a_session_that_others_write_without_a_pause() {
    for writes in [1, 10_000] {
        let storage = faulty();
        let client = with_storage(&storage, routes![clear_under_writes]).await;
        let token = logged_in(&client, "ann").await;
        let response = with_cookie(&client, &format!("/clear-under-writes/{writes}"), &token).await;
        assert_eq!((response.status(), sent(&response)), (Status::Ok, Some("user=".into())));
        assert_eq!(text(&client, "/get", &token).await, "absent");
    }
}
