//! The names of applications, cookies and headers, and what sessions may not share.

use std::collections::BTreeMap;

use super::types::{SessionConfig, TransportConfig};
use crate::storage::StorageConfig;
use crate::table::{Context, Table};

/// Headers that already have a meaning in HTTP, in Rocket or in this crate.
const RESERVED: [&str; 30] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "access-control-allow-origin",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "host",
    "if-match",
    "if-none-match",
    "keep-alive",
    "location",
    "origin",
    "referer",
    "retry-after",
    "server",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
];

/// Whether a name is a `token` of RFC 9110. RFC 6265 requires this of cookie names as well.
pub(super) fn is_token(name: &str) -> bool {
    let other = |b: &u8| b"!#$%&'*+-.^_`|~".contains(b);
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || other(&b))
}

/// Whether a header of this name, which stands under `key`, can carry something of
/// ours. It is a problem if it cannot.
pub(super) fn check_header(table: &mut Table<'_, '_>, key: &str, name: &str) -> bool {
    if !is_token(name) {
        table.problem(
            key,
            format!("{name:?} cannot be a header's name; use letters, digits, `-` and `_`"),
        );
    } else if is_reserved(name) {
        let message = format!("{name:?} is a header with a meaning of its own; choose another");
        table.problem(key, message);
    } else {
        return true;
    }
    false
}

/// Whether a header of this name cannot carry a session (docs/security.md, S19).
fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    RESERVED.contains(&name.as_str()) || name.starts_with("proxy-") || name.starts_with("sec-")
}

/// Refuses two definitions with the same cookie or header, which would read each other's tokens.
pub(super) fn refuse_duplicates(
    context: &mut Context<'_>,
    sessions: &BTreeMap<String, SessionConfig>,
) {
    let mut seen: BTreeMap<(u8, String), &str> = BTreeMap::new();
    for (name, session) in sessions {
        let wire = match &session.transport {
            TransportConfig::Cookie(_) => (1, session.wire_name.clone()),
            TransportConfig::Header => (2, session.wire_name.to_ascii_lowercase()),
            TransportConfig::Custom(transport) => (3, format!("{transport} {}", session.wire_name)),
        };
        if let Some(other) = seen.insert(wire, name) {
            let message = format!(
                "{:?} is the name of `sessions.{other}` too; give each its own",
                session.wire_name
            );
            context.problem(&format!("sessions.{name}.name"), message, None);
        }
    }
}

/// Reads the application's name.
pub(super) fn app(table: &mut Table<'_, '_>) -> Option<String> {
    let app = table.text("app")?;
    if app.len() > usize::from(u16::MAX) {
        table.problem("app", "at most 65535 bytes");
    }
    Some(app)
}

/// Requires a name for an application that uses a shared server. Without names, applications could
/// see and end each other's sessions.
pub(super) fn require_app(context: &mut Context<'_>, sessions: &BTreeMap<String, SessionConfig>) {
    let is_shared = |session: &SessionConfig| {
        session.storage.iter().chain(&session.revocation).any(StorageConfig::is_shared)
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
         or set ROCKET_SESSIONS__APP=shop-production",
        unnamed.join("`, `")
    );
    context.weakness("sessions.app", &message, None);
}
