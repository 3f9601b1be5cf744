//! The operations on records. Each takes the locks that it needs.

use super::disk::{Disk, Result, is_there};
use super::files::{failure, overwrite};
use super::locks::Locks;
use super::owners::Join;
use crate::storage::platform::private;
use crate::storage::{
    Create, Invalidate, Predecessor, Record, Refused, StorageError, StorageKey, Successor,
    Timestamp, Touch, Update, Version,
};

impl Disk {
    /// Creates the record `new`, then replaces the record `old`, if there is one, and returns
    /// both outcomes. The owner stays locked meanwhile, so that no other login counts both
    /// records.
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
                Join::Yes(victims, owner) => {
                    if let Err(cause) = self.write(key, record) {
                        // Readers ignore an entry without a record, and a purge removes it.
                        // Removing it now is tidier.
                        let _ = self.leave(record.owner.as_ref(), key, owner);
                        return Err(cause);
                    }
                    let updated = swap(owner);
                    self.end(&victims)?;
                    return Ok((Create::Created, updated?));
                }
                Join::No(refused) => return Ok((Create::Refused(refused), None)),
                Join::LockMore => {}
            }
        }
    }

    /// Removes an expired record under the key of `new`. Returns an answer if the key is not
    /// free. A record that cannot be read is kept. The caller holds the record's lock.
    fn make_way(&self, key: &StorageKey, new: &Record, now: Timestamp) -> Result<Option<Create>> {
        match self.heading(key) {
            Ok(Some(found)) if found.is_live(now) => {
                return Ok(Some(Create::over(found.version, new.version)));
            }
            Ok(Some(_)) => drop(self.remove(key)?),
            Ok(None) => {}
            Err(StorageError::Corrupt(_)) => return Ok(Some(Create::Exists)),
            Err(cause) => return Err(cause),
        }
        let marked = self.marked_until(key)?.is_some_and(|until| now < until);
        Ok(marked.then_some(Create::Refused(Refused::Revoked)))
    }

    pub fn update(&self, old: &Predecessor<'_>, now: Timestamp) -> Result<Update> {
        let Some(_lock) = self.lock_known(old.key)? else { return Ok(Update::Missing) };
        self.swap(old, None, now)
    }

    /// Performs an `update`. The caller holds the record's lock, and may pass the lock of an
    /// owner.
    fn swap(
        &self,
        Predecessor { key, expected, record }: &Predecessor<'_>,
        owner: Option<Locks>,
        now: Timestamp,
    ) -> Result<Update> {
        let before = self.heading(key)?.filter(|before| before.is_live(now));
        let Some(before) = before else { return Ok(Update::Missing) };
        let found = (before.version, before.owner.as_ref());
        if let Some(answer) = Update::over(found, *expected, record)? {
            return Ok(answer);
        }
        self.write(key, record)?;
        if record.owner.is_none() {
            self.leave(before.owner.as_ref(), key, owner)?;
        }
        Ok(Update::Updated)
    }

    pub fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch> {
        let Some(_lock) = self.lock_known(key)? else { return Ok(Touch::Missing) };
        let found = self.heading(key)?.filter(|found| found.is_live(last_seen));
        let Some(found) = found else { return Ok(Touch::Missing) };
        let (at, slot) = found.touch(found.last_seen.max(last_seen), found.expires.max(expires));
        // A touch is not flushed: if a power cut loses it, the session only ends earlier.
        overwrite(&mut private(), &self.record_path(key), at, &slot)
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
        let version = || Some(self.heading(key).ok()??.version);
        if Invalidate::conflicts(expected, version) {
            return Ok(Invalidate::Conflict);
        }
        // The record goes first, which makes room for the mark on a full disk.
        let removed = self.remove(key)?;
        if let Some(until) = mark {
            self.leave_mark(key, until)?;
        }
        Ok(if removed { Invalidate::Invalidated } else { Invalidate::Missing })
    }

    /// Ends the sessions that exceed a limit. The caller holds their locks.
    fn end(&self, victims: &[StorageKey]) -> Result<()> {
        victims.iter().try_for_each(|victim| self.remove(victim).map(drop))
    }
}
