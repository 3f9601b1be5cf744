//! `docs/transports.md`: what goes out for a session in a cookie, in a header and as a bearer token, and CORS.

use std::borrow::Cow;
use std::time::Duration;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::figment::Figment;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::{Request, Response, async_trait, get, options, routes};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::transport::{Outgoing, SessionTransport};
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

use crate::support::figment;

#[derive(Clone, Serialize, Deserialize)]
struct Text(String);

impl SessionData for Text {
    const NAME: &'static str = "user";
}

#[get("/login?<size>")]
fn login(session: Session<Text>, size: Option<usize>) {
    session.login(Text("x".repeat(size.unwrap_or(3))));
}

#[get("/read")]
fn read(session: Session<Text>) -> String {
    session.get().map_or(format!("{:?}", session.absence()), |text| text.0.clone())
}

#[get("/add")]
fn add(session: Session<Text>) {
    session.update(|text| text.0.push('x'));
}

#[get("/renew")]
fn renew(session: Session<Text>) {
    session.renew();
}

#[get("/logout")]
fn logout(session: Session<Text>) {
    session.clear();
}

#[options("/<_..>")]
fn preflight() {}

/// The page's transport.
struct Bearer;

impl SessionTransport for Bearer {
    fn receive<'r>(&self, request: &'r Request<'_>, _: &str) -> Vec<Cow<'r, str>> {
        let values = request.headers().get("Authorization");
        values.filter_map(|value| value.strip_prefix("Bearer ")).map(Cow::Borrowed).collect()
    }

    fn send(&self, response: &mut Response<'_>, name: &str, outgoing: Outgoing<'_>) {
        response.set_raw_header(name.to_owned(), outgoing.token.to_owned());
    }

    fn clear(&self, response: &mut Response<'_>, name: &str) {
        response.remove_header(name);
    }

    fn vary<'a>(&self, _: &'a str) -> Option<&'a str> {
        Some("Authorization")
    }
}

const TRUSTED: &str = "https://app.example";

/// The page's fairing.
struct Cors;

#[async_trait]
impl Fairing for Cors {
    fn info(&self) -> Info {
        Info { name: "CORS", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        response.adjoin_raw_header("Vary", "Origin");
        if request.headers().get_one("Origin") != Some(TRUSTED) {
            return;
        }
        response.set_raw_header("Access-Control-Allow-Origin", TRUSTED);
        response.set_raw_header("Access-Control-Allow-Credentials", "true");
        response.set_raw_header("Access-Control-Allow-Methods", "GET, POST, DELETE");
        response.set_raw_header("Access-Control-Allow-Headers", "Content-Type, X-Session");
        response.set_raw_header("Access-Control-Expose-Headers", "X-Session");
    }
}

async fn app(figment: Figment, clock: &Clock) -> Client {
    let sessions = Sessions::fairing().transport("bearer", Bearer).clock(clock);
    let rocket = rocket::custom(figment).attach(sessions).attach(Cors);
    let rocket = rocket.mount("/", routes![login, read, add, renew, logout, preflight]);
    Client::untracked(rocket).await.expect("a valid configuration")
}

async fn ask<'c>(client: &'c Client, uri: &str, header: (&'static str, &str)) -> LocalResponse<'c> {
    let header = Header::new(header.0, header.1.to_owned());
    client.get(uri.to_owned()).header(header).dispatch().await
}

fn token(response: &LocalResponse<'_>) -> Option<String> {
    response.headers().get_one("X-Session").map(str::to_owned)
}

fn header(storage: &str, transport: &str) -> Figment {
    figment(storage)
        .merge(("sessions.user.transport", transport))
        .merge(("sessions.user.name", "X-Session"))
}

#[tokio::test]
async fn a_session_on_the_server_sends_its_header_when_its_id_is_new() {
    let clock = Clock::new();
    let client = app(header("memory", "header"), &clock).await;
    let first = token(&ask(&client, "/login", ("A", "")).await).expect("a token");
    clock.advance(Duration::from_secs(86_400));
    for uri in ["/read", "/add"] {
        assert_eq!(token(&ask(&client, uri, ("X-Session", &first)).await), None, "{uri}");
    }
    let second = token(&ask(&client, "/renew", ("X-Session", &first)).await).expect("a token");
    let out = ask(&client, "/logout", ("X-Session", &second)).await;
    assert_eq!((token(&out), out.status()), (None, Status::Ok), "the client forgets the token");
    let page = ask(&client, "/read", ("X-Session", &second)).await;
    assert_eq!(page.into_string().await.as_deref(), Some("Some(Ended)"));
}

#[tokio::test]
async fn a_session_on_the_client_sends_its_header_with_each_change_and_touch() {
    let clock = Clock::new();
    let client = app(header("client", "header"), &clock).await;
    let first = token(&ask(&client, "/login", ("A", "")).await).expect("a token");
    assert_eq!(token(&ask(&client, "/read", ("X-Session", &first)).await), None);
    let second = token(&ask(&client, "/add", ("X-Session", &first)).await).expect("a token");
    clock.advance(Duration::from_secs(86_400));
    assert!(token(&ask(&client, "/read", ("X-Session", &second)).await).is_some(), "a touch");
    ask(&client, "/logout", ("X-Session", &second)).await;
    let page = ask(&client, "/read", ("X-Session", &second)).await;
    assert_eq!(page.into_string().await.as_deref(), Some("xxxx"), "the token lives on");
}

#[tokio::test]
async fn a_bearer_token_is_read_from_authorization() {
    let client = app(header("memory", "bearer"), &Clock::new()).await;
    let login = ask(&client, "/login", ("A", "")).await;
    let bearer = format!("Bearer {}", token(&login).expect("a token"));
    let page = ask(&client, "/read", ("Authorization", &bearer)).await;
    assert_eq!(page.headers().get_one("Vary"), Some("Origin, Authorization"));
    assert_eq!(page.into_string().await.as_deref(), Some("xxx"));
    let page = ask(&client, "/read", ("Authorization", "Basic YTpi")).await;
    assert_eq!(page.into_string().await.as_deref(), Some("Some(NotPresented)"));
}

#[tokio::test]
async fn scripts_of_a_trusted_origin_may_read_the_header() {
    let client = app(header("memory", "header"), &Clock::new()).await;
    let preflight = client.options("/read").header(Header::new("Origin", TRUSTED)).dispatch().await;
    let allowed = |response: &LocalResponse<'_>, name: &str| {
        response.headers().get_one(&format!("Access-Control-{name}")).map(str::to_owned)
    };
    assert_eq!(preflight.status(), Status::Ok);
    assert_eq!(allowed(&preflight, "Allow-Headers").as_deref(), Some("Content-Type, X-Session"));
    let login = ask(&client, "/login", ("Origin", TRUSTED)).await;
    assert!(token(&login).is_some());
    assert_eq!(allowed(&login, "Expose-Headers").as_deref(), Some("X-Session"));
    assert_eq!(login.headers().get_one("Vary"), Some("Origin, X-Session"));
    let login = ask(&client, "/login", ("Origin", "https://evil.example")).await;
    assert_eq!(allowed(&login, "Allow-Origin"), None);
}

#[tokio::test]
async fn a_cookie_holds_about_2_800_bytes() {
    let client = app(figment("client"), &Clock::new()).await;
    for (size, status) in [(2800, Status::Ok), (2950, Status::InternalServerError)] {
        let login = client.get(format!("/login?size={size}")).dispatch().await;
        assert_eq!(login.status(), status, "{size}");
    }
}

#[tokio::test]
async fn the_attributes_of_a_cookie() {
    let cookie = async |figment: Figment| {
        let client = app(figment, &Clock::new()).await;
        let login = client.get("/login").dispatch().await;
        let cookie = login.headers().get_one("Set-Cookie").expect("a cookie").to_owned();
        let (name, attributes) = cookie.split_once('=').expect("a name");
        let (_, attributes) = attributes.split_once("; ").expect("attributes");
        let expires = |part: &&str| !part.starts_with("Expires");
        format!("{name} {}", attributes.split("; ").filter(expires).collect::<Vec<_>>().join("; "))
    };
    let usual = "user Max-Age=2592000; Path=/; Secure; HttpOnly; SameSite=Lax";
    assert_eq!(cookie(figment("memory")).await, usual);
    let hours = "user Max-Age=665280; Path=/; Secure; HttpOnly; SameSite=Lax";
    assert_eq!(cookie(figment("client")).await, hours);
    let closed = figment("memory").merge(("sessions.user.cookie.max_age", "session"));
    assert_eq!(cookie(closed).await, "user Path=/; Secure; HttpOnly; SameSite=Lax");
    let host = figment("memory").merge(("sessions.user.cookie.prefix", "host"));
    assert_eq!(cookie(host).await, format!("__Host-{usual}"));
}
