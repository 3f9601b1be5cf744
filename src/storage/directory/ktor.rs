//! Ktor's own files (`directorySessionStorage`), to share live sessions with a Ktor service or to
//! migrate from one.
//!
//! The path is the id in pieces of two characters: `id1` is `id/1.dat`. A file holds only the
//! serialized value. It has no room for a version, an owner, the time when the session began, or
//! the mark of an end. The file's modification time is therefore the time of the last use, and a
//! hash of its content is the version. If two servers write at the same time, the last write
//! wins. A `create` that arrives after the end of its session creates the file again.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::files::{failure, is_foreign, make_dirs, read_file, remove_file, replace, unusable};
use super::threads::Threads;
use crate::storage::platform::{open_nofollow, private};
use crate::storage::{
    Create, Invalidate, OwnerGuard, Predecessor, Record, SessionStorage, StorageError, StorageKey,
    Succeed, Successor, Timestamp, Touch, Update, Version, without_index,
};

type Result<T> = std::result::Result<T, StorageError>;

/// A folder of Ktor's session files.
#[derive(Clone)]
pub(crate) struct KtorDirectory {
    root: Arc<PathBuf>,
    /// How long a file lives after its last use.
    idle: Duration,
    threads: Threads,
}

/// The file of one session, as a storage with this one record.
pub(crate) struct KtorFile {
    folder: KtorDirectory,
    /// `None` for the folder as a whole, in which nothing can be found.
    id: Option<Arc<str>>,
}

impl KtorDirectory {
    /// Opens the folder, and creates it if it does not exist.
    pub fn open(root: PathBuf, idle: Duration) -> Result<Self> {
        make_dirs(&root).map_err(|cause| unusable(&root, cause))?;
        Ok(Self { root: Arc::new(root), idle, threads: Threads::new() })
    }

    pub fn file(&self, id: Arc<str>) -> KtorFile {
        KtorFile { folder: self.clone(), id: Some(id) }
    }

    /// The folder as a storage without a particular record.
    pub fn whole(&self) -> KtorFile {
        KtorFile { folder: self.clone(), id: None }
    }

    /// The path `ab/cd/e.dat` for `abcde`. `None` for an id that is not a safe file name
    /// everywhere.
    fn path(&self, id: &str) -> Option<PathBuf> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"/\\!?<>:|*\"".contains(&byte);
        // No piece may be `.` or `..`, which would name another folder.
        let dots = id.as_bytes().chunks(2).any(|piece| piece == b"." || piece == b"..");
        if id.is_empty() || dots || !id.bytes().all(plain) {
            return None;
        }
        let mut path = PathBuf::clone(&self.root);
        let pieces: Vec<&str> =
            (0..id.len()).step_by(2).map(|at| &id[at..id.len().min(at + 2)]).collect();
        let (last, folders) = pieces.split_last()?;
        path.extend(folders);
        path.push(format!("{last}.dat"));
        Some(path)
    }
}

/// The work on one file, which blocks.
struct FileWork {
    path: PathBuf,
    root: Arc<PathBuf>,
    idle: Duration,
}

impl FileWork {
    fn read(&self, now: Timestamp) -> Result<Option<Record>> {
        let content = match read_file(&self.path) {
            Ok(content) => content,
            Err(cause)
                if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(None);
            }
            Err(cause) if is_foreign(&cause) => {
                return Err(StorageError::Corrupt("it is not a regular file"));
            }
            Err(cause) => return Err(failure("reading a Ktor session", cause)),
        };
        // Ktor writes files in place, so a crash can leave an empty file. Ktor then answers 500.
        if content.is_empty() {
            return Ok(None);
        }
        let about = self.path.symlink_metadata().and_then(|about| about.modified());
        let seen = about.map_err(|cause| failure("reading a Ktor session", cause))?;
        let seen = Timestamp::from(seen);
        let record = Record {
            version: Version::from_content(&content),
            payload: content.as_slice().into(),
            owner: None,
            created: seen,
            last_seen: seen,
            expires: seen.after(self.idle),
        };
        Ok(Some(record).filter(|record| record.is_live(now)))
    }

    fn write(&self, record: &Record) -> Result<()> {
        let write = || {
            let folder = self.path.parent().ok_or(ErrorKind::InvalidInput)?;
            let name = self.path.file_name().ok_or(ErrorKind::InvalidInput)?;
            replace(folder, &name.to_string_lossy(), &record.payload)
        };
        write().map_err(|cause| failure("writing a Ktor session", cause))?;
        self.set_seen(record.last_seen)
    }

    fn set_seen(&self, seen: Timestamp) -> Result<()> {
        let time = seen.to_system_time().unwrap_or_else(SystemTime::now);
        open_nofollow(private().write(true), &self.path)
            .and_then(|file| file.set_modified(time))
            .map_err(|cause| failure("touching a Ktor session", cause))
    }

    fn invalidate(&self, expected: Option<Version>) -> Result<Invalidate> {
        let version = || Some(self.read(Timestamp::default()).ok()??.version);
        if Invalidate::conflicts(expected, version) {
            return Ok(Invalidate::Conflict);
        }
        let removed = remove_file(&self.path)?;
        // Empty folders are removed, as Ktor does. Removing any other folder fails.
        let above =
            self.path.ancestors().skip(1).take_while(|folder| *folder != self.root.as_path());
        for folder in above {
            if std::fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(if removed { Invalidate::Invalidated } else { Invalidate::Missing })
    }
}

impl KtorFile {
    /// Runs work on the file on a blocking thread. `None` if the id cannot be a file name.
    async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&FileWork) -> Result<R> + Send + 'static,
    ) -> Result<Option<R>> {
        let Some(path) = self.id.as_deref().and_then(|id| self.folder.path(id)) else {
            return Ok(None);
        };
        let files = FileWork { path, root: Arc::clone(&self.folder.root), idle: self.folder.idle };
        self.folder.threads.run(move || work(&files)).await.map(Some)
    }
}

#[rocket::async_trait]
impl SessionStorage for KtorFile {
    async fn create(
        &self,
        _: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create> {
        without_index(&guard)?;
        let create = move |file: &FileWork| {
            match file.read(now)? {
                // A file with equal content may belong to another login.
                Some(found)
                    if (found.version, found.last_seen) == (record.version, record.last_seen) =>
                {
                    Ok(Create::Created)
                }
                Some(_) => Ok(Create::Exists),
                None => file.write(&record).map(|()| Create::Created),
            }
        };
        let refused = || {
            StorageError::other(
                "the id cannot be a file name",
                std::io::Error::from(ErrorKind::InvalidInput),
            )
        };
        self.run(create).await?.ok_or_else(refused)
    }

    async fn read(&self, _: &StorageKey, now: Timestamp) -> Result<Option<Record>> {
        Ok(self.run(move |file| file.read(now)).await?.flatten())
    }

    async fn update(
        &self,
        _: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update> {
        let update = move |file: &FileWork| match file.read(now)? {
            None => Ok(Update::Missing),
            Some(found) if ![expected, record.version].contains(&found.version) => {
                Ok(Update::Conflict)
            }
            Some(_) => file.write(&record).map(|()| Update::Updated),
        };
        Ok(self.run(update).await?.unwrap_or(Update::Missing))
    }

    /// Two sessions are two files, and each file is a storage of its own.
    async fn succeed(&self, _: Successor<'_>, _: Predecessor<'_>, _: Timestamp) -> Result<Succeed> {
        Err(StorageError::Other("a file of Ktor holds one session".into(), None))
    }

    async fn touch(&self, _: &StorageKey, last_seen: Timestamp, _: Timestamp) -> Result<Touch> {
        let touch = move |file: &FileWork| match file.read(last_seen)? {
            None => Ok(Touch::Missing),
            Some(found) => {
                file.set_seen(found.last_seen.max(last_seen))?;
                Ok(Touch::Touched)
            }
        };
        Ok(self.run(touch).await?.unwrap_or(Touch::Missing))
    }

    async fn invalidate(
        &self,
        _: &StorageKey,
        expected: Option<Version>,
        _: Option<Timestamp>,
    ) -> Result<Invalidate> {
        let ended = self.run(move |file| file.invalidate(expected)).await?;
        Ok(ended.unwrap_or(Invalidate::Missing))
    }

    /// Removes nothing: a file that only a Ktor service reads looks unused from here.
    async fn purge_expired(&self, _: Timestamp, _: usize) -> Result<usize> {
        Ok(0)
    }

    fn compares_and_swaps(&self) -> bool {
        false
    }
}
