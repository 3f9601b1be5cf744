//! A login form with a CSRF token that survives a double click.
//!
//! The form needs a session for its token, so the page begins one. A double click
//! sends the form twice. The second request carries either the visitor's cookie
//! or already the login's.
//!
//! - With the visitor's cookie, its token is still good, and it logs in too. The
//!   browser keeps the session whose answer arrives last, and that session lives.
//! - With the login's cookie, the token of the form is of no use any more: 403. The
//!   catcher sends whoever has logged in on to where a login leads.
//! - The catcher begins no session, so no answer takes the login's cookie away.
//!
//! The session of the other click ends by its timeout. A limit of sessions would
//! end it at once, and the browser may be the one that holds it: with
//! `max_sessions_per_owner`, a double click whose answers change places logs out.
//!
//! ```sh
//! token=$(curl -s -c jar http://127.0.0.1:8000/double-click/login | sed -n 's/.*csrf_token" value="\([^"]*\).*/\1/p')
//! for click in 1 2; do
//!     curl -s -b jar -c jar$click -d "name=ann&password=swordfish&csrf_token=$token" \
//!         http://127.0.0.1:8000/double-click/login -o /dev/null -w '%{redirect_url}\n' &
//! done; wait
//! for click in 1 2; do curl -s -b jar$click http://127.0.0.1:8000/double-click; done
//! ```

use std::borrow::Cow;

use rocket::fairing::AdHoc;
use rocket::http::Status;
use rocket::response::Redirect;
use rocket::response::content::RawHtml;
use rocket::{FromForm, Request, catch, catchers, get, post, routes, uri};
use rocket_typed_sessions::csrf::CsrfForm;
use rocket_typed_sessions::{Authenticate, Authenticated, Session, SessionData, SessionError};
use serde::{Deserialize, Serialize};

/// A customer, or a visitor without a name.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Customer {
    name: Option<String>,
}

impl SessionData for Customer {
    const NAME: &'static str = "customer";

    fn owner(&self) -> Option<Cow<'_, str>> {
        self.name.as_deref().map(Cow::from)
    }
}

impl Authenticate for Customer {
    async fn validate(&self, _: &Request<'_>) -> bool {
        self.name.is_some()
    }
}

type Page = RawHtml<String>;

#[get("/login")]
fn form(session: Session<Customer>) -> Result<Page, SessionError> {
    session.get_or_insert_with(Customer::default);
    let csrf = session.csrf_token()?.ok_or(SessionError::Ended)?;
    Ok(RawHtml(format!(
        r#"<form method="post"><input type="hidden" name="csrf_token" value="{csrf}">
<input name="name"><input name="password" type="password"><button>Log in</button></form>"#
    )))
}

#[derive(FromForm)]
struct Credentials<'r> {
    name: &'r str,
    password: &'r str,
}

#[post("/login", data = "<credentials>")]
fn login(
    session: Session<Customer>,
    credentials: CsrfForm<Customer, Credentials<'_>>,
) -> Result<Redirect, Result<(Status, Page), SessionError>> {
    if credentials.password != "swordfish" {
        return Err(form(session).map(|page| (Status::Unauthorized, page)));
    }
    session.login(Customer { name: Some(credentials.name.to_owned()) });
    Ok(Redirect::to(uri!("/double-click", account)))
}

/// A form whose token is of no use: of a second click, or one that is too old.
#[catch(403)]
async fn refused(request: &Request<'_>) -> Result<Redirect, (Status, RawHtml<&'static str>)> {
    if request.guard::<Authenticated<Customer>>().await.is_success() {
        return Ok(Redirect::to(uri!("/double-click", account)));
    }
    let page = r#"This form is too old, or the browser keeps no cookies. <a href="/double-click/login">Again</a>"#;
    Err((Status::Forbidden, RawHtml(page)))
}

#[get("/")]
fn account(customer: Authenticated<Customer>) -> String {
    format!("Hello, {}!\n", customer.name.as_deref().unwrap_or_default())
}

pub fn stage() -> AdHoc {
    AdHoc::on_ignite("double click", |rocket| async {
        rocket
            .mount("/double-click", routes![form, login, account])
            .register("/double-click/login", catchers![refused])
    })
}
