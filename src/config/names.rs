//! The names of applications, cookies and headers, and what sessions may not share.

use std::collections::BTreeMap;

use super::schema::{self, CSRF_HEADER, SessionConfig};
use super::settings::{SessionSettings, TransportSettings};
use crate::storage::StorageSettings;
use crate::table::{Context, Table, quoted};

/// Headers that already have a meaning in HTTP, in browsers, in proxies or in Rocket.
const RESERVED: [&str; 76] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "alt-svc",
    "authorization",
    "cache-control",
    "clear-site-data",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-security-policy",
    "content-security-policy-report-only",
    "content-type",
    "cookie",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "date",
    "dnt",
    "etag",
    "expect",
    "expires",
    "forwarded",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "origin",
    "permissions-policy",
    "pragma",
    "range",
    "referer",
    "referrer-policy",
    "refresh",
    "retry-after",
    "server",
    "server-timing",
    "service-worker",
    "set-cookie",
    "strict-transport-security",
    "te",
    "timing-allow-origin",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "upgrade-insecure-requests",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-content-type-options",
    "x-dns-prefetch-control",
    "x-frame-options",
    "x-http-method-override",
    "x-permitted-cross-domain-policies",
    "x-powered-by",
    "x-real-ip",
    "x-requested-with",
    "x-xss-protection",
];
/// Beginnings of names that belong to browsers, to proxies and to CORS.
const RESERVED_STARTS: [&str; 4] = ["proxy-", "sec-", "access-control-", "x-forwarded-"];

/// The cookie of Rocket's flash messages.
const FLASH_COOKIE: &str = "_flash";
/// The longest name of a header, so that the token has room beside it.
const LONGEST_HEADER: usize = 256;

/// Whether this is a session's name: `[a-z][a-z0-9]*(_[a-z0-9]+)*`, and no name that is
/// reserved.
pub(crate) fn valid_session_name(name: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.split('_').all(word)
        && name.len() <= 255
        && !schema::is_reserved(name)
}

/// Whether a name is a `token` of RFC 9110. RFC 6265 requires this of cookie names as well.
pub(super) fn is_token(name: &str) -> bool {
    let other = |b: &u8| b"!#$%&'*+-.^_`|~".contains(b);
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || other(&b))
}

/// Whether a header of this name, which stands under `key`, can carry something of
/// ours. It is a problem if it cannot.
pub(super) fn check_header(table: &mut Table<'_, '_>, key: &str, name: &str) -> bool {
    let message = if !is_token(name) {
        format!("{} cannot be a header's name; use letters, digits and `-`", quoted(name))
    } else if name.len() > LONGEST_HEADER {
        format!("longer than {LONGEST_HEADER} bytes; write a shorter name")
    } else if is_reserved(name) {
        format!("{name:?} is a header with a meaning of its own; choose another")
    } else if key == "name" && name.eq_ignore_ascii_case(CSRF_HEADER) {
        format!("{name:?} is the header of CSRF tokens; choose another")
    } else {
        return true;
    };
    table.problem(key, message);
    false
}

/// Warns of a header's name that a proxy may drop.
pub(super) fn warn_of_underscore(table: &mut Table<'_, '_>, key: &str, name: &str) {
    if name.contains('_') {
        table.warning(key, "nginx drops headers with `_` in their names by default; write `-`");
    }
}

/// Whether a header of this name cannot carry a session (docs/security.md, S19).
fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    RESERVED.contains(&name.as_str()) || RESERVED_STARTS.iter().any(|start| name.starts_with(start))
}

/// Whether Rocket uses a cookie of this name.
pub(super) fn is_reserved_cookie(name: &str) -> bool {
    name == FLASH_COOKIE
}

/// Refuses two definitions with the same cookie or header, which would read each other's tokens,
/// and cookies whose names belong to another client session's further cookies.
pub(super) fn refuse_duplicates(
    context: &mut Context<'_>,
    sessions: &BTreeMap<String, SessionSettings>,
) {
    let mut seen: BTreeMap<(u8, String), &str> = BTreeMap::new();
    for (name, session) in sessions {
        let wire = match &session.transport {
            TransportSettings::Cookie(_) => (1, session.wire_name.clone()),
            TransportSettings::Header => (2, session.wire_name.to_ascii_lowercase()),
            TransportSettings::Custom(transport) => {
                (3, format!("{transport} {}", session.wire_name))
            }
        };
        let wire_name = &session.wire_name;
        let message = match (seen.insert(wire, name), further_cookie(sessions, session)) {
            (Some(other), _) => {
                format!("{wire_name:?} is the name of `sessions.{other}` too; give each its own")
            }
            (None, Some(other)) => {
                format!("{wire_name:?} is reserved for `sessions.{other}`; choose another name")
            }
            (None, None) => continue,
        };
        context.problem(&format!("sessions.{name}.name"), "name", message, None);
    }
}

/// The endings of the further cookies of a client session. A number follows the point.
const ENDINGS: [&str; 2] = ["_seen", "_ended"];

/// The client session that a cookie would be taken for a further cookie of.
fn further_cookie<'s>(
    sessions: &'s BTreeMap<String, SessionSettings>,
    cookie: &SessionSettings,
) -> Option<&'s str> {
    let is_cookie =
        |session: &SessionSettings| matches!(session.transport, TransportSettings::Cookie(_));
    let is_further = |session: &SessionSettings| {
        let rest = cookie.wire_name.strip_prefix(&session.wire_name);
        session.storage.is_none()
            && is_cookie(session)
            && rest.is_some_and(|rest| match rest.strip_prefix('.') {
                Some(number) => number.parse::<u8>().is_ok(),
                None => ENDINGS.contains(&rest),
            })
    };
    let mut others = sessions.iter().filter(|_| is_cookie(cookie));
    others.find(|(_, session)| is_further(session)).map(|(name, _)| name.as_str())
}

/// Reads the application's name.
pub(super) fn app(table: &mut Table<'_, '_>, config: &SessionConfig) -> String {
    let app = config.app.clone().unwrap_or_default();
    if app.len() > usize::from(u16::MAX) {
        table.problem("app", "longer than 65535 bytes; write a shorter one");
    }
    app
}

/// Requires a name for an application that uses a shared server. Without names, applications could
/// see and end each other's sessions.
pub(super) fn require_app(context: &mut Context<'_>, sessions: &BTreeMap<String, SessionSettings>) {
    let is_shared = |session: &SessionSettings| {
        session.storage.iter().chain(&session.revocation).any(StorageSettings::is_shared)
    };
    let unnamed =
        sessions.iter().filter(|(_, session)| session.app.is_empty() && is_shared(session));
    let unnamed: Vec<_> = unnamed.map(|(name, _)| name.as_str()).collect();
    if unnamed.is_empty() {
        return;
    }
    let message = format!(
        "missing. The session(s) `{}` use a server that other applications may use as well: \
         applications without names of their own see and end one another's sessions there. \
         Write app = \"shop-production\" below [default.sessions] in Rocket.toml, \
         or set {}=shop-production",
        unnamed.join("`, `"),
        context.variable("APP")
    );
    if context.debug {
        context.warn("sessions.app", &message);
    } else {
        context.problem("sessions.app", "app", message, None);
    }
}
