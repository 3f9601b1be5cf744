//! The configuration of sessions: [`SessionConfig`] and the types of its fields.
//!
//! Sessions are configured in Rocket.toml and in environment variables, and can be configured in
//! code with [`SessionConfig`]. [`guide::configuration`](crate::guide::configuration) describes
//! every key.
//!
//! Reading finds all problems in one run. Each message says what to write instead, and no message
//! shows a secret.

mod cookie;
mod csrf;
mod key_source;
mod keys;
mod ktor;
mod layers;
mod lifetimes;
mod names;
mod origin;
mod protection;
mod registered;
mod schema;
mod session;
mod settings;
mod sources;
mod storage;
mod transport;
mod undefined;

use std::collections::{BTreeMap, BTreeSet};

use figment::Figment;
use figment::value::Value;

pub use crate::crypto::Protect;
pub use crate::crypto::aead::Suite;
pub use crate::crypto::mac::MacAlgorithm;
pub use crate::ktor::{CookieEncoding, Serializer};
pub use crate::storage::OwnerLimitPolicy;
pub use crate::storage::schema::{CacheConfig, StorageConfig};
use crate::table::{Context, Layer, Scope, Table, nearest, unknown_key};
pub use crate::table::{CookieMaxAge, OneOrMore, Timeout, Urls};
pub(crate) use crate::table::{Problem, Registered};
pub use crate::transport::SameSite;
pub(crate) use names::valid_session_name;
pub(crate) use origin::{Authority, Origin};
pub use schema::{CSRF_FIELD, CSRF_HEADER, CookieConfig, CsrfConfig, KtorConfig, SessionConfig};
use schema::{KEYS, NOT_SHARED, is_common};
pub use settings::{AcceptedFormat, CookiePrefix, Format, KtorTransform};
pub(crate) use settings::{
    CsrfSettings, KeyReload, KtorKeys, KtorSettings, Protection, SessionSettings, Settings,
    TransportSettings,
};
use sources::Source;
pub(crate) use undefined::Undefined;

/// Reads everything below `sessions` for the selected profile, or returns every problem.
pub(crate) fn read(figment: &Figment, registered: &Registered) -> Result<Settings, Vec<Problem>> {
    let mut context = Context::new(figment, registered);
    let sessions = read_all(&mut context);
    keys::report_missing(&mut context);
    context.report_misspelled();
    if context.problems.is_empty() {
        let undefined = Undefined::read(&context);
        Ok(Settings { sessions, warnings: context.warnings, undefined })
    } else {
        Err(context.problems)
    }
}

fn read_all(context: &mut Context<'_>) -> BTreeMap<String, SessionSettings> {
    registered::refuse_shadowed(context);
    registered::refuse_configured_twice(context);
    if context.figment.profiles().any(|profile| profile == "sessions") {
        let message = "a table without its profile, which Rocket reads as a profile named `sessions`; \
                       write [default.sessions.…] instead of [sessions.…]";
        context.problem("sessions", "", message, None);
    }
    let sources = sources::sources(context);
    read_common(context, &sources);
    let mut sessions = BTreeMap::new();
    for name in session_names(context, &sources) {
        let layers = layers_of(context, &sources, &name);
        let dict = layers::merge(&layers);
        let mut table = Table::new(context, &name, layers, dict, KEYS);
        if let Some(session) = session::read(&mut table, &name) {
            sessions.insert(name, session);
        }
    }
    names::refuse_duplicates(context, &sessions);
    csrf::refuse_headers_of_sessions(context, &sessions);
    names::require_app(context, &sessions);
    sessions
}

/// The keys of a source that are common to all sessions.
fn common(source: &Source) -> Layer {
    let keys = source.dict.iter().filter(|(name, value)| is_common(name, value));
    let dict = keys.map(|(name, value)| (name.clone(), value.clone())).collect();
    Layer { scope: Scope::All, dict, variable: source.variable.clone() }
}

/// Checks the types of the keys that are common to all sessions, even if there is no session.
fn read_common(context: &mut Context<'_>, sources: &[Source]) {
    let layers: Vec<_> = sources.iter().map(common).collect();
    let dict = layers::merge(&layers);
    let mut table = Table::new(context, "", layers, dict, KEYS);
    for name in NOT_SHARED {
        if table.has(name) {
            table.problem(name, "belongs in the table of one session; write it below [default.sessions.user_session]");
        }
    }
    SessionConfig::read_keys(&mut table, "");
}

/// The names of the sessions that have a table, a variable, or a configuration in code. What else
/// stands below `sessions` is a problem.
fn session_names(context: &mut Context<'_>, sources: &[Source]) -> BTreeSet<String> {
    let configured = context.registered.configured.keys();
    let mut names: BTreeSet<String> =
        configured.filter(|name| valid_session_name(name)).cloned().collect();
    for source in sources {
        for (name, value) in source.dict.iter().filter(|(name, value)| !is_common(name, value)) {
            let variable = source.variable.as_deref();
            let message = match value {
                Value::Dict(..) if valid_session_name(name) => {
                    names.insert(name.clone());
                    continue;
                }
                Value::Dict(..) => "not a session's name; write a lower-case one of at most 255 characters like `user_session`".into(),
                _ => not_a_session(context, name, value, variable.is_some()),
            };
            let source = source.variable.clone().or_else(|| context.source(value.tag()));
            context.problem(&format!("sessions.{name}"), "", message, source);
        }
    }
    warn_of_misspelled(context, sources, &names);
    names
}

/// Warns of a session that only variables name if another one has nearly the same name.
fn warn_of_misspelled(context: &mut Context<'_>, sources: &[Source], names: &BTreeSet<String>) {
    let is_lasting = |name: &&String| {
        context.registered.configured.contains_key(*name)
            || sources
                .iter()
                .any(|source| source.variable.is_none() && source.dict.contains_key(*name))
    };
    let (lasting, of_variables): (Vec<_>, Vec<_>) = names.iter().partition(is_lasting);
    for name in of_variables {
        if let Some(nearest) = nearest(name, lasting.iter().map(|name| name.as_str())) {
            let message = format!(
                "a session that only variables name; if `{nearest}` is meant, correct the variable"
            );
            context.warn(&format!("sessions.{name}"), &message);
        }
    }
}

/// What to write instead of a key below `sessions` that is neither a table nor known.
fn not_a_session(context: &Context<'_>, name: &str, value: &Value, is_variable: bool) -> String {
    if value.as_str().is_some_and(|text| text.trim_start().starts_with('{')) {
        return "expected a table, and found a text; close all brackets: '{storage=\"memory\"}'"
            .into();
    }
    let parts = sources::parts_of(name).filter(|parts| is_variable && parts.contains("__"));
    if let Some(parts) = parts {
        let right = context.variable(&parts.to_uppercase());
        return format!("unknown key; two `_` separate the parts: {right}");
    }
    if nearest(name, schema::keys().map(|key| key.name)).is_some() {
        return unknown_key(name, "", schema::keys(), KEYS);
    }
    if is_variable {
        return "unknown key; remove it, or write {}, in a shell '{}', for a session with the defaults".into();
    }
    format!("unknown key; remove it, or write [default.sessions.{name}] if it is a session")
}

/// What a session is configured with, from the weakest layer to the strongest.
fn layers_of(context: &Context<'_>, sources: &[Source], name: &str) -> Vec<Layer> {
    let code = context.registered.configured.get(name);
    let code = code.map(|dict| Layer { scope: Scope::Code, dict: dict.clone(), variable: None });
    let own = sources.iter().filter_map(|source| match source.dict.get(name) {
        Some(Value::Dict(_, dict)) => {
            Some(Layer { scope: Scope::Own, dict: dict.clone(), variable: source.variable.clone() })
        }
        _ => None,
    });
    code.into_iter().chain(sources.iter().map(common)).chain(own).collect()
}

#[cfg(test)]
mod tests;
