//! The session's CSRF token in a cookie that scripts can read, as axios and Angular
//! want it, kept in step with the session.
//!
//! A fairing compares the cookie with the session after each request, and sends it
//! where it is missing or no longer good.
//!
//! - The cookie goes out with the answer that begins the session or renews its id,
//!   and is removed with the answer that ends it.
//! - It goes out only when it must, so answers do not all set cookies.
//! - A late answer of a session that a login has replaced leaves it alone.
//!
//! The cookie only hands the token to the script. `CsrfHeader` compares the header
//! with the session, never with the cookie.
//!
//! ```sh
//! curl -s -c jar -X POST http://127.0.0.1:8000/csrf-cookie/login/ann
//! token=$(awk '/XSRF-TOKEN/ { print $7 }' jar)
//! curl -s -b jar -X POST -H "X-XSRF-TOKEN: $token" http://127.0.0.1:8000/csrf-cookie/notes # Noted.
//! curl -s -b jar -X POST http://127.0.0.1:8000/csrf-cookie/notes -o /dev/null -w '%{http_code}\n' # 403
//! ```

use std::borrow::Cow;

use rocket::fairing::{AdHoc, Fairing, Info, Kind};
use rocket::http::{Cookie, SameSite};
use rocket::outcome::Outcome;
use rocket::{Request, Response, get, post, routes};
use rocket_typed_sessions::csrf::CsrfHeader;
use rocket_typed_sessions::{Session, SessionData, TrySession};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Panel {
    name: String,
}

impl SessionData for Panel {
    const NAME: &'static str = "panel";

    fn owner(&self) -> Option<Cow<'_, str>> {
        Some(self.name.as_str().into())
    }
}

const COOKIE: &str = "XSRF-TOKEN";
/// Where the scripts are. The fairing looks at a session, and pages that look at
/// none stay in shared caches.
const BASE: &str = "/csrf-cookie";

/// The cookie that the client should hold after this request, if it holds another.
fn due(session: &Session<Panel>, held: Option<&str>) -> Option<Cookie<'static>> {
    let cookie = Cookie::build(COOKIE).path("/").same_site(SameSite::Strict);
    if session.get().is_none() {
        // This request has ended the session that it presented.
        let has_ended = held.is_some() && session.absence().is_none();
        return has_ended.then(|| cookie.removal().build());
    }
    let token = session.csrf_token().ok()??;
    let is_good = held.is_some_and(|held| token.verify(held).is_ok());
    (!is_good).then(|| {
        let mut cookie = cookie.build();
        cookie.set_value(token.to_string());
        cookie
    })
}

/// Attach it beside `Sessions::fairing()`. What a stage attaches runs after the
/// sessions' fairing has limited what caches may keep.
pub struct CsrfCookie;

#[rocket::async_trait]
impl Fairing for CsrfCookie {
    fn info(&self) -> Info {
        Info { name: "CSRF cookie", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        if !request.uri().path().starts_with(BASE) {
            return;
        }
        let session = request.guard::<TrySession<Panel>>().await;
        if let Outcome::Success(TrySession::Present(session) | TrySession::Absent(session)) =
            session
            && let Some(mut cookie) =
                due(&session, request.cookies().get(COOKIE).map(Cookie::value))
        {
            cookie.set_secure(request.rocket().figment().profile() != "debug");
            response.adjoin_header(&cookie);
        }
    }
}

/// A real application asks for a password; see the example `auth_form`.
#[post("/login/<name>")]
fn login(panel: Session<Panel>, name: &str) {
    panel.login(Panel { name: name.to_owned() });
}

#[get("/")]
fn index(panel: Session<Panel>) -> String {
    panel.get().map_or_else(|| "Nobody.\n".into(), |panel| format!("{}\n", panel.name))
}

#[post("/notes")]
fn note(_csrf: CsrfHeader<Panel>) -> &'static str {
    "Noted.\n"
}

#[post("/renew")]
fn renew(panel: Session<Panel>, _csrf: CsrfHeader<Panel>) {
    panel.renew();
}

#[post("/logout")]
fn logout(panel: Session<Panel>, _csrf: CsrfHeader<Panel>) {
    panel.clear();
}

pub fn stage() -> AdHoc {
    AdHoc::on_ignite("CSRF cookie", |rocket| async {
        rocket.mount(BASE, routes![login, index, note, renew, logout])
    })
}
