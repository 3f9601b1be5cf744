//! Logins, renewals and lifetimes, from a session's beginning to its end. For any
//! storage: what the contract says of one, it says of all.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use rocket::figment::Figment;
use rocket::form::FromForm;
use rocket::http::{ContentType, Header, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::tokio::sync::Notify;
use rocket::{State, get, post, routes};
use rocket_typed_sessions::storage::SessionStorage;
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{
    Absence, CsrfForm, Lifetime, Session, SessionData, SessionError, SessionId, Sessions,
};
use serde::{Deserialize, Serialize};

const HOUR: Duration = Duration::from_secs(3600);
/// So long a session that a login replaced says so.
const REPLACED: Duration = Duration::from_secs(120);
const GRACE: Duration = Duration::from_secs(30);
const MOMENT: Duration = Duration::from_millis(1);

fn a_moment_less(time: Duration) -> Duration {
    time.saturating_sub(MOMENT)
}

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
        "clear" => session.clear(),
        "renew" => session.renew(),
        "reauthenticate" => session.reauthenticate(),
        "refresh" => drop(session.refresh().await?),
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

struct App {
    client: Arc<Client>,
    clock: Clock,
    gate: Arc<Gate>,
}

impl App {
    async fn new(storage: impl SessionStorage, lines: &[(&str, &str)]) -> Self {
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
        let rocket = rocket.mount("/", routes![page, login, perform, late, id, end, sessions_of]);
        let client = Client::untracked(rocket).await.expect("a valid configuration");
        Self { client: Arc::new(client), clock, gate }
    }

    async fn get<'c>(&'c self, uri: &str, cookie: &str) -> LocalResponse<'c> {
        let request = self.client.get(uri.to_owned());
        request.header(Header::new("Cookie", cookie.to_owned())).dispatch().await
    }

    async fn text(&self, uri: &str, cookie: &str) -> String {
        self.get(uri, cookie).await.into_string().await.unwrap_or_default()
    }

    /// What a request shows, and the cookie that it sends.
    async fn both(&self, uri: &str, cookie: &str) -> (String, Option<String>) {
        let response = self.get(uri, cookie).await;
        let sent = sent(&response);
        (response.into_string().await.unwrap_or_default(), sent)
    }

    /// A visitor's cookie, and the token of the form.
    async fn visit(&self) -> (String, String) {
        let (form, cookie) = self.both("/page", "").await;
        (cookie.expect("a session"), form)
    }

    async fn post(&self, id: &str, cookie: &str, form: &str) -> (Status, Option<String>) {
        let body = format!("id={id}&csrf_token={form}");
        let request = self.client.post("/login").header(ContentType::Form).body(body);
        let response = request.header(Header::new("Cookie", cookie.to_owned())).dispatch().await;
        (response.status(), sent(&response))
    }

    async fn log_in(&self, id: &str, (cookie, form): &(String, String)) -> String {
        let (status, cookie) = self.post(id, cookie, form).await;
        assert_eq!(status, Status::Ok);
        cookie.expect("the login's cookie")
    }

    /// What a request says that held its session while `meanwhile` happened, and the
    /// cookie that it sends.
    async fn late<R>(
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

/// D15: nothing that was held before a login is worth anything after it, and nothing
/// from before ends it.
pub async fn a_login_begins_another_session(storage: impl SessionStorage + Clone) {
    let app = App::new(storage, &[]).await;
    for what in ["clear", "count", "begin", "renew", "refresh", "touch"] {
        let visitor = app.visit().await;
        let (said, login) =
            app.late(what, &visitor.0, async || app.log_in("ann", &visitor).await).await;
        assert_ne!(login, visitor.0);
        let (said, cookie) = said;
        // Only an end is told: of what it ended, which the browser may have no more.
        let expected = if what == "clear" { Some("user=") } else { None };
        assert_eq!(cookie.as_deref(), expected, "{what}: {said}");
        let ended = ["count", "begin", "renew", "touch"].contains(&what);
        assert_eq!(said.contains("Ended"), ended, "{what}: {said}");
        assert_eq!(app.text("/do/nothing", &login).await, "ann 0", "{what}");
        // Not even a late touch prolongs what the login left.
        app.clock.advance(REPLACED);
        assert!(app.both("/do/begin", &visitor.0).await.1.is_some(), "{what}");
    }
    // By its id, too.
    let visitor = app.visit().await;
    let former = app.text("/id", &visitor.0).await;
    let login = app.log_in("ann", &visitor).await;
    assert_ne!(former, app.text("/id", &login).await);
    assert_eq!(app.text(&format!("/end/{former}"), "").await, "false");
    assert_eq!(app.text("/do/nothing", &login).await, "ann 0");
    assert_eq!(app.both("/do/begin", &visitor.0).await, ("ended".into(), None));
}

/// D23: what a login has replaced is nobody and begins nothing but a login, for two
/// minutes.
pub async fn what_a_login_replaced_overwrites_nothing(storage: impl SessionStorage + Clone) {
    let app = App::new(storage, &[]).await;
    let visitor = app.visit().await;
    let login = app.log_in("ann", &visitor).await;
    app.clock.advance(a_moment_less(REPLACED));
    for what in ["nothing", "count", "begin", "renew", "clear", "touch", "refresh", "remember"] {
        let shown = app.both(&format!("/do/{what}"), &visitor.0).await;
        assert_eq!(shown, ("ended".into(), None), "{what}");
    }
    let (form, cookie) = app.both("/page", &visitor.0).await;
    assert_eq!((form.is_empty(), cookie), (false, None), "the form of the second click");
    let (status, second) = app.post("ann", &visitor.0, &visitor.1).await;
    assert_eq!(status, Status::Ok, "a double click");
    let second = second.expect("a session of its own");
    let (status, third) = app.post("ann", &visitor.0, &form).await;
    assert_eq!((status, third.is_some()), (Status::Ok, true));
    for cookie in [&login, &second] {
        assert_eq!(app.text("/do/count", cookie).await, "ann 0");
        let beside = format!("{}; {cookie}", visitor.0);
        assert_eq!(app.text("/do/nothing", &beside).await, "ann 1", "beside a live one");
    }
    // A form from before the login is no form of the login's.
    let (status, _) = app.post("ann", &login, &visitor.1).await;
    assert_eq!(status, Status::Forbidden);
    app.clock.advance(MOMENT);
    let (shown, cookie) = app.both("/do/begin", &visitor.0).await;
    assert_eq!(shown, "ended");
    assert!(cookie.is_some(), "it begins a session, as anybody does");
}

/// D7, D23: a login takes the place of what it replaces, and a double click the place
/// of the first one.
pub async fn a_limit_locks_nobody_out(storage: impl SessionStorage + Clone) {
    for policy in ["refuse", "end-oldest"] {
        let lines = [("max_sessions_per_owner", "1"), ("owner_limit_policy", policy)];
        let app = App::new(storage.clone(), &lines).await;
        let owner = format!("carol of {policy}").replace([' ', '-'], "_");
        let visitor = app.visit().await;
        let first = app.log_in(&owner, &visitor).await;
        let second = app.log_in(&owner, &visitor).await;
        assert_eq!(app.text("/do/nothing", &first).await, "ended", "{policy}");
        assert_eq!(app.text("/do/nothing", &second).await, format!("{owner} 0"), "{policy}");
        // Over the session itself, with its own form.
        let form = app.text("/page", &second).await;
        let third = app.log_in(&owner, &(second.clone(), form)).await;
        assert_eq!(app.text("/do/nothing", &third).await, format!("{owner} 0"), "{policy}");
        assert_eq!(app.text(&format!("/sessions/{owner}"), "").await, "1", "{policy}");
        // Somebody else's visit is another session.
        let other = app.visit().await;
        let (status, _) = app.post(&owner, &other.0, &other.1).await;
        assert_eq!(status == Status::Ok, policy == "end-oldest");
        assert_eq!(app.text(&format!("/sessions/{owner}"), "").await, "1", "{policy}");
    }
}

/// D22: a client that loses the answer with its next id is not logged out.
pub async fn a_renewal_that_is_not_received_logs_nobody_out(storage: impl SessionStorage + Clone) {
    let lines = [("renew_after", "1 hour"), ("renewal_grace", "30 seconds")];
    let app = App::new(storage, &lines).await;
    let visitor = app.visit().await;
    let old = app.log_in("ann", &visitor).await;
    let form = app.text("/page", &old).await;
    app.clock.advance(HOUR);
    let (_, next) = app.both("/do/nothing", &old).await;
    let next = next.expect("the next id");
    for count in 0..3 {
        let (shown, again) = app.both("/do/count", &old).await;
        assert_eq!((shown, again.as_ref()), (format!("ann {count}"), Some(&next)));
        app.clock.advance(HOUR);
    }
    assert_eq!(app.both("/do/nothing", &next).await, ("ann 3".into(), None));
    app.clock.advance(a_moment_less(GRACE));
    assert_eq!(app.both("/do/count", &old).await, ("ann 3".into(), None));
    app.clock.advance(MOMENT);
    for what in ["nothing", "begin", "clear", "renew"] {
        assert_eq!(app.both(&format!("/do/{what}"), &old).await, ("ended".into(), None));
    }
    // Forms in other tabs stay good, also over `reauthenticate`, but not over `renew`.
    let (_, proven) = app.both("/do/reauthenticate", &next).await;
    let proven = proven.expect("a new id at once");
    assert_eq!(app.both("/do/nothing", &next).await, ("ended".into(), None));
    let (_, renewed) = app.both("/do/renew", &proven).await;
    let renewed = renewed.expect("a new id at once");
    assert_eq!(app.post("ann", &renewed, &form).await.0, Status::Forbidden);
    // Who still holds the id before gets a login form that holds for that id.
    let (form, cookie) = app.both("/page", &proven).await;
    assert_eq!((form.is_empty(), cookie), (false, None));
    assert_eq!(app.post("ann", &renewed, &form).await.0, Status::Forbidden);
    assert!(app.post("ann", &proven, &form).await.1.is_some());
    let fresh = app.text("/page", &renewed).await;
    assert_eq!(app.post("ann", &renewed, &fresh).await.0, Status::Ok);
}

/// D9, D16: a lifetime of the session's own, and who prolongs it.
pub async fn a_session_lives_as_long_as_it_says(storage: impl SessionStorage + Clone) {
    let app = App::new(storage, &[]).await;
    let visitor = app.visit().await;
    let cookie = app.log_in("ann", &visitor).await;
    let lives = async || app.text("/do/poll", &cookie).await == "ann 0";
    // Two hours since the last use, and at most ten minutes more.
    for _ in 0..3 {
        app.clock.advance(a_moment_less(2 * HOUR));
        assert_eq!(app.text("/do/touch", &cookie).await, "ann 0");
    }
    app.clock.advance(a_moment_less(2 * HOUR));
    assert!(lives().await, "polling is no use");
    app.clock.advance(HOUR / 6 + MOMENT);
    assert!(!lives().await);

    let cookie = app.log_in("ann", &app.visit().await).await;
    let lives = async || app.text("/do/poll", &cookie).await == "ann 0";
    assert_eq!(app.text("/do/remember", &cookie).await, "ann 0");
    app.clock.advance(29 * 24 * HOUR);
    assert!(lives().await, "the box is ticked");
    assert_eq!(app.text("/do/forget", &cookie).await, "ann 0");
    app.clock.advance(a_moment_less(2 * HOUR));
    assert!(lives().await);
    app.clock.advance(HOUR);
    assert!(!lives().await, "it is unticked again");
}

/// Everything above.
pub async fn from_login_to_end(storage: impl SessionStorage + Clone) {
    a_login_begins_another_session(storage.clone()).await;
    what_a_login_replaced_overwrites_nothing(storage.clone()).await;
    a_limit_locks_nobody_out(storage.clone()).await;
    a_renewal_that_is_not_received_logs_nobody_out(storage.clone()).await;
    a_session_lives_as_long_as_it_says(storage).await;
}
