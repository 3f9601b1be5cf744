//! The names of session definitions, and the keys of their records in a storage.

use sha2::{Digest, Sha256};

use crate::storage::{OwnerKey, StorageKey};

/// The keys of the root table. No session can have one of these names.
const ROOT: [&str; 3] = ["secret", "secret_file", "app"];

/// Whether this is a valid name: `[a-z][a-z0-9]*(_[a-z0-9]+)*`, and no key of the root table.
pub(crate) fn valid_session_name(name: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.split('_').all(word)
        && name.len() <= 255
        && !ROOT.contains(&name)
}

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
