//! The id of a server session: a locator that names the record for its whole
//! life, and a secret that `renew()` replaces.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::u16_len;
use crate::error::SessionError;
use crate::random::Random;
use crate::storage::{OwnerKey, StorageKey};

/// The id of a session with server storage: 32 random bytes.
///
/// Whoever has it has the session, so `Debug` and `Display` show a beginning
/// only; [`to_text`](Self::to_text) gives the whole and [`FromStr`] reads it back.
///
/// ```
/// use rocket_typed_sessions::SessionId;
///
/// let text = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// let id: SessionId = text.parse()?;
/// assert_eq!(id.to_text(), text);
/// assert_ne!(id.to_string(), text);
/// # Ok::<(), rocket_typed_sessions::InvalidSessionId>(())
/// ```
#[derive(Clone)]
pub struct SessionId {
    locator: [u8; 16],
    secret: [u8; 16],
}

/// The text was not a session id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a session id")]
pub struct InvalidSessionId;

impl SessionId {
    /// 256 bits from the system's CSPRNG (checklist S1).
    pub(crate) fn random(random: &Random) -> Result<Self, SessionError> {
        Ok(Self { locator: random.bytes()?, secret: random.bytes()? })
    }

    /// The same record under a new secret.
    pub(crate) fn renewed(&self, random: &Random) -> Result<Self, SessionError> {
        Ok(Self { locator: self.locator, secret: random.bytes()? })
    }

    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Self {
        let (mut locator, mut secret) = ([0; 16], [0; 16]);
        locator.copy_from_slice(&bytes[..16]);
        secret.copy_from_slice(&bytes[16..]);
        Self { locator, secret }
    }

    pub(crate) fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.locator);
        bytes[16..].copy_from_slice(&self.secret);
        bytes
    }

    /// Stands for a session on the client: its token id, as the secret.
    pub(crate) fn of_token(token_id: [u8; 16]) -> Self {
        Self { locator: [0; 16], secret: token_id }
    }

    pub(crate) fn locator(&self) -> &[u8; 16] {
        &self.locator
    }

    pub(crate) fn secret(&self) -> &[u8; 16] {
        &self.secret
    }

    /// What the record keeps of the secret.
    pub(crate) fn secret_hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret).into()
    }

    /// The name of this id's record.
    pub(crate) fn storage_key(&self, app: &str, name: &str) -> StorageKey {
        StorageKey::from_bytes(hashed_name(app, name, &self.locator))
    }

    /// The whole id as 43 characters of base64url.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.to_bytes())
    }
}

/// The name of an owner's index.
pub(crate) fn owner_key(app: &str, name: &str, owner: &str) -> OwnerKey {
    OwnerKey::from_bytes(hashed_name(app, name, owner.as_bytes()))
}

/// The name of the record that says that a client session has ended.
pub(crate) fn ended_key(app: &str, name: &str, token_id: &[u8; 16]) -> StorageKey {
    StorageKey::from_bytes(hashed_name(app, name, token_id))
}

/// The name of the record with an owner's epoch.
pub(crate) fn epoch_key(app: &str, name: &str, owner: &OwnerKey) -> StorageKey {
    StorageKey::from_bytes(hashed_name(app, name, &[b"epoch", &owner.as_bytes()[..]].concat()))
}

fn hashed_name(app: &str, name: &str, what: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [app, name] {
        hash.update(u16_len(part.as_bytes()));
        hash.update(part);
    }
    hash.update(what);
    hash.finalize().into()
}

impl PartialEq for SessionId {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes().ct_eq(&other.to_bytes()).into()
    }
}

impl Eq for SessionId {}

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidSessionId)?;
        bytes.as_slice().try_into().map(Self::from_bytes).map_err(|_| InvalidSessionId)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A hash of the locator: tells sessions apart, leads to none.
        let hash = Sha256::digest(self.locator);
        write!(f, "{}…", &URL_SAFE_NO_PAD.encode(hash)[..8])
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}
