//! The id of a session on the server: a locator, which names the record as long as it exists, and
//! a secret, which `renew()` replaces.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::base64url;
use crate::crypto::mac::equal;
use crate::crypto::sha256::sha256;
use crate::crypto::{Random, hex};
use crate::error::SessionError;

/// The id of a session with server storage: 32 random bytes, or a Ktor id with
/// `format = "ktor"`.
///
/// Anyone who knows the id can use the session. `Debug` and `Display` therefore show only a short
/// hash. [`to_text`](Self::to_text) returns the whole id, and [`FromStr`] reads it.
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
pub struct SessionId(IdForm);

#[derive(Clone)]
enum IdForm {
    Native {
        locator: [u8; 16],
        secret: [u8; 16],
    },
    /// The id of a Ktor session: hexadecimal digits, or the text that the application's
    /// `identity` returned.
    Ktor(Arc<str>),
}

/// Longer ids are refused. No Ktor id in use and no file name is longer.
const LONGEST_KTOR: usize = 256;

/// The error of reading a [`SessionId`] from a text that is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a session id")]
pub struct InvalidSessionId;

impl SessionId {
    /// Draws 256 bits from the system's CSPRNG (docs/security.md, S1).
    pub(crate) fn random(random: &Random) -> Result<Self, SessionError> {
        Ok(Self::from_bytes(&random.bytes()?))
    }

    /// Draws 256 bits and writes them as Ktor does since 3.5: 64 hexadecimal digits.
    pub(crate) fn random_ktor(random: &Random) -> Result<Self, SessionError> {
        Ok(Self(IdForm::Ktor(hex::encode(&random.bytes::<32>()?).into())))
    }

    /// Makes the id of a Ktor session from the text of its cookie or file name, for
    /// [`revoke_id`](crate::SessionManager::revoke_id) with `format = "ktor"`.
    ///
    /// # Errors
    ///
    /// It refuses what Ktor refuses: an empty id, `..`, and the characters `/`, `\`,
    /// `!`, `?`, `>`, `<` and NUL. It also refuses more than 256 bytes.
    ///
    /// ```
    /// use rocket_typed_sessions::SessionId;
    ///
    /// let id = SessionId::ktor("9f86d081884c7d65")?;
    /// assert_eq!(id.to_text(), "9f86d081884c7d65");
    /// assert!(SessionId::ktor("../etc/passwd").is_err());
    /// # Ok::<(), rocket_typed_sessions::InvalidSessionId>(())
    /// ```
    pub fn ktor(id: &str) -> Result<Self, InvalidSessionId> {
        let refused = id.is_empty()
            || id.len() > LONGEST_KTOR
            || id.contains("..")
            || id.contains(['/', '\\', '!', '?', '>', '<', '\0']);
        if refused { Err(InvalidSessionId) } else { Ok(Self(IdForm::Ktor(id.into()))) }
    }

    /// The text of a Ktor id. `None` for a native id.
    pub(crate) fn as_ktor(&self) -> Option<&Arc<str>> {
        match &self.0 {
            IdForm::Native { .. } => None,
            IdForm::Ktor(id) => Some(id),
        }
    }

    /// Draws the id that a renewal gives to this session. A native id keeps its locator. A Ktor
    /// id has no separate secret, so the new one has nothing in common with it.
    pub(crate) fn renewed(&self, random: &Random) -> Result<Self, SessionError> {
        match &self.0 {
            IdForm::Native { .. } => Ok(self.with_secret(random.bytes()?)),
            IdForm::Ktor(_) => Self::random_ktor(random),
        }
    }

    /// The id that the CSRF tokens of this id's forms are made for. No other id of the session
    /// gives the same one.
    pub(crate) fn for_forms(&self) -> Self {
        Self::from_bytes(&self.secret_hash())
    }

    /// This id with another secret. A Ktor id has no secret and is returned unchanged.
    pub(crate) fn with_secret(&self, secret: [u8; 16]) -> Self {
        match &self.0 {
            IdForm::Native { locator, .. } => Self(IdForm::Native { locator: *locator, secret }),
            IdForm::Ktor(_) => self.clone(),
        }
    }

    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Self {
        let (mut locator, mut secret) = ([0; 16], [0; 16]);
        locator.copy_from_slice(&bytes[..16]);
        secret.copy_from_slice(&bytes[16..]);
        Self(IdForm::Native { locator, secret })
    }

    /// The bytes of a native id, or a hash of a Ktor id.
    pub(crate) fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        match &self.0 {
            IdForm::Native { locator, secret } => {
                bytes[..16].copy_from_slice(locator);
                bytes[16..].copy_from_slice(secret);
            }
            IdForm::Ktor(id) => {
                bytes = sha256([b"ktor", id.as_bytes()]);
            }
        }
        bytes
    }

    /// The id that stands for a session on the client: its secret is the token's id.
    pub(crate) fn from_token_id(token_id: [u8; 16]) -> Self {
        Self(IdForm::Native { locator: [0; 16], secret: token_id })
    }

    pub(crate) fn locator(&self) -> [u8; 16] {
        let [bytes, _] = self.halves();
        bytes
    }

    pub(crate) fn secret(&self) -> [u8; 16] {
        let [_, bytes] = self.halves();
        bytes
    }

    fn halves(&self) -> [[u8; 16]; 2] {
        let bytes = self.to_bytes();
        let (mut locator, mut secret) = ([0; 16], [0; 16]);
        locator.copy_from_slice(&bytes[..16]);
        secret.copy_from_slice(&bytes[16..]);
        [locator, secret]
    }

    /// The hash of the secret, which the record stores instead of the secret.
    pub(crate) fn secret_hash(&self) -> [u8; 32] {
        sha256([&self.secret()])
    }

    /// Returns the whole id: 43 characters of base64url, or Ktor's own text. Keep
    /// it as secret as a password.
    ///
    /// ```
    /// use rocket_typed_sessions::SessionId;
    ///
    /// /// The file in which the application keeps which session belongs to a device.
    /// fn line(device: &str, id: &SessionId) -> String {
    ///     format!("{device} {}", id.to_text())
    /// }
    ///
    /// let id = SessionId::ktor("9f86d081884c7d65")?;
    /// assert_eq!(line("phone", &id), "phone 9f86d081884c7d65");
    /// # Ok::<(), rocket_typed_sessions::InvalidSessionId>(())
    /// ```
    pub fn to_text(&self) -> String {
        match &self.0 {
            IdForm::Native { .. } => base64url::encode(&self.to_bytes()),
            IdForm::Ktor(id) => id.to_string(),
        }
    }
}

impl PartialEq for SessionId {
    fn eq(&self, other: &Self) -> bool {
        equal(&self.to_bytes(), &other.to_bytes())
    }
}

impl Eq for SessionId {}

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if digits && [16, 32, 64].contains(&text.len()) {
            return Self::ktor(text);
        }
        let bytes = base64url::decode(text).ok_or(InvalidSessionId)?;
        bytes.as_slice().try_into().map(Self::from_bytes).map_err(|_| InvalidSessionId)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A hash of the locator tells sessions apart, and nobody can open a session with it.
        let hash = sha256([&self.locator()]);
        write!(f, "{}…", &base64url::encode(&hash)[..8])
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}
