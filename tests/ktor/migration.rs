//! Sessions that are taken over from Ktor.

use std::sync::Arc;

use parking_lot::Mutex;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::Client;
use rocket::routes;
use rocket_typed_sessions::Sessions;
use rocket_typed_sessions::event::SessionEventKind;

use crate::app::*;

#[tokio::test]
async fn accepted_tokens_are_read_and_re_issued_natively_and_counted() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&events);
    let lines = [
        ("accept", vec!["ktor"].into()),
        ("secret", SECRET.into()),
        ("sign_key", SIGN.into()),
        ("encrypt_key", ENCRYPT.into()),
    ];
    let fairing = Sessions::fairing().on_event(move |event| told.lock().push(event.kind));
    let client = client(figment(&lines), fairing).await;
    let vector = vector("ktor-encrypt-json");
    let wire = vector["cookie_value_uri_encoded"].as_str().expect("text");
    let response = with(&client, "/get", wire).await;
    let native = sent(&response).expect("re-issued");
    assert_eq!(response.into_string().await.as_deref(), Some("id2 "));
    assert!(native.starts_with("Ag") && !native.contains('%'), "{native}");
    assert_eq!(*events.lock(), [SessionEventKind::KtorAccepted]);
    let response = with(&client, "/get", &native).await;
    assert_eq!(sent(&response), None, "once");
    assert_eq!(response.into_string().await.as_deref(), Some("id2 "));
    assert_eq!(events.lock().len(), 1);
    let changed = sent(&with(&client, "/add/x", wire).await).expect("changed and re-issued");
    assert_eq!(text(&client, "/get", &changed).await, "id2 x");

    // When everybody has migrated, Ktor's tokens are nothing, forgeries least of all.
    let without = [("secret", SECRET.into())];
    let client = self::client(figment(&without), Sessions::fairing()).await;
    assert_eq!(text(&client, "/get", &native).await, "id2 ");
    for vector in vectors() {
        for key in ["wire", "cookie_value_uri_encoded"] {
            let Some(wire) = vector[key].as_str().filter(|wire| !wire.contains([';', ' '])) else {
                continue;
            };
            assert_eq!(text(&client, "/get", wire).await, "absent", "{wire}");
        }
    }
}

#[tokio::test]
async fn a_signed_readable_token_migrates_too_and_keys_may_serve_both_formats() {
    let key = "hex:7c1d5b3f92a4c6e8f0e1d2c3b4a5968778695a4b3c2d1e0f9f8e7d6c5b4a3920";
    let ktor = [("format", "ktor".into()), ("protect", "sign".into()), ("sign_key", key.into())];
    let ktor = client(figment(&ktor), Sessions::fairing()).await;
    let old = sent(&ktor.get("/set/ann").dispatch().await).expect("a token");
    let native =
        [("accept", vec!["ktor"].into()), ("protect", "sign".into()), ("sign_key", key.into())];
    let native = client(figment(&native), Sessions::fairing()).await;
    let new = sent(&with(&native, "/get", &old).await).expect("re-issued");
    assert_eq!(text(&native, "/get", &new).await, "ann ");
    assert_eq!(text(&ktor, "/get", &new).await, "absent");
}

#[tokio::test]
async fn ktors_files_migrate_into_the_native_directory_and_are_gone() {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = serde_json::json!({"type": "directory", "path": dir.path()});
    let lines = [
        ("accept", vec!["ktor"].into()),
        ("secret", SECRET.into()),
        ("storage", storage),
        ("sign_key", "hex:6819b57a326945c1968f45236589".into()),
    ];
    let client = client(figment(&lines), Sessions::fairing()).await;
    for (uri, expected) in [
        ("/get", Some("ann a")),
        ("/add/b", Some("ann a,b")),
        ("/renew", Some("ann a")),
        ("/clear", None),
    ] {
        let id = "ef".repeat(32);
        let file = write_file(dir.path(), &id, "{\"userId\":\"ann\",\"cart\":[\"a\"]}");
        let response = with(&client, uri, &signed_id(&id)).await;
        assert_eq!(response.status(), Status::Ok);
        assert!(!file.exists(), "{uri}");
        assert_eq!(text(&client, "/get", &signed_id(&id)).await, "absent", "{uri}: it has moved");
        let native = sent(&response).expect("a token or a removal");
        match expected {
            Some(expected) => assert_eq!(text(&client, "/get", &native).await, expected, "{uri}"),
            None => assert_eq!(native, ""),
        }
    }
    let sessions = client.rocket().state::<Sessions>().expect("managed").of::<UserSession>();
    assert_eq!(sessions.list("ann").await.expect("a list").len(), 3, "with an owner now");
}

#[tokio::test]
async fn the_page_that_migrates_a_session_shows_the_id_and_the_csrf_token_that_hold_afterwards() {
    for on_server in [false, true] {
        let dir = tempfile::tempdir().expect("a folder");
        let (lines, cookie) = if on_server {
            let id = "34".repeat(32);
            write_file(dir.path(), &id, ANN);
            (in_directory(dir.path())[1..].to_vec(), signed_id(&id))
        } else {
            let vector = vector("ktor-encrypt-json");
            let cookie = vector["cookie_value_uri_encoded"].as_str().expect("text").to_owned();
            (encrypted()[1..3].to_vec(), cookie)
        };
        let lines = and(lines, &[("accept", vec!["ktor"].into()), ("secret", SECRET.into())]);
        let rocket = rocket::custom(lines)
            .attach(Sessions::fairing())
            .mount("/", routes![get_it, csrf, form, id]);
        let client = Client::untracked(rocket).await.expect("a valid configuration");
        let page = with(&client, "/csrf", &cookie).await;
        let native = sent(&page).expect("re-issued");
        let page = page.into_string().await.expect("a body");
        let (token, shown) = page.split_once(' ').expect("two words");
        assert_eq!(text(&client, "/id", &native).await, shown);
        let request = client.post("/form").header(Header::new("X-CSRF-Token", token.to_owned()));
        let cookie = Header::new("Cookie", format!("user_session={native}"));
        assert_eq!(request.header(cookie).dispatch().await.status(), Status::Ok, "{on_server}");
    }
}

#[tokio::test]
async fn two_clients_with_the_same_old_token_migrate_into_two_sessions() {
    let lines = [
        ("accept", vec!["ktor"].into()),
        ("secret", SECRET.into()),
        ("sign_key", SIGN.into()),
        ("encrypt_key", ENCRYPT.into()),
        ("revocation", "memory".into()),
    ];
    let client = client(figment(&lines), Sessions::fairing()).await;
    let vector = vector("ktor-encrypt-json");
    let wire = vector["cookie_value_uri_encoded"].as_str().expect("text");
    let one = sent(&with(&client, "/get", wire).await).expect("re-issued");
    let other = sent(&with(&client, "/get", wire).await).expect("re-issued");
    with(&client, "/clear", &one).await;
    assert_eq!(text(&client, "/get", &one).await, "absent");
    assert_eq!(text(&client, "/get", &other).await, "id2 ");
    // The old token itself can be ended for good, too.
    with(&client, "/clear", wire).await;
    assert_eq!(text(&client, "/get", wire).await, "absent");
}
