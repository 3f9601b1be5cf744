//! How long sessions live, and sessions with a lifetime of their own.

mod browser_session;
mod changed;
mod cookies;
mod timeouts;
mod told;

use std::time::{Duration, SystemTime};

use rocket::figment::Figment;
use rocket::http::Status;
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::{Route, State, get, routes};
use rocket_typed_sessions::storage::Timestamp;
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Lifetime, Session, SessionError, Sessions};

use crate::concurrency::storages;
use crate::support::*;

pub const HOUR: u64 = 3600;

pub const DAY: u64 = 24 * HOUR;

/// A tenth of the idle timeout, which is an hour.
pub const TOUCH: u64 = HOUR / 10;

/// Makes the calls, one after the other: `idle.60+login.ann`. Answers with the
/// session as this request leaves it: `ann 0, Idle(60s), 3600 s`.
#[get("/do/<calls>")]
async fn perform(
    session: Session<User>,
    calls: &str,
    clock: &State<Clock>,
) -> Result<String, SessionError> {
    for call in calls.split('+') {
        let (name, value) = call.split_once('.').unwrap_or((call, ""));
        let number = || Duration::from_millis(value.parse().expect("milliseconds"));
        match name {
            "idle" => session.set_lifetime(Lifetime::Idle(number()))?,
            "until" => session.set_lifetime(Lifetime::Until(time(clock.now()) + number()))?,
            "browser" => session.set_lifetime(Lifetime::BrowserSession)?,
            "configured" => session.set_lifetime(Lifetime::Configured)?,
            "login" => session.login(user(value)),
            "set" => session.set(user(value)),
            "count" => drop(session.update(|user| user.count += 1)),
            "touch" => session.touch(),
            "skip" => session.skip_touch(),
            "renew" => session.renew(),
            "clear" => session.clear(),
            "discard" => session.discard(),
            "save" => session.save().await?,
            "refresh" => drop(session.refresh().await?),
            "fail" => return Err(SessionError::Random),
            other => panic!("no call {other}"),
        }
    }
    Ok(told(&session, clock))
}

fn time(at: Timestamp) -> SystemTime {
    at.to_system_time().expect("a time")
}

pub fn told(session: &Session<User>, clock: &Clock) -> String {
    let lifetime = match session.lifetime() {
        Lifetime::Until(end) => {
            format!("Until({:?})", end.duration_since(time(clock.now())).unwrap_or_default())
        }
        lifetime => format!("{lifetime:?}"),
    };
    let rest = session.expires_at().map_or_else(
        || "never".into(),
        |end| format!("{} s", end.duration_since(time(clock.now())).unwrap_or_default().as_secs()),
    );
    format!("{}, {lifetime}, {rest}", show(session))
}

pub async fn application(figment: Figment, more: Vec<Route>) -> (Client, Clock) {
    let clock = Clock::new();
    let figment = figment
        .merge(("sessions.user.idle_timeout", "1 hour"))
        .merge(("sessions.user.absolute_timeout", "10 days"));
    let rocket = build(figment, Sessions::fairing().clock(&clock), routes![perform]);
    let rocket = rocket.mount("/", more).manage(clock.clone());
    (Client::untracked(rocket).await.expect("a valid configuration"), clock)
}

async fn at(place: &str) -> (Client, Clock) {
    application(figment(place), vec![]).await
}

/// What a response says of its session's cookie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cookie {
    /// It sends none.
    None,
    /// It lasts for so many seconds.
    For(u64),
    /// It lasts until the browser is closed.
    ForBrowser,
}

/// A browser with one session.
pub struct Browser<'c> {
    pub client: &'c Client,
    pub token: String,
    /// Of the last response.
    pub status: Status,
    /// Of the last response.
    pub cookie: Cookie,
}

impl<'c> Browser<'c> {
    pub fn new(client: &'c Client) -> Self {
        Self { client, token: String::new(), status: Status::Ok, cookie: Cookie::None }
    }

    pub async fn ask(&mut self, uri: &str) -> String {
        let response = with_cookie(self.client, uri, &self.token).await;
        self.status = response.status();
        self.cookie = cookie(&response);
        if let Some(sent) = sent(&response) {
            self.token = sent;
        }
        response.into_string().await.unwrap_or_default()
    }

    pub async fn calls(&mut self, calls: &str) -> String {
        let text = self.ask(&format!("/do/{calls}")).await;
        assert_eq!(self.status, Status::Ok, "{calls}: {text}");
        text
    }

    pub async fn reads(&mut self) -> String {
        self.ask("/get").await
    }
}

fn cookie(response: &LocalResponse<'_>) -> Cookie {
    let Some(cookie) = response.headers().get_one("Set-Cookie") else { return Cookie::None };
    let age = cookie.split("; ").find_map(|attribute| attribute.strip_prefix("Max-Age="));
    age.map_or(Cookie::ForBrowser, |age| Cookie::For(age.parse().expect("seconds")))
}

/// Everywhere, with names for messages.
pub fn everywhere(dir: &std::path::Path) -> Vec<(String, Figment)> {
    let all = [figment("client")].into_iter().chain(storages(dir));
    let name = |figment: &Figment| format!("{:?}", figment.find_value("sessions.user.storage"));
    all.map(|figment| (name(&figment), figment)).collect()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A millisecond less.
pub fn just_before(seconds: u64) -> Duration {
    Duration::from_millis(seconds * 1000 - 1)
}
