//! The files of [`Directory`](super::Directory): their paths and their contents. Every function
//! blocks. `records.rs` has the operations on records, and `owners.rs` the index.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::files::{create_file, failure, file_name, is_foreign, make_dirs, read_file, replace};
use super::locks::{Family, Locks};
use crate::storage::bytes::{self, StoredRecord};
use crate::storage::{Record, StorageError, StorageKey, Timestamp, random_number};

pub(super) type Result<T> = std::result::Result<T, StorageError>;

pub(super) struct Disk {
    pub root: PathBuf,
    /// The place where the next purge continues.
    pub sweep: Mutex<Sweep>,
}

/// The first and the second byte of the keys that are swept next.
#[derive(Clone, Copy, Default)]
pub(super) struct Sweep {
    pub first: u8,
    pub second: u8,
}

impl Disk {
    pub fn open(root: PathBuf) -> Result<Self> {
        let failed = |cause| failure(&format!("opening the directory {}", root.display()), cause);
        for folder in ["records", "owners", "locks"] {
            make_dirs(&root.join(folder)).map_err(failed)?;
        }
        let probe = root.join(format!(".probe-{:016x}", random_number()?));
        create_file(&probe).map_err(failed)?;
        fs::remove_file(&probe).map_err(failed)?;
        Ok(Self { root, sweep: Mutex::default() })
    }

    pub fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>> {
        let entry = self.entry(key)?;
        Ok(entry.map(|entry| entry.record).filter(|record| record.is_live(now)))
    }

    pub(super) fn entry(&self, key: &StorageKey) -> Result<Option<StoredRecord>> {
        match read_file(&self.record_path(key)) {
            Ok(found) => bytes::read(key, &found).map(Some),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) if is_foreign(&cause) => {
                Err(StorageError::Corrupt("it is not a regular file"))
            }
            Err(cause) => Err(failure("reading a record", cause)),
        }
    }

    pub(super) fn write(&self, key: &StorageKey, record: &Record) -> Result<()> {
        let path = self.record_path(key);
        let write = || {
            let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
            make_dirs(folder)?;
            replace(folder, &key.to_string(), &bytes::write(key, record))
        };
        write().map_err(|cause| failure("writing a record", cause))
    }

    pub(super) fn lock_records(&self, key: &StorageKey, others: &[StorageKey]) -> Result<Locks> {
        let keys = others.iter().chain([key]);
        let mut firsts: Vec<u8> = keys.map(|key| key.as_bytes()[0]).collect();
        // Locks are always taken in the same order, so that no two callers wait for each other.
        firsts.sort_unstable();
        firsts.dedup();
        Locks::take(&self.root, Family::Records, firsts)
    }

    pub(super) fn record_path(&self, key: &StorageKey) -> PathBuf {
        let name = file_name(key.as_bytes());
        self.records().join(&name[..2]).join(&name[2..4]).join(name)
    }

    pub(super) fn records(&self) -> PathBuf {
        self.root.join("records")
    }
}

/// Whether anything exists under a path. A symlink counts, wherever it leads.
pub(super) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
