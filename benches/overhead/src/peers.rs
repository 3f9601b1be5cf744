//! The same sessions by others. Where a peer wants bytes, it gets the JSON that this crate
//! writes.

use std::path::Path;
use std::time::Duration;

use overhead::bare::{FIRST_COUNT, Found, figment};
use rocket::http::private::cookie::CookieBuilder;
use rocket::http::{Cookie, CookieJar};
use rocket::{Build, Rocket, get, routes};
use rocket_flex_session::RocketFlexSession;
use rocket_flex_session::storage::cookie::CookieStorage;
use rocket_session_store::memory::MemoryStore;
use rocket_session_store::{Session as StoreSession, SessionResult, SessionStore};
use serde::{Deserialize, Serialize};

const NEW: User = User { user_id: 42, count: FIRST_COUNT };
const DAY: Duration = Duration::from_hours(24);

#[derive(Clone, Serialize, Deserialize)]
struct User {
    user_id: u32,
    count: u32,
}

/// Rocket's private cookies.
pub fn private(_: &Path) -> Rocket<Build> {
    rocket::custom(figment()).mount("/", routes![private::start, private::read, private::write])
}

mod private {
    use super::{Cookie, CookieJar, Found, NEW, User, get};

    fn user(jar: &CookieJar<'_>) -> Option<User> {
        serde_json::from_str(jar.get_private("user")?.value()).ok()
    }

    fn put(jar: &CookieJar<'_>, user: &User) {
        jar.add_private(Cookie::new("user", serde_json::to_string(user).expect("a JSON object")));
    }

    #[get("/start")]
    pub fn start(jar: &CookieJar<'_>) {
        put(jar, &NEW);
    }

    #[get("/read")]
    pub fn read(jar: &CookieJar<'_>) -> Found {
        user(jar).map(|_| "found")
    }

    #[get("/write")]
    pub fn write(jar: &CookieJar<'_>) -> Found {
        let mut user = user(jar)?;
        user.count += 1;
        put(jar, &user);
        Some("found")
    }
}

/// `rocket_flex_session` with its sessions in memory.
pub fn flex_memory(_: &Path) -> Rocket<Build> {
    flex_routes(RocketFlexSession::<User>::default())
}

/// `rocket_flex_session` with its sessions in private cookies.
pub fn flex_cookie(_: &Path) -> Rocket<Build> {
    flex_routes(RocketFlexSession::<User>::builder().storage(CookieStorage::default()).build())
}

fn flex_routes(fairing: RocketFlexSession<User>) -> Rocket<Build> {
    rocket::custom(figment())
        .attach(fairing)
        .mount("/", routes![flex::start, flex::read, flex::write])
}

mod flex {
    use rocket_flex_session::Session;

    use super::{Found, NEW, User, get};

    #[get("/start")]
    pub fn start(mut session: Session<'_, User>) {
        session.set(NEW);
    }

    #[get("/read")]
    pub fn read(session: Session<'_, User>) -> Found {
        session.get().map(|_| "found")
    }

    #[get("/write")]
    pub fn write(mut session: Session<'_, User>) -> Found {
        session.tap_mut(|user| {
            let user = user.as_mut()?;
            user.count += 1;
            Some("found")
        })
    }
}

/// `rocket-session-store` with its sessions in memory.
pub fn store(_: &Path) -> Rocket<Build> {
    let store = SessionStore::<User> {
        store: Box::new(MemoryStore::new()),
        name: "user".into(),
        duration: DAY,
        cookie_builder: CookieBuilder::new("", ""),
    };
    rocket::custom(figment())
        .attach(store.fairing())
        .mount("/", routes![store::start, store::read, store::write])
}

mod store {
    use super::{Found, NEW, SessionResult, StoreSession, User, get};

    #[get("/start")]
    pub async fn start(session: StoreSession<'_, User>) -> SessionResult<()> {
        session.set(NEW).await
    }

    #[get("/read")]
    pub async fn read(session: StoreSession<'_, User>) -> SessionResult<Found> {
        Ok(session.get().await?.map(|_| "found"))
    }

    #[get("/write")]
    pub async fn write(session: StoreSession<'_, User>) -> SessionResult<Found> {
        let Some(mut user) = session.get().await? else { return Ok(None) };
        user.count += 1;
        session.set(user).await?;
        Ok(Some("found"))
    }
}
