//! The schema of the tables `storage`, `revocation` and `cache`.

use std::time::Duration;

use figment::value::{Dict, Value};

use crate::table::{Field, Key, Table, Urls, schema, table_field};

schema! {
    /// The value of `storage` and of `revocation`: the place where sessions are kept, or where
    /// ended client sessions are remembered. Each engine has keys of its own.
    pub struct StorageConfig {
        /// The engine: `memory`, `directory`, `redis`, `postgres`, `mysql` or `sqlite`. The last
        /// four need the feature of that name.
        kind as "type": String = {
            default: "required in a table",
            refuses: "an engine whose feature is off",
            example: "redis".into(),
        },
        /// How many records `memory` holds. It never evicts a session that its client has come
        /// back with.
        capacity: usize = {
            default: "`1_000_000`",
            refuses: "0, and more than 4,000,000,000; engines other than `memory`",
            example: 50_000,
        },
        /// The folder of `directory`, or the file of `sqlite`. A relative path starts at the
        /// folder of the file in which it is written.
        path: String = {
            default: "required for `directory` and `sqlite`",
            refuses: "an empty path; `~/` or `$` at the beginning, which only a shell replaces; other engines",
            example: "/var/lib/shop/sessions".into(),
        },
        /// The server of `redis`, `postgres` or `mysql`. A list names the nodes of a Redis
        /// cluster. For `sqlite`, `sqlite:` and a path.
        url: Urls = {
            default: "required for `redis`, `postgres` and `mysql`, unless there is a `url_file`",
            refuses: "URLs of another scheme; other engines",
            example: "redis://127.0.0.1/".into(),
        },
        /// A file that holds `url`, one URL per line, for example a secret of the container.
        url_file: String = {
            default: "none",
            refuses: "a file that cannot be read; `url` in the same table",
            example: "/run/secrets/redis_url".into(),
        },
        /// The Redis Sentinels. `url` then names the master: `redis://mymaster/`.
        sentinels: Urls = {
            default: "none",
            refuses: "anything but a Redis URL; engines other than `redis`",
            example: ["redis://10.0.0.1:26379", "redis://10.0.0.2:26379"].into(),
        },
        /// The beginning of every key in Redis.
        prefix: String = {
            default: "`\"sessions\"`",
            refuses: "an empty text, braces and spaces; engines other than `redis`",
            example: "shop".into(),
        },
        /// The name of the table in a database. The table of owners is `<table>_owners`.
        table: String = {
            default: "`\"sessions\"`",
            refuses: "anything but letters, digits and `_`, more than 40 characters, a digit at the beginning; engines that are no databases",
            example: "shop_sessions".into(),
        },
        /// The greatest number of open connections to a database.
        max_connections: usize = {
            default: "`10`",
            refuses: "0, and more than 65,535; engines that are no databases",
            example: 20,
        },
    }
}

schema! {
    /// The table `cache` of a session: copies of records in the process, in front of a storage on
    /// a server or a registered one.
    pub struct CacheConfig {
        /// The greatest number of copies.
        capacity: usize = {
            default: "`100_000`",
            refuses: "0, and more than 4,000,000,000",
            example: 10_000,
        },
        /// How old a copy may be. 0 turns the cache off.
        ttl: Duration = {
            default: "`\"2 seconds\"`",
            refuses: "more than an hour",
            example: Duration::from_secs(5),
        },
    }
}

table_field!(CacheConfig);

impl From<&str> for StorageConfig {
    /// The storage of this name: `"client"`, `"memory"`, or the name of a registered storage.
    fn from(name: &str) -> Self {
        Self { kind: Some(name.to_owned()), ..Self::default() }
    }
}

impl Field for StorageConfig {
    const KEYS: &'static [Key] = Self::KEYS;

    fn kind() -> String {
        "name or table".into()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(_, name) => Ok(name.as_str().into()),
            Value::Dict(_, dict) => Self::from_dict(dict),
            _ => Err(expected()),
        }
    }

    /// A name alone is written as a word, not as a table.
    fn to_value(&self) -> Value {
        let dict = self.to_dict();
        match (dict.len(), dict.get("type")) {
            (1, Some(word)) => word.clone(),
            _ => Value::from(dict),
        }
    }

    fn read(table: &mut Table<'_, '_>, path: &str) -> Option<Self> {
        match table.value(path)? {
            Value::String(_, name) => Some(name.as_str().into()),
            Value::Dict(..) => {
                table.is_table(path, Self::KEYS)?;
                Some(Self::read_keys(table, path))
            }
            _ => {
                table.problem(path, expected());
                None
            }
        }
    }
}

fn expected() -> String {
    "expected a name like \"memory\" or a table with a `type`: { type = \"memory\" }".into()
}

/// The word or the table of a storage as a table.
pub(crate) fn storage_dict(value: &Value) -> Option<Dict> {
    match value {
        Value::Dict(_, dict) => Some(dict.clone()),
        word @ Value::String(..) => Some(Dict::from([("type".to_owned(), word.clone())])),
        _ => None,
    }
}
