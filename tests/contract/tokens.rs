//! Whatever bytes a client sends: an absent session, never an error.

use rocket::http::{Header, Status};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::get;
use rocket_typed_sessions::storage::{Record, Timestamp, Update};
use rocket_typed_sessions::transformer::{SessionTransformer, TransformError};
use rocket_typed_sessions::{EncodeError, Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

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
        // Several headers are read as one.
        for (first, second, expected) in
            [(&ann, &bob, "absent"), (&bob, &ann, "absent"), (&ann, &ann, "ann 0")]
        {
            let header = |value: &String| Header::new("Cookie", value.clone());
            let request = client.get("/get").header(header(first)).header(header(second));
            let seen = request.dispatch().await.into_string().await;
            assert_eq!(seen.as_deref(), Some(expected), "{place}");
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
        tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
        let strict = client(figment.clone().merge(("sessions.user.idle_timeout", 1))).await;
        assert_eq!(text(&strict, "/get", &token).await, "absent");
        assert_eq!(text(&client(figment).await, "/get", &token).await, "ann 0");
    }
}

/// Counts what is decrypted: a transformer sees a payload only after that.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl SessionTransformer for Counting {
    fn write(&self, payload: Vec<u8>) -> Result<Vec<u8>, TransformError> {
        Ok(payload)
    }

    fn read(&self, payload: Vec<u8>) -> Result<Vec<u8>, TransformError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(payload)
    }
}

#[tokio::test]
async fn s22_nothing_is_decrypted_or_decoded_before_the_signature_holds() {
    for protect in ["encrypt", "sign"] {
        let counting = Counting::default();
        let figment = figment("client")
            .merge(("sessions.user.protect", protect))
            .merge(("sessions.user.transform", ["counting"]));
        let fairing = Sessions::fairing().transformer("counting", counting.clone());
        let client = client_with(figment, fairing, vec![]).await;
        let token = logged_in(&client, "ann").await;
        // What is written is read back.
        counting.0.store(0, Ordering::SeqCst);
        for at in (5..token.len()).step_by(3) {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).expect("ASCII");
            assert_eq!(text(&client, "/get", &forged).await, "absent", "{protect} {at}");
        }
        assert_eq!(counting.0.load(Ordering::SeqCst), 0, "{protect}");
        assert_eq!(text(&client, "/get", &token).await, "ann 0");
        assert_eq!(counting.0.load(Ordering::SeqCst), 1, "{protect}");
    }
}

#[tokio::test]
async fn s20_a_token_is_plain_text_and_no_header_exposes_it() {
    for place in PLACES {
        let figment = figment(place)
            .merge(("sessions.user.transport", "header"))
            .merge(("sessions.user.name", "x-user"));
        let client = client(figment).await;
        for _ in 0..100 {
            let response = client.get("/login/ann").dispatch().await;
            let token = response.headers().get_one("x-user").expect("a token");
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            assert!(token.bytes().all(plain) && !token.is_empty(), "{token}");
            let cors = |name: &str| name.to_ascii_lowercase().starts_with("access-control");
            assert!(!response.headers().iter().any(|header| cors(header.name().as_str())));
        }
    }
}

/// A session whose payload is nested as deep as it says, if it is a number.
#[derive(Clone, Serialize, Deserialize)]
struct Deep(serde_json::Value);

impl SessionData for Deep {
    const NAME: &'static str = "deep";

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let depth = self.0.as_u64().and_then(|depth| usize::try_from(depth).ok()).unwrap_or(1);
        Ok(["[".repeat(depth), "]".repeat(depth)].concat().into_bytes())
    }
}

#[get("/deep/<depth>")]
fn deep(session: Session<Deep>, depth: u64) -> &'static str {
    let found = session.get().is_some();
    session.set(Deep(if depth == 0 { serde_json::json!([]) } else { depth.into() }));
    if found { "found" } else { "absent" }
}

#[tokio::test]
async fn s55_a_payload_nested_a_hundred_thousand_deep_is_absent_and_harms_nobody() {
    let fault = faulty();
    let figment = figment("fault")
        .merge(("sessions.deep.storage", "fault"))
        .merge(("sessions.deep.max_payload", "1 MiB"));
    let fairing = Sessions::fairing().storage("fault", fault.clone());
    let client = client_with(figment, fairing, rocket::routes![deep]).await;
    let response = client.get("/deep/100000").dispatch().await;
    assert_eq!(response.status(), Status::InternalServerError, "it would not read back");
    assert!(fault.created().is_empty());
    let token = sent(&client.get("/deep/0").dispatch().await).expect("a token");
    let [key] = &fault.created()[..] else { panic!("one record") };
    let (storage, now) = (fault.inner(), Timestamp::from(std::time::SystemTime::now()));
    let stored = storage.read(key, now).await.expect("memory answers").expect("a record");
    let value = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let payload = [stored.payload.strip_suffix(b"[]").expect("Deep"), value.as_bytes()];
    let record = Record { version: version(), payload: payload.concat().into(), ..stored };
    let update = storage.update(key, stored.version, record, now).await;
    assert!(matches!(update, Ok(Update::Updated)));
    assert_eq!(text(&client, "/deep/0", &token).await, "absent");
}

#[tokio::test]
async fn s35_s46_no_part_of_an_id_is_at_rest_and_an_ended_one_is_worth_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut dumped = 0;
    for figment in crate::concurrency::storages(dir.path()) {
        let client = client(figment).await;
        let token = logged_in(&client, "ann").await;
        let value = token.strip_prefix("user=").expect("the cookie's name");
        let bytes = URL_SAFE_NO_PAD.decode(value).expect("base64url");
        let mut dump = Vec::new();
        for file in walk(dir.path()) {
            dump.extend_from_slice(file.to_string_lossy().as_bytes());
            dump.extend(std::fs::read(&file).unwrap_or_default());
        }
        dumped += dump.len();
        // The id stands in the token's bytes 6 to 38: locator, secret.
        for part in [&bytes[6..22], &bytes[22..38]] {
            let hex: Vec<_> = part.iter().map(|byte| format!("{byte:02x}")).collect();
            let forms = [part.to_vec(), hex.concat().into(), URL_SAFE_NO_PAD.encode(part).into()];
            for form in forms {
                assert!(!dump.windows(form.len()).any(|window| window == form));
            }
        }
        with_cookie(&client, "/clear", &token).await;
        for uri in ["/get", "/count", "/renew", "/get"] {
            let replay = with_cookie(&client, uri, &token).await;
            assert_eq!(sent(&replay), None, "{uri}");
        }
        assert_eq!(text(&client, "/get", &token).await, "absent");
    }
    assert!(dumped > 0, "nothing was at rest");
}
