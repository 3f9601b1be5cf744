//! `docs/flash.md`: a message of Rocket's own, and one that is kept in the session.

use std::time::Duration;

use rocket::futures::future::join_all;
use rocket::http::Status;
use rocket::request::FlashMessage;
use rocket::response::{Flash, Redirect};
use rocket::{get, post, routes};
use rocket_typed_sessions::storage::Memory;
use rocket_typed_sessions::testing::storage::{Fault, Faulty, Operation};
use rocket_typed_sessions::{Session, SessionData, SessionError, Sessions};
use serde::{Deserialize, Serialize};

use crate::support::*;

#[derive(Clone, Serialize, Deserialize)]
struct Shop {
    name: String,
    notice: Option<String>,
}

impl SessionData for Shop {
    const NAME: &'static str = "user";
}

#[post("/login")]
fn login(session: Session<Shop>) -> Flash<Redirect> {
    session.login(Shop { name: "Ann".into(), notice: None });
    Flash::success(Redirect::to("/"), "You are logged in.")
}

#[post("/logout")]
fn logout(session: Session<Shop>) -> Flash<Redirect> {
    session.clear();
    Flash::success(Redirect::to("/"), "You are logged out.")
}

#[get("/")]
fn index(session: Session<Shop>, flash: Option<FlashMessage<'_>>) -> String {
    let name = session.get().map_or("nobody".into(), |shop| shop.name.clone());
    flash.map_or(name.clone(), |flash| format!("{name}: {}", flash.message()))
}

#[post("/order")]
fn order(session: Session<Shop>) -> Redirect {
    session.update(|shop| shop.notice = Some("Your order is number 7.".into()));
    Redirect::to("/orders")
}

#[post("/fail")]
fn fail(session: Session<Shop>) -> Status {
    session.update(|shop| shop.notice = Some("Done.".into()));
    Status::InternalServerError
}

#[get("/orders")]
async fn orders(session: Session<Shop>) -> Result<String, SessionError> {
    let notice = session.update_now(|shop| shop.notice.take()).await?.flatten();
    Ok(notice.unwrap_or_default())
}

async fn app(storage: &Faulty) -> rocket::local::asynchronous::Client {
    let sessions = Sessions::fairing().storage("kept", storage.clone());
    let routes = routes![login, logout, index, order, fail, orders];
    let rocket = rocket::custom(figment("kept")).attach(sessions).mount("/", routes);
    rocket::local::asynchronous::Client::tracked(rocket).await.expect("a valid configuration")
}

#[tokio::test]
async fn a_message_of_rockets_own_is_shown_once_after_a_login_and_a_logout() {
    let client = app(&Faulty::new(Memory::new(10))).await;
    let get = async || client.get("/").dispatch().await.into_string().await.expect("a page");
    client.post("/login").dispatch().await;
    assert_eq!((get().await, get().await), ("Ann: You are logged in.".into(), "Ann".into()));
    client.post("/logout").dispatch().await;
    assert_eq!((get().await, get().await), ("nobody: You are logged out.".into(), "nobody".into()));
}

#[tokio::test]
async fn one_of_many_requests_gets_the_message_of_a_session() {
    let storage = Faulty::new(Memory::new(10));
    let client = app(&storage).await;
    client.post("/login").dispatch().await;
    client.post("/order").dispatch().await;
    let ask = || async { client.get("/orders").dispatch().await.into_string().await };
    // All of them have read the session before one of them writes it.
    storage.set(Operation::Read, Fault::SlowAnswer(Duration::from_millis(100)));
    let all = join_all((0..10).map(|_| ask())).await;
    let shown: Vec<_> = all.into_iter().flatten().filter(|text| !text.is_empty()).collect();
    assert_eq!(shown, ["Your order is number 7."]);

    storage.mend();
    let writes = storage.calls(Operation::Update);
    assert_eq!(ask().await.as_deref(), Some(""));
    assert_eq!(storage.calls(Operation::Update), writes, "nothing is written without a message");
}

#[tokio::test]
async fn a_request_that_fails_leaves_no_message() {
    let client = app(&Faulty::new(Memory::new(10))).await;
    client.post("/login").dispatch().await;
    client.post("/fail").dispatch().await;
    let page = client.get("/orders").dispatch().await;
    assert_eq!(page.into_string().await.as_deref(), Some(""));
}
