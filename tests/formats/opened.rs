//! The independent reader opens every token that this crate makes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::local::asynchronous::Client;
use rocket_typed_sessions::storage::Memory;
use serde_json::{Value, json};

use crate::definition::*;
use crate::log::ALONE;
use crate::reader::Reader;

#[tokio::test]
async fn an_independent_reader_opens_every_kind_of_token() {
    let _alone = ALONE.lock().await;
    let mut reader = Reader::start();
    for definition in definitions() {
        let client = definition.start(&Memory::new(10)).await;
        let before = now();
        let first = token(&client, "/login", "").await;
        let read = definition.read(&mut reader, &first);
        let kind = definition.kind();
        if definition.on_server() {
            // `renew` replaces the secret and nothing else.
            let next = token(&client, "/renew", &first).await;
            let renewed = definition.read(&mut reader, &next);
            assert_eq!(renewed["locator"], read["locator"], "kind {kind}");
            assert_ne!(renewed["secret"], read["secret"], "kind {kind}");
        } else {
            let within = |field: &str| {
                read[field].as_u64().is_some_and(|time| (before..=now()).contains(&time))
            };
            assert!(within("created") && within("issued") && within("authenticated"), "{read}");
            for field in ["epoch", "incarnation", "generation"] {
                assert_eq!(read[field], 0, "kind {kind}: {field}");
            }
            assert_eq!(read["lifetime"], json!([1, 3600]), "kind {kind}");
            assert_eq!(read["payload"], hex(br#"{"id":"alice"}"#), "kind {kind}");
        }
        // The reader refuses what this crate refuses.
        if definition.protect != "none" {
            let others = [
                Definition { app: "shops", ..definition.clone() },
                Definition {
                    transport: if definition.transport == "cookie" { "header" } else { "cookie" },
                    ..definition.clone()
                },
            ];
            for other in others {
                assert_eq!(other.read(&mut reader, &first), Value::Null, "kind {kind}");
            }
        }
    }
}

#[tokio::test]
async fn s68_an_independent_reader_verifies_csrf_tokens_under_the_first_key() {
    let _alone = ALONE.lock().await;
    let mut reader = Reader::start();
    for mut definition in definitions() {
        // Where nothing is protected, it is for CSRF tokens alone.
        if definition.protect == "none" {
            definition.keys = vec![("secret", KEY)];
        }
        let client = definition.start(&Memory::new(10)).await;
        let first = token(&client, "/login", "").await;
        check_csrf(&definition, &mut reader, &client, &first, 0).await;
        let next = token(&client, "/renew", &first).await;
        // A client session has another id instead.
        let generation = u32::from(definition.on_server());
        check_csrf(&definition, &mut reader, &client, &next, generation).await;
    }
}

/// Checks the CSRF token of a session against what the reader computes.
async fn check_csrf(
    definition: &Definition,
    reader: &mut Reader,
    client: &Client,
    token: &str,
    generation: u32,
) {
    let csrf = sees(client, "/csrf", token).await;
    let field = if definition.on_server() { "locator" } else { "session_id" };
    let id = definition.read(reader, token)[field].clone();
    let keys: serde_json::Map<_, _> =
        definition.keys.iter().map(|(name, key)| ((*name).into(), hex(key).into())).collect();
    let kind = definition.kind();
    let mut ask = |csrf: &str, generation: u32| {
        reader.ask(&json!({
            "ask": "csrf", "app": definition.app, "name": "user", "kind": kind,
            "transport": definition.transport, "suite": definition.suite, "keys": [keys],
            "id": id, "generation": generation, "token": csrf,
        }))
    };
    assert_eq!(ask(&csrf, generation), 0, "kind {kind}");
    assert_eq!(ask(&csrf, generation + 1), Value::Null, "kind {kind}");
    assert_eq!(ask(&"A".repeat(43), generation), Value::Null, "kind {kind}");
}

/// As a node writes them that has started during a change of keys.
#[tokio::test]
async fn an_independent_reader_with_either_key_opens_what_is_sealed_with_both() {
    let _alone = ALONE.lock().await;
    let mut reader = Reader::start();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let lines = [KEY, OTHER].map(|key| URL_SAFE_NO_PAD.encode(key)).join("\n");
    std::fs::write(file.path(), lines).expect("keys");
    let all = definitions().into_iter().filter(|definition| definition.protect != "none");
    for mut definition in all {
        definition.keys = vec![];
        definition.key_file = Some(file.path().to_owned());
        let client = definition.start(&Memory::new(10)).await;
        let both = token(&client, "/login", "").await;
        assert_eq!(both.split('.').count(), 2, "{both}");
        for key in [KEY, OTHER] {
            definition.keys = vec![("secret", key)];
            let read = definition.read(&mut reader, &both);
            let id = if definition.on_server() { "locator" } else { "payload" };
            assert!(read[id].is_string(), "kind {}: {read}", definition.kind());
            check_csrf(&definition, &mut reader, &client, &both, 0).await;
        }
        definition.keys = vec![("secret", [7; 32])];
        assert_eq!(definition.read(&mut reader, &both), Value::Null);
    }
}
