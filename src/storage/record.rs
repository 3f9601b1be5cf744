//! Records and their versions.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::error::StorageError;
use super::key::OwnerKey;
use crate::crypto::Random;
use crate::expiry::Timestamp;

/// What the core writes under a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Tells this state of the record from all others. The core draws it.
    pub version: Version,
    /// Opaque bytes: the core's envelope and the encoded session.
    pub payload: Arc<[u8]>,
    /// Whose session this is; feeds the owner index.
    pub owner: Option<OwnerKey>,
    /// When the session began.
    pub created: Timestamp,
    /// When its client was last seen.
    pub last_seen: Timestamp,
    /// From this instant on the record is none.
    pub expires: Timestamp,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("version", &self.version)
            .field("payload", &format_args!("[{} bytes]", self.payload.len()))
            .field("owner", &self.owner)
            .field("created", &self.created)
            .field("last_seen", &self.last_seen)
            .field("expires", &self.expires)
            .finish()
    }
}

impl Record {
    /// Whether the record still lives at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires
    }
}

/// The version of a record: 64 random bits, which the core draws for each write
/// before it asks the storage. A storage keeps it as it is given, so that the core
/// finds out what became of a write whose answer was lost. `touch` does not change
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub u64);

impl Version {
    /// The one of this content, where there is no room for another.
    pub(crate) fn of(content: &[u8]) -> Self {
        let hash = Sha256::digest(content);
        Self(hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)))
    }

    /// One that no record has had.
    pub(crate) fn random() -> Result<Self, StorageError> {
        random_number().map(Self)
    }
}

pub(crate) fn random_number() -> Result<u64, StorageError> {
    let random = Random::default().bytes();
    let bytes = random.map_err(|cause| StorageError::other("drawing a random number", cause))?;
    Ok(u64::from_be_bytes(bytes))
}
