//! The names of session definitions, and the keys of their records in a storage.

use crate::crypto::sha256::sha256;
use crate::storage::{OwnerKey, StorageKey};

/// The application and the session definition to which records and owners are bound.
#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    pub session: String,
    /// The names of the application and of the session, each after its length. Every hash begins
    /// with them.
    names: Vec<u8>,
}

impl Namespace {
    pub fn new(app: &str, session: &str) -> Self {
        let mut names = Vec::new();
        for name in [app, session] {
            // Configuration refuses longer names.
            let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
            names.extend_from_slice(&length.to_be_bytes());
            names.extend_from_slice(name.as_bytes());
        }
        Self { session: session.to_owned(), names }
    }

    /// Returns the key of the record with this locator.
    pub fn record(&self, locator: &[u8; 16]) -> StorageKey {
        StorageKey::from_bytes(sha256([&self.names, locator]))
    }

    /// Returns the key of an owner.
    pub fn owner(&self, owner: &str) -> OwnerKey {
        OwnerKey::from_bytes(sha256([&self.names, owner.as_bytes()]))
    }

    /// Returns the key of the mark that a client session has ended.
    pub fn ended_token(&self, token_id: &[u8; 16]) -> StorageKey {
        StorageKey::from_bytes(sha256([&self.names, token_id]))
    }

    /// Returns the key of the record with an owner's epoch.
    pub fn epoch(&self, owner: &OwnerKey) -> StorageKey {
        StorageKey::from_bytes(sha256([&self.names, b"epoch", owner.as_bytes()]))
    }
}
