//! Every use prolongs the session to the second, and polling does not.

use std::time::Duration;

use rocket_typed_sessions::Sessions;
use rocket_typed_sessions::testing::Clock;

use crate::recipes;
use crate::recipes::users::Users;
use crate::server::{Browser, Server, figment, serve};

const MINUTE: Duration = Duration::from_secs(60);

async fn kiosk(touch_after: &str) -> (Server, Browser, Clock) {
    let clock = Clock::new();
    let figment = figment().merge(("sessions.kiosk.touch_after", touch_after));
    let sessions = Sessions::fairing().clock(&clock);
    let (server, _) = serve::<Users>(recipes::build(figment, sessions)).await;
    let mut browser = server.browser();
    assert_eq!(browser.post("/rolling/login", "").await.status, 200);
    (server, browser, clock)
}

#[tokio::test]
async fn a_session_ends_to_the_second_after_its_last_use() {
    let (_server, mut browser, clock) = kiosk("0 seconds").await;
    for _ in 0..10 {
        clock.advance(14 * MINUTE + Duration::from_secs(59));
        assert_eq!(browser.get("/rolling").await.status, 200, "it is used, and lives");
    }
    clock.advance(15 * MINUTE);
    assert_eq!(browser.get("/rolling").await.status, 401);
}

#[tokio::test]
async fn a_page_that_goes_on_asking_does_not_keep_its_user_logged_in() {
    let (_server, mut browser, clock) = kiosk("0 seconds").await;
    for _ in 0..14 {
        clock.advance(MINUTE);
        assert_eq!(browser.get("/rolling/left").await.status, 200);
    }
    clock.advance(MINUTE);
    assert_eq!(browser.get("/rolling/left").await.status, 401);
}

#[tokio::test]
async fn the_button_prolongs_whatever_touch_after_says() {
    for (path, status) in [("GET /rolling", 401), ("POST /rolling/stay", 200)] {
        let (_server, mut browser, clock) = kiosk("10 minutes").await;
        clock.advance(5 * MINUTE);
        assert_eq!(browser.send(path, &[], "").await.status, 200);
        clock.advance(21 * MINUTE);
        assert_eq!(browser.get("/rolling/left").await.status, status, "{path}");
    }
}

#[tokio::test]
async fn the_page_can_tell_how_much_time_is_left() {
    let (_server, mut browser, _clock) = kiosk("0 seconds").await;
    for answer in [browser.get("/rolling").await, browser.get("/rolling/left").await] {
        let left = answer.body.strip_suffix(" seconds\n").and_then(|left| left.parse::<u32>().ok());
        assert!(left.is_some_and(|left| (890..=900).contains(&left)), "{}", answer.body);
    }
}
