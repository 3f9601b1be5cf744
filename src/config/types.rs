//! What a session's table in Rocket.toml amounts to, once it has been checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::csrf::CsrfConfig;
use crate::config::ktor::KtorTransform;
use crate::crypto::Secret;
use crate::crypto::aead::Suite;
use crate::crypto::keys::KeyMaterial;
use crate::crypto::mac::MacAlgorithm;
use crate::expiry::Timeouts;
use crate::ktor::{CookieEncoding, Serializer};
use crate::storage::OwnerLimit;

/// Everything below `sessions`, checked.
#[derive(Debug)]
pub(crate) struct Config {
    /// By table name, which is `SessionData::NAME`.
    pub sessions: BTreeMap<String, SessionConfig>,
    /// What is allowed in the debug profile but deserves a word.
    pub warnings: Vec<String>,
}

/// One `[default.sessions.x]`, checked.
#[derive(Debug)]
pub(crate) struct SessionConfig {
    /// The application's name: bound into every token and every name in a storage.
    pub app: String,
    pub transport: TransportConfig,
    /// The cookie's (prefix included) or the header's name.
    pub wire_name: String,
    /// `None` keeps the payload on the client.
    pub storage: Option<StorageConfig>,
    /// How many sessions an owner may have.
    pub owner_limit: Option<OwnerLimit>,
    /// Where ended client sessions are remembered.
    pub revocation: Option<StorageConfig>,
    pub protect: Protect,
    /// The first seals, all open; empty exactly when `protect` is `None`.
    pub keys: Vec<KeyMaterial>,
    /// What the keys of CSRF tokens are derived from where `keys` is empty; without
    /// any there are no tokens.
    pub csrf_keys: Vec<KeyMaterial>,
    pub csrf: CsrfConfig,
    pub suite: Suite,
    /// Ktor's format, written or accepted.
    pub ktor: Option<KtorConfig>,
    /// Ktor's format is the one that is written.
    pub writes_ktor: bool,
    pub key_reload: Option<KeyReload>,
    pub lifetime: Timeouts,
    /// Bytes of encoded payload.
    pub max_payload: usize,
    pub storage_timeout: Duration,
    /// Names of registered transformers, in the order of writing.
    pub transform: Vec<String>,
    /// Keep who the client says that it is.
    pub remember_client: bool,
}

/// Keys that are read again from their files.
#[derive(Debug)]
pub(crate) struct KeyReload {
    pub every: Duration,
    pub files: Vec<PathBuf>,
}

#[derive(Debug)]
pub(crate) enum TransportConfig {
    Cookie(CookieConfig),
    Header,
    /// The name it was registered under.
    Custom(String),
}

/// A cookie's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CookieConfig {
    pub path: String,
    pub domain: Option<String>,
    /// `None` is a browser-session cookie.
    pub max_age: Option<Duration>,
    pub secure: bool,
    pub http_only: bool,
    pub same_site: SameSite,
    pub partitioned: bool,
    /// The last attribute of Ktor's cookies.
    pub ktor_encoding: Option<CookieEncoding>,
    /// Further attributes in order of their names; an empty value is a bare flag.
    pub extensions: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SameSite {
    Strict,
    Lax,
    None,
    /// No attribute, as Ktor's default is; only with `format = "ktor"`.
    Unset,
}

/// A storage table; equal ones share one instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum StorageConfig {
    Memory {
        capacity: usize,
    },
    /// An absolute path, or one relative to the working directory.
    Directory {
        path: PathBuf,
    },
    /// One server, or the nodes of a cluster.
    Redis {
        urls: Vec<Url>,
        /// If there are any, the one URL's host is their name for the master.
        sentinels: Vec<Url>,
        prefix: String,
    },
    Database {
        engine: Engine,
        /// Of SQLite: the path.
        url: Url,
        table: String,
        max_connections: u32,
    },
    /// The name it was registered under.
    Custom(String),
    /// One of the above behind a cache.
    Cached {
        storage: Box<StorageConfig>,
        capacity: usize,
        ttl: Duration,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Engine {
    Postgres,
    MySql,
    Sqlite,
}

impl StorageConfig {
    /// Whether it is a server that other applications may use as well. Storages that
    /// the application registers are not checked.
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Redis { .. } => true,
            Self::Database { engine, .. } => *engine != Engine::Sqlite,
            Self::Cached { storage, .. } => storage.is_shared(),
            Self::Memory { .. } | Self::Directory { .. } | Self::Custom(_) => false,
        }
    }
}

/// An address, maybe with a password in it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Url(pub String);

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[provided]")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protect {
    Encrypt,
    Sign,
    None,
}

/// A `ktor` table, checked.
#[derive(Debug)]
pub(crate) struct KtorConfig {
    pub mac: MacAlgorithm,
    pub transform: Vec<KtorTransform>,
    pub backward_compatible_read: bool,
    /// `None` for a header.
    pub cookie_encoding: Option<CookieEncoding>,
    pub serializer: Serializer,
    /// The first seals, all open; empty exactly when `transform` is.
    pub keys: Vec<KtorKeys>,
}

/// One entry of the lists of Ktor's keys.
#[derive(Debug)]
pub(crate) struct KtorKeys {
    pub sign: Secret,
    pub encrypt: Option<Secret>,
}
