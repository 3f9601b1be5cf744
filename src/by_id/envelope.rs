//! What the core keeps in a record beside the encoded value. All integers are
//! big-endian; times are Unix milliseconds, and 0 is never.
//!
//! | bytes | flag | field |
//! |---|---|---|
//! | 1 | | version `02` |
//! | 2 | | bytes of the envelope, these three included: the value begins there |
//! | 1 | | flags: which of the fields below are there |
//! | 2 + n | | the session's name, so that swapped records do not read (checklist S41) |
//! | 32 | | SHA-256 of the id's secret; zeros in a claim |
//! | 8 | | when the id was last renewed |
//! | 4 | | CSRF generation: how often `renew` replaced the id |
//! | 8 | | authenticated |
//! | 8 | | [lifetime](OwnLifetime) |
//! | 1 + 16 n | | [version trail](Trail) |
//! | 1 + 40 n | `01` | the secrets before, newest first: SHA-256, and until when it opens the session |
//! | 16 | `02` | the secret of an open renewal, masked |
//! | 8 | `04` | the owner's generation when the session became the owner's |
//! | 32 | `08` | where the session comes from: see [`Provenance::ancestor`] |
//! | 32 | `10` | the record is replaced: its successor |
//! | 32 | `20` | the record is a claim: the session that it was taken over into |
//! | 2 + n | `40` | [description of the client](crate::client) |
//! | rest | | the encoded value |
//!
//! No id is at rest, only hashes and the names of records. Nothing fills the flags `04`
//! and `20` yet. Such fields are kept as they were read.

use std::sync::Arc;
use std::time::Duration;

use super::bytes::{take, take_prefixed, time};
use super::trail::Trail;
use crate::crypto::mac::{equal, hmac_sha256};
use crate::expiry::{OwnLifetime, Timestamp};
use crate::storage::StorageKey;
use crate::token::SessionId;

/// How long an end keeps writes out that were on their way.
pub(super) const MARK: Duration = Duration::from_secs(120);

const VERSION: u8 = 2;

const PREVIOUS: u8 = 0x01;
const RENEWAL: u8 = 0x02;
const OWNER_GENERATION: u8 = 0x04;
const ORIGIN: u8 = 0x08;
const REPLACED: u8 = 0x10;
const CLAIM: u8 = 0x20;
const CLIENT: u8 = 0x40;
const UNKNOWN: u8 = 0x80;

/// The most secrets before that a record holds.
const MOST_PREVIOUS: usize = 16;

/// Which secrets open a session, and since when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Secrets {
    current: [u8; 32],
    /// Those before, newest first: until two minutes after they opened the session last,
    /// but no more than [`MOST_PREVIOUS`]. Older ones go with the next renewal. `None`
    /// if there are none; secrets are copied with every write.
    previous: Option<Arc<[Previous]>>,
    /// The next secret, masked, until its id is first shown.
    renewal: Option<[u8; 16]>,
    /// Zero for never.
    pub renewed: Timestamp,
    /// How often the id was replaced, but for periodic renewals.
    pub rotations: u32,
}

/// A secret before the present one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Previous {
    hash: [u8; 32],
    /// The newest one opens the session until then, the others did.
    until: Timestamp,
}

/// With which of its secrets a session was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admitted {
    Current,
    /// With the one before, while a renewal is open. This is the next id.
    BeforeRenewal(SessionId),
    /// With the one before, which opens the session until then.
    Previous(Timestamp),
    /// With an older one, which opened the session until then.
    Former(Timestamp),
}

impl Secrets {
    /// Those of a session that begins under `id`.
    pub fn new(id: &SessionId) -> Self {
        Self { current: id.secret_hash(), ..Self::default() }
    }

    /// The same session's under another id, at once: the id before opens nothing.
    pub fn with_new(&self, id: &SessionId, now: Timestamp, rotations: u32) -> Self {
        let (current, previous) = (id.secret_hash(), Some(self.previous_after(now)));
        Self { current, previous, renewal: None, renewed: now, rotations }
    }

    /// The same session's under the next id. It begins to count when it is first
    /// shown. Until then whoever shows the present id `of` is sent the next one: that
    /// lies here, masked under the present one.
    pub fn renewing(&self, of: &SessionId, next: &SessionId, now: Timestamp) -> Self {
        let renewal = Some(mask(of, next.secret()));
        let (current, previous) = (next.secret_hash(), Some(self.previous_after(now)));
        Self { current, previous, renewal, renewed: now, rotations: self.rotations }
    }

    /// The secrets before the next one, which the present one is then. What opened the
    /// session so far, with the present one or instead of it, does so until now.
    fn previous_after(&self, now: Timestamp) -> Arc<[Previous]> {
        let mut all = self.previous().to_vec();
        if let Some(newest) = all.first_mut() {
            newest.until = if self.is_open() { now } else { newest.until.min(now) };
        }
        all.retain(|before| now < before.until.after(MARK));
        all.insert(0, Previous { hash: self.current, until: now });
        all.truncate(MOST_PREVIOUS);
        all.into()
    }

    /// Newest first.
    fn previous(&self) -> &[Previous] {
        self.previous.as_deref().unwrap_or_default()
    }

    /// The next id has been shown. The one before opens the session for a while.
    pub fn completing(&self, now: Timestamp, grace: Duration) -> Self {
        let mut completed = Self { renewal: None, renewed: now, ..self.clone() };
        let all = completed.previous.as_mut().map(Arc::make_mut);
        if let Some(newest) = all.and_then(<[_]>::first_mut) {
            newest.until = now.after(grace);
        }
        completed
    }

    /// The next id has not been shown yet.
    pub fn is_open(&self) -> bool {
        self.renewal.is_some()
    }

    /// Whether the presented secret opens the session; constant time.
    pub fn admit(&self, id: &SessionId) -> Option<Admitted> {
        let hash = id.secret_hash();
        if equal(&self.current, &hash) {
            return Some(Admitted::Current);
        }
        let all = self.previous();
        let at = all.iter().position(|before| equal(&before.hash, &hash))?;
        let until = all[at].until;
        Some(match self.renewal {
            _ if at > 0 => Admitted::Former(until),
            Some(next) => Admitted::BeforeRenewal(id.with_secret(mask(id, next))),
            None => Admitted::Previous(until),
        })
    }
}

/// `secret` under a mask that only the whole id `of` gives; masked twice it is the
/// secret again.
fn mask(of: &SessionId, secret: [u8; 16]) -> [u8; 16] {
    let mask = hmac_sha256(&of.secret(), &[b"renew", &of.locator()]);
    std::array::from_fn(|at| secret[at] ^ mask[at])
}

/// The envelope's own fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub secrets: Secrets,
    pub authenticated: Timestamp,
    pub lifetime: OwnLifetime,
    pub trail: Trail,
    pub provenance: Provenance,
    pub state: RecordState,
    /// Encoded; at most [`u16::MAX`] bytes.
    pub client: Vec<u8>,
}

/// How a session came to its owner and to its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Provenance {
    /// The owner's generation when the session became the owner's.
    owner_generation: Option<u64>,
    /// The record of the first of the sessions over each of which a login began the next
    /// one, where there is a limit; or the record or the claim that it was taken over from.
    pub ancestor: Option<StorageKey>,
}

impl Provenance {
    /// That of a session which a login begins, or has replaced.
    pub fn from(ancestor: Option<StorageKey>) -> Self {
        Self { ancestor, ..Self::default() }
    }
}

/// What a record stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum RecordState {
    /// A session that lives.
    #[default]
    Session,
    /// A session that a login has replaced: the record of the login's session.
    Replaced(StorageKey),
    /// A session that was kept elsewhere and has been taken over into this one.
    Claim(StorageKey),
}

impl Envelope {
    /// The record's payload for a value of session `name`.
    pub fn wrap(&self, name: &str, value: &[u8]) -> Arc<[u8]> {
        let mut bytes = Vec::with_capacity(128 + name.len() + self.client.len() + value.len());
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
        bytes.into()
    }

    /// Appends the fields that are there, and says which.
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
            [(ORIGIN, self.provenance.ancestor.as_ref()), (REPLACED, replaced), (CLAIM, claim)];
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

    /// The envelope and where the value begins; `None` for another session's
    /// record and for anything that is no record.
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

    /// The fields after the name.
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
        if has(ORIGIN) {
            provenance.ancestor = Some(StorageKey::from_bytes(take(rest)?));
        }
        let state = match (has(REPLACED), has(CLAIM)) {
            (false, false) => RecordState::Session,
            (true, false) => RecordState::Replaced(StorageKey::from_bytes(take(rest)?)),
            (false, true) => RecordState::Claim(StorageKey::from_bytes(take(rest)?)),
            (true, true) => return None,
        };
        let client = if has(CLIENT) { take_prefixed(rest)? } else { &[] }.to_vec();
        // An empty description is written as none.
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
    // None are written as no list.
    if count == 0 || usize::from(count) > MOST_PREVIOUS {
        return None;
    }
    (0..count).map(|_| Some(Previous { hash: take(rest)?, until: time(rest)? })).collect()
}

/// Appends `part`, which has at most 65535 bytes, after its length.
fn prefix(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend_from_slice(part);
}

#[cfg(test)]
mod tests;
