//! A changed password ends the other sessions, also those whose login was under way.

use rocket_typed_sessions::Sessions;
use rocket_typed_sessions::storage::{Memory, StorageError};
use rocket_typed_sessions::testing::storage::{Fault, Faulty, Operation};

use crate::recipes;
use crate::recipes::password::{Password, Passwords};
use crate::server::{Browser, Server, figment, serve, start};

const PAGE: &str = "/password";

async fn logged_in(server: &Server, password: &str) -> Browser {
    let mut browser = server.browser();
    let answer = browser.post("/password/login", &format!("name=ann&password={password}")).await;
    assert_eq!(answer.status, 200, "{password}");
    browser
}

/// The form that changes the password.
async fn form(browser: &mut Browser, old: &str, new: &str) -> String {
    let page = browser.get(PAGE).await;
    format!("old={old}&new={new}&csrf_token={}", page.field("csrf_token"))
}

#[tokio::test]
async fn whoever_changes_the_password_stays_and_all_others_go() {
    let (server, _) = start::<Passwords>().await;
    let mut phone = logged_in(&server, "swordfish").await;
    let (mut laptop, mut thief) = (logged_in(&server, "swordfish").await, phone.clone());
    let wrong = form(&mut phone, "guess", "halibut").await;
    assert_eq!(phone.post(PAGE, &wrong).await.status, 403);
    assert_eq!(laptop.get(PAGE).await.status, 200, "a wrong password ends nothing");

    let right = form(&mut phone, "swordfish", "halibut").await;
    let answer = phone.post(PAGE, &right).await;
    assert_eq!(answer.body, "The password is changed. 1 other session(s) ended.\n");
    assert_eq!(phone.get(PAGE).await.status, 200);
    assert_eq!(laptop.get(PAGE).await.status, 401);
    assert_eq!(thief.get(PAGE).await.status, 401, "a copy of the cookie from before");
    let answer = server.browser().post("/password/login", "name=ann&password=swordfish").await;
    assert_eq!(answer.status, 403);
    logged_in(&server, "halibut").await;
}

#[tokio::test]
async fn a_password_that_is_changed_elsewhere_ends_every_session() {
    let (server, passwords) = start::<Passwords>().await;
    let mut phone = logged_in(&server, "swordfish").await;
    // An administrator gives out the same password once more. Its stamp is another.
    let same = Password::new("swordfish").expect("a stamp");
    passwords.lock().await.insert("ann".into(), same);
    assert_eq!(phone.get(PAGE).await.status, 401);
    let mut again = logged_in(&server, "swordfish").await;
    assert_eq!(again.get(PAGE).await.status, 200);
    passwords.lock().await.remove("ann");
    assert_eq!(again.get(PAGE).await.status, 401, "the user was deleted");
}

#[tokio::test]
async fn logins_that_are_under_way_with_the_former_password_leave_nothing() {
    let (server, _) = start::<Passwords>().await;
    for round in 0..10 {
        let [old, new] = [round, round + 1]
            .map(|n| if n == 0 { "swordfish".into() } else { format!("fish{n}") });
        let mut phone = logged_in(&server, &old).await;
        let change = form(&mut phone, &old, &new).await;
        let logins = (0..8).map(|_| {
            let mut browser = server.browser();
            let form = format!("name=ann&password={old}");
            tokio::spawn(async move {
                let status = browser.post("/password/login", &form).await.status;
                (status, browser)
            })
        });
        let logins: Vec<_> = logins.collect();
        assert_eq!(phone.post(PAGE, &change).await.status, 200);
        for login in logins {
            let (status, mut browser) = login.await.expect("no panic");
            assert!([200, 403].contains(&status), "{status}");
            assert_eq!(browser.get(PAGE).await.status, 401, "round {round}");
        }
        assert_eq!(phone.get(PAGE).await.status, 200, "round {round}");
    }
}

#[tokio::test]
async fn the_other_sessions_are_of_no_use_even_if_they_cannot_be_ended() {
    let storage = Faulty::new(Memory::new(100));
    let sessions = Sessions::fairing().storage("faulty", storage.clone());
    let figment = figment().merge(("sessions.vault.storage", "faulty"));
    let (server, _) = serve::<Passwords>(recipes::build(figment, sessions)).await;
    let (mut phone, mut laptop) =
        (logged_in(&server, "swordfish").await, logged_in(&server, "swordfish").await);
    let change = form(&mut phone, "swordfish", "halibut").await;
    let down = Fault::Fails(StorageError::Unavailable("down".into(), None));
    storage.set(Operation::InvalidateOwner, down);
    assert_eq!(phone.post(PAGE, &change).await.status, 503);
    storage.mend();
    assert_eq!(laptop.get(PAGE).await.status, 401);
    assert_eq!(phone.get(PAGE).await.status, 200, "its own session was saved before");
}

#[tokio::test]
async fn two_changes_at_once_with_one_old_password_are_one_change() {
    let (server, _) = start::<Passwords>().await;
    let mut phone = logged_in(&server, "swordfish").await;
    let forms =
        [form(&mut phone, "swordfish", "cod").await, form(&mut phone, "swordfish", "eel").await];
    let (one, other) =
        tokio::join!(phone.send_form(PAGE, &forms[0]), phone.send_form(PAGE, &forms[1]));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert!(statuses == [200, 403] || statuses == [200, 401], "{statuses:?}");
    let new = if one.status == 200 { "cod" } else { "eel" };
    let mut laptop = logged_in(&server, new).await;
    assert_eq!(laptop.get(PAGE).await.status, 200);
    phone.keep(if one.status == 200 { &one } else { &other });
    assert_eq!(phone.get(PAGE).await.status, 200);
}
