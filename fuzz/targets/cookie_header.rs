//! Any `Cookie` header at all: the request is answered, and the session is
//! absent or one that the application has given out.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rocket::http::{Header, Status};
use rocket::local::blocking::Client;
use rocket::{get, routes};
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct One(u32);

impl SessionData for One {
    const NAME: &'static str = "one";
}

#[derive(Clone, Serialize, Deserialize)]
struct Two(u32);

impl SessionData for Two {
    const NAME: &'static str = "two";
}

#[get("/")]
fn read(one: Session<One>, two: Session<Two>) -> &'static str {
    if one.get().is_none() && two.get().is_none() { "absent" } else { "found" }
}

fn client() -> Client {
    let figment = rocket::figment::Figment::from(rocket::Config::default())
        .merge(("log_level", "off"))
        .merge(("sessions.one.cookie.path", "/"))
        .merge(("sessions.two.storage", "memory"));
    let rocket = rocket::custom(figment).attach(Sessions::fairing());
    Client::untracked(rocket.mount("/", routes![read])).expect("a valid configuration")
}

thread_local!(static CLIENT: Client = client());

fuzz_target!(|data: &[u8]| {
    // Rocket drops a header that is not UTF-8.
    let Ok(text) = std::str::from_utf8(data) else { return };
    let header = Header::new("Cookie", text.to_owned());
    CLIENT.with(|client| {
        let response = client.get("/").header(header).dispatch();
        assert_eq!(response.status(), Status::Ok);
        assert!(!response.headers().contains("Set-Cookie"));
        // No key has sealed anything: whatever is found was forged.
        assert_eq!(response.into_string().as_deref(), Some("absent"));
    });
});
