//! The content of a session's table in Rocket.toml after all checks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::origin::Origin;
use super::undefined::Undefined;
use crate::crypto::aead::Suite;
use crate::crypto::keys::KeyMaterial;
use crate::crypto::mac::MacAlgorithm;
use crate::crypto::{Protect, Secret};
use crate::expiry::Timeouts;
use crate::ktor::{CookieEncoding, Serializer};
use crate::storage::{OwnerLimit, StorageSettings};
use crate::transport::CookieSettings;

/// Everything below `sessions`, after all checks.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The sessions by table name, which is `SessionData::NAME`.
    pub sessions: BTreeMap<String, SessionSettings>,
    /// Settings that are allowed, but that the operator should know of.
    pub warnings: Vec<String>,
    /// What to say if a session has no definition.
    pub undefined: Undefined,
}

/// One `[default.sessions.x]` table, after all checks.
#[derive(Debug)]
pub(crate) struct SessionSettings {
    /// The application's name. It is part of every key that protects a token and of every name in
    /// a storage.
    pub app: String,
    pub transport: TransportSettings,
    /// The name of the cookie, including its prefix, or of the header.
    pub wire_name: String,
    /// `None` keeps the payload on the client.
    pub storage: Option<StorageSettings>,
    /// How many sessions an owner may have.
    pub owner_limit: Option<OwnerLimit>,
    /// Where ended client sessions are remembered.
    pub revocation: Option<StorageSettings>,
    pub protection: Protection,
    pub csrf: CsrfSettings,
    pub timeouts: Timeouts,
    /// The limit in bytes of the encoded payload.
    pub max_payload: usize,
    pub storage_timeout: Duration,
    /// The names of registered transformers, in the order in which they run when a session is
    /// written.
    pub transform: Vec<String>,
    /// The record keeps what the client says about itself.
    pub remember_client: bool,
    /// The keys that are set, by where they were written.
    pub written: BTreeMap<String, Vec<String>>,
}

/// How the tokens of a session are protected.
#[derive(Debug)]
pub(crate) struct Protection {
    pub protect: Protect,
    pub suite: Suite,
    /// Weak settings are allowed outside the debug profile.
    pub allow_insecure: bool,
    pub keys: Keys,
    pub key_reload: Option<KeyReload>,
    /// Ktor's format, written or accepted.
    pub ktor: Option<KtorSettings>,
    /// Ktor's format is the one that is written.
    pub writes_ktor: bool,
}

impl Protection {
    /// Ktor's format, if it is the one that is written.
    pub fn written_ktor(&self) -> Option<&KtorSettings> {
        self.ktor.as_ref().filter(|_| self.writes_ktor)
    }
}

/// The keys of one session. The first key protects new tokens, and every key can read.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// The keys of native tokens. The list is empty if these tokens are not protected.
    pub tokens: Vec<KeyMaterial>,
    /// The keys of CSRF tokens if `tokens` is empty. If both are empty, there are no CSRF tokens.
    pub csrf: Vec<KeyMaterial>,
}

impl Keys {
    /// The keys that CSRF tokens are derived from.
    pub fn csrf_keys(&self) -> &[KeyMaterial] {
        if self.tokens.is_empty() { &self.csrf } else { &self.tokens }
    }
}

/// How often the key files are read again, and which files.
#[derive(Debug)]
pub(crate) struct KeyReload {
    pub every: Duration,
    pub files: Vec<PathBuf>,
}

#[derive(Debug)]
pub(crate) enum TransportSettings {
    Cookie(CookieSettings),
    Header,
    /// The name under which the application has registered the transport.
    Custom(String),
}

/// A `ktor` table, after all checks.
#[derive(Debug)]
pub(crate) struct KtorSettings {
    pub mac: MacAlgorithm,
    pub transform: Vec<KtorTransform>,
    pub backward_compatible_read: bool,
    /// `None` if a header carries the token.
    pub cookie_encoding: Option<CookieEncoding>,
    pub serializer: Serializer,
    /// The first entry protects new tokens, and every entry can read. The list is empty exactly
    /// if `transform` is empty.
    pub keys: Vec<KtorKeys>,
}

impl KtorSettings {
    /// Whether `step` is one of the steps.
    pub fn has(&self, step: KtorTransform) -> bool {
        self.transform.contains(&step)
    }
}

/// One entry of the paired lists of Ktor's keys.
#[derive(Debug)]
pub(crate) struct KtorKeys {
    pub sign: Secret,
    pub encrypt: Option<Secret>,
}

/// One of Ktor's transformers, which protect its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KtorTransform {
    /// `SessionTransportTransformerMessageAuthentication`.
    Mac,
    /// `SessionTransportTransformerEncrypt`.
    Encrypt,
}

/// The format of tokens and records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The format of this crate, which [the guide](crate::guide::formats) describes.
    Native,
    /// The format of a service in Kotlin that uses the Ktor framework.
    Ktor,
}

/// A format that is read in addition to the one that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptedFormat {
    /// The format of a service in Kotlin that uses the Ktor framework.
    Ktor,
}

/// The prefix of a cookie's name with which browsers enforce its attributes (rfc6265bis, section
/// 4.1.3, and the draft on layered cookies).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookiePrefix {
    /// No prefix.
    None,
    /// `__Host-`: `Secure`, the path `/`, and no domain.
    Host,
    /// `__Secure-`: `Secure`.
    Secure,
    /// `__Host-Http-`: as `__Host-`, and `HttpOnly`.
    HostHttp,
    /// `__Http-`: `Secure` and `HttpOnly`.
    Http,
}

/// The content of a session's `csrf` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CsrfSettings {
    pub field: Arc<str>,
    pub header: String,
    /// The origins that are trusted in addition to the request's own host.
    pub trusted: Vec<Origin>,
}
