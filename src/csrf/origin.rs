//! The origin check: whether the headers `Origin` and `Sec-Fetch-Site` admit a request.

use rocket::Request;

use crate::config::{Authority, Origin};
use crate::method::is_safe;

/// The values of one header of a request.
enum Sent<'r> {
    Absent,
    Once(&'r str),
    Several,
}

impl<'r> Sent<'r> {
    fn read(request: &'r Request<'_>, name: &str) -> Self {
        let mut values = request.headers().get(name);
        match (values.next(), values.next()) {
            (None, _) => Self::Absent,
            (Some(value), None) => Self::Once(value),
            (Some(_), Some(_)) => Self::Several,
        }
    }

    fn origin(&self) -> Option<Origin> {
        match self {
            Self::Once(value) => Origin::parse(value),
            Self::Absent | Self::Several => None,
        }
    }
}

/// Returns whether no header says that a page of an untrusted origin sent the request. A
/// request with a safe method always passes.
pub(super) fn admits(request: &Request<'_>, trusted: &[Origin]) -> bool {
    if is_safe(request.method()) {
        return true;
    }
    let origin = Sent::read(request, "Origin");
    let is_trusted = || origin.origin().is_some_and(|origin| trusted.contains(&origin));
    match (Sent::read(request, "Sec-Fetch-Site"), &origin) {
        (Sent::Once("same-origin" | "none"), _) | (Sent::Absent, Sent::Absent) => true,
        (Sent::Absent, _) => is_own(request, &origin) || is_trusted(),
        (Sent::Once(_) | Sent::Several, _) => is_trusted(),
    }
}

fn is_own(request: &Request<'_>, origin: &Sent<'_>) -> bool {
    let host = request_host(request);
    origin.origin().zip(host).is_some_and(|(origin, host)| origin.is_on(&host))
}

/// The host that the request is for, from `Host` or from HTTP/2. If both are there, they
/// must agree.
fn request_host(request: &Request<'_>) -> Option<Authority> {
    let asked = request.host().map(|host| Authority::parse(&host.to_string()));
    match (Sent::read(request, "Host"), asked) {
        (Sent::Absent, asked) => asked?,
        (Sent::Once(line), None) => Authority::parse(line),
        (Sent::Once(line), Some(asked)) => {
            Authority::parse(line).filter(|line| Some(line) == asked.as_ref())
        }
        (Sent::Several, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s76_an_origin_is_a_scheme_a_host_and_a_port_and_nothing_else() {
        for (one, other) in [
            ("https://pay.example", "HTTPS://Pay.Example:443"),
            ("http://pay.example:80", "http://pay.example"),
            ("https://[2001:DB8::1]", "https://[2001:db8:0:0:0:0:0:1]:443"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("https://pay.example.", "https://pay.example."),
            ("app+x://local_host", "app+x://local_host"),
            ("https://xn--bcher-kva.example:08443", "https://xn--bcher-kva.example:8443"),
        ] {
            assert!(Origin::parse(one).is_some(), "{one}");
            assert_eq!(Origin::parse(one), Origin::parse(other), "{one} {other}");
        }
        for (one, other) in [
            ("https://pay.example", "http://pay.example"),
            ("https://pay.example", "https://pay.example:8443"),
            ("https://pay.example", "https://pay.example."),
            ("https://pay.example", "https://pay.example.evil"),
            ("https://pay.example", "https://xpay.example"),
            ("app://pay.example", "app://pay.example:443"),
        ] {
            assert_ne!(Origin::parse(one), Origin::parse(other), "{one} {other}");
        }
        for text in [
            "",
            "null",
            "*",
            "https",
            "https:",
            "https://",
            "://pay.example",
            "//pay.example",
            "pay.example",
            "https:pay.example",
            "https://pay.example/",
            "https://pay.example/x",
            "https://pay.example?x",
            "https://pay.example#x",
            "https://user@pay.example",
            "https://good.example@evil.example",
            "https://*.example",
            "https://pay..example",
            "https://.example",
            "https://.",
            "https://pay.example:",
            "https://pay.example:0",
            "https://pay.example:+80",
            "https://pay.example:-1",
            "https://pay.example:65536",
            "https://pay.example:000443",
            "https://pay.example:80:80",
            "https://pay.example: 80",
            "https://pay example",
            " https://pay.example",
            "https://pay.example ",
            "https://pay.example\0",
            "https://pay.example,https://evil.example",
            "https://pay.example https://evil.example",
            "https://bücher.example",
            "https://pay.example：443",
            "https://[::1",
            "https://::1",
            "https://[]",
            "https://[::1]]",
            "https://[::1]x",
            "https://[::1%25eth0]",
            "https://[127.0.0.1]",
            "https://[pay.example]",
            "1https://pay.example",
            "ht tp://pay.example",
            "https://https://pay.example",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
        // No part of these texts makes the parser panic.
        for text in ["https://[2001:db8::1]:8443", "https://pay.éxample：443", "\u{0}://\u{10ffff}"]
        {
            for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
                let _ = (Origin::parse(&text[..at]), Origin::parse(&text[at..]));
            }
        }
    }
}
