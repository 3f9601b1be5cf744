//! One asynchronous lock for each record. Commits on one record queue up in this process and do
//! not conflict. Commits on other records do not wait (docs/security.md, S60).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use super::key::{FirstBytes, StorageKey};

/// The parts of the locks. Commits on records of different parts share nothing.
const PARTS: usize = 64;

type RecordLock = Arc<tokio::sync::Mutex<()>>;
type Part = Mutex<HashMap<StorageKey, RecordLock, FirstBytes>>;

/// The locks of the records that are being committed.
pub(crate) struct KeyedLocks(Arc<[Part]>);

impl Default for KeyedLocks {
    fn default() -> Self {
        Self((0..PARTS).map(|_| Part::default()).collect())
    }
}

impl KeyedLocks {
    /// Waits until no other commit of this process holds the record.
    pub async fn lock(&self, key: &StorageKey) -> KeyedGuard {
        let lock = part(&self.0, key).lock().entry(key.clone()).or_default().clone();
        // The guard exists before the wait, so that a cancelled wait removes the lock as well.
        let mut guard = KeyedGuard { parts: Arc::clone(&self.0), key: key.clone(), held: None };
        guard.held = Some(lock.lock_owned().await);
        guard
    }
}

/// The part of a key. Its last byte chooses, because the first ones are the hash within the part.
fn part<'a>(parts: &'a [Part], key: &StorageKey) -> &'a Part {
    &parts[usize::from(key.as_bytes()[31]) % PARTS]
}

/// Holds one record's lock. The last guard of a record removes its lock from the map.
pub(crate) struct KeyedGuard {
    parts: Arc<[Part]>,
    key: StorageKey,
    held: Option<OwnedMutexGuard<()>>,
}

impl Drop for KeyedGuard {
    fn drop(&mut self) {
        let mut locks = part(&self.parts, &self.key).lock();
        self.held = None;
        // Only the map still refers to the lock, so nobody holds it or waits for it.
        if let Entry::Occupied(lock) = locks.entry(self.key.clone())
            && Arc::strong_count(lock.get()) == 1
        {
            lock.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lock_excludes_and_leaves_nothing_behind() {
        let locks = Arc::new(KeyedLocks::default());
        let (one, other) = (StorageKey::from_bytes([1; 32]), StorageKey::from_bytes([2; 32]));
        let held = locks.lock(&one).await;
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(20), locks.lock(&one));
        assert!(waiting.await.is_err(), "the same record is held");
        drop(locks.lock(&other).await);
        drop(held);
        drop(locks.lock(&one).await);
        assert!(locks.0.iter().all(|part| part.lock().is_empty()));
    }

    #[tokio::test]
    async fn the_locks_of_two_records_are_taken_apart() {
        let locks = KeyedLocks::default();
        let (one, other) = (StorageKey::from_bytes([1; 32]), StorageKey::from_bytes([2; 32]));
        let _busy = part(&locks.0, &one).lock();
        assert!(part(&locks.0, &one).try_lock().is_none());
        assert!(part(&locks.0, &other).try_lock().is_some(), "another record's");
    }
}
