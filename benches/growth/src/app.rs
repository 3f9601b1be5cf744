//! The application whose requests are measured.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use overhead::bare::{FIRST_COUNT, Found, figment};
use rocket::tokio::sync::Barrier;
use rocket::{Build, Rocket, State, get, routes};
use rocket_typed_sessions::storage::{Memory, SessionStorage};
use rocket_typed_sessions::{
    Session, SessionData, SessionError, SessionHandle, Sessions, SessionsFairing,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const SECRET: &str = "hex:1b3d5f7092a4c6e8f0e1d2c3b4a5968778695a4b3c2d1e0f9f8e7d6c5b4a3920";
const TYPES: [&str; 8] = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
/// More than the largest figure needs.
const CAPACITY: usize = 2_000_000;

/// Where the sessions are.
#[derive(Clone, Copy)]
pub enum Place {
    Memory,
    /// In an encrypted cookie.
    Cookie,
}

impl Place {
    pub fn app(self) -> Rocket<Build> {
        match self {
            Self::Memory => {
                let app = on(Memory::new(CAPACITY));
                let figment = app.figment().clone().merge(("sessions.text.max_payload", 200_000));
                app.configure(figment)
            }
            Self::Cookie => configured(Sessions::fairing(), &json!("client")),
        }
    }
}

/// Sessions in a storage that is already there.
pub fn on(storage: impl SessionStorage) -> Rocket<Build> {
    configured(Sessions::fairing().storage("there", storage), &json!("there"))
}

/// The same for writers that wait for all others.
pub fn together(storage: impl SessionStorage, all: Arc<Barrier>) -> Rocket<Build> {
    on(storage).manage(all).mount("/", routes![write_together])
}

/// Sessions in a storage as Rocket.toml has it.
pub fn configured(fairing: SessionsFairing, storage: &Value) -> Rocket<Build> {
    let names = TYPES.into_iter().chain([Text::NAME, Login::NAME]);
    let figment = names.fold(figment(), |figment, name| {
        // Under valgrind, an operation takes fifty times as long.
        figment
            .merge((format!("sessions.{name}.storage"), storage))
            .merge((format!("sessions.{name}.storage_timeout"), 59))
    });
    let figment = figment.merge(("sessions.secret", SECRET)).merge(("sessions.app", "growth"));
    rocket::custom(figment)
        .attach(fairing)
        .manage(Turns::default())
        .mount("/", routes![start_types, read_1, read_2, read_4, read_8])
        .mount("/", routes![write_1, write_2, write_4, write_8])
        .mount("/", routes![start_text, read_text, write_text])
        .mount("/", routes![login, log_in, read_login, devices, everywhere, device, handles])
}

/// One of eight session types.
#[derive(Clone, Serialize, Deserialize)]
struct Counter<const N: usize> {
    user_id: u32,
    count: u32,
}

impl<const N: usize> Counter<N> {
    const NEW: Self = Self { user_id: 42, count: FIRST_COUNT };
}

impl<const N: usize> SessionData for Counter<N> {
    const NAME: &'static str = TYPES[N];
}

type Type<const N: usize> = Session<Counter<N>>;

fn has<const N: usize>(session: &Type<N>) -> bool {
    session.get().is_some()
}

fn add<const N: usize>(session: &Type<N>) -> bool {
    session.update(|counter| counter.count += 1).is_some()
}

fn found(is_found: bool) -> Found {
    is_found.then_some("found")
}

/// Begins the sessions of the first `n` types.
#[rustfmt::skip] // two rows
#[get("/start/types/<n>")]
#[expect(clippy::too_many_arguments, clippy::many_single_char_names)]
fn start_types(
    n: usize,
    a: Type<0>, b: Type<1>, c: Type<2>, d: Type<3>,
    e: Type<4>, f: Type<5>, g: Type<6>, h: Type<7>,
) {
    let starts: [&dyn Fn(); 8] = [
        &|| a.set(Counter::NEW), &|| b.set(Counter::NEW), &|| c.set(Counter::NEW), &|| d.set(Counter::NEW),
        &|| e.set(Counter::NEW), &|| f.set(Counter::NEW), &|| g.set(Counter::NEW), &|| h.set(Counter::NEW),
    ];
    starts.iter().take(n).for_each(|start| start());
}

#[get("/read/types/1")]
fn read_1(a: Type<0>) -> Found {
    found(has(&a))
}

#[get("/read/types/2")]
fn read_2(a: Type<0>, b: Type<1>) -> Found {
    found(has(&a) && has(&b))
}

#[get("/read/types/4")]
fn read_4(a: Type<0>, b: Type<1>, c: Type<2>, d: Type<3>) -> Found {
    found(has(&a) && has(&b) && has(&c) && has(&d))
}

#[rustfmt::skip] // two rows
#[get("/read/types/8")]
#[expect(clippy::too_many_arguments, clippy::many_single_char_names)]
fn read_8(
    a: Type<0>, b: Type<1>, c: Type<2>, d: Type<3>,
    e: Type<4>, f: Type<5>, g: Type<6>, h: Type<7>,
) -> Found {
    found(has(&a) && has(&b) && has(&c) && has(&d) && has(&e) && has(&f) && has(&g) && has(&h))
}

#[get("/write/types/1")]
fn write_1(a: Type<0>) -> Found {
    found(add(&a))
}

#[get("/write/types/2")]
fn write_2(a: Type<0>, b: Type<1>) -> Found {
    found(add(&a) && add(&b))
}

#[get("/write/types/4")]
fn write_4(a: Type<0>, b: Type<1>, c: Type<2>, d: Type<3>) -> Found {
    found(add(&a) && add(&b) && add(&c) && add(&d))
}

#[rustfmt::skip] // two rows
#[get("/write/types/8")]
#[expect(clippy::too_many_arguments, clippy::many_single_char_names)]
fn write_8(
    a: Type<0>, b: Type<1>, c: Type<2>, d: Type<3>,
    e: Type<4>, f: Type<5>, g: Type<6>, h: Type<7>,
) -> Found {
    found(add(&a) && add(&b) && add(&c) && add(&d) && add(&e) && add(&f) && add(&g) && add(&h))
}

/// Counts one up when all concurrent writers have read the session.
#[get("/write/together")]
async fn write_together(session: Type<0>, all: &State<Arc<Barrier>>) -> Found {
    all.wait().await;
    found(add(&session))
}

/// A session of any size.
#[derive(Clone, Serialize, Deserialize)]
struct Text {
    count: u32,
    text: String,
}

impl SessionData for Text {
    const NAME: &'static str = "text";
}

#[get("/start/text/<bytes>")]
fn start_text(session: Session<Text>, bytes: usize) {
    session.set(Text { count: FIRST_COUNT, text: "x".repeat(bytes) });
}

#[get("/read/text")]
fn read_text(session: Session<Text>) -> Found {
    found(session.get().is_some())
}

#[get("/write/text")]
fn write_text(session: Session<Text>) -> Found {
    found(session.update(|text| text.count += 1).is_some())
}

/// A session with an owner.
#[derive(Clone, Serialize, Deserialize)]
struct Login {
    owner: String,
}

impl SessionData for Login {
    const NAME: &'static str = "login";

    fn owner(&self) -> Option<Cow<'_, str>> {
        Some(self.owner.as_str().into())
    }
}

/// Whose turn it is: each measured request is about the next owner.
#[derive(Default)]
struct Turns {
    next: AtomicU64,
    /// A handle of each owner.
    handles: Mutex<Vec<SessionHandle>>,
}

impl Turns {
    fn next(&self) -> (usize, String) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        (usize::try_from(turn).unwrap_or_default(), turn.to_string())
    }
}

#[get("/login/<owner>")]
fn login(session: Session<Login>, owner: String) {
    session.login(Login { owner });
}

#[get("/login")]
fn log_in(session: Session<Login>, turns: &State<Turns>) {
    session.login(Login { owner: turns.next().1 });
}

#[get("/read/login")]
fn read_login(session: Session<Login>) -> Found {
    found(session.get().is_some())
}

#[get("/devices")]
async fn devices(session: Session<Login>, sessions: &Sessions) -> Result<Found, SessionError> {
    let Some(login) = session.get() else { return Ok(None) };
    Ok(found(!sessions.of::<Login>().list(&login.owner).await?.is_empty()))
}

/// Ends all sessions of an owner.
#[get("/everywhere")]
async fn everywhere(sessions: &Sessions, turns: &State<Turns>) -> Result<Found, SessionError> {
    Ok(found(sessions.of::<Login>().revoke_owner(&turns.next().1).await? > 0))
}

/// Ends one session of an owner.
#[get("/device")]
async fn device(sessions: &Sessions, turns: &State<Turns>) -> Result<Found, SessionError> {
    let (turn, owner) = turns.next();
    let handle = turns.handles.lock().expect("no panic")[turn].clone();
    Ok(found(sessions.of::<Login>().revoke(&owner, &handle).await?))
}

/// Keeps a handle of each of so many owners.
#[get("/handles/<owners>")]
async fn handles(
    sessions: &Sessions,
    turns: &State<Turns>,
    owners: u64,
) -> Result<(), SessionError> {
    for owner in 0..owners {
        let listed = sessions.of::<Login>().list(&owner.to_string()).await?;
        turns.handles.lock().expect("no panic").push(listed[0].handle.clone());
    }
    Ok(())
}
