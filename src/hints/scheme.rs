//! Whether the browser speaks plain HTTP. It then drops a `Secure` cookie.
//!
//! Rocket knows only its own end of the connection. A proxy in front of it may speak HTTPS and not
//! say so. So the scheme is inferred from headers of the browser or the proxy, and is often
//! unknown.

use std::borrow::Cow;
use std::net::IpAddr;

use rocket::Request;
use rocket::http::uri::Host;

/// The scheme that a browser uses, as far as its request shows it.
pub(super) enum Scheme {
    Https,
    Http { host: String, sign: Sign },
}

/// What shows that a browser speaks plain HTTP.
#[derive(Clone, Copy)]
pub(super) enum Sign {
    /// A header says so: a proxy's, or `Origin` or `Referer` of the same host.
    Says(&'static str),
    /// Browsers send `Sec-Fetch-*` to every HTTPS site, and this one did not. An old browser or a
    /// robot does not either.
    LacksFetchMetadata,
}

/// Returns the scheme if the request shows one. A browser keeps `Secure` cookies of the machine
/// that it runs on, so a request to this machine shows nothing.
pub(super) fn find(request: &Request<'_>) -> Option<Scheme> {
    let host = host(request)?;
    if is_loopback(host.domain().as_str()) {
        return None;
    }
    let host = host.to_string();
    let says = says(request, &host);
    if request.rocket().config().tls_enabled()
        || request.headers().iter().any(|header| header.name().starts_with("Sec-Fetch-"))
        || says.iter().any(|(_, scheme)| scheme.eq_ignore_ascii_case("https"))
    {
        return Some(Scheme::Https);
    }
    let plain = says.into_iter().find(|(_, scheme)| scheme.eq_ignore_ascii_case("http"));
    let sign = match plain {
        Some((header, _)) => Sign::Says(header),
        None if is_browser(request) => Sign::LacksFetchMetadata,
        None => return None,
    };
    Some(Scheme::Http { host, sign })
}

/// The host that the request is for, from HTTP/2 or from `Host`.
fn host<'r>(request: &'r Request<'_>) -> Option<Cow<'r, Host<'r>>> {
    let line = || Host::parse(request.headers().get_one("Host")?).ok();
    request.host().map(Cow::Borrowed).or_else(|| line().map(Cow::Owned))
}

/// The headers that name a scheme, each with the scheme.
fn says<'r>(request: &'r Request<'_>, host: &str) -> Vec<(&'static str, &'r str)> {
    let values = |name| request.headers().get(name);
    let proto = "X-Forwarded-Proto";
    let forwarded = values(proto).flat_map(|value| value.split(',')).map(str::trim);
    let standard = values("Forwarded").flat_map(|value| value.split([',', ';']));
    let standard = standard.filter_map(|pair| {
        let (name, scheme) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("proto").then(|| scheme.trim_matches('"'))
    });
    let pages = ["Origin", "Referer"].into_iter().flat_map(move |name| {
        values(name).filter_map(move |url| Some((name, scheme_of(url, host)?)))
    });
    let proxies = forwarded.map(move |scheme| (proto, scheme));
    proxies.chain(standard.map(|scheme| ("Forwarded", scheme))).chain(pages).collect()
}

/// Returns the scheme of a page if it is on this host.
fn scheme_of<'u>(url: &'u str, host: &str) -> Option<&'u str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.eq_ignore_ascii_case(host).then_some(scheme)
}

/// Whether the request seems to come from a browser with a person in front of it. Few robots ask
/// for a language.
fn is_browser(request: &Request<'_>) -> bool {
    let headers = request.headers();
    let agent = headers.get_one("User-Agent").unwrap_or_default();
    agent.starts_with("Mozilla/") && headers.contains("Accept-Language")
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let host = host.to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

pub(super) fn hint(host: &str, sign: Sign) -> String {
    const WRITE: &str = "Serve it over HTTPS. To try it without, write `allow_insecure = true` and `cookie = { secure = false }`.";
    match sign {
        Sign::Says(header) => format!(
            "its cookie is `Secure`, and a request to {host:?} came over plain HTTP, as its `{header}` says. Browsers drop the cookie there, so no login lasts. {WRITE}"
        ),
        Sign::LacksFetchMetadata => format!(
            "its cookie is `Secure`, and a request to {host:?} seems to have come over plain HTTP, because the browser sent no `Sec-Fetch-Site`. Browsers drop the cookie there, so no login lasts. {WRITE} If a proxy speaks HTTPS with the browser, let it set `X-Forwarded-Proto`."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_several_names() {
        for host in ["localhost", "LOCALHOST", "shop.localhost", "127.0.0.1", "127.9.9.9", "[::1]"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["shop.example", "localhost.example", "192.168.1.5", "[2001:db8::1]", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_page_shows_the_scheme_of_its_own_host_only() {
        assert_eq!(scheme_of("http://shop.example", "shop.example"), Some("http"));
        assert_eq!(scheme_of("https://Shop.example/cart?x", "shop.example"), Some("https"));
        assert_eq!(scheme_of("http://shop.example:81/", "shop.example:81"), Some("http"));
        for url in ["http://other.example/", "http://shop.example:81", "null", "", "shop.example"] {
            assert_eq!(scheme_of(url, "shop.example"), None, "{url}");
        }
    }
}
