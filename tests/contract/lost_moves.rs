//! A login over a session with an id of Ktor's: the login's session is written, then the one
//! before is ended. If the answer to that is lost, the login goes on where it was applied.
//! A session that is taken over from Ktor's files goes the same way.

use std::time::Duration;

use rocket::figment::Figment;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::tokio::time::sleep;
use rocket::{State, get, routes};
use rocket_typed_sessions::storage::Invalidate;
use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::{Session, Sessions};

use crate::support::*;

const LONG: Duration = Duration::from_secs(60);

fn lost() -> Fault {
    Fault::FailsAfterwards(StorageError::Unavailable("on demand".into(), None))
}

fn ktor() -> Figment {
    figment("fault")
        .merge(("sessions.user.format", "ktor"))
        .merge(("sessions.user.protect", "sign"))
        .merge(("sessions.user.sign_key", KEY))
        .merge(("sessions.user.storage_timeout", "400 ms"))
}

/// From now on nothing can be read.
#[get("/login-blind")]
fn login_blind(session: Session<User>, storage: &State<Faulty>) {
    session.login(user("bob"));
    storage.set(Operation::Invalidate, lost());
    storage.set(Operation::Read, down());
}

/// An application, its storage, and Ann's session in it.
async fn application() -> (Client, Faulty, String) {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("fault", storage.clone());
    let rocket = build(ktor(), fairing, routes![login_blind]).manage(storage.clone());
    let client = Client::untracked(rocket).await.expect("a rocket");
    let before = logged_in(&client, "ann").await;
    (client, storage, before)
}

/// Waits until so many sessions are left: what nobody holds is ended soon.
async fn are_left(storage: &Faulty, count: usize, case: &str) {
    for _ in 0..100 {
        if live_records(storage).await == count {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(live_records(storage).await, count, "{case}");
}

#[tokio::test]
async fn d2_a_login_over_a_session_of_ktors_goes_on_if_it_was_applied_and_an_answer_was_lost() {
    let cases = [
        (Operation::Create, down(), false),
        (Operation::Create, Fault::Hangs, false),
        (Operation::Create, lost(), false),
        (Operation::Create, Fault::SlowAnswer(LONG), false),
        (Operation::Invalidate, down(), false),
        (Operation::Invalidate, Fault::Hangs, false),
        (Operation::Invalidate, lost(), true),
        (Operation::Invalidate, Fault::SlowAnswer(LONG), true),
    ];
    for (operation, fault, applied) in &cases {
        let case = format!("{operation:?} {fault:?}");
        let (client, storage, before) = application().await;
        storage.set(*operation, fault.clone());
        let response = with_cookie(&client, "/login/bob", &before).await;
        storage.mend();
        if *applied {
            assert_eq!(response.status(), Status::Ok, "{case}");
            let after = sent(&response).expect("the login's token");
            assert_eq!(text(&client, "/get", &after).await, "bob 0", "{case}");
            assert_eq!(text(&client, "/get", &before).await, "absent", "{case}");
        } else {
            let told = (response.status(), sent(&response));
            assert_eq!(told, (Status::ServiceUnavailable, None), "{case}");
        }
        are_left(&storage, 1, &case).await;
        if !applied {
            assert_eq!(text(&client, "/get", &before).await, "ann 0", "{case}");
        }
    }
}

#[tokio::test]
async fn a_login_over_a_session_of_ktors_of_which_nobody_knows_what_became_ends() {
    let (client, storage, before) = application().await;
    let response = with_cookie(&client, "/login-blind", &before).await;
    assert_eq!((response.status(), sent(&response)), (Status::ServiceUnavailable, None));
    storage.mend();
    assert_eq!(text(&client, "/get", &before).await, "absent");
    are_left(&storage, 0, "blind").await;
}

/// Somebody else has ended it meanwhile. A login is another session.
#[tokio::test]
async fn a_login_over_a_session_of_ktors_that_is_over_goes_on_without_an_answer() {
    let (client, storage, before) = application().await;
    storage.set(Operation::Create, Fault::Slow(Duration::from_millis(100)));
    storage.set(Operation::Invalidate, lost());
    let (response, ()) = rocket::tokio::join!(with_cookie(&client, "/login/bob", &before), async {
        sleep(Duration::from_millis(30)).await;
        let former = &storage.created()[0];
        let ended = storage.inner().invalidate(former, None, None).await;
        assert_eq!(ended.expect("memory answers"), Invalidate::Invalidated);
    });
    storage.mend();
    let after = sent(&response).expect("the login's token");
    assert_eq!(text(&client, "/get", &after).await, "bob 0");
}

/// D7, D23: it takes the place of that session.
#[tokio::test]
async fn d7_a_login_over_a_session_of_ktors_is_not_one_too_many() {
    for policy in ["refuse", "end-oldest"] {
        let storage = faulty();
        let figment = ktor()
            .merge(("sessions.user.max_sessions_per_owner", 1))
            .merge(("sessions.user.owner_limit_policy", policy));
        let fairing = Sessions::fairing().storage("fault", storage.clone());
        let client = client_with(figment, fairing, vec![]).await;
        let before = logged_in(&client, "ann").await;
        let response = with_cookie(&client, "/login/ann", &before).await;
        let after = sent(&response).expect("the login's token");
        assert_eq!(text(&client, "/get", &after).await, "ann 0", "{policy}");
        assert_eq!(text(&client, "/get", &before).await, "absent", "{policy}");
        let beside = client.get("/login/ann").dispatch().await;
        assert_eq!(beside.status() == Status::Ok, policy == "end-oldest");
        are_left(&storage, 1, policy).await;
    }
}
