//! A session in an encrypted cookie, which lives for ten seconds.
//!
//! ```sh
//! cargo run --example cookie_client
//! curl -sL -c jar -b jar http://127.0.0.1:8000/login   # Session ID is 123abc. Reload count is 1.
//! curl -s  -c jar -b jar http://127.0.0.1:8000/user    # Session ID is 123abc. Reload count is 2.
//! curl -s  -c jar -b jar http://127.0.0.1:8000/logout
//! curl -s  -c jar -b jar http://127.0.0.1:8000/user    # Session doesn't exist or is expired.
//! ```

use rocket::response::Redirect;
use rocket::{get, launch, routes, uri};
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct UserSession {
    id: String,
    count: u32,
}

impl SessionData for UserSession {
    const NAME: &'static str = "user_session"; // the table [default.sessions.user_session]
}

#[get("/login")]
fn login(session: Session<UserSession>) -> Redirect {
    session.login(UserSession { id: "123abc".into(), count: 0 });
    Redirect::to(uri!(user))
}

#[get("/user")]
fn user(session: Session<UserSession>) -> String {
    match session.update(|user| user.count += 1) {
        Some(user) => format!("Session ID is {}. Reload count is {}.", user.id, user.count),
        None => "Session doesn't exist or is expired.".into(),
    }
}

#[get("/logout")]
fn logout(session: Session<UserSession>) -> Redirect {
    session.clear();
    Redirect::to(uri!(user))
}

#[launch]
fn rocket() -> _ {
    rocket::build().attach(Sessions::fairing()).mount("/", routes![login, user, logout])
}
