//! What a list of an owner's sessions shows.

use std::fmt;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::client::ClientInfo;
use crate::storage::StorageKey;

/// One of an owner's sessions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionInfo<T> {
    /// Names the session to [`SessionManager::revoke`]; safe to show.
    pub handle: SessionHandle,
    /// What the session holds.
    pub value: T,
    /// When it began.
    pub created_at: SystemTime,
    /// When its client was last seen, as exactly as `touch_after`.
    pub last_seen_at: SystemTime,
    /// When it ends unless it is used again.
    pub expires_at: SystemTime,
    /// Who the client says that it is, with `remember_client = true`.
    pub client: Option<ClientInfo>,
}

/// Names one session of an owner: safe to show, and the same for the session's
/// whole life, renewals included. 22 characters of base64url.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionHandle(String);

impl SessionHandle {
    pub(super) fn new(key: &StorageKey) -> Self {
        let hash = Sha256::new().chain_update(b"handle").chain_update(key.as_bytes()).finalize();
        Self(URL_SAFE_NO_PAD.encode(&hash[..16]))
    }
}

impl fmt::Display for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for SessionHandle {
    /// Reads back what `Display` shows. Anything else names no session.
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}
