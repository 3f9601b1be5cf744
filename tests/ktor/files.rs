//! A folder of sessions that a Ktor server uses too.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{SessionError, SessionId, Sessions};

use crate::app::*;

#[tokio::test]
async fn a_directory_is_shared_with_a_ktor_server_both_ways() {
    let dir = tempfile::tempdir().expect("a folder");
    let client = client(figment(&in_directory(dir.path())), Sessions::fairing()).await;
    // What a Ktor server wrote, under ids of every age.
    for id in
        ["id1", "0123456789abcdef", &"ab".repeat(16), &"cd".repeat(32), "custom-Identity_22chars"]
    {
        let file = write_file(dir.path(), id, "{\"userId\":\"ktors\",\"cart\":[\"a\"]}");
        let cookie = signed_id(id);
        assert_eq!(text(&client, "/get", &cookie).await, "ktors a", "{id}");
        assert_eq!(text(&client, "/get", id).await, "absent", "an id that is not signed");
        let response = with(&client, "/add/b", &cookie).await;
        assert_eq!(sent(&response), None, "the id stays");
        let content = std::fs::read_to_string(&file).expect("the file");
        assert_eq!(
            content, "{\"userId\":\"ktors\",\"cart\":[\"a\",\"b\"]}",
            "raw, as Ktor reads it"
        );
        // Ktor writes in place.
        std::fs::write(&file, "{\"userId\":\"ktors\",\"cart\":[]}").expect("a file");
        assert_eq!(text(&client, "/add/c", &cookie).await, "ktors c", "{id}");
        assert_eq!(text(&client, "/id", &cookie).await, id);
        let removal = with(&client, "/clear", &cookie).await;
        assert_eq!(sent(&removal).as_deref(), Some(""));
        assert!(!file.exists(), "Ktor sees the logout");
        assert_eq!(text(&client, "/get", &cookie).await, "absent");
    }
    assert_eq!(walk(dir.path()), Vec::<PathBuf>::new(), "empty folders are gone");

    // What Ktor will read.
    let cookie = sent(&client.get("/set/ann").dispatch().await).expect("a token");
    let id = cookie.split("%2F").next().expect("an id");
    assert_eq!((id.len(), signed_id(id)), (64, cookie.clone()));
    let content = std::fs::read_to_string(file_of(dir.path(), id)).expect("the file");
    assert_eq!(content, ANN);

    // Another user: another id, and the old file is gone. So it is on renewal.
    for uri in ["/set/bob", "/renew"] {
        let cookie = sent(&client.get("/set/ann").dispatch().await).expect("a token");
        let old = file_of(dir.path(), cookie.split("%2F").next().expect("an id"));
        let new = sent(&with(&client, uri, &cookie).await).expect("a new id");
        assert!(!old.exists(), "{uri}");
        assert_eq!(text(&client, "/get", &cookie).await, "absent", "{uri}");
        let expected = if uri == "/renew" { "ann " } else { "bob " };
        assert_eq!(text(&client, "/get", &new).await, expected);
    }
}

#[tokio::test]
async fn a_file_nobody_used_is_over_after_the_idle_timeout() {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = Clock::new();
    let lines = and(in_directory(dir.path()), &[("idle_timeout", "1 hour".into())]);
    let client = client(lines, Sessions::fairing().clock(&clock)).await;
    let cookie = sent(&client.get("/set/ann").dispatch().await).expect("a token");
    for _ in 0..3 {
        clock.advance(Duration::from_secs(3599));
        assert_eq!(text(&client, "/get", &cookie).await, "ann ", "use keeps it alive");
    }
    // A tenth more: a use that soon after another one leaves the file's time as it is.
    clock.advance(Duration::from_secs(3960));
    assert_eq!(text(&client, "/get", &cookie).await, "absent");
}

#[tokio::test]
async fn ktors_format_has_no_room_for_a_lifetime_of_a_sessions_own() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in [figment(&in_directory(dir.path())), figment(&encrypted())] {
        let client = client(figment, Sessions::fairing()).await;
        let cookie = sent(&client.get("/set/ann").dispatch().await).expect("a token");
        let said = text(&client, "/lifetime", &cookie).await;
        assert!(said.starts_with("Err(Unsupported(") && said.ends_with(", Configured"), "{said}");
        assert_eq!(text(&client, "/get", &cookie).await, "ann ");
    }
}

#[tokio::test]
async fn a_touch_that_is_asked_for_reaches_ktors_file_and_polling_does_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = Clock::new();
    let lines = and(in_directory(dir.path()), &[("idle_timeout", "1 hour".into())]);
    let client = client(lines, Sessions::fairing().clock(&clock)).await;
    let cookie = sent(&client.get("/set/ann").dispatch().await).expect("a token");
    clock.advance(Duration::from_secs(60));
    with(&client, "/touch", &cookie).await;
    for _ in 0..3 {
        clock.advance(Duration::from_secs(1319));
        assert_eq!(text(&client, "/poll", &cookie).await, "ann ");
    }
    clock.advance(Duration::from_secs(3));
    assert_eq!(text(&client, "/poll", &cookie).await, "absent");
}

#[tokio::test]
async fn sessions_are_revoked_by_ktors_id_and_concurrent_updates_in_a_process_are_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let client = Arc::new(client(figment(&in_directory(dir.path())), Sessions::fairing()).await);
    let cookie = sent(&client.get("/set/ann").dispatch().await).expect("a token");
    let all: Vec<_> = (0..30)
        .map(|n| {
            let (client, cookie) = (Arc::clone(&client), cookie.clone());
            tokio::spawn(async move { text(&client, &format!("/add/i{n}"), &cookie).await })
        })
        .collect();
    for one in all {
        one.await.expect("no panic");
    }
    let after = text(&client, "/get", &cookie).await;
    assert_eq!(after.split(',').count(), 30, "{after}");

    let sessions = client.rocket().state::<Sessions>().expect("managed").of::<UserSession>();
    let id: SessionId = cookie.split("%2F").next().expect("an id").parse().expect("an id");
    assert!(sessions.revoke_id(&id).await.expect("an answer"));
    assert_eq!(text(&client, "/get", &cookie).await, "absent");
    let listed = sessions.list("ann").await;
    let unsupported = matches!(listed, Err(SessionError::Unsupported(_)));
    assert!(unsupported, "files have no index of owners: {listed:?}");
}
