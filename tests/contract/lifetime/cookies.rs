//! Cookies that end before their session.

use std::time::Duration;

use rocket::{get, routes};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Lifetime, Session, Sessions};

use crate::support::*;

#[tokio::test]
async fn c7_a_cookie_that_ends_before_its_session_goes_out_with_every_write() {
    let clock = Clock::new();
    let figment = figment("memory").merge(("sessions.user.cookie.max_age", "1 hour"));
    let client = client_with(figment, Sessions::fairing().clock(&clock), vec![]).await;
    let token = logged_in(&client, "ann").await;
    // As long as the user comes back within the hour, the browser has the cookie.
    let mut cookie_ends = 3600;
    for minute in (5..300).step_by(5) {
        clock.advance(Duration::from_secs(300));
        assert!(minute * 60 < cookie_ends, "the browser has dropped the cookie at {minute}");
        let uri = if minute % 2 == 0 { "/count" } else { "/get" };
        if sent(&with_cookie(&client, uri, &token).await).is_some() {
            cookie_ends = minute * 60 + 3600;
        }
    }
}

#[tokio::test]
async fn c15_a_session_longer_than_any_cookie_sends_it_again_before_the_browser_drops_it() {
    const DAY: Duration = Duration::from_secs(86_400);
    for (max_age, own) in [(true, false), (false, true)] {
        let clock = Clock::new();
        let mut figment = figment("memory")
            .merge(("sessions.user.absolute_timeout", "1000 days"))
            .merge(("sessions.user.idle_timeout", "100 days"));
        if max_age {
            figment = figment.merge(("sessions.user.cookie.max_age", "1000 days"));
        }
        let fairing = Sessions::fairing().clock(&clock);
        let client = client_with(figment, fairing, routes![remember]).await;
        let response = client.get("/remember").dispatch().await;
        let token = sent(&response).expect("a token");
        let token = if own { token } else { logged_in(&client, "ann").await };
        let mut cookie_ends = 400;
        for day in 1..900 {
            clock.advance(DAY);
            assert!(day < cookie_ends, "the browser has dropped the cookie on day {day}");
            let response = with_cookie(&client, "/get", &token).await;
            if let Some(cookie) = response.headers().get_one("Set-Cookie") {
                assert!(cookie.contains("; Max-Age="), "{cookie}");
                cookie_ends = day + 400;
            }
            assert_eq!(response.into_string().await.as_deref(), Some("ann 0"), "day {day}");
        }
    }
}

#[get("/remember")]
fn remember(session: Session<User>) {
    session.login(user("ann"));
    let long = Lifetime::Idle(Duration::from_secs(200 * 86_400));
    session.set_lifetime(long).expect("some time");
}
