//! What a request is told of a lifetime that it sets, and which lifetimes are refused.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rocket::http::Status;
use rocket::{get, routes};
use rocket_typed_sessions::{Lifetime, Session, SessionError, Sessions};

use super::*;
use crate::concurrency::storages;
use crate::support::*;

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
