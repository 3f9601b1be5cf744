//! One small application over every place and transport.

use std::borrow::Cow;
use std::sync::Arc;

use rocket::figment::Figment;
use rocket::http::Status;
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::{Build, Request, Rocket, Route, async_trait, catch, catchers, get, routes};
use rocket_typed_sessions::storage::{
    Create, Generation, Memory, OwnerGuard, OwnerKey, OwnerPage, Record, StorageKey, Stored,
    Timestamp, Touch, Update, Version,
};
use rocket_typed_sessions::{
    Session, SessionData, SessionStorage, Sessions, SessionsFairing, StorageError,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

pub const KEY: &str = "hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978";
pub const OTHER_KEY: &str = "hex:1b3d5f7092a4c6e8f0e1d2c3b4a5968778695a4b3c2d1e0f9f8e7d6c5b4a3920";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    pub id: String,
    pub count: u32,
}

impl SessionData for User {
    const NAME: &'static str = "user";

    fn owner(&self) -> Option<Cow<'_, str>> {
        (!self.id.is_empty()).then_some(Cow::Borrowed(self.id.as_str()))
    }
}

pub fn user(id: &str) -> User {
    User { id: id.into(), count: 0 }
}

#[get("/login/<id>")]
fn login(session: Session<User>, id: &str) {
    session.login(user(id));
}

#[get("/set/<id>")]
fn set(session: Session<User>, id: &str) {
    session.set(user(id));
}

#[get("/get")]
fn get_it(session: Session<User>) -> String {
    show(&session)
}

#[get("/count")]
fn count(session: Session<User>) -> String {
    session.update(|user| user.count += 1);
    show(&session)
}

#[get("/clear")]
fn clear(session: Session<User>) {
    session.clear();
}

#[get("/renew")]
fn renew(session: Session<User>) {
    session.renew();
}

#[catch(503)]
fn unavailable(_: &Request<'_>) -> &'static str {
    "the application's own 503"
}

pub fn show(session: &Session<User>) -> String {
    session.get().map_or_else(|| "absent".into(), |user| format!("{} {}", user.id, user.count))
}

/// The places a payload can live in, as Rocket.toml tables.
pub const PLACES: [&str; 2] = ["client", "memory"];

/// A release-profile configuration of the session `user`.
pub fn figment(storage: &str) -> Figment {
    // Not the examples' Rocket.toml, and no environment.
    Figment::from(rocket::Config::default())
        .select("release")
        .merge(("log_level", std::env::var("TEST_LOG").unwrap_or("off".into())))
        .merge(("sessions.secret", KEY))
        .merge(("sessions.user.storage", storage))
}

pub fn build(figment: Figment, fairing: SessionsFairing, more: Vec<Route>) -> Rocket<Build> {
    rocket::custom(figment)
        .attach(fairing)
        .mount("/", routes![login, set, get_it, count, clear, renew])
        .mount("/", more)
        .register("/", catchers![unavailable])
}

/// The route that [`logged_in`] asks.
pub fn login_route() -> Vec<Route> {
    routes![login]
}

pub async fn client(figment: Figment) -> Client {
    client_with(figment, Sessions::fairing(), vec![]).await
}

pub async fn client_with(figment: Figment, fairing: SessionsFairing, more: Vec<Route>) -> Client {
    Client::untracked(build(figment, fairing, more)).await.expect("a valid configuration")
}

/// A request over `uri` with a raw `Cookie` header.
pub async fn with_cookie<'c>(client: &'c Client, uri: &str, cookie: &str) -> LocalResponse<'c> {
    let header = rocket::http::Header::new("Cookie", cookie.to_owned());
    client.get(uri.to_owned()).header(header).dispatch().await
}

pub async fn text(client: &Client, uri: &str, cookie: &str) -> String {
    let response = with_cookie(client, uri, cookie).await;
    assert_eq!(response.status(), Status::Ok, "{uri}");
    response.into_string().await.expect("a body")
}

/// `name=value` of the only `Set-Cookie`, if there is one.
pub fn sent(response: &LocalResponse<'_>) -> Option<String> {
    let cookies: Vec<_> = response.headers().get("Set-Cookie").collect();
    assert!(cookies.len() <= 1, "{cookies:?}");
    cookies.first().and_then(|cookie| cookie.split(';').next()).map(str::to_owned)
}

/// A fresh session: its cookie.
pub async fn logged_in(client: &Client, id: &str) -> String {
    let response = client.get(format!("/login/{id}")).dispatch().await;
    assert_eq!(response.status(), Status::Ok);
    sent(&response).expect("a token")
}

/// What a [`Fault`] storage does instead of answering.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    Works,
    Fails,
    Hangs,
}

/// A memory storage that fails or hangs on demand and counts its calls.
#[derive(Clone)]
pub struct Fault {
    pub storage: Arc<Memory>,
    pub reads: Arc<Mutex<Mode>>,
    pub writes: Arc<Mutex<Mode>>,
    pub calls: Arc<std::sync::atomic::AtomicUsize>,
    /// The key of the last record that was created.
    last: Arc<Mutex<Option<StorageKey>>>,
}

impl Fault {
    pub fn new() -> Self {
        Self {
            storage: Arc::new(Memory::new(1000)),
            reads: Arc::new(Mutex::new(Mode::Works)),
            writes: Arc::new(Mutex::new(Mode::Works)),
            calls: Arc::default(),
            last: Arc::default(),
        }
    }

    /// Another request on the last record that was created: it counts or ends.
    pub async fn meanwhile(&self, what: &str) {
        let key = self.last.lock().await.clone().expect("a record");
        if what == "end" {
            assert!(self.storage.invalidate(&key).await.expect("memory answers"));
            return;
        }
        let now = Timestamp::from(std::time::SystemTime::now());
        let stored = self.storage.read(&key, now).await.expect("memory answers").expect("a record");
        let payload = String::from_utf8_lossy(&stored.record.payload).into_owned();
        assert!(payload.contains("\"count\":0"), "{payload}");
        let at = stored.record.payload.len() - 2;
        let mut payload = stored.record.payload.to_vec();
        payload[at] = b'1';
        let record = Record { payload: payload.into(), ..stored.record };
        let update = self.storage.update(&key, stored.version, record, OwnerGuard::default(), now);
        assert!(matches!(update.await, Ok(Update::Updated(_))));
    }

    /// How many records there are.
    pub async fn records(&self) -> usize {
        let end_of_time = Timestamp::from_millis(u64::MAX);
        self.storage.purge_expired(end_of_time, usize::MAX).await.expect("memory answers")
    }

    async fn pass(&self, mode: &Mutex<Mode>) -> Result<(), StorageError> {
        self.calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let mode = *mode.lock().await;
        match mode {
            Mode::Works => Ok(()),
            Mode::Fails => Err(StorageError::Unavailable("on demand".into(), None)),
            Mode::Hangs => std::future::pending().await,
        }
    }
}

#[async_trait]
impl SessionStorage for Fault {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create, StorageError> {
        self.pass(&self.writes).await?;
        *self.last.lock().await = Some(key.clone());
        self.storage.create(key, record, guard, now).await
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Stored>, StorageError> {
        self.pass(&self.reads).await?;
        self.storage.read(key, now).await
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        self.pass(&self.writes).await?;
        self.storage.update(key, expected, record, guard, now).await
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError> {
        self.pass(&self.writes).await?;
        self.storage.touch(key, last_seen, expires).await
    }

    async fn invalidate(&self, key: &StorageKey) -> Result<bool, StorageError> {
        self.pass(&self.writes).await?;
        self.storage.invalidate(key).await
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError> {
        self.storage.purge_expired(now, limit).await
    }

    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError> {
        self.storage.list(owner, after, limit, now).await
    }

    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize, StorageError> {
        self.storage.invalidate_owner(owner, except, now).await
    }

    async fn owner_generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError> {
        self.storage.owner_generation(owner).await
    }
}
