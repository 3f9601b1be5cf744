//! How a token travels: the [`SessionTransport`] trait, cookies and headers.

mod attributes;
mod cookie;
mod header;

use std::borrow::Cow;

use rocket::{Request, Response};

pub(crate) use attributes::{CookieConfig, SameSite};
pub(crate) use cookie::{CookieTransport, LONGEST_COOKIE};
pub(crate) use header::HeaderTransport;

pub use crate::expiry::MaxAge;
use crate::expiry::Timestamp;

/// A token on its way to the client.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Outgoing<'a> {
    /// The sealed token: `A-Z a-z 0-9 _ -` only.
    pub token: &'a str,
    /// The present.
    pub now: Timestamp,
    /// How long the client is to keep the token.
    pub max_age: MaxAge,
}

/// How tokens reach the server and the client.
///
/// A custom transport is registered with
/// [`SessionsFairing::transport`](crate::SessionsFairing::transport) and named
/// by `transport = "…"`. `name` is the configured name of the session on the
/// wire.
///
/// ```
/// use std::borrow::Cow;
/// use rocket::{Request, Response};
/// use rocket_typed_sessions::transport::{Outgoing, SessionTransport};
///
/// /// `Authorization: Bearer …`, answered in a header named as configured.
/// struct Bearer;
///
/// impl SessionTransport for Bearer {
///     fn receive<'r>(&self, request: &'r Request<'_>, _: &str) -> Vec<Cow<'r, str>> {
///         let values = request.headers().get("Authorization");
///         values.filter_map(|value| value.strip_prefix("Bearer ")).map(Cow::Borrowed).collect()
///     }
///
///     fn send(&self, response: &mut Response<'_>, name: &str, outgoing: Outgoing<'_>) {
///         response.set_raw_header(name.to_owned(), outgoing.token.to_owned());
///     }
///
///     fn clear(&self, response: &mut Response<'_>, name: &str) {
///         response.remove_header(name);
///     }
///
///     fn vary<'a>(&self, _: &'a str) -> Option<&'a str> {
///         Some("Authorization")
///     }
/// }
/// ```
pub trait SessionTransport: Send + Sync + 'static {
    /// Every value the request carries for this session, undecoded and in
    /// order; empty when there is none. More than four count as no session.
    fn receive<'r>(&self, request: &'r Request<'_>, name: &str) -> Vec<Cow<'r, str>>;

    /// Puts the token on the response, replacing one that this session sent before.
    fn send(&self, response: &mut Response<'_>, name: &str, outgoing: Outgoing<'_>);

    /// Tells the client to forget the token, where the transport can say that. A
    /// token that this response carries already must not go out.
    fn clear(&self, response: &mut Response<'_>, name: &str);

    /// The request header that responses depend on, for `Vary`.
    fn vary<'a>(&self, name: &'a str) -> Option<&'a str>;

    /// The most bytes that may travel for one token, and how many of these
    /// `send` adds to a token for its name and attributes.
    fn limit(&self, name: &str) -> SizeLimit {
        SizeLimit { bytes: 8 * 1024, overhead: name.len() }
    }
}

/// How much a transport can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeLimit {
    /// The most bytes, overhead included.
    pub bytes: usize,
    /// Bytes taken by name and attributes.
    pub overhead: usize,
}

impl SizeLimit {
    /// Bytes for a token.
    pub(crate) fn room(self) -> usize {
        self.bytes.saturating_sub(self.overhead)
    }
}
