//! Reads and opens `storage = "memory"` or a table of this type.

use std::fmt;
use std::sync::Arc;

use super::Memory;
use crate::storage::config::EngineConfig;
use crate::storage::{EngineTable, SessionStorage, StorageError, read_capacity};

/// The default of `capacity`.
const CAPACITY: usize = 1_000_000;

#[derive(Debug, PartialEq)]
struct MemoryConfig {
    capacity: usize,
}

pub(crate) fn read_config(table: &mut EngineTable<'_, '_, '_>) -> Arc<dyn EngineConfig> {
    let key = format!("{}.capacity", table.key);
    let capacity = read_capacity(table.table, &key, table.config.capacity, CAPACITY);
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
