//! Locked shards.

use std::cmp::Ordering;
use std::ops::{Deref, DerefMut};

use parking_lot::{Mutex, MutexGuard};

use super::shard::Shard;
use super::slots::Slot;
use crate::storage::StorageKey;

/// Removed records. The caller frees them after every lock is released, because a payload keeps a
/// value of the application's, whose `Drop` may use the storage.
pub(super) type Removed = Vec<Slot>;

/// A locked shard from which records may be removed.
pub(super) struct Locked<'a> {
    shard: MutexGuard<'a, Shard>,
    removed: &'a mut Removed,
}

impl<'a> Locked<'a> {
    pub fn new(shard: MutexGuard<'a, Shard>, removed: &'a mut Removed) -> Self {
        Self { shard, removed }
    }

    /// Leaves a removed record to the caller.
    pub fn free_later(&mut self, removed: Slot) {
        self.removed.push(removed);
    }
}

impl Deref for Locked<'_> {
    type Target = Shard;

    fn deref(&self) -> &Shard {
        &self.shard
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Shard {
        &mut self.shard
    }
}

/// The locked shards of two keys.
pub(super) struct TwoShards<'a> {
    /// `None` if both keys lie in the same shard.
    second: Option<MutexGuard<'a, Shard>>,
    pub first: Locked<'a>,
}

impl<'a> TwoShards<'a> {
    /// Locks the shards of two keys. They may lie in the same one.
    pub fn new(
        shards: &'a [Mutex<Shard>],
        [first, second]: [&StorageKey; 2],
        removed: &'a mut Removed,
    ) -> Self {
        let [first, second] = [first, second].map(|key| usize::from(key.as_bytes()[31]));
        let lock = |number: usize| shards[number].lock();
        // Locks are always taken in the same order, so that no two callers wait for each other.
        match first.cmp(&second) {
            Ordering::Equal => Self { second: None, first: Locked::new(lock(first), removed) },
            Ordering::Less => {
                let first = Locked::new(lock(first), removed);
                Self { second: Some(lock(second)), first }
            }
            Ordering::Greater => {
                let second = Some(lock(second));
                Self { second, first: Locked::new(lock(first), removed) }
            }
        }
    }

    pub fn second(&mut self) -> &mut Shard {
        self.second.as_deref_mut().unwrap_or(&mut self.first)
    }
}
