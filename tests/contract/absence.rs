//! Why there is no session (D18).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::figment::Figment;
use rocket::http::Header;
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::{get, routes};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, SessionData, SessionError, Sessions, TrySession};
use serde::{Deserialize, Serialize};

use crate::support::*;

/// An older schema of `User`.
#[derive(Clone, Serialize, Deserialize)]
struct Older {
    name: String,
}

impl SessionData for Older {
    const NAME: &'static str = "user";
}

#[get("/older")]
fn older(session: Session<Older>) {
    session.set(Older { name: "ann".into() });
}

fn explain<T: SessionData>(session: &Session<T>) -> String {
    session.absence().map_or_else(|| "found".into(), |absence| format!("{absence:?}"))
}

#[get("/why")]
fn why(session: Session<User>) -> String {
    explain(&session)
}

#[get("/why/<what>")]
async fn why_after(session: Session<User>, what: &str) -> Result<String, SessionError> {
    let before = session.absence();
    match what {
        "set" => session.set(user("ann")),
        "login" => session.login(user("eve")),
        "clear" => session.clear(),
        "renew" => session.renew(),
        "refresh" => drop(session.refresh().await?),
        "save" => {
            session.login(user("eve"));
            session.save().await?;
            session.clear();
            session.save().await?;
        }
        _ => session.discard(),
    }
    assert_eq!(session.absence(), before, "{what}");
    Ok(explain(&session))
}

#[get("/why-try")]
fn why_try(session: TrySession<User>) -> String {
    match session {
        TrySession::Present(session) => format!("present {}", explain(&session)),
        TrySession::Absent(session) => format!("absent {}", explain(&session)),
        TrySession::Unavailable(cause) => cause.to_string(),
    }
}

/// An application whose sessions travel in a cookie or a header.
struct World {
    client: Client,
    /// Its sessions, as an older version of the application writes them.
    older: Client,
    /// The same with other keys.
    foreign: Client,
    clock: Clock,
    in_header: bool,
}

impl World {
    async fn new(figment: Figment, in_header: bool) -> Self {
        let figment = if in_header {
            let figment = figment.merge(("sessions.user.transport", "header"));
            figment.merge(("sessions.user.name", "X-User"))
        } else {
            figment
        };
        let (clock, storage) = (Clock::new(), faulty());
        let fairing = || {
            let fairing = Sessions::fairing().clock(&clock);
            fairing.storage("shared", storage.clone()).storage("revoked", storage.clone())
        };
        let routes = routes![why, why_after, why_try];
        let client = client_with(figment.clone(), fairing(), routes).await;
        let other = rocket::custom(figment.clone()).attach(fairing()).mount("/", routes![older]);
        let foreign = figment.merge(("sessions.secret", OTHER_KEY));
        Self {
            client,
            older: Client::untracked(other).await.expect("a rocket"),
            foreign: client_with(foreign, fairing(), routes![]).await,
            clock: clock.clone(),
            in_header,
        }
    }

    /// A new session's token.
    async fn token(&self, client: &Client, uri: &str) -> String {
        let response = client.get(uri.to_owned()).dispatch().await;
        self.sent(&response).expect("a token")
    }

    fn sent(&self, response: &LocalResponse<'_>) -> Option<String> {
        if self.in_header {
            return response.headers().get_one("X-User").map(str::to_owned);
        }
        sent(response)?.strip_prefix("user=").map(str::to_owned)
    }

    /// A request with these values.
    async fn ask(&self, uri: &str, values: &[&str]) -> LocalResponse<'_> {
        let mut request = self.client.get(uri.to_owned());
        for value in values {
            let value = (*value).to_owned();
            request.add_header(if self.in_header {
                Header::new("X-User", value)
            } else {
                Header::new("Cookie", format!("user={value}"))
            });
        }
        request.dispatch().await
    }

    async fn why(&self, values: &[&str]) -> String {
        self.ask("/why", values).await.into_string().await.expect("a body")
    }
}

/// Every way to keep a session, and whether tokens are protected and ends remembered.
fn worlds() -> Vec<(&'static str, Figment, bool, bool)> {
    let plain = |storage| {
        figment(storage)
            .merge(("sessions.user.protect", "none"))
            .merge(("sessions.user.allow_insecure", true))
    };
    vec![
        ("encrypted", figment("client"), true, false),
        ("signed", figment("client").merge(("sessions.user.protect", "sign")), true, false),
        ("revocable", figment("client").merge(("sessions.user.revocation", "revoked")), true, true),
        ("plain", plain("client"), false, false),
        ("by id", figment("shared"), true, true),
        ("by plain id", plain("shared"), false, true),
    ]
}

const NOT_PRESENTED: &str = "NotPresented";
const ENDED: &str = "Ended";
const INVALID: &str = "Invalid";

#[tokio::test]
async fn d18_a_handler_can_tell_why_there_is_no_session() {
    for (place, figment, protected, remembered) in worlds() {
        for in_header in [false, true] {
            let world = World::new(figment.clone(), in_header).await;
            let row = format!("{place}, in a header: {in_header}");
            let by_id = place.contains("id");
            let login = async || world.token(&world.client, "/login/ann").await;
            let live = login().await;
            assert_eq!(world.why(&[]).await, NOT_PRESENTED, "{row}");
            assert_eq!(world.why(&[&live]).await, "found", "{row}");
            let half = &live[..live.len() / 2];
            for value in ["", "x", "%zz", "{}", half, &"A".repeat(9000)] {
                assert_eq!(world.why(&[value]).await, INVALID, "{row}: {value:.40}");
            }

            let foreign = world.token(&world.foreign, "/login/ann").await;
            // Both applications keep their sessions in one storage.
            let expected = if protected { INVALID } else { "found" };
            assert_eq!(world.why(&[&foreign]).await, expected, "{row}: foreign");

            let ended = live;
            world.ask("/clear", &[&ended]).await;
            let expected = if remembered { ENDED } else { "found" };
            assert_eq!(world.why(&[&ended]).await, expected, "{row}: ended");
            if by_id && !protected {
                // Nobody can tell it from one that was given out.
                let mut bytes = URL_SAFE_NO_PAD.decode(&ended).expect("base64url");
                *bytes.last_mut().expect("an id") ^= 1;
                bytes[10] ^= 1;
                let never = URL_SAFE_NO_PAD.encode(bytes);
                assert_eq!(world.why(&[&never]).await, ENDED, "{row}: never given");
            }

            if by_id || remembered {
                let old = login().await;
                let response = world.ask("/renew", &[&old]).await;
                let new = world.sent(&response).expect("a token");
                assert_eq!(world.why(&[&old]).await, ENDED, "{row}: moved on");
                assert_eq!(world.why(&[&new]).await, "found", "{row}: moved on");
            }

            // What was never protected may have been written by anybody.
            let older = world.token(&world.older, "/older").await;
            let expected = if protected || by_id { ENDED } else { INVALID };
            assert_eq!(world.why(&[&older]).await, expected, "{row}: an older schema");

            let old = login().await;
            world.clock.advance(Duration::from_secs(100 * 86_400));
            assert_eq!(world.why(&[&old]).await, ENDED, "{row}: expired");
        }
    }
}

#[tokio::test]
async fn d18_of_several_values_the_best_one_counts() {
    for (place, figment, protected, _) in worlds() {
        let world = World::new(figment, false).await;
        let expired = world.token(&world.client, "/login/ann").await;
        world.clock.advance(Duration::from_secs(100 * 86_400));
        let (ann, bob) = (
            world.token(&world.client, "/login/ann").await,
            world.token(&world.client, "/login/bob").await,
        );
        for (values, expected) in [
            (&["x", "y"][..], INVALID),
            (&["x", &expired], ENDED),
            (&[&expired, "x"], ENDED),
            (&["x", &expired, &ann], "found"),
            (&[&ann, &ann], "found"),
            (&[&ann, &bob], ENDED),
            (&[&ann, &bob, "x"], ENDED),
            (&[&expired, "1", "2", "3"], ENDED),
            // They are not looked at.
            (&[&expired, "1", "2", "3", "4"], INVALID),
            (&[&ann, "1", "2", "3", "4"], INVALID),
        ] {
            assert_eq!(world.why(values).await, expected, "{place}, {protected}: {values:?}");
        }
    }
    // Several lines of one header are one value.
    for (_, figment, ..) in worlds() {
        let world = World::new(figment, true).await;
        let token = world.token(&world.client, "/login/ann").await;
        assert_eq!(world.why(&[&token, &token]).await, INVALID);
    }
}

#[tokio::test]
async fn d18_it_stays_the_same_whatever_the_request_does() {
    for (place, figment, ..) in worlds() {
        for what in ["read", "set", "login", "clear", "renew", "refresh", "save", "discard"] {
            let world = World::new(figment.clone(), false).await;
            let expired = world.token(&world.client, "/login/ann").await;
            world.clock.advance(Duration::from_secs(100 * 86_400));
            let live = world.token(&world.client, "/login/ann").await;
            for (values, expected) in [
                (&[][..], NOT_PRESENTED),
                (&["x"], INVALID),
                (&[&expired], ENDED),
                (&[&live], "found"),
            ] {
                let response = world.ask(&format!("/why/{what}"), values).await;
                let body = response.into_string().await;
                assert_eq!(body.as_deref(), Some(expected), "{place}: {what}");
            }
        }
    }
}

/// Status, headers and body.
async fn whole(response: LocalResponse<'_>) -> (u16, Vec<String>, Option<String>) {
    let headers = response.headers().iter().map(|header| header.to_string()).collect();
    (response.status().code, headers, response.into_string().await)
}

#[tokio::test]
async fn s24_d18_what_goes_out_does_not_tell_them_apart() {
    for (place, figment, ..) in worlds() {
        for in_header in [false, true] {
            let world = World::new(figment.clone(), in_header).await;
            let expired = world.token(&world.client, "/login/ann").await;
            world.clock.advance(Duration::from_secs(100 * 86_400));
            for uri in ["/get", "/count", "/renew", "/nowhere"] {
                let nothing = whole(world.ask(uri, &[]).await).await;
                for value in ["x", &expired] {
                    let presented = whole(world.ask(uri, &[value]).await).await;
                    assert_eq!(presented, nothing, "{place} {uri} {value}");
                }
            }
            // Whoever presents a token is told to forget it, whatever it was.
            let invalid = whole(world.ask("/clear", &["x"]).await).await;
            let ended = whole(world.ask("/clear", &[&expired]).await).await;
            assert_eq!(invalid, ended, "{place}");
        }
    }
}

#[tokio::test]
async fn d18_try_session_explains_its_absence() {
    let world = World::new(figment("shared"), false).await;
    let ask = async |values: &[&str]| {
        world.ask("/why-try", values).await.into_string().await.expect("a body")
    };
    let token = world.token(&world.client, "/login/ann").await;
    assert_eq!(ask(&[&token]).await, "present found");
    world.ask("/clear", &[&token]).await;
    assert_eq!(ask(&[&token]).await, "absent Ended");
    assert_eq!(ask(&[]).await, "absent NotPresented");
    assert_eq!(ask(&["x"]).await, "absent Invalid");
}
