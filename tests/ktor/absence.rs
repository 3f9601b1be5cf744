//! What is no session of Ktor's, and how a handler can tell why.

use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::*;

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
        write_file(dir.path(), id, content);
        signed_id(id)
    };
    let live = write("0123456789abcdef", ANN);
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
