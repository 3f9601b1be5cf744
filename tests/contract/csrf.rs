//! CSRF tokens: forms, scripts, and what is refused.

use std::collections::HashSet;
use std::time::Duration;

use rocket::form::{Form, Strict};
use rocket::http::{ContentType, Header, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::request::FlashMessage;
use rocket::response::{Flash, Redirect};
use rocket::{FromForm, get, post, routes};
use rocket_typed_sessions::csrf::{CsrfError, CsrfForm, CsrfHeader, CsrfToken};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, SessionError, Sessions};

use crate::concurrency::storages;
use crate::support::*;

#[derive(FromForm)]
struct Transfer<'r> {
    amount: u32,
    to: &'r str,
}

#[derive(FromForm)]
struct ByHand<'r> {
    csrf_token: &'r str,
}

#[get("/token")]
fn token(csrf: CsrfToken<User>) -> String {
    csrf.to_string()
}

#[get("/token", rank = 2)]
fn no_token() -> &'static str {
    "nobody"
}

/// The form of a page for those who have not logged in.
#[get("/start")]
fn start(session: Session<User>) -> Result<String, SessionError> {
    session.get_or_insert_with(|| user(""));
    Ok(session.csrf_token()?.map(|csrf| csrf.to_string()).unwrap_or_default())
}

/// Both at once: whoever shows a form behind a login shows one that works.
#[get("/relogin/<id>")]
fn relogin(session: Session<User>, id: &str) -> Result<String, SessionError> {
    session.login(user(id));
    Ok(session.csrf_token()?.map(|csrf| csrf.to_string()).unwrap_or_default())
}

#[post("/form", data = "<transfer>")]
fn form(transfer: CsrfForm<User, Strict<Transfer<'_>>>) -> String {
    format!("{} to {}", transfer.amount, transfer.to)
}

#[post("/script")]
fn script(_csrf: CsrfHeader<User>) -> &'static str {
    "done"
}

#[post("/by-hand", data = "<form>")]
fn by_hand(csrf: CsrfToken<User>, form: Form<ByHand<'_>>) -> Result<&'static str, CsrfError> {
    csrf.verify(form.csrf_token)?;
    Ok("done")
}

#[post("/message", data = "<transfer>")]
fn message(session: Session<User>, transfer: CsrfForm<User, Transfer<'_>>) -> Flash<Redirect> {
    session.renew();
    Flash::success(Redirect::to("/read"), format!("{} sent", transfer.amount))
}

#[get("/read")]
fn read(session: Session<User>, flash: Option<FlashMessage<'_>>) -> String {
    let message = flash.map(|flash| flash.message().to_owned()).unwrap_or_default();
    format!("{} {message}", show(&session))
}

async fn application(figment: rocket::figment::Figment, clock: &Clock) -> Client {
    let more = routes![token, no_token, start, relogin, form, script, by_hand, message, read];
    client_with(figment, Sessions::fairing().clock(clock), more).await
}

async fn post<'c>(client: &'c Client, uri: &str, cookie: &str, body: &str) -> LocalResponse<'c> {
    let cookie = Header::new("Cookie", cookie.to_owned());
    let request = client.post(uri.to_owned()).header(ContentType::Form).header(cookie);
    request.body(body).dispatch().await
}

async fn status(client: &Client, uri: &str, cookie: &str, body: &str) -> u16 {
    post(client, uri, cookie, body).await.status().code
}

fn transfer(csrf: &str) -> String {
    format!("amount=7&to=bob&csrf_token={csrf}")
}

#[tokio::test]
async fn a_form_is_read_with_its_sessions_token_only() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in [figment("client")].into_iter().chain(storages(dir.path())) {
        let client = application(figment, &Clock::new()).await;
        let (ann, bob) = (logged_in(&client, "ann").await, logged_in(&client, "bob").await);
        let csrf = text(&client, "/token", &ann).await;
        let bobs = text(&client, "/token", &bob).await;
        let sent = post(&client, "/form", &ann, &transfer(&csrf)).await;
        assert_eq!(sent.into_string().await.as_deref(), Some("7 to bob"));

        let flipped = |at: usize| {
            let other = if csrf.as_bytes()[at] == b'A' { "B" } else { "A" };
            format!("{}{other}{}", &csrf[..at], &csrf[at + 1..])
        };
        let mut wrong = vec![bobs, String::new(), "x".repeat(43), "x".repeat(10_000)];
        wrong.extend((0..43).map(flipped));
        wrong.push(csrf.replace(|_: char| true, "A"));
        wrong.push(format!("{csrf}="));
        wrong.push(format!("%20{csrf}"));
        for wrong in wrong {
            assert_eq!(status(&client, "/form", &ann, &transfer(&wrong)).await, 403, "{wrong}");
            let by_hand = status(&client, "/by-hand", &ann, &format!("csrf_token={wrong}")).await;
            assert_eq!(by_hand, 403, "{wrong}");
        }
        assert_eq!(status(&client, "/form", &ann, "amount=7&to=bob").await, 403, "no token");
        assert_eq!(status(&client, "/form", "", &transfer(&csrf)).await, 403, "no session");
        assert_eq!(status(&client, "/form", "user=junk", &transfer(&csrf)).await, 403);
        // Only after the token the form itself is judged, as strictly as ever.
        for (form, expected) in
            [("amount=7", 422), ("amount=seven&to=bob", 422), ("a=1&amount=7&to=b", 422)]
        {
            assert_eq!(status(&client, "/form", &ann, form).await, 403, "{form}");
            let form = format!("{form}&csrf_token={csrf}");
            assert_eq!(status(&client, "/form", &ann, &form).await, expected, "{form}");
        }
        let by_hand = post(&client, "/by-hand", &ann, &format!("csrf_token={csrf}")).await;
        assert_eq!(by_hand.into_string().await.as_deref(), Some("done"));
    }
}

#[tokio::test]
async fn a_script_sends_the_token_in_a_header() {
    let client = application(figment("memory"), &Clock::new()).await;
    let ann = logged_in(&client, "ann").await;
    let csrf = text(&client, "/token", &ann).await;
    let send = |uri: &'static str, header: Option<String>, body: &'static str| {
        let mut request = client.post(uri).header(Header::new("Cookie", ann.clone()));
        if let Some(header) = header {
            request = request.header(Header::new("X-CSRF-Token", header));
        }
        async move { request.header(ContentType::Form).body(body).dispatch().await.status() }
    };
    assert_eq!(send("/script", Some(csrf.clone()), "").await, Status::Ok);
    assert_eq!(send("/script", None, "").await, Status::Forbidden);
    assert_eq!(send("/script", Some("x".into()), "").await, Status::Forbidden);
    assert_eq!(send("/form", Some(csrf.clone()), "amount=7&to=bob").await, Status::Ok);
    let contradiction = "amount=7&to=bob&csrf_token=x";
    assert_eq!(send("/form", Some(csrf), contradiction).await, Status::Forbidden);
}

#[tokio::test]
async fn every_page_shows_the_token_in_another_form_and_all_of_them_hold() {
    let client = application(figment("memory"), &Clock::new()).await;
    let ann = logged_in(&client, "ann").await;
    let mut seen = HashSet::new();
    for _ in 0..20 {
        let csrf = text(&client, "/token", &ann).await;
        assert_eq!(status(&client, "/form", &ann, &transfer(&csrf)).await, 200);
        assert!(seen.insert(csrf));
    }
    assert_eq!(text(&client, "/token", "").await, "nobody", "a forward, without a session");
}

#[tokio::test]
async fn it_rotates_on_renewal_and_login_but_not_on_a_periodic_renewal() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in [figment("client")].into_iter().chain(storages(dir.path())) {
        let clock = Clock::new();
        let client = application(figment, &clock).await;
        for route in ["/renew", "/login/ann", "/set/eve"] {
            let before = logged_in(&client, "ann").await;
            let old = text(&client, "/token", &before).await;
            let after = sent(&with_cookie(&client, route, &before).await).expect("a token");
            assert_eq!(status(&client, "/form", &after, &transfer(&old)).await, 403, "{route}");
            let new = text(&client, "/token", &after).await;
            assert_eq!(status(&client, "/form", &after, &transfer(&new)).await, 200, "{route}");
            // Re-issues, writes and touches leave it alone.
            let counted = with_cookie(&client, "/count", &after).await;
            let cookie = sent(&counted).unwrap_or(after);
            assert_eq!(status(&client, "/form", &cookie, &transfer(&new)).await, 200, "{route}");
        }
    }
    let clock = Clock::new();
    let figment = figment("memory")
        .merge(("sessions.user.renew_after", "1 hour"))
        .merge(("sessions.user.renewal_grace", 30));
    let client = application(figment, &clock).await;
    let ann = logged_in(&client, "ann").await;
    let early = text(&client, "/token", &ann).await;
    clock.advance(Duration::from_secs(3600));
    let response = with_cookie(&client, "/token", &ann).await;
    let new_id = sent(&response).expect("a new id");
    let now = response.into_string().await.expect("a body");
    for (cookie, csrf) in [(&ann, &early), (&new_id, &early), (&new_id, &now), (&ann, &now)] {
        assert_eq!(status(&client, "/form", cookie, &transfer(csrf)).await, 200);
    }
}

#[tokio::test]
async fn the_page_that_starts_a_session_shows_the_token_that_will_hold() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in [figment("client")].into_iter().chain(storages(dir.path())) {
        let client = application(figment, &Clock::new()).await;
        let response = client.get("/start").dispatch().await;
        let cookie = sent(&response).expect("a token");
        let csrf = response.into_string().await.expect("a body");
        assert_eq!(status(&client, "/form", &cookie, &transfer(&csrf)).await, 200);

        let response = with_cookie(&client, "/relogin/ann", &cookie).await;
        let cookie = sent(&response).expect("a token");
        let csrf = response.into_string().await.expect("a body");
        assert_eq!(status(&client, "/form", &cookie, &transfer(&csrf)).await, 200);
    }
}

#[tokio::test]
async fn rockets_flash_messages_sit_beside_a_session() {
    let client = application(figment("memory"), &Clock::new()).await;
    let ann = logged_in(&client, "ann").await;
    let csrf = text(&client, "/token", &ann).await;
    let response = post(&client, "/message", &ann, &transfer(&csrf)).await;
    let cookies: Vec<_> = response
        .headers()
        .get("Set-Cookie")
        .filter_map(|cookie| cookie.split(';').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(cookies.len(), 2, "the renewed id and the message: {cookies:?}");
    // Rocket's local client takes cookies decoded.
    let cookie = |name: &str| {
        let text = cookies.iter().find(|cookie| cookie.starts_with(name)).expect("a cookie");
        rocket::http::Cookie::parse_encoded(text.clone()).expect("a cookie").into_owned()
    };
    let request = client.get("/read").cookie(cookie("_flash="));
    let read = request.cookie(cookie("user=")).dispatch().await;
    let removed = read.headers().get("Set-Cookie").any(|cookie| cookie.starts_with("_flash=;"));
    assert!(removed, "shown once");
    assert_eq!(read.into_string().await.as_deref(), Some("ann 0 7 sent"));
}

#[tokio::test]
async fn a_storage_that_is_down_is_no_refusal() {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("faulty", storage.clone());
    let client = client_with(figment("faulty"), fairing, routes![form, script, token]).await;
    let ann = logged_in(&client, "ann").await;
    let csrf = text(&client, "/token", &ann).await;
    storage.set(Operation::Read, down());
    assert_eq!(status(&client, "/form", &ann, &transfer(&csrf)).await, 503);
    let request = client.post("/script").header(Header::new("Cookie", ann));
    let request = request.header(Header::new("X-CSRF-Token", csrf));
    assert_eq!(request.dispatch().await.status(), Status::ServiceUnavailable);
}
