//! `docs/changing-a-type.md`: what a change of a type does to live sessions, while old and new nodes run at once.

use std::borrow::Cow;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::time::Duration;

use rocket::figment::Figment;
use rocket::http::{Method, Status};
use rocket::local::asynchronous::Client;
use rocket::{Data, Request, Route, async_trait, route};
use rocket_typed_sessions::storage::Memory;
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::support::*;

/// The type of session in one release of an application.
trait Release: SessionData + Debug {
    fn ann() -> Self;
}

macro_rules! releases {
    ($($type:ident { $($ann:tt)* })*) => {$(
        impl SessionData for $type {
            const NAME: &'static str = "user";

            fn owner(&self) -> Option<Cow<'_, str>> {
                Some("ann".into())
            }
        }

        impl Release for $type {
            fn ann() -> Self {
                Self { $($ann)* }
            }
        }
    )*};
}

releases! {
    Name { name: "Ann".into() }
    Strict { name: "Ann".into() }
    Required { name: "Ann".into(), theme: "dark".into() }
    Defaulted { name: "Ann".into(), theme: "dark".into() }
    Optional { name: "Ann".into(), theme: Some("dark".into()) }
    LeftOut { name: "Ann".into(), theme: String::new() }
    Keeping { name: "Ann".into(), unknown: Map::new() }
    Renamed { full_name: "Ann".into() }
    Alias { full_name: "Ann".into() }
    Both { full_name: "Ann".into() }
    Number { level: 7 }
    Text { level: "7".into() }
    Tolerant { level: "7".into() }
    TwoRoles { role: TwoRole::Admin }
    ThreeRoles { role: ThreeRole::Auditor }
    Others { role: Other::Admin }
    Versioned { name: "Ann".into(), theme: "dark".into() }
}

macro_rules! types {
    ($($(#[$serde:meta])* $type:ident $fields:tt)*) => {$(
        #[derive(Clone, Debug, Serialize, Deserialize)]
        $(#[$serde])*
        struct $type $fields
    )*};
}

types! {
    Name { name: String }
    #[serde(deny_unknown_fields)]
    Strict { name: String }
    Required { name: String, theme: String }
    Defaulted { name: String, #[serde(default)] theme: String }
    Optional { name: String, theme: Option<String> }
    Keeping { name: String, #[serde(flatten)] unknown: Map<String, Value> }
    LeftOut { name: String, #[serde(skip_serializing_if = "String::is_empty")] theme: String }
    Renamed { full_name: String }
    Alias { #[serde(alias = "name")] full_name: String }
    Both { #[serde(rename = "name", alias = "full_name")] full_name: String }
    Number { level: u32 }
    Text { level: String }
    Tolerant { #[serde(deserialize_with = "text_or_number")] level: String }
    TwoRoles { role: TwoRole }
    ThreeRoles { role: ThreeRole }
    Others { role: Other }
    #[serde(from = "Stored")]
    Versioned { name: String, theme: String }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum TwoRole {
    Admin,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum ThreeRole {
    Admin,
    Auditor,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Other {
    Admin,
    #[serde(other)]
    Unknown,
}

fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(u32),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
    })
}

/// What sessions of `Versioned` may look like, the latest first.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Now { name: String, theme: String },
    Before { name: String },
}

impl From<Stored> for Versioned {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Now { name, theme } => Self { name, theme },
            Stored::Before { name } => Self { name, theme: "light".into() },
        }
    }
}

/// A route that does one thing with the session of `T`.
#[derive(Clone)]
struct Act<T>(&'static str, PhantomData<fn() -> T>);

#[async_trait]
impl<T: Release> route::Handler for Act<T> {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> route::Outcome<'r> {
        let session = request.guard::<Session<T>>().await.succeeded().expect("a session");
        match self.0 {
            "login" => session.login(T::ann()),
            "write" => drop(session.update(|_| {})),
            "begin" => drop(session.get_or_insert_with(T::ann)),
            "clear" => session.clear(),
            "revoke" => {
                let sessions = request.guard::<&Sessions>().await.succeeded().expect("them");
                sessions.of::<T>().revoke_owner("ann").await.expect("memory answers");
            }
            _ => {}
        }
        let absence = || session.absence().map_or("gone".into(), |why| format!("{why:?}"));
        route::Outcome::from(request, session.get().map_or_else(absence, |it| format!("{it:?}")))
    }
}

async fn node<T: Release>(storage: &Memory, place: &str) -> Client {
    node_with::<T>(storage, figment(place)).await
}

async fn node_with<T: Release>(storage: &Memory, figment: Figment) -> Client {
    node_at::<T>(storage, figment, &Clock::new()).await
}

async fn node_at<T: Release>(storage: &Memory, figment: Figment, clock: &Clock) -> Client {
    let uris = ["login", "write", "begin", "clear", "revoke", "read"];
    let act = |uri| Route::new(Method::Get, &format!("/{uri}"), Act::<T>(uri, PhantomData));
    let sessions = Sessions::fairing().storage("tried", storage.clone()).clock(clock);
    client(figment, sessions, uris.map(act).into()).await
}

async fn act(node: &Client, uri: &str, cookie: &mut String) -> String {
    let response = with_cookie(node, uri, cookie).await;
    assert_eq!(response.status(), Status::Ok);
    *cookie = sent(&response).unwrap_or_else(|| cookie.clone());
    response.into_string().await.expect("a body")
}

/// What `B` reads of a session that `A` has begun, and what `A` reads after `B` has written it.
async fn read_and_back<A: Release, B: Release>(place: &str) -> [String; 2] {
    let storage = Memory::new(10);
    let (a, b) = (node::<A>(&storage, place).await, node::<B>(&storage, place).await);
    let mut cookie = String::new();
    act(&a, "/login", &mut cookie).await;
    let read = act(&b, "/read", &mut cookie).await;
    act(&b, "/write", &mut cookie).await;
    [read, act(&a, "/read", &mut cookie).await]
}

/// The rows of a test: of `A` by `B`, and of `B` by `A`.
macro_rules! holds {
    ($($a:ident, $b:ident: $read:literal, $back:literal;)*) => {
        for place in ["tried", "client"] {$(
            let found = read_and_back::<$a, $b>(place).await;
            let names = (stringify!($a), stringify!($b));
            assert_eq!(found, [$read, $back], "{names:?} {place}");
        )*}
    };
}

#[tokio::test]
async fn a_field_that_is_added_or_removed() {
    holds! {
        Name, Required: "Ended", r#"Name { name: "Ann" }"#;
        Name, Defaulted: r#"Defaulted { name: "Ann", theme: "" }"#, r#"Name { name: "Ann" }"#;
        Name, Optional: r#"Optional { name: "Ann", theme: None }"#, r#"Name { name: "Ann" }"#;
        Defaulted, Name: r#"Name { name: "Ann" }"#, r#"Defaulted { name: "Ann", theme: "" }"#;
        Required, Name: r#"Name { name: "Ann" }"#, "Ended";
        Defaulted, Strict: "Ended", r#"Defaulted { name: "Ann", theme: "dark" }"#;
    }
}

#[tokio::test]
async fn an_old_node_that_keeps_what_it_does_not_know() {
    holds! {
        Defaulted, Keeping: r#"Keeping { name: "Ann", unknown: {"theme": String("dark")} }"#, r#"Defaulted { name: "Ann", theme: "dark" }"#;
        Keeping, Defaulted: r#"Defaulted { name: "Ann", theme: "" }"#, r#"Keeping { name: "Ann", unknown: {"theme": String("")} }"#;
    }
}

#[tokio::test]
async fn a_field_that_is_renamed() {
    holds! {
        Name, Renamed: "Ended", r#"Name { name: "Ann" }"#;
        Name, Alias: r#"Alias { full_name: "Ann" }"#, "Ended";
        Alias, Name: "Ended", r#"Alias { full_name: "Ann" }"#;
        Name, Both: r#"Both { full_name: "Ann" }"#, r#"Name { name: "Ann" }"#;
        Both, Name: r#"Name { name: "Ann" }"#, r#"Both { full_name: "Ann" }"#;
        Alias, Both: r#"Both { full_name: "Ann" }"#, r#"Alias { full_name: "Ann" }"#;
        Both, Alias: r#"Alias { full_name: "Ann" }"#, r#"Both { full_name: "Ann" }"#;
    }
}

#[tokio::test]
async fn another_type_for_a_field() {
    holds! {
        Number, Text: "Ended", "Number { level: 7 }";
        Number, Tolerant: r#"Tolerant { level: "7" }"#, "Ended";
        Tolerant, Number: "Ended", r#"Tolerant { level: "7" }"#;
    }
}

#[tokio::test]
async fn variants_of_an_enum_and_versions() {
    holds! {
        TwoRoles, ThreeRoles: "ThreeRoles { role: Admin }", "TwoRoles { role: Admin }";
        ThreeRoles, TwoRoles: "Ended", "ThreeRoles { role: Auditor }";
        ThreeRoles, Others: "Others { role: Unknown }", "Ended";
        Name, Versioned: r#"Versioned { name: "Ann", theme: "light" }"#, r#"Name { name: "Ann" }"#;
        Versioned, Name: r#"Name { name: "Ann" }"#, r#"Versioned { name: "Ann", theme: "light" }"#;
    }
}

/// A session that does not decode is absent. It stays until something ends it, or until its time is over.
#[tokio::test]
async fn a_session_that_does_not_decode_stays_until_it_is_ended() {
    for (does, left) in [
        ("read", r#"Name { name: "Ann" }"#),
        ("write", r#"Name { name: "Ann" }"#),
        ("begin", r#"Name { name: "Ann" }"#),
        ("login", "Ended"),
        ("clear", "Ended"),
        ("revoke", "Ended"),
    ] {
        let storage = Memory::new(10);
        let old = node::<Name>(&storage, "tried").await;
        let new = node::<Required>(&storage, "tried").await;
        let mut cookie = String::new();
        act(&old, "/login", &mut cookie).await;
        act(&new, &format!("/{does}"), &mut cookie.clone()).await;
        assert_eq!(act(&old, "/read", &mut cookie).await, left, "{does}");
    }
}

#[tokio::test]
async fn a_field_that_is_left_out_and_has_no_default_cannot_be_written() {
    let node = node::<LeftOut>(&Memory::new(10), "tried").await;
    let response = node.get("/login").dispatch().await;
    assert_eq!((response.status(), sent(&response)), (Status::InternalServerError, None));
}

#[tokio::test]
async fn a_session_that_does_not_decode_counts_for_a_limit() {
    let storage = Memory::new(10);
    let limited = figment("tried")
        .merge(("sessions.user.max_sessions_per_owner", 1))
        .merge(("sessions.user.owner_limit_policy", "refuse"));
    let old = node_with::<Name>(&storage, limited.clone()).await;
    let new = node_with::<Required>(&storage, limited).await;
    assert_eq!(old.get("/login").dispatch().await.status(), Status::Ok);
    assert_eq!(new.get("/login").dispatch().await.status(), Status::InternalServerError);
}

/// What prolongs a session does not write it in another form.
#[tokio::test]
async fn a_touch_by_an_old_node_keeps_a_new_field() {
    for place in ["tried", "client"] {
        let (storage, clock) = (Memory::new(10), Clock::new());
        let new = node_at::<Defaulted>(&storage, figment(place), &clock).await;
        let old = node_at::<Name>(&storage, figment(place), &clock).await;
        let mut cookie = String::new();
        act(&new, "/login", &mut cookie).await;
        clock.advance(Duration::from_secs(2 * 86_400));
        let before = cookie.clone();
        act(&old, "/read", &mut cookie).await;
        assert_eq!(cookie != before, place == "client", "a touch sends the client's token again");
        let read = act(&new, "/read", &mut cookie).await;
        assert_eq!(read, r#"Defaulted { name: "Ann", theme: "dark" }"#, "{place}");
    }
}
