//! Records in this process's memory. Survives nothing.

mod owners;
mod shard;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use owners::{Owners, Refused};
use parking_lot::{Mutex, MutexGuard};
use shard::{Shard, Slot};

use super::{
    Create, Generation, OwnerGuard, OwnerKey, OwnerPage, Record, SessionStorage, StorageError,
    StorageKey, Stored, Timestamp, Touch, Update, Version,
};

/// Enough that requests on different records hardly ever meet.
const SHARDS: usize = 256;
/// Slots that one `create` looks at for expired records.
const STEPS_PER_CREATE: usize = 4;
/// Slots that a purge looks at under one lock: some microseconds.
const STEPS_PER_LOCK: usize = 32;
/// Slots that a `create` looks at when the storage is full; a background purge
/// finds the rest.
const SLOTS_WHEN_FULL: usize = 16 * 1024;
/// Slots that a purge looks at before it lets other tasks run.
const SLOTS_PER_TURN: usize = 64 * 1024;

/// A storage in this process's memory, for one process and until it stops.
///
/// Sharded; expired records go with bounded work a step. When it is full, the
/// oldest sessions that no client ever came back with go first, so that a flood
/// of clients without cookies cannot block logins; when there are none,
/// `create` fails with [`StorageError::Unavailable`].
///
/// ```
/// use rocket_typed_sessions::storage::Memory;
///
/// let storage = Memory::new(1_000_000);
/// # drop(storage);
/// ```
pub struct Memory {
    shards: Vec<Mutex<Shard>>,
    /// Locked after a shard of the records, never before.
    owners: Vec<Mutex<Owners>>,
    capacity: usize,
    records: AtomicUsize,
    /// The last version given to a record; never used twice.
    version: AtomicU64,
    /// The shard where the next purge goes on.
    sweep: AtomicUsize,
}

impl Memory {
    /// A storage for up to `capacity` records.
    pub fn new(capacity: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            owners: (0..SHARDS).map(|_| Mutex::default()).collect(),
            capacity,
            records: AtomicUsize::new(0),
            version: AtomicU64::new(0),
            sweep: AtomicUsize::new(0),
        }
    }

    // The last byte: the first ones are the hash inside a shard.
    fn shard(&self, key: &StorageKey) -> MutexGuard<'_, Shard> {
        self.shards[usize::from(key.as_bytes()[31]) % SHARDS].lock()
    }

    fn owners(&self, owner: &OwnerKey) -> MutexGuard<'_, Owners> {
        self.owners[usize::from(owner.as_bytes()[31]) % SHARDS].lock()
    }

    fn next_version(&self) -> Version {
        Version(self.version.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Takes a record out of its shard and its owner's index.
    fn remove(&self, shard: &mut Shard, key: &StorageKey) -> Option<Slot> {
        let slot = shard.remove(key)?;
        self.records.fetch_sub(1, Ordering::Relaxed);
        if let Some(owner) = slot.owner() {
            self.owners(owner).leave(owner, slot.created, key);
        }
        Some(slot)
    }

    /// Looks at the next `steps` slots and removes up to `limit` expired records.
    fn sweep(&self, shard: &mut Shard, now: Timestamp, mut steps: usize, limit: usize) -> usize {
        let mut removed = 0;
        while removed < limit {
            let (expired, left) = shard.next_expired(now, steps);
            let Some(key) = expired else { break };
            self.remove(shard, &key);
            (removed, steps) = (removed + 1, left);
        }
        removed
    }

    /// Once round a shard's slots, letting others in between.
    fn sweep_all(&self, shard: &Mutex<Shard>, now: Timestamp, limit: usize) -> usize {
        let slots = shard.lock().slots();
        let mut removed = 0;
        for _ in 0..slots.div_ceil(STEPS_PER_LOCK) {
            removed += self.sweep(&mut shard.lock(), now, STEPS_PER_LOCK, limit - removed);
            if removed >= limit {
                break;
            }
        }
        removed
    }

    /// Sweeps shard after shard, from where the last one stopped, until `limit`
    /// records are removed or about `slots` slots are seen.
    fn sweep_some(&self, now: Timestamp, slots: usize, limit: usize) -> usize {
        let (mut removed, mut seen) = (0, 0);
        for _ in 0..SHARDS {
            let at = self.sweep.load(Ordering::Relaxed);
            let shard = &self.shards[at % SHARDS];
            seen += shard.lock().slots();
            removed += self.sweep_all(shard, now, limit - removed);
            if removed >= limit {
                break;
            }
            self.sweep.store(at.wrapping_add(1), Ordering::Relaxed);
            if seen >= slots {
                break;
            }
        }
        removed
    }

    /// Counts one more record, making room if there is none.
    fn reserve(&self, now: Timestamp) -> Result<(), StorageError> {
        let claim = |records: usize| (records < self.capacity).then_some(records + 1);
        loop {
            if self.records.fetch_update(Ordering::Relaxed, Ordering::Relaxed, claim).is_ok() {
                return Ok(());
            }
            if self.sweep_some(now, SLOTS_WHEN_FULL, 1) == 0 && !self.evict_one() {
                let capacity = self.capacity;
                return Err(StorageError::Unavailable(
                    format!(
                        "the memory storage is full with {capacity} records; raise its `capacity`"
                    ),
                    None,
                ));
            }
        }
    }

    /// Removes the oldest record whose client never came back.
    fn evict_one(&self) -> bool {
        let oldest = self.shards.iter().filter_map(|shard| {
            let shard = shard.lock();
            shard.oldest_never_back().map(|slot| (slot.created, slot.key.clone()))
        });
        let Some((_, key)) = oldest.min() else { return false };
        let mut shard = self.shard(&key);
        // Its client may have come back just now; then the next round decides.
        if shard.never_back(&key) {
            self.remove(&mut shard, &key);
        }
        true
    }

    /// Removes an owner's expired records, so that a limit counts the living.
    fn purge_owner(&self, record: &Record, guard: OwnerGuard, now: Timestamp) {
        let Some(owner) = record.owner.as_ref().filter(|_| guard.limit.is_some()) else { return };
        let keys = self.owners(owner).keys(owner);
        for key in keys {
            let mut shard = self.shard(&key);
            if shard.get(&key).is_some_and(|slot| !slot.is_live(now)) {
                self.remove(&mut shard, &key);
            }
        }
    }

    /// Ends the sessions that a limit pushed out; no shard may be locked by the
    /// caller.
    fn end(&self, victims: Vec<StorageKey>) {
        for key in victims {
            let mut shard = self.shard(&key);
            self.remove(&mut shard, &key);
        }
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
        self.purge_owner(&record, guard, now);
        self.reserve(now)?;
        let mut shard = self.shard(key);
        self.sweep(&mut shard, now, STEPS_PER_CREATE, STEPS_PER_CREATE);
        let admitted = if shard.get(key).is_some() {
            Err(Create::Exists)
        } else if let Some(owner) = &record.owner {
            let joined = self.owners(owner).join(owner, record.created, key, guard);
            joined.map_err(|refused| match refused {
                Refused::Revoked => Create::Revoked,
                Refused::LimitReached => Create::LimitReached,
            })
        } else {
            Ok(Vec::new())
        };
        match admitted {
            Ok(victims) => {
                let version = self.next_version();
                shard.insert(key, version, record);
                drop(shard);
                self.end(victims);
                Ok(Create::Created(version))
            }
            Err(refused) => {
                self.records.fetch_sub(1, Ordering::Relaxed);
                Ok(refused)
            }
        }
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Stored>, StorageError> {
        Ok(self.shard(key).present(key, now).map(|slot| slot.stored()))
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        self.purge_owner(&record, guard, now);
        let mut shard = self.shard(key);
        let Some(slot) = shard.present(key, now) else { return Ok(Update::Missing) };
        if slot.version() != expected {
            return Ok(Update::Conflict);
        }
        let moves = slot.owner() != record.owner.as_ref();
        let mut victims = Vec::new();
        if let Some(owner) = record.owner.as_ref().filter(|_| moves) {
            match self.owners(owner).join(owner, record.created, key, guard) {
                Ok(pushed_out) => victims = pushed_out,
                Err(Refused::Revoked) => return Ok(Update::Revoked),
                Err(Refused::LimitReached) => return Ok(Update::LimitReached),
            }
        }
        if let Some(owner) = slot.owner() {
            let mut owners = self.owners(owner);
            if moves {
                owners.leave(owner, slot.created, key);
            } else if slot.created != record.created {
                owners.reorder(owner, slot.created, record.created, key);
            }
        }
        let version = self.next_version();
        slot.write(version, record);
        drop(shard);
        self.end(victims);
        Ok(Update::Updated(version))
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError> {
        let mut shard = self.shard(key);
        let Some(slot) = shard.present(key, last_seen) else { return Ok(Touch::Missing) };
        slot.touch(last_seen, expires);
        Ok(Touch::Touched)
    }

    async fn invalidate(&self, key: &StorageKey) -> Result<bool, StorageError> {
        let mut shard = self.shard(key);
        Ok(self.remove(&mut shard, key).is_some())
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError> {
        let mut removed = 0;
        let first = self.sweep.load(Ordering::Relaxed);
        // Once round, wherever the last purge stopped.
        while removed < limit && self.sweep.load(Ordering::Relaxed).wrapping_sub(first) < SHARDS {
            removed += self.sweep_some(now, SLOTS_PER_TURN, limit - removed);
            rocket::tokio::task::yield_now().await;
        }
        Ok(removed)
    }

    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError> {
        let mut keys = self.owners(owner).keys(owner);
        keys.sort_unstable();
        keys.retain(|key| after.is_none_or(|after| key > after));
        let mut page = OwnerPage::default();
        for key in keys {
            let shard = self.shard(&key);
            let slot = shard.get(&key).filter(|slot| slot.is_live(now));
            let Some(slot) = slot.filter(|slot| slot.owner() == Some(owner)) else { continue };
            if page.records.len() == limit {
                page.next = page.records.last().map(|(key, _)| key.clone());
                break;
            }
            page.records.push((key, slot.stored()));
        }
        Ok(page)
    }

    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize, StorageError> {
        // From here on, no guarded write of an older generation joins the owner.
        let keys = self.owners(owner).revoke(owner);
        let except: HashSet<_> = except.iter().collect();
        let mut ended = 0;
        for key in keys.iter().filter(|key| !except.contains(key)) {
            let mut shard = self.shard(key);
            let theirs = shard.get(key).filter(|slot| slot.owner() == Some(owner));
            if let Some(live) = theirs.map(|slot| slot.is_live(now)) {
                self.remove(&mut shard, key);
                ended += usize::from(live);
            }
        }
        Ok(ended)
    }

    async fn owner_generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError> {
        Ok(self.owners(owner).generation())
    }
}
