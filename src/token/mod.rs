//! What the client carries: a payload or an id, sealed. See [`Sealer`].
//!
//! One opaque failure: callers cannot tell why a token was refused. Checks run
//! in this order: length → base64url → version and kind → key id → MAC in
//! constant time → times → decryption. Nothing is decrypted or deserialised
//! before the MAC holds (checklist S22–S31).

mod format;
mod id;
mod keys;
mod suite;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

pub(crate) use format::{Format, Read};
pub use id::{InvalidSessionId, SessionId};
pub(crate) use suite::{Suite, decrypt, encrypt};

use crate::config::{KeyMaterial, Protect};
use crate::error::SessionError;
use crate::expiry::{Times, Timestamp};
use crate::random::Random;
use keys::{Key, Lock};
use suite::finish;

const VERSION: u8 = 1;
const NO_KEY: [u8; 4] = [0; 4];
/// Bytes before the IV or the readable payload of a payload token.
const PAYLOAD_HEADER: usize = 58;
/// Bytes before the id of an id token.
const ID_HEADER: usize = 6;
const ID_LEN: usize = 32;
const SIGNATURE: usize = 32;

/// What a token holds and how; the second byte of every token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    EncryptedPayload = 1,
    SignedPayload = 2,
    SignedId = 3,
    PlainPayload = 4,
    PlainId = 5,
}

/// What a token is bound to besides its own bytes.
pub(crate) struct Binding<'a> {
    pub app: &'a str,
    pub session: &'a str,
    pub transport: TransportBinding<'a>,
}

/// The transport a token travels by (checklist S17).
pub(crate) enum TransportBinding<'a> {
    Cookie,
    Header,
    Custom(&'a str),
}

/// What a payload token says beside the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    pub times: Times,
    /// A counter for revocation; zero if unused.
    pub epoch: u64,
    /// Constant over re-issues.
    pub token_id: [u8; 16],
}

/// An opened token.
pub(crate) struct Opened<T> {
    pub content: T,
    /// Opened by an older key than the one that seals: re-issue at commit.
    pub stale_key: bool,
}

/// Seals and opens one session's tokens with its prepared list of keys.
pub(crate) struct Sealer {
    keys: Vec<Key>,
    /// The key that seals; all open.
    sealing: usize,
    payload_kind: Kind,
    id_kind: Kind,
}

impl Sealer {
    /// Derives every key once. The error says what is wrong with the list.
    pub fn new(
        binding: &Binding<'_>,
        protect: Protect,
        suite: Suite,
        materials: &[KeyMaterial],
    ) -> Result<Self, String> {
        let aad = binding.associated_data();
        let keys: Vec<Key> = materials
            .iter()
            .map(|material| Key::derive(material, protect, suite, binding.session, &aad))
            .collect::<Option<_>>()
            .ok_or("the keys cannot be derived")?;
        // Without a key, what should be protected would go out in clear.
        if keys.is_empty() != (protect == Protect::None) {
            return Err("the list of keys does not fit `protect`".into());
        }
        for (i, key) in keys.iter().enumerate() {
            if keys[..i].iter().any(|earlier| earlier.id == key.id) {
                return Err(format!(
                    "keys with one key id: number {} repeats an earlier one",
                    i + 1
                ));
            }
        }
        let (payload_kind, id_kind) = match protect {
            Protect::Encrypt => (Kind::EncryptedPayload, Kind::SignedId),
            Protect::Sign => (Kind::SignedPayload, Kind::SignedId),
            Protect::None => (Kind::PlainPayload, Kind::PlainId),
        };
        Ok(Self { keys, sealing: 0, payload_kind, id_kind })
    }

    /// Seals with another key than the first.
    #[must_use]
    pub fn sealing_with(self, sealing: usize) -> Self {
        Self { sealing: sealing.min(self.keys.len().saturating_sub(1)), ..self }
    }

    /// The ids of the keys, and the position of the one that seals.
    pub fn key_ids(&self) -> (Vec<[u8; 4]>, usize) {
        (self.keys.iter().map(|key| key.id).collect(), self.sealing)
    }

    fn key(&self) -> Option<&Key> {
        self.keys.get(self.sealing)
    }

    /// Whether tokens carry a signature or are encrypted.
    pub fn is_protected(&self) -> bool {
        !self.keys.is_empty()
    }

    /// A token that carries the payload itself.
    pub fn seal_payload(
        &self,
        claims: &Claims,
        payload: &[u8],
        random: &Random,
    ) -> Result<String, SessionError> {
        let mut token = Vec::with_capacity(PAYLOAD_HEADER + payload.len() + 64);
        self.begin(&mut token, self.payload_kind);
        for time in [claims.times.created, claims.times.seen, claims.times.authenticated] {
            token.extend_from_slice(&time.as_millis().to_be_bytes());
        }
        token.extend_from_slice(&claims.times.idle_override.to_be_bytes());
        token.extend_from_slice(&claims.epoch.to_be_bytes());
        token.extend_from_slice(&claims.token_id);
        match self.key().map(|key| &key.lock) {
            Some(Lock::Encrypt(key)) => key.seal(&mut token, &random.bytes()?, payload),
            Some(Lock::Sign(mac, bits)) => {
                let tag = finish(mac, *bits, &token, payload);
                token.extend_from_slice(payload);
                token.extend_from_slice(&tag);
            }
            None => token.extend_from_slice(payload),
        }
        Ok(URL_SAFE_NO_PAD.encode(token))
    }

    /// Characters of a token for a payload of so many bytes.
    pub fn payload_token_len(&self, payload: usize) -> usize {
        let bytes = match self.key().map(|key| &key.lock) {
            Some(Lock::Encrypt(key)) => key.sealed_len(payload),
            Some(Lock::Sign(..)) => payload + SIGNATURE,
            None => payload,
        };
        ((PAYLOAD_HEADER + bytes) * 4).div_ceil(3)
    }

    /// The payload of a token whose times `admits` accepts.
    pub fn open_payload(
        &self,
        token: &str,
        limit: usize,
        admits: impl FnOnce(&Times) -> bool,
    ) -> Option<Opened<(Claims, Vec<u8>)>> {
        let token = decode(token, limit)?;
        let (key, stale_key) = self.key_for(&token, self.payload_kind)?;
        let end = match key {
            Some(Lock::Encrypt(key)) => {
                key.verify(&token, PAYLOAD_HEADER).then_some(token.len())?
            }
            Some(Lock::Sign(mac, bits)) => verify(&token, PAYLOAD_HEADER, mac, *bits)?,
            None => token.len(),
        };
        let claims = Claims::parse(token.get(..PAYLOAD_HEADER)?)?;
        if !admits(&claims.times) {
            return None;
        }
        let payload = match key {
            Some(Lock::Encrypt(key)) => key.decrypt(&token, PAYLOAD_HEADER)?,
            _ => token.get(PAYLOAD_HEADER..end)?.to_vec(),
        };
        Some(Opened { content: (claims, payload), stale_key })
    }

    /// A token that carries an id only.
    pub fn seal_id(&self, id: &SessionId) -> String {
        let mut token = Vec::with_capacity(ID_HEADER + ID_LEN + SIGNATURE);
        self.begin(&mut token, self.id_kind);
        if let Some(Lock::Sign(mac, bits)) = self.key().map(|key| &key.lock) {
            let tag = finish(mac, *bits, &token, &id.to_bytes());
            token.extend_from_slice(&id.to_bytes());
            token.extend_from_slice(&tag);
        } else {
            token.extend_from_slice(&id.to_bytes());
        }
        URL_SAFE_NO_PAD.encode(token)
    }

    /// The id in a token; no storage is asked for a forged one (checklist S36).
    pub fn open_id(&self, token: &str) -> Option<Opened<SessionId>> {
        const LONGEST: usize = (ID_HEADER + ID_LEN + SIGNATURE).div_ceil(3) * 4;
        let token = decode(token, LONGEST)?;
        let (key, stale_key) = self.key_for(&token, self.id_kind)?;
        let end = match key {
            Some(Lock::Sign(mac, bits)) => verify(&token, ID_HEADER, mac, *bits)?,
            Some(Lock::Encrypt(_)) => return None,
            None => token.len(),
        };
        let id: &[u8; ID_LEN] = token.get(ID_HEADER..end)?.try_into().ok()?;
        Some(Opened { content: SessionId::from_bytes(id), stale_key })
    }

    fn begin(&self, token: &mut Vec<u8>, kind: Kind) {
        token.extend_from_slice(&[VERSION, kind as u8]);
        token.extend_from_slice(&self.key().map_or(NO_KEY, |key| key.id));
    }

    /// The key that a token of `kind` names, and whether it is an older one than
    /// the one that seals.
    /// `Some((None, _))` for a token of an unprotected definition.
    fn key_for(&self, token: &[u8], kind: Kind) -> Option<(Option<&Lock>, bool)> {
        let header: &[u8; ID_HEADER] = token.first_chunk()?;
        if header[..2] != [VERSION, kind as u8] {
            return None;
        }
        if self.keys.is_empty() {
            return (header[2..] == NO_KEY).then_some((None, false));
        }
        let position = self.keys.iter().position(|key| header[2..] == key.id)?;
        Some((Some(&self.keys[position].lock), position > self.sealing))
    }
}

impl Claims {
    fn parse(header: &[u8]) -> Option<Self> {
        let time = |at: usize| -> Option<Timestamp> {
            Some(Timestamp::from_millis(u64::from_be_bytes(*header.get(at..)?.first_chunk()?)))
        };
        let times = Times {
            created: time(6)?,
            seen: time(14)?,
            authenticated: time(22)?,
            idle_override: u32::from_be_bytes(*header.get(30..)?.first_chunk()?),
        };
        let epoch = u64::from_be_bytes(*header.get(34..)?.first_chunk()?);
        Some(Self { times, epoch, token_id: *header.get(42..)?.first_chunk()? })
    }
}

impl Binding<'_> {
    /// The associated data's beginning; every part has its length, so no two
    /// bindings read alike (checklist S28, S29).
    fn associated_data(&self) -> Vec<u8> {
        let mut aad = b"rsess1".to_vec();
        let text = |aad: &mut Vec<u8>, text: &str| {
            aad.extend_from_slice(&u16_len(text.as_bytes()));
            aad.extend_from_slice(text.as_bytes());
        };
        text(&mut aad, self.app);
        text(&mut aad, self.session);
        match self.transport {
            TransportBinding::Cookie => aad.push(1),
            TransportBinding::Header => aad.push(2),
            TransportBinding::Custom(name) => {
                aad.push(3);
                text(&mut aad, name);
            }
        }
        aad
    }
}

/// The length as the formats write it; configuration refuses longer texts.
fn u16_len(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes()
}

/// Canonical base64url without padding, no longer than `limit` characters.
fn decode(token: &str, limit: usize) -> Option<Vec<u8>> {
    (token.len() <= limit).then(|| URL_SAFE_NO_PAD.decode(token).ok())?
}

/// Where the signed content ends, if the signature behind it holds.
fn verify(token: &[u8], header: usize, mac: &hmac::Hmac<sha2::Sha256>, bits: u64) -> Option<usize> {
    let end = token.len().checked_sub(SIGNATURE)?;
    let content = token.get(header..end)?;
    let tag = finish(mac, bits, &token[..header], content);
    bool::from(tag.ct_eq(&token[end..])).then_some(end)
}

#[cfg(test)]
mod tests;
