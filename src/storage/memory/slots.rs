//! The slots of a shard, in which its records lie.

use crate::storage::{Record, StorageKey, Timestamp};

/// The place of no record.
pub(super) const NOWHERE: u32 = u32::MAX;
/// A shard has fewer slots than this.
const PLACES: u32 = NOWHERE - 1;
/// The number of slots that are allocated at once. A growing table never copies its slots.
const CHUNK: usize = 64;

/// A record under its key. A slot is small, because a million records are common.
pub(super) struct Slot {
    pub key: StorageKey,
    pub record: Record,
    pub queue: QueueLink,
}

/// Two cache lines.
const _: () = assert!(size_of::<Option<Slot>>() <= 128);

/// The neighbours in the queue of sessions whose clients have not come back.
#[derive(Clone, Copy)]
pub(super) struct QueueLink {
    pub before: u32,
    pub after: u32,
}

impl QueueLink {
    /// The link of a slot that is not in the queue.
    pub const OUTSIDE: Self = Self { before: PLACES, after: PLACES };

    pub fn is_outside(self) -> bool {
        self.before == PLACES
    }
}

impl Slot {
    /// Moves the times forwards, never backwards.
    pub fn touch(&mut self, last_seen: Timestamp, expires: Timestamp) {
        self.record.last_seen = self.record.last_seen.max(last_seen);
        self.record.expires = self.record.expires.max(expires);
    }
}

#[derive(Default)]
pub(super) struct Slots {
    chunks: Vec<Box<[Option<Slot>; CHUNK]>>,
    free: Vec<u32>,
}

impl Slots {
    /// The number of slots, used or free.
    pub fn len(&self) -> usize {
        self.chunks.len() * CHUNK
    }

    pub fn get(&self, place: u32) -> Option<&Slot> {
        self.chunks.get(place as usize / CHUNK)?[place as usize % CHUNK].as_ref()
    }

    pub fn get_mut(&mut self, place: u32) -> Option<&mut Slot> {
        self.entry(place)?.as_mut()
    }

    /// The place that is used next.
    pub fn next(&mut self) -> u32 {
        if self.free.is_empty() {
            self.grow();
        }
        self.free.last().copied().unwrap_or(NOWHERE)
    }

    /// Puts a slot at the next place, and returns that.
    pub fn insert(&mut self, slot: Slot) -> u32 {
        let place = self.next();
        self.free.pop();
        if let Some(entry) = self.entry(place) {
            *entry = Some(slot);
        }
        place
    }

    pub fn remove(&mut self, place: u32) -> Option<Slot> {
        let slot = self.entry(place)?.take()?;
        self.free.push(place);
        Some(slot)
    }

    fn grow(&mut self) {
        let first = u32::try_from(self.len()).unwrap_or(PLACES);
        self.chunks.push(Box::new([const { None }; CHUNK]));
        self.free.extend((first..PLACES).take(CHUNK));
        self.free.reverse();
    }

    fn entry(&mut self, place: u32) -> Option<&mut Option<Slot>> {
        Some(&mut self.chunks.get_mut(place as usize / CHUNK)?[place as usize % CHUNK])
    }
}
