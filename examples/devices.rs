//! A page "Where you are logged in": it lists a user's devices, and logs out one of
//! them, all others, or all. The forms carry a CSRF token, and one of Rocket's
//! flash messages confirms the action.
//!
//! ```sh
//! cargo run --example devices
//! curl -s  -c phone  -b phone  -A 'Phone'  -d 'name=ann' http://127.0.0.1:8000/login -o /dev/null
//! curl -sL -c laptop -b laptop -A 'Laptop' -d 'name=ann' http://127.0.0.1:8000/login   # both devices, each with a form
//! ```

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::SystemTime;

use rocket::form::Form;
use rocket::request::FlashMessage;
use rocket::response::content::RawHtml;
use rocket::response::{Flash, Redirect};
use rocket::{FromForm, get, launch, post, routes, uri};
use rocket_typed_sessions::csrf::{CsrfForm, CsrfToken};
use rocket_typed_sessions::{
    Authenticate, Authenticated, ClientInfo, Session, SessionData, SessionError, SessionHandle,
    Sessions,
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
}

#[get("/login")]
fn form() -> RawHtml<&'static str> {
    RawHtml(r#"<form method="post"><input name="name"><button>Log in</button></form>"#)
}

/// A real application asks for a password; see the example `auth_form`.
#[post("/login", data = "<credentials>")]
fn login(session: Session<Login>, credentials: Form<Credentials<'_>>) -> Redirect {
    session.login(Login { name: credentials.name.to_owned() });
    Redirect::to(uri!(devices))
}

#[get("/")]
async fn devices(
    login: Authenticated<Login>,
    csrf: CsrfToken<Login>,
    sessions: &Sessions,
    done: Option<FlashMessage<'_>>,
) -> Result<RawHtml<String>, SessionError> {
    let mut page = String::new();
    if let Some(done) = done {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "<p>{}</p>", done.message());
    }
    let this = login.session().handle();
    for device in sessions.of::<Login>().list(&login.name).await? {
        let is_this = if this.as_ref() == Some(&device.handle) { " (this device)" } else { "" };
        let seen = SystemTime::now().duration_since(device.last_seen_at).unwrap_or_default();
        let _ = writeln!(
            page,
            r#"<form method="post" action="/end">{}{is_this}, seen {} s ago
<input type="hidden" name="device" value="{}"><input type="hidden" name="csrf_token" value="{csrf}">
<button>Log out</button></form>"#,
            describe(device.client.as_ref()),
            seen.as_secs(),
            device.handle,
        );
    }
    for (action, label) in [("/others", "Log out elsewhere"), ("/everywhere", "Log out everywhere")]
    {
        let _ = writeln!(
            page,
            r#"<form method="post" action="{action}"><input type="hidden" name="csrf_token" value="{csrf}"><button>{label}</button></form>"#,
        );
    }
    Ok(RawHtml(page))
}

/// A client can send any text as its user agent, so it must be escaped.
fn describe(client: Option<&ClientInfo>) -> String {
    let agent = client.and_then(|client| client.user_agent.as_deref()).unwrap_or("unknown");
    let agent = agent.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let address = client.and_then(|client| client.address);
    address.map_or(agent.clone(), |address| format!("{agent} at {address}"))
}

#[get("/", rank = 2)]
fn please_log_in() -> Redirect {
    Redirect::to(uri!(form))
}

#[derive(FromForm)]
struct Device<'r> {
    device: &'r str,
}

#[post("/end", data = "<form>")]
async fn end(
    login: Authenticated<Login>,
    sessions: &Sessions,
    form: CsrfForm<Login, Device<'_>>,
) -> Result<Flash<Redirect>, SessionError> {
    // The owner comes from the session, never from the form.
    let ended =
        sessions.of::<Login>().revoke(&login.name, &SessionHandle::from(form.device)).await?;
    let message = if ended { "The device is logged out." } else { "There is no such device." };
    Ok(Flash::success(Redirect::to(uri!(devices)), message))
}

#[post("/others", data = "<_form>")]
async fn others(
    login: Authenticated<Login>,
    sessions: &Sessions,
    _form: CsrfForm<Login, HashMap<String, String>>,
) -> Result<Flash<Redirect>, SessionError> {
    let ended = sessions.of::<Login>().revoke_others(login.session()).await?;
    Ok(Flash::success(
        Redirect::to(uri!(devices)),
        format!("{ended} other devices are logged out."),
    ))
}

#[post("/everywhere", data = "<_form>")]
async fn everywhere(
    login: Authenticated<Login>,
    sessions: &Sessions,
    _form: CsrfForm<Login, HashMap<String, String>>,
) -> Result<Redirect, SessionError> {
    sessions.of::<Login>().revoke_owner(&login.name).await?;
    Ok(Redirect::to(uri!(form)))
}

#[launch]
fn rocket() -> _ {
    rocket::build()
        .attach(Sessions::fairing())
        .mount("/", routes![form, login, devices, please_log_in, end, others, everywhere])
}
