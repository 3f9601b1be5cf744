//! Where the records of a shard lie: an open-addressing table from keys to places.
//!
//! An entry holds 32 bits of the key beside the place. So a search reads one cache line before it
//! reads the record, and neither growth nor a removal reads any record.

use crate::storage::StorageKey;

/// The place of no record.
pub(super) const NOWHERE: u32 = u32::MAX;
/// The entries of the first table.
const FIRST: usize = 16;
const FREE: Entry = Entry { tag: 0, place: NOWHERE };

#[derive(Clone, Copy)]
struct Entry {
    tag: u32,
    place: u32,
}

impl Entry {
    fn is_free(self) -> bool {
        self.place == NOWHERE
    }
}

#[derive(Default)]
pub(super) struct Places {
    /// At least an eighth of the entries is free, so every search ends.
    entries: Vec<Entry>,
    used: usize,
}

impl Places {
    /// The place of `key`. Entries of other keys may have the same tag, so `is` compares the key
    /// with that of the record at a place.
    pub fn find(&self, key: &StorageKey, is: impl Fn(u32) -> bool) -> Option<u32> {
        let tag = tag(key);
        let at = self.search(tag, |entry| entry.tag == tag && is(entry.place))?;
        Some(self.entries[at].place).filter(|place| *place != NOWHERE)
    }

    /// Adds a place for a key that has none.
    pub fn insert(&mut self, key: &StorageKey, place: u32) {
        if self.used >= self.entries.len() / 8 * 7 {
            self.grow();
        }
        self.used += 1;
        self.add(Entry { tag: tag(key), place });
    }

    /// Removes the entry of a key with its place. Later entries move up, so that no search ends
    /// at the gap.
    pub fn remove(&mut self, key: &StorageKey, place: u32) {
        let Some(mut gap) = self.search(tag(key), |entry| entry.place == place) else { return };
        if self.entries[gap].is_free() {
            return;
        }
        let mut at = gap;
        loop {
            at = self.after(at);
            let entry = self.entries[at];
            if entry.is_free() {
                break;
            }
            let home = self.home(entry.tag);
            if self.distance(home, at) >= self.distance(gap, at) {
                self.entries[gap] = entry;
                gap = at;
            }
        }
        self.entries[gap] = FREE;
        self.used -= 1;
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.used
    }

    /// The index of the first entry from the tag's home on that is free or passes `is`. `None` if
    /// the table is empty.
    fn search(&self, tag: u32, is: impl Fn(Entry) -> bool) -> Option<usize> {
        let mut at = self.home(tag);
        loop {
            let entry = *self.entries.get(at)?;
            if entry.is_free() || is(entry) {
                return Some(at);
            }
            at = self.after(at);
        }
    }

    fn add(&mut self, entry: Entry) {
        if let Some(free) = self.search(entry.tag, |_| false) {
            self.entries[free] = entry;
        }
    }

    /// Makes the table larger by a quarter, so that little of it is unused at any time.
    fn grow(&mut self) {
        let size = (self.entries.len() / 4 * 5).next_multiple_of(8).max(FIRST);
        let before = std::mem::replace(&mut self.entries, vec![FREE; size]);
        for entry in before.into_iter().filter(|entry| !entry.is_free()) {
            self.add(entry);
        }
    }

    /// Where the search for a tag begins: as far into the table as the tag is into its range.
    fn home(&self, tag: u32) -> usize {
        let home = (u64::from(tag) * self.entries.len() as u64) >> 32;
        usize::try_from(home).unwrap_or(0)
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.entries.len() { 0 } else { at + 1 }
    }

    /// The number of steps from one entry to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.entries.len() - from }
    }
}

/// The first bytes of a key, which is a hash. The factor, that of Fibonacci hashing, spreads keys
/// that are not, such as numbers in a test.
fn tag(key: &StorageKey) -> u32 {
    let first = key.as_bytes().first_chunk().map_or(0, |first| u32::from_le_bytes(*first));
    first.wrapping_mul(0x9e37_79b9)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Keys whose tags are close together, so that their entries meet. Four keys have each tag.
    fn key(n: u32) -> StorageKey {
        let mut bytes = [0; 32];
        let tag = (n / 4).wrapping_mul(0x0400_0000);
        // The inverse of the factor.
        bytes[..4].copy_from_slice(&tag.wrapping_mul(0x144c_bc89).to_le_bytes());
        bytes[4..8].copy_from_slice(&n.to_le_bytes());
        StorageKey::from_bytes(bytes)
    }

    #[test]
    fn it_agrees_with_a_map_while_entries_collide_wrap_around_and_go() {
        assert_eq!(tag(&key(4)), 0x0400_0000);
        let (mut places, mut map) = (Places::default(), HashMap::new());
        let mut random = 1_u64;
        for place in 0..40_000_u32 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // It fills up and empties in turn.
            let (n, adds) = ((random >> 33) as u32 % 256, place / 2000 % 2 == 0);
            match map.remove(&n) {
                Some(place) if !adds => places.remove(&key(n), place),
                Some(place) => drop(map.insert(n, place)),
                None if adds => {
                    places.insert(&key(n), place);
                    map.insert(n, place);
                }
                None => {}
            }
            let is = |wanted: u32| map.get(&n).is_some_and(|place| *place == wanted);
            assert_eq!(places.find(&key(n), is), map.get(&n).copied());
            assert_eq!(places.len(), map.len());
            if place % 100 == 0 {
                for (n, place) in &map {
                    assert_eq!(places.find(&key(*n), |found| found == *place), Some(*place));
                }
                let taken = places.entries.iter().filter(|entry| !entry.is_free()).count();
                assert_eq!(taken, places.len());
            }
        }
        assert!(places.entries.len() <= 512, "{}", places.entries.len());
    }

    #[test]
    fn an_empty_table_finds_nothing() {
        let mut places = Places::default();
        assert_eq!(places.find(&key(1), |_| true), None);
        places.remove(&key(1), 0);
        assert_eq!(places.len(), 0);
    }
}
