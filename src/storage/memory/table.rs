//! The records in their shards, and when room is made for more records.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::locked::{Locked, Removed, TwoShards};
use super::outline::{Outline, longest_waiting};
use super::owners::{Location, Owners};
use super::shard::Shard;
use super::slots::Slot;
use crate::storage::{
    Create, OwnerGuard, OwnerKey, OwnerLimitPolicy, Predecessor, Record, Refused, StorageError,
    StorageKey, Succeed, Successor, Timestamp, Update,
};

/// The number of shards, which makes it rare that requests wait for each other.
pub(super) const SHARDS: usize = 1 << u8::BITS;
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

/// Locks are taken in the order of the fields.
pub(super) struct RecordTable {
    /// A record is created for an owner under the owner's lock of these, so that a limit counts
    /// every record, and a revocation ends every one.
    logins: Vec<Mutex<()>>,
    shards: Vec<Mutex<Shard>>,
    owners: Vec<Mutex<Owners>>,
    /// The outlines of the shards, in the same order.
    outlines: Arc<[Outline]>,
    capacity: usize,
    records: AtomicUsize,
    /// The shard where the next purge continues.
    sweep: AtomicUsize,
    /// The shard where the next search for room begins.
    turn: AtomicUsize,
}

/// The records that must end for a new one of the same owner, or why there is no room for it.
type Surplus = Result<Vec<StorageKey>, Refused>;

impl RecordTable {
    pub fn new(capacity: usize) -> Self {
        let outlines: Arc<[Outline]> = (0..SHARDS).map(|_| Outline::default()).collect();
        let shard = |number| Mutex::new(Shard::new(&outlines, number));
        Self {
            logins: (0..SHARDS).map(|_| Mutex::default()).collect(),
            shards: (0..=u8::MAX).map(shard).collect(),
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
        self.shards[usize::from(key.as_bytes()[31])].lock()
    }

    pub fn owners(&self, owner: &OwnerKey) -> MutexGuard<'_, Owners> {
        self.owners[usize::from(owner.as_bytes()[31])].lock()
    }

    /// Keeps other records of the owner from being created.
    pub fn login(&self, owner: &OwnerKey) -> MutexGuard<'_, ()> {
        self.logins[usize::from(owner.as_bytes()[31])].lock()
    }

    /// Locks a shard from which records may be removed.
    pub fn locked<'a>(&'a self, key: &StorageKey, removed: &'a mut Removed) -> Locked<'a> {
        Locked::new(self.shard(key), removed)
    }

    pub fn create(&self, new: Successor<'_>, now: Timestamp) -> Result<Create, StorageError> {
        let (owner, mut removed) = (new.record.owner.clone(), Removed::new());
        let _login = owner.as_ref().map(|owner| self.login(owner));
        let surplus = self.surplus(&new.record, &new.guard, now);
        self.reserve(now, &mut removed)?;
        let mut shard = self.locked(new.key, &mut removed);
        let inserted = self.insert(&mut shard, new, &surplus, now);
        drop(shard);
        Ok(self.complete_insert(inserted, owner.as_ref(), surplus, &mut removed))
    }

    /// Both writes happen under the locks of both records, so that no other login counts both.
    pub fn succeed(
        &self,
        new: Successor<'_>,
        mut old: Predecessor<'_>,
        now: Timestamp,
    ) -> Result<Succeed, StorageError> {
        let (owner, mut removed) = (new.record.owner.clone(), Removed::new());
        let _login = owner.as_ref().map(|owner| self.login(owner));
        let surplus = self.surplus(&new.record, &new.guard, now);
        self.reserve(now, &mut removed)?;
        let mut shards = TwoShards::new(&self.shards, [new.key, old.key], &mut removed);
        let inserted = self.insert(&mut shards.first, new, &surplus, now);
        let created = matches!(inserted, Ok(()) | Err(Create::Created));
        let updated = created.then(|| self.swap(shards.second(), &mut old, now));
        drop(shards);
        let created = self.complete_insert(inserted, owner.as_ref(), surplus, &mut removed);
        Ok(match (created, updated) {
            (Create::Refused(refused), _) => Succeed::Refused(refused),
            (Create::Created, Some(updated)) => Succeed::Created(updated?),
            _ => Succeed::Exists,
        })
    }

    /// Inserts a record that was counted by [`reserve`](Self::reserve). If it does not, it returns
    /// the answer.
    fn insert(
        &self,
        shard: &mut Locked<'_>,
        Successor { key, record, guard }: Successor<'_>,
        surplus: &Surplus,
        now: Timestamp,
    ) -> Result<(), Create> {
        self.tidy(shard, now);
        if shard.get(key).is_some_and(|slot| !slot.record.is_live(now)) {
            self.remove(shard, key);
        }
        if let Some(slot) = shard.get(key) {
            return Err(Create::over(slot.record.version, record.version));
        }
        if shard.marks.stands(key, now) {
            return Err(Create::Refused(Refused::Revoked));
        }
        if let Some(owner) = &record.owner {
            let location = shard.next_location();
            let mut owners = self.owners(owner);
            owners.admit(owner, guard.generation).map_err(Create::Refused)?;
            surplus.as_ref().map_err(|refused| Create::Refused(*refused))?;
            owners.join(owner, location);
        }
        shard.insert(key, record);
        Ok(())
    }

    /// Completes an `insert`. The caller holds no shard's lock.
    fn complete_insert(
        &self,
        inserted: Result<(), Create>,
        owner: Option<&OwnerKey>,
        surplus: Surplus,
        removed: &mut Removed,
    ) -> Create {
        if let Err(answer) = inserted {
            self.unreserve();
            return answer;
        }
        for key in surplus.into_iter().flatten() {
            let mut shard = self.locked(&key, removed);
            if shard.get(&key).is_some_and(|slot| slot.record.owner.as_ref() == owner) {
                self.remove(&mut shard, &key);
            }
        }
        Create::Created
    }

    /// What a new record of an owner with a limit exceeds. The caller holds the owner's lock for
    /// logins.
    fn surplus(&self, record: &Record, guard: &OwnerGuard, now: Timestamp) -> Surplus {
        let Some((owner, limit)) = record.owner.as_ref().zip(guard.limit) else {
            return Ok(Vec::new());
        };
        let mut theirs = self.keys(owner, |slot| {
            slot.record.is_live(now) && guard.replaces.as_ref() != Some(&slot.key)
        });
        let surplus = (theirs.len() + 1).saturating_sub(limit.max.max(1));
        if surplus > 0 && limit.policy == OwnerLimitPolicy::Refuse {
            return Err(Refused::LimitReached);
        }
        theirs.truncate(surplus);
        Ok(theirs)
    }

    /// The keys of an owner's records that are `wanted`, oldest first. The caller holds no shard's
    /// lock.
    pub fn keys(&self, owner: &OwnerKey, wanted: impl Fn(&Slot) -> bool) -> Vec<StorageKey> {
        let locations = self.owners(owner).locations(owner);
        let found = locations.into_iter().filter_map(|Location { shard, place }| {
            let shard = self.shards[usize::from(shard)].lock();
            let slot = shard.at(place).filter(|slot| slot.record.owner.as_ref() == Some(owner));
            slot.filter(|slot| wanted(slot)).map(|slot| (slot.record.created, slot.key.clone()))
        });
        let mut found: Vec<_> = found.collect();
        found.sort_unstable();
        found.into_iter().map(|(_, key)| key).collect()
    }

    /// Exchanges a live record of the expected version for the new one.
    pub fn swap(
        &self,
        shard: &mut Shard,
        Predecessor { key, expected, record }: &mut Predecessor<'_>,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        let Some((place, found)) = shard.live(key, now) else { return Ok(Update::Missing) };
        if let Some(answer) =
            Update::over((found.version, found.owner.as_ref()), *expected, record)?
        {
            return Ok(answer);
        }
        if let Some(owner) = found.owner.as_ref().filter(|_| record.owner.is_none()) {
            self.owners(owner).leave(owner, shard.location(place));
        }
        shard.exchange(place, record);
        Ok(Update::Updated)
    }

    /// Removes a record from its shard, from the count and from its owner's index.
    pub fn remove(&self, shard: &mut Locked<'_>, key: &StorageKey) -> bool {
        let Some((location, slot)) = shard.remove(key) else { return false };
        self.records.fetch_sub(1, Ordering::Relaxed);
        if let Some(owner) = &slot.record.owner {
            self.owners(owner).leave(owner, location);
        }
        shard.free_later(slot);
        true
    }

    /// Removes some of the expired records of a shard that is about to get a new one.
    fn tidy(&self, shard: &mut Locked<'_>, now: Timestamp) {
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
        shard: &mut Locked<'_>,
        now: Timestamp,
        mut steps: usize,
        limit: usize,
    ) -> (usize, usize) {
        let mut removed = 0;
        while removed < limit && steps > 0 && shard.is_due(now) {
            let (expired, left) = shard.find_expired(now, steps);
            if let Some(key) = expired {
                self.remove(shard, &key);
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
        let mut count = 0;
        for _ in 0..slots.div_ceil(STEPS_PER_LOCK) {
            let mut removed = Removed::new();
            let mut locked = Locked::new(shard.lock(), &mut removed);
            count += self.sweep(&mut locked, now, STEPS_PER_LOCK, limit - count).0;
            if count >= limit {
                break;
            }
        }
        count
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
    fn reserve(&self, now: Timestamp, removed: &mut Removed) -> Result<(), StorageError> {
        let claim = |records: usize| (records < self.capacity).then_some(records + 1);
        loop {
            if self.records.fetch_update(Ordering::Relaxed, Ordering::Relaxed, claim).is_ok() {
                return Ok(());
            }
            let room = self.remove_expired(now, STEPS_WHEN_FULL, removed)
                || self.evict(removed)
                || self.remove_expired(now, STEPS_BEFORE_REFUSING, removed);
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
    fn unreserve(&self) {
        self.records.fetch_sub(1, Ordering::Relaxed);
    }

    /// Searches this many slots for expired records. Returns whether it removed any.
    fn remove_expired(&self, now: Timestamp, mut steps: usize, removed: &mut Removed) -> bool {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        for number in (0..SHARDS).map(|number| first.wrapping_add(number) % SHARDS) {
            if !self.outlines[number].is_due(now) {
                continue;
            }
            let mut shard = Locked::new(self.shards[number].lock(), removed);
            let (count, left) = self.sweep(&mut shard, now, steps, steps);
            if count > 0 {
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
    fn evict(&self, removed: &mut Removed) -> bool {
        while let Some(number) = longest_waiting(&self.outlines) {
            let mut shard = Locked::new(self.shards[number].lock(), removed);
            // It is `None` if the client has just come back or another thread was faster.
            if let Some(key) = shard.longest_waiting().map(|slot| slot.key.clone()) {
                return self.remove(&mut shard, &key);
            }
        }
        false
    }
}
