//! The keys `storage`, `revocation` and `cache`, which determine where sessions are kept.

use std::time::Duration;

use super::{SessionConfig, StorageConfig};
use crate::storage::{
    BuiltIn, ENGINES, EngineTable, OwnerLimit, OwnerLimitPolicy, StorageSettings, read_capacity,
};
use crate::table::{Table, nearest, quoted};

/// The default size of a cache, and how long it keeps copies.
const CACHE_CAPACITY: usize = 100_000;
const CACHE_TTL: Duration = Duration::from_secs(2);
const LONGEST_CACHE_TTL: Duration = Duration::from_secs(3600);
/// The largest number of sessions of an owner that an application may allow.
const MOST_SESSIONS: usize = 1_000_000;

/// The storage that keeps sessions, and the one that remembers ended sessions.
pub(super) struct Tracking {
    /// `None` keeps the payload on the client.
    pub storage: Option<StorageSettings>,
    pub on_server: bool,
    /// Whether `storage` was understood. If not, no other key is judged by it.
    pub is_known: bool,
    pub revocation: Option<StorageSettings>,
    /// `None` allows any number of sessions.
    pub owner_limit: Option<OwnerLimit>,
}

impl Tracking {
    pub fn read(table: &mut Table<'_, '_>, config: &SessionConfig) -> Self {
        let storage = read(table, "storage", config.storage.as_ref(), "client");
        let is_known = table.is_sound(&["storage"]);
        let (on_server, revocation) = (storage.is_some(), config.revocation.as_ref());
        let mut revocation = read(table, "revocation", revocation, "none");
        if on_server && revocation.is_some() {
            let message = "a session on the server is ended by its record; remove it";
            table.no_effect("revocation", "storage", message);
            revocation = None;
        }
        if revocation.as_ref().is_some_and(StorageSettings::is_in_process) {
            let message = "\"memory\" forgets with the process which sessions have ended, and they would live again; write a storage that lasts, like { type = \"directory\", path = \"…\" }";
            table.warning("revocation", message);
        }
        let owner_limit = read_owner_limit(table, config).filter(|_| on_server);
        if !on_server && is_known && table.is_on("max_sessions_per_owner") {
            table.no_effect(
                "max_sessions_per_owner",
                "storage",
                "sessions on the client cannot be counted; remove it, or write a server storage",
            );
        }
        Self { storage, on_server, is_known, revocation, owner_limit }
    }
}

/// Reads the storage that `key` names. `none` is the word for no storage.
fn read(
    table: &mut Table<'_, '_>,
    key: &'static str,
    config: Option<&StorageConfig>,
    none: &str,
) -> Option<StorageSettings> {
    let config = config?;
    let is_word = !table.has(&format!("{key}.type"));
    let place = if is_word { key.to_owned() } else { format!("{key}.type") };
    let Some(word) = &config.kind else {
        table.problem(&format!("{key}.type"), missing_type());
        return None;
    };
    let registered = table.context.registered.storages.contains(word);
    let built_in = match BuiltIn::find(word) {
        _ if word == none => None,
        Some(engine) if !(is_word && engine.needs.is_some()) => {
            engine.read.map(|read| (engine, read))
        }
        _ => None,
    };
    if let Some((engine, read)) = built_in {
        refuse_keys(table, key, config, word, engine.keys);
        let settings = read(&mut EngineTable { table, key, config });
        return settings.map(StorageSettings::Engine);
    }
    if word == none || registered {
        refuse_keys(table, key, config, word, &[]);
        return registered.then(|| StorageSettings::Registered(word.clone()));
    }
    let message = missing(table, word, none);
    table.problem(&place, message);
    None
}

/// What is missing for the storage that a word names.
fn missing(table: &Table<'_, '_>, word: &str, none: &str) -> String {
    match BuiltIn::find(word) {
        Some(BuiltIn { needs: Some((what, example)), read: Some(_), .. }) => {
            format!("{word:?} needs {what}; write {{ type = {word:?}, {example} }}")
        }
        Some(_) => format!(
            "{word:?} needs the feature of that name; run `cargo add rocket_typed_sessions --features {word}`"
        ),
        None => unknown(table, word, none),
    }
}

/// Refuses the keys of another engine.
fn refuse_keys(
    table: &mut Table<'_, '_>,
    key: &str,
    config: &StorageConfig,
    word: &str,
    known: &[&str],
) {
    for name in config.to_dict().keys().filter(|name| *name != "type") {
        if !known.contains(&name.as_str()) {
            let engines = ENGINES.iter().filter(|engine| engine.keys.contains(&name.as_str()));
            let names: Vec<_> = engines.map(|engine| format!("{:?}", engine.name)).collect();
            let message = format!("no key of {word:?}, but of {}; remove it", names.join(", "));
            table.no_effect(&format!("{key}.{name}"), &format!("{key}.type"), message);
        }
    }
}

/// What else the storages are called.
const OTHER_NAMES: [(&str, &str); 6] = [
    ("cookie", "client"),
    ("file", "directory"),
    ("filesystem", "directory"),
    ("folder", "directory"),
    ("mariadb", "mysql"),
    ("valkey", "redis"),
];

/// What to write instead of a word that is not a storage.
fn unknown(table: &Table<'_, '_>, word: &str, none: &str) -> String {
    // Neither text is shown: it may contain a password.
    if word.contains("://") && !word.trim_start().starts_with('{') {
        return "a URL stands in a table with its type; write { type = \"redis\", url = \"redis://127.0.0.1/\" }".into();
    }
    if word.contains(['{', '}', ':', '@']) {
        return "neither a name nor a table as TOML has it; write { type = \"memory\" }, with `=` and with all brackets closed".into();
    }
    let registered = table.context.registered.storages.iter().map(String::as_str);
    let known: Vec<_> = names().into_iter().chain([none]).chain(registered).collect();
    let list: Vec<_> = known.iter().map(|name| format!("{name:?}")).collect();
    let shown = quoted(word);
    let other_name = OTHER_NAMES.iter().find(|(other, _)| *other == word).map(|(_, name)| *name);
    match other_name.or_else(|| nearest(word, known.into_iter())) {
        Some(nearest) => format!("no storage is named {shown}; did you mean {nearest:?}?"),
        None => format!(
            "no storage is named {shown}; write one of {}, or register it: `.attach(Sessions::fairing().storage({shown}, …))`",
            list.join(", ")
        ),
    }
}

fn names() -> Vec<&'static str> {
    ENGINES.iter().map(|engine| engine.name).collect()
}

fn missing_type() -> String {
    let names: Vec<_> = names().iter().map(|name| format!("{name:?}")).collect();
    let (others, last) = names.split_at(names.len().saturating_sub(1));
    format!("missing; write type = {} or {}", others.join(", "), last.concat())
}

/// Puts the session's `cache`, if there is one, in front of the storage.
pub(super) fn read_cache(
    table: &mut Table<'_, '_>,
    config: &SessionConfig,
    storage: Option<StorageSettings>,
) -> Option<StorageSettings> {
    let Some(cache) = &config.cache else { return storage };
    let capacity = read_capacity(table, "cache.capacity", cache.capacity, CACHE_CAPACITY);
    let ttl = cache.ttl.unwrap_or(CACHE_TTL);
    if ttl > LONGEST_CACHE_TTL {
        table.problem("cache.ttl", "at most one hour; write e.g. \"2 seconds\"");
    }
    if !storage.as_ref().is_some_and(StorageSettings::is_remote) {
        if table.is_sound(&["storage"]) {
            let message = "is for a storage on a server or a registered one; remove it";
            table.no_effect("cache", "storage", message);
        }
        return storage;
    }
    let cached = |storage| StorageSettings::Cached { storage: Box::new(storage), capacity, ttl };
    storage.map(|storage| if ttl.is_zero() { storage } else { cached(storage) })
}

/// Reads how many sessions an owner may have. `None` allows any number.
fn read_owner_limit(table: &mut Table<'_, '_>, config: &SessionConfig) -> Option<OwnerLimit> {
    let max = config.max_sessions_per_owner.filter(|max| *max > 0);
    if config.max_sessions_per_owner.is_none() && config.owner_limit_policy.is_some() {
        let message =
            "has no effect without a limit; write `max_sessions_per_owner = 5`, or remove it";
        table.no_effect("owner_limit_policy", "max_sessions_per_owner", message);
    }
    if max.is_some_and(|max| max > MOST_SESSIONS) {
        table.problem(
            "max_sessions_per_owner",
            "at most 1000000; write a smaller number, or 0 for no limit",
        );
    }
    let policy = config.owner_limit_policy.unwrap_or(OwnerLimitPolicy::EndOldest);
    Some(OwnerLimit { max: max?, policy })
}
