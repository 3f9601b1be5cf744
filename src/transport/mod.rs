//! Custom ways for a token to travel between client and server: the
//! [`SessionTransport`] trait. Cookies and headers are built in.

mod attributes;
mod cookie;
mod header;

use std::borrow::Cow;

use rocket::{Request, Response};

pub(crate) use attributes::CookieSettings;
pub use attributes::SameSite;
pub(crate) use cookie::{COOKIE_BYTES, CookieTransport, LONGEST_COOKIE};
pub(crate) use header::HeaderTransport;

pub use crate::expiry::MaxAge;
use crate::expiry::Timestamp;

/// A request with more values of one session has no session (docs/security.md, S10).
pub(crate) const MAX_VALUES: usize = 4;

/// A token to send to the client.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Outgoing<'a> {
    /// The token. It consists of `A-Z a-z 0-9 _ - .` only.
    pub token: &'a str,
    /// The current time, for an attribute such as `Expires`.
    pub now: Timestamp,
    /// How long the client keeps the token.
    pub max_age: MaxAge,
}

/// Carries tokens between client and server.
///
/// Register a transport with
/// [`SessionsFairing::transport`](crate::SessionsFairing::transport), and name it
/// in Rocket.toml with `transport = "…"`. The argument `name` of its methods is the
/// key `name` of the session's table, by default the session's own name.
///
/// ```
/// use std::borrow::Cow;
/// use rocket::{Request, Response};
/// use rocket_typed_sessions::transport::{Outgoing, SessionTransport};
///
/// /// Reads `Authorization: Bearer …`, and sends a header with the session's name.
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
///
/// assert_eq!(Bearer.vary("X-Session"), Some("Authorization"));
/// ```
pub trait SessionTransport: Send + Sync + 'static {
    /// Returns every value that the request carries for this session, undecoded and
    /// in order. A request with more than four values has no session.
    fn receive<'r>(&self, request: &'r Request<'_>, name: &str) -> Vec<Cow<'r, str>>;

    /// Puts the token on the response. It replaces a token that this session sent
    /// before.
    fn send(&self, response: &mut Response<'_>, name: &str, outgoing: Outgoing<'_>);

    /// Tells the client to remove the token, if the transport can. A token that the
    /// response carries already must be removed from it.
    fn clear(&self, response: &mut Response<'_>, name: &str);

    /// Returns the request header that responses depend on. The crate adds it to
    /// `Vary`.
    fn vary<'a>(&self, name: &'a str) -> Option<&'a str>;

    /// Returns how many bytes one token may take in a request or response. The
    /// default is 8 KiB, including the name. A session that does not fit fails with
    /// [`SessionError::TooLarge`](crate::SessionError::TooLarge).
    ///
    /// ```
    /// # use rocket::{Request, Response};
    /// # use std::borrow::Cow;
    /// use rocket_typed_sessions::transport::{Outgoing, SessionTransport, SizeLimit};
    ///
    /// struct BehindProxy;
    ///
    /// impl SessionTransport for BehindProxy {
    ///     /// The proxy refuses header lines of more than 4 KiB.
    ///     fn limit(&self, name: &str) -> SizeLimit {
    ///         SizeLimit { bytes: 4096, overhead: name.len() + ": ".len() }
    ///     }
    ///
    ///     // …
    /// #     fn receive<'r>(&self, _: &'r Request<'_>, _: &str) -> Vec<Cow<'r, str>> { Vec::new() }
    /// #     fn send(&self, _: &mut Response<'_>, _: &str, _: Outgoing<'_>) {}
    /// #     fn clear(&self, _: &mut Response<'_>, _: &str) {}
    /// #     fn vary<'a>(&self, _: &'a str) -> Option<&'a str> { None }
    /// }
    ///
    /// assert_eq!(BehindProxy.limit("X-Session").overhead, 11);
    /// ```
    fn limit(&self, name: &str) -> SizeLimit {
        SizeLimit { bytes: 8 * 1024, overhead: name.len() }
    }
}

/// How much a transport can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeLimit {
    /// The most bytes, overhead included.
    pub bytes: usize,
    /// The bytes that [`send`](SessionTransport::send) adds to a token: name and
    /// attributes.
    pub overhead: usize,
}

impl SizeLimit {
    /// Returns the bytes that are left for a token.
    pub(crate) fn room(self) -> usize {
        self.bytes.saturating_sub(self.overhead)
    }
}
