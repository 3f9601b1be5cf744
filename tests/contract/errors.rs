//! A failed load or save never looks like success, and loses no token.

use std::time::{Duration, Instant};

use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::response::Redirect;
use rocket::{State, catch, catchers, get, routes};
use rocket_typed_sessions::storage::{Directory, Memory, Record, Timestamp, Update};
use rocket_typed_sessions::{Session, SessionError, Sessions, TrySession};

use tokio::sync::Notify;

use crate::support::*;

#[get("/redirect")]
fn redirect(session: Session<User>) -> Redirect {
    session.update(|user| user.count += 1);
    Redirect::to("/get")
}

#[get("/large/<bytes>")]
fn large(session: Session<User>, bytes: usize) {
    session.set(user(&"x".repeat(bytes)));
}

#[get("/fails/<status>/<what>")]
pub fn fails(session: Session<User>, status: u16, what: &str) -> Status {
    match what {
        "count" => drop(session.update(|user| user.count += 1)),
        "renew" => session.renew(),
        "login" => session.login(user("eve")),
        "clear" => session.clear(),
        _ => {}
    }
    Status::new(status)
}

#[get("/panic/<what>")]
fn panic(session: Session<User>, what: &str) -> String {
    fails(session, 500, what);
    panic!("on purpose")
}

#[get("/save")]
async fn save(session: Session<User>) -> Result<String, SessionError> {
    session.update(|user| user.count += 1);
    session.save().await?;
    Ok(show(&session))
}

#[get("/deal")]
fn deal(session: TrySession<User>) -> &'static str {
    if let TrySession::Unavailable(_) = session { "no storage" } else { "fine" }
}

async fn with_faults() -> (Client, Faulty) {
    let fault = faulty();
    let fairing = Sessions::fairing().storage("faulty", fault.clone());
    let figment = figment("faulty").merge(("sessions.user.storage_timeout", "300 ms"));
    let routes = routes![redirect, large, fails, panic, save, deal];
    (client_with(figment, fairing, routes).await, fault)
}

#[tokio::test]
async fn s65_s66_a_storage_that_fails_or_hangs_gives_503_and_leaves_the_token() {
    let (client, fault) = with_faults().await;
    let token = logged_in(&client, "ann").await;
    for mode in [down(), Fault::Hangs] {
        fault.set(Operation::Read, mode.clone());
        let started = Instant::now();
        let response = with_cookie(&client, "/get", &token).await;
        assert_eq!(response.status(), Status::ServiceUnavailable, "{mode:?}");
        assert_eq!(sent(&response), None, "{mode:?}");
        assert!(started.elapsed() < Duration::from_secs(3), "{mode:?}");
        assert_eq!(text(&client, "/deal", &token).await, "no storage");
        fault.mend();

        break_writes(&fault, &mode);
        for uri in ["/redirect", "/login/bob", "/clear", "/renew"] {
            let response = with_cookie(&client, uri, &token).await;
            assert_eq!(response.status(), Status::ServiceUnavailable, "{mode:?} {uri}");
            assert_eq!(sent(&response), None, "{mode:?} {uri}");
            assert_eq!(response.headers().get_one("Retry-After"), Some("1"));
            assert!(!response.headers().contains("Location"), "{mode:?} {uri}");
            assert_eq!(response.into_string().await.as_deref(), Some("the application's own 503"));
        }
        let response = with_cookie(&client, "/save", &token).await;
        assert_eq!(response.status(), Status::ServiceUnavailable, "{mode:?} save");
        fault.mend();
        assert_eq!(text(&client, "/get", &token).await, "ann 0", "{mode:?}");
    }
}

#[tokio::test]
async fn s12_s55_a_value_over_the_limit_gives_500_and_keeps_the_old_session() {
    for place in PLACES {
        let client = client_with(figment(place), Sessions::fairing(), routes![large]).await;
        let token = logged_in(&client, "ann").await;
        let uri = if place == "client" { "/large/4000" } else { "/large/70000" };
        let response = with_cookie(&client, uri, &token).await;
        assert_eq!(response.status(), Status::InternalServerError, "{place}");
        assert_eq!(sent(&response), None, "{place}");
        assert_eq!(text(&client, "/get", &token).await, "ann 0", "{place}");
        let fits = if place == "client" { "/large/2500" } else { "/large/65000" };
        assert_eq!(with_cookie(&client, fits, &token).await.status(), Status::Ok, "{place}");
    }
}

#[tokio::test]
async fn s13_after_a_5xx_or_a_panic_only_clear_holds() {
    let (client, _) = with_faults().await;
    for failing in ["/fails/500", "/fails/503", "/panic"] {
        let token = logged_in(&client, "ann").await;
        for what in ["count", "renew", "login"] {
            let response = with_cookie(&client, &format!("{failing}/{what}"), &token).await;
            assert!(response.status().code >= 500);
            assert_eq!(sent(&response), None, "{failing} {what}");
            assert_eq!(text(&client, "/get", &token).await, "ann 0", "{failing} {what}");
        }
        let response = with_cookie(&client, &format!("{failing}/clear"), &token).await;
        assert_eq!(sent(&response).as_deref(), Some("user="), "{failing}");
        assert_eq!(text(&client, "/get", &token).await, "absent", "{failing}");
    }
    let token = logged_in(&client, "ann").await;
    with_cookie(&client, "/fails/404/count", &token).await;
    assert_eq!(text(&client, "/get", &token).await, "ann 1", "a 4xx commits");
}

#[tokio::test]
async fn s36_s49_forgeries_and_anonymous_requests_never_reach_the_storage() {
    let (client, fault) = with_faults().await;
    let calls = || calls(&fault);
    for i in 0..1000 {
        let forged = format!("user=AQM{i:091}");
        for uri in ["/get", "/count", "/clear"] {
            with_cookie(&client, uri, &forged).await;
            client.get(uri).dispatch().await;
        }
    }
    assert_eq!(calls(), 0);
}

#[tokio::test]
async fn s12_the_limit_counts_every_byte_of_the_cookie() {
    let figment = figment("client").merge(("sessions.user.protect", "sign"));
    let client = client_with(figment, Sessions::fairing(), routes![large]).await;
    let mut longest = 0;
    let mut refused = 0;
    for bytes in 2600..2900 {
        let response = client.get(format!("/large/{bytes}")).dispatch().await;
        match response.headers().get_one("Set-Cookie") {
            Some(cookie) => {
                assert_eq!(refused, 0, "a larger one was refused before");
                longest = cookie.len();
            }
            None => refused += 1,
        }
    }
    // Three bytes of payload are four of the cookie; two digits of `Max-Age` are
    // kept free for sessions with a lifetime of their own.
    assert!((4091..=4096).contains(&longest), "{longest}");
    assert!(refused > 10);
}

/// Waits until the test has logged its user out.
#[get("/update-now/<what>")]
async fn update_now(
    session: Session<User>,
    what: &str,
    logout: &State<Logout>,
) -> Result<String, SessionError> {
    logout.asked.notify_one();
    logout.done.notified().await;
    if what == "save" {
        session.update(|user| user.count += 1);
        session.save().await?;
    }
    let count = session.update_now(|user| {
        user.count += 1;
        user.count
    });
    Ok(format!("{:?}", count.await?))
}

#[derive(Default)]
struct Logout {
    asked: Notify,
    done: Notify,
}

#[catch(401)]
fn unauthorized() -> &'static str {
    "please log in again"
}

#[tokio::test]
async fn a14_an_update_of_a_session_that_was_logged_out_meanwhile_is_401() {
    let memory = figment("memory");
    let revocable = figment("client").merge(("sessions.user.revocation", "memory"));
    for (place, figment) in [("memory", memory), ("client", revocable)] {
        let rocket = build(figment, Sessions::fairing(), routes![update_now])
            .manage(Logout::default())
            .register("/", catchers![unauthorized]);
        let client = Client::untracked(rocket).await.expect("a rocket");
        let logout: &Logout = client.rocket().state().expect("it is managed");
        for what in ["save", "now"] {
            let token = logged_in(&client, "ann").await;
            let end = async {
                logout.asked.notified().await;
                with_cookie(&client, "/clear", &token).await;
                logout.done.notify_one();
            };
            let uri = format!("/update-now/{what}");
            let (response, ()) = tokio::join!(with_cookie(&client, &uri, &token), end);
            assert_eq!(response.status(), Status::Unauthorized, "{place} {what}");
            assert_eq!(sent(&response), None, "{place} {what}");
            let body = response.into_string().await;
            assert_eq!(body.as_deref(), Some("please log in again"), "{place} {what}");
        }
    }
}

#[tokio::test]
async fn s40_whatever_a_record_holds_it_is_a_session_or_none() {
    let dir = tempfile::tempdir().expect("a folder");
    let directory = Directory::open(dir.path()).expect("a folder");
    for (storage, times) in [(Faulty::new(Memory::new(10)), 20_000), (Faulty::new(directory), 1000)]
    {
        let fairing = Sessions::fairing().storage("faulty", storage.clone());
        let client = client_with(figment("faulty"), fairing, vec![]).await;
        let token = logged_in(&client, "ann").await;
        let [key] = &storage.created()[..] else { panic!("one record") };
        let now = Timestamp::from(std::time::SystemTime::now());
        let good = storage.inner().read(key, now).await.expect("an answer").expect("a record");
        let mut version = good.version;
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed % below as u64).expect("small")
        };
        let mut absent = 0;
        for _ in 0..times {
            let mut payload = good.payload.to_vec();
            match random(4) {
                0 => payload.truncate(random(payload.len())),
                1 => payload = (0..random(300)).map(|_| random(256).to_le_bytes()[0]).collect(),
                // A length that promises more than there is.
                2 => payload[1..3].copy_from_slice(&[255, random(256).to_le_bytes()[0]]),
                _ => {
                    let at = random(payload.len());
                    payload[at] ^= 1 << random(8);
                }
            }
            let next = self::version();
            let record = Record { version: next, payload: payload.into(), ..good.clone() };
            let update = storage.inner().update(key, version, record, now).await;
            assert!(matches!(update, Ok(Update::Updated)), "{update:?}");
            version = next;
            let response = with_cookie(&client, "/get", &token).await;
            assert_eq!(response.status(), Status::Ok);
            assert_eq!(sent(&response), None);
            absent += usize::from(response.into_string().await.as_deref() == Some("absent"));
        }
        assert!(absent > times / 2 && absent < times, "{absent} of {times}");
    }
}
