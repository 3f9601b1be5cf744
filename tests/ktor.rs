//! Ktor's formats through a whole application: live sessions shared with a Ktor
//! service, and taken over from one.

#![allow(clippy::expect_used)]

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rocket::figment::Figment;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::{get, routes};
use rocket_typed_sessions::event::SessionEventKind;
use rocket_typed_sessions::storage::Timestamp;
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{
    DecodeError, EncodeError, Lifetime, Session, SessionData, SessionId, Sessions, SessionsFairing,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The session of Ktor's own tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserSession {
    user_id: String,
    cart: Vec<String>,
}

impl SessionData for UserSession {
    const NAME: &'static str = "user_session";

    fn owner(&self) -> Option<Cow<'_, str>> {
        Some(self.user_id.as_str().into())
    }
}

#[get("/get")]
fn get_it(session: Session<UserSession>) -> String {
    session
        .get()
        .map_or_else(|| "absent".into(), |user| format!("{} {}", user.user_id, user.cart.join(",")))
}

#[get("/set/<id>")]
fn set(session: Session<UserSession>, id: &str) {
    session.set(UserSession { user_id: id.into(), cart: Vec::new() });
}

#[get("/add/<item>")]
fn add(session: Session<UserSession>, item: &str) -> String {
    let item = item.to_owned();
    session.update(move |user| user.cart.push(item.clone()));
    get_it(session)
}

#[get("/renew")]
fn renew(session: Session<UserSession>) {
    session.renew();
}

#[get("/clear")]
fn clear(session: Session<UserSession>) {
    session.clear();
}

#[get("/id")]
fn id(session: Session<UserSession>) -> String {
    session.id().map(|id| id.to_text()).unwrap_or_default()
}

#[get("/why")]
fn why(session: Session<UserSession>) -> String {
    session.absence().map_or_else(|| "found".into(), |absence| format!("{absence:?}"))
}

/// An older schema of `UserSession`.
#[derive(Clone, Serialize, Deserialize)]
struct Older {
    name: String,
}

impl SessionData for Older {
    const NAME: &'static str = "user_session";
}

#[get("/older")]
fn older(session: Session<Older>) {
    session.set(Older { name: "ann".into() });
}

/// A debug-profile configuration, as Ktor's own defaults are no secure ones.
fn figment(lines: &[(&str, Value)]) -> Figment {
    let mut figment = Figment::from(rocket::Config::default())
        .select("debug")
        .merge(("log_level", std::env::var("TEST_LOG").unwrap_or("off".into())));
    for (key, value) in lines {
        figment = figment.merge((format!("sessions.user_session.{key}"), value.clone()));
    }
    figment
}

async fn client(figment: Figment, fairing: SessionsFairing) -> Client {
    let routes = routes![get_it, set, add, renew, clear, id, why, own_lifetime, touch, poll];
    let rocket = rocket::custom(figment).attach(fairing).mount("/", routes);
    Client::untracked(rocket).await.expect("a valid configuration")
}

async fn with<'c>(client: &'c Client, uri: &str, cookie: &str) -> LocalResponse<'c> {
    let cookie = Header::new("Cookie", format!("user_session={cookie}"));
    client.get(uri.to_owned()).header(cookie).dispatch().await
}

async fn text(client: &Client, uri: &str, cookie: &str) -> String {
    let response = with(client, uri, cookie).await;
    assert_eq!(response.status(), Status::Ok, "{uri} {cookie}");
    response.into_string().await.expect("a body")
}

fn sent(response: &LocalResponse<'_>) -> Option<String> {
    let cookie = response.headers().get_one("Set-Cookie")?;
    cookie.strip_prefix("user_session=")?.split(';').next().map(str::to_owned)
}

fn vectors() -> Vec<Value> {
    serde_json::from_str(include_str!("vectors/ktor.json")).expect("vectors")
}

fn vector(name: &str) -> Value {
    let found = vectors().into_iter().find(|vector| vector["name"] == name);
    found.unwrap_or_else(|| panic!("no vector {name}"))
}

const SIGN: &str = "hex:02030405060708090a0b0c";
const ENCRYPT: &str = "hex:00112233445566778899aabbccddeeff";
const SECRET: &str = "hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978";

fn encrypted() -> Vec<(&'static str, Value)> {
    vec![
        ("format", "ktor".into()),
        ("sign_key", SIGN.into()),
        ("encrypt_key", ENCRYPT.into()),
        ("cookie.same_site", "unset".into()),
    ]
}

fn signed() -> Vec<(&'static str, Value)> {
    vec![
        ("format", "ktor".into()),
        ("protect", "sign".into()),
        ("sign_key", "hex:003515606058610610561058".into()),
        ("cookie.same_site", "unset".into()),
    ]
}

fn and(lines: Vec<(&'static str, Value)>, more: &[(&'static str, Value)]) -> Figment {
    figment(&lines.into_iter().chain(more.iter().cloned()).collect::<Vec<_>>())
}

#[tokio::test]
async fn a_cookie_that_ktor_has_encrypted_is_a_session_and_what_we_write_is_one_there() {
    let client = client(figment(&encrypted()), Sessions::fairing()).await;
    let wire = vector("ktor-encrypt-json")["cookie_value_uri_encoded"].clone();
    let wire = wire.as_str().expect("text");
    assert_eq!(text(&client, "/get", wire).await, "id2 ");
    assert_eq!(sent(&with(&client, "/get", wire).await), None, "reading sends nothing");

    let ours = sent(&with(&client, "/add/book", wire).await).expect("a token");
    assert_eq!(text(&client, "/get", &ours).await, "id2 book");
    // hex(iv) %2F hex(ciphertext) %3A hex(mac), in lower case.
    let parts: Vec<_> = ours.split("%2F").flat_map(|part| part.split("%3A")).collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [32, 96, 64], "{ours}");
    assert!(parts.iter().all(|part| part.bytes().all(|b| b"0123456789abcdef".contains(&b))));
    let again = sent(&with(&client, "/add/book", wire).await).expect("a token");
    assert_ne!(ours, again, "a fresh IV each time");
}

#[tokio::test]
async fn a_signed_cookie_is_byte_for_byte_ktors() {
    let clock = Clock::at(Timestamp::from_millis(1_787_227_200_000)); // 20 August 2026, 12:00
    let figment = figment(&signed());
    let client = client(figment, Sessions::fairing().clock(&clock)).await;
    let response = client.get("/set/id%202").dispatch().await;
    let expected = vector("mac-sha256-ktor-test-key")["cookie_value_uri_encoded"].clone();
    let value = expected.as_str().expect("text");
    assert_eq!(sent(&response).as_deref(), Some(value));
    let attributes = "; Max-Age=604800; Expires=Thu, 27 Aug 2026 12:00:00 GMT; Path=/; HttpOnly; $x-enc=URI_ENCODING";
    let cookie = response.headers().get_one("Set-Cookie").expect("a cookie");
    assert_eq!(cookie, format!("user_session={value}{attributes}"));
    let shown = vector("set-cookie-default")["wire"].clone();
    assert!(shown.as_str().expect("text").ends_with(attributes), "as in Ktor's own vector");

    let cleared = with(&client, "/clear", value).await;
    let expected = vector("set-cookie-clear")["wire"].clone();
    assert_eq!(cleared.headers().get_one("Set-Cookie"), expected.as_str());
}

#[tokio::test]
async fn every_place_and_transformer_works_in_a_header_and_in_every_cookie_encoding() {
    let dir = tempfile::tempdir().expect("a folder");
    let directory = serde_json::json!({"type": "directory", "path": dir.path()});
    for storage in ["client".into(), "memory".into(), directory] {
        for transform in
            [vec!["mac"], vec!["encrypt"], vec!["mac", "encrypt"], vec!["encrypt", "mac"]]
        {
            for mac in ["HmacSHA1", "HmacSHA256", "HmacSHA384", "HmacSHA512"] {
                let mut lines = vec![
                    ("format", "ktor".into()),
                    ("storage", storage.clone()),
                    ("sign_key", SIGN.into()),
                    ("ktor.mac", mac.into()),
                    ("ktor.transform", transform.clone().into()),
                ];
                if transform.contains(&"encrypt") {
                    lines.push(("encrypt_key", ENCRYPT.into()));
                }
                let in_header = and(
                    lines.clone(),
                    &[("transport", "header".into()), ("name", "X-User".into())],
                );
                let client = self::client(in_header, Sessions::fairing()).await;
                let token = client.get("/set/ann").dispatch().await;
                let token = token.headers().get_one("X-User").expect("a token").to_owned();
                let read =
                    client.get("/add/x").header(Header::new("X-User", token)).dispatch().await;
                assert_eq!(read.into_string().await.as_deref(), Some("ann x"), "{lines:?}");

                for encoding in ["uri", "base64", "raw", "dquotes"] {
                    // JSON has quotes and commas, which two encodings cannot carry.
                    let by_value = storage == "client" && !transform.contains(&"encrypt");
                    if by_value && ["raw", "dquotes"].contains(&encoding) {
                        continue;
                    }
                    let lines = and(lines.clone(), &[("ktor.cookie_encoding", encoding.into())]);
                    let client = self::client(lines, Sessions::fairing()).await;
                    let token = sent(&client.get("/set/ann").dispatch().await).expect("a token");
                    assert_eq!(text(&client, "/add/x", &token).await, "ann x", "{encoding}");
                    assert_eq!(text(&client, "/get", &format!("{token}x")).await, "absent");
                }
            }
        }
    }
}

#[tokio::test]
async fn keys_rotate_and_aes_takes_every_size() {
    for key in ["11".repeat(16), "22".repeat(24), "33".repeat(32)] {
        let key = format!("hex:{key}");
        let new = |keys: Vec<&str>, signs: Vec<&str>| {
            let lines = [
                ("format", "ktor".into()),
                ("encrypt_key", keys.into()),
                ("sign_key", signs.into()),
            ];
            client(figment(&lines), Sessions::fairing())
        };
        let other = "hex:4445464748494a4b4c4d4e4f50515253";
        let old = sent(&new(vec![&key], vec![SIGN]).await.get("/set/ann").dispatch().await);
        let old = old.expect("a token");
        let both = new(vec![other, &key], vec!["hex:0102030405", SIGN]).await;
        let response = with(&both, "/get", &old).await;
        let reissued = sent(&response).expect("re-issued under the first key");
        let only_new = new(vec![other], vec!["hex:0102030405"]).await;
        assert_eq!(text(&only_new, "/get", &reissued).await, "ann ");
        assert_eq!(text(&only_new, "/get", &old).await, "absent");
    }
}

#[tokio::test]
async fn tokens_from_before_ktor_3_are_read_where_that_is_configured() {
    let vector = vector("ktor-encrypt-legacy-mac");
    let wire = vector["cookie_value_uri_encoded"].as_str().expect("text");
    for (read, expected) in [(true, "id2 "), (false, "absent")] {
        let more = [
            ("ktor.backward_compatible_read", read.into()),
            ("ktor.serializer", "reflection-legacy".into()),
        ];
        let client = client(and(encrypted(), &more), Sessions::fairing()).await;
        assert_eq!(text(&client, "/get", wire).await, expected);
        if read {
            let ours = sent(&with(&client, "/add/a%20b", wire).await).expect("a token");
            assert_eq!(text(&client, "/get", &ours).await, "id2 a b");
        }
    }
}

#[tokio::test]
async fn whatever_ktor_answers_with_500_is_an_absent_session() {
    let dir = tempfile::tempdir().expect("a folder");
    let unsigned = |storage: Value, encoding: &'static str| {
        figment(&[
            ("format", "ktor".into()),
            ("protect", "none".into()),
            ("storage", storage),
            ("ktor.cookie_encoding", encoding.into()),
        ])
    };
    let directory = serde_json::json!({"type": "directory", "path": dir.path()});
    std::fs::create_dir_all(dir.path().join("em")).expect("a folder");
    std::fs::write(dir.path().join("em/pt.dat"), "").expect("an empty file");
    std::fs::write(dir.path().join("em/no.dat"), "{\"other\":1}").expect("an older schema");
    std::fs::write(dir.path().join("secret.dat"), "{\"userId\":\"x\",\"cart\":[]}")
        .expect("a file");
    let before = walk(dir.path());
    for encoding in ["uri", "base64", "raw", "dquotes"] {
        for storage in [directory.clone(), "client".into(), "memory".into()] {
            let client = client(unsigned(storage, encoding), Sessions::fairing()).await;
            let long = "a".repeat(4000);
            for value in [
                "%zz",
                "%",
                "%2",
                "!!!",
                "",
                "..",
                "../secret",
                "..%2Fsecret",
                "%2e%2e%2fsecret",
                "em/pt",
                "empt",
                "emno",
                "%00",
                "a%00b",
                "é",
                "\"",
                "\"\"",
                "{",
                "{}",
                "[]",
                "null",
                &long,
                "%ff%fe",
                "a\\b",
                "a!b",
                "a?b",
                "<>",
                ".",
                "...",
                "....",
            ] {
                for uri in ["/get", "/renew", "/add/x"] {
                    let response = with(&client, uri, value).await;
                    assert_eq!(response.status(), Status::Ok, "{encoding} {uri} {value}");
                    assert_eq!(sent(&response), None, "{encoding} {uri} {value}: nothing is said");
                }
                assert_eq!(text(&client, "/get", value).await, "absent", "{encoding} {value}");
            }
        }
    }
    assert_eq!(walk(dir.path()), before, "reading makes no folder and no file");
}

/// Every path below a folder, sorted.
fn walk(folder: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            paths.extend(walk(&path));
        }
        paths.push(path.to_string_lossy().into_owned());
    }
    paths.sort();
    paths
}

fn in_directory(dir: &Path) -> Vec<(&'static str, Value)> {
    let storage = serde_json::json!({"type": "directory", "path": dir});
    vec![
        ("format", "ktor".into()),
        ("storage", storage),
        ("sign_key", "hex:6819b57a326945c1968f45236589".into()),
    ]
}

/// `aa/bb/cc.dat`
fn file_of(dir: &Path, id: &str) -> std::path::PathBuf {
    let pieces: Vec<_> =
        id.as_bytes().chunks(2).map(|piece| std::str::from_utf8(piece).expect("ASCII")).collect();
    dir.join(format!("{}.dat", pieces.join("/")))
}

fn signed_id(id: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let key = [0x68, 0x19, 0xb5, 0x7a, 0x32, 0x69, 0x45, 0xc1, 0x96, 0x8f, 0x45, 0x23, 0x65, 0x89];
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).expect("any key");
    mac.update(id.as_bytes());
    let tag: Vec<_> =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = tag.concat();
    format!("{id}%2F{tag}")
}

#[tokio::test]
async fn a_directory_is_shared_with_a_ktor_server_both_ways() {
    let dir = tempfile::tempdir().expect("a folder");
    let client = client(figment(&in_directory(dir.path())), Sessions::fairing()).await;
    // What a Ktor server wrote, under ids of every age.
    for id in
        ["id1", "0123456789abcdef", &"ab".repeat(16), &"cd".repeat(32), "custom-Identity_22chars"]
    {
        let file = file_of(dir.path(), id);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
        std::fs::write(&file, "{\"userId\":\"ktors\",\"cart\":[\"a\"]}").expect("a file");
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
    assert_eq!(walk(dir.path()), Vec::<String>::new(), "empty folders are gone");

    // What Ktor will read.
    let cookie = sent(&client.get("/set/ann").dispatch().await).expect("a token");
    let id = cookie.split("%2F").next().expect("an id");
    assert_eq!((id.len(), signed_id(id)), (64, cookie.clone()));
    let content = std::fs::read_to_string(file_of(dir.path(), id)).expect("the file");
    assert_eq!(content, "{\"userId\":\"ann\",\"cart\":[]}");

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

#[get("/lifetime")]
fn own_lifetime(session: Session<UserSession>) -> String {
    let said = session.set_lifetime(Lifetime::BrowserSession);
    format!("{said:?}, {:?}", session.lifetime())
}

#[get("/touch")]
fn touch(session: Session<UserSession>) {
    session.touch();
}

#[get("/poll")]
fn poll(session: Session<UserSession>) -> String {
    session.skip_touch();
    get_it(session)
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
    assert!(sessions.list("ann").await.is_err(), "files have no index of owners");
}

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
        let file = file_of(dir.path(), &id);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
        std::fs::write(&file, "{\"userId\":\"ann\",\"cart\":[\"a\"]}").expect("a file");
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

/// A token of an older version of the application.
async fn older_token(lines: &[(&str, Value)]) -> String {
    let rocket = rocket::custom(figment(lines)).attach(Sessions::fairing());
    let client = Client::untracked(rocket.mount("/", routes![older])).await.expect("a rocket");
    sent(&client.get("/older").dispatch().await).expect("a token")
}

#[tokio::test]
async fn d18_a_handler_can_tell_why_there_is_no_session_of_ktors() {
    let plain = vec![("format", "ktor".into()), ("protect", "none".into())];
    // A migration takes over what Ktor has signed.
    let mut takes_over = signed();
    takes_over[0] = ("accept", vec!["ktor"].into());
    takes_over.retain(|(key, _)| *key != "cookie.same_site");
    takes_over.push(("secret", SECRET.into()));
    for (how, lines, older) in [
        ("signed", signed(), "Ended"),
        ("encrypted", encrypted(), "Ended"),
        // It may have been written by anybody.
        ("plain", plain.clone(), "Invalid"),
    ] {
        let client = client(figment(&lines), Sessions::fairing()).await;
        let token = sent(&client.get("/set/ann").dispatch().await).expect("a token");
        assert_eq!(
            client.get("/why").dispatch().await.into_string().await.expect("a body"),
            "NotPresented"
        );
        assert_eq!(text(&client, "/why", &token).await, "found", "{how}");
        assert_eq!(text(&client, "/why", &older_token(&lines).await).await, older, "{how}");
        for value in ["", "x", "{}", "%zz", &token[1..]] {
            assert_eq!(text(&client, "/why", value).await, "Invalid", "{how}: {value}");
        }
        if how == "signed" {
            let native = self::client(figment(&takes_over), Sessions::fairing()).await;
            assert_eq!(text(&native, "/why", &token).await, "found");
            assert_eq!(text(&native, "/why", &older_token(&lines).await).await, "Ended");
            assert_eq!(text(&native, "/why", &token[1..]).await, "Invalid");
        }
    }

    let dir = tempfile::tempdir().expect("a folder");
    let client = client(figment(&in_directory(dir.path())), Sessions::fairing()).await;
    let write = |id: &str, content: &str| {
        let file = file_of(dir.path(), id);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
        std::fs::write(&file, content).expect("a file");
        signed_id(id)
    };
    let live = write("0123456789abcdef", "{\"userId\":\"ann\",\"cart\":[]}");
    assert_eq!(text(&client, "/why", &live).await, "found");
    assert_eq!(text(&client, "/why", "0123456789abcdef").await, "Invalid", "not signed");
    for content in ["{\"name\":\"ann\"}", "{", ""] {
        let older = write("fedcba9876543210", content);
        assert_eq!(text(&client, "/why", &older).await, "Ended", "{content:?}");
    }
    with(&client, "/clear", &live).await;
    assert_eq!(text(&client, "/why", &live).await, "Ended");

    let ids = [plain, vec![("storage", "memory".into())]].concat();
    let client = self::client(figment(&ids), Sessions::fairing()).await;
    assert_eq!(text(&client, "/why", "0123456789abcdef").await, "Ended", "nobody can tell");
    assert_eq!(text(&client, "/why", "..").await, "Invalid");
}

fn own_id(request: &rocket::Request<'_>) -> String {
    request.headers().get_one("x-id").unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_application_may_make_ktors_ids_itself_if_they_are_long_enough() {
    let lines = |profile: &'static str| {
        let lines = [
            ("format", "ktor".into()),
            ("storage", "memory".into()),
            ("protect", "sign".into()),
            ("sign_key", SECRET.into()),
        ];
        figment(&lines).select(profile)
    };
    let client =
        client(lines("release"), Sessions::fairing().identity::<UserSession>(own_id)).await;
    let ask = async |uri: &'static str, id: &str| {
        let response = client.get(uri).header(Header::new("x-id", id.to_owned())).dispatch().await;
        (response.status().code, sent(&response))
    };
    let good = "user-42-0123456789abcdef";
    let (status, token) = ask("/set/ann", good).await;
    let token = token.expect("a token");
    assert!(status == 200 && token.starts_with(good), "{token}");
    assert_eq!(text(&client, "/id", &token).await, good);
    for (id, why) in [
        (good, "another session's"),
        ("short", "too short"),
        ("../../0123456789abcdef0123", "a path"),
    ] {
        assert_eq!(ask("/set/eve", id).await, (500, None), "{why}");
    }
    assert_eq!(ask("/get", "short").await, (200, None), "only a session that begins needs one");
    assert_eq!(text(&client, "/get", &token).await, "ann ", "nobody was overwritten");
}

#[tokio::test]
async fn s61_s62_what_does_not_fit_ktors_format_is_refused_with_what_to_write() {
    let dir = tempfile::tempdir().expect("a folder");
    let written = [("format", Value::from("ktor")), ("sign_key", SECRET.into())];
    let ktor = |more: &[(&'static str, Value)]| {
        let mut lines = written.to_vec();
        lines.push(("protect", "sign".into()));
        lines.extend(more.iter().cloned());
        figment(&lines)
    };
    let refused = [
        ktor(&[("accept", vec!["ktor"].into())]),
        ktor(&[("accept", "ktor".into())]),
        ktor(&[("secret", SECRET.into())]),
        ktor(&[("revocation", "memory".into())]),
        ktor(&[("suite", "A256CBC-HS512".into())]),
        ktor(&[("storage", "memory".into()), ("renewal_grace", 5.into())]),
        ktor(&[("storage", "memory".into()), ("renew_after", "1 hour".into())]),
        ktor(&[("encrypt_key", ENCRYPT.into())]),
        ktor(&[("ktor.mac", "HmacMD5".into())]),
        ktor(&[("ktor.transform", "mac".into())]),
        ktor(&[("ktor.transform", vec!["gzip"].into())]),
        ktor(&[("ktor.cookie_encodin", "uri".into())]),
        ktor(&[("transport", "header".into()), ("ktor.cookie_encoding", "uri".into())]),
        figment(&[
            ("format", "ktor".into()),
            ("sign_key", SIGN.into()),
            ("encrypt_key", "hex:0011".into()),
        ]),
        figment(&[("format", "ktor".into()), ("encrypt_key", ENCRYPT.into())]),
        figment(&[("format", "ktor".into())]),
        figment(&[("ktor.mac", "HmacSHA1".into())]),
        figment(&[("cookie.same_site", "unset".into())]),
        figment(&[("format", "ktorr".into())]),
        figment(&[
            ("accept", vec!["ktor"].into()),
            ("storage", "memory".into()),
            ("secret", SECRET.into()),
            ("sign_key", SIGN.into()),
        ]),
        ktor(&[("ktor.transform", Vec::<String>::new().into())]).select("release"),
        figment(&[("format", "ktor".into()), ("protect", "none".into())]).select("release"),
        // Keys that documentation shows.
        figment(&[
            ("format", "ktor".into()),
            ("protect", "sign".into()),
            ("sign_key", SIGN.into()),
        ])
        .select("release"),
    ];
    for (number, figment) in refused.into_iter().enumerate() {
        let figment = figment.merge(("log_level", "off"));
        let rocket = rocket::custom(figment).attach(Sessions::fairing()).ignite().await;
        // Asking for the kind keeps the error from panicking when it is dropped.
        assert!(
            rocket.is_err_and(|cause| !cause.kind().to_string().is_empty()),
            "number {number} launched"
        );
    }
    let identity = Sessions::fairing().identity::<UserSession>(own_id);
    let native = rocket::custom(figment(&[("storage", "memory".into())])).attach(identity);
    let native = native.ignite().await;
    assert!(
        native.is_err_and(|cause| !cause.kind().to_string().is_empty()),
        "`identity` with native ids"
    );
    let shared = ktor(&in_directory(dir.path())[1..2]).select("release");
    assert!(rocket::custom(shared).attach(Sessions::fairing()).ignite().await.is_ok());
}

/// A session that is text, and nothing around it.
#[derive(Clone, Serialize, Deserialize)]
struct Plain(String);

impl SessionData for Plain {
    const NAME: &'static str = "plain";

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        Ok(self.0.clone().into_bytes())
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let text = String::from_utf8(bytes.to_vec());
        text.map(Self).map_err(|cause| DecodeError::caused_by("no text", cause))
    }
}

#[rocket::post("/plain", data = "<text>")]
fn set_plain(session: Session<Plain>, text: String) {
    session.set(Plain(text));
}

#[get("/plain")]
fn plain(session: Session<Plain>) -> String {
    session.get().map_or_else(|| "absent".into(), |plain| plain.0.clone())
}

#[tokio::test]
async fn a_text_that_a_cookie_or_header_would_change_is_refused() {
    let raw = serde_json::json!({"cookie_encoding": "raw"});
    let in_cookie = figment(&[]).merge(("sessions.plain.ktor", raw));
    let in_header = figment(&[]).merge(("sessions.plain.transport", "header"));
    for figment in [in_cookie, in_header.merge(("sessions.plain.name", "Cookie-Of-Ours"))] {
        let figment = figment
            .merge(("sessions.plain.format", "ktor"))
            .merge(("sessions.plain.protect", "none"));
        let in_cookie = figment.find_value("sessions.plain.ktor").is_ok();
        let rocket = rocket::custom(figment).attach(Sessions::fairing());
        let rocket = rocket.mount("/", routes![set_plain, plain]);
        let client = Client::untracked(rocket).await.expect("a valid configuration");
        for (text, kept) in [
            ("ann", true),
            ("a \"quote\" within", true),
            ("\"quoted\"", !in_cookie),
            (" ann", false),
            ("ann\u{a0}", false),
            ("an\rn", false),
        ] {
            let response = client.post("/plain").body(text).dispatch().await;
            assert_eq!(response.status() == Status::Ok, kept, "{text:?}");
            let cookie = response.headers().get_one("Set-Cookie");
            let token = cookie.and_then(|cookie| cookie.split("; Path").next());
            let token = token.or_else(|| response.headers().get_one("Cookie-Of-Ours"));
            assert_eq!(token.is_some(), kept, "{text:?}");
            let Some(token) = token else { continue };
            let header = if in_cookie {
                Header::new("Cookie", format!("a=1; {token}; b=2"))
            } else {
                Header::new("Cookie-Of-Ours", token.to_owned())
            };
            let shown = client.get("/plain").header(header).dispatch().await.into_string().await;
            assert_eq!(shown.as_deref(), Some(text));
        }
    }
}

/// A request that waits, between its load and its commit, for another one.
#[derive(Default, Clone)]
struct Gate(Arc<(tokio::sync::Notify, tokio::sync::Notify)>);

#[get("/slow/<what>")]
async fn slow(session: Session<UserSession>, gate: &rocket::State<Gate>, what: &str) {
    gate.0.0.notify_one();
    gate.0.1.notified().await;
    match what {
        "renew" => session.renew(),
        "add" => drop(session.update(|user| user.cart.push("late".into()))),
        _ => {}
    }
}

#[get("/csrf")]
fn csrf(session: Session<UserSession>) -> String {
    let token = session.csrf_token().ok().flatten();
    let id = session.id().map(|id| id.to_text()).unwrap_or_default();
    format!("{} {id}", token.map(|token| token.to_string()).unwrap_or_default())
}

#[get("/csrf-or-not")]
fn csrf_or_not(session: Session<UserSession>) -> String {
    format!("{:?}", session.csrf_token())
}

#[tokio::test]
async fn a_payload_in_ktors_cookie_gives_no_csrf_token_that_could_be_guessed() {
    let rocket = rocket::custom(figment(&signed())).attach(Sessions::fairing());
    let rocket = rocket.mount("/", routes![set, csrf_or_not, form]);
    let client = Client::untracked(rocket).await.expect("a valid configuration");
    let cookie = sent(&client.get("/set/ann").dispatch().await).expect("a token");
    assert!(text(&client, "/csrf-or-not", &cookie).await.starts_with("Err(Unsupported("));
    let cookie = Header::new("Cookie", format!("user_session={cookie}"));
    let request = client.post("/form").header(Header::new("X-CSRF-Token", "x".repeat(43)));
    assert_eq!(request.header(cookie).dispatch().await.status(), Status::InternalServerError);
}

#[rocket::post("/form")]
fn form(_csrf: rocket_typed_sessions::csrf::CsrfHeader<UserSession>) {}

/// An application with a form, or what kept it from launching.
async fn with_form(figment: Figment) -> Result<Client, rocket::Error> {
    let rocket = rocket::custom(figment).attach(Sessions::fairing());
    Client::untracked(rocket.mount("/", routes![set, csrf, form])).await
}

/// The status of a form with this token.
async fn send_form(client: &Client, cookie: &str, token: &str) -> u16 {
    let cookie = Header::new("Cookie", format!("user_session={cookie}"));
    let request = client.post("/form").header(Header::new("X-CSRF-Token", token.to_owned()));
    request.header(cookie).dispatch().await.status().code
}

async fn csrf_of(client: &Client, cookie: &str) -> String {
    let page = text(client, "/csrf", cookie).await;
    page.split(' ').next().expect("a token").to_owned()
}

#[tokio::test]
async fn csrf_tokens_of_ktors_ids_hang_on_every_sign_key_or_where_none_signs_on_a_secret() {
    let dir = tempfile::tempdir().expect("a folder");
    let (old, new) = ("hex:6819b57a326945c1968f45236589", "hex:a1b2c3d4e5f60718293a4b5c6d7e8f90");
    let with_keys = async |keys: &[&str]| {
        let lines = in_directory(dir.path());
        with_form(and(lines, &[("sign_key", serde_json::json!(keys))])).await.expect("it launches")
    };
    let (one, both, other) =
        (with_keys(&[old]).await, with_keys(&[new, old]).await, with_keys(&[new]).await);
    let cookie = sent(&one.get("/set/ann").dispatch().await).expect("a token");
    let token = csrf_of(&one, &cookie).await;
    assert_eq!(send_form(&one, &cookie, &token).await, 200);
    assert_eq!(send_form(&both, &cookie, &token).await, 200, "every key verifies");
    let token = csrf_of(&both, &cookie).await;
    assert_eq!(send_form(&both, &cookie, &token).await, 200);
    assert_eq!(send_form(&one, &cookie, &token).await, 403, "the first key makes it");
    assert_eq!(send_form(&other, &cookie, &token).await, 403, "nobody's cookie");

    let unsigned = |secret: Option<&str>| {
        let lines = in_directory(dir.path())[..2].to_vec();
        let secret = secret.map(|secret| ("secret", secret.into()));
        let more: Vec<_> = [("protect", "none".into())].into_iter().chain(secret).collect();
        and(lines, &more)
    };
    let refused = with_form(unsigned(None)).await.expect_err("no key for the form");
    assert!(matches!(refused.kind(), rocket::error::ErrorKind::SentinelAborts(_)));
    let client = with_form(unsigned(Some(SECRET))).await.expect("it launches");
    let other = "hex:1b3d5f7092a4c6e8f0e1d2c3b4a5968778695a4b3c2d1e0f9f8e7d6c5b4a3920";
    let other = with_form(unsigned(Some(other))).await.expect("it launches");
    let cookie = sent(&client.get("/set/ann").dispatch().await).expect("a token");
    let token = csrf_of(&client, &cookie).await;
    assert_eq!(send_form(&client, &cookie, &token).await, 200);
    assert_eq!(send_form(&other, &cookie, &token).await, 403, "another secret");
}

#[tokio::test]
async fn the_page_that_migrates_a_session_shows_the_id_and_the_csrf_token_that_hold_afterwards() {
    for on_server in [false, true] {
        let dir = tempfile::tempdir().expect("a folder");
        let (lines, cookie) = if on_server {
            let id = "34".repeat(32);
            let file = file_of(dir.path(), &id);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
            std::fs::write(&file, "{\"userId\":\"ann\",\"cart\":[]}").expect("a file");
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
async fn of_two_readers_that_migrate_one_session_one_moves_it_and_the_other_does_not_mind() {
    let dir = tempfile::tempdir().expect("a folder");
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&events);
    let lines = and(
        in_directory(dir.path())[1..].to_vec(),
        &[("accept", vec!["ktor"].into()), ("secret", SECRET.into())],
    );
    let gate = Gate::default();
    let fairing = Sessions::fairing().on_event(move |event| told.lock().push(event.kind));
    let rocket = rocket::custom(lines)
        .attach(fairing)
        .mount("/", routes![get_it, slow])
        .manage(gate.clone());
    let client = Arc::new(Client::untracked(rocket).await.expect("a valid configuration"));
    let id = "56".repeat(32);
    let file = file_of(dir.path(), &id);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
    std::fs::write(&file, "{\"userId\":\"ann\",\"cart\":[]}").expect("a file");
    let request = tokio::spawn({
        let (client, cookie) = (Arc::clone(&client), signed_id(&id));
        async move {
            let response = with(&client, "/slow/nothing", &cookie).await;
            (response.status(), sent(&response))
        }
    });
    gate.0.0.notified().await;
    let native = sent(&with(&client, "/get", &signed_id(&id)).await).expect("re-issued");
    gate.0.1.notify_one();
    assert_eq!(request.await.expect("no panic"), (Status::Ok, None));
    assert_eq!(text(&client, "/get", &native).await, "ann ");
    assert!(!events.lock().contains(&SessionEventKind::ChangesDropped), "{:?}", events.lock());
}

#[tokio::test]
async fn a_file_that_ktor_gives_to_another_user_meanwhile_takes_no_update_of_the_first() {
    let dir = tempfile::tempdir().expect("a folder");
    let gate = Gate::default();
    let rocket = rocket::custom(figment(&in_directory(dir.path())))
        .attach(Sessions::fairing())
        .mount("/", routes![get_it, slow])
        .manage(gate.clone());
    let client = Arc::new(Client::untracked(rocket).await.expect("a valid configuration"));
    let id = "78".repeat(32);
    let file = file_of(dir.path(), &id);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
    std::fs::write(&file, "{\"userId\":\"ann\",\"cart\":[]}").expect("a file");
    let request = tokio::spawn({
        let (client, cookie) = (Arc::clone(&client), signed_id(&id));
        async move {
            let response = with(&client, "/slow/add", &cookie).await;
            (response.status(), sent(&response))
        }
    });
    gate.0.0.notified().await;
    // Ktor keeps the id when somebody logs in.
    std::fs::write(&file, "{\"userId\":\"bob\",\"cart\":[]}").expect("a file");
    gate.0.1.notify_one();
    let (status, token) = request.await.expect("no panic");
    assert_eq!(status, Status::Ok);
    let live = token.unwrap_or_else(|| signed_id(&id));
    let shown = text(&client, "/get", &live).await;
    assert!(shown == "bob late" || shown == "bob ", "{shown}: a session that its client can reach");
}

#[tokio::test]
async fn s58_what_ends_while_a_request_moves_it_stays_ended() {
    for (migrate, what) in
        [(false, "renew"), (false, "add"), (true, "renew"), (true, "add"), (true, "nothing")]
    {
        let dir = tempfile::tempdir().expect("a folder");
        let lines = in_directory(dir.path());
        let lines = if migrate {
            and(lines[1..].to_vec(), &[("accept", vec!["ktor"].into()), ("secret", SECRET.into())])
        } else {
            figment(&lines)
        };
        let gate = Gate::default();
        let rocket = rocket::custom(lines)
            .attach(Sessions::fairing())
            .mount("/", routes![get_it, set, add, renew, clear, id, slow])
            .manage(gate.clone());
        let client = Arc::new(Client::untracked(rocket).await.expect("a valid configuration"));
        let id = "12".repeat(32);
        let file = file_of(dir.path(), &id);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
        std::fs::write(&file, "{\"userId\":\"ann\",\"cart\":[]}").expect("a file");
        let cookie = signed_id(&id);
        let request = tokio::spawn({
            let (client, cookie) = (Arc::clone(&client), cookie.clone());
            async move {
                let response = with(&client, &format!("/slow/{what}"), &cookie).await;
                (response.status(), sent(&response))
            }
        });
        gate.0.0.notified().await;
        with(&client, "/clear", &cookie).await;
        gate.0.1.notify_one();
        assert_eq!(request.await.expect("no panic"), (Status::Ok, None), "{migrate} {what}");
        let records = walk(dir.path()).into_iter().filter(|path| {
            let other = path.contains("/locks/") || path.contains("/owners/");
            let path = Path::new(path);
            path.is_file() && !other && path.extension().is_none_or(|ending| ending != "ended")
        });
        assert_eq!(
            records.collect::<Vec<_>>(),
            Vec::<String>::new(),
            "{migrate} {what}: nothing lives"
        );
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
