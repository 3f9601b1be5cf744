//! An application with a login form, on any storage.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use rocket::figment::Figment;
use rocket::form::FromForm;
use rocket::http::{ContentType, Header, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::tokio::sync::Notify;
use rocket::{State, get, post, routes};
use rocket_typed_sessions::csrf::CsrfForm;
use rocket_typed_sessions::storage::SessionStorage;
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{
    Absence, Lifetime, Session, SessionData, SessionError, SessionId, Sessions,
};
use serde::{Deserialize, Serialize};

pub const HOUR: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: Option<String>,
    count: u32,
}

impl SessionData for User {
    const NAME: &'static str = "user";

    fn owner(&self) -> Option<Cow<'_, str>> {
        self.id.as_deref().map(Cow::Borrowed)
    }
}

fn user(id: &str) -> User {
    User { id: Some(id.into()), count: 0 }
}

#[derive(FromForm)]
struct Login {
    id: String,
}

/// Lets the test act while a request holds its session.
#[derive(Default)]
struct Gate(Notify, Notify);

/// The page with the login form: it needs a session for its CSRF token.
#[get("/page")]
fn page(session: Session<User>) -> Result<String, SessionError> {
    session.get_or_insert_with(|| User { id: None, count: 0 });
    Ok(session.csrf_token()?.map(|token| token.to_string()).unwrap_or_default())
}

#[post("/login", data = "<form>")]
fn login(session: Session<User>, form: CsrfForm<User, Login>) {
    session.login(user(&form.id));
}

#[get("/do/<what>")]
async fn perform(session: Session<User>, what: &str) -> Result<String, SessionError> {
    let shown = shown(&session);
    act(&session, what).await?;
    Ok(shown)
}

/// Loads its session, and acts on it later.
#[get("/late/<what>")]
async fn late(session: Session<User>, what: &str, gate: &State<Arc<Gate>>) -> String {
    let _ = session.get();
    gate.0.notify_one();
    gate.1.notified().await;
    let acted = act(&session, what).await;
    let saved = session.save().await;
    format!("{:?} {:?}", acted.err(), saved.err())
}

#[get("/id")]
fn id(session: Session<User>) -> String {
    session.id().map(|id| id.to_text()).unwrap_or_default()
}

#[get("/end/<id>")]
async fn end(id: &str, sessions: &Sessions) -> Result<String, SessionError> {
    let id: SessionId = id.parse().expect("an id");
    Ok(sessions.of::<User>().revoke_id(&id).await?.to_string())
}

#[get("/sessions/<owner>")]
async fn sessions_of(owner: &str, sessions: &Sessions) -> Result<String, SessionError> {
    Ok(sessions.of::<User>().list(owner).await?.len().to_string())
}

#[get("/end-all/<owner>")]
async fn end_all(owner: &str, sessions: &Sessions) -> Result<String, SessionError> {
    Ok(sessions.of::<User>().revoke_owner(owner).await?.to_string())
}

fn shown(session: &Session<User>) -> String {
    match (session.get(), session.absence()) {
        (Some(user), _) => format!("{} {}", user.id.as_deref().unwrap_or("guest"), user.count),
        (None, Some(Absence::Ended)) => "ended".into(),
        (None, _) => "absent".into(),
    }
}

async fn act(session: &Session<User>, what: &str) -> Result<(), SessionError> {
    match what {
        "count" => drop(session.update(|user| user.count += 1)),
        "begin" => session.set(User { id: None, count: 7 }),
        "clear-and-begin" => {
            session.clear();
            session.set(User { id: None, count: 5 });
        }
        "clear" => session.clear(),
        "renew" => session.renew(),
        "reauthenticate" => session.reauthenticate(),
        "refresh" => drop(session.refresh().await?),
        "refresh-and-clear" => {
            session.refresh().await?;
            session.clear();
        }
        "refresh-and-login" => {
            session.refresh().await?;
            session.login(user("mallory"));
        }
        "login" => session.login(user("mallory")),
        "remember" => session.set_lifetime(Lifetime::Idle(30 * 24 * HOUR))?,
        "forget" => session.set_lifetime(Lifetime::Configured)?,
        "browser" => session.set_lifetime(Lifetime::BrowserSession)?,
        "touch" => session.touch(),
        "poll" => session.skip_touch(),
        _ => {}
    }
    Ok(())
}

pub struct App {
    client: Arc<Client>,
    pub clock: Clock,
    gate: Arc<Gate>,
}

impl App {
    pub async fn new(storage: impl SessionStorage, lines: &[(&str, &str)]) -> Self {
        let mut figment = Figment::from(rocket::Config::default())
            .select("release")
            .merge(("log_level", "off"))
            .merge(("sessions.app", "logins"))
            .merge((
                "sessions.secret",
                "hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978",
            ))
            .merge(("sessions.user.storage", "subject"))
            .merge(("sessions.user.idle_timeout", "2 hours"))
            .merge(("sessions.user.touch_after", "10 minutes"))
            .merge(("sessions.user.absolute_timeout", "90 days"));
        for (key, value) in lines {
            let key = format!("sessions.user.{key}");
            figment = match value.parse::<u32>() {
                Ok(number) => figment.merge((key, number)),
                Err(_) => figment.merge((key, *value)),
            };
        }
        let (clock, gate) = (Clock::new(), Arc::<Gate>::default());
        let fairing = Sessions::fairing().storage("subject", storage).clock(&clock);
        let rocket = rocket::custom(figment).attach(fairing).manage(Arc::clone(&gate));
        let rocket =
            rocket.mount("/", routes![page, login, perform, late, id, end, end_all, sessions_of]);
        let client = Client::untracked(rocket).await.expect("a valid configuration");
        Self { client: Arc::new(client), clock, gate }
    }

    async fn get<'c>(&'c self, uri: &str, cookie: &str) -> LocalResponse<'c> {
        let request = self.client.get(uri.to_owned());
        request.header(Header::new("Cookie", cookie.to_owned())).dispatch().await
    }

    pub async fn text(&self, uri: &str, cookie: &str) -> String {
        self.get(uri, cookie).await.into_string().await.unwrap_or_default()
    }

    /// What a request shows, and the cookie that it sends.
    pub async fn both(&self, uri: &str, cookie: &str) -> (String, Option<String>) {
        let response = self.get(uri, cookie).await;
        let sent = sent(&response);
        (response.into_string().await.unwrap_or_default(), sent)
    }

    /// A visitor's cookie, and the token of the form.
    pub async fn visit(&self) -> (String, String) {
        let (form, cookie) = self.both("/page", "").await;
        (cookie.expect("a session"), form)
    }

    pub async fn post(&self, id: &str, cookie: &str, form: &str) -> (Status, Option<String>) {
        let body = format!("id={id}&csrf_token={form}");
        let request = self.client.post("/login").header(ContentType::Form).body(body);
        let response = request.header(Header::new("Cookie", cookie.to_owned())).dispatch().await;
        (response.status(), sent(&response))
    }

    pub async fn log_in(&self, id: &str, (cookie, form): &(String, String)) -> String {
        let (status, cookie) = self.post(id, cookie, form).await;
        assert_eq!(status, Status::Ok);
        cookie.expect("the login's cookie")
    }

    /// What a request says that held its session while `meanwhile` happened, and the
    /// cookie that it sends.
    pub async fn late<R>(
        &self,
        what: &str,
        cookie: &str,
        meanwhile: impl AsyncFnOnce() -> R,
    ) -> ((String, Option<String>), R) {
        let (client, cookie) = (Arc::clone(&self.client), cookie.to_owned());
        let uri = format!("/late/{what}");
        let request = rocket::tokio::spawn(async move {
            let request = client.get(uri).header(Header::new("Cookie", cookie));
            let response = request.dispatch().await;
            let sent = sent(&response);
            (response.into_string().await.unwrap_or_default(), sent)
        });
        self.gate.0.notified().await;
        let result = meanwhile().await;
        self.gate.1.notify_one();
        (request.await.expect("no panic"), result)
    }
}

fn sent(response: &LocalResponse<'_>) -> Option<String> {
    let cookie = response.headers().get_one("Set-Cookie")?;
    cookie.split(';').next().map(str::to_owned)
}
