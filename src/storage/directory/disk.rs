//! The files of [`Directory`](super::Directory): their paths and their contents. Every function
//! blocks. `records.rs` has the operations on records, and `owners.rs` the index.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::files::{
    create_file, failure, is_foreign, make_dirs, read_file, read_start, replace, unusable,
};
use super::locks::{Family, Locks};
use super::paths::{SEPARATOR, below, name_of};
use crate::storage::bytes::{self, Heading, TORN};
use crate::storage::{Record, StorageError, StorageKey, Timestamp, random_number};

pub(super) type Result<T> = std::result::Result<T, StorageError>;

pub(super) struct Disk {
    pub root: PathBuf,
    /// The folder of all records.
    pub records: PathBuf,
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
        let failed = |cause| unusable(&root, cause);
        for folder in ["records", "owners", "locks"] {
            make_dirs(&root.join(folder)).map_err(failed)?;
        }
        let probe = root.join(format!(".probe-{:016x}", random_number()?));
        create_file(&probe).map_err(failed)?;
        fs::remove_file(&probe).map_err(failed)?;
        Ok(Self { records: root.join("records"), root, sweep: Mutex::default() })
    }

    pub fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>> {
        let Some(file) = content(read_file(&self.record_path(key)))? else { return Ok(None) };
        bytes::read(key, &file).map(|record| Some(record).filter(|record| record.is_live(now)))
    }

    /// What a write needs to know of the record before it. The payload is not read.
    pub(super) fn heading(&self, key: &StorageKey) -> Result<Option<Heading>> {
        let start = content(read_start(&self.record_path(key)))?;
        start.map(|start: [u8; bytes::HEADING]| bytes::heading(key, &start)).transpose()
    }

    pub(super) fn write(&self, key: &StorageKey, record: &Record) -> Result<()> {
        let room = &mut [0; 64];
        let name = name_of(key.as_bytes(), room);
        let folder = below(&self.records, &[&name[..2], SEPARATOR, &name[2..4]]);
        replace(&folder, name, &bytes::write(key, record))
            .map_err(|cause| failure("writing a record", cause))
    }

    pub(super) fn lock_records(&self, key: &StorageKey, others: &[StorageKey]) -> Result<Locks> {
        let keys = others.iter().chain([key]);
        Locks::take(&self.root, Family::Records, keys.map(|key| key.as_bytes()[0]))
    }

    /// Locks a record for a change. `None` if there is neither the record nor the file of its
    /// lock, so that an unknown key creates no file.
    pub(super) fn lock_known(&self, key: &StorageKey) -> Result<Option<Locks>> {
        let found = Locks::take_existing(&self.root, Family::Records, key.as_bytes()[0])?;
        if found.is_some() || !is_there(&self.record_path(key)) {
            return Ok(found);
        }
        self.lock_records(key, &[]).map(Some)
    }

    pub(super) fn record_path(&self, key: &StorageKey) -> PathBuf {
        let room = &mut [0; 64];
        let name = name_of(key.as_bytes(), room);
        below(&self.records, &[&name[..2], SEPARATOR, &name[2..4], SEPARATOR, name])
    }
}

/// What was read of a record's file. `None` if there is no file.
fn content<T>(read: io::Result<T>) -> Result<Option<T>> {
    match read {
        Ok(content) => Ok(Some(content)),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) if cause.kind() == ErrorKind::UnexpectedEof => Err(StorageError::Corrupt(TORN)),
        Err(cause) if is_foreign(&cause) => Err(StorageError::Corrupt("it is not a regular file")),
        Err(cause) => Err(failure("reading a record", cause)),
    }
}

/// Whether anything exists under a path. A symlink counts, wherever it leads.
pub(super) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
