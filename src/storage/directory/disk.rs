//! The file work behind [`Directory`](super::Directory); blocking.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::fs::OFlags;

use super::file::{self, Entry, LARGEST};
use crate::random::Random;
use crate::storage::{
    Create, Generation, OwnerGuard, OwnerKey, OwnerLimitPolicy, OwnerPage, Record, StorageError,
    StorageKey, Stored, Timestamp, Touch, Update, Version,
};

/// A temporary file older than this was left by a process that died.
const ABANDONED: Duration = Duration::from_secs(3600);

type Result<T> = std::result::Result<T, StorageError>;

pub(super) struct Disk {
    root: PathBuf,
    /// Where the next purge goes on: the number of a first-level folder.
    purge_from: Mutex<u8>,
}

/// Why an owner may not have another record.
enum Refused {
    Revoked,
    LimitReached,
}

impl Disk {
    pub fn open(root: PathBuf) -> Result<Self> {
        let failed = |cause| failure(&format!("opening the directory {}", root.display()), cause);
        for folder in ["records", "owners", "locks"] {
            make_dirs(&root.join(folder)).map_err(failed)?;
        }
        let probe = root.join(format!(".probe-{}", std::process::id()));
        create_file(&probe).map_err(failed)?;
        fs::remove_file(&probe).map_err(failed)?;
        Ok(Self { root, purge_from: Mutex::new(0) })
    }

    pub fn create(
        &self,
        key: &StorageKey,
        record: &Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create> {
        let _lock = self.lock("records", key.as_bytes()[0])?;
        let path = self.record_path(key);
        if path.symlink_metadata().is_ok() {
            return Ok(Create::Exists);
        }
        // A key that is used again must not repeat versions: begin anywhere.
        let random = Random::default()
            .bytes()
            .map_err(|cause| StorageError::other("making a version", cause))?;
        let version = Version(u64::from_be_bytes(random) >> 1);
        match self.join(key, record, guard, now)? {
            Ok(victims) => {
                self.write(key, version, record)?;
                self.end(&victims)?;
                Ok(Create::Created(version))
            }
            Err(Refused::Revoked) => Ok(Create::Revoked),
            Err(Refused::LimitReached) => Ok(Create::LimitReached),
        }
    }

    pub fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Stored>> {
        let entry = self.entry(key)?;
        Ok(entry.map(|entry| entry.stored).filter(|stored| stored.record.is_live(now)))
    }

    pub fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: &Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Update> {
        // Unlocked first, so that an unknown key touches nothing.
        if self.read(key, now)?.is_none() {
            return Ok(Update::Missing);
        }
        let _lock = self.lock("records", key.as_bytes()[0])?;
        let Some(before) = self.read(key, now)? else { return Ok(Update::Missing) };
        if before.version != expected {
            return Ok(Update::Conflict);
        }
        let moves = before.record.owner != record.owner;
        let mut victims = Vec::new();
        if moves {
            match self.join(key, record, guard, now)? {
                Ok(pushed_out) => victims = pushed_out,
                Err(Refused::Revoked) => return Ok(Update::Revoked),
                Err(Refused::LimitReached) => return Ok(Update::LimitReached),
            }
        }
        let version = Version(expected.0.wrapping_add(1));
        self.write(key, version, record)?;
        if moves {
            self.leave(&before.record, key)?;
        }
        self.end(&victims)?;
        Ok(Update::Updated(version))
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
        let _lock = self.lock("records", key.as_bytes()[0])?;
        let Some(entry) = self.entry(key)? else { return Ok(Touch::Missing) };
        let record = &entry.stored.record;
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

    pub fn invalidate(&self, key: &StorageKey) -> Result<bool> {
        let path = self.record_path(key);
        if path.symlink_metadata().is_err() {
            return Ok(false);
        }
        let _lock = self.lock("records", key.as_bytes()[0])?;
        self.remove(key)
    }

    pub fn purge(&self, now: Timestamp, limit: usize) -> Result<usize> {
        let mut purged = 0;
        for _ in 0..=u8::MAX {
            let first = *self.purge_from.lock();
            let folder = self.root.join("records").join(format!("{first:02x}"));
            for second in entries(&folder)? {
                purged += self.purge_folder(&second, now, limit - purged)?;
                if purged >= limit {
                    return Ok(purged);
                }
            }
            *self.purge_from.lock() = first.wrapping_add(1);
        }
        Ok(purged)
    }

    pub fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage> {
        let mut page = OwnerPage::default();
        for key in
            self.owned(owner)?.into_iter().filter(|key| after.is_none_or(|after| key > after))
        {
            let Some(stored) = self.theirs(owner, &key, now)? else { continue };
            if page.records.len() == limit {
                page.next = page.records.last().map(|(key, _)| key.clone());
                break;
            }
            page.records.push((key, stored));
        }
        Ok(page)
    }

    pub fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize> {
        let keys = {
            let _lock = self.lock("owners", owner.as_bytes()[0])?;
            let folder = self.owner_path(owner);
            make_dirs(&folder).map_err(|cause| failure("making an owner's folder", cause))?;
            let next = self.owner_generation(owner)?.0.wrapping_add(1);
            replace(&folder, "generation", &next.to_be_bytes())
                .map_err(|cause| failure("writing an owner's generation", cause))?;
            self.owned(owner)?
        };
        let except: HashSet<_> = except.iter().collect();
        let mut ended = 0;
        for key in keys.iter().filter(|key| !except.contains(key)) {
            let _lock = self.lock("records", key.as_bytes()[0])?;
            let Some(entry) = self.entry(key)? else { continue };
            if entry.stored.record.owner.as_ref() == Some(owner) {
                self.remove(key)?;
                ended += usize::from(entry.stored.record.is_live(now));
            }
        }
        Ok(ended)
    }

    pub fn owner_generation(&self, owner: &OwnerKey) -> Result<Generation> {
        let bytes = read_file(&self.owner_path(owner).join("generation"));
        match bytes {
            Ok(bytes) => {
                Ok(Generation(bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))))
            }
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(Generation(0)),
            Err(cause) => Err(failure("reading an owner's generation", cause)),
        }
    }

    /// Enters a record in its owner's index, before the record is written: the
    /// index may name too much, never too little, and is checked when read.
    /// The caller holds the record's lock.
    fn join(
        &self,
        key: &StorageKey,
        record: &Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<std::result::Result<Vec<StorageKey>, Refused>> {
        let Some(owner) = &record.owner else { return Ok(Ok(Vec::new())) };
        let _lock = self.lock("owners", owner.as_bytes()[0])?;
        if let Some(generation) = guard.generation
            && self.owner_generation(owner)? > generation
        {
            return Ok(Err(Refused::Revoked));
        }
        let folder = self.owner_path(owner);
        let mut victims = Vec::new();
        if let Some(limit) = guard.limit {
            let mut sessions = Vec::new();
            for other in self.owned(owner)? {
                if let Some(stored) = self.theirs(owner, &other, now)? {
                    sessions.push((stored.record.created, other));
                }
            }
            sessions.sort_unstable();
            let surplus = (sessions.len() + 1).saturating_sub(limit.max.max(1));
            if surplus > 0 && limit.policy == OwnerLimitPolicy::Refuse {
                return Ok(Err(Refused::LimitReached));
            }
            for (_, victim) in sessions.into_iter().take(surplus) {
                remove_file(&folder.join(victim.to_string()))?;
                victims.push(victim);
            }
        }
        make_dirs(&folder).map_err(|cause| failure("making an owner's folder", cause))?;
        match create_file(&folder.join(key.to_string())) {
            Err(cause) if cause.kind() != ErrorKind::AlreadyExists => {
                Err(failure("indexing an owner's record", cause))
            }
            _ => Ok(Ok(victims)),
        }
    }

    fn leave(&self, record: &Record, key: &StorageKey) -> Result<()> {
        let Some(owner) = &record.owner else { return Ok(()) };
        let _lock = self.lock("owners", owner.as_bytes()[0])?;
        remove_file(&self.owner_path(owner).join(key.to_string())).map(drop)
    }

    /// Deletes the records that a limit pushed out. They have left the index,
    /// so they count no more. One unlink is one step: no lock is needed, and a
    /// writer that holds the record's lock finds it missing afterwards.
    fn end(&self, victims: &[StorageKey]) -> Result<()> {
        victims.iter().try_for_each(|victim| remove_file(&self.record_path(victim)).map(drop))
    }

    /// The keys in an owner's index, in order.
    fn owned(&self, owner: &OwnerKey) -> Result<Vec<StorageKey>> {
        let names = entries(&self.owner_path(owner))?;
        let mut keys: Vec<_> = names.iter().filter_map(|path| key_of(path.file_name()?)).collect();
        keys.sort_unstable();
        Ok(keys)
    }

    /// The live record under `key`, if it really is this owner's.
    fn theirs(&self, owner: &OwnerKey, key: &StorageKey, now: Timestamp) -> Result<Option<Stored>> {
        match self.read(key, now) {
            Ok(stored) => Ok(stored.filter(|stored| stored.record.owner.as_ref() == Some(owner))),
            Err(StorageError::Corrupt(_)) => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    fn entry(&self, key: &StorageKey) -> Result<Option<Entry>> {
        match read_file(&self.record_path(key)) {
            Ok(bytes) => file::read(key, &bytes).map(Some),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) if is_foreign(&cause) => {
                Err(StorageError::Corrupt("it is not a regular file"))
            }
            Err(cause) => Err(failure("reading a record", cause)),
        }
    }

    fn write(&self, key: &StorageKey, version: Version, record: &Record) -> Result<()> {
        let path = self.record_path(key);
        let write = || {
            let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
            make_dirs(folder)?;
            replace(folder, &key.to_string(), &file::write(key, version, record))
        };
        write().map_err(|cause| failure("writing a record", cause))
    }

    /// Deletes a record and its index entry; the caller holds the record's lock.
    fn remove(&self, key: &StorageKey) -> Result<bool> {
        let record = self.entry(key).ok().flatten().map(|entry| entry.stored.record);
        let removed = remove_file(&self.record_path(key))?;
        if let Some(record) = record {
            self.leave(&record, key)?;
        }
        Ok(removed)
    }

    fn purge_folder(&self, folder: &Path, now: Timestamp, limit: usize) -> Result<usize> {
        let mut purged = 0;
        for path in entries(folder)? {
            let Some(name) = path.file_name() else { continue };
            let Some(key) = key_of(name) else {
                remove_if_abandoned(&path);
                continue;
            };
            let expired = |entry: &Entry| !entry.stored.record.is_live(now);
            // A corrupt file stays for whoever looks into it.
            if !matches!(self.entry(&key), Ok(Some(entry)) if expired(&entry)) {
                continue;
            }
            let _lock = self.lock("records", key.as_bytes()[0])?;
            if matches!(self.entry(&key), Ok(Some(entry)) if expired(&entry))
                && self.remove(&key)?
            {
                purged += 1;
            }
            if purged >= limit {
                break;
            }
        }
        Ok(purged)
    }

    /// The advisory lock of all keys with this first byte; threads and
    /// processes exclude each other by it until it is dropped.
    fn lock(&self, family: &str, first: u8) -> Result<File> {
        let path = self.root.join("locks").join(format!("{family}.{first:02x}"));
        let open = || {
            let mut options = OpenOptions::new();
            let file =
                open_nofollow(options.write(true).create(true).truncate(false).mode(0o600), &path)?;
            file.lock()?;
            Ok(file)
        };
        open().map_err(|cause| failure("locking", cause))
    }

    fn record_path(&self, key: &StorageKey) -> PathBuf {
        let name = key.to_string();
        self.root.join("records").join(&name[..2]).join(&name[2..4]).join(name)
    }

    fn owner_path(&self, owner: &OwnerKey) -> PathBuf {
        let name = owner.to_string();
        self.root.join("owners").join(&name[..2]).join(name)
    }
}

/// Makes a folder and those above it, for this user only.
fn make_dirs(path: &Path) -> std::io::Result<()> {
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(ErrorKind::NotADirectory.into()),
        Err(_) => DirBuilder::new().recursive(true).mode(0o700).create(path),
    }
}

fn create_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn open_nofollow(options: &mut OpenOptions, path: &Path) -> std::io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed()).open(path)
}

/// A regular file's content, of bounded length.
fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = open_nofollow(OpenOptions::new().read(true), path)?;
    let about = file.metadata()?;
    if !about.is_file() || about.len() > LARGEST {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or_default());
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A symlink, a folder, a pipe, a huge file: not one of ours.
fn is_foreign(cause: &std::io::Error) -> bool {
    let looped = cause.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    looped || matches!(cause.kind(), ErrorKind::InvalidData | ErrorKind::IsADirectory)
}

/// Writes a file in one step: a crash leaves the old one or the new one.
fn replace(folder: &Path, name: &str, content: &[u8]) -> std::io::Result<()> {
    let random: [u8; 8] = Random::default().bytes().map_err(std::io::Error::other)?;
    let temporary = folder.join(format!(".{name}-{:016x}", u64::from_be_bytes(random)));
    let write = || {
        let mut file = create_file(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, folder.join(name))?;
        File::open(folder)?.sync_all()
    };
    write().inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn remove_file(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(failure("deleting a record", cause)),
    }
}

fn remove_if_abandoned(path: &Path) {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let age = path
        .symlink_metadata()
        .and_then(|about| about.modified())
        .ok()
        .and_then(|at| at.elapsed().ok());
    if hidden && age.is_some_and(|age| age > ABANDONED) {
        // Next time, if not now.
        let _ = fs::remove_file(path);
    }
}

/// The paths in a folder; none if there is no such folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read =
        || -> std::io::Result<_> { fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect() };
    match read() {
        Err(cause) if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        read => read.map_err(|cause| failure("reading a folder", cause)),
    }
}

fn key_of(name: &OsStr) -> Option<StorageKey> {
    let name = name.to_str().filter(|name| name.len() == 64 && name.is_ascii())?;
    let mut hash = [0; 32];
    for (byte, digits) in hash.iter_mut().zip(name.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(StorageKey::from_bytes(hash)).filter(|key| key.to_string() == name)
}

fn failure(doing: &str, cause: std::io::Error) -> StorageError {
    StorageError::unavailable(format!("{doing}: {cause}"), cause)
}
