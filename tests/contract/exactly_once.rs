//! Every update counts once, on the storages of this process; `tests/servers` has
//! the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{State, get, routes};
use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::storage::{Directory, Memory};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, SessionError, Sessions};

use crate::support::*;

#[path = "../shared/exactly_once.rs"]
mod shared;

#[tokio::test]
async fn c10_every_update_counts_once_in_memory_whatever_became_of_its_answer() {
    shared::every_update_counts_once(Memory::new(1000), &[0, 1, 2, 15, 16, 17, 40]).await;
}

#[tokio::test]
async fn c10_every_update_counts_once_in_a_directory_whatever_became_of_its_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = Directory::open(folder.path()).expect("a directory");
    shared::every_update_counts_once(storage, &[0, 1, 16, 17, 40]).await;
}

#[tokio::test]
async fn a_lost_create_leaves_nothing_in_memory_and_in_a_directory() {
    shared::a_lost_create_leaves_nothing(Memory::new(1000)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let storage = Directory::open(folder.path()).expect("a directory");
    shared::a_lost_create_leaves_nothing(storage).await;
}

#[get("/renew-lost?<applied>&<refresh>")]
async fn renew_lost(
    session: Session<User>,
    storage: &State<Faulty>,
    applied: bool,
    refresh: bool,
) -> Result<(), SessionError> {
    session.renew();
    let down = StorageError::Unavailable("on demand".into(), None);
    let fault = if applied { Fault::FailsAfterwards(down) } else { Fault::Fails(down) };
    storage.set(Operation::Create, fault);
    let lost = session.save().await;
    assert!(matches!(lost, Err(SessionError::Storage(_))), "{lost:?}");
    storage.mend();
    if refresh {
        // Its own renewal is no end of the session.
        assert_eq!(session.refresh().await?.as_deref(), Some(&user("ann")));
    }
    Ok(())
}

#[tokio::test]
async fn a_client_session_whose_renewal_was_not_answered_goes_on_under_its_new_token() {
    for (applied, refresh) in [(true, false), (false, false), (true, true), (false, true)] {
        let storage = faulty();
        let figment = figment("client").merge(("sessions.user.revocation", "ends"));
        let fairing = Sessions::fairing().storage("ends", storage.clone());
        let rocket = build(figment, fairing, routes![renew_lost]).manage(storage);
        let client = Client::untracked(rocket).await.expect("a rocket");
        let before = logged_in(&client, "ann").await;
        let uri = format!("/renew-lost?applied={applied}&refresh={refresh}");
        let response = with_cookie(&client, &uri, &before).await;
        let after = sent(&response).expect("a token");
        assert_eq!(text(&client, "/get", &after).await, "ann 0", "{applied}");
        assert_eq!(text(&client, "/get", &before).await, "absent", "{applied}");
    }
}

#[get("/count-lost")]
fn count_lost(session: Session<User>, storage: &State<Faulty>) {
    session.renew();
    session.update(|user| user.count += 1);
    let down = StorageError::Unavailable("on demand".into(), None);
    storage.set(Operation::Update, Fault::FailsAfterwards(down));
}

#[tokio::test]
async fn a_renewal_that_the_response_itself_lost_gives_the_client_its_token_with_the_503() {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("fault", storage.clone());
    let rocket = build(figment("fault"), fairing, routes![count_lost]).manage(storage.clone());
    let client = Client::untracked(rocket).await.expect("a rocket");
    let before = logged_in(&client, "ann").await;
    let response = with_cookie(&client, "/count-lost", &before).await;
    assert_eq!(response.status(), Status::ServiceUnavailable);
    let after = sent(&response).expect("the token of what was written");
    storage.mend();
    assert_eq!(text(&client, "/get", &after).await, "ann 1");
    assert_eq!(text(&client, "/get", &before).await, "absent");
}

#[get("/login-lost")]
async fn login_lost(
    session: Session<User>,
    sessions: &Sessions,
    storage: &State<Faulty>,
) -> Result<(), SessionError> {
    session.login(user("bob"));
    let down = StorageError::Unavailable("on demand".into(), None);
    storage.set(Operation::Update, Fault::Fails(down));
    let lost = session.save().await;
    assert!(matches!(lost, Err(SessionError::Storage(_))), "{lost:?}");
    storage.mend();
    sessions.of::<User>().revoke_owner("bob").await?;
    session.save().await
}

#[tokio::test]
async fn a_login_that_is_sent_again_does_not_outlive_a_revocation_in_between() {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("fault", storage.clone());
    let rocket = build(figment("fault"), fairing, routes![login_lost]).manage(storage);
    let client = Client::untracked(rocket).await.expect("a rocket");
    let before = logged_in(&client, "ann").await;
    let response = with_cookie(&client, "/login-lost", &before).await;
    assert_eq!(response.status(), Status::Unauthorized);
    assert_eq!(sent(&response), None);
    assert_eq!(text(&client, "/get", &before).await, "ann 0");
}

#[get("/update-then-login")]
async fn update_then_login(
    session: Session<User>,
    storage: &State<Faulty>,
) -> Result<(), SessionError> {
    session.update(|user| user.count += 1);
    session.login_with(|old| User { count: old.map_or(0, |old| old.count), ..user("ann") });
    elsewhere(storage, "count").await;
    session.save().await
}

#[tokio::test]
async fn what_an_update_changed_before_a_login_with_is_not_lost_on_a_conflict() {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("fault", storage.clone());
    let rocket = build(figment("fault"), fairing, routes![update_then_login]).manage(storage);
    let client = Client::untracked(rocket).await.expect("a rocket");
    let before = sent(&client.get("/set/ann").dispatch().await).expect("a token");
    let response = with_cookie(&client, "/update-then-login", &before).await;
    assert_eq!(response.status(), Status::Ok);
    let after = sent(&response).expect("a token");
    assert_eq!(text(&client, "/get", &after).await, "ann 2");
}

#[tokio::test]
async fn a_failed_login_under_a_fixed_id_leaves_the_session_that_has_it() {
    for applied in [true, false] {
        let storage = faulty();
        let fairing = Sessions::fairing()
            .storage("fault", storage.clone())
            .identity::<User>(|_| "an-identity-of-the-applications-own".into());
        let figment = figment("fault")
            .merge(("sessions.user.format", "ktor"))
            .merge(("sessions.user.protect", "sign"))
            .merge(("sessions.user.sign_key", KEY));
        let client = client_with(figment, fairing, vec![]).await;
        let first = logged_in(&client, "ann").await;
        let down = StorageError::Unavailable("on demand".into(), None);
        let fault = if applied { Fault::FailsAfterwards(down) } else { Fault::Fails(down) };
        storage.set(Operation::Create, fault);
        let second = client.get("/login/ann").dispatch().await;
        assert!(second.status().code >= 500, "{}", second.status());
        storage.mend();
        assert_eq!(text(&client, "/get", &first).await, "ann 0", "{applied}");
    }
}

#[get("/nothing-then-count")]
async fn nothing_then_count(session: Session<User>, storage: &State<Faulty>) {
    let down = StorageError::Unavailable("on demand".into(), None);
    storage.set(Operation::Update, Fault::FailsAfterwards(down));
    session.save().await.expect("a renewal by itself is a courtesy");
    storage.mend();
    session.update(|user| user.count += 1);
}

#[tokio::test]
async fn a_periodic_renewal_whose_answer_was_lost_gives_the_client_its_token() {
    let (storage, clock) = (faulty(), Clock::new());
    let fairing = Sessions::fairing().storage("fault", storage.clone()).clock(&clock);
    let figment = figment("fault").merge(("sessions.user.renew_after", "1 minute"));
    let rocket = build(figment, fairing, routes![nothing_then_count]).manage(storage);
    let client = Client::untracked(rocket).await.expect("a rocket");
    let before = logged_in(&client, "ann").await;
    clock.advance(Duration::from_secs(4000));
    let response = with_cookie(&client, "/nothing-then-count", &before).await;
    assert_eq!(response.status(), Status::Ok);
    let after = sent(&response).expect("a token");
    assert_eq!(text(&client, "/get", &after).await, "ann 1");
}

#[get("/login-twice")]
async fn login_twice(session: Session<User>, storage: &State<Faulty>) -> Result<(), SessionError> {
    session.login(user("ann"));
    storage.set(Operation::Create, Fault::SlowAnswer(Duration::from_secs(60)));
    let dropped = rocket::tokio::time::timeout(Duration::from_millis(50), session.save()).await;
    dropped.expect_err("no answer");
    storage.mend();
    session.save().await
}

#[tokio::test]
async fn a_login_that_nobody_waited_for_takes_no_place_under_a_limit() {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("fault", storage.clone());
    let figment = figment("fault")
        .merge(("sessions.user.max_sessions_per_owner", 1))
        .merge(("sessions.user.owner_limit_policy", "refuse"));
    let rocket = build(figment, fairing, routes![login_twice]).manage(storage);
    let client = Client::untracked(rocket).await.expect("a rocket");
    let response = client.get("/login-twice").dispatch().await;
    assert_eq!(response.status(), Status::Ok);
    let token = sent(&response).expect("a token");
    assert_eq!(text(&client, "/get", &token).await, "ann 0");
}

/// A storage that contradicts itself so many times: it has the version that a write
/// expects, and refuses the write for its version.
#[derive(Clone)]
struct Contradicts {
    storage: Faulty,
    left: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

storage_over! {
    Contradicts.storage but update;

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        let less = |left: usize| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_err() {
            return self.storage.update(key, expected, record, now).await;
        }
        self.refused.fetch_add(1, Ordering::SeqCst);
        rocket::tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(Update::Conflict)
    }
}

#[get("/contradicted/<times>")]
async fn contradicted(
    session: Session<User>,
    storage: &State<Contradicts>,
    times: usize,
) -> String {
    session.update(|user| user.count += 1);
    storage.storage.set(Operation::Update, down());
    let lost = session.save().await;
    assert!(matches!(lost, Err(SessionError::Storage(_))), "{lost:?}");
    storage.storage.mend();
    storage.left.store(times, Ordering::SeqCst);
    let saved = session.save().await;
    storage.left.store(0, Ordering::SeqCst);
    format!("{saved:?}, {}", storage.refused.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_lost_write_is_sent_again_to_a_storage_that_contradicts_itself_but_not_for_ever() {
    for (times, expected) in [(2, "Ok(()), 2"), (7, "Ok(()), 7"), (1000, "Err(Conflict), 8")] {
        let storage =
            Contradicts { storage: faulty(), left: Arc::default(), refused: Arc::default() };
        let fairing = Sessions::fairing().storage("contradicts", storage.clone());
        let rocket = build(figment("contradicts"), fairing, routes![contradicted]);
        let client = Client::untracked(rocket.manage(storage)).await.expect("a rocket");
        let token = logged_in(&client, "ann").await;
        let uri = format!("/contradicted/{times}");
        assert_eq!(text(&client, &uri, &token).await, expected, "{times}");
        // What the request was told is not the end: the response saves once more.
        assert_eq!(text(&client, "/get", &token).await, "ann 1", "{times}");
    }
}

/// Gives the CSRF token that it tells after a write that was not answered, whose changes
/// it has dropped.
#[get("/drop-lost")]
async fn drop_lost(session: Session<User>, storage: &State<Faulty>) -> String {
    session.update(|user| user.count += 1);
    break_writes(storage, &down());
    session.save().await.expect_err("the storage is down");
    storage.mend();
    session.discard();
    session.csrf_token().expect("a key").expect("a session").to_string()
}

#[get("/check/<form>")]
fn check(session: Session<User>, form: &str) -> String {
    let token = session.csrf_token().expect("a key").expect("a session");
    token.verify(form).is_ok().to_string()
}

#[tokio::test]
async fn d15_a_renewal_that_comes_by_itself_keeps_the_form_that_is_told_after_a_lost_write() {
    let (storage, clock) = (faulty(), Clock::new());
    let fairing = Sessions::fairing().storage("fault", storage.clone()).clock(&clock);
    let figment = figment("fault").merge(("sessions.user.renew_after", "1 hour"));
    let rocket = build(figment, fairing, routes![drop_lost, check]).manage(storage);
    let client = Client::untracked(rocket).await.expect("a rocket");
    let token = logged_in(&client, "ann").await;
    clock.advance(Duration::from_secs(3600));
    let response = with_cookie(&client, "/drop-lost", &token).await;
    let token = sent(&response).expect("the next id");
    let form = response.into_string().await.expect("a form");
    assert_eq!(text(&client, &format!("/check/{form}"), &token).await, "true");
}
