//! Routes for those who have logged in, and both challenges.

use std::time::Duration;

use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{Request, catch, catchers, get, routes};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{
    Authenticate, Authenticated, RecentlyAuthenticated, Session, Sessions,
};

use crate::support::*;

impl Authenticate for User {
    async fn validate(&self, request: &Request<'_>) -> bool {
        // Something that takes its time, and depends on the request.
        rocket::tokio::task::yield_now().await;
        self.id != "blocked" && !request.headers().contains("x-refuse")
    }
}

#[get("/page")]
fn page(user: Authenticated<User>) -> String {
    format!("{}'s page", user.id)
}

#[get("/page", rank = 2)]
fn login_page() -> &'static str {
    "please log in"
}

#[get("/strict")]
fn strict(user: Authenticated<User>) -> String {
    user.session().update(|user| user.count += 1);
    format!("{} {}", user.id, show(user.session()))
}

#[get("/maybe")]
fn maybe(user: Option<Authenticated<User>>) -> &'static str {
    if user.is_some() { "known" } else { "stranger" }
}

#[get("/since")]
fn since(session: Session<User>) -> String {
    let at = session.authenticated_at().and_then(|at| at.elapsed().ok());
    at.map_or_else(|| "never".into(), |since| (since.as_secs() < 60).to_string())
}

#[get("/begin")]
fn begin(session: Session<User>) {
    // Without an owner: nobody has logged in.
    session.set(user(""));
}

#[catch(401)]
fn unauthorized() -> &'static str {
    "the 401 catcher"
}

async fn application(storage: &str) -> (Client, Faulty) {
    let faulty = faulty();
    let fairing = Sessions::fairing().storage("faulty", faulty.clone()).clock(&Clock::new());
    let more = routes![page, login_page, strict, maybe, since, begin];
    let rocket = build(figment(storage), fairing, more).register("/", catchers![unauthorized]);
    (Client::untracked(rocket).await.expect("a rocket"), faulty)
}

#[tokio::test]
async fn a_login_opens_the_page_and_everybody_else_meets_the_challenge() {
    for place in PLACES {
        let (client, _) = application(place).await;
        let ann = logged_in(&client, "ann").await;
        assert_eq!(text(&client, "/page", &ann).await, "ann's page", "{place}");
        assert_eq!(text(&client, "/strict", &ann).await, "ann ann 1", "{place}");
        assert_eq!(text(&client, "/maybe", &ann).await, "known", "{place}");
        let blocked = logged_in(&client, "blocked").await;
        for cookie in ["", "user=forged", blocked.as_str()] {
            assert_eq!(text(&client, "/page", cookie).await, "please log in", "{place}");
            assert_eq!(text(&client, "/maybe", cookie).await, "stranger", "{place}");
            let strict = with_cookie(&client, "/strict", cookie).await;
            assert_eq!(strict.status(), Status::Unauthorized, "{place}");
            assert_eq!(strict.headers().get_one("Vary"), Some("Cookie"), "{place}");
            assert_eq!(strict.into_string().await.as_deref(), Some("the 401 catcher"));
        }
        let header = rocket::http::Header::new("Cookie", ann.clone());
        let refuse = rocket::http::Header::new("x-refuse", "");
        let refused = client.get("/strict").header(header).header(refuse).dispatch().await;
        assert_eq!(refused.status(), Status::Unauthorized, "{place}: validate sees the request");
    }
}

#[tokio::test]
async fn s65_a_storage_that_cannot_answer_is_no_reason_to_ask_for_a_login() {
    let (client, storage) = application("faulty").await;
    let ann = logged_in(&client, "ann").await;
    storage.set(Operation::Read, down());
    for uri in ["/page", "/strict"] {
        let response = with_cookie(&client, uri, &ann).await;
        assert_eq!(response.status(), Status::ServiceUnavailable, "{uri}");
        assert_eq!(sent(&response), None, "{uri}");
    }
}

#[tokio::test]
async fn the_time_of_the_login_is_kept_and_only_a_login_sets_it() {
    for place in PLACES {
        let (client, _) = application(place).await;
        assert_eq!(text(&client, "/since", "").await, "never");
        let begun = sent(&client.get("/begin").dispatch().await).expect("a token");
        assert_eq!(text(&client, "/since", &begun).await, "never", "{place}");
        let ann = logged_in(&client, "ann").await;
        assert_eq!(text(&client, "/since", &ann).await, "true", "{place}");
        let renewed = sent(&with_cookie(&client, "/renew", &ann).await).expect("a token");
        assert_eq!(text(&client, "/since", &renewed).await, "true", "{place}");
    }
}

#[get("/keys")]
fn keys(user: RecentlyAuthenticated<User, 10>) -> String {
    format!("the keys of {}", user.id)
}

#[get("/keys", rank = 2)]
fn confirm(user: Authenticated<User>) -> String {
    format!("who are you, {}?", user.id)
}

#[get("/confirm")]
fn proven(session: Session<User>) -> String {
    session.reauthenticate();
    let recent = session.authenticated_within(Duration::ZERO);
    format!("{} {recent}", show(&session))
}

#[get("/forms")]
fn forms(session: Session<User>) -> String {
    session.csrf_token().ok().flatten().map_or_else(String::new, |token| token.to_string())
}

#[get("/verify/<form>")]
fn verify(session: Session<User>, form: &str) -> String {
    let token = session.csrf_token().expect("a key").expect("a session");
    token.verify(form).is_ok().to_string()
}

#[tokio::test]
async fn d15_who_proves_who_they_are_keeps_session_lifetime_and_forms_under_a_new_id() {
    for place in PLACES {
        let clock = Clock::new();
        let more = routes![keys, confirm, proven, forms, verify];
        let client = client_with(figment(place), Sessions::fairing().clock(&clock), more).await;
        assert_eq!(text(&client, "/confirm", "").await, "absent false");
        let ann = logged_in(&client, "ann").await;
        let form = text(&client, "/forms", &ann).await;
        clock.advance(Duration::from_millis(600_001));
        assert_eq!(text(&client, "/keys", &ann).await, "who are you, ann?", "{place}");
        let response = with_cookie(&client, "/confirm", &ann).await;
        let now = sent(&response).expect("another token");
        assert_eq!(response.into_string().await.as_deref(), Some("ann 0 true"), "{place}");
        assert_eq!(text(&client, "/keys", &now).await, "the keys of ann", "{place}");
        assert_eq!(text(&client, &format!("/verify/{form}"), &now).await, "true", "{place}");
        // A session on the client has no id: its former token is as it was.
        let before = if place == "client" { "who are you, ann?" } else { "absent" };
        let uri = if place == "client" { "/keys" } else { "/get" };
        assert_eq!(text(&client, uri, &ann).await, before, "{place}");
    }
}

#[tokio::test]
async fn step_up_wants_a_login_of_the_last_minutes() {
    for place in PLACES {
        let clock = Clock::new();
        let more = routes![keys, confirm, begin];
        let client = client_with(figment(place), Sessions::fairing().clock(&clock), more).await;
        assert_eq!(client.get("/keys").dispatch().await.status(), Status::Unauthorized);
        let begun = sent(&client.get("/begin").dispatch().await).expect("a token");
        assert_eq!(text(&client, "/keys", &begun).await, "who are you, ?", "never logged in");

        let ann = logged_in(&client, "ann").await;
        clock.advance(Duration::from_secs(600));
        assert_eq!(text(&client, "/keys", &ann).await, "the keys of ann", "{place}");
        clock.advance(Duration::from_millis(1));
        assert_eq!(text(&client, "/keys", &ann).await, "who are you, ann?", "{place}");
        let renewed = sent(&with_cookie(&client, "/renew", &ann).await).expect("a token");
        assert_eq!(text(&client, "/keys", &renewed).await, "who are you, ann?", "no login");
        let again = sent(&with_cookie(&client, "/login/ann", &renewed).await).expect("a token");
        assert_eq!(text(&client, "/keys", &again).await, "the keys of ann", "{place}");
    }
}
