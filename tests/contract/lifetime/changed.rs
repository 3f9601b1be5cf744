//! Sessions with a lifetime of their own: what it does, and when it goes.

use std::time::Duration;

use super::*;
use crate::support::*;

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
