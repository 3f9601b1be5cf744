//! What launch says of the sessions, in the log.

use crate::config::{Engine, Protect, SessionConfig, StorageConfig, TransportConfig};

/// A session the way Rocket prints its own configuration; no keys.
pub(super) fn summary(name: &str, config: &SessionConfig) -> [String; 5] {
    let transport = match &config.transport {
        TransportConfig::Cookie(_) => "cookie",
        TransportConfig::Header => "header",
        TransportConfig::Custom(name) => name,
    };
    let storage = config.storage.as_ref().map_or_else(|| "client".into(), described);
    let protection = match config.protect {
        Protect::Encrypt => format!("encrypted ({})", config.suite.name()),
        Protect::Sign => "signed".to_owned(),
        Protect::None => "unprotected".to_owned(),
    };
    let protection = match &config.ktor {
        Some(ktor) if config.writes_ktor => {
            format!("Ktor's format, {:?}, {} key(s)", ktor.transform, ktor.keys.len())
        }
        Some(_) => {
            format!("{protection}, {} key(s); Ktor's sessions are accepted", config.keys.len())
        }
        None => format!("{protection}, {} key(s)", config.keys.len()),
    };
    let (idle, absolute) = (config.lifetime.idle, config.lifetime.absolute);
    [
        format!("Session `{name}`:"),
        format!("   >> {transport}: {}", config.wire_name),
        format!("   >> storage: {storage}"),
        format!("   >> protection: {protection}"),
        format!(
            "   >> timeouts: idle {}, absolute {}",
            humantime::format_duration(idle),
            humantime::format_duration(absolute)
        ),
    ]
}

/// A storage in the words of the operator; no URL, which may hold a password.
fn described(storage: &StorageConfig) -> String {
    match storage {
        StorageConfig::Memory { capacity } => format!("memory, {capacity} records"),
        StorageConfig::Directory { path } => format!("directory {}", path.display()),
        StorageConfig::Redis { urls, sentinels, prefix } => {
            let nodes = match (urls.len(), sentinels.len()) {
                (1, 0) => "one server",
                (1, _) => "the master of Sentinels",
                _ => "a cluster",
            };
            format!("redis, {nodes}, prefix {prefix}")
        }
        StorageConfig::Database { engine: Engine::Sqlite, url, table, .. } => {
            format!("sqlite {}, table {table}", url.0)
        }
        StorageConfig::Database { engine, table, max_connections, .. } => {
            let engine = if *engine == Engine::MySql { "mysql" } else { "postgres" };
            format!("{engine}, table {table}, at most {max_connections} connections")
        }
        StorageConfig::Custom(name) => name.clone(),
        StorageConfig::Cached { storage, capacity, ttl } => {
            let ttl = humantime::format_duration(*ttl);
            format!("{}; {capacity} copies cached for {ttl}", described(storage))
        }
    }
}
