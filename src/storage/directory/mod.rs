//! One file for each record, for any number of processes on one machine.
//!
//! ```text
//! <path>/records/ab/cd/<64 hex digits>    the record; see `../bytes.rs`
//! <path>/records/ab/cd/<64 hex digits>.ended    the mark of its end: until when it is valid
//! <path>/owners/ab/<64 hex digits>/       one empty file for each of the owner's records
//! <path>/owners/ab/<64 hex digits>/generation
//! <path>/locks/records.ab, owners.ab      advisory locks, by the first byte of a key
//! ```
//!
//! A record is replaced by renaming a flushed temporary file over it. A reader therefore needs no
//! lock and finds the old record or the new one. Writers compare and swap under the lock of the
//! key's first byte. The lock of an owner is taken after that of a record, never before.

mod config;
mod disk;
mod files;
mod ktor;
mod locks;
mod marks;
mod owners;
mod paths;
mod purge;
mod records;
mod threads;

use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use config::read_config;
use disk::Disk;
pub(crate) use ktor::KtorDirectory;
use threads::Threads;

use super::{
    Create, Generation, Invalidate, OwnerGuard, OwnerIndex, OwnerKey, OwnerPage, Predecessor,
    Record, SessionStorage, StorageError, StorageKey, Succeed, Successor, Timestamp, Touch, Update,
    Version,
};

/// A storage in a directory, which several processes on one machine may share.
///
/// It survives restarts and `kill -9`: a write that was acknowledged is on the
/// disk. Directories have mode 0700, files 0600. No symlink is followed, and
/// reading creates nothing. A file that is not a record causes
/// [`StorageError::Corrupt`]. A full disk or missing permissions cause
/// [`StorageError::Unavailable`], and the record stays as it was.
///
/// A clone is another handle on the same directory.
#[derive(Clone)]
pub struct Directory {
    disk: Arc<Disk>,
    threads: Threads,
}

impl Directory {
    /// Opens the directory, and creates it if it does not exist.
    ///
    /// # Errors
    ///
    /// An error if the directory cannot be created or written to.
    ///
    /// ```
    /// use rocket_typed_sessions::{Sessions, storage::Directory};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("sessions");
    /// // In Rocket.toml: storage = "files"
    /// let sessions = Sessions::fairing().storage("files", Directory::open(path)?);
    /// # drop(sessions);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StorageError> {
        let disk = Arc::new(Disk::open(path.into())?);
        Ok(Self { disk, threads: Threads::new() })
    }

    async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Disk) -> Result<R, StorageError> + Send + 'static,
    ) -> Result<R, StorageError> {
        let disk = Arc::clone(&self.disk);
        self.threads.run(move || work(&disk)).await
    }
}

#[rocket::async_trait]
impl SessionStorage for Directory {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create, StorageError> {
        let key = key.clone();
        let begin =
            move |disk: &Disk| disk.begin(&Successor { key: &key, record, guard }, None, now);
        Ok(self.run(begin).await?.0)
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>, StorageError> {
        let key = key.clone();
        self.run(move |disk| disk.read(&key, now)).await
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        let key = key.clone();
        self.run(move |disk| disk.update(&Predecessor { key: &key, expected, record }, now)).await
    }

    async fn succeed(
        &self,
        Successor { key, record, guard }: Successor<'_>,
        old: Predecessor<'_>,
        now: Timestamp,
    ) -> Result<Succeed, StorageError> {
        let (key, old_key) = (key.clone(), old.key.clone());
        let Predecessor { expected, record: left, .. } = old;
        let begin = move |disk: &Disk| {
            let old = Predecessor { key: &old_key, expected, record: left };
            disk.begin(&Successor { key: &key, record, guard }, Some(&old), now)
        };
        Ok(match self.run(begin).await? {
            (Create::Refused(refused), _) => Succeed::Refused(refused),
            (Create::Created, Some(updated)) => Succeed::Created(updated),
            _ => Succeed::Exists,
        })
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError> {
        let key = key.clone();
        self.run(move |disk| disk.touch(&key, last_seen, expires)).await
    }

    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate, StorageError> {
        let key = key.clone();
        self.run(move |disk| disk.invalidate(&key, expected, mark)).await
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError> {
        self.run(move |disk| disk.purge(now, limit)).await
    }

    fn owners(&self) -> Option<&dyn OwnerIndex> {
        Some(self)
    }
}

#[rocket::async_trait]
impl OwnerIndex for Directory {
    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError> {
        let (owner, after) = (owner.clone(), after.cloned());
        self.run(move |disk| disk.list(&owner, after.as_ref(), limit, now)).await
    }

    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize, StorageError> {
        let (owner, except) = (owner.clone(), except.to_vec());
        self.run(move |disk| disk.invalidate_owner(&owner, &except, now)).await
    }

    async fn generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError> {
        let owner = owner.clone();
        self.run(move |disk| disk.generation(&owner)).await
    }
}
