//! One shard of the records. It consists of a table of slots, a map from keys to slots, and a
//! queue of the sessions whose clients have not come back. That queue is the order of eviction.
//!
//! A walk over the slots, a few at a time, finds expired records. So no index by expiry takes up
//! memory, and no long sweep blocks other requests. The walk also finds out when the first record
//! expires, and no walk is made before that time.

use std::collections::HashMap;
use std::sync::Arc;

use super::outline::Outline;
use crate::storage::key::FirstBytes;
use crate::storage::marks::Marks;
use crate::storage::{OwnerKey, Payload, Record, StorageKey, Timestamp, Version};

/// The number of slots that are allocated at once. A growing table never copies its slots.
const CHUNK: usize = 64;
/// The most marks of ends in one shard: enough for four ends a second.
const MARKS: usize = 512;
const NOWHERE: u32 = u32::MAX;
/// The expiry that stands for "no record expires".
const NEVER: Timestamp = Timestamp::from_millis(u64::MAX);

/// A record. A slot is small, because a million records are common.
pub(super) struct Slot {
    pub key: StorageKey,
    version: Version,
    payload: Payload,
    owner: Option<Box<OwnerKey>>,
    pub created: Timestamp,
    last_seen: Timestamp,
    expires: Timestamp,
    queued: Option<QueueLink>,
}

/// The neighbours in the queue of sessions whose clients have not come back.
#[derive(Clone, Copy)]
struct QueueLink {
    before: u32,
    after: u32,
}

pub(super) struct Shard {
    /// The marks of ended records.
    pub marks: Marks,
    places: HashMap<StorageKey, u32, FirstBytes>,
    chunks: Vec<Box<[Option<Slot>; CHUNK]>>,
    free: Vec<u32>,
    oldest: Option<u32>,
    youngest: Option<u32>,
    /// The slot where the next walk continues.
    cursor: u32,
    /// The earliest expiry among the records that the current round of the walk has passed.
    round: Timestamp,
    outlines: Arc<[Outline]>,
    number: usize,
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

    pub fn record(&self) -> Record {
        Record {
            version: self.version,
            payload: self.payload.clone(),
            owner: self.owner.as_deref().cloned(),
            created: self.created,
            last_seen: self.last_seen,
            expires: self.expires,
        }
    }

    /// Moves the times forwards, never backwards.
    pub fn touch(&mut self, last_seen: Timestamp, expires: Timestamp) {
        self.last_seen = self.last_seen.max(last_seen);
        self.expires = self.expires.max(expires);
    }

    fn write(&mut self, record: Record) {
        self.version = record.version;
        self.payload = record.payload;
        self.owner = record.owner.map(Box::new);
        (self.created, self.last_seen) = (record.created, record.last_seen);
        self.expires = record.expires;
    }
}

impl Shard {
    /// An empty shard, which keeps the outline of this number up to date.
    pub fn new(outlines: &Arc<[Outline]>, number: usize) -> Self {
        Self {
            marks: Marks::new(MARKS),
            places: HashMap::default(),
            chunks: Vec::new(),
            free: Vec::new(),
            oldest: None,
            youngest: None,
            cursor: 0,
            round: NEVER,
            outlines: Arc::clone(outlines),
            number,
        }
    }

    /// The record, even if it has expired.
    pub fn get(&self, key: &StorageKey) -> Option<&Slot> {
        self.slot(*self.places.get(key)?)
    }

    /// The record, if it is live. Its client has come back, so the record leaves the queue and is
    /// no longer evicted.
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

    /// Adds a record under a free key. Its client has not come back yet.
    pub fn insert(&mut self, key: &StorageKey, record: Record) {
        let place = self.free.pop().unwrap_or_else(|| self.grow());
        let link = QueueLink { before: self.youngest.unwrap_or(NOWHERE), after: NOWHERE };
        let expires = record.expires;
        let slot = Slot {
            key: key.clone(),
            version: record.version,
            payload: record.payload,
            owner: record.owner.map(Box::new),
            created: record.created,
            last_seen: record.last_seen,
            expires,
            queued: Some(link),
        };
        if let Some(entry) = self.entry(place) {
            *entry = Some(slot);
        }
        self.relink(link.before, |link| link.after = place);
        self.youngest = Some(place);
        self.places.insert(key.clone(), place);
        if self.oldest.is_none() {
            self.set_oldest(Some(place));
        }
        self.expect(place, expires);
    }

    /// Replaces the record under `key`. The record stays in the queue, because the request that
    /// created it may write it again.
    pub fn write(&mut self, key: &StorageKey, record: Record) {
        let Some(place) = self.places.get(key).copied() else { return };
        let Some(slot) = self.slot_mut(place) else { return };
        let expires = record.expires;
        slot.write(record);
        if self.oldest == Some(place) {
            self.set_oldest(Some(place));
        }
        self.expect(place, expires);
    }

    pub fn remove(&mut self, key: &StorageKey) -> Option<Slot> {
        let place = self.places.remove(key)?;
        self.leave_queue(place);
        let slot = self.entry(place)?.take()?;
        self.free.push(place);
        Some(slot)
    }

    /// Removes the oldest record whose client has not come back.
    pub fn take_longest_waiting(&mut self) -> Option<Slot> {
        let key = self.slot(self.oldest?)?.key.clone();
        self.remove(&key)
    }

    /// Removes the first expired record among the next `steps` slots. Returns it and the number
    /// of steps that are left. The search stops at the end of a round as well, when it is known
    /// whether any record can have expired.
    pub fn take_expired(&mut self, now: Timestamp, steps: usize) -> (Option<Slot>, usize) {
        for left in (0..steps).rev() {
            let place = self.cursor;
            let expired = match self.slot(place).map(|slot| (slot.is_live(now), slot.expires)) {
                Some((true, expires)) => {
                    self.round = self.round.min(expires);
                    None
                }
                Some((false, _)) => self.slot(place).map(|slot| slot.key.clone()),
                None => None,
            };
            let ended = self.go_on();
            if expired.is_some() || ended {
                return (expired.and_then(|key| self.remove(&key)), left);
            }
        }
        (None, 0)
    }

    /// Whether a record may have expired.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.outline().is_due(now)
    }

    /// Moves the walk to the next slot. Returns whether a round has ended.
    fn go_on(&mut self) -> bool {
        self.cursor += 1;
        let ended = self.cursor as usize >= self.slots();
        if ended {
            self.cursor = 0;
            self.outline().set_expires(self.round);
            self.round = NEVER;
        }
        ended
    }

    /// Notes the expiry of a written record. It counts for the current round only if the walk has
    /// already passed the record's slot.
    fn expect(&mut self, place: u32, expires: Timestamp) {
        if place < self.cursor {
            self.round = self.round.min(expires);
        }
        self.outline().add_expires(expires);
    }

    fn set_oldest(&mut self, place: Option<u32>) {
        self.oldest = place;
        let since = place.and_then(|place| self.slot(place)).map(|slot| slot.created);
        self.outline().set_waiting(since);
    }

    fn outline(&self) -> &Outline {
        &self.outlines[self.number]
    }

    /// The number of slots, used or free.
    pub fn slots(&self) -> usize {
        self.chunks.len() * CHUNK
    }

    /// Adds slots when none is free. Returns the first of them.
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
            self.set_oldest(neighbour(link.after));
        }
        if self.youngest == Some(place) {
            self.youngest = neighbour(link.before);
        }
        self.relink(link.before, |before| before.after = link.after);
        self.relink(link.after, |after| after.before = link.before);
    }

    fn relink(&mut self, place: u32, change: impl FnOnce(&mut QueueLink)) {
        if let Some(link) = self.slot_mut(place).and_then(|slot| slot.queued.as_mut()) {
            change(link);
        }
    }
}

#[cfg(test)]
mod tests;
