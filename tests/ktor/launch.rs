//! Ids that an application makes itself, and what launch refuses.

use rocket::http::Header;
use rocket_typed_sessions::Sessions;
use serde_json::Value;

use crate::app::*;

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
