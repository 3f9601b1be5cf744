//! A storage that cannot answer is never "nobody" (D20).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rocket::fairing::AdHoc;
use rocket::form::FromForm;
use rocket::http::{ContentType, Header, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::outcome::Outcome;
use rocket::request::{FromRequest, Outcome as GuardOutcome};
use rocket::response::content::RawHtml;
use rocket::response::{Redirect, Responder};
use rocket::{Build, Request, Response, Rocket, Route, State, catch, catchers, get, post, routes};
use rocket_typed_sessions::csrf::{CsrfForm, CsrfHeader, CsrfToken};
use rocket_typed_sessions::{
    Authenticated, RecentlyAuthenticated, Session, SessionData, SessionError, Sessions, TrySession,
};
use serde::{Deserialize, Serialize};

use crate::support::*;

/// A second session in the same request, whose storage answers.
#[derive(Clone, Serialize, Deserialize)]
struct Cart(u32);

impl SessionData for Cart {
    const NAME: &'static str = "cart";
}

#[get("/option")]
fn option(session: Option<Session<User>>) -> &'static str {
    if session.is_some() { "served" } else { "hello, stranger" }
}

#[get("/authenticated")]
fn authenticated(user: Option<Authenticated<User>>) -> Redirect {
    Redirect::to(if user.is_some() { "/home" } else { "/login" })
}

#[get("/recently")]
fn recently(user: Option<RecentlyAuthenticated<User, 10>>) -> Status {
    if user.is_some() { Status::Ok } else { Status::Unauthorized }
}

#[get("/result")]
fn result(session: Result<Session<User>, SessionError>) -> Status {
    if session.is_ok() { Status::NoContent } else { Status::NotFound }
}

#[get("/result-authenticated")]
fn result_authenticated(user: Result<Authenticated<User>, SessionError>) -> Status {
    if user.is_ok() { Status::Ok } else { Status::Forbidden }
}

#[get("/outcome")]
fn outcome(outcome: GuardOutcome<Session<User>, SessionError>) -> Status {
    if outcome.is_success() { Status::Ok } else { Status::Accepted }
}

#[get("/csrf")]
fn csrf(token: Option<CsrfToken<User>>) -> RawHtml<String> {
    RawHtml(token.map_or_else(String::new, |token| token.to_string()))
}

#[post("/csrf-header")]
fn csrf_header(token: Option<CsrfHeader<User>>) -> Option<()> {
    token.map(drop)
}

#[derive(FromForm)]
struct Text {
    text: String,
}

#[post("/csrf-form", data = "<form>")]
fn csrf_form(form: Option<CsrfForm<User, Text>>) -> String {
    form.map_or_else(String::new, |form| form.text.clone())
}

/// An application's own guard around ours.
struct Maybe(Option<Session<User>>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Maybe {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> GuardOutcome<Self, ()> {
        Outcome::Success(Self(request.guard().await.succeeded()))
    }
}

#[get("/own")]
fn own(maybe: Maybe) -> &'static str {
    if maybe.0.is_some() { "served" } else { "hello, stranger" }
}

/// One that forwards whatever is wrong.
struct OrForward;

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
fn forward(_guard: OrForward) -> &'static str {
    "served"
}

#[get("/forward", rank = 2)]
fn forwarded() -> Redirect {
    Redirect::to("/login")
}

/// It reaches the 401 catcher.
#[get("/forward-to-catcher")]
fn forward_to_catcher(_guard: OrForward) -> &'static str {
    "served"
}

#[catch(401)]
fn unauthorized() -> Redirect {
    Redirect::to("/login")
}

#[catch(404)]
async fn not_found(request: &Request<'_>) -> String {
    let session = request.guard::<Session<User>>().await.succeeded();
    session.map_or_else(|| "not found, stranger".into(), |session| show(&session))
}

/// As a template: a body with headers of its own.
struct Page;

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
fn page(_session: Option<Session<User>>) -> Page {
    Page
}

fn routes() -> Vec<Route> {
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
        both,
        saved,
        try_it,
        try_and_guard,
        guard_and_try,
        later,
        fails,
    ]
}

fn rocket(storage: &Faulty) -> Rocket<Build> {
    let figment = figment("faulty").merge(("sessions.cart.storage", "memory"));
    let fairing = Sessions::fairing().storage("faulty", storage.clone());
    build(figment, fairing, routes()).register("/", catchers![unauthorized, not_found])
}

/// An application, the cookie of somebody who has logged in, and the storage, which
/// has failed since.
async fn broken() -> (Client, String, Faulty) {
    let storage = faulty();
    let client = Client::untracked(rocket(&storage)).await.expect("a rocket");
    let token = logged_in(&client, "ann").await;
    storage.set(Operation::Read, down());
    (client, token, storage)
}

fn header<'a>(response: &'a LocalResponse<'_>, name: &str) -> Option<&'a str> {
    response.headers().get_one(name)
}

async fn assert_unavailable(response: LocalResponse<'_>, what: &str) {
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

const SWALLOWED: [(&str, u16); 14] = [
    ("/option", 200),
    ("/authenticated", 303),
    ("/recently", 200),
    ("/result", 204),
    ("/result-authenticated", 200),
    ("/outcome", 200),
    ("/csrf", 200),
    ("/own", 200),
    ("/forward", 200),
    ("/forward-to-catcher", 200),
    ("/page", 200),
    ("/nowhere", 404),
    ("/get", 200),
    ("/fails/404", 404),
];

#[tokio::test]
async fn s65_whoever_swallows_a_guards_error_gets_503() {
    let (client, token, storage) = broken().await;
    for (uri, _) in SWALLOWED {
        assert_unavailable(with_cookie(&client, uri, &token).await, uri).await;
    }
    // Where no token is presented, no storage is asked.
    for (uri, status) in [("/option", 200), ("/authenticated", 303), ("/nowhere", 404)] {
        assert_eq!(client.get(uri).dispatch().await.status().code, status, "{uri}");
    }
    storage.mend();
    for (uri, status) in SWALLOWED {
        let response = with_cookie(&client, uri, &token).await;
        assert_eq!(response.status().code, status, "{uri}");
        assert_eq!(header(&response, "Retry-After"), None, "{uri}");
    }
}

#[tokio::test]
async fn s65_head_and_post_requests_are_no_exception() {
    let (client, token, _) = broken().await;
    let cookie = || Header::new("Cookie", token.clone());
    for uri in ["/option", "/authenticated"] {
        let response = client.head(uri).header(cookie()).dispatch().await;
        assert_eq!(response.status(), Status::ServiceUnavailable, "{uri}");
        assert_eq!(header(&response, "Location"), None, "{uri}");
        assert_eq!(response.into_string().await.unwrap_or_default(), "", "{uri}");
    }
    let response = client
        .post("/csrf-header")
        .header(cookie())
        .header(Header::new("X-CSRF-Token", "x".repeat(43)));
    assert_unavailable(response.dispatch().await, "/csrf-header").await;
    let response = client.post("/csrf-form").header(cookie()).header(ContentType::Form);
    let response = response.body("csrf_token=x&text=y").dispatch().await;
    assert_unavailable(response, "/csrf-form").await;
}

#[get("/fails/<status>")]
fn fails(_session: Option<Session<User>>, status: u16) -> Status {
    Status::new(status)
}

#[tokio::test]
async fn a_response_that_says_that_something_failed_stays_as_it_is() {
    let (client, token, _) = broken().await;
    for status in [500, 502, 504] {
        let response = with_cookie(&client, &format!("/fails/{status}"), &token).await;
        assert_eq!(response.status().code, status);
    }
}

#[get("/both/<what>")]
fn both(user: Option<Session<User>>, cart: Session<Cart>, what: &str) -> &'static str {
    match what {
        "begin" => cart.set(Cart(1)),
        "count" => drop(cart.update(|cart| cart.0 += 1)),
        "clear" => cart.clear(),
        _ => {}
    }
    if user.is_some() { "served" } else { "hello, stranger" }
}

/// What it has saved itself stays saved.
#[get("/saved")]
async fn saved(user: Option<Session<User>>, cart: Session<Cart>) -> &'static str {
    cart.set(Cart(7));
    cart.save().await.expect("its storage answers");
    cart.update(|cart| cart.0 = 100);
    if user.is_some() { "served" } else { "hello, stranger" }
}

#[get("/try/<what>")]
fn try_it(user: TrySession<User>, cart: Session<Cart>, what: &str) -> String {
    both(None, cart.clone(), what);
    let cart = cart.get().map_or_else(String::new, |cart| cart.0.to_string());
    match user {
        TrySession::Present(session) => format!("present {} {cart}", show(&session)),
        TrySession::Absent(session) => format!("{} {cart}", show(&session)),
        TrySession::Unavailable(cause) => format!("{} {cart}", cause.status().code),
    }
}

#[get("/try-and-guard")]
fn try_and_guard(user: TrySession<User>, _again: Option<Session<User>>) -> String {
    format!("{user:?}")
}

#[get("/guard-and-try")]
fn guard_and_try(_again: Option<Session<User>>, user: TrySession<User>) -> String {
    format!("{:?}", user.clone())
}

fn cookie_of(response: &LocalResponse<'_>, name: &str) -> Option<String> {
    let mut cookies = response.headers().get("Set-Cookie");
    let cookie = cookies.find(|cookie| cookie.starts_with(&format!("{name}=")))?;
    cookie.split(';').next().map(str::to_owned)
}

#[tokio::test]
async fn s65_what_the_request_changed_elsewhere_is_dropped_but_for_ends() {
    let (client, token, storage) = broken().await;
    let begin = || client.get("/both/begin").dispatch();
    let both = format!("{token}; {}", cookie_of(&begin().await, "cart").expect("a token"));
    let cart = async |cookie: &str| text(&client, "/try/read", cookie).await;
    assert_eq!(cart(&both).await, "503 1");
    for what in ["begin", "count"] {
        for cookie in [&both, &token] {
            let response = with_cookie(&client, &format!("/both/{what}"), cookie).await;
            assert_eq!(header(&response, "Vary"), Some("Cookie"));
            assert_unavailable(response, what).await;
        }
        assert_eq!(cart(&both).await, "503 1", "{what}");
    }
    // What it has saved before has happened, and the client must know.
    let response = with_cookie(&client, "/saved", &token).await;
    assert_eq!(response.status(), Status::ServiceUnavailable);
    let saved = cookie_of(&response, "cart").expect("a token");
    assert_eq!(cart(&format!("{token}; {saved}")).await, "503 7");
    let response = with_cookie(&client, "/both/clear", &both).await;
    assert_eq!(response.status(), Status::ServiceUnavailable);
    assert_eq!(cookie_of(&response, "cart").as_deref(), Some("cart="));
    assert_eq!(cart(&both).await, "503 ");
    storage.mend();
    assert_eq!(cart(&both).await, "present ann 0 ");
}

#[tokio::test]
async fn s65_try_session_says_which_it_is_and_leaves_the_rest_of_the_request_alone() {
    let (client, token, storage) = broken().await;
    let response = with_cookie(&client, "/try/begin", &token).await;
    assert_eq!(response.status(), Status::Ok);
    assert_eq!(header(&response, "Cache-Control"), Some("no-store"));
    assert_eq!(header(&response, "Vary"), Some("Cookie"));
    let both = format!("{token}; {}", cookie_of(&response, "cart").expect("a token"));
    assert_eq!(cookie_of(&response, "user"), None);
    assert_eq!(text(&client, "/try/count", &both).await, "503 2");
    let response = with_cookie(&client, "/try/read", &both).await;
    assert_eq!(header(&response, "Cache-Control"), Some("no-store"));
    assert_eq!(response.into_string().await.as_deref(), Some("503 2"));
    assert_eq!(
        client.get("/try/read").dispatch().await.into_string().await.expect("a body"),
        "absent "
    );
    for uri in ["/try-and-guard", "/guard-and-try"] {
        assert_unavailable(with_cookie(&client, uri, &token).await, uri).await;
        assert!(
            client
                .get(uri)
                .dispatch()
                .await
                .into_string()
                .await
                .expect("a body")
                .contains("Absent")
        );
    }
    storage.set(Operation::Read, Fault::Hangs);
    assert_eq!(text(&client, "/try/read", &both).await, "503 2");
    storage.mend();
    assert_eq!(text(&client, "/try/read", &both).await, "present ann 0 2");
    assert!(text(&client, "/try-and-guard", &both).await.contains("Present"));
}

/// A storage that is behind a client session: what has ended.
#[tokio::test]
async fn s65_a_revocation_storage_that_cannot_answer_is_no_logout_either() {
    let storage = faulty();
    let figment = figment("client")
        .merge(("sessions.user.revocation", "faulty"))
        .merge(("sessions.cart.storage", "memory"));
    let fairing = Sessions::fairing().storage("faulty", storage.clone());
    let client = client_with(figment, fairing, routes()).await;
    let token = logged_in(&client, "ann").await;
    storage.set(Operation::Read, down());
    for uri in ["/option", "/authenticated", "/result"] {
        assert_unavailable(with_cookie(&client, uri, &token).await, uri).await;
    }
    assert_eq!(text(&client, "/try/read", &token).await, "503 ");
}

/// The session is looked at behind the first of the two response fairings.
#[get("/later")]
fn later(cart: Session<Cart>) {
    cart.set(Cart(3));
}

#[tokio::test]
async fn s65_a_fairing_that_swallows_the_error_gets_503_and_no_committed_token_is_lost() {
    for before in [true, false] {
        let storage = faulty();
        let looks = AdHoc::on_response("looks", |request, response| {
            Box::pin(async move {
                if request.guard::<Session<User>>().await.succeeded().is_none() {
                    response.set_status(Status::Ok);
                    response.set_raw_header("Location", "/login");
                }
            })
        });
        let figment = figment("faulty").merge(("sessions.cart.storage", "memory"));
        let fairing = Sessions::fairing().storage("faulty", storage.clone());
        let rocket = rocket::custom(figment).mount("/", routes()).mount("/", login_route());
        let rocket = if before {
            rocket.attach(looks).attach(fairing)
        } else {
            rocket.attach(fairing).attach(looks)
        };
        let client = Client::untracked(rocket).await.expect("a rocket");
        let token = logged_in(&client, "ann").await;
        storage.set(Operation::Read, down());
        let response = with_cookie(&client, "/later", &token).await;
        assert_eq!(response.status(), Status::ServiceUnavailable, "{before}");
        assert_eq!(header(&response, "Location"), None, "{before}");
        assert_eq!(header(&response, "Retry-After"), Some("1"), "{before}");
        // Behind the first commit it has happened already.
        let cart = cookie_of(&response, "cart");
        assert_eq!(cart.is_some(), !before);
        if let Some(cart) = cart {
            assert_eq!(text(&client, "/try/read", &cart).await, "absent 3");
        }
    }
}

#[tokio::test]
async fn s65_no_fairing_makes_a_success_of_it() {
    let storage = faulty();
    let pretends = AdHoc::on_response("pretends", |_, response| {
        Box::pin(async move { response.set_status(Status::Ok) })
    });
    let client = Client::untracked(rocket(&storage).attach(pretends)).await.expect("a rocket");
    let token = logged_in(&client, "ann").await;
    storage.set(Operation::Read, down());
    for uri in ["/option", "/get", "/fails/500"] {
        assert_unavailable(with_cookie(&client, uri, &token).await, uri).await;
    }
}

#[catch(503)]
fn pretends() -> (Status, &'static str) {
    (Status::Ok, "all is well")
}

#[catch(503)]
fn redirects() -> Redirect {
    Redirect::to("/login")
}

#[catch(503)]
async fn looks(request: &Request<'_>) -> &'static str {
    let session = request.guard::<Session<User>>().await;
    if session.is_success() { "" } else { "looked" }
}

#[tokio::test]
async fn s65_no_catcher_makes_a_success_of_it() {
    for (catchers, body) in [
        (catchers![pretends], Some("all is well")),
        (catchers![redirects], None),
        (catchers![looks], Some("looked")),
    ] {
        let storage = faulty();
        let fairing = Sessions::fairing().storage("faulty", storage.clone());
        let rocket = rocket::custom(figment("faulty").merge(("sessions.cart.storage", "memory")))
            .attach(fairing)
            .mount("/", routes())
            .mount("/", login_route())
            .mount("/", routes![count])
            .register("/", catchers);
        let client = Client::untracked(rocket).await.expect("a rocket");
        let token = logged_in(&client, "ann").await;
        for (operation, uri) in [(Operation::Read, "/option"), (Operation::Update, "/add")] {
            storage.set(operation, down());
            let response = with_cookie(&client, uri, &token).await;
            assert_eq!(response.status(), Status::ServiceUnavailable, "{uri}");
            assert_eq!(header(&response, "Location"), None, "{uri}");
            if operation == Operation::Read {
                assert_eq!(response.into_string().await.as_deref(), body);
            }
            storage.mend();
        }
    }
}

#[get("/add")]
fn count(session: Session<User>) {
    session.update(|user| user.count += 1);
}

/// As a WebSocket: the handler of the connection says how often it ran.
struct Upgrades(Arc<AtomicUsize>);

impl<'r> Responder<'r, 'r> for Upgrades {
    fn respond_to(self, _: &'r Request<'_>) -> rocket::response::Result<'r> {
        struct Io(Arc<AtomicUsize>);
        #[rocket::async_trait]
        impl rocket::data::IoHandler for Io {
            async fn io(
                self: std::pin::Pin<Box<Self>>,
                _: rocket::data::IoStream,
            ) -> std::io::Result<()> {
                self.0.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        }
        let accept = Header::new("Sec-WebSocket-Accept", "yes");
        Response::build().header(accept).upgrade("websocket", Io(self.0)).ok()
    }
}

#[get("/upgrade")]
fn upgrade(_session: Option<Session<User>>, ran: &State<Arc<AtomicUsize>>) -> Upgrades {
    Upgrades(Arc::clone(ran))
}

/// The head of the response, over a socket.
fn ask_to_upgrade(port: u16, token: &str) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("a server");
    let request = format!(
        "GET /upgrade HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nCookie: {token}\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).expect("a server");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("a response");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s65_no_connection_is_upgraded_for_a_client_whom_nobody_knows() {
    let (storage, ran) = (faulty(), Arc::new(AtomicUsize::new(0)));
    let (ready, launched) = tokio::sync::oneshot::channel();
    let ready = std::sync::Mutex::new(Some(ready));
    let tell = AdHoc::on_liftoff("ready", move |rocket| {
        Box::pin(async move {
            let ready = ready.lock().expect("no panic").take().expect("one launch");
            ready.send((rocket.config().port, rocket.shutdown())).expect("a test");
        })
    });
    let figment = figment("faulty")
        .merge(("port", 0))
        .merge(("shutdown.ctrlc", false))
        .merge(("sessions.cart.storage", "memory"));
    let fairing = Sessions::fairing().storage("faulty", storage.clone());
    let rocket =
        build(figment.clone(), fairing, routes![upgrade]).manage(Arc::clone(&ran)).attach(tell);
    let server = tokio::spawn(rocket.launch());
    let (port, shutdown) = launched.await.expect("a launch");
    let fairing = Sessions::fairing().storage("faulty", storage.clone());
    // Sessions of one storage and key are those of the server.
    let client = client_with(figment, fairing, vec![]).await;
    let token = logged_in(&client, "ann").await;
    let ask = async || {
        let token = token.clone();
        tokio::task::spawn_blocking(move || ask_to_upgrade(port, &token)).await.expect("an answer")
    };
    assert!(ask().await.starts_with("HTTP/1.1 101"));
    storage.set(Operation::Read, down());
    let refused = ask().await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(!refused.to_lowercase().contains("sec-websocket"), "{refused}");
    assert_eq!(ran.load(Ordering::SeqCst), 1);
    shutdown.notify();
    server.await.expect("no panic").expect("a shutdown");
}
