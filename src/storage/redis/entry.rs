//! The entries in the index of an owner's records.

use crate::storage::{OwnerKey, Record, StorageKey, Version};

/// An entry in an owner's index.
pub(super) struct IndexEntry {
    pub owner: OwnerKey,
    pub key: StorageKey,
    /// The version that the record was created with.
    pub first: Version,
    /// When the entry was reserved: the server's time in seconds, as text. Empty for an entry
    /// that was read from the index.
    pub since: String,
}

impl IndexEntry {
    /// The entry's bytes in the index.
    pub fn member(&self) -> [u8; 40] {
        let mut member = [0; 40];
        member[..32].copy_from_slice(self.key.as_bytes());
        member[32..].copy_from_slice(&self.first.as_u64().to_be_bytes());
        member
    }

    /// The entry for a record. `None` if the record has no owner.
    pub fn new(key: &StorageKey, record: &Record) -> Option<Self> {
        let owner = record.owner.clone()?;
        Some(Self { owner, key: key.clone(), first: record.version, since: String::new() })
    }

    pub fn all(owner: &OwnerKey, members: &[Vec<u8>]) -> Vec<Self> {
        let entry = |member: &Vec<u8>| {
            let (key, first) = member.split_first_chunk()?;
            let first = Version::from_u64(u64::from_be_bytes(first.try_into().ok()?));
            let key = StorageKey::from_bytes(*key);
            Some(Self { owner: owner.clone(), key, first, since: String::new() })
        };
        members.iter().filter_map(entry).collect()
    }
}
