//! Where the records of a shard lie: an open-addressing table from keys to places.
//!
//! An entry holds the hash of the key beside the place. So a search reads no other record than the
//! one that it looks for, and neither growth nor a removal reads any record.

use super::slots::NOWHERE;
use crate::storage::StorageKey;

/// The entries of the first table.
const FIRST: usize = 16;
const FREE: Entry = Entry { hash: 0, place: NOWHERE };

#[derive(Clone, Copy)]
struct Entry {
    hash: u32,
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

/// The hash of a key, which is a hash itself. The factor, that of Fibonacci hashing, spreads keys
/// that are not, such as numbers in a test.
pub(super) fn hash(key: &StorageKey) -> u32 {
    let first = key.as_bytes().first_chunk().map_or(0, |first| u32::from_le_bytes(*first));
    first.wrapping_mul(0x9e37_79b9)
}

impl Places {
    /// The place of a key. Few keys have the same hash, so `is` compares the key with that of the
    /// record at a place.
    pub fn find(&self, hash: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        let at = self.search(hash, |entry| entry.hash == hash && is(entry.place))?;
        Some(self.entries[at].place).filter(|place| *place != NOWHERE)
    }

    /// Adds the place of a key that has none.
    pub fn insert(&mut self, hash: u32, place: u32) {
        if self.used >= self.entries.len() / 8 * 7 {
            self.grow();
        }
        self.used += 1;
        self.add(Entry { hash, place });
    }

    /// Removes the place of a key. Later entries move up, so that no search ends at the gap.
    pub fn remove(&mut self, hash: u32, place: u32) {
        let Some(mut gap) = self.search(hash, |entry| entry.place == place) else { return };
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
            let home = self.home(entry.hash);
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

    /// The index of the first entry from the home of a hash on that is free or passes `is`. `None`
    /// if the table is empty.
    fn search(&self, hash: u32, is: impl Fn(Entry) -> bool) -> Option<usize> {
        let mut at = self.home(hash);
        loop {
            let entry = *self.entries.get(at)?;
            if entry.is_free() || is(entry) {
                return Some(at);
            }
            at = self.after(at);
        }
    }

    fn add(&mut self, entry: Entry) {
        if let Some(free) = self.search(entry.hash, |_| false) {
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

    /// Where the search begins: as far into the table as the hash is into its range.
    fn home(&self, hash: u32) -> usize {
        let home = (u64::from(hash) * self.entries.len() as u64) >> 32;
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Hashes that are close together, so that their entries meet. Four keys have each.
    fn hash_of(n: u32) -> u32 {
        (n / 4).wrapping_mul(0x0400_0001)
    }

    #[test]
    fn it_agrees_with_a_map_while_entries_collide_wrap_around_and_go() {
        let (mut places, mut map) = (Places::default(), HashMap::new());
        let mut random = 1_u64;
        for step in 0..40_000_u32 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // It fills up and empties in turn.
            let (n, adds) = ((random >> 33) as u32 % 256, step / 2000 % 2 == 0);
            match map.get(&n).copied() {
                Some(place) if !adds => {
                    places.remove(hash_of(n), place);
                    map.remove(&n);
                }
                None if adds => {
                    places.insert(hash_of(n), step);
                    map.insert(n, step);
                }
                _ => {}
            }
            let find = |n: u32| places.find(hash_of(n), |found| map.get(&n) == Some(&found));
            assert_eq!(find(n), map.get(&n).copied());
            assert_eq!(places.len(), map.len());
            if step % 100 == 0 {
                (0..256).for_each(|n| assert_eq!(find(n), map.get(&n).copied(), "{n} at {step}"));
                let used = places.entries.iter().filter(|entry| !entry.is_free()).count();
                assert_eq!(used, places.len());
            }
        }
        assert!(places.entries.len() <= 512, "{}", places.entries.len());
    }

    #[test]
    fn an_empty_table_finds_nothing() {
        let mut places = Places::default();
        assert_eq!(places.find(1, |_| true), None);
        places.remove(1, 0);
        assert_eq!(places.len(), 0);
    }
}
