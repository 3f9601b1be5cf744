//! The file work behind [`Directory`](super::Directory); blocking. Records
//! here, the owners' index in `owners.rs`.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::files::{
    create_file, failure, file_name, is_foreign, make_dirs, open_nofollow, read_file, remove_file,
    replace,
};
use super::owners::Joined;
use super::purge::Sweep;
use crate::storage::bytes::{self, Entry};
use crate::storage::{
    Create, Invalidate, Predecessor, Record, Refused, StorageError, StorageKey, Successor,
    Timestamp, Touch, Update, Version, keeps_owner, random_number,
};

pub(super) type Result<T> = std::result::Result<T, StorageError>;

pub(super) struct Disk {
    pub(super) root: PathBuf,
    /// Where the next purge goes on.
    pub(super) sweep: Mutex<Sweep>,
}

/// What an advisory lock excludes: writers of records, or of owners' indexes.
#[derive(Clone, Copy)]
pub(super) enum Family {
    Records,
    Owners,
}

/// Advisory locks of keys by their first byte; threads and processes exclude
/// each other by them until they are dropped.
pub(super) struct Locks {
    firsts: Vec<u8>,
    _files: Vec<File>,
}

impl Locks {
    pub fn covers(&self, key: &[u8; 32]) -> bool {
        self.firsts.contains(&key[0])
    }
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

    /// Creates the one record, then replaces the other, if there is one, and says what
    /// became of it. No other login counts both: the owner stays locked meanwhile.
    pub fn begin(
        &self,
        new: &Successor<'_>,
        old: Option<&Predecessor<'_>>,
        now: Timestamp,
    ) -> Result<(Create, Option<Update>)> {
        let Successor { key, record, .. } = new;
        let swap = |owner| old.map(|old| self.swap(old, owner, now)).transpose();
        loop {
            let mut others = self.surplus(new, now)?;
            others.extend(old.map(|old| old.key.clone()));
            let locks = self.lock_records(key, &others)?;
            if let Some(answer) = self.make_way(key, record, now)? {
                let updated = if answer == Create::Created { swap(None)? } else { None };
                return Ok((answer, updated));
            }
            match self.join(new, now, &locks)? {
                Joined::Yes(victims, owner) => {
                    if let Err(cause) = self.write(key, record) {
                        // A stale index entry is ignored and purged; this is tidier.
                        let _ = self.leave(record, key, owner);
                        return Err(cause);
                    }
                    let updated = swap(owner);
                    self.end(&victims)?;
                    return Ok((Create::Created, updated?));
                }
                Joined::No(refused) => return Ok((Create::Refused(refused), None)),
                Joined::LockMore => {}
            }
        }
    }

    /// Removes an expired record for `new` under its key; the answer, if the key is
    /// not free. What cannot be read stays. The caller holds the record's lock.
    fn make_way(&self, key: &StorageKey, new: &Record, now: Timestamp) -> Result<Option<Create>> {
        match self.entry(key) {
            Ok(Some(Entry { record, .. })) if record.is_live(now) => {
                let again = record.version == new.version;
                return Ok(Some(if again { Create::Created } else { Create::Exists }));
            }
            Ok(Some(_)) => drop(self.remove(key)?),
            Ok(None) => {}
            Err(StorageError::Corrupt(_)) => return Ok(Some(Create::Exists)),
            Err(cause) => return Err(cause),
        }
        let marked = self.marked_until(key)?.is_some_and(|until| now < until);
        Ok(marked.then_some(Create::Refused(Refused::Revoked)))
    }

    pub fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>> {
        let entry = self.entry(key)?;
        Ok(entry.map(|entry| entry.record).filter(|record| record.is_live(now)))
    }

    pub fn update(&self, old: &Predecessor<'_>, now: Timestamp) -> Result<Update> {
        // Unlocked first, so that an unknown key touches nothing.
        if self.read(old.key, now)?.is_none() {
            return Ok(Update::Missing);
        }
        let _locks = self.lock_records(old.key, &[])?;
        self.swap(old, None, now)
    }

    /// An `update`. The caller holds the record's lock, and may give that of an owner.
    fn swap(
        &self,
        Predecessor { key, expected, record }: &Predecessor<'_>,
        owner: Option<Locks>,
        now: Timestamp,
    ) -> Result<Update> {
        let Some(before) = self.read(key, now)? else { return Ok(Update::Missing) };
        if before.version == record.version {
            return Ok(Update::Updated);
        }
        if before.version != *expected {
            return Ok(Update::Conflict);
        }
        keeps_owner(before.owner.as_ref(), record)?;
        self.write(key, record)?;
        if record.owner.is_none() {
            self.leave(&before, key, owner)?;
        }
        Ok(Update::Updated)
    }

    pub fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch> {
        if self.read(key, last_seen)?.is_none() {
            return Ok(Touch::Missing);
        }
        let _locks = self.lock_records(key, &[])?;
        let Some(entry) = self.entry(key)? else { return Ok(Touch::Missing) };
        let record = &entry.record;
        if !record.is_live(last_seen) {
            return Ok(Touch::Missing);
        }
        let (at, slot) =
            entry.touch(key, record.last_seen.max(last_seen), record.expires.max(expires));
        // Not flushed: a touch that a power cut loses ends a session early.
        let file = open_nofollow(OpenOptions::new().write(true), &self.record_path(key));
        file.and_then(|file| file.write_all_at(&slot, at))
            .map_err(|cause| failure("touching a record", cause))?;
        Ok(Touch::Touched)
    }

    pub fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate> {
        if mark.is_none() && !is_there(&self.record_path(key)) {
            return Ok(Invalidate::Missing);
        }
        let _locks = self.lock_records(key, &[])?;
        if let Some(expected) = expected
            && let Ok(Some(entry)) = self.entry(key)
            && entry.record.version != expected
        {
            return Ok(Invalidate::Conflict);
        }
        // The record first: on a full disk that makes room for the mark.
        let removed = self.remove(key)?;
        if let Some(until) = mark {
            self.leave_mark(key, until)?;
        }
        Ok(if removed { Invalidate::Invalidated } else { Invalidate::Missing })
    }

    pub(super) fn entry(&self, key: &StorageKey) -> Result<Option<Entry>> {
        match read_file(&self.record_path(key)) {
            Ok(found) => bytes::read(key, &found).map(Some),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) if is_foreign(&cause) => {
                Err(StorageError::Corrupt("it is not a regular file"))
            }
            Err(cause) => Err(failure("reading a record", cause)),
        }
    }

    fn write(&self, key: &StorageKey, record: &Record) -> Result<()> {
        let path = self.record_path(key);
        let write = || {
            let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
            make_dirs(folder)?;
            replace(folder, &key.to_string(), &bytes::write(key, record))
        };
        write().map_err(|cause| failure("writing a record", cause))
    }

    /// Deletes a record and its index entry; the caller holds the record's lock.
    pub(super) fn remove(&self, key: &StorageKey) -> Result<bool> {
        let record = self.entry(key).ok().flatten().map(|entry| entry.record);
        let removed = remove_file(&self.record_path(key))?;
        if let Some(record) = record {
            self.leave(&record, key, None)?;
        }
        Ok(removed)
    }

    /// Ends the sessions that a limit pushes out; the caller holds their locks.
    fn end(&self, victims: &[StorageKey]) -> Result<()> {
        victims.iter().try_for_each(|victim| self.remove(victim).map(drop))
    }

    pub(super) fn lock_records(&self, key: &StorageKey, others: &[StorageKey]) -> Result<Locks> {
        let keys = others.iter().chain([key]);
        let mut firsts: Vec<u8> = keys.map(|key| key.as_bytes()[0]).collect();
        // In one order, so that nobody waits in a circle.
        firsts.sort_unstable();
        firsts.dedup();
        self.lock(Family::Records, firsts)
    }

    /// Of two families, records are locked before owners, never after.
    pub(super) fn lock(&self, family: Family, firsts: Vec<u8>) -> Result<Locks> {
        let lock = |first: &u8| {
            let family = match family {
                Family::Records => "records",
                Family::Owners => "owners",
            };
            let path = self.root.join("locks").join(format!("{family}.{first:02x}"));
            let mut options = OpenOptions::new();
            let file =
                open_nofollow(options.write(true).create(true).truncate(false).mode(0o600), &path)?;
            file.lock()?;
            Ok(file)
        };
        let files = firsts.iter().map(lock).collect::<std::io::Result<_>>();
        Ok(Locks { _files: files.map_err(|cause| failure("locking", cause))?, firsts })
    }

    pub(super) fn record_path(&self, key: &StorageKey) -> PathBuf {
        let name = file_name(key.as_bytes());
        self.records().join(&name[..2]).join(&name[2..4]).join(name)
    }

    pub(super) fn records(&self) -> PathBuf {
        self.root.join("records")
    }
}

/// Whether there is anything at all under a path, followed or not.
pub(super) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
