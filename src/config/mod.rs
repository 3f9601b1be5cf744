//! The `sessions` table of Rocket.toml and its environment variables, checked.
//!
//! [`read`] finds all problems in one run. Each message says what to write instead. No message
//! shows the value of a key.

mod cookie;
mod csrf;
mod environment;
mod key_source;
mod keys;
mod ktor;
mod lifetimes;
mod names;
mod origin;
mod protection;
mod session;
mod storage;
mod transport;
mod types;

use std::collections::BTreeMap;

use rocket::figment::Figment;
use rocket::figment::value::Value;

pub(crate) use crate::crypto::Protect;
use crate::namespace::valid_session_name;
use crate::table::{Context, Table};
pub(crate) use crate::table::{Problem, Registered};
pub use csrf::{CSRF_FIELD, CSRF_HEADER};
use key_source::Root;
pub(crate) use origin::{Authority, Origin};
pub(crate) use types::{
    Config, CsrfConfig, KeyReload, KtorConfig, KtorKeys, KtorTransform, Protection, SessionConfig,
    TransportConfig,
};

/// Reads everything below `sessions` for the selected profile, or returns every problem.
pub(crate) fn read(figment: &Figment, registered: &Registered) -> Result<Config, Vec<Problem>> {
    let mut context = Context::new(figment, registered);
    let config = root(&mut context);
    if !context.keyless.is_empty() {
        let names = context.keyless.join("`, `");
        context.warnings.push(format!(
            "The session(s) `{names}` have no key and run on a random one: they end with this process. \
             For a lasting key set ROCKET_SESSIONS__SECRET to the output of `openssl rand -base64 32`."
        ));
    }
    if context.problems.is_empty() {
        Ok(Config { warnings: context.warnings, ..config })
    } else {
        Err(context.problems)
    }
}

fn root(context: &mut Context<'_>) -> Config {
    if context.figment.profiles().any(|profile| profile == "sessions") {
        let message = "a table without its profile; Rocket reads it as a profile named `sessions`. \
                       Write [default.sessions.…] instead of [sessions.…]";
        context.problem("sessions", message, None);
    }
    let dict = environment::sessions(context);
    let mut table = Table::new(context, "sessions".into(), dict);
    let root = Root {
        app: names::app(&mut table).unwrap_or_default(),
        secrets: keys::read(&mut table, &keys::SECRET, 32),
    };
    table.context.root_file = keys::file(&mut table, "secret_file");
    let mut sessions = BTreeMap::new();
    for (name, value) in table.rest() {
        let path = format!("sessions.{name}");
        if !valid_session_name(&name) {
            let message = "not a session's name; write a lower-case one of at most 255 characters like `user_session`, or one of: secret, secret_file, app";
            context.problem(&path, message, Some(&value));
        } else if let Value::Dict(_, dict) = value {
            if let Some(session) = session::read(context, &name, dict, &root) {
                sessions.insert(name, session);
            }
        } else {
            context.problem(
                &path,
                format!("expected a table: write [default.sessions.{name}]"),
                Some(&value),
            );
        }
    }
    names::refuse_duplicates(context, &sessions);
    csrf::refuse_headers_of_sessions(context, &sessions);
    names::require_app(context, &sessions);
    Config { sessions, warnings: Vec::new() }
}

#[cfg(test)]
mod tests;
