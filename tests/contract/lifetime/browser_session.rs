//! Sessions that end with the browser.

use super::*;
use crate::support::*;

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
