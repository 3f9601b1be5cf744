//! The copies of one node.
//!
//! What was read or written while something else happened to the record must
//! not stay behind as a copy: each shard counts what happens, and whoever wants
//! to keep a copy must find the count that it began with.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::storage::key::FirstBytes;
use crate::storage::{OwnerGuard, OwnerKey, Record, StorageKey, Timestamp};

const SHARDS: usize = 64;

pub(super) struct Copies {
    shards: Vec<Mutex<Shard>>,
    /// When something here ended sessions of an owner that it could not name;
    /// older copies do not count. Kept for `ttl`.
    ended: Mutex<HashMap<OwnerKey, Instant>>,
    /// Of each shard.
    capacity: usize,
    ttl: Duration,
}

#[derive(Default)]
struct Shard {
    /// How many changes it has heard of.
    changes: u64,
    copies: HashMap<StorageKey, Copied, FirstBytes>,
    /// The copies in the order they were made, and some that are gone.
    order: VecDeque<(StorageKey, Instant)>,
}

struct Copied {
    record: Record,
    /// When the storage was asked.
    since: Instant,
}

impl Shard {
    fn forget(&mut self, key: &StorageKey) {
        self.changes = self.changes.wrapping_add(1);
        self.copies.remove(key);
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

    /// A record has changed, or is gone.
    pub fn forget(&self, key: &StorageKey) {
        self.shard(key).lock().forget(key);
    }

    /// Whatever may have changed.
    pub fn forget_all(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let changes = shard.changes.wrapping_add(1);
            *shard = Shard { changes, ..Shard::default() };
        }
    }

    /// The storage is about to be asked.
    pub fn reading(&self, key: &StorageKey) -> Reading<'_> {
        let changes = self.shard(key).lock().changes;
        Reading { copies: self, key: key.clone(), changes, since: Instant::now() }
    }

    /// A write begins.
    pub fn writing(&self, key: &StorageKey) -> Writing<'_> {
        Writing { reading: self.reading(key), written: None }
    }

    /// Something begins that ends an owner's sessions.
    pub fn ending(&self, owner: &OwnerKey) -> Ending<'_> {
        Ending { copies: self, owner: owner.clone() }
    }

    /// A write that makes room among an owner's sessions ends some of them.
    pub fn may_end_others(&self, record: &Record, guard: &OwnerGuard) -> Option<Ending<'_>> {
        record.owner.as_ref().filter(|_| guard.limit.is_some()).map(|owner| self.ending(owner))
    }

    fn keep(&self, shard: &mut Shard, key: &StorageKey, record: Record, since: Instant) {
        shard.copies.insert(key.clone(), Copied { record, since });
        shard.order.push_back((key.clone(), since));
        while let Some((key, made)) = shard.order.front() {
            if shard.order.len() <= self.capacity && made.elapsed() < self.ttl {
                break;
            }
            if shard.copies.get(key).is_some_and(|copied| copied.since == *made) {
                shard.copies.remove(key);
            }
            shard.order.pop_front();
        }
    }
}

/// A question to the storage under way.
pub(super) struct Reading<'c> {
    copies: &'c Copies,
    key: StorageKey,
    changes: u64,
    since: Instant,
}

impl Reading<'_> {
    /// What the storage has, unless it has changed since.
    pub fn keep(self, found: Option<Record>) {
        let mut shard = self.copies.shard(&self.key).lock();
        if shard.changes == self.changes {
            match found {
                Some(record) => self.copies.keep(&mut shard, &self.key, record, self.since),
                None => drop(shard.copies.remove(&self.key)),
            }
        }
    }
}

/// A write under way. When it is over, whatever became of it (even if nobody
/// waits for it any more), the copy is what was written or is gone.
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
        shard.forget(key);
        if let Some(record) = self.written.take().filter(|_| alone) {
            copies.keep(&mut shard, key, record, *since);
        }
    }
}

/// Something that ends an owner's sessions is under way.
pub(super) struct Ending<'c> {
    copies: &'c Copies,
    owner: OwnerKey,
}

impl Drop for Ending<'_> {
    /// No copy of this owner's records counts that was made until now.
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
