//! `storage` and `revocation`: where sessions are kept.

use std::path::PathBuf;

use figment::value::{Tag, Value};

#[cfg(feature = "redis")]
use super::Url;
use super::table::Table;
use super::{Context, StorageConfig};

/// Records that a memory storage keeps unless it is told otherwise.
const CAPACITY: usize = 1_000_000;

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
            "redis" if !table.context.registered.storages.contains(&word) => {
                table.problem(
                    key,
                    "needs a server: write { type = \"redis\", url = \"redis://127.0.0.1/\" }",
                );
                None
            }
            _ => registered_storage(table, key, none, word),
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

fn registered_storage(
    table: &mut Table<'_, '_>,
    key: &'static str,
    none: &str,
    word: String,
) -> Option<StorageConfig> {
    if table.context.registered.storages.contains(&word) {
        return Some(StorageConfig::Custom(word));
    }
    let message = if is_later(&word) {
        format!("{word:?} is not available in this version")
    } else {
        format!(
            "{word:?} is neither {none:?} nor \"memory\" nor registered; write `.attach(Sessions::fairing().storage({word:?}, …))`"
        )
    };
    table.problem(key, message);
    None
}

fn is_later(word: &str) -> bool {
    ["postgres", "mysql", "sqlite"].contains(&word)
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
        #[cfg(feature = "redis")]
        Some("redis") => redis(&mut table),
        #[cfg(not(feature = "redis"))]
        Some("redis") => {
            table.problem("type", "\"redis\" needs the feature of that name: `cargo add rocket_typed_sessions --features redis`");
            return None;
        }
        Some(word) if is_later(word) => {
            table.problem("type", format!("{word:?} is not available in this version"));
            return None;
        }
        Some(word) => {
            table.problem(
                "type",
                format!("{word:?} is none of \"memory\", \"directory\", \"redis\""),
            );
            return None;
        }
        None => {
            table.problem("type", "missing: write type = \"memory\", \"directory\" or \"redis\"");
            return None;
        }
    };
    table.finish();
    storage
}

#[cfg(feature = "redis")]
fn redis(table: &mut Table<'_, '_>) -> Option<StorageConfig> {
    const EXPECTED: &str = "missing or no text: write url = \"redis://127.0.0.1/\", or for a cluster a list of its nodes";
    let urls: Vec<String> = match table.value("url") {
        Some(Value::String(_, url)) => vec![url],
        Some(Value::Array(_, urls)) => {
            urls.into_iter().filter_map(figment::value::Value::into_string).collect()
        }
        _ => Vec::new(),
    };
    let known = |url: &String| {
        ["redis://", "unix://", "redis+unix://"].iter().any(|start| url.starts_with(start))
    };
    if urls.iter().any(|url| url.starts_with("rediss://")) {
        table.problem("url", "TLS (rediss://) is not available in this version");
        return None;
    }
    if urls.is_empty() || !urls.iter().all(known) {
        table.problem("url", EXPECTED);
        return None;
    }
    let prefix = table.text("prefix").unwrap_or_else(|| "sessions".into());
    if prefix.is_empty() || prefix.contains(['{', '}']) || prefix.contains(char::is_whitespace) {
        table.problem(
            "prefix",
            "must not be empty nor hold braces or spaces: write prefix = \"sessions\"",
        );
    }
    Some(StorageConfig::Redis { urls: urls.into_iter().map(Url).collect(), prefix })
}

fn directory(table: &mut Table<'_, '_>) -> Option<StorageConfig> {
    let Some(Value::String(tag, path)) = table.value("path") else {
        table.problem("path", "missing or not a text: write path = \"build/.sessions\"");
        return None;
    };
    if path.is_empty() {
        table.problem("path", "must not be empty: write path = \"build/.sessions\"");
        return None;
    }
    Some(StorageConfig::Directory { path: resolve(table.context, tag, &path) })
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
