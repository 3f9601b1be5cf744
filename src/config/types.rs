//! What a session's table in Rocket.toml amounts to, once it has been checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::origin::Origin;
use crate::crypto::aead::Suite;
use crate::crypto::keys::KeyMaterial;
use crate::crypto::mac::MacAlgorithm;
use crate::crypto::{Protect, Secret};
use crate::expiry::Timeouts;
use crate::ktor::{CookieEncoding, Serializer};
use crate::storage::{OwnerLimit, StorageConfig};
use crate::transport::CookieConfig;

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
    pub protection: Protection,
    pub csrf: CsrfConfig,
    pub timeouts: Timeouts,
    /// Bytes of encoded payload.
    pub max_payload: usize,
    pub storage_timeout: Duration,
    /// Names of registered transformers, in the order of writing.
    pub transform: Vec<String>,
    /// Keep who the client says that it is.
    pub remember_client: bool,
}

/// How the tokens of a session are protected.
#[derive(Debug)]
pub(crate) struct Protection {
    pub protect: Protect,
    pub suite: Suite,
    /// Weak settings are not refused.
    pub allow_insecure: bool,
    pub keys: Keys,
    pub key_reload: Option<KeyReload>,
    /// Ktor's format, written or accepted.
    pub ktor: Option<KtorConfig>,
    /// Ktor's format is the one that is written.
    pub writes_ktor: bool,
}

impl Protection {
    /// Ktor's format, if it is the one that is written.
    pub fn written_ktor(&self) -> Option<&KtorConfig> {
        self.ktor.as_ref().filter(|_| self.writes_ktor)
    }
}

/// The keys of one session. The first protects new tokens, and every one can read.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// Those of its native tokens; none where these have no protection.
    pub tokens: Vec<KeyMaterial>,
    /// What the keys of CSRF tokens are derived from where there are no others; without
    /// any there are no such tokens.
    pub csrf: Vec<KeyMaterial>,
}

impl Keys {
    /// Those that CSRF tokens take.
    pub fn csrf_keys(&self) -> &[KeyMaterial] {
        if self.tokens.is_empty() { &self.csrf } else { &self.tokens }
    }
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

/// A `ktor` table, checked.
#[derive(Debug)]
pub(crate) struct KtorConfig {
    pub mac: MacAlgorithm,
    pub transform: Vec<KtorTransform>,
    pub backward_compatible_read: bool,
    /// `None` for a header.
    pub cookie_encoding: Option<CookieEncoding>,
    pub serializer: Serializer,
    /// The first protects new tokens, and every one can read. Empty exactly when `transform` is.
    pub keys: Vec<KtorKeys>,
}

impl KtorConfig {
    /// Whether one of the steps is this one.
    pub fn has(&self, step: KtorTransform) -> bool {
        self.transform.contains(&step)
    }
}

/// One entry of the lists of Ktor's keys.
#[derive(Debug)]
pub(crate) struct KtorKeys {
    pub sign: Secret,
    pub encrypt: Option<Secret>,
}

/// One entry of `ktor.transform`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KtorTransform {
    Mac,
    Encrypt,
}

/// What a session's `csrf` table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CsrfConfig {
    pub field: Arc<str>,
    pub header: String,
    /// Origins beside the request's own host.
    pub trusted: Vec<Origin>,
}
