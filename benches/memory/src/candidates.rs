//! What is measured.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use moka::Expiry;
use moka::sync::Cache;
use rocket_typed_sessions::storage::SessionStorage;
use rocket_typed_sessions::storage::{
    Create, Memory, OwnerGuard, Record, StorageKey, Timestamp, Version,
};

/// Milliseconds since the epoch.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after the epoch");
    u64::try_from(since.as_millis()).expect("a date of this era")
}

/// A store of records by number.
pub trait Candidate: Sync {
    fn create(&self, n: u64, payload: &[u8], expires: u64);
    fn read(&self, n: u64) -> bool;
    /// Removes everything that has expired, as gently as it would in an application.
    fn purge(&self);
    /// Finishes what goes on behind the scenes.
    fn settle(&self) {}
}

/// A key as evenly spread as a hash.
fn key(n: u64) -> [u8; 32] {
    let mut key = [0; 32];
    for (i, part) in (1_u64..).zip(key.chunks_mut(8)) {
        let mut word = n.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        part.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    key
}

/// The crate's own.
pub struct Native(Memory);

impl Native {
    pub fn new(capacity: usize) -> Self {
        Self(Memory::new(capacity))
    }

    /// Whether the storage has room for it.
    pub fn try_create(&self, n: u64, payload: &[u8], expires: u64) -> bool {
        let now = Timestamp::from_millis(now());
        let record = Record {
            version: Version::from_u64(1),
            payload: payload.into(),
            owner: None,
            created: now,
            last_seen: now,
            expires: Timestamp::from_millis(expires),
        };
        let key = StorageKey::from_bytes(key(n));
        let created = self.0.create(&key, record, OwnerGuard::default(), now).now_or_never();
        matches!(created, Some(Ok(Create::Created)))
    }
}

impl Candidate for Native {
    fn create(&self, n: u64, payload: &[u8], expires: u64) {
        assert!(self.try_create(n, payload, expires));
    }

    fn read(&self, n: u64) -> bool {
        let key = StorageKey::from_bytes(key(n));
        let found = self.0.read(&key, Timestamp::from_millis(now())).now_or_never();
        found.is_some_and(|found| found.is_ok_and(|found| found.is_some()))
    }

    fn purge(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let now = Timestamp::from_millis(now());
        let purge = || runtime.block_on(self.0.purge_expired(now, 1000)).expect("memory answers");
        // In batches with pauses, as the fairing does it.
        while purge() == 1000 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The same records in `moka`. It compares and swaps (`and_compute_with`) and
/// has an expiry for each entry, but by its own clock, which a test cannot
/// move; and when it is full it evicts by its own policy, sessions included
/// whose clients have come back, where a session storage must refuse.
pub struct Moka(Cache<[u8; 32], Arc<Entry>>);

pub struct Entry {
    record: Record,
}

struct ByRecord;

impl Expiry<[u8; 32], Arc<Entry>> for ByRecord {
    fn expire_after_create(
        &self,
        _: &[u8; 32],
        entry: &Arc<Entry>,
        _: Instant,
    ) -> Option<Duration> {
        Some(Duration::from_millis(entry.record.expires.as_millis().saturating_sub(now())))
    }
}

impl Moka {
    pub fn new(capacity: u64) -> Self {
        Self(Cache::builder().max_capacity(capacity).expire_after(ByRecord).build())
    }
}

impl Candidate for Moka {
    fn create(&self, n: u64, payload: &[u8], expires: u64) {
        let now = Timestamp::from_millis(now());
        let record = Record {
            version: Version::from_u64(1),
            payload: payload.into(),
            owner: None,
            created: now,
            last_seen: now,
            expires: Timestamp::from_millis(expires),
        };
        self.0.insert(key(n), Arc::new(Entry { record }));
    }

    fn read(&self, n: u64) -> bool {
        self.0.get(&key(n)).is_some_and(|entry| !entry.record.payload.is_empty())
    }

    fn purge(&self) {
        self.0.run_pending_tasks();
    }

    fn settle(&self) {
        self.0.run_pending_tasks();
    }
}
