//! The keys `storage`, `revocation` and `cache`, which determine where sessions are kept.

use std::time::Duration;

use rocket::figment::value::{Dict, Value};

use crate::storage::{BuiltIn, ENGINES, OwnerLimit, OwnerLimitPolicy, StorageConfig};
use crate::table::Table;

/// The default size of a cache, and how long it keeps copies.
const CACHE_CAPACITY: usize = 100_000;
const CACHE_TTL: Duration = Duration::from_secs(2);

/// The storage that keeps sessions, and the one that remembers ended sessions.
pub(super) struct Tracking {
    /// `None` keeps the payload on the client.
    pub storage: Option<StorageConfig>,
    pub revocation: Option<StorageConfig>,
    /// `None` allows any number of sessions.
    pub owner_limit: Option<OwnerLimit>,
}

impl Tracking {
    pub fn read(table: &mut Table<'_, '_>) -> Self {
        let storage = read(table, "storage", "client");
        let revocation = read(table, "revocation", "none");
        if storage.is_some() && revocation.is_some() {
            let message = "a session on the server is ended by its record; remove it";
            table.problem("revocation", message);
        }
        let owner_limit = read_owner_limit(table, storage.is_some());
        Self { storage, revocation, owner_limit }
    }

    pub fn is_on_server(&self) -> bool {
        self.storage.is_some()
    }
}

/// Reads the storage that `key` names. `none` is the word for no storage.
fn read(table: &mut Table<'_, '_>, key: &'static str, none: &str) -> Option<StorageConfig> {
    match table.value(key)? {
        Value::String(_, word) if word == none => None,
        Value::String(_, word) => read_word(table, key, word, none),
        Value::Dict(..) => read_table(table.table(key)?),
        _ => {
            let message = format!(
                "expected {none:?}, \"memory\", a registered name, or a table with a `type`"
            );
            table.problem(key, message);
            None
        }
    }
}

/// Reads a storage that is named by one word. A built-in storage takes precedence over a
/// registered one only if it needs no other keys.
fn read_word(
    table: &mut Table<'_, '_>,
    key: &'static str,
    word: String,
    none: &str,
) -> Option<StorageConfig> {
    let engine = BuiltIn::find(&word);
    if let Some(BuiltIn { needs: None, read: Some(read), .. }) = engine {
        let path = table.path(key);
        return read(&mut Table::new(table.context, path, Dict::new())).map(StorageConfig::Engine);
    }
    if table.context.registered.storages.contains(&word) {
        return Some(StorageConfig::Registered(word));
    }
    let message = match engine.and_then(|engine| engine.needs) {
        Some((what, example)) => format!("needs {what}: write {{ type = {word:?}, {example} }}"),
        None => format!(
            "{word:?} is neither {none:?} nor \"memory\" nor registered; write `.attach(Sessions::fairing().storage({word:?}, …))`"
        ),
    };
    table.problem(key, message);
    None
}

fn read_table(mut table: Table<'_, '_>) -> Option<StorageConfig> {
    let read = match table.text("type") {
        None => Err(missing_type()),
        Some(word) => match BuiltIn::find(&word) {
            None => Err(format!("{word:?} is none of {:?}", names())),
            Some(BuiltIn { read: None, .. }) => Err(format!(
                "{word:?} needs the feature of that name: `cargo add rocket_typed_sessions --features {word}`"
            )),
            Some(BuiltIn { read: Some(read), .. }) => Ok(read),
        },
    };
    match read {
        Ok(read) => {
            let storage = read(&mut table);
            table.finish();
            storage.map(StorageConfig::Engine)
        }
        Err(message) => {
            table.problem("type", message);
            None
        }
    }
}

fn names() -> Vec<&'static str> {
    ENGINES.iter().map(|engine| engine.name).collect()
}

fn missing_type() -> String {
    let names: Vec<_> = names().iter().map(|name| format!("{name:?}")).collect();
    let (others, last) = names.split_at(names.len().saturating_sub(1));
    format!("missing: write type = {} or {}", others.join(", "), last.concat())
}

/// Puts the session's `cache`, if there is one, in front of the storage.
pub(super) fn read_cache(
    table: &mut Table<'_, '_>,
    storage: Option<StorageConfig>,
) -> Option<StorageConfig> {
    let is_remote = storage.as_ref().is_some_and(StorageConfig::is_remote);
    let Some(mut cache) = table.table("cache") else { return storage };
    let capacity = cache.integer("capacity").unwrap_or(CACHE_CAPACITY);
    let ttl = cache.duration_or_zero("ttl").unwrap_or(CACHE_TTL);
    if capacity == 0 {
        cache.problem("capacity", "must be at least 1");
    }
    cache.finish();
    if !is_remote {
        table.problem("cache", "is for a storage on a server or a registered one; remove it");
    }
    let cached = |storage| StorageConfig::Cached { storage: Box::new(storage), capacity, ttl };
    storage.map(|storage| if ttl.is_zero() { storage } else { cached(storage) })
}

/// Reads how many sessions an owner may have. `None` allows any number.
fn read_owner_limit(table: &mut Table<'_, '_>, on_server: bool) -> Option<OwnerLimit> {
    let policies =
        [("end-oldest", OwnerLimitPolicy::EndOldest), ("refuse", OwnerLimitPolicy::Refuse)];
    let policy = table.choice("owner_limit_policy", &policies);
    let max = table.integer("max_sessions_per_owner").filter(|max| *max > 0)?;
    if !on_server {
        table.problem(
            "max_sessions_per_owner",
            "sessions on the client cannot be counted; remove it, or write a server storage",
        );
    }
    Some(OwnerLimit { max, policy: policy.unwrap_or(OwnerLimitPolicy::EndOldest) })
}
