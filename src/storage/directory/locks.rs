//! Advisory locks, which exclude other threads and processes.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::files::{failure, open_nofollow};
use crate::storage::StorageError;

/// What a lock protects: the records, or the indexes of owners.
#[derive(Clone, Copy)]
pub(super) enum Family {
    Records,
    Owners,
}

/// Advisory locks of keys, by their first byte. They are held until the value is dropped.
pub(super) struct Locks {
    firsts: Vec<u8>,
    _files: Vec<File>,
}

impl Locks {
    /// Takes the locks. A caller that needs both families takes those of the records first.
    pub fn take(root: &Path, family: Family, firsts: Vec<u8>) -> Result<Self, StorageError> {
        let family = match family {
            Family::Records => "records",
            Family::Owners => "owners",
        };
        let lock = |first: &u8| {
            let path = root.join("locks").join(format!("{family}.{first:02x}"));
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600);
            let file = open_nofollow(&mut options, &path)?;
            file.lock()?;
            Ok(file)
        };
        let files = firsts.iter().map(lock).collect::<std::io::Result<_>>();
        Ok(Self { _files: files.map_err(|cause| failure("locking", cause))?, firsts })
    }

    pub fn covers(&self, key: &[u8; 32]) -> bool {
        self.firsts.contains(&key[0])
    }
}
