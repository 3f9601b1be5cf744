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
use super::places::{NOWHERE, Places};
use crate::storage::marks::Marks;
use crate::storage::{Record, StorageKey, Timestamp};

/// The number of slots that are allocated at once. A growing table never copies its slots.
const CHUNK: usize = 64;
/// The most marks of ends in one shard: enough for four ends a second.
const MARKS: usize = 512;
/// A shard has fewer slots than this.
const PLACES: u32 = NOWHERE - 1;
/// The expiry that stands for "no record expires".
const NEVER: Timestamp = Timestamp::from_millis(u64::MAX);

/// A record under its key. A slot is small, because a million records are common.
pub(super) struct Slot {
    pub key: StorageKey,
    pub record: Record,
    queue: QueueLink,
}

/// Two cache lines.
const _: () = assert!(size_of::<Option<Slot>>() <= 128);

/// The neighbours in the queue of sessions whose clients have not come back.
#[derive(Clone, Copy)]
struct QueueLink {
    before: u32,
    after: u32,
}

impl QueueLink {
    /// The link of a slot that is not in the queue.
    const OUTSIDE: Self = Self { before: PLACES, after: PLACES };

    fn is_outside(self) -> bool {
        self.before == PLACES
    }
}

pub(super) struct Shard {
    places: Places,
    chunks: Vec<Box<[Option<Slot>; CHUNK]>>,
    free: Vec<u32>,
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

impl Slot {
    /// Moves the times forwards, never backwards.
    pub fn touch(&mut self, last_seen: Timestamp, expires: Timestamp) {
        self.record.last_seen = self.record.last_seen.max(last_seen);
        self.record.expires = self.record.expires.max(expires);
    }
}

impl Shard {
    /// An empty shard, which keeps the outline of this number up to date.
    pub fn new(outlines: &Arc<[Outline]>, number: u8) -> Self {
        Self {
            places: Places::default(),
            chunks: Vec::new(),
            free: Vec::new(),
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
        self.slot(self.place(key)?)
    }

    /// The record and its place, if it is live.
    pub fn live(&self, key: &StorageKey, now: Timestamp) -> Option<(u32, &Record)> {
        let place = self.place(key)?;
        let record = &self.slot(place)?.record;
        record.is_live(now).then_some((place, record))
    }

    /// The record, if it is live. Its client has come back, so the record leaves the queue and is
    /// no longer evicted.
    pub fn present(&mut self, key: &StorageKey, now: Timestamp) -> Option<&mut Slot> {
        let (place, _) = self.live(key, now)?;
        self.leave_queue(place);
        self.slot_mut(place)
    }

    /// Where the next record will lie.
    pub fn next_location(&mut self) -> Location {
        if self.free.is_empty() {
            self.grow();
        }
        self.location(self.free.last().copied().unwrap_or(NOWHERE))
    }

    /// The location of a place of this shard.
    pub fn location(&self, place: u32) -> Location {
        Location { shard: self.number, place }
    }

    /// Adds a record under a free key, at the next location. Its client has not come back yet.
    pub fn insert(&mut self, key: &StorageKey, record: Record) {
        let Location { place, .. } = self.next_location();
        self.free.pop();
        let queue = QueueLink { before: self.youngest.unwrap_or(NOWHERE), after: NOWHERE };
        let expires = record.expires;
        if let Some(entry) = self.entry(place) {
            *entry = Some(Slot { key: key.clone(), record, queue });
        }
        self.relink(queue.before, |link| link.after = place);
        self.youngest = Some(place);
        self.places.insert(key, place);
        if self.oldest.is_none() {
            self.set_oldest(Some(place));
        }
        self.expect(place, expires);
    }

    /// Exchanges the record at a place for `record`. It stays in the queue, because the request
    /// that created it may write it again.
    pub fn exchange(&mut self, place: u32, record: &mut Record) {
        let expires = record.expires;
        let Some(slot) = self.slot_mut(place) else { return };
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
        let slot = self.entry(place)?.take()?;
        self.places.remove(key, place);
        self.free.push(place);
        Some((self.location(place), slot))
    }

    /// The oldest record whose client has not come back.
    pub fn longest_waiting(&self) -> Option<&Slot> {
        self.slot(self.oldest?)
    }

    /// Finds the first expired record among the next `steps` slots. Returns its key and the number
    /// of steps that are left. The search stops at the end of a round as well, when it is known
    /// whether any record can have expired.
    pub fn find_expired(&mut self, now: Timestamp, steps: usize) -> (Option<StorageKey>, usize) {
        for left in (0..steps).rev() {
            let mut expired = None;
            if let Some(Slot { key, record, .. }) = self.slot(self.cursor) {
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
        let since = place.and_then(|place| self.slot(place)).map(|slot| slot.record.created);
        self.outline().set_waiting(since);
    }

    fn outline(&self) -> &Outline {
        &self.outlines[usize::from(self.number)]
    }

    /// The number of slots, used or free.
    pub fn slots(&self) -> usize {
        self.chunks.len() * CHUNK
    }

    /// Adds slots when none is free.
    fn grow(&mut self) {
        let first = u32::try_from(self.slots()).unwrap_or(PLACES);
        self.chunks.push(Box::new([const { None }; CHUNK]));
        self.free.extend((first..PLACES).take(CHUNK));
        self.free.reverse();
    }

    fn place(&self, key: &StorageKey) -> Option<u32> {
        self.places.find(key, |place| self.slot(place).is_some_and(|slot| slot.key == *key))
    }

    fn entry(&mut self, place: u32) -> Option<&mut Option<Slot>> {
        self.chunks.get_mut(place as usize / CHUNK)?.get_mut(place as usize % CHUNK)
    }

    pub fn slot(&self, place: u32) -> Option<&Slot> {
        self.chunks.get(place as usize / CHUNK)?.get(place as usize % CHUNK)?.as_ref()
    }

    fn slot_mut(&mut self, place: u32) -> Option<&mut Slot> {
        self.entry(place)?.as_mut()
    }

    fn leave_queue(&mut self, place: u32) {
        let Some(slot) = self.slot_mut(place).filter(|slot| !slot.queue.is_outside()) else {
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
        if let Some(slot) = self.slot_mut(place) {
            change(&mut slot.queue);
        }
    }
}

#[cfg(test)]
mod tests;
