//! The envelope: the fields that the core stores before the encoded value. All integers are
//! big-endian. Times are Unix milliseconds, and 0 means never.
//!
//! | bytes | flag | field |
//! |---|---|---|
//! | 1 | | version `02` |
//! | 2 | | bytes of the envelope, these three included: the value begins there |
//! | 1 | | flags: which of the optional fields below are present |
//! | 2 + n | | the session's name, so that swapped records do not read (docs/security.md, S41) |
//! | 32 | | SHA-256 of the current secret; zeros in a claim |
//! | 8 | | when the id was last renewed |
//! | 4 | | CSRF generation: how often `renew` replaced the id |
//! | 8 | | when the user was last authenticated |
//! | 8 | | [lifetime](OwnLifetime) |
//! | 1 + 16 n | | [version trail](Trail) |
//! | 1 + 40 n | `01` | the previous secrets, newest first: SHA-256, and its last instant |
//! | 16 | `02` | the masked next secret of an open renewal |
//! | 8 | `04` | the owner's generation when the session became the owner's |
//! | 32 | `08` | the ancestor: see [`Provenance::ancestor`] |
//! | 32 | `10` | a login has replaced the session: the record of its successor |
//! | 32 | `20` | the record is a claim: the record of the session that it was taken over into |
//! | 2 + n | `40` | [description of the client](crate::client) |
//! | rest | | the encoded value |
//!
//! A record contains no id, only hashes and the keys of records. No code sets the flags `04` and
//! `20` yet. Their fields are kept as they were read.

use std::sync::Arc;

use super::bytes::{take, take_prefixed, time};
use super::secrets::{MOST_PREVIOUS, Previous, Secrets};
use super::trail::Trail;
use crate::expiry::{OwnLifetime, Timestamp};
use crate::storage::StorageKey;

const VERSION: u8 = 2;

const PREVIOUS: u8 = 0x01;
const RENEWAL: u8 = 0x02;
const OWNER_GENERATION: u8 = 0x04;
const ANCESTOR: u8 = 0x08;
const REPLACED: u8 = 0x10;
const CLAIM: u8 = 0x20;
const CLIENT: u8 = 0x40;
const UNKNOWN: u8 = 0x80;

/// The fields of an envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub secrets: Secrets,
    pub authenticated: Timestamp,
    pub lifetime: OwnLifetime,
    pub trail: Trail,
    pub provenance: Provenance,
    pub state: RecordState,
    /// The encoded description of the client, at most [`u16::MAX`] bytes.
    pub client: Vec<u8>,
}

/// Where a session comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Provenance {
    /// The owner's generation when the session became the owner's.
    owner_generation: Option<u64>,
    /// Under a limit, the record of the [ancestor](super::record::Located::ancestor). The format
    /// also allows the record or the claim that the session was taken over from.
    pub ancestor: Option<StorageKey>,
}

impl Provenance {
    /// Returns the provenance of a session that a login begins, or has replaced.
    pub fn from(ancestor: Option<StorageKey>) -> Self {
        Self { ancestor, ..Self::default() }
    }
}

/// What a record holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum RecordState {
    /// A session.
    #[default]
    Session,
    /// What is left of a session that a login has replaced. Holds the successor's record.
    Replaced(StorageKey),
    /// The claim of a session that was taken over from elsewhere. Holds the session's record.
    Claim(StorageKey),
}

impl Envelope {
    /// Encodes the payload of a record of the session `name`: the envelope, then `value`.
    pub fn wrap(&self, name: &str, value: &[u8]) -> Vec<u8> {
        let parts = name.len() + self.client.len() + self.trail.bytes() + value.len();
        let mut bytes = Vec::with_capacity(128 + parts);
        bytes.extend_from_slice(&[VERSION, 0, 0, 0]);
        prefix(&mut bytes, name.as_bytes());
        bytes.extend_from_slice(&self.secrets.current);
        bytes.extend_from_slice(&self.secrets.renewed.as_millis().to_be_bytes());
        bytes.extend_from_slice(&self.secrets.rotations.to_be_bytes());
        bytes.extend_from_slice(&self.authenticated.as_millis().to_be_bytes());
        bytes.extend_from_slice(&self.lifetime.to_bytes());
        self.trail.write(&mut bytes);
        let flags = self.write_optional(&mut bytes);
        let [high, low] = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
        bytes[1..4].copy_from_slice(&[high, low, flags]);
        bytes.extend_from_slice(value);
        bytes
    }

    /// Appends the optional fields that are set, and returns their flags.
    fn write_optional(&self, bytes: &mut Vec<u8>) -> u8 {
        let mut flags = 0;
        if let Some(all) = &self.secrets.previous {
            flags |= PREVIOUS;
            write_previous(all, bytes);
        }
        if let Some(masked) = &self.secrets.renewal {
            flags |= RENEWAL;
            bytes.extend_from_slice(masked);
        }
        if let Some(generation) = self.provenance.owner_generation {
            flags |= OWNER_GENERATION;
            bytes.extend_from_slice(&generation.to_be_bytes());
        }
        let (replaced, claim) = match &self.state {
            RecordState::Session => (None, None),
            RecordState::Replaced(successor) => (Some(successor), None),
            RecordState::Claim(session) => (None, Some(session)),
        };
        let keys =
            [(ANCESTOR, self.provenance.ancestor.as_ref()), (REPLACED, replaced), (CLAIM, claim)];
        for (flag, key) in keys {
            if let Some(key) = key {
                flags |= flag;
                bytes.extend_from_slice(key.as_bytes());
            }
        }
        if !self.client.is_empty() {
            flags |= CLIENT;
            prefix(bytes, &self.client);
        }
        flags
    }

    /// Decodes the envelope, and returns it with the offset of the value. Returns `None` for a
    /// record of another session, and for bytes that are not a record.
    pub fn unwrap(payload: &[u8], name: &str) -> Option<(Self, usize)> {
        let mut rest = payload;
        let [version, high, low, flags] = take(&mut rest)?;
        let start = usize::from(u16::from_be_bytes([high, low]));
        if version != VERSION || flags & UNKNOWN != 0 {
            return None;
        }
        rest = payload.get(4..start)?;
        if take_prefixed(&mut rest)? != name.as_bytes() {
            return None;
        }
        let envelope = Self::read(flags, &mut rest)?;
        rest.is_empty().then_some((envelope, start))
    }

    /// Reads the fields after the name.
    fn read(flags: u8, rest: &mut &[u8]) -> Option<Self> {
        let mut secrets = Secrets {
            current: take(rest)?,
            renewed: time(rest)?,
            rotations: u32::from_be_bytes(take(rest)?),
            ..Secrets::default()
        };
        let authenticated = time(rest)?;
        let lifetime = OwnLifetime::from_bytes(take(rest)?)?;
        let trail = Trail::read(rest)?;
        let has = |flag| flags & flag != 0;
        if has(PREVIOUS) {
            secrets.previous = Some(read_previous(rest)?);
        }
        if has(RENEWAL) {
            secrets.renewal = Some(take(rest)?);
        }
        let mut provenance = Provenance::default();
        if has(OWNER_GENERATION) {
            provenance.owner_generation = Some(u64::from_be_bytes(take(rest)?));
        }
        if has(ANCESTOR) {
            provenance.ancestor = Some(StorageKey::from_bytes(take(rest)?));
        }
        let state = match (has(REPLACED), has(CLAIM)) {
            (false, false) => RecordState::Session,
            (true, false) => RecordState::Replaced(StorageKey::from_bytes(take(rest)?)),
            (false, true) => RecordState::Claim(StorageKey::from_bytes(take(rest)?)),
            (true, true) => return None,
        };
        let client = if has(CLIENT) { take_prefixed(rest)? } else { &[] }.to_vec();
        // An empty description is written without the flag.
        if has(CLIENT) && client.is_empty() {
            return None;
        }
        Some(Self { secrets, authenticated, lifetime, trail, provenance, state, client })
    }
}

fn write_previous(all: &[Previous], bytes: &mut Vec<u8>) {
    bytes.push(u8::try_from(all.len()).unwrap_or(u8::MAX));
    for Previous { hash, until } in all {
        bytes.extend_from_slice(hash);
        bytes.extend_from_slice(&until.as_millis().to_be_bytes());
    }
}

fn read_previous(rest: &mut &[u8]) -> Option<Arc<[Previous]>> {
    let [count] = take(rest)?;
    // An empty list is written without the flag.
    if count == 0 || usize::from(count) > MOST_PREVIOUS {
        return None;
    }
    (0..count).map(|_| Some(Previous { hash: take(rest)?, until: time(rest)? })).collect()
}

/// Appends the length of `part`, then `part`, which has at most 65535 bytes.
fn prefix(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend_from_slice(part);
}

#[cfg(test)]
mod tests;
