//! Where to go on after a login: a page of this site, whatever a link says.

use rocket::form::{self, FromFormField, ValueField};
use rocket::http::Method;
use rocket::http::uri::Origin;
use rocket::response::Redirect;
use rocket::{Request, UriDisplayQuery};

/// A path of this site. Anything else that a client writes becomes the front page.
#[derive(UriDisplayQuery)]
pub struct Next(String);

impl Next {
    pub fn new(text: &str) -> Self {
        Self(if is_own(text) { text } else { "/" }.to_owned())
    }

    /// The page that was asked for. After a form it is the front page.
    pub fn here(request: &Request<'_>) -> Self {
        match request.method() {
            Method::Get => Self::new(&request.uri().to_string()),
            _ => Self::new("/"),
        }
    }

    /// For a catcher: where the request was to lead.
    pub fn of(request: &Request<'_>) -> Self {
        match request.query_value("next") {
            Some(Ok(next)) => next,
            _ => Self::here(request),
        }
    }
}

/// Returns whether `text` is a path of this application. The guide's recipe "A safe next" says what
/// the check promises.
fn is_own(text: &str) -> bool {
    let Ok(uri) = Origin::parse(text) else { return false };
    let is_strange = |segment: &str| {
        [".", ".."].contains(&segment)
            || segment.contains(|c: char| c.is_control() || "/\\".contains(c))
    };
    !uri.path().contains("//") && !uri.path().segments().any(is_strange)
}

impl<'v> FromFormField<'v> for Next {
    fn from_value(field: ValueField<'v>) -> form::Result<'v, Self> {
        Ok(Self::new(field.value))
    }

    fn default() -> Option<Self> {
        Some(Self::new("/"))
    }
}

impl From<Next> for Redirect {
    fn from(next: Next) -> Self {
        Self::to(next.0)
    }
}
