//! The `cookie` table, and the rules for cookie prefixes.

use std::time::Duration;

use rocket::figment::value::Value;

use super::names::is_token;
use super::types::Protection;
use crate::table::Table;
use crate::transport::{CookieConfig, SameSite};

/// Attributes that have their own key in the table.
const OWN_KEYS: [&str; 8] =
    ["path", "domain", "max-age", "expires", "secure", "httponly", "samesite", "partitioned"];

/// The prefixes and their rules (rfc6265bis, section 4.1.3, and the layered-cookies draft). A
/// longer prefix comes before its beginning.
const PREFIXES: [Prefix; 4] = [
    Prefix { word: "host-http", text: "__Host-Http-", host: true, http: true },
    Prefix { word: "host", text: "__Host-", host: true, http: false },
    Prefix { word: "secure", text: "__Secure-", host: false, http: false },
    Prefix { word: "http", text: "__Http-", host: false, http: true },
];

#[derive(Clone, Copy)]
struct Prefix {
    word: &'static str,
    text: &'static str,
    /// The cookie needs `Path=/` and must have no `Domain`.
    host: bool,
    http: bool,
}

/// Reads the `cookie` table of a session. `max_age` is the default. Returns the cookie and its
/// full name.
pub(super) fn read(
    mut table: Table<'_, '_>,
    name: &str,
    max_age: Duration,
    protection: &Protection,
) -> (CookieConfig, String) {
    let (prefix, wire_name) = read_prefix(&mut table, name);
    let same_site = read_same_site(&mut table, protection.writes_ktor);
    let partitioned = table.flag("partitioned").unwrap_or(false);
    let needs_secure = prefix.is_some() || same_site == SameSite::None || partitioned;
    let is_secure =
        !table.context.debug || table.context.figment.contains("tls.certs") || needs_secure;
    let cookie = CookieConfig {
        path: text(&mut table, "path").unwrap_or_else(|| "/".into()),
        domain: text(&mut table, "domain").filter(|domain| !domain.is_empty()),
        max_age: read_max_age(&mut table, max_age),
        secure: table.flag("secure").unwrap_or(is_secure),
        http_only: table.flag("http_only").unwrap_or(true),
        same_site,
        partitioned,
        ktor_encoding: None,
        extensions: extensions(&mut table),
    };
    check(&mut table, &cookie, prefix, protection.allow_insecure);
    if !is_token(&wire_name) {
        table.problem(
            "prefix",
            format!("{wire_name:?} cannot be a cookie's name; use letters, digits and `_`"),
        );
    }
    table.finish();
    (cookie, wire_name)
}

/// The prefix, which is written in its own key or at the beginning of the name, and the full
/// name.
fn read_prefix(table: &mut Table<'_, '_>, name: &str) -> (Option<Prefix>, String) {
    let words = PREFIXES.iter().map(|prefix| (prefix.word, Some(*prefix)));
    let words: Vec<_> = words.chain([("none", None)]).collect();
    let prefix = table.choice("prefix", &words).flatten();
    let wire_name = format!("{}{name}", prefix.map_or("", |prefix| prefix.text));
    (prefix.or_else(|| find_prefix(&wire_name)), wire_name)
}

/// Reads `same_site`. Only in Ktor's format can the attribute be left out.
fn read_same_site(table: &mut Table<'_, '_>, is_ktor: bool) -> SameSite {
    let words = [
        ("strict", SameSite::Strict),
        ("lax", SameSite::Lax),
        ("none", SameSite::None),
        ("unset", SameSite::Unset),
    ];
    let words = if is_ktor { &words[..] } else { &words[..3] };
    table.choice("same_site", words).unwrap_or(SameSite::Lax)
}

/// The prefix that browsers recognize in a name. They ignore its letter case.
fn find_prefix(name: &str) -> Option<Prefix> {
    let starts = |prefix: &&Prefix| {
        name.get(..prefix.text.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.text))
    };
    PREFIXES.iter().find(starts).copied()
}

fn check(
    table: &mut Table<'_, '_>,
    cookie: &CookieConfig,
    prefix: Option<Prefix>,
    allow_insecure: bool,
) {
    if !cookie.path.starts_with('/') {
        table.problem("path", "must begin with `/`, e.g. \"/\"");
    }
    if let Some(prefix) = prefix {
        let text = prefix.text;
        if !cookie.secure {
            table.problem("secure", format!("a `{text}` cookie needs `secure = true`"));
        }
        if prefix.host && cookie.path != "/" {
            table.problem("path", format!("a `{text}` cookie needs `path = \"/\"`"));
        }
        if prefix.host && cookie.domain.is_some() {
            table
                .problem("domain", format!("a `{text}` cookie may have no domain; remove the key"));
        }
        if prefix.http && !cookie.http_only {
            table.problem("http_only", format!("a `{text}` cookie needs `http_only = true`"));
        }
    }
    if cookie.same_site == SameSite::None && !cookie.secure {
        table.problem(
            "same_site",
            "\"none\" needs `secure = true`; browsers refuse the cookie otherwise",
        );
    }
    if cookie.partitioned && !cookie.secure {
        table.problem("partitioned", "needs `secure = true`; browsers refuse the cookie otherwise");
    }
    for (key, on) in [("secure", cookie.secure), ("http_only", cookie.http_only)] {
        if !on && !table.context.debug && !allow_insecure {
            table.problem(key, "`false` is refused outside the debug profile, unless the session's table says `allow_insecure = true`");
        }
    }
}

fn read_max_age(table: &mut Table<'_, '_>, default: Duration) -> Option<Duration> {
    match table.value("max_age") {
        None => Some(default),
        Some(Value::String(_, word)) if word == "session" => None,
        Some(_) => Some(table.duration("max_age").unwrap_or(default)),
    }
}

/// Reads a text that cannot end its attribute and begin another.
fn text(table: &mut Table<'_, '_>, key: &'static str) -> Option<String> {
    let text = table.text(key)?;
    if breaks_out(&text) {
        table.problem(key, "must not contain `;`, a line break or a control character");
        return None;
    }
    Some(text)
}

fn breaks_out(text: &str) -> bool {
    text.chars().any(|c| c == ';' || c.is_control() || !c.is_ascii())
}

fn extensions(table: &mut Table<'_, '_>) -> Vec<(String, String)> {
    let Some(inner) = table.table("extensions") else { return Vec::new() };
    let mut extensions = Vec::new();
    for (name, value) in inner.rest() {
        let path = format!("{}.{name}", table.path("extensions"));
        let Value::String(_, value) = value else {
            table.context.problem(&path, "expected a text; \"\" renders a bare flag", Some(&value));
            continue;
        };
        if OWN_KEYS.contains(&name.to_ascii_lowercase().as_str()) {
            table.context.problem(
                &path,
                "this attribute has a key of its own in the `cookie` table; use that",
                None,
            );
        } else if !is_token(&name) || breaks_out(&value) {
            table.context.problem(
                &path,
                "must not contain `;`, a line break or a control character",
                None,
            );
        } else {
            extensions.push((name, value));
        }
    }
    extensions
}
