//! Rocket.toml's `sessions` and its environment variables, checked.
//!
//! [`read`] finds every problem at once and says of each what to write
//! instead. No message shows a key's value.

mod cookie;
mod csrf;
mod environment;
mod keys;
mod ktor;
mod names;
mod origin;
mod session;
pub(crate) mod storage;
mod table;
mod types;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use figment::Figment;
use figment::value::{Dict, Value};

pub(crate) use csrf::CsrfConfig;
pub use csrf::{CSRF_FIELD, CSRF_HEADER};
pub(crate) use ktor::KtorTransform;
pub(crate) use origin::{Authority, Origin};
use table::Table;
pub(crate) use types::*;

use crate::data::is_valid_name;

/// The names that were registered on the fairing.
#[derive(Default)]
pub(crate) struct Registered {
    pub storages: Vec<String>,
    pub transports: Vec<String>,
    pub transformers: Vec<String>,
}

/// One thing that is wrong, with its full key path and what to write instead.
#[derive(Debug)]
pub(crate) struct Problem {
    path: String,
    message: String,
    source: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path, self.message)?;
        self.source.as_ref().map_or(Ok(()), |source| write!(f, " (in {source})"))
    }
}

/// What every part of the configuration is read with.
struct Context<'a> {
    figment: &'a Figment,
    /// The profile is `debug`: weak settings are warned of, not refused.
    debug: bool,
    registered: &'a Registered,
    problems: Vec<Problem>,
    warnings: Vec<String>,
    /// Definitions that run on a random key.
    keyless: Vec<String>,
    /// The file that the root secret comes from.
    root_file: Option<PathBuf>,
}

impl Context<'_> {
    fn problem(&mut self, path: &str, message: impl Into<String>, value: Option<&Value>) {
        let source =
            value.and_then(|value| self.figment.get_metadata(value.tag())).map(|metadata| {
                metadata
                    .source
                    .as_ref()
                    .map_or_else(|| metadata.name.to_string(), ToString::to_string)
            });
        self.problems.push(Problem { path: path.to_owned(), message: message.into(), source });
    }

    /// A problem, or in the debug profile a warning.
    fn weakness(&mut self, path: &str, message: &str, value: Option<&Value>) {
        if self.debug {
            self.warnings.push(format!("`{path}`: {message}"));
        } else {
            self.problem(path, message, value);
        }
    }
}

/// Everything below `sessions` for the selected profile, or every problem.
pub(crate) fn read(figment: &Figment, registered: &Registered) -> Result<Config, Vec<Problem>> {
    let mut context = Context {
        figment,
        debug: figment.profile() == "debug",
        registered,
        problems: Vec::new(),
        warnings: Vec::new(),
        keyless: Vec::new(),
        root_file: None,
    };
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
    let app = names::app(&mut table).unwrap_or_default();
    let secrets = keys::root(&mut table);
    table.context.root_file = keys::file(&mut table, "secret_file");
    let mut sessions = BTreeMap::new();
    for (name, value) in table.rest() {
        let path = format!("sessions.{name}");
        if !is_valid_name(&name) {
            let message = "not a session's name; write a lower-case one of at most 255 characters like `user_session`, or one of: secret, secret_file, app";
            context.problem(&path, message, Some(&value));
        } else if let Value::Dict(_, dict) = value {
            if let Some(session) = session::read(context, &name, dict, (&app, &secrets)) {
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

/// A dictionary, if the value is one.
fn into_dict(value: Value) -> Option<Dict> {
    match value {
        Value::Dict(_, dict) => Some(dict),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
