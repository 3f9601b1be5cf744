//! The formats of one definition: the format that it writes, and those that it accepts.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::csrf::NO_CSRF_KEY;
use super::{Claims, CsrfKeys, Opened, Sealer, Sealing, SessionId};
use crate::crypto::Random;
use crate::error::{EncodeError, SessionError};
use crate::expiry::{Times, Timestamp};
use crate::ktor::Ktor;

/// Seals and opens tokens in the configured format. Without the native sealer, Ktor's format is
/// written. Beside it, Ktor's tokens are accepted as well.
pub(crate) struct Tokens {
    native: Option<Sealer>,
    ktor: Option<Ktor>,
    csrf: CsrfKeys,
}

/// An opened token of either format.
pub(crate) struct ReadToken<T> {
    pub content: T,
    /// The commit sends a new token: an older key opened this one, or it has another format than
    /// the one that is written.
    pub stale: bool,
    /// The token has a format that is accepted and not written.
    pub accepted: bool,
}

impl<T> From<Opened<T>> for ReadToken<T> {
    fn from(opened: Opened<T>) -> Self {
        Self { content: opened.content, stale: opened.stale_key, accepted: false }
    }
}

impl Tokens {
    pub fn native(sealer: Sealer, accepts: Option<Ktor>, csrf: CsrfKeys) -> Self {
        Self { native: Some(sealer), ktor: accepts, csrf }
    }

    pub fn ktor(ktor: Ktor, csrf: CsrfKeys) -> Self {
        Self { native: None, ktor: Some(ktor), csrf }
    }

    /// The keys of CSRF tokens, or the error that says that there are none.
    pub fn csrf(&self) -> Result<&CsrfKeys, SessionError> {
        let keys = Some(&self.csrf).filter(|keys| !keys.is_empty());
        keys.ok_or(SessionError::Unsupported(NO_CSRF_KEY.into()))
    }

    /// Whether Ktor's format is the written one.
    pub fn writes_ktor(&self) -> bool {
        self.native.is_none()
    }

    /// Ktor's format, written or accepted.
    pub fn as_ktor(&self) -> Option<&Ktor> {
        self.ktor.as_ref()
    }

    /// The ids of the native keys, which a reload compares. If tokens are not protected, these
    /// are the keys of CSRF tokens.
    pub fn key_ids(&self) -> (Vec<[u8; 4]>, Sealing) {
        let sealer = self.native.as_ref().filter(|native| native.is_protected());
        sealer.map_or_else(|| self.csrf.key_ids(), Sealer::key_ids)
    }

    /// The number of the older key that a genuine native token needs, as an operator counts. `None`
    /// if it needs none, or if this was returned within a day.
    pub fn old_key(&self, token: &str, now: Timestamp) -> Option<usize> {
        self.native.as_ref()?.old_key(token, now).map(|position| position + 1)
    }

    /// Whether a native token names a key that is not in the list.
    pub fn names_foreign_key(&self, token: &str) -> bool {
        self.native.as_ref().is_some_and(|native| native.names_foreign_key(token))
    }

    /// The numbers of the older keys of the native format, which open and do not seal, as an operator
    /// counts.
    pub fn older_keys(&self) -> Range<usize> {
        let native = self.native.as_ref();
        native.map_or(0..0, |native| native.first_older() + 1..native.keys.len() + 1)
    }

    /// Chooses the keys that seal. Without this call, the first key seals.
    #[must_use]
    pub fn sealing_with(self, sealing: Sealing) -> Self {
        let native = self.native.map(|native| native.sealing_with(sealing.clone()));
        Self { native, csrf: self.csrf.making_with(sealing), ..self }
    }

    /// Whether only a holder of a key can make a token in the written format.
    pub fn is_protected(&self) -> bool {
        match (&self.native, &self.ktor) {
            (Some(native), _) => native.is_protected(),
            (None, ktor) => ktor.as_ref().is_some_and(Ktor::is_protected),
        }
    }

    /// Whether only a holder of a key can make a token in the format of an opened one, which is
    /// `accepted` or written.
    pub fn protects(&self, accepted: bool) -> bool {
        if accepted {
            self.ktor.as_ref().is_some_and(Ktor::is_protected)
        } else {
            self.is_protected()
        }
    }

    /// A token for a payload. It holds the tokens of several keys only if all of them fit in
    /// `room` characters.
    pub fn seal_payload(
        &self,
        claims: &Claims,
        payload: &[u8],
        room: usize,
        random: &Random,
    ) -> Result<String, SessionError> {
        match &self.native {
            Some(native) => native.seal_payload(claims, payload, room, random),
            None => self.seal_text(text(payload)?, random),
        }
    }

    /// The number of characters of the shortest token for a payload.
    pub fn payload_token_len(&self, payload: &[u8]) -> Result<usize, SessionError> {
        match (&self.native, &self.ktor) {
            (Some(native), _) => Ok(native.payload_token_len(payload.len())),
            (None, Some(ktor)) => ktor.sealed_len(text(payload)?),
            (None, None) => Ok(0),
        }
    }

    /// The payload of a token whose times `admits` accepts. Ktor's tokens do not say when they
    /// were made, so their times are `now`.
    pub fn open_payload(
        &self,
        token: &str,
        limit: usize,
        now: Timestamp,
        mut admits: impl FnMut(&Times) -> bool,
    ) -> Option<ReadToken<(Claims, Vec<u8>)>> {
        if let Some(native) = &self.native
            && let Some(opened) = native.open_payload(token, limit, &mut admits)
        {
            return Some(opened.into());
        }
        let (text, old_key) = self.open_text(token, limit)?;
        let hash = Sha256::digest(&text);
        let claims = Claims::new(Times::begin(now, false), *hash.first_chunk()?);
        let accepted = self.native.is_some();
        Some(ReadToken {
            content: (claims, text.into_bytes()),
            stale: old_key || accepted,
            accepted,
        })
    }

    pub fn seal_id(&self, id: &SessionId, random: &Random) -> Result<String, SessionError> {
        match &self.native {
            Some(native) => native.seal_id(id),
            None => self.seal_text(&id.to_text(), random),
        }
    }

    /// The id in a token. No storage is asked for a forged one (docs/security.md, S36).
    pub fn open_id(&self, token: &str, limit: usize) -> Option<ReadToken<SessionId>> {
        if let Some(opened) = self.native.as_ref().and_then(|native| native.open_id(token)) {
            return Some(opened.into());
        }
        let (text, old_key) = self.open_text(token, limit)?;
        let accepted = self.native.is_some();
        Some(ReadToken {
            content: SessionId::ktor(&text).ok()?,
            stale: old_key || accepted,
            accepted,
        })
    }

    fn seal_text(&self, text: &str, random: &Random) -> Result<String, SessionError> {
        self.ktor.as_ref().map_or(Ok(String::new()), |ktor| ktor.seal(text, random))
    }

    fn open_text(&self, token: &str, limit: usize) -> Option<(String, bool)> {
        self.ktor.as_ref().filter(|_| token.len() <= limit)?.open(token)
    }
}

fn text(payload: &[u8]) -> Result<&str, SessionError> {
    std::str::from_utf8(payload).map_err(|cause| {
        SessionError::Encode(EncodeError::caused_by("Ktor's format is text", cause))
    })
}
