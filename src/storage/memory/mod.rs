//! Records in this process's memory. Survives nothing.

mod config;
mod outline;
mod owners;
mod shard;
mod table;

use std::collections::HashSet;
use std::sync::Arc;

pub(crate) use config::read_config;
use shard::Slot;
use table::{SHARDS, Table};

use super::{
    Create, Generation, Invalidate, OwnerGuard, OwnerIndex, OwnerKey, OwnerPage, Predecessor,
    Record, SessionStorage, StorageError, StorageKey, Succeed, Successor, Timestamp, Touch, Update,
    Version,
};

/// A storage in this process's memory, for one process and until it stops.
///
/// It holds at most `capacity` records. When it is full, a new session takes the
/// place of an expired record, or of the session that began first among those
/// that no client ever came back with: a flood of clients without cookies cannot
/// block logins. A client comes back when its session is read or touched;
/// another write of the request that began the session does not count. Sessions
/// whose clients came back are never taken. When there are only those, `create`
/// fails with [`StorageError::Unavailable`].
///
/// A new session costs about as much when the storage is full as before. Two
/// limits follow from that. Of sessions that began in the same millisecond, any
/// may go first. An expired record that a short search does not find waits for
/// the next search or for the purge, which runs once a minute.
///
/// The marks that ends leave take up none of the capacity. There are at most 131,072
/// of them, about 130 bytes each. One more takes the place of one that would go soon.
///
/// Its clones are handles on the same records.
///
/// ```
/// use rocket_typed_sessions::storage::Memory;
///
/// let storage = Memory::new(1_000_000);
/// # drop(storage);
/// ```
#[derive(Clone)]
pub struct Memory(Arc<Table>);

impl Memory {
    /// A storage for up to `capacity` records.
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(Table::new(capacity)))
    }
}

#[rocket::async_trait]
impl SessionStorage for Memory {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create, StorageError> {
        let table = &*self.0;
        table.purge_owner(&record, &guard, now);
        table.reserve(now)?;
        let mut shard = table.shard(key);
        let admitted = table.insert(&mut shard, Successor { key, record, guard }, None, now);
        drop(shard);
        Ok(table.settle(admitted))
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>, StorageError> {
        Ok(self.0.shard(key).present(key, now).map(|slot| slot.record()))
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        self.0.swap(&mut self.0.shard(key), Predecessor { key, expected, record }, now)
    }

    /// Both under the locks of both, so that no other login counts the replaced one.
    async fn succeed(
        &self,
        new: Successor<'_>,
        old: Predecessor<'_>,
        now: Timestamp,
    ) -> Result<Succeed, StorageError> {
        let table = &*self.0;
        table.purge_owner(&new.record, &new.guard, now);
        table.reserve(now)?;
        let mut shards = table.two_shards(new.key, old.key);
        let leaves = shards.second().get(old.key).filter(|slot| slot.is_live(now));
        let leaves = leaves.filter(|slot| slot.version() == old.expected).map(|slot| slot.created);
        let admitted = table.insert(&mut shards.first, new, leaves.map(|at| (at, old.key)), now);
        let created = matches!(admitted, Ok(_) | Err(Create::Created));
        let updated = created.then(|| table.swap(shards.second(), old, now));
        drop(shards);
        let created = table.settle(admitted);
        Ok(match (created, updated) {
            (Create::Refused(refused), _) => Succeed::Refused(refused),
            (Create::Created, Some(updated)) => Succeed::Created(updated?),
            _ => Succeed::Exists,
        })
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError> {
        let mut shard = self.0.shard(key);
        let Some(slot) = shard.present(key, last_seen) else { return Ok(Touch::Missing) };
        slot.touch(last_seen, expires);
        Ok(Touch::Touched)
    }

    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate, StorageError> {
        let mut shard = self.0.shard(key);
        if Invalidate::conflicts(expected, || shard.get(key).map(Slot::version)) {
            return Ok(Invalidate::Conflict);
        }
        if let Some(until) = mark {
            shard.marks.leave(key, until);
        }
        let removed = self.0.remove(&mut shard, key);
        Ok(removed.map_or(Invalidate::Missing, |_| Invalidate::Invalidated))
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError> {
        let mut removed = 0;
        let first = self.0.swept();
        // Once round, wherever the last purge stopped.
        while removed < limit && self.0.swept().wrapping_sub(first) < SHARDS {
            removed += self.0.sweep_some(now, limit - removed);
            rocket::tokio::task::yield_now().await;
        }
        Ok(removed)
    }

    fn owners(&self) -> Option<&dyn OwnerIndex> {
        Some(self)
    }

    /// Every operation is done when it is first polled.
    fn loses_answers(&self) -> bool {
        false
    }
}

#[rocket::async_trait]
impl OwnerIndex for Memory {
    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError> {
        let keys = self.0.owners(owner).keys(owner);
        OwnerPage::find(keys, after, limit, |key| {
            let shard = self.0.shard(key);
            let slot = shard.get(key).filter(|slot| slot.is_live(now));
            Ok(slot.filter(|slot| slot.owner() == Some(owner)).map(Slot::record))
        })
    }

    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize, StorageError> {
        // From here on, no guarded write of an older generation joins the owner.
        let keys = self.0.owners(owner).revoke(owner);
        let except: HashSet<_> = except.iter().collect();
        let mut ended = 0;
        for key in keys.iter().filter(|key| !except.contains(key)) {
            let mut shard = self.0.shard(key);
            let theirs = shard.get(key).filter(|slot| slot.owner() == Some(owner));
            if let Some(live) = theirs.map(|slot| slot.is_live(now)) {
                self.0.remove(&mut shard, key);
                ended += usize::from(live);
            }
        }
        Ok(ended)
    }

    async fn generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError> {
        Ok(self.0.owners(owner).generation())
    }
}
