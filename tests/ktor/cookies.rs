//! What Ktor wrote into a cookie is read here, and what this crate writes is Ktor's.

use rocket::http::Header;
use rocket_typed_sessions::Sessions;
use rocket_typed_sessions::storage::Timestamp;
use rocket_typed_sessions::testing::Clock;

use crate::app::*;

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
