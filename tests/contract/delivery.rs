//! What reaches the client: a token that was promised, and no other.

use std::collections::BTreeSet;
use std::time::Duration;

use rocket::fairing::{AdHoc, Fairing, Info, Kind};
use rocket::http::{Header, Status};
use rocket::local::asynchronous::Client;
use rocket::{Request, Response, State, get, routes};
use rocket_typed_sessions::storage::{Memory, Timestamp};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, SessionError, Sessions};
use tokio::sync::Mutex;

use crate::support::*;

/// A fairing attached behind the sessions' own that counts visits in one.
struct Visits;

#[rocket::async_trait]
impl Fairing for Visits {
    fn info(&self) -> Info {
        Info { name: "Visits", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let Some(what) = request.uri().query().map(|query| query.as_str().to_owned()) else {
            return;
        };
        let session = request.guard::<Session<Cart>>().await.expect("a session");
        session.get_or_insert_with(|| Cart(0));
        session.update(|cart| cart.0 += 1);
        if what == "save" {
            let saved = session.save().await;
            response.set_raw_header("X-Saved", format!("{saved:?}"));
        }
        if what == "clear" {
            session.clear();
        }
    }
}

#[get("/cart")]
fn cart(session: Session<Cart>) -> String {
    session.get().map_or_else(|| "none".into(), |cart| cart.0.to_string())
}

#[tokio::test]
async fn c9_a_session_first_used_by_a_fairing_behind_ours_is_saved_and_its_token_goes_out() {
    for place in PLACES {
        let figment = figment("memory").merge(("sessions.cart.storage", place));
        let rocket = build(figment, Sessions::fairing(), routes![cart]).attach(Visits);
        let client = Client::untracked(rocket).await.expect("a rocket");
        for uri in ["/nowhere?save", "/nowhere?"] {
            let response = client.get(uri).dispatch().await;
            let saved = response.headers().get_one("X-Saved");
            assert_eq!(saved, uri.ends_with("save").then_some("Ok(())"), "{place} {uri}");
            assert_eq!(response.headers().get_one("Vary"), Some("Cookie"), "{place} {uri}");
            let sent = cookies(&response);
            assert_eq!(sent.len(), 1, "{place} {uri}: {sent:?}");
            assert_eq!(text(&client, "/cart", &sent[0]).await, "1", "{place} {uri}");
            // One that the handler has used as well.
            let response = with_cookie(&client, &uri.replace("nowhere", "cart"), &sent[0]).await;
            let now = cookies(&response).pop().unwrap_or(sent[0].clone());
            assert_eq!(text(&client, "/cart", &now).await, "2", "{place} {uri}");
        }
        // One beside another that the handler has used, and that is saved before.
        let sent = cookies(&client.get("/set/ann?save").dispatch().await);
        assert_eq!(sent.len(), 2, "{place}: {sent:?}");
        assert_eq!(text(&client, "/cart", &sent.join("; ")).await, "1", "{place}");
        assert_eq!(text(&client, "/get", &sent.join("; ")).await, "ann 0", "{place}");
        let response = client.get("/nowhere?clear").dispatch().await;
        assert_eq!(cookies(&response), [""; 0], "{place}");
    }
}

/// A fairing that attaches `Visits` while Rocket ignites, behind `depth` stages.
fn stage(depth: u8) -> AdHoc {
    AdHoc::on_ignite("stage", move |rocket| async move {
        if depth == 1 { rocket.attach(Visits) } else { rocket.attach(stage(depth - 1)) }
    })
}

#[tokio::test]
async fn a_fairing_that_a_stage_attaches_is_behind_ours_and_its_changes_are_saved_too() {
    for depth in 1..=3 {
        for sessions_first in [true, false] {
            let figment = figment("memory").merge(("sessions.cart.storage", "memory"));
            let (sessions, stage) = (Sessions::fairing(), stage(depth));
            let rocket = rocket::custom(figment).mount("/", routes![cart]);
            let rocket = if sessions_first {
                rocket.attach(sessions).attach(stage)
            } else {
                rocket.attach(stage).attach(sessions)
            };
            let client = Client::untracked(rocket).await.expect("a rocket");
            let response = client.get("/nowhere?").dispatch().await;
            assert_eq!(response.headers().get_one("Cache-Control"), Some("no-store"), "{depth}");
            let sent = cookies(&response);
            assert_eq!(sent.len(), 1, "{depth}: {sent:?}");
            assert_eq!(text(&client, "/cart", &sent[0]).await, "1", "{depth}");
        }
    }
}

/// What a handler's spawned task was told.
type Told = std::sync::Arc<Mutex<Option<bool>>>;

#[get("/save-in-a-task/<after>")]
fn save_in_a_task(user: Session<User>, cart: Session<Cart>, after: u64, told: &State<Told>) {
    cart.get_or_insert_with(|| Cart(7));
    let told = std::sync::Arc::clone(told);
    rocket::tokio::spawn(async move {
        rocket::tokio::time::sleep(Duration::from_millis(after)).await;
        user.login(crate::support::user("ann"));
        let saved = user.save().await;
        assert!(matches!(saved, Ok(()) | Err(SessionError::TooLate)), "{saved:?}");
        if saved.is_err() {
            user.discard();
        }
        *told.lock().await = Some(saved.is_ok());
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c9_a_tasks_save_beside_another_sessions_commit_is_ok_only_if_its_token_goes_out() {
    let mut outcomes = BTreeSet::new();
    for (user_in, after) in [
        ("memory", 0),
        ("memory", 20),
        ("memory", 90),
        ("client", 0),
        ("client", 20),
        ("memory", 250),
        ("client", 250),
    ] {
        let (storage, told) = (faulty(), Told::default());
        let users = Faulty::new(Memory::new(10));
        let figment = figment(if user_in == "memory" { "users" } else { "client" })
            .merge(("sessions.cart.storage", "fault"));
        let fairing =
            Sessions::fairing().storage("fault", storage.clone()).storage("users", users.clone());
        let rocket = build(figment, fairing, routes![save_in_a_task]).manage(told.clone());
        let client = Client::untracked(rocket).await.expect("a rocket");
        storage.set(Operation::Create, Fault::Slow(Duration::from_millis(100)));
        let response = client.get(format!("/save-in-a-task/{after}")).dispatch().await;
        let sent = cookies(&response).into_iter().find(|cookie| cookie.starts_with("user="));
        drop(response);
        tokio::time::sleep(Duration::from_millis(400)).await;
        let saved = told.lock().await.expect("the task has ended");
        assert_eq!(saved, sent.is_some(), "{user_in} after {after} ms: {sent:?}");
        outcomes.insert((user_in, saved));
        let end_of_time = Timestamp::from_millis(u64::MAX);
        let left = users.inner().purge_expired(end_of_time, 10).await.expect("memory answers");
        let expected = usize::from(saved && user_in == "memory");
        assert_eq!(left, expected, "{user_in} after {after} ms: records");
    }
    assert_eq!(outcomes.len(), 4, "in time and too late, in both places: {outcomes:?}");
}

#[tokio::test]
async fn c11_the_old_and_the_new_id_of_one_session_in_one_request_are_that_session() {
    let client = client(figment("memory")).await;
    let old = logged_in(&client, "ann").await;
    let new = sent(&with_cookie(&client, "/renew", &old).await).expect("a new id");
    for both in [format!("{old}; {new}"), format!("{new}; {old}")] {
        assert_eq!(text(&client, "/count", &both).await.split(' ').next(), Some("ann"));
        // Of the two, the present id counts: it can be renewed.
        let response = with_cookie(&client, "/get", &both).await;
        assert_eq!(response.status(), Status::Ok);
    }
    assert_eq!(text(&client, "/get", &new).await, "ann 2");
    let both = format!("{old}; {new}");
    let newest = sent(&with_cookie(&client, "/renew", &both).await).expect("a new id");
    let both = format!("{newest}; {newest}");
    assert_eq!(sent(&with_cookie(&client, "/clear", &both).await).as_deref(), Some("user="));
    for token in [old, new, newest] {
        assert_eq!(text(&client, "/get", &token).await, "absent");
    }
}

#[tokio::test]
async fn c21_a_storage_that_cannot_say_what_has_ended_does_not_fail_a_refreshed_expiry() {
    let (storage, clock) = (faulty(), Clock::new());
    let figment = figment("client").merge(("sessions.user.revocation", "fault"));
    let fairing = Sessions::fairing().storage("fault", storage.clone()).clock(&clock);
    let rocket = build(figment, fairing, routes![then_down]).manage(storage.clone());
    let client = Client::untracked(rocket).await.expect("a rocket");
    let token = logged_in(&client, "ann").await;
    clock.advance(Duration::from_secs(2 * 86_400));
    let response = with_cookie(&client, "/then-down", &token).await;
    assert_eq!(response.status(), Status::Ok);
    assert_eq!(response.into_string().await.as_deref(), Some("ann 0"));
}

/// The storage goes down after the session has been loaded.
#[get("/then-down")]
fn then_down(session: Session<User>, storage: &State<Faulty>) -> String {
    for operation in Operation::ALL {
        storage.set(operation, down());
    }
    show(&session)
}

#[get("/late-clear/<how>")]
fn late_clear(session: Session<User>, how: &str, told: &State<Told>) {
    let (told, then) = (std::sync::Arc::clone(told), how == "then-login");
    rocket::tokio::spawn(async move {
        rocket::tokio::time::sleep(Duration::from_millis(100)).await;
        session.clear();
        if then {
            session.login(user("eve"));
        }
        let saved = session.save().await;
        session.discard();
        *told.lock().await = Some(saved.is_ok());
    });
}

#[tokio::test]
async fn c20_a_late_clear_needs_no_token_where_the_end_is_remembered() {
    let revocable = figment("client").merge(("sessions.user.revocation", "memory"));
    for (figment, how, ok) in [
        (revocable.clone(), "alone", true),
        (revocable, "then-login", false),
        (figment("memory"), "alone", true),
        (figment("memory"), "then-login", false),
        // Nobody would remember it, and the client keeps its token.
        (figment("client"), "alone", false),
    ] {
        let told = Told::default();
        let rocket = build(figment, Sessions::fairing(), routes![late_clear]).manage(told.clone());
        let client = Client::untracked(rocket).await.expect("a rocket");
        let token = logged_in(&client, "ann").await;
        with_cookie(&client, &format!("/late-clear/{how}"), &token).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(*told.lock().await, Some(ok), "{how}");
        let expected = if ok { "absent" } else { "ann 0" };
        assert_eq!(text(&client, "/get", &token).await, expected, "{how}");
    }
}

/// A handler whose response upgrades the connection.
struct Upgrades;

impl<'r> rocket::response::Responder<'r, 'r> for Upgrades {
    fn respond_to(self, _: &'r Request<'_>) -> rocket::response::Result<'r> {
        struct Io;
        #[rocket::async_trait]
        impl rocket::data::IoHandler for Io {
            async fn io(
                self: std::pin::Pin<Box<Self>>,
                _: rocket::data::IoStream,
            ) -> std::io::Result<()> {
                Ok(())
            }
        }
        Response::build().header(Header::new("X-Handlers", "yes")).upgrade("echo", Io).ok()
    }
}

#[get("/upgrade")]
fn upgrade(session: Session<User>) -> Upgrades {
    session.update(|user| user.count += 1);
    Upgrades
}

#[tokio::test]
async fn c30_a_request_that_upgrades_and_cannot_be_saved_is_not_upgraded() {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("fault", storage.clone());
    let watch = AdHoc::on_response("watch", |_, response| {
        Box::pin(async move {
            let upgrades = response.upgrade("echo").is_some();
            response.set_raw_header("X-Upgrades", upgrades.to_string());
        })
    });
    let rocket = build(figment("fault"), fairing, routes![upgrade]).attach(watch);
    let client = Client::untracked(rocket).await.expect("a rocket");
    let token = logged_in(&client, "ann").await;
    let ask = async || {
        let response = with_cookie(&client, "/upgrade", &token).await;
        let header = |name| response.headers().get_one(name).map(str::to_owned);
        (response.status().code, header("X-Upgrades"), header("X-Handlers"))
    };
    let yes = || Some("yes".to_owned());
    assert_eq!(ask().await, (200, Some("true".into()), yes()));
    break_writes(&storage, &down());
    assert_eq!(ask().await, (503, Some("false".into()), yes()));
}

#[get("/keep-cart/<id>")]
async fn keep_cart(session: Session<User>, id: String, storage: &State<Faulty>) -> String {
    let value = session.login_with(move |former| User {
        id: id.clone(),
        count: former.map_or(100, |former| former.count),
    });
    elsewhere(storage, "count").await;
    format!("{} {}", value.id, value.count)
}

#[tokio::test]
async fn c16_a_login_from_what_is_there_loses_nothing_that_is_written_meanwhile() {
    // Whose the former session is, and whether its count is kept.
    for (former, kept) in [("", true), ("ann", true), ("eve", false)] {
        let storage = faulty();
        let fairing = Sessions::fairing().storage("fault", storage.clone());
        let rocket =
            build(figment("fault"), fairing, routes![keep_cart, guest]).manage(storage.clone());
        let client = Client::untracked(rocket).await.expect("a rocket");
        let response = client.get(format!("/guest?id={former}")).dispatch().await;
        let old = sent(&response).expect("a token");
        let response = with_cookie(&client, "/keep-cart/ann", &old).await;
        let new = sent(&response).expect("another token");
        let at_first = if kept { "ann 0" } else { "ann 100" };
        assert_eq!(response.into_string().await.as_deref(), Some(at_first), "{former:?}");
        let in_the_end = if kept { "ann 1" } else { "ann 100" };
        assert_eq!(text(&client, "/get", &new).await, in_the_end, "{former:?}");
        assert_eq!(text(&client, "/get", &old).await, "absent", "{former:?}");
    }
}

#[get("/guest?<id>")]
fn guest(session: Session<User>, id: &str) {
    session.set(user(id));
}
