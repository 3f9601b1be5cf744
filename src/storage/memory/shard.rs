//! One shard of the records. It consists of a table of slots, a table of their places by key, and a
//! queue of the sessions whose clients have not come back. That queue is the order of eviction.
//!
//! A walk over the slots, a few at a time, finds expired records. So no index by expiry takes up
//! memory, and no long sweep blocks other requests. The walk also finds out when the first record
//! expires, and no walk is made before that time.

use std::mem;
use std::sync::Arc;

use super::outline::Outline;
use super::owners::Location;
use super::places::{Places, hash};
use super::slots::{NOWHERE, QueueLink, Slot, Slots};
use crate::storage::marks::Marks;
use crate::storage::{Record, StorageKey, Timestamp};

/// The most marks of ends in one shard: enough for four ends a second.
const MARKS: usize = 512;
/// The expiry that stands for "no record expires".
const NEVER: Timestamp = Timestamp::from_millis(u64::MAX);

pub(super) struct Shard {
    places: Places,
    slots: Slots,
    oldest: Option<u32>,
    youngest: Option<u32>,
    /// The slot where the next walk continues.
    cursor: u32,
    /// The earliest expiry among the records that the current round of the walk has passed.
    round: Timestamp,
    /// The marks of ended records.
    pub marks: Marks,
    outlines: Arc<[Outline]>,
    number: u8,
}

impl Shard {
    /// An empty shard, which keeps the outline of this number up to date.
    pub fn new(outlines: &Arc<[Outline]>, number: u8) -> Self {
        Self {
            places: Places::default(),
            slots: Slots::default(),
            oldest: None,
            youngest: None,
            cursor: 0,
            round: NEVER,
            marks: Marks::new(MARKS),
            outlines: Arc::clone(outlines),
            number,
        }
    }

    /// The record, even if it has expired.
    pub fn get(&self, key: &StorageKey) -> Option<&Slot> {
        self.at(self.place(key)?)
    }

    /// The slot at a place.
    pub fn at(&self, place: u32) -> Option<&Slot> {
        self.slots.get(place)
    }

    /// The record and its place, if it is live.
    pub fn live(&self, key: &StorageKey, now: Timestamp) -> Option<(u32, &Record)> {
        let place = self.place(key)?;
        let record = &self.at(place)?.record;
        record.is_live(now).then_some((place, record))
    }

    /// The record, if it is live. Its client has come back, so the record leaves the queue and is
    /// no longer evicted.
    pub fn present(&mut self, key: &StorageKey, now: Timestamp) -> Option<&mut Slot> {
        let place = self.place(key)?;
        let slot = self.at(place).filter(|slot| slot.record.is_live(now))?;
        if !slot.queue.is_outside() {
            self.leave_queue(place);
        }
        self.slots.get_mut(place)
    }

    /// Where the next record will lie.
    pub fn next_location(&mut self) -> Location {
        let place = self.slots.next();
        self.location(place)
    }

    /// The location of a place of this shard.
    pub fn location(&self, place: u32) -> Location {
        Location { shard: self.number, place }
    }

    /// Adds a record under a free key, at the next location. Its client has not come back yet.
    pub fn insert(&mut self, key: &StorageKey, record: Record) {
        let queue = QueueLink { before: self.youngest.unwrap_or(NOWHERE), after: NOWHERE };
        let expires = record.expires;
        let place = self.slots.insert(Slot { key: key.clone(), record, queue });
        self.places.insert(hash(key), place);
        self.relink(queue.before, |link| link.after = place);
        self.youngest = Some(place);
        if self.oldest.is_none() {
            self.set_oldest(Some(place));
        }
        self.expect(place, expires);
    }

    /// Exchanges the record at a place for `record`. It stays in the queue, because the request
    /// that created it may write it again.
    pub fn exchange(&mut self, place: u32, record: &mut Record) {
        let expires = record.expires;
        let Some(slot) = self.slots.get_mut(place) else { return };
        mem::swap(&mut slot.record, record);
        if self.oldest == Some(place) {
            self.set_oldest(Some(place));
        }
        self.expect(place, expires);
    }

    /// Removes a record. Returns it and where it was.
    pub fn remove(&mut self, key: &StorageKey) -> Option<(Location, Slot)> {
        let place = self.place(key)?;
        self.leave_queue(place);
        self.places.remove(hash(key), place);
        let slot = self.slots.remove(place)?;
        Some((self.location(place), slot))
    }

    /// The oldest record whose client has not come back.
    pub fn longest_waiting(&self) -> Option<&Slot> {
        self.at(self.oldest?)
    }

    /// Finds the first expired record among the next `steps` slots. Returns its key and the number
    /// of steps that are left. The search stops at the end of a round as well, when it is known
    /// whether any record can have expired.
    pub fn find_expired(&mut self, now: Timestamp, steps: usize) -> (Option<StorageKey>, usize) {
        for left in (0..steps).rev() {
            let mut expired = None;
            if let Some(Slot { key, record, .. }) = self.at(self.cursor) {
                if record.is_live(now) {
                    self.round = self.round.min(record.expires);
                } else {
                    expired = Some(key.clone());
                }
            }
            if self.go_on() || expired.is_some() {
                return (expired, left);
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
        let since = place.and_then(|place| self.at(place)).map(|slot| slot.record.created);
        self.outline().set_waiting(since);
    }

    fn outline(&self) -> &Outline {
        &self.outlines[usize::from(self.number)]
    }

    /// The number of slots, used or free.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    fn place(&self, key: &StorageKey) -> Option<u32> {
        self.places.find(hash(key), |place| self.at(place).is_some_and(|slot| slot.key == *key))
    }

    fn leave_queue(&mut self, place: u32) {
        let Some(slot) = self.slots.get_mut(place).filter(|slot| !slot.queue.is_outside()) else {
            return;
        };
        let link = mem::replace(&mut slot.queue, QueueLink::OUTSIDE);
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
        if let Some(slot) = self.slots.get_mut(place) {
            change(&mut slot.queue);
        }
    }
}

#[cfg(test)]
mod tests;
