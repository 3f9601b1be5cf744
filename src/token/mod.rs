//! What the client carries: a payload or an id, sealed. See [`Sealer`].
//!
//! Every refusal looks the same: callers cannot tell why a token was refused. The checks run in
//! this order: length → base64url → version and kind → key id → MAC in constant time → times →
//! decryption. Nothing is decrypted or deserialised before the MAC holds (docs/security.md,
//! S22–S31).

mod base64url;
mod csrf;
mod id;
mod key;
mod kind;
mod list;
mod tokens;

pub(crate) use csrf::{CsrfKeys, NO_CSRF_KEY};
pub use id::{InvalidSessionId, SessionId};
use key::{Key, Lock};
pub(crate) use kind::TokenKind;
use list::SEPARATOR;
pub(crate) use list::{Sealing, parts};
pub(crate) use tokens::{ReadToken, Tokens};

use crate::crypto::Random;
use crate::crypto::aead::Suite;
use crate::crypto::keys::{Binding, KeyMaterial};
use crate::crypto::mac::equal;
use crate::crypto::sha256::HmacSha256;
use crate::error::SessionError;
use crate::expiry::{OwnLifetime, Times, Timestamp};

const VERSION: u8 = 2;
const NO_KEY: [u8; 4] = [0; 4];
/// Every token begins with its version, its kind and its key id.
const HEADER: usize = 6;
/// The number of bytes before the IV, or before the payload of a token that is not encrypted.
const PAYLOAD_HEADER: usize = 74;
const ID_LEN: usize = 32;
const SIGNATURE: usize = 32;

/// What a payload token holds beside the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    pub times: Times,
    /// The owner's epoch, which a revocation raises. Zero if it is unused.
    pub epoch: u64,
    /// The incarnation of the storage that remembers ended sessions. It is always zero so far.
    pub incarnation: u64,
    /// The session's id in this format. It stays the same when the token is sealed again, and
    /// changes with a renewal.
    pub token_id: [u8; 16],
    /// It is always zero so far.
    pub generation: u32,
}

/// An opened token.
pub(crate) struct Opened<T> {
    pub content: T,
    /// An older key than those that seal has opened the token, so the commit sends a new one.
    pub stale_key: bool,
}

/// Seals and opens one session's tokens with its prepared list of keys.
pub(crate) struct Sealer {
    keys: Vec<Key>,
    /// The keys that seal. Every key opens.
    sealing: Sealing,
    kind: TokenKind,
}

impl Sealer {
    /// Derives every key once. The error says what is wrong with the list of keys.
    pub fn new(
        binding: &Binding<'_>,
        kind: TokenKind,
        suite: Suite,
        materials: &[KeyMaterial],
    ) -> Result<Self, String> {
        let keys: Vec<Key> = materials
            .iter()
            .map(|material| Key::derive(material, kind, suite, binding))
            .collect::<Option<_>>()
            .ok_or("the keys cannot be derived")?;
        // Without a key, a token that should be protected would be sent in clear.
        if keys.is_empty() != kind.is_plain() {
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
        Ok(Self { keys, sealing: Sealing::default(), kind })
    }

    /// Chooses the keys that seal. Without this call, the first key seals.
    #[must_use]
    pub fn sealing_with(self, sealing: Sealing) -> Self {
        Self { sealing: sealing.within(self.keys.len()), ..self }
    }

    /// The ids of the keys, and which of them seal.
    pub fn key_ids(&self) -> (Vec<[u8; 4]>, Sealing) {
        (self.keys.iter().map(|key| key.id).collect(), self.sealing.clone())
    }

    /// Whether tokens are signed or encrypted.
    pub fn is_protected(&self) -> bool {
        !self.keys.is_empty()
    }

    /// A token that carries the payload itself. If several keys seal, it holds a token for each,
    /// provided that all of them fit in `room` characters.
    pub fn seal_payload(
        &self,
        claims: &Claims,
        payload: &[u8],
        room: usize,
        random: &Random,
    ) -> Result<String, SessionError> {
        let fitting = room.saturating_add(1) / (self.payload_token_len(payload.len()) + 1);
        let seal = |key| self.seal_payload_with(key, claims, payload, random);
        self.sealing.tokens(&self.keys, fitting, seal)
    }

    fn seal_payload_with(
        &self,
        key: Option<&Key>,
        claims: &Claims,
        payload: &[u8],
        random: &Random,
    ) -> Result<String, SessionError> {
        let mut token = self.begin(key, PAYLOAD_HEADER + payload.len() + 64);
        claims.write(&mut token);
        match key.map(|key| &key.lock) {
            Some(Lock::Encrypt(key)) => key.seal(&mut token, &random.bytes()?, payload),
            Some(Lock::Sign(mac)) => sign(&mut token, payload, mac),
            None => token.extend_from_slice(payload),
        }
        Ok(base64url::encode(&token))
    }

    /// The number of characters of one token for a payload of `payload` bytes.
    pub fn payload_token_len(&self, payload: usize) -> usize {
        let bytes = match self.keys.first().map(|key| &key.lock) {
            Some(Lock::Encrypt(key)) => key.sealed_len(payload),
            Some(Lock::Sign(_)) => payload + SIGNATURE,
            None => payload,
        };
        ((PAYLOAD_HEADER + bytes) * 4).div_ceil(3)
    }

    /// The payload of a token whose times `admits` accepts.
    pub fn open_payload(
        &self,
        token: &str,
        limit: usize,
        mut admits: impl FnMut(&Times) -> bool,
    ) -> Option<Opened<(Claims, Vec<u8>)>> {
        let text = Some(token).filter(|token| token.len() <= limit)?;
        self.open(text, |token| self.open_one_payload(token, &mut admits))
    }

    fn open_one_payload(
        &self,
        token: &str,
        admits: impl FnOnce(&Times) -> bool,
    ) -> Option<Opened<(Claims, Vec<u8>)>> {
        let token = base64url::decode(token)?;
        let (key, stale_key) = self.key_for(&token, false)?;
        let end = match key {
            Some(Lock::Encrypt(key)) => {
                key.verify(&token, PAYLOAD_HEADER).then_some(token.len())?
            }
            Some(Lock::Sign(mac)) => verify(&token, mac)?,
            None => token.len(),
        };
        let claims = Claims::parse(token.get(..PAYLOAD_HEADER)?)?;
        if !admits(&claims.times) {
            return None;
        }
        let payload = match key {
            Some(Lock::Encrypt(key)) => key.decrypt(token, PAYLOAD_HEADER)?,
            _ => token.get(PAYLOAD_HEADER..end)?.to_vec(),
        };
        Some(Opened { content: (claims, payload), stale_key })
    }

    /// A token that carries only an id. If several keys seal, it holds a token for each.
    pub fn seal_id(&self, id: &SessionId) -> Result<String, SessionError> {
        self.sealing.tokens(&self.keys, usize::MAX, |key| Ok(self.seal_id_with(key, id)))
    }

    fn seal_id_with(&self, key: Option<&Key>, id: &SessionId) -> String {
        let mut token = self.begin(key, HEADER + ID_LEN + SIGNATURE);
        match key.map(|key| &key.lock) {
            Some(Lock::Sign(mac)) => sign(&mut token, &id.to_bytes(), mac),
            _ => token.extend_from_slice(&id.to_bytes()),
        }
        base64url::encode(&token)
    }

    /// The id in a token. No storage is asked for a forged one (docs/security.md, S36).
    pub fn open_id(&self, token: &str) -> Option<Opened<SessionId>> {
        self.open(token, |token| self.open_one_id(token))
    }

    fn open_one_id(&self, token: &str) -> Option<Opened<SessionId>> {
        let mut bytes = [0; (HEADER + ID_LEN + SIGNATURE).next_multiple_of(3)];
        let token = base64url::decode_to(token, &mut bytes)?;
        let (key, stale_key) = self.key_for(token, true)?;
        let end = match key {
            Some(Lock::Sign(mac)) => verify(token, mac)?,
            Some(Lock::Encrypt(_)) => return None,
            None => token.len(),
        };
        let id: &[u8; ID_LEN] = token.get(HEADER..end)?.try_into().ok()?;
        Some(Opened { content: SessionId::from_bytes(id), stale_key })
    }

    /// Opens a single token, or the first that can be opened of those that are joined.
    fn open<T>(
        &self,
        text: &str,
        mut open_one: impl FnMut(&str) -> Option<Opened<T>>,
    ) -> Option<Opened<T>> {
        open_one(text).or_else(|| {
            let text = Some(text).filter(|_| self.is_protected())?;
            let opened = parts(text).find_map(&mut open_one)?;
            Some(Opened { stale_key: self.sealing.is_one(), ..opened })
        })
    }

    /// Whether a token has this format and names a key that is not in the list.
    pub fn names_foreign_key(&self, text: &str) -> bool {
        let is_foreign = |header: Vec<u8>| {
            header[..2] == [VERSION, self.kind as u8]
                && self.keys.iter().all(|key| header[2..] != key.id)
        };
        self.is_protected() && headers(text).any(is_foreign)
    }

    /// The position of the first key that opens and does not seal.
    fn first_older(&self) -> usize {
        self.sealing.last() + 1
    }

    /// The position of the older key that a genuine token needs. `None` if a key that seals has
    /// sealed it too, or if this was returned within a day.
    pub fn old_key(&self, text: &str, now: Timestamp) -> Option<usize> {
        let position = |header: Vec<u8>| self.keys.iter().position(|key| header[2..] == key.id);
        let first = headers(text).filter_map(position).min()?;
        let is_news = first >= self.first_older() && self.keys[first].notice(now);
        is_news.then_some(first)
    }

    /// The header of a token. `capacity` is about the number of bytes that the token will have.
    fn begin(&self, key: Option<&Key>, capacity: usize) -> Vec<u8> {
        let mut token = Vec::with_capacity(capacity);
        token.extend_from_slice(&[VERSION, self.kind as u8]);
        token.extend_from_slice(&key.map_or(NO_KEY, |key| key.id));
        token
    }

    /// The key that a token names, and whether it is older than the keys that seal. The key is
    /// `None` if the definition is unprotected.
    fn key_for(&self, token: &[u8], is_id: bool) -> Option<(Option<&Lock>, bool)> {
        let header: &[u8; HEADER] = token.first_chunk()?;
        if header[..2] != [VERSION, self.kind as u8] || self.kind.is_id() != is_id {
            return None;
        }
        if self.keys.is_empty() {
            return (header[2..] == NO_KEY).then_some((None, false));
        }
        let position = self.keys.iter().position(|key| header[2..] == key.id)?;
        Some((Some(&self.keys[position].lock), position >= self.first_older()))
    }
}

/// The headers of the tokens that are joined in a text.
fn headers(text: &str) -> impl Iterator<Item = Vec<u8>> {
    text.split(SEPARATOR).filter_map(|token| base64url::decode(token.get(..HEADER * 4 / 3)?))
}

impl Claims {
    /// The claims of a token that says nothing about revocation.
    pub fn new(times: Times, token_id: [u8; 16]) -> Self {
        Self { times, epoch: 0, incarnation: 0, token_id, generation: 0 }
    }

    fn write(&self, token: &mut Vec<u8>) {
        let Times { created, seen, authenticated, lifetime } = self.times;
        for time in [created, seen, authenticated] {
            token.extend_from_slice(&time.as_millis().to_be_bytes());
        }
        token.extend_from_slice(&lifetime.to_bytes());
        token.extend_from_slice(&self.epoch.to_be_bytes());
        token.extend_from_slice(&self.incarnation.to_be_bytes());
        token.extend_from_slice(&self.token_id);
        token.extend_from_slice(&self.generation.to_be_bytes());
    }

    fn parse(header: &[u8]) -> Option<Self> {
        fn at<const N: usize>(header: &[u8], offset: usize) -> Option<[u8; N]> {
            header.get(offset..)?.first_chunk().copied()
        }
        let number = |offset| at(header, offset).map(u64::from_be_bytes);
        let time = |offset| number(offset).map(Timestamp::from_millis);
        let times = Times {
            created: time(6)?,
            seen: time(14)?,
            authenticated: time(22)?,
            lifetime: OwnLifetime::from_bytes(at(header, 30)?)?,
        };
        Some(Self {
            times,
            epoch: number(38)?,
            incarnation: number(46)?,
            token_id: at(header, 54)?,
            generation: u32::from_be_bytes(at(header, 70)?),
        })
    }
}

/// Appends the content, and a signature over everything before the signature.
fn sign(token: &mut Vec<u8>, content: &[u8], mac: &HmacSha256) {
    token.extend_from_slice(content);
    let tag = mac.tag([token]);
    token.extend_from_slice(&tag);
}

/// The position where the signed content ends, if the signature after it holds.
fn verify(token: &[u8], mac: &HmacSha256) -> Option<usize> {
    let end = token.len().checked_sub(SIGNATURE)?;
    let (content, signature) = token.split_at(end);
    equal(&mac.tag([content]), signature).then_some(end)
}

#[cfg(test)]
mod tests;
