//! Reads and opens `storage = { type = "directory", … }`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Directory;
use crate::storage::config::EngineConfig;
use crate::storage::platform::MISSING;
use crate::storage::{EngineTable, SessionStorage, StorageError};

#[derive(Debug, PartialEq)]
struct DirectoryConfig {
    /// The path, which is absolute or relative to the working directory.
    path: PathBuf,
}

pub(crate) fn read_config(table: &mut EngineTable<'_, '_, '_>) -> Option<Arc<dyn EngineConfig>> {
    let path = table.file("build/.sessions")?;
    Some(Arc::new(DirectoryConfig { path }))
}

impl fmt::Display for DirectoryConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "directory {}", self.path.display())
    }
}

#[rocket::async_trait]
impl EngineConfig for DirectoryConfig {
    fn folder(&self) -> Option<&Path> {
        Some(&self.path)
    }

    async fn open(
        &self,
        warnings: &mut Vec<String>,
    ) -> Result<Arc<dyn SessionStorage>, StorageError> {
        warnings.extend(MISSING.map(str::to_owned));
        Ok(Arc::new(Directory::open(&self.path)?))
    }
}
