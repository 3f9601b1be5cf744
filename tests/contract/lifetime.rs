//! How long sessions live, and sessions with a lifetime of their own.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

#[tokio::test]
async fn s42_s43_idle_and_absolute_timeouts_end_a_session_wherever_it_lives() {
    let dir = tempfile::tempdir().expect("a folder");
    for (place, figment) in everywhere(dir.path()) {
        let (client, clock) = application(figment, vec![]).await;
        let mut browser = Browser::new(&client);
        browser.calls("login.ann").await;
        clock.advance(seconds(HOUR - 1));
        assert_eq!(browser.reads().await, "ann 0", "{place}");
        clock.advance(seconds(HOUR - 1));
        assert_eq!(browser.reads().await, "ann 0", "{place}: use keeps it alive");
        clock.advance(seconds(HOUR + TOUCH));
        assert_eq!(browser.reads().await, "absent", "{place}");

        browser.calls("login.ann").await;
        for minutes in (0..10 * 24 * 60).step_by(50) {
            assert_eq!(browser.reads().await, "ann 0", "{place} {minutes}");
            clock.advance(seconds(50 * 60));
            if minutes == 5000 {
                browser.calls("renew").await;
            }
        }
        assert_eq!(browser.reads().await, "absent", "{place}: ten days are over");
    }
}

/// T7: the idle timeout is a promise, whether the last use was written down or not.
#[tokio::test]
async fn s42_a_session_lives_for_its_idle_time_after_its_last_use_and_an_interval_more_at_most() {
    let dir = tempfile::tempdir().expect("a folder");
    for (place, figment) in everywhere(dir.path()) {
        let (client, clock) = application(figment, vec![]).await;
        for (lifetime, idle, interval) in [("configured", HOUR, TOUCH), ("idle.600000", 600, 60)] {
            for used in [0, 1, interval - 1, interval, 2 * interval - 1] {
                let mut browser = Browser::new(&client);
                browser.calls(&format!("{lifetime}+login.ann")).await;
                let Cookie::For(mut cookie_ends) = browser.cookie else { panic!("no Max-Age") };
                clock.advance(seconds(used));
                assert_eq!(browser.reads().await, "ann 0");
                if let Cookie::For(max_age) = browser.cookie {
                    cookie_ends = used + max_age;
                }
                assert!(cookie_ends >= used + idle, "{place} {lifetime} {used}: {cookie_ends}");
                clock.advance(just_before(idle));
                assert_eq!(browser.reads().await, "ann 0", "{place} {lifetime} {used}");
                clock.advance(seconds(idle + interval));
                assert_eq!(browser.reads().await, "absent", "{place} {lifetime} {used}");
            }
        }
    }
}

#[tokio::test]
async fn s42_an_unused_session_is_over_an_interval_after_its_idle_time_to_the_millisecond() {
    let dir = tempfile::tempdir().expect("a folder");
    for (place, figment) in everywhere(dir.path()) {
        let (client, clock) = application(figment, vec![]).await;
        for (lifetime, end) in
            [("configured", HOUR + TOUCH), ("browser", HOUR + TOUCH), ("idle.600000", 660)]
        {
            for (early, reads) in [(1, "ann 0"), (0, "absent")] {
                let mut browser = Browser::new(&client);
                browser.calls(&format!("{lifetime}+login.ann")).await;
                clock.advance(Duration::from_millis(end * 1000 - early));
                assert_eq!(browser.reads().await, reads, "{place} {lifetime} {early}");
            }
        }
    }
}

/// T3: whether it is said before or after the login.
#[tokio::test]
async fn d16_a_remembered_session_has_its_own_idle_time_and_its_cookie_lasts_as_long() {
    let said = [
        "idle.259200000+login.ann",
        "login.ann+idle.259200000",
        "set.ann+idle.259200000",
        "idle.259200000+set.ann",
        "idle.259200000+save+login.ann",
        "login.ann+save+idle.259200000",
    ];
    for place in PLACES {
        for (calls, configured) in
            said.into_iter().flat_map(|calls| [(calls, "session"), (calls, "1 hour")])
        {
            let figment = figment(place).merge(("sessions.user.cookie.max_age", configured));
            let (client, clock) = application(figment, vec![]).await;
            let mut browser = Browser::new(&client);
            browser.calls("login.ann").await;
            let plain = if configured == "1 hour" { Cookie::For(HOUR) } else { Cookie::ForBrowser };
            assert_eq!(browser.cookie, plain);

            let mut browser = Browser::new(&client);
            let rest = 3 * DAY + TOUCH;
            let text = browser.calls(calls).await;
            assert_eq!(text, format!("ann 0, Idle(259200s), {rest} s"), "{place} {calls}");
            let expected = if place == "client" { rest } else { 10 * DAY };
            assert_eq!(browser.cookie, Cookie::For(expected), "{place} {configured} {calls}");
            for _ in 0..3 {
                clock.advance(seconds(3 * DAY - 1));
                assert_eq!(browser.reads().await, "ann 0", "{place} {configured} {calls}");
            }
            clock.advance(seconds(3 * DAY));
            assert_eq!(browser.reads().await, "absent", "{place}: the absolute end");
        }
    }
}

#[tokio::test]
async fn d16_renewals_and_writes_keep_a_lifetime_and_a_later_login_begins_with_the_configured_one()
{
    for place in PLACES {
        let (client, clock) = at(place).await;
        let mut browser = Browser::new(&client);
        browser.calls("idle.7200000+login.ann").await;
        for calls in ["count", "renew", "renew+count", "set.ann", "touch"] {
            clock.advance(seconds(60));
            let text = browser.calls(calls).await;
            assert!(text.ends_with(", Idle(7200s), 7560 s"), "{place} {calls}: {text}");
        }
        for calls in ["login.ann", "set.bob", "login.ann+save+login.ann"] {
            browser.calls("idle.7200000").await;
            let text = browser.calls(calls).await;
            assert!(text.ends_with(" 0, Configured, 3960 s"), "{place} {calls}: {text}");
        }
    }
}

/// T4: ticked, and unticked again.
#[tokio::test]
async fn d16_a_lifetime_can_be_taken_back_and_its_cookie_goes_out() {
    for place in PLACES {
        let figment = figment(place).merge(("sessions.user.cookie.max_age", "2 hours"));
        let (client, clock) = application(figment, vec![]).await;
        let mut browser = Browser::new(&client);
        browser.calls("login.ann").await;
        clock.advance(seconds(5));
        // Nothing but the lifetime changes.
        for (calls, told, cookie) in [
            (
                "idle.86400000",
                "Idle(86400s), 86760 s",
                Cookie::For(if place == "client" { DAY + TOUCH } else { 10 * DAY - 5 }),
            ),
            ("browser", "BrowserSession, 3960 s", Cookie::ForBrowser),
            ("until.100000", "Until(100s), 100 s", Cookie::For(100)),
            ("configured", "Configured, 3960 s", Cookie::For(2 * HOUR)),
        ] {
            assert_eq!(browser.calls(calls).await, format!("ann 0, {told}"), "{place}");
            assert_eq!(browser.cookie, cookie, "{place} {calls}");
            // The record, or the token, says so too.
            assert_eq!(browser.calls("skip").await, format!("ann 0, {told}"), "{place}");
            assert_eq!(browser.cookie, Cookie::None, "{place} {calls}");
            browser.calls(calls).await;
            if !calls.starts_with("until") {
                assert_eq!(browser.cookie, Cookie::None, "{place} {calls}: it is so already");
            }
        }
        clock.advance(seconds(HOUR + TOUCH));
        assert_eq!(browser.reads().await, "absent", "{place}: the configured time again");
    }
}

/// T4: a session until a date.
#[tokio::test]
async fn d16_a_session_until_a_date_ends_then_used_or_not_and_its_cookie_with_it() {
    let dir = tempfile::tempdir().expect("a folder");
    for (place, figment) in everywhere(dir.path()) {
        let (client, clock) = application(figment, vec![]).await;
        let mut browser = Browser::new(&client);
        let text = browser.calls("until.7200500+login.ann").await;
        assert_eq!(text, "ann 0, Until(7200.5s), 7200 s");
        assert_eq!(browser.cookie, Cookie::For(7200), "{place}: not longer than the session");
        for _ in 0..71 {
            clock.advance(seconds(100));
            assert_eq!(browser.reads().await, "ann 0", "{place}");
            assert_eq!(browser.cookie, Cookie::None, "{place}: nothing to prolong");
        }
        let counted = browser.calls("count+touch").await;
        assert_eq!(counted, "ann 1, Until(100.5s), 100 s", "{place}");
        clock.advance(seconds(100));
        assert_eq!(browser.reads().await, "ann 1", "{place}");
        clock.advance(Duration::from_millis(500));
        assert_eq!(browser.reads().await, "absent", "{place}");

        // It outlives the idle timeout, and not the absolute one.
        let mut browser = Browser::new(&client);
        let text = browser.calls("login.ann+until.999999999999").await;
        assert_eq!(text, format!("ann 0, Until(999999999.999s), {} s", 10 * DAY), "{place}");
        assert_eq!(browser.cookie, Cookie::For(10 * DAY), "{place}");
        clock.advance(seconds(10 * DAY - 1));
        assert_eq!(browser.reads().await, "ann 0", "{place}");
        clock.advance(seconds(1));
        assert_eq!(browser.reads().await, "absent", "{place}");
    }
}

#[tokio::test]
async fn d16_a_browser_session_has_the_configured_timeouts_and_no_max_age() {
    for place in PLACES {
        let (client, clock) = at(place).await;
        let mut browser = Browser::new(&client);
        assert_eq!(browser.calls("browser+login.ann").await, "ann 0, BrowserSession, 3960 s");
        assert_eq!(browser.cookie, Cookie::ForBrowser, "{place}");
        clock.advance(seconds(HOUR - 1));
        browser.calls("count").await;
        let written = if place == "client" { Cookie::ForBrowser } else { Cookie::None };
        assert_eq!(browser.cookie, written, "{place}");
        browser.calls("renew").await;
        assert_eq!(browser.cookie, Cookie::ForBrowser, "{place}");
        clock.advance(seconds(HOUR + TOUCH));
        assert_eq!(browser.reads().await, "absent", "{place}");
    }
}

/// Where a cookie would end before its session, uses send it again.
#[tokio::test]
async fn d16_a_browser_session_is_not_sent_again_where_others_are() {
    let figment = figment("memory").merge(("sessions.user.cookie.max_age", "2 hours"));
    let (client, clock) = application(figment, vec![]).await;
    for (lifetime, expected) in [("configured", Cookie::For(2 * HOUR)), ("browser", Cookie::None)] {
        let mut browser = Browser::new(&client);
        browser.calls(&format!("login.ann+{lifetime}")).await;
        clock.advance(seconds(TOUCH));
        assert_eq!(browser.reads().await, "ann 0");
        assert_eq!(browser.cookie, expected, "{lifetime}");
    }
}

#[tokio::test]
async fn d16_a_shorter_time_of_its_own_is_refreshed_soon_enough_and_gone_with_a_login() {
    for place in PLACES {
        let (client, clock) = at(place).await;
        let mut browser = Browser::new(&client);
        browser.calls("login.ann+idle.60000").await;
        for _ in 0..20 {
            clock.advance(seconds(50));
            assert_eq!(browser.reads().await, "ann 0", "{place}: in use");
        }
        // A tenth of it, not of the configured one.
        clock.advance(seconds(5));
        browser.reads().await;
        assert_eq!(browser.cookie, Cookie::None, "{place}: not due");
        clock.advance(seconds(1));
        assert!(browser.calls("skip").await.ends_with(" 60 s"), "{place}");
        assert!(browser.calls("renew").await.ends_with(" 66 s"), "{place}: due");
        let mut before = Browser { token: browser.token.clone(), ..Browser::new(&client) };
        browser.calls("login.bob").await;
        clock.advance(seconds(66));
        assert_eq!(before.reads().await, "absent", "{place}");
        assert_eq!(browser.reads().await, "bob 0", "{place}: the configured time again");
    }
}

#[tokio::test]
async fn d16_a_lifetime_of_no_time_is_refused_and_changes_nothing() {
    for place in PLACES {
        let (client, clock) = at(place).await;
        for calls in ["idle.0", "until.0"] {
            let mut browser = Browser::new(&client);
            browser.calls("idle.7200000+login.ann").await;
            clock.advance(seconds(60));
            browser.ask(&format!("/do/{calls}")).await;
            assert_eq!(browser.status, Status::InternalServerError, "{place} {calls}");
            assert_eq!(browser.calls("touch").await, "ann 0, Idle(7200s), 7560 s", "{place}");
        }
    }
    let client = client_with(figment("memory"), Sessions::fairing(), routes![refused]).await;
    assert_eq!(client.get("/refused").dispatch().await.status(), Status::Ok);
}

#[get("/refused")]
fn refused(session: Session<User>) {
    session.login(user("ann"));
    session.set_lifetime(Lifetime::Idle(Duration::from_secs(60))).expect("some time");
    for lifetime in [
        Lifetime::Idle(Duration::ZERO),
        Lifetime::Until(UNIX_EPOCH),
        Lifetime::Until(SystemTime::now() - Duration::from_secs(1)),
    ] {
        let refused = session.set_lifetime(lifetime);
        assert!(matches!(refused, Err(SessionError::Lifetime(_))), "{refused:?}");
        assert_eq!(session.lifetime(), Lifetime::Idle(Duration::from_secs(60)));
    }
}

#[tokio::test]
async fn d16_the_limits_of_a_lifetime_harm_nobody() {
    let max = u64::MAX.to_string();
    for place in PLACES {
        for calls in [
            "idle.1",
            "idle.4294967296000",
            "until.1",
            "until.99999999999999",
            &format!("idle.{max}"),
        ] {
            let (client, clock) = at(place).await;
            let mut browser = Browser::new(&client);
            browser.calls(&format!("{calls}+login.ann")).await;
            assert_eq!(browser.reads().await, "ann 0", "{place} {calls}");
            clock.advance(seconds(10 * DAY));
            assert_eq!(browser.reads().await, "absent", "{place} {calls}");
        }
    }
}

/// T5: what the commit will do, in the request that changes it.
#[tokio::test]
async fn d16_a_lifetime_is_told_as_the_commit_will_leave_it() {
    for place in PLACES {
        let (client, _) = at(place).await;
        let mut browser = Browser::new(&client);
        for (calls, told) in [
            ("save", "absent, Configured, never"),
            ("idle.5000", "absent, Idle(5s), never"),
            ("idle.5000+discard", "absent, Configured, never"),
            ("idle.5000+clear", "absent, Configured, never"),
            ("idle.5000+clear+login.ann", "ann 0, Configured, 3960 s"),
            ("idle.5000+save+discard+login.ann", "ann 0, Idle(5s), 5 s"),
            ("idle.5000+save+clear+login.ann", "ann 0, Configured, 3960 s"),
            ("login.ann", "ann 0, Configured, 3960 s"),
            ("idle.20000", "ann 0, Idle(20s), 22 s"),
            ("idle.50000+discard", "ann 0, Idle(20s), 22 s"),
            ("idle.50000+save+discard", "ann 0, Idle(50s), 55 s"),
            ("idle.60000+login.bob", "bob 0, Idle(60s), 66 s"),
            ("idle.70000+save+login.bob", "bob 0, Idle(70s), 77 s"),
            ("login.bob+idle.80000+save+login.ann", "ann 0, Idle(80s), 88 s"),
            ("login.bob+idle.80000+save+configured+login.ann", "ann 0, Configured, 3960 s"),
            ("clear", "absent, Configured, never"),
        ] {
            assert_eq!(browser.calls(calls).await, told, "{place} {calls}");
        }
        // A 5xx takes it back.
        browser.calls("login.ann").await;
        browser.ask("/do/idle.5000+fail").await;
        assert_eq!(browser.status, Status::InternalServerError);
        assert_eq!(browser.calls("skip").await, "ann 0, Configured, 3960 s", "{place}");
    }
}

/// A request changes its session's lifetime while another one writes.
#[tokio::test]
async fn d16_a_lifetime_survives_a_conflict() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        let (client, _) = application(figment, vec![]).await;
        let mut one = Browser::new(&client);
        one.calls("login.ann").await;
        let mut two = Browser { token: one.token.clone(), ..Browser::new(&client) };
        tokio::join!(one.calls("idle.60000"), two.calls("count"));
        assert_eq!(one.calls("skip").await, "ann 1, Idle(60s), 66 s");
    }
}

/// One request; the browser keeps what it is given.
async fn visit(client: &Client, token: &mut String) -> String {
    let response = with_cookie(client, "/get", token).await;
    if let Some(sent) = sent(&response) {
        *token = sent;
    }
    response.into_string().await.expect("a body")
}

#[tokio::test]
async fn a_clock_that_jumps_harms_a_session_no_more_than_time_would() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in [figment("client")].into_iter().chain(storages(dir.path())) {
        let clock = Clock::new();
        let client = client_with(figment, Sessions::fairing().clock(&clock), vec![]).await;
        let start = clock.now();
        let mut token = logged_in(&client, "ann").await;

        // Back by less than clocks of two machines may differ: all goes on.
        clock.set(Timestamp::from_millis(start.as_millis() - 59_000));
        assert_eq!(visit(&client, &mut token).await, "ann 0");
        let mut counted = token.clone();
        if let Some(sent) = sent(&with_cookie(&client, "/count", &token).await) {
            counted = sent;
        }
        assert_eq!(visit(&client, &mut counted).await, "ann 1");

        // Back by more: it began in the future, and is no session until then.
        clock.set(Timestamp::from_millis(start.as_millis() - 61_000));
        assert_eq!(visit(&client, &mut counted).await, "absent");
        clock.set(Timestamp::ZERO);
        assert_eq!(visit(&client, &mut counted).await, "absent");
        clock.set(start);
        assert_eq!(visit(&client, &mut counted).await, "ann 1", "nothing was lost");

        // To the end of time and back.
        clock.set(Timestamp::from_millis(u64::MAX));
        assert_eq!(visit(&client, &mut counted).await, "absent");
        let last = client.get("/login/eve").dispatch().await;
        assert_eq!(last.status().code, 200, "a login is answered even then");
        clock.set(start);
        assert_eq!(visit(&client, &mut counted).await, "ann 1");
    }
}
