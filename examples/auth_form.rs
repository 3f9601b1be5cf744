//! A login form with "remember me", and a page for logged-in users. Anyone else is
//! redirected to the login page; programs get a 401.
//!
//! ```sh
//! cargo run --example auth_form
//! curl -s  -c jar -b jar http://127.0.0.1:8000/account -o /dev/null -w '%{redirect_url}\n'  # …/login
//! curl -sL -c jar -b jar -d 'name=jetbrains&password=foobar' http://127.0.0.1:8000/login  # Hello, jetbrains!
//! curl -s  -c jar -b jar http://127.0.0.1:8000/api/account                              # {"name":"jetbrains"}
//! curl -sL -c jar -b jar -X POST http://127.0.0.1:8000/logout                           # the form again
//! curl -s  -c jar -b jar http://127.0.0.1:8000/api/account -w '%{http_code}\n'          # … 401
//! ```

use std::borrow::Cow;
use std::time::Duration;

use rocket::form::Form;
use rocket::http::Status;
use rocket::response::Redirect;
use rocket::response::content::{RawHtml, RawJson};
use rocket::{FromForm, catch, catchers, get, launch, post, routes, uri};
use rocket_typed_sessions::{
    Authenticate, Authenticated, Lifetime, Session, SessionData, Sessions,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Login {
    name: String,
}

impl SessionData for Login {
    const NAME: &'static str = "login";

    fn owner(&self) -> Option<Cow<'_, str>> {
        Some(self.name.as_str().into())
    }
}

impl Authenticate for Login {}

#[derive(FromForm)]
struct Credentials<'r> {
    name: &'r str,
    password: &'r str,
    /// "Remember me".
    #[field(default = false)]
    remember: bool,
}

/// A real application looks up the user and verifies a password hash.
fn is_known(credentials: &Credentials<'_>) -> bool {
    credentials.name == "jetbrains" && credentials.password == "foobar"
}

#[get("/login")]
fn form() -> RawHtml<&'static str> {
    RawHtml(
        r#"<form method="post">
<input name="name"><input name="password" type="password">
<label><input name="remember" type="checkbox"> remember me</label><button>Log in</button>
</form>"#,
    )
}

#[post("/login", data = "<credentials>")]
fn login(
    session: Session<Login>,
    credentials: Form<Credentials<'_>>,
) -> Result<Redirect, (Status, RawHtml<&'static str>)> {
    if !is_known(&credentials) {
        return Err((Status::Unauthorized, form()));
    }
    session.login(Login { name: credentials.name.to_owned() });
    let month = Lifetime::Idle(Duration::from_secs(30 * 86_400));
    let lifetime = if credentials.remember { month } else { Lifetime::BrowserSession };
    session.set_lifetime(lifetime).map_err(|cause| (cause.status(), form()))?;
    Ok(Redirect::to(uri!(account)))
}

#[get("/account")]
fn account(login: Authenticated<Login>) -> String {
    format!("Hello, {}!", login.name)
}

/// Redirects users who are not logged in to the login page.
#[get("/account", rank = 2)]
fn please_log_in() -> Redirect {
    Redirect::to(uri!(form))
}

#[get("/account")]
fn api_account(login: Authenticated<Login>) -> RawJson<String> {
    RawJson(format!("{{\"name\":{:?}}}", login.name))
}

/// Tells programs that they must log in.
#[catch(401)]
fn unauthorized() -> RawJson<&'static str> {
    RawJson(r#"{"error":"log in first"}"#)
}

// POST, so that no link or image can log a user out.
#[post("/logout")]
fn logout(session: Session<Login>) -> Redirect {
    session.clear();
    Redirect::to(uri!(form))
}

#[launch]
fn rocket() -> _ {
    rocket::build()
        .attach(Sessions::fairing())
        .mount("/", routes![form, login, account, please_log_in, logout])
        .mount("/api", routes![api_account])
        .register("/api", catchers![unauthorized])
}
