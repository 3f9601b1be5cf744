//! The copies of one node.
//!
//! A record that was read or written while it changed must not remain as a copy. So each shard
//! counts its changes. A copy is kept only if the count is still the one from before the read or
//! the write.
//!
//! A copy holds a value of the application's. So it is dropped after the lock is released.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::time::Instant;

use crate::storage::key::FirstBytes;
use crate::storage::{OwnerGuard, OwnerKey, Record, StorageKey, Timestamp};

const SHARDS: usize = 64;

pub(super) struct Copies {
    shards: Vec<Mutex<Shard>>,
    /// When this node last ended sessions of an owner without knowing their keys. Older copies of
    /// the owner's records are not used. An entry is kept for `ttl`.
    ended: Mutex<HashMap<OwnerKey, Instant>>,
    /// The capacity of each shard.
    capacity: usize,
    ttl: Duration,
}

#[derive(Default)]
struct Shard {
    /// The number of changes so far.
    changes: u64,
    copies: HashMap<StorageKey, Copied, FirstBytes>,
    /// The copies in the order in which they were made, including some that have been removed.
    order: VecDeque<(StorageKey, Instant)>,
}

struct Copied {
    record: Record,
    /// When the storage was asked for the record.
    since: Instant,
}

impl Shard {
    #[must_use]
    fn forget(&mut self, key: &StorageKey) -> Option<Copied> {
        self.changes = self.changes.wrapping_add(1);
        self.copies.remove(key)
    }
}

impl Copies {
    pub fn new(capacity: usize, ttl: Duration) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, ended: Mutex::default(), capacity: capacity.div_ceil(SHARDS), ttl }
    }

    // The last byte: the first ones are the hash inside a shard.
    fn shard(&self, key: &StorageKey) -> &Mutex<Shard> {
        &self.shards[usize::from(key.as_bytes()[31]) % SHARDS]
    }

    pub fn get(&self, key: &StorageKey, now: Timestamp) -> Option<Record> {
        let shard = self.shard(key).lock();
        let copied = shard.copies.get(key)?;
        let good = copied.since.elapsed() < self.ttl && copied.record.is_live(now);
        let (record, since) = good.then(|| (copied.record.clone(), copied.since))?;
        drop(shard);
        let Some(owner) = &record.owner else { return Some(record) };
        let ended = self.ended.lock().get(owner).copied();
        ended.is_none_or(|ended| ended < since).then_some(record)
    }

    /// Drops the copy of a record that has changed or ended.
    pub fn forget(&self, key: &StorageKey) {
        let forgotten = self.shard(key).lock().forget(key);
        drop(forgotten);
    }

    /// Drops all copies.
    pub fn forget_all(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let changes = shard.changes.wrapping_add(1);
            let before = std::mem::replace(&mut *shard, Shard { changes, ..Shard::default() });
            drop(shard);
            drop(before);
        }
    }

    /// Begins a read from the storage.
    pub fn reading(&self, key: &StorageKey) -> Reading<'_> {
        let changes = self.shard(key).lock().changes;
        Reading { copies: self, key: key.clone(), changes, since: Instant::now() }
    }

    /// Begins a write.
    pub fn writing(&self, key: &StorageKey) -> Writing<'_> {
        Writing { reading: self.reading(key), written: None }
    }

    /// Begins an operation that ends an owner's sessions.
    pub fn ending(&self, owner: &OwnerKey) -> OwnerEnding<'_> {
        OwnerEnding { copies: self, owner: owner.clone() }
    }

    /// Begins a write that may end other sessions of the owner, to keep a limit.
    pub fn may_end_others(&self, record: &Record, guard: &OwnerGuard) -> Option<OwnerEnding<'_>> {
        record.owner.as_ref().filter(|_| guard.limit.is_some()).map(|owner| self.ending(owner))
    }

    /// Keeps a copy, and returns those whose place it takes.
    #[must_use]
    fn keep(
        &self,
        shard: &mut Shard,
        key: &StorageKey,
        record: Record,
        since: Instant,
    ) -> SmallVec<[Copied; 1]> {
        let mut replaced = SmallVec::new();
        replaced.extend(shard.copies.insert(key.clone(), Copied { record, since }));
        shard.order.push_back((key.clone(), since));
        while let Some((key, made)) = shard.order.front() {
            if shard.order.len() <= self.capacity && made.elapsed() < self.ttl {
                break;
            }
            if shard.copies.get(key).is_some_and(|copied| copied.since == *made) {
                replaced.extend(shard.copies.remove(key));
            }
            shard.order.pop_front();
        }
        replaced
    }
}

/// A read from the storage that has not finished.
pub(super) struct Reading<'c> {
    copies: &'c Copies,
    key: StorageKey,
    changes: u64,
    since: Instant,
}

impl Reading<'_> {
    /// Keeps a copy of what the storage returned, unless the shard has changed since.
    pub fn keep(self, found: Option<Record>) {
        let mut shard = self.copies.shard(&self.key).lock();
        if shard.changes == self.changes {
            let replaced = match found {
                Some(record) => self.copies.keep(&mut shard, &self.key, record, self.since),
                None => shard.copies.remove(&self.key).into_iter().collect(),
            };
            drop(shard);
            drop(replaced);
        }
    }
}

/// A write that has not finished. When it ends or is dropped, the copy is either the written
/// record or gone.
pub(super) struct Writing<'c> {
    reading: Reading<'c>,
    written: Option<Record>,
}

impl Writing<'_> {
    pub fn wrote(mut self, record: Record) {
        self.written = Some(record);
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let Reading { copies, key, changes, since } = &self.reading;
        let mut shard = copies.shard(key).lock();
        let alone = shard.changes == *changes;
        let before = shard.forget(key);
        let written = self.written.take_if(|_| alone);
        let replaced = written.map(|record| copies.keep(&mut shard, key, record, *since));
        drop(shard);
        drop((before, replaced));
    }
}

/// An operation that ends an owner's sessions and has not finished.
pub(super) struct OwnerEnding<'c> {
    copies: &'c Copies,
    owner: OwnerKey,
}

impl Drop for OwnerEnding<'_> {
    /// From now on, no earlier copy of this owner's records is used.
    fn drop(&mut self) {
        let mut ended = self.copies.ended.lock();
        ended.retain(|_, when| when.elapsed() < self.copies.ttl);
        ended.insert(self.owner.clone(), Instant::now());
    }
}

impl std::fmt::Debug for Copies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Copies").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}
