//! The records in their shards, and how room is made for more.

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

/// Enough that requests on different records hardly ever meet.
pub(super) const SHARDS: usize = 256;
/// Slots that one `create` looks at for expired records.
const STEPS_PER_CREATE: usize = 4;
/// Slots that a purge looks at under one lock: some microseconds.
const STEPS_PER_LOCK: usize = 32;
/// Slots that a `create` looks at for an expired record when the storage is full:
/// in a small storage they are all of a shard's.
const STEPS_WHEN_FULL: usize = 64;
/// The same before a session is refused: some microseconds.
const STEPS_BEFORE_REFUSING: usize = 512;
/// Slots that a purge looks at before it lets other tasks run.
const SLOTS_PER_TURN: usize = 64 * 1024;

pub(super) struct RecordTable {
    shards: Vec<Mutex<Shard>>,
    /// Of the shards, in their order.
    outlines: Arc<[Outline]>,
    /// Locked after a shard of the records, never before.
    owners: Vec<Mutex<Owners>>,
    capacity: usize,
    records: AtomicUsize,
    /// The shard where the next purge goes on.
    sweep: AtomicUsize,
    /// The shard where the next search for room begins.
    turn: AtomicUsize,
}

/// Sessions that must end for a new one of their owner.
pub(super) struct PushedOut {
    owner: OwnerKey,
    keys: Vec<StorageKey>,
}

/// The locked shards of two keys.
pub(super) struct TwoShards<'a> {
    pub first: MutexGuard<'a, Shard>,
    /// None if it is the first one.
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

    // The last byte: the first ones are the hash inside a shard.
    pub fn shard(&self, key: &StorageKey) -> MutexGuard<'_, Shard> {
        self.shards[usize::from(key.as_bytes()[31]) % SHARDS].lock()
    }

    pub fn owners(&self, owner: &OwnerKey) -> MutexGuard<'_, Owners> {
        self.owners[usize::from(owner.as_bytes()[31]) % SHARDS].lock()
    }

    /// The shards of two keys, which may be one.
    pub fn two_shards(&self, first: &StorageKey, second: &StorageKey) -> TwoShards<'_> {
        let place = |key: &StorageKey| usize::from(key.as_bytes()[31]) % SHARDS;
        // In one order, so that nobody waits in a circle.
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

    /// Inserts a record, for which there is room, and gives those that the limit pushes
    /// out; or why not. One that it replaces leaves the index of its owner.
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

    /// What an `insert` comes to; no shard may be locked by the caller.
    pub fn settle(&self, inserted: Result<Option<PushedOut>, Create>) -> Create {
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

    /// Replaces a record that has the expected version.
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

    /// Takes a record out of its shard and its owner's index.
    pub fn remove(&self, shard: &mut Shard, key: &StorageKey) -> Option<Slot> {
        let slot = shard.remove(key)?;
        self.forget(&slot);
        Some(slot)
    }

    /// A record has been taken out of its shard, which is still locked.
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

    /// Shards that purges have swept so far.
    pub fn swept(&self) -> usize {
        self.sweep.load(Ordering::Relaxed)
    }

    /// Looks at the next `steps` slots and removes up to `limit` expired records;
    /// says how many, and how many steps are left.
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

    /// Once round a shard's slots, letting others in between.
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

    /// Sweeps shard after shard, from where the last one stopped, until `limit`
    /// records are removed or the slots of one turn are seen.
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

    /// Counts one more record, making room if there is none.
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

    /// The record that was counted does not come.
    pub fn unreserve(&self) {
        self.records.fetch_sub(1, Ordering::Relaxed);
    }

    /// Removes expired records, if a search of so many slots finds any.
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

    /// Removes the oldest record whose client never came back.
    fn evict(&self) -> bool {
        while let Some(number) = longest_waiting(&self.outlines) {
            let mut shard = self.shards[number].lock();
            // None, if its client came back just now or another thread was faster.
            if let Some(slot) = shard.take_longest_waiting() {
                self.forget(&slot);
                return true;
            }
        }
        false
    }

    /// Removes an owner's expired records, so that a limit counts the living.
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

    /// Ends the sessions that a limit pushed out, if they are still their owner's; no
    /// shard may be locked by the caller.
    fn end(&self, PushedOut { owner, keys }: &PushedOut) {
        for key in keys {
            let mut shard = self.shard(key);
            if shard.get(key).is_some_and(|slot| slot.owner() == Some(owner)) {
                self.remove(&mut shard, key);
            }
        }
    }
}
