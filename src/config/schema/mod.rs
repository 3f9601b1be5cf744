//! The schema of the configuration: one struct for each table, one field for each key.
//!
//! Reading, the messages for unknown keys, [`SessionConfig`] and `docs/configuration.md` are all
//! made from these structs, and from those of [`storage::schema`](crate::storage::schema). The
//! macro [`schema!`](crate::table::schema) takes each key once, with everything that is known of
//! it.

mod cookie;
mod csrf;
mod ktor;
mod session;
mod words;

pub use cookie::CookieConfig;
pub use csrf::{CSRF_FIELD, CSRF_HEADER, CsrfConfig};
pub use ktor::KtorConfig;
use session::KEYS_OF_SECRETS;
pub(crate) use session::NOT_SHARED;
pub use session::SessionConfig;

use figment::value::Value;

use crate::table::Key;

/// The keys of a session's table.
pub(crate) const KEYS: &[&[Key]] = &[SessionConfig::KEYS, KEYS_OF_SECRETS];

/// The keys of a session's table, one after the other.
pub(crate) fn keys() -> impl Iterator<Item = &'static Key> + Clone {
    KEYS.iter().copied().flatten()
}

/// Whether `[default.sessions]` has a value under this name that is common to all sessions. Any
/// other table is a session, such as one that is named like a key whose values are no tables.
pub(crate) fn is_common(name: &str, value: &Value) -> bool {
    let is_table = matches!(value, Value::Dict(..));
    keys().any(|key| key.name == name) && (!is_table || is_reserved(name))
}

/// Whether no session can have this name: those of secrets, and those of tables that all sessions
/// may share.
pub(crate) fn is_reserved(name: &str) -> bool {
    ["secret", "secret_file", "app"].contains(&name)
        || keys().any(|key| key.name == name && !key.keys.is_empty())
}
