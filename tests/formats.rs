//! The native formats from outside: an independent reader opens what this crate
//! makes, and whatever is altered or in the wrong place is nobody.

#![allow(clippy::expect_used)]

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::figment::Figment;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::{Request, Response, get, routes};
use rocket_typed_sessions::storage::{
    Memory, Record, SessionStorage, StorageKey, Timestamp, Update, Version,
};
use rocket_typed_sessions::transport::{Outgoing, SessionTransport};
use rocket_typed_sessions::{Lifetime, Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const KEY: [u8; 32] = *b"one key of thirty-two bytes, 012";
const OTHER: [u8; 32] = *b"and another of as many bytes 345";

#[derive(Clone, Serialize, Deserialize)]
struct User {
    id: String,
}

impl SessionData for User {
    const NAME: &'static str = "user";

    fn owner(&self) -> Option<Cow<'_, str>> {
        Some(self.id.as_str().into())
    }
}

/// Another session, whose values look the same.
#[derive(Clone, Serialize, Deserialize)]
struct Guest {
    id: String,
}

impl SessionData for Guest {
    const NAME: &'static str = "guest";
}

#[get("/login")]
fn login(session: Session<User>) {
    session.login(User { id: "alice".into() });
    let hour = Lifetime::Idle(std::time::Duration::from_secs(3600));
    session.set_lifetime(hour).expect("some time");
}

#[get("/renew")]
fn renew(session: Session<User>) {
    session.renew();
}

#[get("/get")]
fn show(session: Session<User>) -> String {
    session.get().map_or("nobody".into(), |user| user.id.clone())
}

#[get("/csrf")]
fn csrf(session: Session<User>) -> String {
    session.csrf_token().expect("a key").expect("a session").to_string()
}

#[get("/guest")]
fn show_guest(session: Session<Guest>) -> String {
    session.get().map_or("nobody".into(), |guest| guest.id.clone())
}

/// A header of an application's own.
struct Custom;

impl SessionTransport for Custom {
    fn receive<'r>(&self, request: &'r Request<'_>, name: &str) -> Vec<Cow<'r, str>> {
        request.headers().get(name).map(Cow::Borrowed).collect()
    }

    fn send(&self, response: &mut Response<'_>, name: &str, outgoing: Outgoing<'_>) {
        response.set_raw_header(name.to_owned(), outgoing.token.to_owned());
    }

    fn clear(&self, response: &mut Response<'_>, name: &str) {
        response.remove_header(name);
    }

    fn vary<'a>(&self, name: &'a str) -> Option<&'a str> {
        Some(name)
    }
}

/// How a definition differs from another.
#[derive(Clone)]
struct Definition {
    app: &'static str,
    transport: &'static str,
    protect: &'static str,
    suite: &'static str,
    storage: Value,
    keys: Vec<(&'static str, [u8; 32])>,
    /// Beside `keys`, what the crate reads and the reader does not.
    key_file: Option<PathBuf>,
    /// `max_sessions_per_owner`; 0 for none.
    limit: u32,
}

impl Definition {
    fn new(protect: &'static str, storage: &str) -> Self {
        let keys = if protect == "none" { vec![] } else { vec![("secret", KEY)] };
        Self {
            app: "shop",
            transport: "cookie",
            protect,
            suite: "A128CBC-HS256",
            storage: storage.into(),
            keys,
            key_file: None,
            limit: 0,
        }
    }

    fn on_server(&self) -> bool {
        self.storage != "client"
    }

    async fn start(&self, memory: &Memory) -> Client {
        install_log();
        let mut figment = Figment::from(rocket::Config::debug_default())
            .merge(("log_level", "normal"))
            .merge(("sessions.app", self.app))
            .merge(("sessions.guest.storage", "memory"));
        for (key, value) in [
            ("name", json!("x-user")),
            ("transport", json!(self.transport)),
            ("protect", json!(self.protect)),
            ("storage", self.storage.clone()),
            ("renewal_grace", json!(if self.on_server() { 30 } else { 0 })),
            ("remember_client", json!(self.on_server())),
        ] {
            figment = figment.merge((format!("sessions.user.{key}"), value));
        }
        if self.limit > 0 {
            figment = figment.merge(("sessions.user.max_sessions_per_owner", self.limit));
        }
        if self.protect == "encrypt" {
            figment = figment.merge(("sessions.user.suite", self.suite));
        }
        for (key, bytes) in &self.keys {
            let text = format!("base64:{}", URL_SAFE_NO_PAD.encode(bytes));
            figment = figment.merge((format!("sessions.user.{key}"), text));
        }
        if let Some(file) = &self.key_file {
            figment = figment
                .merge(("sessions.user.secret_file", file.to_string_lossy()))
                .merge(("sessions.user.key_reload", "1 hour"));
        }
        let fairing =
            Sessions::fairing().transport("custom", Custom).storage("shared", memory.clone());
        let routes = routes![login, renew, show, show_guest, csrf];
        let rocket = rocket::custom(figment).attach(fairing).mount("/", routes);
        Client::untracked(rocket).await.expect("a valid configuration")
    }

    fn kind(&self) -> u8 {
        match (self.on_server(), self.protect) {
            (false, "encrypt") => 1,
            (false, "sign") => 2,
            (true, "sign") => 3,
            (false, _) => 4,
            (true, _) => 5,
        }
    }

    /// What the reader makes of a token.
    fn read(&self, reader: &mut Reader, token: &str) -> Value {
        let keys: serde_json::Map<_, _> =
            self.keys.iter().map(|(name, key)| ((*name).to_owned(), hex(key).into())).collect();
        reader.ask(&json!({
            "ask": "token", "app": self.app, "name": "user", "transport": self.transport,
            "kind": self.kind(), "suite": self.suite, "keys": [keys], "limit": 4096, "token": token,
        }))
    }
}

/// Every kind of token, transport, suite and form of key.
fn definitions() -> Vec<Definition> {
    let mut all = Vec::new();
    for (protect, storage) in [
        ("encrypt", "client"),
        ("sign", "client"),
        ("none", "client"),
        ("sign", "memory"),
        ("none", "memory"),
    ] {
        let base = Definition::new(protect, storage);
        for transport in ["cookie", "header", "custom"] {
            all.push(Definition { transport, ..base.clone() });
        }
        all.push(Definition { app: "", ..base });
    }
    for suite in ["A192CBC-HS384", "A256CBC-HS512"] {
        all.push(Definition { suite, ..Definition::new("encrypt", "client") });
    }
    let pair = vec![("encrypt_key", KEY), ("sign_key", OTHER)];
    for keys in [vec![("encrypt_key", KEY)], pair] {
        all.push(Definition { keys, ..Definition::new("encrypt", "client") });
    }
    all.push(Definition { keys: vec![("sign_key", OTHER)], ..Definition::new("sign", "memory") });
    all
}

/// `tests/vectors/reader.py`, asked a line at a time.
struct Reader(Child);

impl Reader {
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/reader.py");
        let child = Command::new("python3")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test needs python3; scripts/test installs it");
        Self(child)
    }

    fn ask(&mut self, question: &Value) -> Value {
        let (input, output) = (self.0.stdin.as_mut(), self.0.stdout.as_mut());
        writeln!(input.expect("a pipe"), "{question}").expect("the reader lives");
        let mut line = String::new();
        let read = BufReader::new(output.expect("a pipe")).read_line(&mut line);
        assert!(read.is_ok_and(|bytes| bytes > 0), "the reader died of {question}");
        serde_json::from_str(&line).expect("JSON")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

fn now() -> u64 {
    Timestamp::from(SystemTime::now()).as_millis()
}

/// The token that a response carries, whatever carries it.
fn sent(response: &LocalResponse<'_>) -> Option<String> {
    let cookie = response.headers().get_one("Set-Cookie");
    let cookie = cookie.and_then(|cookie| cookie.strip_prefix("x-user=")?.split(';').next());
    cookie.or(response.headers().get_one("x-user")).map(str::to_owned)
}

/// A request that carries a token in both ways.
async fn ask<'c>(client: &'c Client, uri: &'static str, token: &str) -> LocalResponse<'c> {
    let cookie = Header::new("Cookie", format!("x-user={token}; guest={token}"));
    let request = client.get(uri).header(cookie).header(Header::new("x-user", token.to_owned()));
    let response = request.header(Header::new("User-Agent", "curl/8")).dispatch().await;
    assert_eq!(response.status(), Status::Ok, "{uri}");
    response
}

async fn sees(client: &Client, uri: &'static str, token: &str) -> String {
    ask(client, uri, token).await.into_string().await.expect("a body")
}

async fn token(client: &Client, uri: &'static str, before: &str) -> String {
    sent(&ask(client, uri, before).await).expect("a token")
}

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
    for absent in ["renewal", "owner_generation", "origin", "replaced", "claim"] {
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
        let origin = if limit > 0 { first } else { &Value::Null };
        let expected =
            [(first, &Value::Null, second), (second, origin, third), (third, origin, &Value::Null)];
        for (key, origin, replaced) in expected {
            let key = key.as_str().and_then(StorageKey::from_hex).expect("a key");
            let found = memory.read(&key, Timestamp::from(SystemTime::now())).await;
            let payload = found.expect("an answer").expect("a record").payload;
            let read = json!({"ask": "record", "name": "user", "record": hex(&payload)});
            let read = reader.ask(&read);
            assert_eq!((&read["origin"], &read["replaced"]), (origin, replaced), "limit {limit}");
        }
    }
}

/// Warnings and errors, whoever writes them.
struct Log;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// The log is everybody's: one test at a time.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl log::Log for Log {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            LINES.lock().expect("no panic").push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Before Rocket installs its own.
fn install_log() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| log::set_logger(&Log).expect("no logger yet"));
}

/// The lines since the last call.
fn lines() -> Vec<String> {
    log::set_max_level(log::LevelFilter::Warn);
    std::mem::take(&mut *LINES.lock().expect("no panic"))
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
        assert_eq!(lines(), [""; 0]);
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
    assert_eq!(lines(), [""; 0]);
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
        let version = Version(expected.0.wrapping_add(1));
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
    let lines = lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
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
    assert_eq!(written["origin"], hex(&[6; 32]));

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
