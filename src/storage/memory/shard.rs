//! One shard of the records: a table of slots, where each key's slot is, and
//! the queue of sessions whose clients never came back.
//!
//! Expired records are found by walking the slots, a few at a time: no index
//! by expiry costs memory, and no sweep stops the world.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use crate::storage::{OwnerKey, Record, StorageKey, Stored, Timestamp, Version};

/// Slots that are allocated at once; growing never copies the others.
const CHUNK: usize = 64;
const NOWHERE: u32 = u32::MAX;

/// A record. Kept small: a million of them is an ordinary number.
pub(super) struct Slot {
    pub key: StorageKey,
    version: Version,
    payload: Arc<[u8]>,
    owner: Option<Box<OwnerKey>>,
    pub created: Timestamp,
    last_seen: Timestamp,
    expires: Timestamp,
    queued: Option<Link>,
}

/// A place in the queue of those whose clients never came back.
#[derive(Clone, Copy)]
struct Link {
    before: u32,
    after: u32,
}

#[derive(Default)]
pub(super) struct Shard {
    places: HashMap<StorageKey, u32, BuildHasherDefault<FirstBytes>>,
    chunks: Vec<Box<[Option<Slot>; CHUNK]>>,
    free: Vec<u32>,
    oldest: Option<u32>,
    youngest: Option<u32>,
    /// Where the next walk goes on.
    cursor: u32,
}

impl Slot {
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires
    }

    pub fn version(&self) -> Version {
        self.version
    }

    pub fn owner(&self) -> Option<&OwnerKey> {
        self.owner.as_deref()
    }

    pub fn stored(&self) -> Stored {
        let record = Record {
            payload: Arc::clone(&self.payload),
            owner: self.owner.as_deref().cloned(),
            created: self.created,
            last_seen: self.last_seen,
            expires: self.expires,
        };
        Stored { version: self.version, record }
    }

    /// Moves the times forwards, never back.
    pub fn touch(&mut self, last_seen: Timestamp, expires: Timestamp) {
        self.last_seen = self.last_seen.max(last_seen);
        self.expires = self.expires.max(expires);
    }

    pub fn write(&mut self, version: Version, record: Record) {
        self.version = version;
        self.payload = record.payload;
        self.owner = record.owner.map(Box::new);
        (self.created, self.last_seen) = (record.created, record.last_seen);
        self.expires = record.expires;
    }
}

impl Shard {
    /// The record, dead or alive.
    pub fn get(&self, key: &StorageKey) -> Option<&Slot> {
        self.slot(*self.places.get(key)?)
    }

    /// The record, if it lives; its client is here, so it is never evicted.
    pub fn present(&mut self, key: &StorageKey, now: Timestamp) -> Option<&mut Slot> {
        let place = *self.places.get(key)?;
        let slot = self.slot(place)?;
        if !slot.is_live(now) {
            return None;
        }
        if slot.queued.is_some() {
            self.leave_queue(place);
        }
        self.slot_mut(place)
    }

    /// Adds a record under a key that is free; its client has yet to come back.
    pub fn insert(&mut self, key: &StorageKey, version: Version, record: Record) {
        let place = self.free.pop().unwrap_or_else(|| self.grow());
        let link = Link { before: self.youngest.unwrap_or(NOWHERE), after: NOWHERE };
        let slot = Slot {
            key: key.clone(),
            version,
            payload: record.payload,
            owner: record.owner.map(Box::new),
            created: record.created,
            last_seen: record.last_seen,
            expires: record.expires,
            queued: Some(link),
        };
        if let Some(entry) = self.entry(place) {
            *entry = Some(slot);
        }
        self.relink(link.before, |link| link.after = place);
        self.youngest = Some(place);
        self.oldest.get_or_insert(place);
        self.places.insert(key.clone(), place);
    }

    pub fn remove(&mut self, key: &StorageKey) -> Option<Slot> {
        let place = self.places.remove(key)?;
        self.leave_queue(place);
        let slot = self.entry(place)?.take()?;
        self.free.push(place);
        Some(slot)
    }

    /// The record that came first of those whose clients never came back.
    pub fn oldest_never_back(&self) -> Option<&Slot> {
        self.slot(self.oldest?)
    }

    /// Whether the client of this record never came back.
    pub fn never_back(&self, key: &StorageKey) -> bool {
        self.get(key).is_some_and(|slot| slot.queued.is_some())
    }

    /// The next expired record among the next `steps` slots, and how many of
    /// the steps are left. The walk goes round for ever.
    pub fn next_expired(&mut self, now: Timestamp, steps: usize) -> (Option<StorageKey>, usize) {
        for left in (0..steps).rev() {
            let place = self.cursor;
            let last = self.slots() <= place as usize + 1;
            self.cursor = if last { 0 } else { place + 1 };
            if let Some(slot) = self.slot(place).filter(|slot| !slot.is_live(now)) {
                return (Some(slot.key.clone()), left);
            }
        }
        (None, 0)
    }

    /// Slots, taken or free.
    pub fn slots(&self) -> usize {
        self.chunks.len() * CHUNK
    }

    /// Called when nothing is free; returns the first of the new slots.
    fn grow(&mut self) -> u32 {
        let first = u32::try_from(self.slots()).unwrap_or(NOWHERE);
        self.chunks.push(Box::new([const { None }; CHUNK]));
        let others = (first + 1..NOWHERE).take(CHUNK - 1);
        self.free.extend(others);
        self.free.reverse();
        first
    }

    fn entry(&mut self, place: u32) -> Option<&mut Option<Slot>> {
        self.chunks.get_mut(place as usize / CHUNK)?.get_mut(place as usize % CHUNK)
    }

    fn slot(&self, place: u32) -> Option<&Slot> {
        self.chunks.get(place as usize / CHUNK)?.get(place as usize % CHUNK)?.as_ref()
    }

    fn slot_mut(&mut self, place: u32) -> Option<&mut Slot> {
        self.entry(place)?.as_mut()
    }

    fn leave_queue(&mut self, place: u32) {
        let Some(link) = self.slot_mut(place).and_then(|slot| slot.queued.take()) else { return };
        let neighbour = |place| Some(place).filter(|place| *place != NOWHERE);
        if self.oldest == Some(place) {
            self.oldest = neighbour(link.after);
        }
        if self.youngest == Some(place) {
            self.youngest = neighbour(link.before);
        }
        self.relink(link.before, |before| before.after = link.after);
        self.relink(link.after, |after| after.before = link.before);
    }

    fn relink(&mut self, place: u32, change: impl FnOnce(&mut Link)) {
        if let Some(link) = self.slot_mut(place).and_then(|slot| slot.queued.as_mut()) {
            change(link);
        }
    }
}

/// Keys are SHA-256 hashes: their first bytes are as good as any hash of them.
#[derive(Default)]
pub(super) struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    // The length, which is always 32.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> StorageKey {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&n.to_le_bytes());
        StorageKey::from_bytes(bytes)
    }

    /// The shard against plain lists, over many random steps.
    #[test]
    fn the_table_and_the_queue_agree_with_a_plain_model() {
        let mut shard = Shard::default();
        let mut model: Vec<(u64, u64, bool)> = Vec::new(); // key, expiry, came back
        let mut random = 1_u64;
        for step in 0..50_000_u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (n, what) = (random >> 33 & 0xff, random >> 60);
            let now = Timestamp::from_millis(step);
            let known = model.iter().position(|(key, ..)| *key == n);
            match (what, known) {
                (0..=6, None) => {
                    let expires = step + (random >> 20 & 0x3ff);
                    let record = Record {
                        payload: [].into(),
                        owner: None,
                        created: now,
                        last_seen: now,
                        expires: Timestamp::from_millis(expires),
                    };
                    shard.insert(&key(n), Version(step), record);
                    model.push((n, expires, false));
                }
                (7..=9, known) => {
                    let live = known.filter(|at| step < model[*at].1);
                    assert_eq!(shard.present(&key(n), now).is_some(), live.is_some());
                    if let Some(at) = live {
                        model[at].2 = true;
                    }
                }
                (10..=12, known) => {
                    assert_eq!(shard.remove(&key(n)).is_some(), known.is_some());
                    if let Some(at) = known {
                        model.remove(at);
                    }
                }
                (13.., _) => {
                    let (expired, _) = shard.next_expired(now, 16);
                    if let Some(expired) = expired {
                        assert!(shard.remove(&expired).is_some());
                        let at = model.iter().position(|(n, ..)| key(*n) == expired);
                        assert!(model.remove(at.unwrap()).1 <= step, "a living record was found");
                    }
                }
                _ => {}
            }
            let oldest = model.iter().find(|(.., back)| !back).map(|(n, ..)| key(*n));
            assert_eq!(shard.oldest_never_back().map(|slot| slot.key.clone()), oldest);
            assert_eq!(shard.places.len(), model.len());
        }
        let slots = shard.slots();
        assert!(slots <= 256 + CHUNK, "freed slots are used again: {slots}");
        let late = Timestamp::from_millis(u64::MAX);
        while let (Some(expired), _) = shard.next_expired(late, slots) {
            shard.remove(&expired);
        }
        assert!(shard.places.is_empty() && shard.oldest.is_none() && shard.youngest.is_none());
    }
}
