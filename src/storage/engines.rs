//! The built-in storages that a table can name by its `type`.

use std::sync::Arc;

use super::config::EngineConfig;
use super::{EngineTable, directory, memory};

/// Reads a table. `None` if its problems leave no storage.
type ReadConfig = fn(&mut EngineTable<'_, '_, '_>) -> Option<Arc<dyn EngineConfig>>;

/// A built-in storage.
pub(crate) struct BuiltIn {
    pub name: &'static str,
    /// What is missing if only the name is given, and an example of it.
    pub needs: Option<(&'static str, &'static str)>,
    /// The keys of its table beside `type`.
    pub keys: &'static [&'static str],
    /// `None` if the feature of the same name is off.
    pub read: Option<ReadConfig>,
}

/// `Some($read)` if the feature is on.
macro_rules! with_feature {
    ($feature:literal, $read:path) => {{
        #[cfg(feature = $feature)]
        let read = Some($read as ReadConfig);
        #[cfg(not(feature = $feature))]
        let read = None;
        read
    }};
}

const WHERE: &str = "to be told where";

/// The keys of a database on a server.
const SERVER: &[&str] = &["url", "url_file", "table", "max_connections"];

/// All built-in storages.
pub(crate) const ENGINES: [BuiltIn; 6] = [
    BuiltIn {
        name: "memory",
        needs: None,
        keys: &["capacity"],
        read: Some(|table| Some(memory::read_config(table))),
    },
    BuiltIn {
        name: "directory",
        needs: Some(("a path", "path = \"build/.sessions\"")),
        keys: &["path"],
        read: Some(directory::read_config),
    },
    BuiltIn {
        name: "redis",
        needs: Some((WHERE, "url = \"redis://127.0.0.1/\"")),
        keys: &["url", "url_file", "sentinels", "prefix"],
        read: with_feature!("redis", super::redis::read_config),
    },
    BuiltIn {
        name: "postgres",
        needs: Some((WHERE, "url = \"postgres://user@localhost/database\"")),
        keys: SERVER,
        read: with_feature!("postgres", super::sql::postgres::read_config),
    },
    BuiltIn {
        name: "mysql",
        needs: Some((WHERE, "url = \"mysql://user@localhost/database\"")),
        keys: SERVER,
        read: with_feature!("mysql", super::sql::mysql::read_config),
    },
    BuiltIn {
        name: "sqlite",
        needs: Some((WHERE, "path = \"sessions.db\"")),
        keys: &["path", "url", "table", "max_connections"],
        read: with_feature!("sqlite", super::sql::sqlite::read_config),
    },
];

impl BuiltIn {
    /// The built-in storage of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        const { &ENGINES }.iter().find(|engine| engine.name == name)
    }
}
