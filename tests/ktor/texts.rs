//! Sessions whose text a cookie or a header would change.

use rocket::http::{Header, Status};
use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::{DecodeError, EncodeError, Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

use crate::app::*;

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
