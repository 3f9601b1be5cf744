//! Tokens in a custom header, for APIs. The client sends back the header that it received.

use std::borrow::Cow;

use rocket::{Request, Response};

use super::{Outgoing, SessionTransport};

/// Reads and writes one header. A server cannot tell a client to forget a header, so `clear`
/// only removes the token from this response.
pub(crate) struct HeaderTransport;

impl SessionTransport for HeaderTransport {
    fn receive<'r>(&self, request: &'r Request<'_>, name: &str) -> Vec<Cow<'r, str>> {
        let mut values = request.headers().get(name);
        let Some(first) = values.next() else { return Vec::new() };
        match values.next() {
            None => vec![Cow::Borrowed(first)],
            // Several lines of one name are one comma-separated value (RFC 9110
            // section 5.3), which is not a token (docs/security.md, S18).
            Some(_) => vec![Cow::Borrowed(",")],
        }
    }

    fn send(&self, response: &mut Response<'_>, name: &str, outgoing: Outgoing<'_>) {
        response.set_raw_header(name.to_owned(), outgoing.token.to_owned());
    }

    fn clear(&self, response: &mut Response<'_>, name: &str) {
        response.remove_header(name);
    }

    fn vary<'a>(&self, name: &'a str) -> Option<&'a str> {
        Some(name)
    }
}
