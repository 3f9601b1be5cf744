//! This crate's application.

use std::path::Path;

use overhead::bare::{FIRST_COUNT, Found, figment, plain};
use rocket::tokio::sync::Notify;
use rocket::{Build, Rocket, State, get, routes};
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const SECRET: &str = "hex:1b3d5f7092a4c6e8f0e1d2c3b4a5968778695a4b3c2d1e0f9f8e7d6c5b4a3920";
const LARGE: usize = 10_000;

/// This crate with its sessions on the client, encrypted.
pub fn encrypted(_: &Path) -> Rocket<Build> {
    ours(&json!("client"))
}

/// This crate with its sessions in memory.
pub fn memory(_: &Path) -> Rocket<Build> {
    ours(&json!("memory"))
}

/// This crate with its sessions in a folder.
pub fn directory(folder: &Path) -> Rocket<Build> {
    ours(&json!({ "type": "directory", "path": folder }))
}

fn ours(storage: &Value) -> Rocket<Build> {
    let names = [Counter::<0>::NAME, Counter::<1>::NAME, Counter::<2>::NAME, Large::NAME];
    let tables = names.map(|name| (format!("sessions.{name}.storage"), storage));
    let figment =
        tables.into_iter().fold(figment(), |figment, (key, value)| figment.merge((key, value)));
    rocket::custom(figment.merge(("sessions.secret", SECRET)))
        .attach(Sessions::fairing())
        .manage(Notify::new())
        .mount("/", routes![read, write, plain, hold, absent, start, clear])
        .mount("/", routes![start_three, read_three, start_large, read_large, write_large])
}

/// The session that is measured, and two more of its kind.
#[derive(Clone, Serialize, Deserialize)]
struct Counter<const N: usize> {
    user_id: u32,
    count: u32,
}

impl<const N: usize> Counter<N> {
    const NEW: Self = Self { user_id: 42, count: FIRST_COUNT };
}

impl<const N: usize> SessionData for Counter<N> {
    const NAME: &'static str = ["user", "cart", "theme"][N];
}

type User = Counter<0>;

#[derive(Clone, Serialize, Deserialize)]
struct Large {
    count: u32,
    text: String,
}

impl SessionData for Large {
    const NAME: &'static str = "large";
}

/// Holds its session open until the process ends.
#[get("/hold")]
async fn hold(session: Session<User>, end: &State<Notify>) -> Found {
    end.notified().await;
    session.get().map(|_| "found")
}

#[get("/absent")]
fn absent(session: Session<User>) -> Found {
    session.get().is_none().then_some("absent")
}

#[get("/start")]
fn start(session: Session<User>) {
    session.set(User::NEW);
}

#[get("/clear")]
fn clear(session: Session<User>) {
    session.clear();
}

#[get("/read")]
fn read(session: Session<User>) -> Found {
    session.get().map(|_| "found")
}

#[get("/write")]
fn write(session: Session<User>) -> Found {
    session.update(|user| user.count += 1).map(|_| "found")
}

#[get("/start/three")]
fn start_three(user: Session<User>, cart: Session<Counter<1>>, theme: Session<Counter<2>>) {
    user.set(Counter::NEW);
    cart.set(Counter::NEW);
    theme.set(Counter::NEW);
}

#[get("/read/three")]
fn read_three(user: Session<User>, cart: Session<Counter<1>>, theme: Session<Counter<2>>) -> Found {
    user.get().and(cart.get()).and(theme.get().map(|_| "found"))
}

#[get("/start/large")]
fn start_large(session: Session<Large>) {
    session.set(Large { count: FIRST_COUNT, text: "x".repeat(LARGE) });
}

#[get("/read/large")]
fn read_large(session: Session<Large>) -> Found {
    session.get().map(|_| "found")
}

#[get("/write/large")]
fn write_large(session: Session<Large>) -> Found {
    session.update(|large| large.count += 1).map(|_| "found")
}
