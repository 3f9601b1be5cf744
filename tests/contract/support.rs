//! One small application over every place and transport.

use std::collections::BTreeSet;

use rocket::figment::Figment;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{Build, Request, Rocket, Route, catch, catchers, get, routes};
use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::storage::{Invalidate, Memory, Record, Timestamp, Update};
pub use rocket_typed_sessions::testing::storage::{Fault, Faulty, Operation};
use rocket_typed_sessions::{Session, SessionData, Sessions, SessionsFairing};
use serde::{Deserialize, Serialize};

pub use crate::shared::*;

/// A second session of the same client.
#[derive(Clone, Serialize, Deserialize)]
pub struct Cart(pub u32);

impl SessionData for Cart {
    const NAME: &'static str = "cart";
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
        // A busy machine's disk may need more than the default.
        .merge(("sessions.user.storage_timeout", "30 seconds"))
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

/// A fresh session: its cookie.
pub async fn logged_in(client: &Client, id: &str) -> String {
    let response = client.get(format!("/login/{id}")).dispatch().await;
    assert_eq!(response.status(), Status::Ok);
    sent(&response).expect("a token")
}

/// A memory storage that fails on demand.
pub fn faulty() -> Faulty {
    Faulty::new(Memory::new(1000))
}

pub fn down() -> Fault {
    Fault::Fails(StorageError::Unavailable("on demand".into(), None))
}

/// From now on every operation that changes something has this fault.
pub fn break_writes(storage: &Faulty, fault: &Fault) {
    for operation in [Operation::Create, Operation::Update, Operation::Touch, Operation::Invalidate]
    {
        storage.set(operation, fault.clone());
    }
}

/// How often the storage was called for anything.
pub fn calls(storage: &Faulty) -> usize {
    Operation::ALL.into_iter().map(|operation| storage.calls(operation)).sum()
}

/// How many of the records that were created are alive and somebody's.
pub async fn live_records(storage: &Faulty) -> usize {
    let (mut live, now) = (0, Timestamp::from(std::time::SystemTime::now()));
    for key in storage.created().into_iter().collect::<BTreeSet<_>>() {
        let record = storage.inner().read(&key, now).await.expect("it answers");
        live += usize::from(record.is_some_and(|record| record.owner.is_some()));
    }
    live
}

/// Another request on the record that was created: it counts or ends.
pub async fn elsewhere(storage: &Faulty, what: &str) {
    let [key] = &storage.created()[..] else { panic!("one record") };
    let storage = storage.inner();
    if what == "end" {
        assert_eq!(
            storage.invalidate(key, None, None).await.expect("memory answers"),
            Invalidate::Invalidated
        );
        return;
    }
    let now = Timestamp::from(std::time::SystemTime::now());
    let stored = storage.read(key, now).await.expect("memory answers").expect("a record");
    let mut payload = stored.payload.to_vec();
    assert!(payload.ends_with(b"\"count\":0}"));
    let at = payload.len() - 2;
    payload[at] = b'1';
    let before = stored.version;
    let record = Record { version: version(), payload: payload.into(), ..stored };
    let update = storage.update(key, before, record, now);
    assert!(matches!(update.await, Ok(Update::Updated)));
}

/// A storage around the one in a field, to which it passes on what every storage has.
/// What it does itself is given; after `but update`, that is among it.
macro_rules! storage_over {
    ($name:ident.$inner:tt; $($own:tt)*) => {
        storage_over! {
            $name.$inner but update;

            async fn update(
                &self,
                key: &StorageKey,
                expected: Version,
                record: Record,
                now: Timestamp,
            ) -> Result<Update, StorageError> {
                self.$inner.update(key, expected, record, now).await
            }

            $($own)*
        }
    };
    ($name:ident.$inner:tt but update; $($own:tt)*) => {
        const _: () = {
            use rocket_typed_sessions::storage::*;

            #[rocket::async_trait]
            impl SessionStorage for $name {
                async fn create(
                    &self,
                    key: &StorageKey,
                    record: Record,
                    guard: OwnerGuard,
                    now: Timestamp,
                ) -> Result<Create, StorageError> {
                    self.$inner.create(key, record, guard, now).await
                }

                async fn read(
                    &self,
                    key: &StorageKey,
                    now: Timestamp,
                ) -> Result<Option<Record>, StorageError> {
                    self.$inner.read(key, now).await
                }

                async fn touch(
                    &self,
                    key: &StorageKey,
                    last_seen: Timestamp,
                    expires: Timestamp,
                ) -> Result<Touch, StorageError> {
                    self.$inner.touch(key, last_seen, expires).await
                }

                async fn invalidate(
                    &self,
                    key: &StorageKey,
                    expected: Option<Version>,
                    mark: Option<Timestamp>,
                ) -> Result<Invalidate, StorageError> {
                    self.$inner.invalidate(key, expected, mark).await
                }

                async fn purge_expired(
                    &self,
                    now: Timestamp,
                    limit: usize,
                ) -> Result<usize, StorageError> {
                    self.$inner.purge_expired(now, limit).await
                }

                $($own)*
            }
        };
    };
}
pub(crate) use storage_over;
