//! What the sequences cannot reach: a test each, whose name says what is right.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rocket::fairing::AdHoc;
use rocket::figment::Figment;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::{Route, State, get, routes};
use rocket_typed_sessions::storage::Memory;
use rocket_typed_sessions::{Session, SessionData, SessionError, Sessions, SessionsFairing};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::app::{User, figment};
use crate::scenario::{Edge, Fault, Limit, Place, Settings};
use crate::storage::{Armed, Hooked, Intercepted};

/// Beside `User`: another session in the same request.
#[derive(Clone, Serialize, Deserialize)]
struct Cart(u32);

impl SessionData for Cart {
    const NAME: &'static str = "cart";
}

fn table(place: Place) -> Figment {
    figment(Settings { place, limit: Limit::None, renews: false })
}

fn ann(count: u32) -> User {
    User { id: "ann".into(), count }
}

#[get("/login")]
fn login(session: Session<User>) {
    session.login(ann(1));
}

#[get("/read")]
fn read(session: Session<User>) -> String {
    session.get().map_or_else(|| "nobody".into(), |user| user.count.to_string())
}

async fn client(figment: Figment, fairing: SessionsFairing, routes: Vec<Route>) -> Client {
    let rocket = rocket::custom(figment).attach(fairing);
    let rocket = rocket.mount("/", routes![login, read]).mount("/", routes);
    Client::untracked(rocket).await.expect("a valid configuration")
}

async fn ask<'c>(client: &'c Client, uri: &'static str, cookie: &str) -> LocalResponse<'c> {
    client.get(uri).header(Header::new("Cookie", cookie.to_owned())).dispatch().await
}

/// `name=value` of a session's cookie, if the response sends one.
fn sent(response: &LocalResponse<'_>, name: &str) -> Option<String> {
    let mut cookies = response.headers().get("Set-Cookie");
    let cookie = cookies.find(|cookie| cookie.starts_with(&format!("{name}=")))?;
    cookie.split(';').next().map(str::to_owned)
}

async fn body(response: LocalResponse<'_>) -> String {
    response.into_string().await.unwrap_or_default()
}

async fn records(storage: &Hooked) -> usize {
    let now = std::time::SystemTime::now().into();
    let mut live = 0;
    for key in storage.created() {
        live += usize::from(storage.inner().read(&key, now).await.expect("it answers").is_some());
    }
    live
}

#[get("/elsewhere")]
async fn revoke_others(session: Session<User>, sessions: &Sessions) -> Result<(), SessionError> {
    sessions.of::<User>().revoke_others(&session).await.map(drop)
}

/// C5.
#[tokio::test]
async fn a_revoke_owner_that_completes_during_revoke_others_ends_the_callers_session_too() {
    let mut tried = 0;
    for operation in 0..8 {
        let storage = Hooked::new(Memory::new(1000));
        let fairing = || Sessions::fairing();
        let other = fairing().storage("hooked", Intercepted(storage.plain()));
        let other = Arc::new(client(table(Place::Revocable), other, vec![]).await);
        let this = fairing().storage("hooked", Intercepted(storage.clone()));
        let this = client(table(Place::Revocable), this, routes![revoke_others]).await;
        let token = sent(&ask(&this, "/login", "").await, "user").expect("a token");
        let node = Arc::clone(&other);
        let action = Box::pin(async move {
            let sessions = node.rocket().state::<Sessions>().expect("a fairing");
            sessions.of::<User>().revoke_owner("ann").await.expect("an answer");
        });
        // The first operations are those of the load.
        storage.plan(vec![Armed { operation, edge: Edge::Before, action }], Fault::None);
        let response = ask(&this, "/elsewhere", &token).await;
        let happened = storage.armed() == 0;
        tried += usize::from(happened);
        let token = sent(&response, "user").unwrap_or(token);
        let reads = body(ask(&other, "/read", &token).await).await;
        assert!(!happened || reads == "nobody", "operation {operation}: {reads}");
    }
    assert!(tried >= 3, "it came at {tried} operations only");
}

/// Says that an `update` is applied for the second time, which then takes a while.
#[derive(Clone, Default)]
struct Again(Arc<(AtomicUsize, Notify)>);

#[get("/fails")]
async fn fails(session: Session<User>, again: &State<Again>) -> Status {
    let told = Arc::clone(&again.0);
    session.update(move |user| {
        user.count += 1;
        if told.0.fetch_add(1, Ordering::SeqCst) == 1 {
            told.1.notify_one();
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    let task = session.clone();
    tokio::spawn(async move { task.refresh().await.map(drop) });
    again.0.1.notified().await;
    Status::InternalServerError
}

#[get("/discards")]
async fn discards(session: Session<User>, again: &State<Again>) {
    let told = Arc::clone(&again.0);
    session.update(move |user| {
        user.count += 1;
        if told.0.fetch_add(1, Ordering::SeqCst) == 1 {
            told.1.notify_one();
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    let task = session.clone();
    let refresh = tokio::spawn(async move { task.refresh().await.map(drop) });
    again.0.1.notified().await;
    session.discard();
    refresh.await.expect("the task ends").expect("an answer");
}

/// C8.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_500_while_a_refresh_applies_a_change_again_drops_the_change() {
    for uri in ["/fails", "/discards"] {
        let rocket =
            rocket::custom(table(Place::Memory).merge(("sessions.user.storage", "memory")))
                .attach(Sessions::fairing())
                .manage(Again::default())
                .mount("/", routes![login, read, fails, discards]);
        let client = Client::untracked(rocket).await.expect("a valid configuration");
        let token = sent(&ask(&client, "/login", "").await, "user").expect("a token");
        ask(&client, uri, &token).await;
        assert_eq!(body(ask(&client, "/read", &token).await).await, "1", "{uri}");
    }
}

#[get("/nothing")]
fn nothing() {}

/// C9.
#[tokio::test]
async fn a_save_at_the_first_use_in_a_later_response_fairing_is_too_late_or_its_token_goes_out() {
    let storage = Hooked::new(Memory::new(1000));
    let saved = Arc::<Mutex<Option<Result<(), SessionError>>>>::default();
    let told = Arc::clone(&saved);
    let late = AdHoc::on_response("uses the session late", move |request, _| {
        let told = Arc::clone(&told);
        Box::pin(async move {
            if request.uri().path() != "/nothing" {
                return;
            }
            let session = request.guard::<Session<User>>().await;
            let session = session.succeeded().expect("a session");
            session.set(ann(1));
            let result = session.save().await;
            session.discard();
            *told.lock() = Some(result);
        })
    });
    let rocket = rocket::custom(table(Place::Memory))
        .attach(Sessions::fairing().storage("hooked", Intercepted(storage.clone())))
        .attach(late)
        .mount("/", routes![read, nothing]);
    let client = Client::untracked(rocket).await.expect("a valid configuration");
    let response = ask(&client, "/nothing", "").await;
    let result = saved.lock().take().expect("the fairing ran");
    reached(&client, &storage, &response, result).await;
}

/// Either `TooLate` and nothing written, or `Ok` and the client has the token.
async fn reached(
    client: &Client,
    storage: &Hooked,
    response: &LocalResponse<'_>,
    saved: Result<(), SessionError>,
) {
    match (saved, sent(response, "user")) {
        (Err(SessionError::TooLate), None) => assert_eq!(records(storage).await, 0, "records"),
        (Ok(()), Some(token)) => {
            assert_eq!(body(ask(client, "/read", &token).await).await, "1");
        }
        (saved, token) => panic!("{saved:?}, and a token: {}", token.is_some()),
    }
}

/// A task that saves one session while the other one of its request commits.
#[derive(Clone, Default)]
struct InFlight {
    start: Arc<Notify>,
    saving: Arc<Notify>,
    release: Arc<Notify>,
    saved: Arc<Mutex<Option<Result<(), SessionError>>>>,
    ended: Arc<Notify>,
}

#[get("/two")]
fn two(session: Session<User>, cart: Session<Cart>, flight: &State<InFlight>) {
    cart.set(Cart(1));
    let flight = InFlight::clone(flight);
    tokio::spawn(async move {
        flight.start.notified().await;
        session.set(ann(1));
        let saved = session.save().await;
        session.discard();
        *flight.saved.lock() = Some(saved);
        flight.ended.notify_one();
    });
}

/// C9.
#[tokio::test]
async fn a_tasks_save_while_another_session_commits_is_too_late_or_its_token_goes_out() {
    let (users, carts) = (Hooked::new(Memory::new(1000)), Hooked::new(Memory::new(1000)));
    let flight = InFlight::default();
    let figment = table(Place::Memory).merge(("sessions.cart.storage", "carts"));
    let fairing = Sessions::fairing().storage("hooked", Intercepted(users.clone()));
    let rocket = rocket::custom(figment)
        .attach(fairing.storage("carts", Intercepted(carts.clone())))
        .manage(flight.clone())
        .mount("/", routes![read, two]);
    let client = Client::untracked(rocket).await.expect("a valid configuration");
    let now = flight.clone();
    // The cart's commit begins the task's save, and waits until that is under way.
    let begin = Box::pin(async move {
        now.start.notify_one();
        let _ = tokio::time::timeout(Duration::from_millis(500), now.saving.notified()).await;
    });
    carts.plan(vec![Armed { operation: 0, edge: Edge::Before, action: begin }], Fault::None);
    let now = flight.clone();
    let wait = Box::pin(async move {
        now.saving.notify_one();
        let _ = tokio::time::timeout(Duration::from_millis(500), now.release.notified()).await;
    });
    users.plan(vec![Armed { operation: 0, edge: Edge::Before, action: wait }], Fault::None);
    let response = ask(&client, "/two", "").await;
    assert_eq!(response.status(), Status::Ok);
    flight.release.notify_one();
    flight.ended.notified().await;
    let saved = flight.saved.lock().take().expect("the task has saved");
    reached(&client, &users, &response, saved).await;
}

#[get("/count-and-refresh")]
async fn count_and_refresh(session: Session<User>) -> Result<String, SessionError> {
    session.update(|user| user.count += 1);
    let refreshed = session.refresh().await?;
    Ok(refreshed.map_or_else(|| "nobody".into(), |user| user.count.to_string()))
}

/// C12.
#[tokio::test]
async fn a_refresh_of_an_accepted_session_keeps_it_and_its_native_token_goes_out() {
    for serializer in ["json", "reflection-legacy"] {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = serde_json::json!({"type": "directory", "path": folder.path()});
        let figment = Figment::from(rocket::Config::default())
            .select("debug")
            .merge(("log_level", "off"))
            .merge(("sessions.user.storage", storage))
            .merge(("sessions.user.ktor.serializer", serializer))
            .merge(("sessions.user.sign_key", "hex:6819b57a326945c1968f45236589"));
        let ktor = figment.clone().merge(("sessions.user.format", "ktor"));
        let ktor = client(ktor, Sessions::fairing(), vec![]).await;
        let former = sent(&ask(&ktor, "/login", "").await, "user").expect("a token");
        let native = figment
            .merge(("sessions.user.accept", vec!["ktor"]))
            .merge(("sessions.secret", "0123456789abcdef".repeat(4)));
        let native = client(native, Sessions::fairing(), routes![count_and_refresh]).await;
        let response = ask(&native, "/count-and-refresh", &former).await;
        let token = sent(&response, "user");
        assert_eq!(body(response).await, "2", "{serializer}");
        let token = token.unwrap_or_else(|| panic!("{serializer}: a native token goes out"));
        assert_eq!(body(ask(&native, "/read", &token).await).await, "2", "{serializer}");
        let reads = body(ask(&native, "/read", &former).await).await;
        assert_eq!(reads, "nobody", "{serializer}: the former session has moved");
    }
}

#[get("/changes-its-mind")]
async fn changes_its_mind(session: Session<User>, storage: &State<Hooked>) -> String {
    session.login(ann(2));
    storage.plan(Vec::new(), Fault::Down);
    session.save().await.expect_err("the storage is down");
    let task = session.clone();
    let discard = Box::pin(async move { task.discard() });
    // The end of the session that could not begin comes before the next try.
    storage.plan(vec![Armed { operation: 0, edge: Edge::After, action: discard }], Fault::None);
    session.save().await.expect("nothing is left to save");
    session.get().map_or_else(|| "nobody".into(), |user| user.count.to_string())
}

#[tokio::test]
async fn a_login_that_is_discarded_before_it_is_tried_again_does_not_begin() {
    let storage = Hooked::new(Memory::new(1000));
    let rocket = rocket::custom(table(Place::Memory))
        .attach(Sessions::fairing().storage("hooked", Intercepted(storage.clone())))
        .manage(storage.clone())
        .mount("/", routes![login, read, changes_its_mind]);
    let client = Client::untracked(rocket).await.expect("a valid configuration");
    let token = sent(&ask(&client, "/login", "").await, "user").expect("a token");
    let response = ask(&client, "/changes-its-mind", &token).await;
    assert_eq!(sent(&response, "user"), None);
    assert_eq!(body(response).await, "1");
    assert_eq!(storage.armed(), 0, "the discard has happened");
    assert_eq!(body(ask(&client, "/read", &token).await).await, "1");
    assert_eq!(records(&storage).await, 1);
}
