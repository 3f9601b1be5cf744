//! After the login, users are where they wanted to go, and never at another site.
//!
//! A catcher sends whoever must log in to the form, with the address that was
//! asked for as `next`. The form hands it on, and the login redirects there.
//!
//! - Rocket's own parser reads `next`. It must be a path of this application.
//!   Anything else is as if there were no `next`.
//! - Only a `GET` becomes a `next`: a form that was sent cannot be sent again.
//!
//! ```sh
//! curl -s -o /dev/null -w '%{redirect_url}\n' 'http://127.0.0.1:8000/next/articles/7?page=2'
//! curl -s -c jar -d 'name=ann&password=swordfish&next=/next/articles/7?page=2' \
//!     http://127.0.0.1:8000/next/login -o /dev/null -w '%{redirect_url}\n'     # …/next/articles/7?page=2
//! curl -s -d 'name=ann&password=swordfish&next=//evil.example' \
//!     http://127.0.0.1:8000/next/login -o /dev/null -w '%{redirect_url}\n'     # …/next
//! ```

use std::borrow::Cow;

use rocket::fairing::AdHoc;
use rocket::form::{Error, Form, FromFormField, Result as FormResult, ValueField};
use rocket::http::impl_from_uri_param_identity;
use rocket::http::uri::Origin;
use rocket::http::uri::fmt::{Formatter, Query, UriDisplay};
use rocket::http::{Method, Status};
use rocket::response::Redirect;
use rocket::response::content::RawHtml;
use rocket::{FromForm, Request, catch, catchers, get, post, routes, uri};
use rocket_typed_sessions::{Authenticate, Authenticated, Session, SessionData};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Reader {
    name: String,
}

impl SessionData for Reader {
    const NAME: &'static str = "reader";

    fn owner(&self) -> Option<Cow<'_, str>> {
        Some(self.name.as_str().into())
    }
}

impl Authenticate for Reader {}

/// A path of this application, with its query.
#[derive(Clone, Copy, Debug)]
pub struct Next<'r>(&'r str);

impl<'r> Next<'r> {
    /// Longer addresses are not handed on.
    const LONGEST: usize = 1024;

    /// Browsers read `//evil` and `/\evil` as another site's address, and skip tabs
    /// and line breaks. Rocket's parser refuses a backslash, a blank or a control
    /// character in the path, and takes `//` for a path. A proxy may decode the path
    /// once more, so the same is refused in its encoded form, and so are `.` and `..`.
    pub fn new(text: &'r str) -> Option<Self> {
        let uri = Origin::parse(text).ok().filter(|_| text.len() <= Self::LONGEST)?;
        let is_strange = |segment: &str| {
            [".", ".."].contains(&segment)
                || segment.contains(|c: char| c.is_control() || "/\\".contains(c))
        };
        let is_good = !uri.path().contains("//") && !uri.path().segments().any(is_strange);
        is_good.then_some(Self(text))
    }

    pub fn path(self) -> &'r str {
        self.0
    }
}

#[rocket::async_trait]
impl<'r> FromFormField<'r> for Next<'r> {
    fn from_value(field: ValueField<'r>) -> FormResult<'r, Self> {
        Ok(Self::new(field.value).ok_or_else(|| Error::validation("another site's"))?)
    }
}

impl UriDisplay<Query> for Next<'_> {
    fn fmt(&self, address: &mut Formatter<'_, Query>) -> std::fmt::Result {
        address.write_value(self.0)
    }
}

impl_from_uri_param_identity!([Query] ('a) Next<'a>);

/// Sends whoever must log in to the form. One catcher serves every route.
#[catch(401)]
fn please_log_in(request: &Request<'_>) -> Redirect {
    let asked = request.uri().to_string();
    let next = (request.method() == Method::Get).then(|| Next::new(&asked)).flatten();
    Redirect::to(uri!("/next", form(next)))
}

#[get("/login?<next>")]
fn form(next: Option<Next<'_>>) -> RawHtml<String> {
    // The parser has let no other special character of HTML pass.
    let next = next.map_or(String::new(), |next| next.0.replace('&', "&amp;"));
    RawHtml(format!(
        r#"<form method="post" action="/next/login"><input type="hidden" name="next" value="{next}">
<input name="name"><input name="password" type="password"><button>Log in</button></form>"#
    ))
}

#[derive(FromForm)]
struct Credentials<'r> {
    name: &'r str,
    password: &'r str,
    next: Option<Next<'r>>,
}

/// An application asks its users' table, and has a CSRF token in the form; see
/// `double_click.rs`.
#[post("/login", data = "<credentials>")]
fn login(
    session: Session<Reader>,
    credentials: Form<Credentials<'_>>,
) -> Result<Redirect, (Status, RawHtml<String>)> {
    if credentials.password != "swordfish" {
        return Err((Status::Unauthorized, form(credentials.next)));
    }
    session.login(Reader { name: credentials.name.to_owned() });
    let home = uri!("/next", home).to_string();
    Ok(Redirect::to(credentials.next.map_or(home, |next| next.path().to_owned())))
}

#[get("/")]
fn home(reader: Authenticated<Reader>) -> String {
    format!("Hello, {}!", reader.name)
}

#[get("/articles/<number>?<page>")]
fn article(_reader: Authenticated<Reader>, number: u32, page: Option<u32>) -> String {
    format!("Article {number}, page {}", page.unwrap_or(1))
}

#[post("/articles/<number>")]
fn comment(_reader: Authenticated<Reader>, number: u32) -> String {
    format!("A comment on article {number}")
}

pub fn stage() -> AdHoc {
    AdHoc::on_ignite("next", |rocket| async {
        rocket
            .mount("/next", routes![home, form, login, article, comment])
            .register("/next", catchers![please_log_in])
    })
}
