//! The table of a storage as its engine reads it.

use std::path::PathBuf;

use super::schema::StorageConfig;
use crate::table::Table;

/// The largest number of records or copies.
const LARGEST_CAPACITY: usize = 4_000_000_000;

/// The table under `storage` or `revocation`.
pub(crate) struct EngineTable<'a, 't, 'f> {
    pub table: &'a mut Table<'t, 'f>,
    /// `storage` or `revocation`.
    pub key: &'static str,
    pub config: &'a StorageConfig,
}

impl EngineTable<'_, '_, '_> {
    fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.key)
    }

    pub fn problem(&mut self, key: &str, message: impl Into<String>) {
        let path = self.path(key);
        self.table.problem(&path, message);
    }

    /// Makes a path absolute if the file is known in which `key` is written.
    pub fn resolve(&self, key: &str, path: &str) -> PathBuf {
        self.table.resolve(&self.path(key), path)
    }

    /// Reads the key `path`, which names a file or a folder. Messages show `example`.
    pub fn file(&mut self, example: &str) -> Option<PathBuf> {
        let message = match self.config.path.as_deref() {
            None => "missing",
            Some("") => "must not be empty",
            Some(":memory:") => "does not name a file",
            Some(path) if path.starts_with("~/") || path.starts_with('$') => {
                "begins with `~` or `$`, which only a shell replaces"
            }
            Some(path) => return Some(self.resolve("path", path)),
        };
        self.problem("path", format!("{message}; write path = {example:?}"));
        None
    }
}

/// Reads how many entries something holds.
pub(crate) fn read_capacity(
    table: &mut Table<'_, '_>,
    key: &str,
    capacity: Option<usize>,
    default: usize,
) -> usize {
    let capacity = capacity.unwrap_or(default);
    if !(1..=LARGEST_CAPACITY).contains(&capacity) {
        table.problem(
            key,
            format!("must be at least 1 and at most {LARGEST_CAPACITY}; write e.g. {default}"),
        );
    }
    capacity
}
