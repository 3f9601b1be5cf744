//! `storage` and `revocation`: where sessions are kept.

use std::path::PathBuf;
use std::time::Duration;

use figment::value::{Tag, Value};

use super::table::Table;
use super::{Context, Engine, StorageConfig, Url};

/// Records that a memory storage keeps unless it is told otherwise.
const CAPACITY: usize = 1_000_000;
/// Copies that a cache keeps, and for how long.
const CACHE_CAPACITY: usize = 100_000;
const CACHE_TTL: Duration = Duration::from_secs(2);
/// Connections to a database.
const CONNECTIONS: usize = 10;

/// Storages with a feature each: its name, whether it is there, what to write.
const FEATURES: [(&str, bool, &str); 4] = [
    ("redis", cfg!(feature = "redis"), "url = \"redis://127.0.0.1/\""),
    ("postgres", cfg!(feature = "postgres"), "url = \"postgres://user@localhost/database\""),
    ("mysql", cfg!(feature = "mysql"), "url = \"mysql://user@localhost/database\""),
    ("sqlite", cfg!(feature = "sqlite"), "path = \"sessions.db\""),
];

/// Where ended client sessions are remembered.
pub(super) fn of_revocation(table: &mut Table<'_, '_>, on_server: bool) -> Option<StorageConfig> {
    let revocation = read(table, "revocation", "none")?;
    if on_server {
        table.problem("revocation", "a session on the server is ended by its record; remove it");
    }
    Some(revocation)
}

/// The storage that `key` names; `none` is the word for having none.
pub(super) fn read(
    table: &mut Table<'_, '_>,
    key: &'static str,
    none: &str,
) -> Option<StorageConfig> {
    match table.value(key)? {
        Value::String(_, word) => match word.as_str() {
            word if word == none => None,
            "memory" => Some(StorageConfig::Memory { capacity: CAPACITY }),
            "directory" => {
                table.problem(
                    key,
                    "needs a path: write { type = \"directory\", path = \"build/.sessions\" }",
                );
                None
            }
            _ if table.context.registered.storages.contains(&word) => {
                Some(StorageConfig::Custom(word))
            }
            _ => {
                let known = FEATURES.iter().find(|(feature, ..)| *feature == word);
                let message = match known {
                    Some((_, _, example)) => {
                        format!("needs to be told where: write {{ type = {word:?}, {example} }}")
                    }
                    None => format!(
                        "{word:?} is neither {none:?} nor \"memory\" nor registered; write `.attach(Sessions::fairing().storage({word:?}, …))`"
                    ),
                };
                table.problem(key, message);
                None
            }
        },
        Value::Dict(..) => of_table(table.table(key)?),
        _ => {
            table.problem(
                key,
                format!(
                    "expected {none:?}, \"memory\", a registered name, or a table with a `type`"
                ),
            );
            None
        }
    }
}

fn of_table(mut table: Table<'_, '_>) -> Option<StorageConfig> {
    let kind = table.text("type");
    let storage = match kind.as_deref() {
        Some("memory") => {
            let capacity = table.integer("capacity").unwrap_or(CAPACITY);
            if capacity == 0 {
                table.problem("capacity", "must be at least 1");
            }
            Some(StorageConfig::Memory { capacity })
        }
        Some("directory") => directory(&mut table),
        Some(word) => {
            let Some((_, available, _)) = FEATURES.iter().find(|(name, ..)| *name == word) else {
                let mut words = vec!["memory", "directory"];
                words.extend(FEATURES.map(|(name, ..)| name));
                table.problem("type", format!("{word:?} is none of {words:?}"));
                return None;
            };
            if !available {
                table.problem("type", format!("{word:?} needs the feature of that name: `cargo add rocket_typed_sessions --features {word}`"));
                return None;
            }
            match word {
                "redis" => redis(&mut table),
                "postgres" => database(&mut table, Engine::Postgres),
                "mysql" => database(&mut table, Engine::MySql),
                _ => database(&mut table, Engine::Sqlite),
            }
        }
        None => {
            table.problem("type", "missing: write type = \"memory\", \"directory\", \"redis\", \"postgres\", \"mysql\" or \"sqlite\"");
            return None;
        }
    };
    table.finish();
    storage
}

fn redis(table: &mut Table<'_, '_>) -> Option<StorageConfig> {
    const EXPECTED: &str = "missing or no URL of Redis: write url = \"redis://127.0.0.1/\", or for a cluster a list of its nodes";
    let (urls, sentinels) = (urls(table, "url"), urls(table, "sentinels"));
    let known = |url: &Url| {
        let schemes = ["redis://", "rediss://", "unix://", "redis+unix://"];
        schemes.iter().any(|scheme| url.0.starts_with(scheme))
    };
    if urls.is_empty() || !urls.iter().all(known) {
        table.problem("url", EXPECTED);
        return None;
    }
    if !sentinels.iter().all(known) || table.has("sentinels") && sentinels.is_empty() {
        table.problem("sentinels", "no URLs: write sentinels = [\"redis://10.0.0.1:26379\", …]");
    }
    if !sentinels.is_empty() && urls.len() > 1 {
        table.problem(
            "url",
            "with `sentinels` it names the one master: write url = \"redis://mymaster/\"",
        );
    }
    let prefix = table.text("prefix").unwrap_or_else(|| "sessions".into());
    if prefix.is_empty() || prefix.contains(['{', '}']) || prefix.contains(char::is_whitespace) {
        table.problem(
            "prefix",
            "must not be empty nor hold braces or spaces: write prefix = \"sessions\"",
        );
    }
    Some(StorageConfig::Redis { urls, sentinels, prefix })
}

/// One URL, or a list.
fn urls(table: &mut Table<'_, '_>, key: &'static str) -> Vec<Url> {
    let urls = match table.value(key) {
        Some(Value::Array(_, urls)) => urls,
        Some(url) => vec![url],
        None => Vec::new(),
    };
    // What is no text is no URL, and refused as such.
    let text = |url: Value| Url(url.into_string().unwrap_or_default());
    urls.into_iter().map(text).collect()
}

fn directory(table: &mut Table<'_, '_>) -> Option<StorageConfig> {
    Some(StorageConfig::Directory { path: path(table, "build/.sessions")? })
}

/// The key `path`; `example` is what to write.
fn path(table: &mut Table<'_, '_>, example: &str) -> Option<PathBuf> {
    let Some(Value::String(tag, path)) = table.value("path") else {
        table.problem("path", format!("missing or not a text: write path = {example:?}"));
        return None;
    };
    if path.is_empty() {
        table.problem("path", format!("must not be empty: write path = {example:?}"));
        return None;
    }
    Some(resolve(table.context, tag, &path))
}

/// The file of SQLite: a `path`, or the same as a `url`.
fn sqlite_path(table: &mut Table<'_, '_>) -> Option<PathBuf> {
    let Some(Value::String(tag, url)) = table.value("url") else {
        return path(table, "sessions.db");
    };
    let file = url.strip_prefix("sqlite:").map(|file| file.strip_prefix("//").unwrap_or(file));
    match file {
        Some(file) if !file.is_empty() && !file.contains([':', '?']) => {
            Some(resolve(table.context, tag, file))
        }
        _ => {
            table.problem("url", "names no file; write path = \"sessions.db\"");
            None
        }
    }
}

fn database(table: &mut Table<'_, '_>, engine: Engine) -> Option<StorageConfig> {
    let (starts, example): (&[_], _) = match engine {
        Engine::Postgres => {
            (&["postgres://", "postgresql://"], "postgres://user@localhost/database")
        }
        Engine::MySql => (&["mysql://", "mariadb://"], "mysql://user@localhost/database"),
        Engine::Sqlite => (&[], ""),
    };
    let url = if engine == Engine::Sqlite {
        sqlite_path(table)?.to_string_lossy().into_owned()
    } else {
        let url = table.text("url").unwrap_or_default();
        if !starts.iter().any(|start| url.starts_with(start)) {
            table.problem("url", format!("missing or of another scheme: write url = {example:?}"));
            return None;
        }
        url
    };
    let name = table.text("table").unwrap_or_else(|| "sessions".into());
    if !is_table(&name) {
        table.problem("table", "must be letters, digits and `_`, at most 40, and begin with a letter: write table = \"sessions\"");
    }
    let max_connections = table.integer("max_connections").unwrap_or(CONNECTIONS);
    let max_connections = u32::try_from(max_connections).unwrap_or(u32::MAX);
    if max_connections == 0 {
        table.problem("max_connections", "must be at least 1");
    }
    Some(StorageConfig::Database { engine, url: Url(url), table: name, max_connections })
}

/// Names of tables and indexes are made of it; PostgreSQL cuts them at 63.
pub(crate) fn is_table(name: &str) -> bool {
    name.len() <= 40
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// The storage behind the session's `cache`, if there is one.
pub(super) fn cached(
    table: &mut Table<'_, '_>,
    storage: Option<StorageConfig>,
) -> Option<StorageConfig> {
    let far = matches!(
        storage,
        Some(
            StorageConfig::Redis { .. } | StorageConfig::Database { .. } | StorageConfig::Custom(_)
        )
    );
    let Some(mut cache) = table.table("cache") else { return storage };
    let capacity = cache.integer("capacity").unwrap_or(CACHE_CAPACITY);
    let ttl = cache.duration_or_zero("ttl").unwrap_or(CACHE_TTL);
    if capacity == 0 {
        cache.problem("capacity", "must be at least 1");
    }
    cache.finish();
    if !far {
        table.problem("cache", "is for a storage on a server or a registered one; remove it");
    }
    let cached = |storage| StorageConfig::Cached { storage: Box::new(storage), capacity, ttl };
    storage.map(|storage| if ttl.is_zero() { storage } else { cached(storage) })
}

/// A path relative to the file it is written in; as it stands if it comes from
/// the environment.
pub(super) fn resolve(context: &Context<'_>, tag: Tag, path: &str) -> PathBuf {
    let file = context
        .figment
        .get_metadata(tag)
        .and_then(|metadata| metadata.source.as_ref()?.file_path());
    file.and_then(|file| file.parent()).map_or_else(|| path.into(), |folder| folder.join(path))
}
