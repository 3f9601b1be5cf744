//! Records and their versions.

use std::fmt;

use sha2::{Digest, Sha256};

use super::error::StorageError;
use super::key::OwnerKey;
use super::payload::Payload;
use crate::crypto::Random;
use crate::expiry::Timestamp;

/// A record, which a storage keeps under a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The version, which the core draws for each write.
    pub version: Version,
    /// Opaque bytes: the core's envelope and the encoded session.
    pub payload: Payload,
    /// The owner, for the index of owners.
    pub owner: Option<OwnerKey>,
    /// When the session began.
    pub created: Timestamp,
    /// When the session was last used.
    pub last_seen: Timestamp,
    /// The first instant at which the record is no longer live.
    pub expires: Timestamp,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("version", &self.version)
            .field("payload", &self.payload)
            .field("owner", &self.owner)
            .field("created", &self.created)
            .field("last_seen", &self.last_seen)
            .field("expires", &self.expires)
            .finish()
    }
}

impl Record {
    /// Returns whether the record is live at `now`. Every operation of a storage checks this.
    ///
    /// ```
    /// # use rocket_typed_sessions::storage::{Record, Timestamp, Version};
    /// # use std::time::Duration;
    /// # let now = Timestamp::from_millis(1_000);
    /// # let record = Record { version: Version::from_u64(1), payload: b"...".into(), owner: None, created: now, last_seen: now, expires: now };
    /// let record = Record { expires: now.after(Duration::from_secs(60)), ..record };
    /// assert!(record.is_live(now));
    /// assert!(!record.is_live(record.expires));
    /// ```
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires
    }
}

/// The version of a record: 64 random bits, which the core draws for each write. A storage keeps
/// the version unchanged, so that the core can find out whether a write with a lost answer
/// happened. `touch` does not change the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(u64);

impl Version {
    /// Makes the version that a storage has kept.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::Version;
    ///
    /// let kept = Version::from_u64(7).as_u64();
    /// assert_eq!(Version::from_u64(kept), Version::from_u64(7));
    /// ```
    pub const fn from_u64(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns the bits that a storage keeps.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::Version;
    ///
    /// assert_eq!(Version::from_u64(7).as_u64(), 7);
    /// ```
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The version of a record that has no room for one: a hash of its content.
    pub(crate) fn from_content(content: &[u8]) -> Self {
        let hash = Sha256::digest(content);
        Self(hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)))
    }

    /// A version that no record has had before.
    pub(crate) fn random() -> Result<Self, StorageError> {
        random_number().map(Self)
    }
}

pub(crate) fn random_number() -> Result<u64, StorageError> {
    let random = Random::default().number();
    random.map_err(|cause| StorageError::other("drawing a random number", cause))
}
