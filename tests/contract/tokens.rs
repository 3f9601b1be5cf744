//! Whatever bytes a client sends: an absent session, never an error.

use rocket::http::Status;
use rocket_typed_sessions::Sessions;

use crate::support::*;

#[tokio::test]
async fn s24_every_bad_token_gives_the_same_bytes_and_emits_nothing() {
    for place in PLACES {
        let client = client(figment(place)).await;
        let good = logged_in(&client, "ann").await;
        let other = client_of(place, OTHER_KEY).await;
        let foreign = logged_in(&other, "ann").await;
        let mut forged = good.clone();
        let last = forged.pop().expect("a token");
        forged.push(if last == 'A' { 'B' } else { 'A' });
        let huge = format!("user={}", "A".repeat(420_000));
        let cookies = [
            "",
            "user",
            "user=",
            "user=%zz",
            "user=AQMAAAAA",
            "user=\"\"",
            "user={}",
            "other=1",
            "=;=;;",
            &foreign,
            &forged,
            &huge,
            &good[..20],
        ];
        let mut bodies = Vec::new();
        for cookie in cookies {
            let response = with_cookie(&client, "/get", cookie).await;
            assert_eq!(response.status(), Status::Ok, "{place} {cookie:.30}");
            assert_eq!(sent(&response), None, "{place} {cookie:.30}");
            let headers: Vec<_> =
                response.headers().iter().map(|header| header.to_string()).collect();
            bodies.push((headers, response.into_string().await));
        }
        assert!(
            bodies.iter().all(|body| *body == bodies[0] && body.1.as_deref() == Some("absent")),
            "{place}"
        );
    }
}

async fn client_of(place: &str, key: &str) -> rocket::local::asynchronous::Client {
    client(figment(place).merge(("sessions.secret", key))).await
}

#[tokio::test]
async fn s10_one_distinct_valid_session_is_used_two_are_none() {
    for place in PLACES {
        let client = client(figment(place)).await;
        let (ann, bob) = (logged_in(&client, "ann").await, logged_in(&client, "bob").await);
        let both = format!("{ann}; {bob}");
        for (cookie, expected) in [
            (format!("{ann}; {ann}"), "ann 0"),
            (format!("user=evil; {ann}"), "ann 0"),
            (format!("{ann};user=evil"), "ann 0"),
            (format!("%75ser=evil; {ann}; \u{2000}user=evil; USER=evil"), "ann 0"),
            (both.clone(), "absent"),
            (format!("{ann}; user=1; user=2; user=3"), "ann 0"),
            (format!("{ann}; user=1; user=2; user=3; user=4"), "absent"),
        ] {
            assert_eq!(text(&client, "/get", &cookie).await, expected, "{place} {cookie}");
        }
        if place == "memory" {
            with_cookie(&client, "/clear", &both).await;
            assert_eq!(
                text(&client, "/get", &ann).await,
                "absent",
                "clear ends all that were presented"
            );
            assert_eq!(text(&client, "/get", &bob).await, "absent");
        }
    }
}

#[tokio::test]
async fn s32_a_session_under_the_old_key_is_read_and_reissued_under_the_new() {
    for place in PLACES {
        let dir = tempfile::tempdir().expect("a folder");
        let storage = |figment: rocket::figment::Figment| match place {
            "client" => figment,
            _ => figment
                .merge(("sessions.user.storage.type", "directory"))
                .merge(("sessions.user.storage.path", dir.path().to_string_lossy())),
        };
        let keys = |keys: Vec<&str>| storage(figment("client").merge(("sessions.secret", keys)));
        let old = client(keys(vec![KEY])).await;
        let token = logged_in(&old, "ann").await;
        let more = rocket::routes![crate::errors::fails];
        let both = client_with(keys(vec![OTHER_KEY, KEY]), Sessions::fairing(), more).await;
        let response = with_cookie(&both, "/fails/500/read", &token).await;
        assert_eq!(sent(&response), None, "nothing is re-issued on a 5xx");
        let response = with_cookie(&both, "/get", &token).await;
        let reissued = sent(&response).expect("a token under the new key");
        assert_eq!(response.into_string().await.as_deref(), Some("ann 0"), "{place}");
        let new = client(keys(vec![OTHER_KEY])).await;
        assert_eq!(text(&new, "/get", &token).await, "absent", "{place}");
        let response = with_cookie(&new, "/get", &reissued).await;
        assert_eq!(sent(&response), None, "only once");
        assert_eq!(response.into_string().await.as_deref(), Some("ann 0"), "{place}");
    }
}

#[tokio::test]
async fn s44_the_present_configuration_governs_old_tokens() {
    let dir = tempfile::tempdir().expect("a folder");
    let directory = figment("client")
        .merge(("sessions.user.storage.type", "directory"))
        .merge(("sessions.user.storage.path", dir.path().to_string_lossy()));
    for figment in [figment("client"), directory] {
        let token = logged_in(&client(figment.clone()).await, "ann").await;
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        let strict = client(figment.clone().merge(("sessions.user.idle_timeout", 1))).await;
        assert_eq!(text(&strict, "/get", &token).await, "absent");
        assert_eq!(text(&client(figment).await, "/get", &token).await, "ann 0");
    }
}
