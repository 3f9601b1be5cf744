//! What all tables are read with, and the problems that are found in them.

use std::fmt;
use std::path::PathBuf;

use rocket::figment::Figment;
use rocket::figment::value::{Tag, Value};

/// The names that were registered on the fairing.
#[derive(Default)]
pub(crate) struct Registered {
    pub storages: Vec<String>,
    pub transports: Vec<String>,
    pub transformers: Vec<String>,
}

/// A problem, with its full key path and what to write instead.
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
pub(crate) struct Context<'a> {
    pub figment: &'a Figment,
    /// The selected profile is `debug`: weak settings give a warning and are not refused.
    pub debug: bool,
    pub registered: &'a Registered,
    pub problems: Vec<Problem>,
    pub warnings: Vec<String>,
    /// The definitions that use a random key because none is configured.
    pub keyless: Vec<String>,
    /// The file of the root secret.
    pub root_file: Option<PathBuf>,
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
            root_file: None,
        }
    }

    pub fn problem(&mut self, path: &str, message: impl Into<String>, value: Option<&Value>) {
        let metadata = value.and_then(|value| self.figment.get_metadata(value.tag()));
        let source = metadata.map(|metadata| {
            let source = metadata.source.as_ref();
            source.map_or_else(|| metadata.name.to_string(), ToString::to_string)
        });
        self.problems.push(Problem { path: path.to_owned(), message: message.into(), source });
    }

    /// Adds a problem or, in the debug profile, a warning.
    pub fn weakness(&mut self, path: &str, message: &str, value: Option<&Value>) {
        if self.debug {
            self.warnings.push(format!("`{path}`: {message}"));
        } else {
            self.problem(path, message, value);
        }
    }

    /// Makes a path absolute if the file that contains it is known. A path from the environment
    /// is returned unchanged.
    pub fn resolve(&self, tag: Tag, path: &str) -> PathBuf {
        let metadata = self.figment.get_metadata(tag);
        let file = metadata.and_then(|metadata| metadata.source.as_ref()?.file_path());
        file.and_then(|file| file.parent()).map_or_else(|| path.into(), |folder| folder.join(path))
    }
}
