//! One application for each transport, storage and format, with a session of
//! every kind.

use std::marker::PhantomData;
use std::sync::LazyLock;

use parking_lot::Mutex;
use rocket::figment::Figment;
use rocket::http::{Header, Method, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::route::{Handler, Outcome};
use rocket::{Build, Data, Request, Rocket, Route};
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::kinds::{self, Kind};
use crate::shared::KEY;

/// A session that holds a value of one kind, and something to update beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Held<K: Kind> {
    pub value: K::Value,
    pub count: u32,
}

impl<K: Kind> SessionData for Held<K> {
    const NAME: &'static str = K::NAME;
}

/// What a request brings and what it has seen: values do not fit into a URI.
struct Slot<K: Kind>(Mutex<Option<Held<K>>>);

#[derive(Clone)]
enum Act {
    Set,
    Update,
    Get,
}

#[derive(Clone)]
struct Acts<K>(Act, PhantomData<K>);

#[rocket::async_trait]
impl<K: Kind> Handler for Acts<K> {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        let slot = &request.rocket().state::<Slot<K>>().expect("managed").0;
        let session = request.guard::<Session<Held<K>>>().await.expect("a session");
        match self.0 {
            Act::Set => session.set(slot.lock().take().expect("a value")),
            Act::Update => drop(session.update(|held| held.count += 1)),
            Act::Get => *slot.lock() = session.get().map(|held| Held::clone(&held)),
        }
        Outcome::from(request, ())
    }
}

/// Adds the routes of one kind.
pub fn mount<K: Kind>(rocket: Rocket<Build>) -> Rocket<Build> {
    let route = |uri, act| Route::new(Method::Get, uri, Acts::<K>(act, PhantomData));
    let routes = [route("/set", Act::Set), route("/update", Act::Update), route("/get", Act::Get)];
    rocket.manage(Slot::<K>(Mutex::new(None))).mount(format!("/{}", K::NAME), routes)
}

pub struct World {
    pub name: String,
    pub native: bool,
    /// Every write waits for a disk.
    pub slow: bool,
    header: bool,
    client: Client,
}

impl World {
    async fn new(lines: &serde_json::Value, storage: &str, transport: &str) -> Self {
        let mut figment = Figment::from(rocket::Config::default())
            .select("debug")
            .merge(("log_level", std::env::var("TEST_LOG").unwrap_or("off".into())));
        for name in kinds::NAMES {
            let table = format!("sessions.{name}");
            figment = figment.merge((table.clone(), lines)).merge(match storage {
                "directory" => {
                    (format!("{table}.storage"), json!({"type": storage, "path": DIR.path()}))
                }
                _ => (format!("{table}.storage"), json!(storage)),
            });
            if storage == "directory" {
                // The disk of a busy machine is slow.
                figment = figment.merge((format!("{table}.storage_timeout"), "50 seconds"));
            }
            if transport == "header" {
                let name = format!("x-{name}");
                figment = figment
                    .merge((format!("{table}.transport"), transport))
                    .merge((format!("{table}.name"), name));
            }
        }
        let rocket = kinds::mount_all(rocket::custom(figment)).attach(Sessions::fairing());
        let client = Client::untracked(rocket).await.expect("a valid configuration");
        let native = lines["format"] != "ktor";
        let header = transport == "header";
        let slow = storage == "directory";
        Self { name: format!("{lines} {storage} {transport}"), native, slow, header, client }
    }

    /// How often the first value that is saved is updated.
    pub fn updates(&self) -> u32 {
        if self.slow && (self.header || !self.native) { 1 } else { 100 }
    }

    /// Sends a request with a token, and takes the token that comes back.
    async fn ask<K: Kind>(&self, what: &str, token: &mut Option<String>) -> Status {
        let request = self.client.get(format!("/{}/{what}", K::NAME));
        let request = match (self.header, token.clone()) {
            (_, None) => request,
            (true, Some(token)) => request.header(Header::new(format!("x-{}", K::NAME), token)),
            (false, Some(token)) => {
                let all = format!("a=1; {}={token}; theme=dark", K::NAME);
                request.header(Header::new("Cookie", all))
            }
        };
        let response = request.dispatch().await;
        if let Some(sent) = self.sent::<K>(&response) {
            *token = Some(sent);
        }
        response.status()
    }

    fn sent<K: Kind>(&self, response: &LocalResponse<'_>) -> Option<String> {
        if self.header {
            return response.headers().get_one(&format!("x-{}", K::NAME)).map(str::to_owned);
        }
        let cookie = response.headers().get_one("Set-Cookie")?;
        let value = cookie.strip_prefix(K::NAME)?.strip_prefix('=')?;
        // Attributes begin behind the last quote, if there is one.
        let quoted = value.starts_with('"').then(|| value.rfind('"')).flatten().unwrap_or(0);
        let end = value[quoted..].find(';').map_or(value.len(), |end| quoted + end);
        Some(value[..end].to_owned())
    }

    fn slot<K: Kind>(&self) -> &Mutex<Option<Held<K>>> {
        &self.client.rocket().state::<Slot<K>>().expect("managed").0
    }

    /// Whether a value was saved.
    pub async fn set<K: Kind>(&self, value: K::Value, token: &mut Option<String>) -> bool {
        *self.slot::<K>().lock() = Some(Held { value, count: 0 });
        let status = self.ask::<K>("set", token).await;
        assert!(matches!(status.code, 200 | 500), "{}: {status}", self.name);
        status == Status::Ok
    }

    pub async fn update<K: Kind>(&self, token: &mut Option<String>) {
        assert_eq!(self.ask::<K>("update", token).await, Status::Ok, "{}", self.name);
    }

    pub async fn get<K: Kind>(&self, token: &mut Option<String>) -> Option<Held<K>> {
        assert_eq!(self.ask::<K>("get", token).await, Status::Ok, "{}", self.name);
        self.slot::<K>().lock().take()
    }
}

static DIR: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

pub static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().expect("a runtime"));

pub static WORLDS: LazyLock<Vec<World>> = LazyLock::new(|| {
    let ktor = |serializer: &str| json!({"format": "ktor", "protect": "sign", "sign_key": KEY, "ktor": {"serializer": serializer}});
    let formats =
        [json!({"secret": KEY}), ktor("json"), ktor("kotlinx-legacy"), ktor("reflection-legacy")];
    RUNTIME.block_on(async {
        let mut worlds = Vec::new();
        for format in &formats {
            for storage in ["client", "memory", "directory"] {
                for transport in ["cookie", "header"] {
                    worlds.push(World::new(format, storage, transport).await);
                }
            }
        }
        for (serializer, encoding) in
            [("json", "base64"), ("kotlinx-legacy", "raw"), ("reflection-legacy", "dquotes")]
        {
            let ktor = json!({"serializer": serializer, "cookie_encoding": encoding});
            let plain = json!({"format": "ktor", "protect": "none", "ktor": ktor});
            worlds.push(World::new(&plain, "client", "cookie").await);
        }
        worlds
    })
});
