//! The independent reader finds and reads every record that this crate stores.

use std::path::Path;
use std::time::SystemTime;

use rocket_typed_sessions::storage::{Memory, SessionStorage, StorageKey, Timestamp};
use serde_json::{Value, json};

use crate::definition::*;
use crate::log::ALONE;
use crate::reader::Reader;

/// Checks a record in a storage, as the reader found it, against its token.
fn check_record(read: &Value, names: &Value, since: u64) {
    let within = |value: &Value| value.as_u64().is_some_and(|time| (since..=now()).contains(&time));
    let envelope = &read["envelope"];
    assert!(within(&read["created"]) && within(&read["last_seen"]), "{read}");
    let expires = read["last_seen"].as_u64().map(|seen| seen + 3_960_000);
    assert_eq!(read["expires"].as_u64(), expires);
    assert_eq!((&read["owner"], &envelope["current"]), (&names["owner"], &names["secret"]));
    assert!(within(&envelope["renewed"]) && within(&envelope["authenticated"]), "{read}");
    assert_eq!(envelope["csrf_generation"], 2);
    // The versions that the renewals replaced.
    let trail = envelope["trail"].as_array().expect("a list");
    assert_eq!((trail.len(), &trail[1][1]), (2, &envelope["renewed"]), "{trail:?}");
    assert_eq!(envelope["lifetime"], json!([1, 3600]));
    assert_eq!(envelope["value"], hex(br#"{"id":"alice"}"#));
    assert!(envelope["client"].as_str().is_some_and(|client| client.ends_with("\ncurl/8")));
    // `renew` takes effect at once. The newest one comes first.
    let replaced = [&trail[1][1], &trail[0][1]];
    let [newest, first] = &envelope["previous"].as_array().expect("a list")[..] else {
        panic!("two secrets: {envelope}");
    };
    assert_eq!([&newest[1], &first[1]], replaced);
    assert_eq!(first[0], names["first"]);
    for absent in ["renewal", "owner_generation", "ancestor", "replaced", "claim"] {
        assert_eq!(envelope.get(absent), None, "{absent}");
    }
}

/// Begins a session, renews it, and says what the reader finds of it.
async fn record_in(reader: &mut Reader, storage: Value, ask: &str, path: &Path) {
    let definition = Definition { storage, ..Definition::new("sign", "") };
    let client = definition.start(&Memory::new(10)).await;
    let since = now();
    let first = token(&client, "/login", "").await;
    let second = token(&client, "/renew", &first).await;
    let third = token(&client, "/renew", &second).await;
    let mut names = |token: &str| {
        let id = definition.read(reader, token);
        reader.ask(&json!({
            "ask": "names", "app": "shop", "name": "user", "owner": "alice",
            "locator": id["locator"], "secret": id["secret"],
        }))
    };
    let first = names(&first)["secret"].clone();
    let mut names = names(&third);
    names["first"] = first;
    let read = reader.ask(&json!({
        "ask": ask, "path": path, "key": names["key"], "name": "user",
    }));
    check_record(&read, &names, since);
}

#[tokio::test]
async fn an_independent_reader_finds_and_reads_the_records_of_a_directory() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().expect("a folder");
    let storage = json!({"type": "directory", "path": folder.path()});
    record_in(&mut Reader::start(), storage, "directory", folder.path()).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn an_independent_reader_finds_and_reads_the_records_of_sqlite() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sessions.db");
    let storage = json!({"type": "sqlite", "path": path});
    record_in(&mut Reader::start(), storage, "sqlite", &path).await;
}

#[tokio::test]
async fn the_records_of_logins_name_their_origin_under_a_limit() {
    let _alone = ALONE.lock().await;
    let mut reader = Reader::start();
    for limit in [0, 3] {
        let storage = "shared".into();
        let definition = Definition { storage, limit, ..Definition::new("sign", "") };
        let memory = Memory::new(10);
        let client = definition.start(&memory).await;
        let (mut keys, mut last) = (Vec::new(), String::new());
        for _ in 0..3 {
            last = token(&client, "/login", &last).await;
            let id = definition.read(&mut reader, &last);
            let names = json!({
                "ask": "names", "app": "shop", "name": "user", "owner": "alice",
                "locator": id["locator"], "secret": id["secret"],
            });
            keys.push(reader.ask(&names)["key"].clone());
        }
        let [first, second, third] = &keys[..] else { panic!("three logins") };
        let ancestor = if limit > 0 { first } else { &Value::Null };
        let expected = [
            (first, &Value::Null, second),
            (second, ancestor, third),
            (third, ancestor, &Value::Null),
        ];
        for (key, ancestor, replaced) in expected {
            let key = key.as_str().and_then(StorageKey::from_hex).expect("a key");
            let found = memory.read(&key, Timestamp::from(SystemTime::now())).await;
            let payload = found.expect("an answer").expect("a record").payload;
            let read = json!({"ask": "record", "name": "user", "record": hex(&payload)});
            let read = reader.ask(&read);
            assert_eq!(
                (&read["ancestor"], &read["replaced"]),
                (ancestor, replaced),
                "limit {limit}"
            );
        }
    }
}
