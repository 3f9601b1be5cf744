//! The `cookie` table, and the rules for cookie prefixes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::names::{self, is_token};
use super::origin::is_host;
use super::settings::Protection;
use super::{CookieConfig, CookieMaxAge, CookiePrefix};
use crate::table::{Table, join, quoted};
use crate::transport::{CookieSettings, CookieTransport, SameSite, SessionTransport};

/// Attributes that have their own key in the table.
const OWN_KEYS: [&str; 8] =
    ["path", "domain", "max-age", "expires", "secure", "httponly", "samesite", "partitioned"];

/// Browsers ignore an attribute that is longer (rfc6265bis, section 5.6).
const LONGEST_ATTRIBUTE: usize = 1024;
/// The room in bytes that a name and its attributes must leave for the token.
const LEAST_ROOM: usize = 512;

/// The prefixes and their rules. A longer prefix comes before its beginning.
const PREFIXES: [Prefix; 4] = [
    Prefix { is: CookiePrefix::HostHttp, text: "__Host-Http-", host: true, http: true },
    Prefix { is: CookiePrefix::Host, text: "__Host-", host: true, http: false },
    Prefix { is: CookiePrefix::Secure, text: "__Secure-", host: false, http: false },
    Prefix { is: CookiePrefix::Http, text: "__Http-", host: false, http: true },
];

#[derive(Clone, Copy)]
struct Prefix {
    is: CookiePrefix,
    text: &'static str,
    /// The cookie needs `Path=/` and must have no `Domain`.
    host: bool,
    http: bool,
}

/// Checks the `cookie` table of a session. `max_age` is the default. Returns the cookie and its
/// full name.
pub(super) fn read(
    table: &mut Table<'_, '_>,
    config: CookieConfig,
    name: &str,
    max_age: Duration,
    protection: &Protection,
) -> (CookieSettings, String) {
    let written = PREFIXES.iter().find(|prefix| Some(prefix.is) == config.prefix);
    let wire_name = format!("{}{name}", written.map_or("", |prefix| prefix.text));
    let prefix = written.or_else(|| find_prefix(&wire_name));
    let same_site = config.same_site.unwrap_or(SameSite::Lax);
    let partitioned = config.partitioned.unwrap_or(false);
    let needs_secure = prefix.is_some() || same_site == SameSite::None || partitioned;
    let is_secure =
        !table.context.debug || table.context.figment.contains("tls.certs") || needs_secure;
    let cookie = CookieSettings {
        path: config.path.unwrap_or_else(|| "/".into()),
        domain: config.domain,
        max_age: read_max_age(table, config.max_age, max_age),
        secure: config.secure.unwrap_or(is_secure),
        http_only: config.http_only.unwrap_or(true),
        same_site,
        partitioned,
        ktor_encoding: None,
        extensions: extensions(table, config.extensions.unwrap_or_default()),
    };
    check_place(table, &cookie);
    check_prefix(table, &cookie, prefix);
    check_secure(table, &cookie, protection.allow_insecure);
    check_name(table, &cookie, &wire_name);
    (cookie, wire_name)
}

/// The prefix that browsers recognize in a name. They ignore its letter case.
fn find_prefix(name: &str) -> Option<&'static Prefix> {
    let starts = |prefix: &&Prefix| {
        name.get(..prefix.text.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.text))
    };
    const { &PREFIXES }.iter().find(starts)
}

/// Checks where the browser sends the cookie.
fn check_place(table: &mut Table<'_, '_>, cookie: &CookieSettings) {
    let path = &cookie.path;
    if breaks_out(path) {
        table.problem("cookie.path", BREAKS_OUT);
    } else if !path.starts_with('/') {
        table.problem("cookie.path", "must begin with `/`; write e.g. \"/\"");
    } else if path.len() > LONGEST_ATTRIBUTE {
        table.problem(
            "cookie.path",
            "longer than 1024 bytes, so browsers ignore it; write a shorter one",
        );
    }
    let Some(domain) = &cookie.domain else { return };
    if !is_domain(domain) {
        table.problem("cookie.domain", format!("{domain:?} is not a host name; write one without scheme, port and path, like \"example.com\", and names in other scripts as xn--…, or remove the key"));
    }
}

fn is_domain(domain: &str) -> bool {
    let host = domain.strip_prefix('.').unwrap_or(domain);
    is_host(host) && !host.ends_with('.') && domain.len() <= 254
}

const BREAKS_OUT: &str =
    "must not contain `;`, a line break, a control character or anything but ASCII; remove it";

/// Whether a text could end its attribute and begin another.
fn breaks_out(text: &str) -> bool {
    text.chars().any(|c| c == ';' || c.is_control() || !c.is_ascii())
}

fn check_prefix(table: &mut Table<'_, '_>, cookie: &CookieSettings, prefix: Option<&Prefix>) {
    let Some(Prefix { text, host, http, .. }) = prefix else { return };
    if !cookie.secure {
        table.problem("cookie.secure", format!("a `{text}` cookie needs `secure = true`"));
    }
    if *host && cookie.path != "/" {
        table.problem("cookie.path", format!("a `{text}` cookie needs `path = \"/\"`"));
    }
    if *host && cookie.domain.is_some() {
        table.problem(
            "cookie.domain",
            format!("a `{text}` cookie may have no domain; remove the key"),
        );
    }
    if *http && !cookie.http_only {
        table.problem("cookie.http_only", format!("a `{text}` cookie needs `http_only = true`"));
    }
}

fn check_secure(table: &mut Table<'_, '_>, cookie: &CookieSettings, allow_insecure: bool) {
    if !cookie.secure {
        let why = "needs `secure = true`; browsers refuse the cookie otherwise";
        if cookie.same_site == SameSite::None {
            table.problem("cookie.same_site", format!("\"none\" {why}"));
        }
        if cookie.partitioned {
            table.problem("cookie.partitioned", why);
        }
    }
    for (key, on) in [("cookie.secure", cookie.secure), ("cookie.http_only", cookie.http_only)] {
        if !on && !table.context.debug && !allow_insecure {
            table.problem(key, "`false` is refused outside the debug profile; remove it, or write `allow_insecure = true` in the session's table");
        }
    }
}

/// Checks that the name is one, and that it leaves room for the token.
fn check_name(table: &mut Table<'_, '_>, cookie: &CookieSettings, wire_name: &str) {
    if !is_token(wire_name) {
        table.problem(
            "name",
            format!(
                "{} cannot be a cookie's name; use letters, digits, `-` and `_`",
                quoted(wire_name)
            ),
        );
    } else if names::is_reserved_cookie(wire_name) {
        table.problem("name", format!("{wire_name:?} is a cookie of Rocket; choose another name"));
    }
    let limit = CookieTransport::new(cookie).limit(wire_name);
    let room = limit.bytes.saturating_sub(limit.overhead);
    if room < LEAST_ROOM {
        let longest = if wire_name.len() > LEAST_ROOM { "name" } else { "cookie.extensions" };
        table.problem(longest, format!("leaves {room} bytes of the {} that browsers keep of a cookie, and a token needs {LEAST_ROOM}; write a shorter one", limit.bytes));
    }
}

fn read_max_age(
    table: &mut Table<'_, '_>,
    max_age: Option<CookieMaxAge>,
    default: Duration,
) -> Option<Duration> {
    match max_age {
        None => Some(default),
        Some(CookieMaxAge::BrowserSession) => None,
        Some(CookieMaxAge::After(max_age)) if max_age < Duration::from_secs(1) => {
            let message =
                "at least one second, as browsers count in seconds; write e.g. \"7 days\"";
            table.problem("cookie.max_age", message);
            None
        }
        Some(CookieMaxAge::After(max_age)) => Some(max_age),
    }
}

fn extensions(
    table: &mut Table<'_, '_>,
    extensions: BTreeMap<String, String>,
) -> Vec<(String, String)> {
    for (name, value) in &extensions {
        let key = join("cookie.extensions", name);
        if OWN_KEYS.contains(&name.to_ascii_lowercase().as_str()) {
            table.problem(
                &key,
                "this attribute has a key of its own in the `cookie` table; use that",
            );
        } else if !is_token(name) || breaks_out(value) {
            table.problem(&key, BREAKS_OUT);
        }
    }
    extensions.into_iter().collect()
}
