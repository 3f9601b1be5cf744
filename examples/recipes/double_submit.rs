//! Forms for visitors without a session, on pages that any cache may keep.
//!
//! A page that is kept by caches shows everybody the same, so it can neither hold a
//! token nor set a cookie. Its script fetches the token when the form is sent.
//!
//! - The token belongs to a session without data that the client carries. It is a
//!   double-submit cookie with a key: the server stores nothing, and nobody can
//!   compute the token of another visitor's cookie.
//! - The page itself looks at no session, and its `Cache-Control` stays.
//! - Whoever can plant cookies could plant their own cookie beside its token. The
//!   cookie's prefix `__Host-` keeps sister domains from that, and `CsrfForm`
//!   refuses requests that a browser marks as theirs.
//!
//! | the form | then |
//! |---|---|
//! | is for users who have logged in | `CsrfToken`: their session is there |
//! | is for visitors, and the page need not be cached | `plain` below: the page begins the session |
//! | is for visitors, and the page is cached | `page` below: the script fetches the token |
//!
//! ```sh
//! curl -s -i http://127.0.0.1:8000/double-submit | grep -i cache-control   # public, max-age=600
//! token=$(curl -s -c jar http://127.0.0.1:8000/double-submit/token)
//! curl -s -b jar -d "text=hello&csrf_token=$token" http://127.0.0.1:8000/double-submit # Thank you for 5 characters.
//! curl -s -d "text=hello&csrf_token=$token" http://127.0.0.1:8000/double-submit -o /dev/null -w '%{http_code}\n' # 403
//! ```

use rocket::fairing::AdHoc;
use rocket::http::Header;
use rocket::response::content::RawHtml;
use rocket::{FromForm, Responder, get, post, routes};
use rocket_typed_sessions::csrf::{CsrfForm, CsrfToken};
use rocket_typed_sessions::{Session, SessionData, SessionError};
use serde::{Deserialize, Serialize};

/// A visitor, of whom nothing is known.
#[derive(Clone, Serialize, Deserialize)]
struct Guest {}

impl SessionData for Guest {
    const NAME: &'static str = "guest";
}

/// The visitor's token. A visitor without a session begins one.
fn begin(guest: &Session<Guest>) -> Result<CsrfToken<Guest>, SessionError> {
    guest.get_or_insert_with(|| Guest {});
    guest.csrf_token()?.ok_or(SessionError::Ended)
}

#[derive(Responder)]
struct Cached(RawHtml<&'static str>, Header<'static>);

/// The token is fetched as late as possible, so that no other tab has changed the
/// cookie since.
#[get("/")]
fn page() -> Cached {
    let page = r#"<form method="post" action="/double-submit">
<input type="hidden" name="csrf_token"><input name="text"><button>Send</button></form>
<script>
document.forms[0].addEventListener("submit", async event => {
    event.preventDefault();
    const token = await fetch("/double-submit/token");
    event.target.csrf_token.value = await token.text();
    event.target.submit();
});
</script>"#;
    Cached(RawHtml(page), Header::new("Cache-Control", "public, max-age=600"))
}

/// Other sites may send this request, but cannot read the answer.
#[get("/token")]
fn token(guest: Session<Guest>) -> Result<String, SessionError> {
    Ok(begin(&guest)?.to_string())
}

/// The same form without a script, on a page that no cache keeps.
#[get("/plain")]
fn plain(guest: Session<Guest>) -> Result<RawHtml<String>, SessionError> {
    let csrf = begin(&guest)?;
    Ok(RawHtml(format!(
        r#"<form method="post" action="/double-submit"><input type="hidden" name="csrf_token" value="{csrf}">
<input name="text"><button>Send</button></form>"#
    )))
}

#[derive(FromForm)]
struct Message<'r> {
    text: &'r str,
}

#[post("/", data = "<message>")]
fn send(message: CsrfForm<Guest, Message<'_>>) -> String {
    format!("Thank you for {} characters.\n", message.text.chars().count())
}

pub fn stage() -> AdHoc {
    AdHoc::on_ignite("double submit", |rocket| async {
        rocket.mount("/double-submit", routes![page, token, plain, send])
    })
}
