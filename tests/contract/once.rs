//! One load and one commit a request, whatever runs the guards.

use rocket::http::{Header, Status};
use rocket::outcome::try_outcome;
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, catch, catchers, get, head, routes};
use rocket_typed_sessions::{Session, SessionError, Sessions};

use crate::support::*;

/// A guard that uses the session inside.
struct Known(String);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Known {
    type Error = SessionError;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, SessionError> {
        let session = try_outcome!(request.guard::<Session<User>>().await);
        session.update(|user| user.count += 1);
        Outcome::Success(Self(show(&session)))
    }
}

/// Never fits, after the session has been used.
struct Never;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Never {
    type Error = ();

    async fn from_request(_: &'r Request<'_>) -> Outcome<Self, ()> {
        Outcome::Forward(Status::NotFound)
    }
}

#[get("/forwarded", rank = 1)]
fn first(session: Session<User>, _never: Never) -> String {
    show(&session)
}

#[get("/forwarded", rank = 2)]
fn second(known: Known, session: Session<User>) -> String {
    format!("{} {}", known.0, show(&session))
}

#[get("/joined")]
async fn joined(one: Known, two: Known) -> String {
    let (a, b) = rocket::tokio::join!(async { one.0.clone() }, async { two.0.clone() });
    format!("{a}, {b}")
}

#[get("/changes-then-404")]
fn changes(session: Session<User>) -> Status {
    session.update(|user| user.count += 1);
    Status::NotFound
}

#[head("/own-head")]
fn own_head(session: Session<User>) {
    session.renew();
}

#[catch(404)]
async fn not_found(request: &Request<'_>) -> String {
    match request.guard::<Session<User>>().await {
        Outcome::Success(session) => {
            session.update(|user| user.count += 10);
            show(&session)
        }
        _ => "no session".into(),
    }
}

async fn client() -> (rocket::local::asynchronous::Client, Faulty) {
    let fault = faulty();
    let fairing = Sessions::fairing().storage("counting", fault.clone());
    let routes = routes![first, second, joined, changes, own_head];
    let rocket = build(figment("counting"), fairing, routes).register("/", catchers![not_found]);
    (rocket::local::asynchronous::Client::untracked(rocket).await.expect("a rocket"), fault)
}

#[tokio::test]
async fn forwards_nested_guards_and_catchers_share_one_load_and_one_write() {
    let (client, fault) = client().await;
    for (uri, expected) in [
        ("/forwarded", "ann 1 ann 1"),
        ("/joined", "ann 1, ann 2"),
        ("/changes-then-404", "ann 11"),
        ("/nowhere", "ann 10"),
    ] {
        let token = logged_in(&client, "ann").await;
        let before = calls(&fault);
        let response = with_cookie(&client, uri, &token).await;
        let status = response.status();
        assert_eq!(response.into_string().await.as_deref(), Some(expected), "{uri} {status}");
        assert_eq!(calls(&fault) - before, 2, "{uri}: one read, one write");
        let saved = expected.rsplit(' ').next().unwrap_or_default();
        assert_eq!(text(&client, "/get", &token).await, format!("ann {saved}"), "{uri}");
    }
}

#[tokio::test]
async fn a_read_costs_one_call_and_unchanged_content_is_not_written() {
    let (client, fault) = client().await;
    let token = logged_in(&client, "ann").await;
    for uri in ["/get", "/set/ann"] {
        let before = calls(&fault);
        let response = with_cookie(&client, uri, &token).await;
        assert_eq!((response.status(), sent(&response)), (Status::Ok, None), "{uri}");
        assert_eq!(calls(&fault) - before, 1, "{uri}");
    }
}

#[tokio::test]
async fn s15_head_requests_commit_too_and_are_private() {
    let (client, _) = client().await;
    for uri in ["/renew", "/own-head"] {
        let token = logged_in(&client, "ann").await;
        let response =
            client.head(uri).header(Header::new("Cookie", token.clone())).dispatch().await;
        let renewed = sent(&response).expect("a token");
        assert_eq!(text(&client, "/get", &renewed).await, "ann 0", "{uri}");
        assert_eq!(text(&client, "/get", &token).await, "absent", "{uri}");
    }
}
