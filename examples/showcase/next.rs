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
    /// Browsers take `//host` and `/\host` for the address of another site.
    pub fn new(text: &str) -> Self {
        let mut start = text.chars();
        let is_path = start.next() == Some('/') && !matches!(start.next(), Some('/' | '\\'));
        let is_local = is_path && Origin::parse(text).is_ok();
        Self(if is_local { text } else { "/" }.to_owned())
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
