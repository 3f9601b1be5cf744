//! Catchers, transports and storages that fail or panic.

use std::borrow::Cow;
use std::sync::Arc;

use parking_lot::Mutex;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{Request, routes};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, Sessions};

use crate::app::*;
use crate::hook::*;

type Seen = Arc<Mutex<Option<Option<String>>>>;
#[rocket::catch(503)]
async fn catch_user(request: &Request<'_>) -> &'static str {
    let session = request.guard::<Session<User>>().await.succeeded().unwrap();
    *request.rocket().state::<Seen>().unwrap().lock() = Some(session.get().map(|u| u.id.clone()));
    "sorry"
}
/// The page of a failed login must not show the login.
#[tokio::test]
async fn the_503_catcher_does_not_see_a_client_login_that_never_goes_out() {
    let seen = Seen::default();
    let state = seen.clone();
    let app = app_with(figment().merge(("sessions.user.storage", "client")), |rocket| {
        rocket.manage(state).register("/", rocket::catchers![catch_user])
    })
    .await;
    let hook = app.hook.clone();
    let answer = app
        .both("/both", "", async move |both| {
            both.user.login(user("ann"));
            both.cart.set(Cart { items: vec![] });
            hook.before(Operation::Create, Act::Fail);
            Status::Ok
        })
        .await;
    assert_eq!((answer.status, answer.token("user")), (Status::ServiceUnavailable, None));
    assert_eq!(*seen.lock(), Some(None), "the catcher sees a login of which nothing goes out");
}
/// Nor a session that the request has ended.
#[tokio::test]
async fn the_503_catcher_does_not_see_a_session_that_was_cleared_before_the_next_could_not_be_created()
 {
    let seen = Seen::default();
    let state = seen.clone();
    let app = app_with(figment(), |rocket| {
        rocket.manage(state).register("/", rocket::catchers![catch_user])
    })
    .await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.clear();
            ctx.user.login(user("bob"));
            hook.before(Operation::Create, Act::Fail);
            Status::Ok
        })
        .await;
    assert_eq!(
        (answer.status, answer.removed(), app.hook.live().await),
        (Status::ServiceUnavailable, true, 0)
    );
    assert_eq!(*seen.lock(), Some(None), "the catcher sees the ended session");
}

/// Ktor's files beside an index of owners.
#[tokio::test]
async fn sessions_with_an_owner_work_in_ktors_format_in_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(ktor_figment()
        .merge(("sessions.user.storage.type", "directory"))
        .merge(("sessions.user.storage.path", folder.path().to_str().unwrap())))
    .await;
    let answer = app
        .go("", async move |ctx| {
            ctx.user.login(user("ann"));
            Status::Ok
        })
        .await;
    assert_eq!(answer.status, Status::Ok);
    let cookie = answer.user();
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.update(|u| u.count += 1);
            Status::Ok
        })
        .await;
    assert_eq!(answer.status, Status::Ok);
    assert_eq!(app.value(&cookie).await.map(|u| u.count), Some(1));
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.login(user("bob"));
            Status::Ok
        })
        .await;
    assert_eq!(answer.status, Status::Ok);
    assert!(app.value(&answer.user()).await.is_some() && app.value(&cookie).await.is_none());
}

/// A storage or a transformer that panics in the commit.
#[tokio::test]
async fn a_storage_that_panics_in_the_commit_is_a_5xx_and_the_session_goes_on() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.update(|u| u.count += 1);
            hook.before(Operation::Update, Act::Run(Box::new(|| panic!("storage"))));
            Status::Ok
        })
        .await;
    assert!(answer.status.code >= 500);
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.update(|u| u.count += 1);
            Status::Ok
        })
        .await;
    assert_eq!((answer.status, app.value(&cookie).await.unwrap().count), (Status::Ok, 1));
}

#[tokio::test]
async fn two_updates_and_a_5xx_count_nothing_and_a_4xx_counts() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    for (status, expected) in [(Status::InternalServerError, 0), (Status::NotFound, 2)] {
        app.go(&cookie, async move |ctx| {
            ctx.user.update(|u| u.count += 1);
            ctx.user.update(|u| u.count += 1);
            status
        })
        .await;
        assert_eq!(app.value(&cookie).await.unwrap().count, expected, "{status}");
    }
}

#[rocket::catch(503)]
async fn catch_and_clear(request: &Request<'_>) -> &'static str {
    request.guard::<Session<User>>().await.succeeded().unwrap().clear();
    "sorry"
}
/// The catcher of a failure at the last turn logs out.
#[tokio::test]
async fn a_clear_in_the_503_catcher_holds_at_either_turn() {
    for last in [false, true] {
        let app = app_with(figment(), |rocket| {
            let rocket = if last { behind(rocket) } else { rocket };
            rocket.register("/", rocket::catchers![catch_and_clear])
        })
        .await;
        let cookie = app.login("ann").await;
        let hook = app.hook.clone();
        let answer = app
            .both("/both", &cookie, async move |both| {
                if !last {
                    both.cart.set(Cart { items: vec![] });
                }
                hook.before(Operation::Create, Act::Fail);
                Status::Ok
            })
            .await;
        assert_eq!(answer.status, Status::ServiceUnavailable);
        assert!(app.value(&cookie).await.is_none() && answer.removed(), "last turn: {last}");
    }
}

/// A transport that panics at the last turn.
struct Panics;
impl rocket_typed_sessions::transport::SessionTransport for Panics {
    fn receive<'r>(&self, _: &'r Request<'_>, _: &str) -> Vec<Cow<'r, str>> {
        Vec::new()
    }
    fn send(
        &self,
        _: &mut rocket::Response<'_>,
        _: &str,
        _: rocket_typed_sessions::transport::Outgoing<'_>,
    ) {
        panic!("send")
    }
    fn clear(&self, _: &mut rocket::Response<'_>, _: &str) {
        panic!("clear")
    }
    fn vary<'a>(&self, _: &'a str) -> Option<&'a str> {
        panic!("vary")
    }
}
#[tokio::test]
async fn a_transport_that_panics_at_the_last_turn_costs_no_other_session_its_token() {
    let (hook, clock) = (Hook::new(), Clock::new());
    let fairing = Sessions::fairing()
        .storage("hook", Intercepted(hook.clone()))
        .storage("hook2", Intercepted(hook.clone()))
        .clock(&clock)
        .transport("panics", Panics);
    let rocket = rocket::custom(figment().merge(("sessions.cart.transport", "panics")))
        .attach(fairing)
        .manage(Stage::default())
        .mount("/", routes![go]);
    let client = Client::untracked(behind(rocket)).await.unwrap();
    let app = App { client, hook, clock };
    let answer = app
        .go("", async move |ctx| {
            ctx.user.login(user("ann"));
            Status::Ok
        })
        .await;
    assert!(answer.token("user").is_some(), "{} {:?}", answer.status, answer.cookies);
}
