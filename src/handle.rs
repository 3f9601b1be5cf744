//! [`SessionHandle`]: what names a session on a page of devices.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::storage::StorageKey;

/// Identifies one session of an owner, in 22 characters of base64url. It stays the
/// same as long as the session lives, even if the session's id is renewed. It does
/// not open the session, so a page may show it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionHandle(String);

impl SessionHandle {
    pub(crate) fn new(key: &StorageKey) -> Self {
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
