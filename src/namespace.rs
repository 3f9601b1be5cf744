//! The names of session definitions, and the keys of their records in a storage.

use sha2::{Digest, Sha256};

use crate::storage::{OwnerKey, StorageKey};

/// The application and the session definition to which records and owners are bound.
#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    pub app: String,
    pub session: String,
}

impl Namespace {
    /// Returns the key of the record with this locator.
    pub fn record(&self, locator: &[u8; 16]) -> StorageKey {
        StorageKey::from_bytes(self.hash(locator))
    }

    /// Returns the key of an owner.
    pub fn owner(&self, owner: &str) -> OwnerKey {
        OwnerKey::from_bytes(self.hash(owner.as_bytes()))
    }

    /// Returns the key of the mark that a client session has ended.
    pub fn ended_token(&self, token_id: &[u8; 16]) -> StorageKey {
        StorageKey::from_bytes(self.hash(token_id))
    }

    /// Returns the key of the record with an owner's epoch.
    pub fn epoch(&self, owner: &OwnerKey) -> StorageKey {
        StorageKey::from_bytes(self.hash(&[b"epoch", &owner.as_bytes()[..]].concat()))
    }

    fn hash(&self, what: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [&self.app, &self.session] {
            // Configuration refuses longer names.
            hash.update(u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
            hash.update(part);
        }
        hash.update(what);
        hash.finalize().into()
    }
}
