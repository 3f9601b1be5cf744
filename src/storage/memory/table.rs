//! The records in their shards, and when room is made for more records.

use std::cmp::Ordering as Order;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::outline::{Outline, longest_waiting};
use super::owners::Owners;
use super::shard::{Shard, Slot};
use crate::storage::{
    Create, OwnerGuard, OwnerKey, Predecessor, Record, Refused, StorageError, StorageKey,
    Successor, Timestamp, Update,
};

/// The number of shards, which makes it rare that requests wait for each other.
pub(super) const SHARDS: usize = 256;
/// The slots that a `create` searches for expired records.
const STEPS_PER_CREATE: usize = 4;
/// The slots that a purge searches under one lock, which takes some microseconds.
const STEPS_PER_LOCK: usize = 32;
/// The slots that a `create` searches for an expired record if the storage is full. In a small
/// storage, these are all slots of a shard.
const STEPS_WHEN_FULL: usize = 64;
/// The slots that a `create` searches before it refuses a session, which takes some microseconds.
const STEPS_BEFORE_REFUSING: usize = 512;
/// The slots that a purge searches before it lets other tasks run.
const SLOTS_PER_TURN: usize = 64 * 1024;

pub(super) struct RecordTable {
    shards: Vec<Mutex<Shard>>,
    /// The outlines of the shards, in the same order.
    outlines: Arc<[Outline]>,
    /// These locks are taken after that of a shard of the records, never before.
    owners: Vec<Mutex<Owners>>,
    capacity: usize,
    records: AtomicUsize,
    /// The shard where the next purge continues.
    sweep: AtomicUsize,
    /// The shard where the next search for room begins.
    turn: AtomicUsize,
}

/// The sessions that must end for a new one of the same owner.
pub(super) struct PushedOut {
    owner: OwnerKey,
    keys: Vec<StorageKey>,
}

/// The locked shards of two keys.
pub(super) struct TwoShards<'a> {
    pub first: MutexGuard<'a, Shard>,
    /// `None` if both keys lie in the same shard.
    second: Option<MutexGuard<'a, Shard>>,
}

impl TwoShards<'_> {
    pub fn second(&mut self) -> &mut Shard {
        self.second.as_mut().unwrap_or(&mut self.first)
    }
}

impl RecordTable {
    pub fn new(capacity: usize) -> Self {
        let outlines: Arc<[Outline]> = (0..SHARDS).map(|_| Outline::default()).collect();
        let shard = |number| Mutex::new(Shard::new(&outlines, number));
        Self {
            shards: (0..SHARDS).map(shard).collect(),
            owners: (0..SHARDS).map(|_| Mutex::default()).collect(),
            outlines,
            capacity,
            records: AtomicUsize::new(0),
            sweep: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
        }
    }

    // The last byte of a key chooses the shard. The first bytes are the hash within the shard.
    pub fn shard(&self, key: &StorageKey) -> MutexGuard<'_, Shard> {
        self.shards[usize::from(key.as_bytes()[31]) % SHARDS].lock()
    }

    pub fn owners(&self, owner: &OwnerKey) -> MutexGuard<'_, Owners> {
        self.owners[usize::from(owner.as_bytes()[31]) % SHARDS].lock()
    }

    /// Locks the shards of two keys. They may lie in the same one.
    pub fn two_shards(&self, first: &StorageKey, second: &StorageKey) -> TwoShards<'_> {
        let place = |key: &StorageKey| usize::from(key.as_bytes()[31]) % SHARDS;
        // Locks are always taken in the same order, so that no two callers wait for each other.
        match place(first).cmp(&place(second)) {
            Order::Equal => TwoShards { first: self.shard(first), second: None },
            Order::Less => {
                let first = self.shard(first);
                TwoShards { first, second: Some(self.shard(second)) }
            }
            Order::Greater => {
                let second = Some(self.shard(second));
                TwoShards { first: self.shard(first), second }
            }
        }
    }

    /// Inserts a record that was counted by [`reserve`](Self::reserve). Returns the sessions that
    /// exceed the limit, or the reason for refusing the record. The replaced session `leaves` the
    /// index of its owner.
    pub fn insert(
        &self,
        shard: &mut Shard,
        new: Successor<'_>,
        leaves: Option<(Timestamp, &StorageKey)>,
        now: Timestamp,
    ) -> Result<Option<PushedOut>, Create> {
        let Successor { key, record, .. } = &new;
        self.tidy(shard, now);
        if shard.get(key).is_some_and(|slot| !slot.is_live(now)) {
            self.remove(shard, key);
        }
        if let Some(slot) = shard.get(key) {
            return Err(Create::over(slot.version(), record.version));
        }
        if shard.marks.stands(key, now) {
            return Err(Create::Refused(Refused::Revoked));
        }
        let mut pushed_out = None;
        if let Some(owner) = &record.owner {
            let joined = self.owners(owner).join(owner, &new, leaves);
            let keys = joined.map_err(Create::Refused)?;
            pushed_out = (!keys.is_empty()).then(|| PushedOut { owner: owner.clone(), keys });
        }
        shard.insert(key, new.record);
        Ok(pushed_out)
    }

    /// Completes an `insert`. The caller holds no shard's lock.
    pub fn complete_insert(&self, inserted: Result<Option<PushedOut>, Create>) -> Create {
        match inserted {
            Ok(pushed_out) => {
                if let Some(pushed_out) = pushed_out {
                    self.end(&pushed_out);
                }
                Create::Created
            }
            Err(answer) => {
                self.unreserve();
                answer
            }
        }
    }

    /// Replaces a record of the expected version.
    pub fn swap(
        &self,
        shard: &mut Shard,
        Predecessor { key, expected, record }: Predecessor<'_>,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        let Some(slot) = shard.get(key).filter(|slot| slot.is_live(now)) else {
            return Ok(Update::Missing);
        };
        if let Some(answer) = Update::over((slot.version(), slot.owner()), expected, &record)? {
            return Ok(answer);
        }
        if let Some(owner) = slot.owner() {
            let mut owners = self.owners(owner);
            if record.owner.is_none() {
                owners.leave(owner, slot.created, key);
            } else if slot.created != record.created {
                owners.reorder(owner, slot.created, record.created, key);
            }
        }
        shard.write(key, record);
        Ok(Update::Updated)
    }

    /// Removes a record from its shard and from its owner's index.
    pub fn remove(&self, shard: &mut Shard, key: &StorageKey) -> Option<Slot> {
        let slot = shard.remove(key)?;
        self.forget(&slot);
        Some(slot)
    }

    /// Removes a record from the count and from its owner's index. Its shard has dropped the
    /// record and is still locked.
    fn forget(&self, slot: &Slot) {
        self.records.fetch_sub(1, Ordering::Relaxed);
        if let Some(owner) = slot.owner() {
            self.owners(owner).leave(owner, slot.created, &slot.key);
        }
    }

    /// Removes some of the expired records of a shard that is about to get a new one.
    pub fn tidy(&self, shard: &mut Shard, now: Timestamp) {
        self.sweep(shard, now, STEPS_PER_CREATE, STEPS_PER_CREATE);
    }

    /// The number of shards that purges have swept so far.
    pub fn swept(&self) -> usize {
        self.sweep.load(Ordering::Relaxed)
    }

    /// Searches the next `steps` slots and removes up to `limit` expired records. Returns how
    /// many it removed, and the number of steps that are left.
    fn sweep(
        &self,
        shard: &mut Shard,
        now: Timestamp,
        mut steps: usize,
        limit: usize,
    ) -> (usize, usize) {
        let mut removed = 0;
        while removed < limit && steps > 0 && shard.is_due(now) {
            let (expired, left) = shard.take_expired(now, steps);
            if let Some(slot) = expired {
                self.forget(&slot);
                removed += 1;
            }
            steps = left;
        }
        (removed, steps)
    }

    /// Sweeps all slots of a shard. It releases the lock several times, so that requests can come
    /// in between.
    fn sweep_all(&self, shard: &Mutex<Shard>, now: Timestamp, limit: usize) -> usize {
        let slots = shard.lock().slots();
        let mut removed = 0;
        for _ in 0..slots.div_ceil(STEPS_PER_LOCK) {
            removed += self.sweep(&mut shard.lock(), now, STEPS_PER_LOCK, limit - removed).0;
            if removed >= limit {
                break;
            }
        }
        removed
    }

    /// Sweeps one shard after the other, beginning where the last call stopped. It stops when
    /// `limit` records are removed or the slots of one turn are searched.
    pub fn sweep_some(&self, now: Timestamp, limit: usize) -> usize {
        let (mut removed, mut seen) = (0, 0);
        for _ in 0..SHARDS {
            let at = self.sweep.load(Ordering::Relaxed);
            let shard = &self.shards[at % SHARDS];
            shard.lock().marks.sweep(now);
            if self.outlines[at % SHARDS].is_due(now) {
                seen += shard.lock().slots();
                removed += self.sweep_all(shard, now, limit - removed);
            }
            if removed >= limit {
                break;
            }
            self.sweep.store(at.wrapping_add(1), Ordering::Relaxed);
            if seen >= SLOTS_PER_TURN {
                break;
            }
        }
        removed
    }

    /// Counts one more record, and makes room if the storage is full.
    pub fn reserve(&self, now: Timestamp) -> Result<(), StorageError> {
        let claim = |records: usize| (records < self.capacity).then_some(records + 1);
        loop {
            if self.records.fetch_update(Ordering::Relaxed, Ordering::Relaxed, claim).is_ok() {
                return Ok(());
            }
            let room = self.remove_expired(now, STEPS_WHEN_FULL)
                || self.evict()
                || self.remove_expired(now, STEPS_BEFORE_REFUSING);
            if !room {
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

    /// Takes back the count of a record that was not inserted.
    pub fn unreserve(&self) {
        self.records.fetch_sub(1, Ordering::Relaxed);
    }

    /// Searches this many slots for expired records. Returns whether it removed any.
    fn remove_expired(&self, now: Timestamp, mut steps: usize) -> bool {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        for number in (0..SHARDS).map(|number| first.wrapping_add(number) % SHARDS) {
            if !self.outlines[number].is_due(now) {
                continue;
            }
            let (removed, left) = self.sweep(&mut self.shards[number].lock(), now, steps, steps);
            if removed > 0 {
                return true;
            }
            steps = left;
            if steps == 0 {
                break;
            }
        }
        false
    }

    /// Removes the oldest record whose client has not come back.
    fn evict(&self) -> bool {
        while let Some(number) = longest_waiting(&self.outlines) {
            let mut shard = self.shards[number].lock();
            // It is `None` if the client has just come back or another thread was faster.
            if let Some(slot) = shard.take_longest_waiting() {
                self.forget(&slot);
                return true;
            }
        }
        false
    }

    /// Removes an owner's expired records, so that a limit counts only live ones.
    pub fn purge_owner(&self, record: &Record, guard: &OwnerGuard, now: Timestamp) {
        let Some(owner) = record.owner.as_ref().filter(|_| guard.limit.is_some()) else { return };
        let keys = self.owners(owner).keys(owner);
        for key in keys {
            let mut shard = self.shard(&key);
            if shard.get(&key).is_some_and(|slot| !slot.is_live(now)) {
                self.remove(&mut shard, &key);
            }
        }
    }

    /// Ends the sessions that exceed a limit, if they still belong to the owner. The caller holds
    /// no shard's lock.
    fn end(&self, PushedOut { owner, keys }: &PushedOut) {
        for key in keys {
            let mut shard = self.shard(key);
            if shard.get(key).is_some_and(|slot| slot.owner() == Some(owner)) {
                self.remove(&mut shard, key);
            }
        }
    }
}
