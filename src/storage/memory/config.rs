//! Reads and opens `storage = "memory"` or a table of this type.

use std::fmt;
use std::sync::Arc;

use super::Memory;
use crate::storage::config::EngineConfig;
use crate::storage::{SessionStorage, StorageError};
use crate::table::Table;

/// The default of `capacity`.
const CAPACITY: usize = 1_000_000;

#[derive(Debug, PartialEq)]
struct MemoryConfig {
    capacity: usize,
}

pub(crate) fn read_config(table: &mut Table<'_, '_>) -> Arc<dyn EngineConfig> {
    let capacity = table.integer("capacity").unwrap_or(CAPACITY);
    if capacity == 0 {
        table.problem("capacity", "must be at least 1");
    }
    Arc::new(MemoryConfig { capacity })
}

impl fmt::Display for MemoryConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory, {} records", self.capacity)
    }
}

#[rocket::async_trait]
impl EngineConfig for MemoryConfig {
    fn is_in_process(&self) -> bool {
        true
    }

    async fn open(&self, _: &mut Vec<String>) -> Result<Arc<dyn SessionStorage>, StorageError> {
        Ok(Arc::new(Memory::new(self.capacity)))
    }
}
