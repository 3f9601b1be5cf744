//! A storage that cannot answer is never "nobody" (D20).

mod changes;
mod guards;
mod responses;
mod upgrades;

use rocket::form::FromForm;
use rocket::http::{ContentType, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::outcome::Outcome;
use rocket::request::{FromRequest, Outcome as GuardOutcome};
use rocket::response::content::RawHtml;
use rocket::response::{Redirect, Responder};
use rocket::{Build, Request, Response, Rocket, Route, catch, catchers, get, post, routes};
use rocket_typed_sessions::csrf::{CsrfForm, CsrfHeader, CsrfToken};
use rocket_typed_sessions::{
    Authenticated, RecentlyAuthenticated, Session, SessionError, Sessions,
};

use crate::support::*;

#[get("/option")]
pub fn option(session: Option<Session<User>>) -> &'static str {
    if session.is_some() { "served" } else { "hello, stranger" }
}

#[get("/authenticated")]
pub fn authenticated(user: Option<Authenticated<User>>) -> Redirect {
    Redirect::to(if user.is_some() { "/home" } else { "/login" })
}

#[get("/recently")]
pub fn recently(user: Option<RecentlyAuthenticated<User, 10>>) -> Status {
    if user.is_some() { Status::Ok } else { Status::Unauthorized }
}

#[get("/result")]
pub fn result(session: Result<Session<User>, SessionError>) -> Status {
    if session.is_ok() { Status::NoContent } else { Status::NotFound }
}

#[get("/result-authenticated")]
pub fn result_authenticated(user: Result<Authenticated<User>, SessionError>) -> Status {
    if user.is_ok() { Status::Ok } else { Status::Forbidden }
}

#[get("/outcome")]
pub fn outcome(outcome: GuardOutcome<Session<User>, SessionError>) -> Status {
    if outcome.is_success() { Status::Ok } else { Status::Accepted }
}

#[get("/csrf")]
pub fn csrf(token: Option<CsrfToken<User>>) -> RawHtml<String> {
    RawHtml(token.map_or_else(String::new, |token| token.to_string()))
}

#[post("/csrf-header")]
pub fn csrf_header(token: Option<CsrfHeader<User>>) -> Option<()> {
    token.map(drop)
}

#[derive(FromForm)]
pub struct Text {
    pub text: String,
}

#[post("/csrf-form", data = "<form>")]
pub fn csrf_form(form: Option<CsrfForm<User, Text>>) -> String {
    form.map_or_else(String::new, |form| form.text.clone())
}

/// An application's own guard around ours.
pub struct Maybe(pub Option<Session<User>>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Maybe {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> GuardOutcome<Self, ()> {
        Outcome::Success(Self(request.guard().await.succeeded()))
    }
}

#[get("/own")]
pub fn own(maybe: Maybe) -> &'static str {
    if maybe.0.is_some() { "served" } else { "hello, stranger" }
}

/// One that forwards whatever is wrong.
pub struct OrForward;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for OrForward {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> GuardOutcome<Self, ()> {
        match request.guard::<Session<User>>().await {
            Outcome::Success(_) => Outcome::Success(Self),
            _ => Outcome::Forward(Status::Unauthorized),
        }
    }
}

#[get("/forward")]
pub fn forward(_guard: OrForward) -> &'static str {
    "served"
}

#[get("/forward", rank = 2)]
pub fn forwarded() -> Redirect {
    Redirect::to("/login")
}

/// It reaches the 401 catcher.
#[get("/forward-to-catcher")]
pub fn forward_to_catcher(_guard: OrForward) -> &'static str {
    "served"
}

#[catch(401)]
pub fn unauthorized() -> Redirect {
    Redirect::to("/login")
}

#[catch(404)]
pub async fn not_found(request: &Request<'_>) -> String {
    let session = request.guard::<Session<User>>().await.succeeded();
    session.map_or_else(|| "not found, stranger".into(), |session| show(&session))
}

/// As a template: a body with headers of its own.
pub struct Page;

impl<'r> Responder<'r, 'static> for Page {
    fn respond_to(self, _: &'r Request<'_>) -> rocket::response::Result<'static> {
        let mut response = Response::build();
        response.header(ContentType::HTML).raw_header("ETag", "\"1\"");
        response.raw_header("Cache-Control", "public, max-age=60");
        response.raw_header("Set-Cookie", "theme=dark");
        response.sized_body(4, std::io::Cursor::new("page")).ok()
    }
}

#[get("/page")]
pub fn page(_session: Option<Session<User>>) -> Page {
    Page
}

pub fn routes() -> Vec<Route> {
    routes![
        option,
        authenticated,
        recently,
        result,
        result_authenticated,
        outcome,
        csrf,
        csrf_header,
        csrf_form,
        own,
        forward,
        forwarded,
        forward_to_catcher,
        page,
        changes::both,
        changes::saved,
        changes::try_it,
        changes::try_and_guard,
        changes::guard_and_try,
        responses::later,
        guards::fails,
    ]
}

pub fn rocket(storage: &Faulty) -> Rocket<Build> {
    let figment = figment("faulty")
        .merge(("sessions.user.storage_timeout", "2 seconds"))
        .merge(("sessions.cart.storage", "memory"));
    let fairing = Sessions::fairing().storage("faulty", storage.clone());
    build(figment, fairing, routes()).register("/", catchers![unauthorized, not_found])
}

/// An application, the cookie of somebody who has logged in, and the storage, which
/// has failed since.
pub async fn broken() -> (Client, String, Faulty) {
    let storage = faulty();
    let client = Client::untracked(rocket(&storage)).await.expect("a rocket");
    let token = logged_in(&client, "ann").await;
    storage.set(Operation::Read, down());
    (client, token, storage)
}

pub fn header<'a>(response: &'a LocalResponse<'_>, name: &str) -> Option<&'a str> {
    response.headers().get_one(name)
}

pub async fn assert_unavailable(response: LocalResponse<'_>, what: &str) {
    assert_eq!(response.status(), Status::ServiceUnavailable, "{what}");
    for (name, value) in [
        ("Location", None),
        ("ETag", None),
        ("Set-Cookie", None),
        ("Retry-After", Some("1")),
        ("Cache-Control", Some("no-store")),
        ("Vary", Some("Cookie")),
    ] {
        assert_eq!(header(&response, name), value, "{what}: {name}");
    }
    let body = response.into_string().await;
    assert_eq!(body.as_deref(), Some("the application's own 503"), "{what}");
}

pub fn cookie_of(response: &LocalResponse<'_>, name: &str) -> Option<String> {
    let mut cookies = response.headers().get("Set-Cookie");
    let cookie = cookies.find(|cookie| cookie.starts_with(&format!("{name}=")))?;
    cookie.split(';').next().map(str::to_owned)
}

#[get("/add")]
pub fn count(session: Session<User>) {
    session.update(|user| user.count += 1);
}
