//! A record as one string in Redis. All integers are big-endian, and times are Unix milliseconds.
//! The scripts depend on these offsets.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | version that it was created with |
//! | 8 | 8 | version |
//! | 16 | 8 | created |
//! | 24 | 8 | last seen |
//! | 32 | 8 | expires |
//! | 40 | 32 | owner, or zeros |
//! | 72 | n | payload |
//!
//! The mark of its end takes the record's place. It consists of eight bytes, the time until which
//! it is valid, and refuses every `create` under the key. A revocation, a limit, or an end that
//! asks for no mark leaves a mark beside the record instead. This is a field of a hash, named by
//! the version that the record was created with, and refuses only a repeated or late `create` of
//! that version.

use super::entry::IndexEntry;
use crate::storage::{OwnerKey, Record, StorageError, StorageKey, Timestamp, Version};

pub(super) const MARK_BYTES: usize = 8;
const HEADER: usize = 72;
const NOBODY: [u8; 32] = [0; 32];

/// The fields before the payload.
pub(super) struct Header {
    first: Version,
    version: Version,
    created: Timestamp,
    last_seen: Timestamp,
    pub expires: Timestamp,
    pub owner: Option<OwnerKey>,
}

impl Header {
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.split_first_chunk::<40>()?;
        let owner = *rest.first_chunk::<32>()?;
        let number = |at: usize| {
            let bytes = numbers[at * 8..].first_chunk();
            bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes))
        };
        Some(Self {
            first: Version::from_u64(number(0)),
            version: Version::from_u64(number(1)),
            created: Timestamp::from_millis(number(2)),
            last_seen: Timestamp::from_millis(number(3)),
            expires: Timestamp::from_millis(number(4)),
            owner: (owner != NOBODY).then(|| OwnerKey::from_bytes(owner)),
        })
    }

    /// The record's entry in its owner's index.
    pub fn entry(&self, key: &StorageKey) -> Option<IndexEntry> {
        let owner = self.owner.clone()?;
        Some(IndexEntry { owner, key: key.clone(), first: self.first, since: String::new() })
    }
}

/// The bytes of a new record. An update keeps the first version of the record that it replaces.
pub(super) fn pack(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + record.payload.len());
    for number in [
        record.version.as_u64(),
        record.version.as_u64(),
        record.created.as_millis(),
        record.last_seen.as_millis(),
        record.expires.as_millis(),
    ] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes.extend_from_slice(record.owner.as_ref().map_or(&NOBODY, |owner| owner.as_bytes()));
    bytes.extend_from_slice(&record.payload);
    bytes
}

/// The record, and the version that it was created with.
pub(super) fn unpack(bytes: &[u8]) -> Result<(Version, Record), StorageError> {
    let header = Header::read(bytes).ok_or(StorageError::Corrupt("it is too short"))?;
    let record = Record {
        version: header.version,
        payload: bytes[HEADER..].into(),
        owner: header.owner,
        created: header.created,
        last_seen: header.last_seen,
        expires: header.expires,
    };
    Ok((header.first, record))
}
