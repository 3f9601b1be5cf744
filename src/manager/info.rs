//! [`SessionInfo`]: an entry in the list of an owner's sessions.

use std::fmt;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::client::ClientInfo;
use crate::storage::StorageKey;

/// One entry in the list of an owner's sessions, which
/// [`SessionManager::list`](crate::SessionManager::list) returns.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionInfo<T> {
    /// Identifies the session for
    /// [`SessionManager::revoke`](crate::SessionManager::revoke). A page may show
    /// it.
    pub handle: SessionHandle,
    /// The session's value.
    pub value: T,
    /// When the session began.
    pub created_at: SystemTime,
    /// When the session was last used. The last use may be up to `touch_after`
    /// later, because uses are recorded at most that often.
    pub last_seen_at: SystemTime,
    /// When the session ends unless it is used again.
    pub expires_at: SystemTime,
    /// The self-reported client, with `remember_client = true`.
    pub client: Option<ClientInfo>,
}

/// Identifies one session of an owner, in 22 characters of base64url. It stays the
/// same as long as the session lives, even if the session's id is renewed. It does
/// not open the session, so a page may show it.
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
    /// Reads what `Display` writes. Any other text identifies no session.
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}
