//! What all tables are read with, and the problems that are found in them.

use std::collections::BTreeMap;
use std::fmt;

use figment::value::{Dict, Tag};
use figment::{Figment, Metadata};

use super::{anchor, join};

/// The page of the reference.
const REFERENCE: &str = crate::guide::page!("configuration");

/// The prefix of Rocket's environment variables.
const PREFIX: &str = "ROCKET_";

/// What the application gave to the fairing.
#[derive(Default)]
pub(crate) struct Registered {
    pub storages: Vec<String>,
    pub transports: Vec<String>,
    pub transformers: Vec<String>,
    /// The tables of `configure`, by the name of the session.
    pub configured: BTreeMap<String, Dict>,
    /// The sessions that `configure` was called for more than once.
    pub configured_twice: Vec<&'static str>,
}

/// A problem, with its full key path and what to write instead.
#[derive(Debug, PartialEq)]
pub(crate) struct Problem {
    path: String,
    message: String,
    source: Option<String>,
    /// The place in the reference.
    anchor: String,
}

impl Problem {
    /// A problem of a session that its table alone does not show. `key` is the key's place in the
    /// schema, or empty.
    pub fn of_session(session: &str, key: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            path: join(&join("sessions", session), key),
            message,
            source: None,
            anchor: anchor(key),
        }
    }

    /// Names the places where the key of a session, or a key of its table, is written. `written` has
    /// the session's keys by their places.
    pub fn find_source(&mut self, session: &str, written: &BTreeMap<String, Vec<String>>) {
        let prefix = join("sessions", session);
        let Some(key) = self.path.strip_prefix(&prefix).map(|rest| rest.trim_start_matches('.'))
        else {
            return;
        };
        let is_meant = |name: &String| name.split('.').next() == Some(key);
        let places = written.iter().filter(|(_, keys)| keys.iter().any(is_meant));
        let places: Vec<_> = places.map(|(place, _)| place.as_str()).collect();
        self.source = Some(places.join(" and ")).filter(|places| !places.is_empty());
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, message, source, anchor } = self;
        write!(f, "`{path}`: {message}")?;
        match source {
            Some(source) => write!(f, " (in {source}).")?,
            None if message.ends_with(['?', '.']) => {}
            None => f.write_str(".")?,
        }
        let hash = if anchor.is_empty() { "" } else { "#" };
        write!(f, " See {REFERENCE}{hash}{anchor}")
    }
}

/// What every part of the configuration is read with.
pub(crate) struct Context<'a> {
    pub figment: &'a Figment,
    /// The selected profile is `debug`: weak settings give a warning and are not refused.
    pub debug: bool,
    pub registered: &'a Registered,
    pub problems: Vec<Problem>,
    pub warnings: Vec<String>,
    /// The definitions that use a random key because none is configured.
    pub keyless: Vec<String>,
    /// Problems that are reported as warnings if there are no others.
    misspelled: Vec<Problem>,
}

impl<'a> Context<'a> {
    pub fn new(figment: &'a Figment, registered: &'a Registered) -> Self {
        Self {
            figment,
            debug: figment.profile() == "debug",
            registered,
            problems: Vec::new(),
            warnings: Vec::new(),
            keyless: Vec::new(),
            misspelled: Vec::new(),
        }
    }

    /// Remembers a key that is not read, but was probably meant for the sessions.
    pub fn misspelled(&mut self, path: &str, message: impl Into<String>, source: Option<String>) {
        let (path, message) = (path.to_owned(), message.into());
        self.misspelled.push(Problem { path, message, source, anchor: String::new() });
    }

    /// Reports the misspelled keys. They may be the cause of other problems.
    pub fn report_misspelled(&mut self) {
        if self.problems.is_empty() {
            self.warnings.extend(self.misspelled.drain(..).map(|problem| problem.to_string()));
        } else {
            self.problems.append(&mut self.misspelled);
        }
    }

    /// Adds a problem. `key` is the key's place in the schema, which the reference describes.
    /// Several sessions that inherit one value have one problem with it.
    pub fn problem(
        &mut self,
        path: &str,
        key: &str,
        message: impl Into<String>,
        source: Option<String>,
    ) {
        let (path, message) = (path.to_owned(), message.into());
        let problem = Problem { path, message, source, anchor: anchor(key) };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Warns of a setting that works but may surprise.
    pub fn warn(&mut self, path: &str, message: &str) {
        let warning = format!("`{path}`: {message}");
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The name of a file, or what else figment knows of the source of a value.
    pub fn source(&self, tag: Tag) -> Option<String> {
        let metadata = self.figment.get_metadata(tag)?;
        let name = || match prefix(metadata) {
            Some(prefix) => format!("{prefix}SESSIONS"),
            // A value of the code has no source but the line that merged it.
            None => match metadata.provide_location {
                Some(line) => format!("{}:{}", line.file(), line.line()),
                None => metadata.name.to_string(),
            },
        };
        Some(metadata.source.as_ref().map_or_else(name, ToString::to_string))
    }

    /// The name of a variable from its flat key in the figment.
    pub fn flat_variable(&self, tag: Tag, key: &str) -> Option<String> {
        let prefix = prefix(self.figment.get_metadata(tag)?)?;
        Some(format!("{prefix}{}", key.to_uppercase()))
    }

    /// The full name of an environment variable below `sessions`, with the prefix that the
    /// application uses.
    pub fn variable(&self, rest: &str) -> String {
        let mut prefixes = self.figment.metadata().filter_map(prefix);
        let first = prefixes.next().unwrap_or(PREFIX);
        let prefix = if prefixes.any(|other| other == PREFIX) { PREFIX } else { first };
        format!("{prefix}SESSIONS__{rest}")
    }

    /// What to say if Rocket was given a figment that reads no environment variables: then it
    /// probably does not read Rocket.toml either.
    pub fn without_usual_sources(&self) -> Option<String> {
        let reads_variables = self.figment.metadata().any(|metadata| prefix(metadata).is_some());
        (!reads_variables).then(|| {
            "Rocket was given a configuration that reads neither Rocket.toml nor the environment: \
             write `rocket::custom(rocket::Config::figment().merge(…))`, or use `configure`"
                .into()
        })
    }

    /// What to say if no file was read.
    pub fn without_file(&self) -> Option<String> {
        let has_file = |metadata: &Metadata| {
            metadata.source.as_ref().is_some_and(|from| from.file_path().is_some())
        };
        (!self.figment.metadata().any(has_file)).then(|| match std::env::var("ROCKET_CONFIG") {
            Ok(path) => format!("ROCKET_CONFIG names {path:?}, and there is no such file"),
            Err(_) => "There is no Rocket.toml in the working directory or above it, and ROCKET_CONFIG names no other file".into(),
        })
    }
}

/// The prefix of figment's source for environment variables.
fn prefix(metadata: &Metadata) -> Option<&str> {
    metadata.name.strip_prefix('`')?.strip_suffix("` environment variable(s)")
}
