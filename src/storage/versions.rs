//! The outcomes that follow from the version of a stored record. The rules are the same for every
//! storage.

use super::error::StorageError;
use super::key::OwnerKey;
use super::outcome::{Create, Invalidate, Update};
use super::record::{Record, Version};

impl Create {
    /// The outcome of a `create` that finds a live record. `new` is the version to create.
    pub(crate) fn over(found: Version, new: Version) -> Self {
        if found == new { Self::Created } else { Self::Exists }
    }
}

impl Update {
    /// The outcome of an `update` that finds a live record. `None` if the record must be written.
    pub(crate) fn over(
        (found, owner): (Version, Option<&OwnerKey>),
        expected: Version,
        new: &Record,
    ) -> Result<Option<Self>, StorageError> {
        if found == new.version {
            return Ok(Some(Self::Updated));
        }
        if found != expected {
            return Ok(Some(Self::Conflict));
        }
        keeps_owner(owner, new).map(|()| None)
    }
}

impl Invalidate {
    /// Whether an `invalidate` is a conflict. It asks for the found version only if a version is
    /// expected.
    pub(crate) fn conflicts(
        expected: Option<Version>,
        found: impl FnOnce() -> Option<Version>,
    ) -> bool {
        expected.is_some_and(|expected| found().is_some_and(|found| found != expected))
    }
}

/// An error if `new` gives the record of `owner` to another owner.
fn keeps_owner(owner: Option<&OwnerKey>, new: &Record) -> Result<(), StorageError> {
    if new.owner.is_none() || new.owner.as_ref() == owner { Ok(()) } else { Err(another_owner()) }
}

pub(crate) fn another_owner() -> StorageError {
    StorageError::Other("an `update` cannot give a record to another owner".into(), None)
}
