//! Whatever was altered, or is in the wrong place, is nobody.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::local::asynchronous::Client;
use rocket_typed_sessions::storage::{
    Memory, Record, SessionStorage, StorageKey, Timestamp, Update, Version,
};
use serde_json::{Value, json};

use crate::definition::*;
use crate::log::*;
use crate::reader::Reader;

/// The lines since the last call but that of a token that names a key of another node, which is logged
/// once for a session.
fn other_lines() -> Vec<String> {
    let mut lines = lines();
    lines.retain(|line| !line.contains("no key of this node"));
    lines
}

#[tokio::test]
async fn a_token_that_was_altered_cut_or_is_of_another_version_is_nobody_and_no_line() {
    let _alone = ALONE.lock().await;
    for (protect, storage) in [("encrypt", "client"), ("sign", "client"), ("sign", "memory")] {
        let client = Definition::new(protect, storage).start(&Memory::new(10)).await;
        let good = token(&client, "/login", "").await;
        let bytes = URL_SAFE_NO_PAD.decode(&good).expect("base64url");
        let mut bad: Vec<Vec<u8>> = (0..bytes.len()).map(|end| bytes[..end].to_vec()).collect();
        bad.extend((0..bytes.len() * 8).map(|bit| {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        }));
        bad.extend([0, 1, 3, 255].map(|version| [&[version], &bytes[1..]].concat()));
        lines();
        for bad in bad {
            let bad = URL_SAFE_NO_PAD.encode(bad);
            assert_eq!(sees(&client, "/get", &bad).await, "nobody", "{protect} {storage} {bad}");
        }
        assert_eq!(other_lines(), [""; 0]);
        assert_eq!(sees(&client, "/get", &good).await, "alice");
    }
}

#[tokio::test]
async fn a_token_in_the_place_of_another_is_nobody() {
    let _alone = ALONE.lock().await;
    let definitions = definitions();
    let memory = Memory::new(100);
    let mut clients = Vec::new();
    for mut definition in definitions.clone() {
        if definition.on_server() {
            // One storage for all: what keeps them apart is the names and the keys.
            definition.storage = "shared".into();
        }
        clients.push(definition.start(&memory).await);
    }
    lines();
    for (n, maker) in clients.iter().enumerate() {
        let token = token(maker, "/login", "").await;
        let made = &definitions[n];
        for (m, client) in clients.iter().enumerate() {
            let other = &definitions[m];
            let same_kind = made.kind() == other.kind();
            // A key alone serves every purpose, whatever it is called.
            let alike = |one: &Definition| {
                (one.transport, one.suite, one.keys.iter().map(|(_, key)| *key).collect::<Vec<_>>())
            };
            let bound = made.app == other.app && alike(made) == alike(other);
            // Nothing binds an unprotected payload, and an unprotected id its record only.
            let free = made.protect == "none" && (!made.on_server() || made.app == other.app);
            let expected = if same_kind && (bound || free) { "alice" } else { "nobody" };
            assert_eq!(sees(client, "/get", &token).await, expected, "{n} at {m}");
            assert_eq!(sees(client, "/guest", &token).await, "nobody", "{n} at {m}");
        }
    }
    assert_eq!(other_lines(), [""; 0]);
}

/// A session whose record lies open.
struct Open {
    reader: Reader,
    memory: Memory,
    client: Client,
    /// The token.
    id: String,
    names: Value,
    key: StorageKey,
    payload: Vec<u8>,
}

impl Open {
    async fn new() -> Self {
        let mut reader = Reader::start();
        let definition = Definition { storage: "shared".into(), ..Definition::new("sign", "") };
        let memory = Memory::new(100);
        let client = definition.start(&memory).await;
        let id = token(&client, "/login", "").await;
        let read = definition.read(&mut reader, &id);
        let names = reader.ask(&json!({
            "ask": "names", "app": "shop", "name": "user", "owner": "alice",
            "locator": read["locator"], "secret": read["secret"],
        }));
        let key = names["key"].as_str().and_then(StorageKey::from_hex).expect("a key");
        let mut open = Self { reader, memory, client, id, names, key, payload: vec![] };
        open.payload = open.record().await.payload.to_vec();
        open
    }

    async fn record(&self) -> Record {
        let now = Timestamp::from(SystemTime::now());
        self.memory.read(&self.key, now).await.expect("an answer").expect("a record")
    }

    /// Puts other bytes in the place of the record's, and says whom its client sees.
    async fn sees_with(&self, payload: &[u8]) -> String {
        let record = self.record().await;
        let (expected, now) = (record.version, record.last_seen);
        let version = Version::from_u64(expected.as_u64().wrapping_add(1));
        let record = Record { version, payload: payload.into(), ..record };
        let updated = self.memory.update(&self.key, expected, record, now);
        assert!(matches!(updated.await, Ok(Update::Updated)));
        sees(&self.client, "/get", &self.id).await
    }

    /// What the reader makes of a record's payload.
    fn read(&mut self, payload: &[u8]) -> Value {
        self.reader.ask(&json!({"ask": "record", "name": "user", "record": hex(payload)}))
    }

    /// The payload with more fields before the description of the client.
    fn with(&self, flags: u8, fields: &[u8]) -> Vec<u8> {
        let (version, start) = (self.payload[0], usize::from(self.payload[2]));
        // No address; a line feed and `curl/8` after the length.
        let (before, client) = self.payload[4..].split_at(start - 4 - 2 - 7);
        let length = u16::try_from(start + fields.len()).expect("short").to_be_bytes();
        let head = [version, length[0], length[1], self.payload[3] | flags];
        [&head, before, fields, client].concat()
    }
}

#[tokio::test]
async fn a_record_that_was_altered_cut_or_is_of_another_version_is_nobody_and_one_line() {
    let _alone = ALONE.lock().await;
    let mut open = Open::new().await;
    let good = open.payload.clone();
    let value = good.len() - br#"{"id":"alice"}"#.len();
    let mut bad: Vec<Vec<u8>> = (0..value).map(|end| good[..end].to_vec()).collect();
    bad.extend((0..value * 8).map(|bit| {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    }));
    bad.extend([0, 1, 3, 255].map(|version| [&[version], &good[1..]].concat()));
    let (mut refused, mut admitted) = (0, 0);
    lines();
    for bad in bad {
        let seen = open.sees_with(&bad).await;
        let read = open.read(&bad);
        if read.is_null() {
            assert_eq!(seen, "nobody", "{}", hex(&bad));
            refused += 1;
        } else if seen == "alice" {
            // It differs in a time, a count or the client, and in nothing that
            // says whose the record is.
            assert_eq!(
                (&read["current"], &read["value"]),
                (&open.names["secret"], &json!(hex(&good[value..])))
            );
            admitted += 1;
        }
    }
    assert!(refused > value + 100 && admitted > 0, "{refused} {admitted}");
    // A time in the far future looks like another clock, which is a line of its own.
    let is_of_clocks = |line: &String| line.contains("in the future");
    let (clocks, others): (Vec<_>, Vec<_>) = lines().into_iter().partition(is_of_clocks);
    assert_eq!((clocks.len(), others.len()), (1, 1), "{clocks:?} {others:?}");
    assert_eq!(open.sees_with(&good).await, "alice");
}

#[tokio::test]
async fn a_record_that_says_replaced_or_claim_is_nobody_and_no_line() {
    let _alone = ALONE.lock().await;
    let mut open = Open::new().await;
    lines();
    for (flag, name) in [(0x10, "replaced"), (0x20, "claim")] {
        let payload = open.with(flag, &[7; 32]);
        assert_eq!(open.read(&payload)[name], hex(&[7; 32]));
        assert_eq!(open.sees_with(&payload).await, "nobody", "{name}");
    }
    assert_eq!(lines(), [""; 0]);
}

#[tokio::test]
async fn fields_that_nothing_fills_yet_are_kept_when_a_session_is_written_again() {
    let _alone = ALONE.lock().await;
    let mut open = Open::new().await;
    // The owner's generation, and the record that it was taken over from.
    let mut payload = open.with(0x04 | 0x08, &[[5; 8].as_slice(), &[6; 32]].concat());
    payload[62..70].copy_from_slice(&[3, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(open.sees_with(&payload).await, "alice");
    token(&open.client, "/renew", &open.id).await;
    let written = open.record().await.payload;
    let written = open.read(&written);
    assert_eq!(written["csrf_generation"], 1, "it was written again");
    assert_eq!(written["lifetime"], json!([3, 0]));
    assert_eq!(written["owner_generation"], json!(0x0505_0505_0505_0505_u64));
    assert_eq!(written["ancestor"], hex(&[6; 32]));

    let definition = Definition::new("none", "client");
    let client = definition.start(&Memory::new(10)).await;
    let first = token(&client, "/login", "").await;
    let mut bytes = URL_SAFE_NO_PAD.decode(first).expect("base64url");
    let until = (2 << 56 | (now() + 1_000_000)).to_be_bytes();
    bytes[30..38].copy_from_slice(&until);
    bytes[46..54].copy_from_slice(&[8; 8]);
    bytes[70..74].copy_from_slice(&[9; 4]);
    let given = URL_SAFE_NO_PAD.encode(bytes);
    let next = token(&client, "/renew", &given).await;
    let [given, next] = [given, next].map(|token| definition.read(&mut open.reader, &token));
    assert_ne!(given["session_id"], next["session_id"], "it was written again");
    for field in ["lifetime", "incarnation", "generation"] {
        assert_eq!(given[field], next[field], "{field}");
        assert_ne!(given[field], 0, "{field}");
    }
}
