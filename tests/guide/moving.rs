//! `docs/moving.md`: which changes of a configuration log out, and how sessions move to another type.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::figment::Figment;
use rocket::http::Header;
use rocket::local::asynchronous::Client;
use rocket::{Data, Request, async_trait, get, routes};
use rocket_typed_sessions::storage::Memory;
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Lifetime, Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

use crate::support::*;

/// The type that sessions of `User` move to.
#[derive(Clone, Serialize, Deserialize)]
struct Account {
    id: String,
}

impl SessionData for Account {
    const NAME: &'static str = "account";

    fn owner(&self) -> Option<Cow<'_, str>> {
        Some(self.id.as_str().into())
    }
}

#[get("/login")]
fn login(session: Session<User>) {
    session.set_lifetime(Lifetime::BrowserSession).expect("a lifetime");
    session.login(user("ann"));
}

#[get("/read")]
fn read(session: Session<User>) -> String {
    let absence = || format!("{:?}", session.absence().expect("nobody"));
    session.get().map_or_else(absence, |user| user.id.clone())
}

#[get("/change")]
fn change(session: Session<User>) {
    session.update(|user| user.count += 1);
}

#[get("/end")]
fn end(session: Session<User>) {
    session.clear();
}

#[get("/account")]
fn account(session: Session<Account>) -> String {
    session.get().map_or("nobody".into(), |it| format!("{} {:?}", it.id, session.lifetime()))
}

#[get("/logout")]
fn logout(session: Session<Account>) {
    session.clear();
}

struct Move;

#[async_trait]
impl Fairing for Move {
    fn info(&self) -> Info {
        Info { name: "former sessions", kind: Kind::Request }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        let Some(former) = request.guard::<Session<User>>().await.succeeded() else { return };
        let Some(user) = former.get() else { return };
        let Some(session) = request.guard::<Session<Account>>().await.succeeded() else { return };
        if session.get().is_none() {
            session.login(Account { id: user.id.clone() });
            let _ = session.set_lifetime(former.lifetime());
        }
        former.clear();
    }
}

async fn app(figment: Figment, storage: &Memory) -> Client {
    app_at(figment, storage, &Clock::new()).await
}

async fn app_at(figment: Figment, storage: &Memory, clock: &Clock) -> Client {
    let sessions = Sessions::fairing().storage("kept", storage.clone()).clock(clock);
    client(figment, sessions, routes![login, read, change, end]).await
}

/// What `/read` says after a login before the change and a restart with it.
async fn after(before: Figment, change: Figment) -> String {
    let storage = Memory::new(10);
    let before = app(before, &storage).await;
    let cookie = sent(&before.get("/login").dispatch().await).expect("a token");
    text(&app(change, &storage).await, "/read", &cookie).await
}

#[tokio::test]
async fn what_logs_out_and_what_does_not() {
    let kept = figment("kept");
    for (key, value, expected) in [
        ("idle_timeout", "1 day", "ann"),
        ("cookie.same_site", "strict", "ann"),
        ("cookie.max_age", "1 day", "ann"),
        ("max_payload", "1 KiB", "ann"),
        ("app", "shop", "Invalid"),
        ("name", "sid", "NotPresented"),
        ("cookie.prefix", "host", "NotPresented"),
        ("storage", "memory", "Ended"),
        ("storage", "client", "Invalid"),
        ("secret", OTHER_KEY, "Invalid"),
    ] {
        let change = kept.clone().merge((format!("sessions.user.{key}"), value));
        assert_eq!(after(kept.clone(), change).await, expected, "{key}");
    }
    let client = figment("client");
    assert_eq!(after(client.clone(), kept).await, "Invalid");
    let signed = client.clone().merge(("sessions.user.protect", "sign"));
    assert_eq!(after(client, signed).await, "Invalid");
}

#[tokio::test]
async fn a_shorter_timeout_counts_for_the_sessions_that_are_there() {
    for place in ["kept", "client"] {
        let (storage, clock) = (Memory::new(10), Clock::new());
        let before = app_at(figment(place), &storage, &clock).await;
        let cookie = sent(&before.get("/login").dispatch().await).expect("a token");
        clock.advance(Duration::from_secs(2 * 86_400));
        let shorter = figment(place).merge(("sessions.user.idle_timeout", "1 day"));
        let after = app_at(shorter, &storage, &clock).await;
        assert_eq!(text(&after, "/read", &cookie).await, "Ended", "{place}");
    }
}

#[tokio::test]
async fn a_folder_of_sessions_can_be_copied() {
    let kinds: &[_] =
        if cfg!(feature = "sqlite") { &["directory", "sqlite"] } else { &["directory"] };
    for kind in kinds {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| {
            let path = folder.path().join(name).join("sessions");
            fs::create_dir_all(folder.path().join(name)).expect("a folder");
            figment("memory")
                .merge(("sessions.user.storage", BTreeMap::from([("type", kind)])))
                .merge(("sessions.user.storage.path", path))
        };
        let storage = Memory::new(10);
        let before = app(at("one"), &storage).await;
        let cookie = sent(&before.get("/login").dispatch().await).expect("a token");
        drop(before);
        copy(&folder.path().join("one"), &folder.path().join("two"));
        assert_eq!(text(&app(at("two"), &storage).await, "/read", &cookie).await, "ann", "{kind}");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// After a change of the cookie's path or domain, a browser has both cookies.
#[tokio::test]
async fn a_cookie_with_the_former_path_stays_good_on_the_client_only() {
    for (place, changed, out, again) in
        [("kept", "ann", "Ended", "ann"), ("client", "ann", "ann", "Ended")]
    {
        let node = app(figment(place), &Memory::new(10)).await;
        let former = sent(&with_cookie(&node, "/login", "").await).expect("a token");
        let new = sent(&with_cookie(&node, "/change", &former).await).unwrap_or(former.clone());
        let both = format!("{new}; {former}");
        assert_eq!(text(&node, "/read", &both).await, changed, "{place}: one session");
        with_cookie(&node, "/end", &both).await;
        assert_eq!(text(&node, "/read", &former).await, out, "{place}: after the logout");
        let login = sent(&with_cookie(&node, "/login", &former).await).expect("a token");
        let both = format!("{login}; {former}");
        assert_eq!(text(&node, "/read", &both).await, again, "{place}: after a login");
    }
}

async fn get<'c>(
    client: &'c Client,
    uri: &str,
    cookies: &[String],
) -> rocket::local::asynchronous::LocalResponse<'c> {
    client.get(uri.to_owned()).header(Header::new("Cookie", cookies.join("; "))).dispatch().await
}

#[tokio::test]
async fn sessions_move_to_another_type_storage_and_name() {
    for (from, to) in [("client", "memory"), ("memory", "client"), ("kept", "memory")] {
        let figment = figment(from).merge(("sessions.account.storage", to));
        let sessions = Sessions::fairing().storage("kept", Memory::new(10));
        let rocket = rocket::custom(figment).attach(sessions).attach(Move);
        let rocket = rocket.mount("/", routes![login, read, account, logout]);
        let client = Client::untracked(rocket).await.expect("a valid configuration");
        let former = cookies(&get(&client, "/login", &[]).await);
        let moved = get(&client, "/account", &former).await;
        let sent = cookies(&moved);
        assert!(sent.contains(&"user=".into()), "{sent:?}: the former cookie is removed");
        let now: Vec<_> = sent.into_iter().filter(|it| it.starts_with("account=")).collect();
        assert_eq!(moved.into_string().await.as_deref(), Some("ann BrowserSession"));
        let page = get(&client, "/account", &now).await;
        assert!(cookies(&page).is_empty(), "it moves once");
        assert_eq!(page.into_string().await.as_deref(), Some("ann BrowserSession"));
        get(&client, "/logout", &now).await;
        let page = get(&client, "/account", if from == "client" { &[] } else { &former }).await;
        assert_eq!(page.into_string().await.as_deref(), Some("nobody"), "{from} to {to}");
    }
}
