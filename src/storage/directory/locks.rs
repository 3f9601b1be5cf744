//! Advisory locks, which exclude other threads and processes.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;

use smallvec::SmallVec;

use super::files::failure;
use super::paths::{SEPARATOR, below, name_of};
use crate::storage::StorageError;
use crate::storage::platform::{open_nofollow, private};

/// What a lock protects: the records, or the indexes of owners.
#[derive(Clone, Copy)]
pub(super) enum Family {
    Records,
    Owners,
}

/// Advisory locks of keys, by their first byte. They are held until the value is dropped.
pub(super) struct Locks(SmallVec<[(u8, File); 1]>);

impl Locks {
    /// Takes the locks. A caller that needs both families takes those of the records first.
    pub fn take(
        root: &Path,
        family: Family,
        firsts: impl Iterator<Item = u8>,
    ) -> Result<Self, StorageError> {
        let mut firsts: SmallVec<[u8; 1]> = firsts.collect();
        // Locks are always taken in the same order, so that no two callers wait for each other.
        firsts.sort_unstable();
        firsts.dedup();
        let mut locks = SmallVec::new();
        for first in firsts {
            let file = lock(root, family, first, private().create(true).truncate(false));
            locks.push((first, file.map_err(failed)?));
        }
        Ok(Self(locks))
    }

    /// Takes a lock if its file exists.
    pub fn take_existing(
        root: &Path,
        family: Family,
        first: u8,
    ) -> Result<Option<Self>, StorageError> {
        match lock(root, family, first, &mut private()) {
            Ok(file) => Ok(Some(Self(SmallVec::from_buf([(first, file)])))),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(failed(cause)),
        }
    }

    pub fn covers(&self, key: &[u8; 32]) -> bool {
        self.0.iter().any(|(first, _)| *first == key[0])
    }
}

fn lock(
    root: &Path,
    family: Family,
    first: u8,
    options: &mut OpenOptions,
) -> std::io::Result<File> {
    let family = match family {
        Family::Records => "records.",
        Family::Owners => "owners.",
    };
    let path = below(root, &["locks", SEPARATOR, family, name_of(&[first], &mut [0; 64])]);
    let file = open_nofollow(options.write(true), &path)?;
    file.lock()?;
    Ok(file)
}

fn failed(cause: std::io::Error) -> StorageError {
    failure("locking", cause)
}
