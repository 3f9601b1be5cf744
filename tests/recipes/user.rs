//! The user's row as a guard: one query a request, locked users, roles, and failures that nobody takes for a
//! visitor.

use rocket::{get, routes};
use rocket_typed_sessions::Sessions;
use rocket_typed_sessions::storage::{Memory, StorageError};
use rocket_typed_sessions::testing::storage::{Fault, Faulty, Operation};

use crate::recipes;
use crate::recipes::users::{User, Users};
use crate::server::{Browser, Server, figment, serve, start};

async fn logged_in(server: &Server, id: u32) -> Browser {
    let mut browser = server.browser();
    assert_eq!(browser.post(&format!("/user/login/{id}"), "").await.status, 200);
    browser
}

#[tokio::test]
async fn several_guards_of_one_request_ask_the_database_once() {
    let (server, users) = start::<Users>().await;
    let mut ada = logged_in(&server, 1).await;
    let before = users.lock().await.queries;
    // The page takes the administrator, the user and the reader.
    let page = ada.get("/user/admin").await;
    assert_eq!(
        (page.status, page.body.as_str()),
        (200, "Hello, ada! You are ada, an administrator.")
    );
    assert_eq!(users.lock().await.queries, before + 1);
    ada.get("/user/me").await;
    assert_eq!(users.lock().await.queries, before + 2, "each request asks again");
}

#[tokio::test]
async fn pages_say_who_may_see_them() {
    let (server, _) = start::<Users>().await;
    let (mut ben, mut visitor) = (logged_in(&server, 2).await, server.browser());
    assert_eq!(ben.get("/user/me").await.body, "Hello, ben!");
    assert_eq!(ben.get("/user").await.body, "Hello, ben!");
    assert_eq!(ben.get("/user/admin").await.status, 403);
    assert_eq!(visitor.get("/user").await.body, "Hello, whoever you are!");
    for page in ["/user/me", "/user/admin"] {
        assert_eq!(visitor.get(page).await.status, 401, "{page}");
    }
}

#[tokio::test]
async fn a_locked_user_and_a_former_administrator_find_out_with_the_next_request() {
    let (server, users) = start::<Users>().await;
    let (mut ada, mut ben) = (logged_in(&server, 1).await, logged_in(&server, 2).await);
    {
        let rows = &mut users.lock().await.rows;
        rows.get_mut(&1).expect("a row").is_admin = false;
        rows.get_mut(&2).expect("a row").is_locked = true;
    }
    assert_eq!(ada.get("/user/admin").await.status, 403);
    assert_eq!(ada.get("/user/me").await.status, 200);
    assert_eq!(ben.get("/user/me").await.status, 401);
    assert_eq!(ben.get("/user").await.body, "Hello, whoever you are!");
    assert_eq!(server.browser().post("/user/login/2", "").await.status, 403);
    users.lock().await.rows.remove(&1);
    assert_eq!(ada.get("/user/me").await.status, 401, "a user who was deleted");
    users.lock().await.rows.get_mut(&2).expect("a row").is_locked = false;
    assert_eq!(ben.get("/user/me").await.status, 200, "the session is there again");
}

/// What the recipe advises against: nobody can tell a visitor from a user here.
#[get("/optional")]
fn optional(user: Option<&User>) -> String {
    user.map_or("a visitor", |user| user.name).into()
}

#[tokio::test]
async fn whoever_cannot_be_known_is_no_visitor() {
    let storage = Faulty::new(Memory::new(100));
    let sessions = Sessions::fairing().storage("faulty", storage.clone());
    let figment = figment().merge(("sessions.login.storage", "faulty"));
    let (server, users) =
        serve::<Users>(recipes::build(figment, sessions).mount("/", routes![optional])).await;
    let mut ben = logged_in(&server, 2).await;
    let unknown = "Hello! Accounts are not available at the moment.";

    users.lock().await.is_down = true;
    assert_eq!(ben.get("/user").await.body, unknown, "the database is down");
    assert_eq!(ben.get("/user/me").await.status, 503);
    assert_eq!(ben.get("/optional").await.body, "a visitor");
    users.lock().await.is_down = false;

    let down = Fault::Fails(StorageError::Unavailable("down".into(), None));
    storage.set(Operation::Read, down);
    assert_eq!(ben.get("/user").await.body, unknown, "the storage is down");
    assert_eq!(ben.get("/user/me").await.status, 503);
    assert_eq!(ben.get("/optional").await.status, 503, "this crate sees to it");
    assert_eq!(server.browser().get("/user").await.body, "Hello, whoever you are!");
    storage.mend();
    assert_eq!(ben.get("/user/me").await.body, "Hello, ben!");
}
