//! The index of owners: a folder for each owner, with an empty file for each of the owner's
//! records.
//!
//! An entry is made before its record is written, and is removed after its record is deleted. So
//! the index contains every record of the owner. It may contain more, so each reader checks its
//! entries against the records.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::disk::{Disk, Result};
use super::files::{create_file, entries, failure, make_dirs, read_file, remove_file, replace};
use super::locks::{Family, Locks};
use super::paths::{SEPARATOR, below, name_of, parse_key};
use crate::storage::{
    Generation, OwnerKey, OwnerLimitPolicy, OwnerPage, Record, Refused, StorageError, StorageKey,
    Successor, Timestamp,
};

/// The file in an owner's folder that holds the owner's generation.
pub(super) const GENERATION: &str = "generation";

/// Whether a record may join its owner's index.
pub(super) enum Join {
    /// The record is in the index, and these sessions must end for it. The owner stays locked
    /// until the record is written, so that the next login counts it.
    Yes(Vec<StorageKey>, Option<Locks>),
    No(Refused),
    /// Other sessions than expected must end. The caller locks these as well and tries again.
    LockMore,
}

impl Disk {
    pub fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage> {
        OwnerPage::find(self.list_owned(owner)?, after, limit, |key| self.theirs(owner, key, now))
    }

    pub fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize> {
        let keys = {
            let _lock = self.lock_owner(owner)?;
            let folder = self.owner_path(owner);
            let next = self.generation(owner)?.as_u64().wrapping_add(1);
            replace(&folder, GENERATION, &next.to_be_bytes())
                .map_err(|cause| failure("writing an owner's generation", cause))?;
            self.list_owned(owner)?
        };
        let except: HashSet<_> = except.iter().collect();
        let mut ended = 0;
        for key in keys.iter().filter(|key| !except.contains(key)) {
            let _locks = self.lock_records(key, &[])?;
            let found = match self.heading(key) {
                Err(StorageError::Corrupt(_)) => None,
                found => found?,
            };
            let Some(found) = found else { continue };
            if found.owner.as_ref() == Some(owner) {
                self.remove(key)?;
                ended += usize::from(found.is_live(now));
            }
        }
        Ok(ended)
    }

    pub fn generation(&self, owner: &OwnerKey) -> Result<Generation> {
        match read_file(&self.owner_path(owner).join(GENERATION)) {
            Ok(bytes) => Ok(Generation::from_u64(
                bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)),
            )),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(Generation::from_u64(0)),
            Err(cause) => Err(failure("reading an owner's generation", cause)),
        }
    }

    /// The owner's oldest sessions that must end for a new one.
    pub(super) fn surplus(
        &self,
        Successor { key, record, guard }: &Successor<'_>,
        now: Timestamp,
    ) -> Result<Vec<StorageKey>> {
        let (Some(owner), Some(limit)) = (&record.owner, guard.limit) else {
            return Ok(Vec::new());
        };
        let mut sessions = Vec::new();
        for other in self.list_owned(owner)? {
            if other == **key || guard.replaces.as_ref() == Some(&other) {
                continue;
            }
            if let Some(found) = self.theirs(owner, &other, now)? {
                sessions.push((found.created, other));
            }
        }
        sessions.sort_unstable();
        let surplus = (sessions.len() + 1).saturating_sub(limit.max.max(1));
        Ok(sessions.into_iter().take(surplus).map(|(_, key)| key).collect())
    }

    /// Adds a record to its owner's index if the guard allows it. The caller holds the locks of
    /// the record and of the records that it expects to end.
    pub(super) fn join(&self, new: &Successor<'_>, now: Timestamp, locks: &Locks) -> Result<Join> {
        let Successor { key, record, guard } = new;
        let Some(owner) = &record.owner else { return Ok(Join::Yes(Vec::new(), None)) };
        let lock = self.lock_owner(owner)?;
        if let Some(generation) = guard.generation
            && self.generation(owner)? > generation
        {
            return Ok(Join::No(Refused::Revoked));
        }
        let victims = self.surplus(new, now)?;
        let refuse = guard.limit.is_some_and(|limit| limit.policy == OwnerLimitPolicy::Refuse);
        if refuse && !victims.is_empty() {
            return Ok(Join::No(Refused::LimitReached));
        }
        if !victims.iter().all(|victim| locks.covers(victim.as_bytes())) {
            return Ok(Join::LockMore);
        }
        let folder = self.owner_path(owner);
        make_dirs(&folder).map_err(|cause| failure("making an owner's folder", cause))?;
        match create_file(&entry_path(&folder, key)) {
            Err(cause) if cause.kind() != ErrorKind::AlreadyExists => {
                Err(failure("indexing an owner's record", cause))
            }
            _ => Ok(Join::Yes(victims, Some(lock))),
        }
    }

    /// Removes a record from its owner's index. The caller passes the lock of an owner if it
    /// holds one, because two such locks are never held at once.
    pub(super) fn leave(
        &self,
        owner: Option<&OwnerKey>,
        key: &StorageKey,
        held: Option<Locks>,
    ) -> Result<()> {
        let Some(owner) = owner else { return Ok(()) };
        let _lock = match held.filter(|held| held.covers(owner.as_bytes())) {
            Some(lock) => lock,
            None => self.lock_owner(owner)?,
        };
        let folder = self.owner_path(owner);
        remove_file(&entry_path(&folder, key))?;
        // This fails as long as the folder is not empty.
        let _ = std::fs::remove_dir(folder);
        Ok(())
    }

    /// Deletes a record and its index entry. The caller holds the record's lock.
    pub(super) fn remove(&self, key: &StorageKey) -> Result<bool> {
        let owner = self.heading(key).ok().flatten().and_then(|found| found.owner);
        let removed = remove_file(&self.record_path(key))?;
        self.leave(owner.as_ref(), key, None)?;
        Ok(removed)
    }

    pub(super) fn lock_owner(&self, owner: &OwnerKey) -> Result<Locks> {
        Locks::take(&self.root, Family::Owners, std::iter::once(owner.as_bytes()[0]))
    }

    /// The keys in an owner's index.
    fn list_owned(&self, owner: &OwnerKey) -> Result<Vec<StorageKey>> {
        let names = entries(&self.owner_path(owner))?;
        let keys = names.iter().filter_map(|path| parse_key(path.file_name()?));
        Ok(keys.map(StorageKey::from_bytes).collect())
    }

    /// The live record under `key`, if it belongs to this owner.
    fn theirs(&self, owner: &OwnerKey, key: &StorageKey, now: Timestamp) -> Result<Option<Record>> {
        match self.read(key, now) {
            Ok(record) => Ok(record.filter(|record| record.owner.as_ref() == Some(owner))),
            Err(StorageError::Corrupt(_)) => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    fn owner_path(&self, owner: &OwnerKey) -> PathBuf {
        let room = &mut [0; 64];
        let name = name_of(owner.as_bytes(), room);
        below(&self.root, &["owners", SEPARATOR, &name[..2], SEPARATOR, name])
    }

    pub(super) fn owners(&self) -> PathBuf {
        self.root.join("owners")
    }
}

/// The path of a record's entry in its owner's folder.
fn entry_path(folder: &Path, key: &StorageKey) -> PathBuf {
    below(folder, &[name_of(key.as_bytes(), &mut [0; 64])])
}
