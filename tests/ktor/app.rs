//! The application that shares its sessions with Ktor, its keys, and Ktor's folder.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use rocket::figment::Figment;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::{get, routes};
use rocket_typed_sessions::{Lifetime, Session, SessionData, SessionsFairing};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::shared::{KEY as SECRET, walk};

/// The session of Ktor's own tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserSession {
    pub user_id: String,
    pub cart: Vec<String>,
}

impl SessionData for UserSession {
    const NAME: &'static str = "user_session";

    fn owner(&self) -> Option<Cow<'_, str>> {
        Some(self.user_id.as_str().into())
    }
}

#[get("/get")]
pub fn get_it(session: Session<UserSession>) -> String {
    session
        .get()
        .map_or_else(|| "absent".into(), |user| format!("{} {}", user.user_id, user.cart.join(",")))
}

#[get("/set/<id>")]
pub fn set(session: Session<UserSession>, id: &str) {
    session.set(UserSession { user_id: id.into(), cart: Vec::new() });
}

#[get("/add/<item>")]
pub fn add(session: Session<UserSession>, item: &str) -> String {
    let item = item.to_owned();
    session.update(move |user| user.cart.push(item.clone()));
    get_it(session)
}

#[get("/renew")]
pub fn renew(session: Session<UserSession>) {
    session.renew();
}

#[get("/clear")]
pub fn clear(session: Session<UserSession>) {
    session.clear();
}

#[get("/id")]
pub fn id(session: Session<UserSession>) -> String {
    session.id().map(|id| id.to_text()).unwrap_or_default()
}

#[get("/why")]
pub fn why(session: Session<UserSession>) -> String {
    session.absence().map_or_else(|| "found".into(), |absence| format!("{absence:?}"))
}

/// A debug-profile configuration, as Ktor's own defaults are no secure ones.
pub fn figment(lines: &[(&str, Value)]) -> Figment {
    let mut figment = Figment::from(rocket::Config::default())
        .select("debug")
        .merge(("log_level", std::env::var("TEST_LOG").unwrap_or("off".into())));
    for (key, value) in lines {
        figment = figment.merge((format!("sessions.user_session.{key}"), value.clone()));
    }
    figment
}

pub async fn client(figment: Figment, fairing: SessionsFairing) -> Client {
    let routes = routes![get_it, set, add, renew, clear, id, why, own_lifetime, touch, poll];
    let rocket = rocket::custom(figment).attach(fairing).mount("/", routes);
    Client::untracked(rocket).await.expect("a valid configuration")
}

pub async fn with<'c>(client: &'c Client, uri: &str, cookie: &str) -> LocalResponse<'c> {
    let cookie = Header::new("Cookie", format!("user_session={cookie}"));
    client.get(uri.to_owned()).header(cookie).dispatch().await
}

pub async fn text(client: &Client, uri: &str, cookie: &str) -> String {
    let response = with(client, uri, cookie).await;
    assert_eq!(response.status(), Status::Ok, "{uri} {cookie}");
    response.into_string().await.expect("a body")
}

pub fn sent(response: &LocalResponse<'_>) -> Option<String> {
    let cookie = response.headers().get_one("Set-Cookie")?;
    cookie.strip_prefix("user_session=")?.split(';').next().map(str::to_owned)
}

pub fn vectors() -> Vec<Value> {
    serde_json::from_str(include_str!("../vectors/ktor.json")).expect("vectors")
}

pub fn vector(name: &str) -> Value {
    let found = vectors().into_iter().find(|vector| vector["name"] == name);
    found.unwrap_or_else(|| panic!("no vector {name}"))
}

pub const SIGN: &str = "hex:02030405060708090a0b0c";

pub const ENCRYPT: &str = "hex:00112233445566778899aabbccddeeff";

pub fn encrypted() -> Vec<(&'static str, Value)> {
    vec![
        ("format", "ktor".into()),
        ("sign_key", SIGN.into()),
        ("encrypt_key", ENCRYPT.into()),
        ("cookie.same_site", "unset".into()),
    ]
}

pub fn signed() -> Vec<(&'static str, Value)> {
    vec![
        ("format", "ktor".into()),
        ("protect", "sign".into()),
        ("sign_key", "hex:003515606058610610561058".into()),
        ("cookie.same_site", "unset".into()),
    ]
}

pub fn and(lines: Vec<(&'static str, Value)>, more: &[(&'static str, Value)]) -> Figment {
    figment(&lines.into_iter().chain(more.iter().cloned()).collect::<Vec<_>>())
}

pub fn in_directory(dir: &Path) -> Vec<(&'static str, Value)> {
    let storage = serde_json::json!({"type": "directory", "path": dir});
    vec![
        ("format", "ktor".into()),
        ("storage", storage),
        ("sign_key", "hex:6819b57a326945c1968f45236589".into()),
        // The disk of a busy machine is slow.
        ("storage_timeout", "50 seconds".into()),
    ]
}

/// `aa/bb/cc.dat`
pub fn file_of(dir: &Path, id: &str) -> PathBuf {
    let pieces: Vec<_> =
        id.as_bytes().chunks(2).map(|piece| std::str::from_utf8(piece).expect("ASCII")).collect();
    dir.join(format!("{}.dat", pieces.join("/")))
}

pub const ANN: &str = r#"{"userId":"ann","cart":[]}"#;

/// Writes a session's file as Ktor does.
pub fn write_file(dir: &Path, id: &str, content: &str) -> PathBuf {
    let file = file_of(dir, id);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
    std::fs::write(&file, content).expect("a file");
    file
}

pub fn signed_id(id: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let key = [0x68, 0x19, 0xb5, 0x7a, 0x32, 0x69, 0x45, 0xc1, 0x96, 0x8f, 0x45, 0x23, 0x65, 0x89];
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).expect("any key");
    mac.update(id.as_bytes());
    let tag: Vec<_> =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = tag.concat();
    format!("{id}%2F{tag}")
}

#[get("/lifetime")]
pub fn own_lifetime(session: Session<UserSession>) -> String {
    let said = session.set_lifetime(Lifetime::BrowserSession);
    format!("{said:?}, {:?}", session.lifetime())
}

#[get("/touch")]
pub fn touch(session: Session<UserSession>) {
    session.touch();
}

#[get("/poll")]
pub fn poll(session: Session<UserSession>) -> String {
    session.skip_touch();
    get_it(session)
}

#[get("/csrf")]
pub fn csrf(session: Session<UserSession>) -> String {
    let token = session.csrf_token().ok().flatten();
    let id = session.id().map(|id| id.to_text()).unwrap_or_default();
    format!("{} {id}", token.map(|token| token.to_string()).unwrap_or_default())
}

#[rocket::post("/form")]
pub fn form(_csrf: rocket_typed_sessions::csrf::CsrfHeader<UserSession>) {}
