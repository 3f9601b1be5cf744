//! The definitions of a session that the formats depend on, and an application with each.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::figment::Figment;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::{Request, Response, get, routes};
use rocket_typed_sessions::storage::{Memory, Timestamp};
use rocket_typed_sessions::transport::{Outgoing, SessionTransport};
use rocket_typed_sessions::{Lifetime, Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::log::install_log;
use crate::reader::Reader;

pub const KEY: [u8; 32] = *b"one key of thirty-two bytes, 012";

pub const OTHER: [u8; 32] = *b"and another of as many bytes 345";

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    pub id: String,
}

impl SessionData for User {
    const NAME: &'static str = "user";

    fn owner(&self) -> Option<Cow<'_, str>> {
        Some(self.id.as_str().into())
    }
}

/// Another session, whose values look the same.
#[derive(Clone, Serialize, Deserialize)]
pub struct Guest {
    pub id: String,
}

impl SessionData for Guest {
    const NAME: &'static str = "guest";
}

#[get("/login")]
pub fn login(session: Session<User>) {
    session.login(User { id: "alice".into() });
    let hour = Lifetime::Idle(std::time::Duration::from_secs(3600));
    session.set_lifetime(hour).expect("some time");
}

#[get("/renew")]
pub fn renew(session: Session<User>) {
    session.renew();
}

#[get("/get")]
pub fn show(session: Session<User>) -> String {
    session.get().map_or("nobody".into(), |user| user.id.clone())
}

#[get("/csrf")]
pub fn csrf(session: Session<User>) -> String {
    session.csrf_token().expect("a key").expect("a session").to_string()
}

#[get("/guest")]
pub fn show_guest(session: Session<Guest>) -> String {
    session.get().map_or("nobody".into(), |guest| guest.id.clone())
}

/// A header of an application's own.
pub struct Custom;

impl SessionTransport for Custom {
    fn receive<'r>(&self, request: &'r Request<'_>, name: &str) -> Vec<Cow<'r, str>> {
        request.headers().get(name).map(Cow::Borrowed).collect()
    }

    fn send(&self, response: &mut Response<'_>, name: &str, outgoing: Outgoing<'_>) {
        response.set_raw_header(name.to_owned(), outgoing.token.to_owned());
    }

    fn clear(&self, response: &mut Response<'_>, name: &str) {
        response.remove_header(name);
    }

    fn vary<'a>(&self, name: &'a str) -> Option<&'a str> {
        Some(name)
    }
}

/// How a definition differs from another.
#[derive(Clone)]
pub struct Definition {
    pub app: &'static str,
    pub transport: &'static str,
    pub protect: &'static str,
    pub suite: &'static str,
    pub storage: Value,
    pub keys: Vec<(&'static str, [u8; 32])>,
    /// Beside `keys`, what the crate reads and the reader does not.
    pub key_file: Option<PathBuf>,
    /// `max_sessions_per_owner`; 0 for none.
    pub limit: u32,
}

impl Definition {
    pub fn new(protect: &'static str, storage: &str) -> Self {
        let keys = if protect == "none" { vec![] } else { vec![("secret", KEY)] };
        Self {
            app: "shop",
            transport: "cookie",
            protect,
            suite: "A128CBC-HS256",
            storage: storage.into(),
            keys,
            key_file: None,
            limit: 0,
        }
    }

    pub fn on_server(&self) -> bool {
        self.storage != "client"
    }

    pub async fn start(&self, memory: &Memory) -> Client {
        install_log();
        let mut figment = Figment::from(rocket::Config::debug_default())
            .merge(("log_level", "normal"))
            .merge(("sessions.app", self.app))
            .merge(("sessions.guest.storage", "memory"));
        for (key, value) in [
            ("name", json!("x-user")),
            ("transport", json!(self.transport)),
            ("protect", json!(self.protect)),
            ("storage", self.storage.clone()),
            ("renewal_grace", json!(if self.on_server() { 30 } else { 0 })),
            ("remember_client", json!(self.on_server())),
        ] {
            figment = figment.merge((format!("sessions.user.{key}"), value));
        }
        if self.limit > 0 {
            figment = figment.merge(("sessions.user.max_sessions_per_owner", self.limit));
        }
        if self.protect == "encrypt" {
            figment = figment.merge(("sessions.user.suite", self.suite));
        }
        for (key, bytes) in &self.keys {
            let text = format!("base64:{}", URL_SAFE_NO_PAD.encode(bytes));
            figment = figment.merge((format!("sessions.user.{key}"), text));
        }
        if let Some(file) = &self.key_file {
            figment = figment
                .merge(("sessions.user.secret_file", file.to_string_lossy()))
                .merge(("sessions.user.key_reload", "1 hour"));
        }
        let fairing =
            Sessions::fairing().transport("custom", Custom).storage("shared", memory.clone());
        let routes = routes![login, renew, show, show_guest, csrf];
        let rocket = rocket::custom(figment).attach(fairing).mount("/", routes);
        Client::untracked(rocket).await.expect("a valid configuration")
    }

    pub fn kind(&self) -> u8 {
        match (self.on_server(), self.protect) {
            (false, "encrypt") => 1,
            (false, "sign") => 2,
            (true, "sign") => 3,
            (false, _) => 4,
            (true, _) => 5,
        }
    }

    /// What the reader makes of a token.
    pub fn read(&self, reader: &mut Reader, token: &str) -> Value {
        let keys: serde_json::Map<_, _> =
            self.keys.iter().map(|(name, key)| ((*name).to_owned(), hex(key).into())).collect();
        reader.ask(&json!({
            "ask": "token", "app": self.app, "name": "user", "transport": self.transport,
            "kind": self.kind(), "suite": self.suite, "keys": [keys], "limit": 4096, "token": token,
        }))
    }
}

/// Every kind of token, transport, suite and form of key.
pub fn definitions() -> Vec<Definition> {
    let mut all = Vec::new();
    for (protect, storage) in [
        ("encrypt", "client"),
        ("sign", "client"),
        ("none", "client"),
        ("sign", "memory"),
        ("none", "memory"),
    ] {
        let base = Definition::new(protect, storage);
        for transport in ["cookie", "header", "custom"] {
            all.push(Definition { transport, ..base.clone() });
        }
        all.push(Definition { app: "", ..base });
    }
    for suite in ["A192CBC-HS384", "A256CBC-HS512"] {
        all.push(Definition { suite, ..Definition::new("encrypt", "client") });
    }
    let pair = vec![("encrypt_key", KEY), ("sign_key", OTHER)];
    for keys in [vec![("encrypt_key", KEY)], pair] {
        all.push(Definition { keys, ..Definition::new("encrypt", "client") });
    }
    all.push(Definition { keys: vec![("sign_key", OTHER)], ..Definition::new("sign", "memory") });
    all
}

pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

pub fn now() -> u64 {
    Timestamp::from(SystemTime::now()).as_millis()
}

/// The token that a response carries, whatever carries it.
pub fn sent(response: &LocalResponse<'_>) -> Option<String> {
    let cookie = response.headers().get_one("Set-Cookie");
    let cookie = cookie.and_then(|cookie| cookie.strip_prefix("x-user=")?.split(';').next());
    cookie.or(response.headers().get_one("x-user")).map(str::to_owned)
}

/// A request that carries a token in both ways.
pub async fn ask<'c>(client: &'c Client, uri: &'static str, token: &str) -> LocalResponse<'c> {
    let cookie = Header::new("Cookie", format!("x-user={token}; guest={token}"));
    let request = client.get(uri).header(cookie).header(Header::new("x-user", token.to_owned()));
    let response = request.header(Header::new("User-Agent", "curl/8")).dispatch().await;
    assert_eq!(response.status(), Status::Ok, "{uri}");
    response
}

pub async fn sees(client: &Client, uri: &'static str, token: &str) -> String {
    ask(client, uri, token).await.into_string().await.expect("a body")
}

pub async fn token(client: &Client, uri: &'static str, before: &str) -> String {
    sent(&ask(client, uri, before).await).expect("a token")
}
