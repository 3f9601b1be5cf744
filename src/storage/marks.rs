//! The marks of ended records, in memory.

use std::collections::{BTreeSet, HashMap};

use super::{StorageKey, Timestamp};

/// The time until which no `create` under a key succeeds. If there are too many marks, the one
/// that expires first is dropped.
pub(super) struct Marks {
    until: HashMap<StorageKey, Timestamp>,
    order: BTreeSet<(Timestamp, StorageKey)>,
    most: usize,
}

impl Marks {
    pub fn new(most: usize) -> Self {
        Self { until: HashMap::new(), order: BTreeSet::new(), most }
    }

    /// Leaves a mark. The later of two marks is kept.
    pub fn leave(&mut self, key: &StorageKey, until: Timestamp) {
        match self.until.insert(key.clone(), until) {
            Some(before) if before > until => {
                self.until.insert(key.clone(), before);
                return;
            }
            Some(before) => drop(self.order.remove(&(before, key.clone()))),
            None => {}
        }
        self.order.insert((until, key.clone()));
        if self.order.len() > self.most {
            self.forget_first();
        }
    }

    pub fn stands(&mut self, key: &StorageKey, now: Timestamp) -> bool {
        self.sweep(now);
        self.until.contains_key(key)
    }

    /// Removes expired marks.
    pub fn sweep(&mut self, now: Timestamp) {
        while self.order.first().is_some_and(|(until, _)| *until <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, key)) = self.order.pop_first() {
            self.until.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn key(n: u8) -> StorageKey {
        StorageKey::from_bytes([n; 32])
    }

    #[test]
    fn the_later_mark_counts_and_none_stays_for_ever() {
        let mut marks = Marks::new(10);
        for until in [20, 50, 30] {
            marks.leave(&key(1), at(until));
        }
        assert_eq!(marks.order.len(), 1);
        assert!(marks.stands(&key(1), at(49)) && !marks.stands(&key(2), at(49)));
        assert!(!marks.stands(&key(1), at(50)));
        assert!(marks.until.is_empty() && marks.order.is_empty());
    }

    #[test]
    fn they_are_bounded_and_the_first_to_go_makes_room() {
        let mut marks = Marks::new(10);
        for n in 0..100 {
            marks.leave(&key(n), at(1000 + u64::from(n)));
        }
        assert_eq!((marks.until.len(), marks.order.len()), (10, 10));
        let standing: Vec<_> = (0..100).filter(|n| marks.stands(&key(*n), at(0))).collect();
        assert_eq!(standing, (90..100).collect::<Vec<_>>());
    }
}
