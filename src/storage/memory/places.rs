//! Where the records of a shard lie: an open-addressing table from keys to places.
//!
//! An entry is one word of 32 bits: a place, and as many bits of the key's hash as are left. So the
//! table is small enough to stay in the processor's caches, and a search reads hardly any other
//! record than the one that it looks for.

use crate::storage::StorageKey;

/// The entries of the first table.
const FIRST: usize = 16;
/// The most places that no record is at.
const SPARE: usize = 64;
const FREE: u32 = u32::MAX;

#[derive(Default)]
pub(super) struct Places {
    /// At least an eighth of the entries is free, so every search ends.
    entries: Vec<u32>,
    used: usize,
    /// The number of bits of a place.
    bits: u32,
}

/// The hash of a key, which is a hash itself. The factor, that of Fibonacci hashing, spreads keys
/// that are not, such as numbers in a test.
pub(super) fn hash(key: &StorageKey) -> u32 {
    let first = key.as_bytes().first_chunk().map_or(0, |first| u32::from_le_bytes(*first));
    first.wrapping_mul(0x9e37_79b9)
}

impl Places {
    /// The place of a key. Other keys may have the same bits of the hash in their entries, so `is`
    /// compares the key with that of the record at a place.
    pub fn find(&self, hash: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        let wanted = self.entry(hash, 0);
        let mask = self.entry(u32::MAX, 0);
        let at = self.search(hash, |entry| entry & mask == wanted && is(entry & !mask))?;
        Some(self.entries[at]).filter(|entry| *entry != FREE).map(|entry| entry & !mask)
    }

    /// Whether the table must be rebuilt before another place is added.
    pub fn is_full(&self) -> bool {
        self.used >= self.entries.len() / 8 * 7
    }

    /// Makes the table larger by a quarter, so that little of it is unused at any time. `all` are
    /// the hashes of the keys with their places.
    pub fn rebuild(&mut self, all: impl Iterator<Item = (u32, u32)>) {
        let size = (self.entries.len() / 4 * 5).next_multiple_of(8).max(FIRST);
        self.bits = (size + SPARE).ilog2() + 1;
        self.entries = vec![FREE; size];
        self.used = 0;
        all.for_each(|(hash, place)| self.insert(hash, place));
    }

    /// Adds the place of a key that has none. The table is not full.
    pub fn insert(&mut self, hash: u32, place: u32) {
        if let Some(free) = self.search(hash, |_| false) {
            self.entries[free] = self.entry(hash, place);
            self.used += 1;
        }
    }

    /// Removes the place of a key. Later entries move up, so that no search ends at the gap.
    /// `hash_of` is the hash of the key at a place.
    pub fn remove(&mut self, hash: u32, place: u32, hash_of: impl Fn(u32) -> u32) {
        let entry = self.entry(hash, place);
        let Some(mut gap) = self.search(hash, |found| found == entry) else { return };
        if self.entries[gap] == FREE {
            return;
        }
        let mut at = gap;
        loop {
            at = self.after(at);
            let entry = self.entries[at];
            if entry == FREE {
                break;
            }
            let home = self.home(hash_of(entry & !self.entry(u32::MAX, 0)));
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
    fn search(&self, hash: u32, is: impl Fn(u32) -> bool) -> Option<usize> {
        let mut at = self.home(hash);
        loop {
            let entry = *self.entries.get(at)?;
            if entry == FREE || is(entry) {
                return Some(at);
            }
            at = self.after(at);
        }
    }

    /// The last bits of a hash and a place. The first bits of the hash choose the home.
    fn entry(&self, hash: u32, place: u32) -> u32 {
        hash.checked_shl(self.bits).unwrap_or(0) | place
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
        let mut at: Vec<u32> = Vec::new();
        let mut free: Vec<u32> = (0..256).collect();
        let mut random = 1_u64;
        for step in 0..40_000_u32 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // It fills up and empties in turn.
            let (n, adds) = ((random >> 33) as u32 % 256, step / 2000 % 2 == 0);
            match map.get(&n).copied() {
                Some(place) if !adds => {
                    places.remove(hash_of(n), place, |place| hash_of(at[place as usize]));
                    map.remove(&n);
                    free.push(place);
                }
                None if adds => {
                    if places.is_full() {
                        places.rebuild(map.iter().map(|(n, place)| (hash_of(*n), *place)));
                    }
                    // Places are used again, and only a few more than there are keys.
                    free.sort_unstable_by(|one, other| other.cmp(one));
                    let place = free.pop().unwrap();
                    at.resize(at.len().max(place as usize + 1), 0);
                    at[place as usize] = n;
                    places.insert(hash_of(n), place);
                    map.insert(n, place);
                }
                _ => {}
            }
            let find = |n: u32| places.find(hash_of(n), |place| at[place as usize] == n);
            assert_eq!(find(n), map.get(&n).copied());
            assert_eq!(places.len(), map.len());
            if step % 100 == 0 {
                (0..256).for_each(|n| assert_eq!(find(n), map.get(&n).copied(), "{n} at {step}"));
                let used = places.entries.iter().filter(|entry| **entry != FREE).count();
                assert_eq!(used, places.len());
            }
        }
        assert!(places.entries.len() <= 512, "{}", places.entries.len());
    }

    #[test]
    fn an_empty_table_finds_nothing() {
        let mut places = Places::default();
        assert_eq!(places.find(1, |_| true), None);
        places.remove(1, 0, |_| 0);
        assert_eq!(places.len(), 0);
    }
}
