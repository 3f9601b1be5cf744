//! A site with a login form, on a real port.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rocket::figment::Figment;
use rocket::form::FromForm;
use rocket::http::Status;
use rocket::response::Redirect;
use rocket::response::content::RawHtml;
use rocket::{Either, Shutdown, State, get, post, routes};
use rocket_typed_sessions::csrf::{CsrfForm, CsrfFormError};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, SessionData, SessionError, SessionId, Sessions};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::jar::{Browser, PATIENCE};
use crate::nodes::SECRET;
use crate::process::{Server, free_port};
use crate::redis::{redis, url};

#[derive(Clone, Default, Serialize, Deserialize)]
struct Visitor {
    user: Option<String>,
    seen: u32,
}

impl SessionData for Visitor {
    const NAME: &'static str = "visitor";

    fn owner(&self) -> Option<Cow<'_, str>> {
        self.user.as_deref().map(Cow::from)
    }
}

#[derive(FromForm)]
struct Login<'r> {
    user: &'r str,
}

#[derive(FromForm)]
struct Transfer {
    amount: u32,
}

/// Where requests with `wait` wait until the test lets them go on.
struct Gate(mpsc::UnboundedSender<oneshot::Sender<()>>);

impl Gate {
    async fn pass(&self, wait: bool) {
        if wait {
            let (open, opened) = oneshot::channel();
            let _ = self.0.send(open);
            let _ = opened.await;
        }
    }
}

type Page = Result<RawHtml<String>, SessionError>;

/// The login form. A session begins with it, which its token belongs to.
fn form(session: &Session<Visitor>, wait: bool, user: &str, more: &str) -> Page {
    session.get_or_insert_with(Visitor::default);
    let token = session.csrf_token()?.map(|token| token.to_string()).unwrap_or_default();
    Ok(RawHtml(format!(
        r#"<!doctype html><title>Log in</title>{more}
        <form method="post" action="/login?wait={wait}">
        <input name="user" value="{user}"><input type="hidden" name="csrf_token" value="{token}">
        <button>Log in</button></form>"#
    )))
}

#[get("/login?<wait>&<user>&<image>")]
fn page(session: Session<Visitor>, wait: bool, user: Option<&str>, image: Option<&str>) -> Page {
    let image = image.map(|does| format!(r#"<img src="/act/{does}?wait=true">"#));
    form(&session, wait, user.unwrap_or_default(), &image.unwrap_or_default())
}

/// Who is refused is shown the form again.
#[post("/login?<wait>", data = "<login>")]
async fn log_in(
    session: Session<Visitor>,
    gate: &State<Gate>,
    wait: bool,
    login: Result<CsrfForm<Visitor, Login<'_>>, CsrfFormError<'_>>,
) -> Either<Redirect, (Status, Page)> {
    gate.pass(wait).await;
    match login {
        Ok(login) => {
            session.login(Visitor { user: Some(login.user.into()), seen: 0 });
            Either::Left(Redirect::to("/"))
        }
        Err(_) => {
            Either::Right((Status::Forbidden, form(&session, false, "", "The form is too old.")))
        }
    }
}

#[get("/")]
fn home(session: Session<Visitor>) -> String {
    let visitor = session.get();
    visitor.and_then(|visitor| visitor.user.clone()).unwrap_or_else(|| "nobody".into())
}

/// An image, a script, a page: what it does to its session.
#[get("/act/<does>?<wait>")]
async fn act(
    session: Session<Visitor>,
    sessions: &Sessions,
    gate: &State<Gate>,
    does: &str,
    wait: bool,
) -> Result<String, SessionError> {
    let id = (does == "revoke").then(|| session.id()).flatten();
    gate.pass(wait).await;
    match does {
        "read" => {}
        "write" => drop(session.update(|visitor| visitor.seen += 1)),
        "save" => {
            session.update(|visitor| visitor.seen += 1);
            session.save().await?;
        }
        "begin" => drop(session.get_or_insert_with(Visitor::default)),
        "set" => session.set(Visitor::default()),
        "renew" => session.renew(),
        "clear" => session.clear(),
        "clear-and-set" => {
            session.clear();
            session.set(Visitor::default());
        }
        "touch" => session.touch(),
        "login" => session.login(Visitor { user: Some(mallory()), seen: 0 }),
        "revoke" => {
            if let Some(id) = id {
                sessions.of::<Visitor>().revoke_id(&id).await?;
            }
        }
        _ => panic!("{does}?"),
    }
    Ok(home(session))
}

/// An account of an attacker's.
fn mallory() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("mallory{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The id of the session.
#[get("/id")]
fn id(session: Session<Visitor>) -> String {
    session.id().map_or_else(String::new, |id| id.to_text())
}

/// Ends the session with an id.
#[get("/end/<id>")]
async fn end(sessions: &Sessions, id: &str) -> Result<String, SessionError> {
    let id: SessionId = id.parse().expect("an id");
    Ok(sessions.of::<Visitor>().revoke_id(&id).await?.to_string())
}

/// A form that moves money, and how often it has been used.
#[get("/transfer")]
fn transfer_form(session: Session<Visitor>) -> Page {
    let token = session.csrf_token()?.map(|token| token.to_string()).unwrap_or_default();
    Ok(RawHtml(format!(
        r#"<form method="post" action="/transfer"><input type="hidden" name="csrf_token" value="{token}"></form>"#
    )))
}

#[post("/transfer", data = "<transfer>")]
fn transfer(session: Session<Visitor>, transfer: CsrfForm<Visitor, Transfer>) -> String {
    let seen = session.update(|visitor| visitor.seen += 1);
    format!("{} {}", transfer.amount, seen.map_or(0, |visitor| visitor.seen))
}

/// A running site; it stops when dropped.
pub struct Site {
    pub port: u16,
    pub clock: Clock,
    pub name: &'static str,
    waiting: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
    shutdown: Shutdown,
    logins: u32,
}

impl Site {
    async fn launch(name: &'static str, figment: Figment) -> Self {
        let (port, clock) = (free_port(), Clock::new());
        let (gate, waiting) = mpsc::unbounded_channel();
        let figment = Figment::from(rocket::Config::default())
            .select("release")
            .merge(("port", port))
            .merge(("log_level", std::env::var("TEST_LOG").unwrap_or("off".into())))
            .merge(("shutdown.ctrlc", false))
            .merge(("shutdown.grace", 0))
            .merge(("shutdown.mercy", 0))
            .merge(("sessions.secret", SECRET))
            .merge(("sessions.app", "browser"))
            // Many tests run at once.
            .merge(("sessions.visitor.storage_timeout", "30 seconds"))
            .merge(figment);
        let rocket = rocket::custom(figment)
            .attach(Sessions::fairing().clock(&clock))
            .manage(Gate(gate))
            .mount("/", routes![page, log_in, home, act, id, end, transfer_form, transfer])
            .ignite()
            .await
            .expect("a valid configuration");
        let shutdown = rocket.shutdown();
        tokio::spawn(rocket.launch());
        let started = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(started.elapsed() < PATIENCE, "the site does not answer");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self { port, clock, name, waiting, shutdown, logins: 0 }
    }

    pub fn browser(&self) -> Browser {
        Browser::new(self.port)
    }

    /// The next request has come to where it waits. Sending lets it go on.
    pub async fn waits(&mut self) -> oneshot::Sender<()> {
        let next = timeout(PATIENCE, self.waiting.recv()).await;
        next.expect("a request in time").expect("a request")
    }

    /// Somebody who has no session yet.
    pub fn somebody(&mut self) -> String {
        self.logins += 1;
        format!("user{}", self.logins)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.shutdown.clone().notify();
    }
}

/// The site on every storage, and what the storages need.
pub struct Sites {
    pub all: Vec<Site>,
    _redis: Server,
    _folder: tempfile::TempDir,
}

/// The site in the process's memory alone.
pub async fn in_memory(more: Figment) -> Site {
    Site::launch("memory", Figment::from(("sessions.visitor.storage", "memory")).merge(more)).await
}

impl Sites {
    pub async fn new(more: Figment) -> Self {
        let (redis, folder) = (redis(&[]), tempfile::tempdir().expect("a folder"));
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let storage = |kind: &str, key: &str, value: String| {
            Figment::from(("sessions.visitor.storage.type", kind))
                .merge((format!("sessions.visitor.storage.{key}"), value))
                .merge(more.clone())
        };
        let all = vec![
            in_memory(more.clone()).await,
            Site::launch("directory", storage("directory", "path", path("files"))).await,
            Site::launch("SQLite", storage("sqlite", "path", path("database"))).await,
            Site::launch("Redis", storage("redis", "url", url(redis.port))).await,
        ];
        Self { all, _redis: redis, _folder: folder }
    }
}
