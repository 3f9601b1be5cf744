//! What is measured.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dashmap::DashMap;
use futures::FutureExt;
use hashbrown::HashTable;
use moka::Expiry;
use moka::ops::compute::{CompResult, Op};
use moka::sync::Cache;
use rocket_typed_sessions::storage::{
    Create, Memory, OwnerGuard, OwnerKey, Record, SessionStorage, StorageKey, Timestamp, Update,
    Version,
};

/// The bytes of a session.
pub const PAYLOAD: usize = 100;
/// An hour, in milliseconds.
pub const LONG: u64 = 3_600_000;

/// Milliseconds since the epoch.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after the epoch");
    u64::try_from(since.as_millis()).expect("a date of this era")
}

/// A store of records by number.
pub trait Candidate: Send + Sync {
    fn create(&self, n: u64, expires: u64);
    /// Whether there is a live record. It is cloned as for a request.
    fn read(&self, n: u64, now: u64) -> bool;
    /// Reads a record and replaces it if nobody else did. Whether that worked.
    fn write(&self, n: u64, now: u64) -> bool;
    /// Removes everything that has expired, as gently as it would in an application.
    fn purge(&self) {}
    /// Finishes what goes on behind the scenes.
    fn settle(&self) {}
}

/// A new record that nobody owns.
pub fn record(expires: u64) -> Record {
    let now = Timestamp::from_millis(now());
    Record {
        version: Version::from_u64(1),
        payload: (&[7; PAYLOAD][..]).into(),
        owner: None,
        created: now,
        last_seen: now,
        expires: Timestamp::from_millis(expires),
    }
}

/// The record that replaces `found`.
fn next(found: Record) -> Record {
    let version = Version::from_u64(found.version.as_u64() + 1);
    Record { version, payload: (&[8; PAYLOAD][..]).into(), ..found }
}

/// A key as evenly spread as a hash.
pub fn key(n: u64) -> [u8; 32] {
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
pub struct Native(pub Memory);

impl Native {
    pub fn new(capacity: usize) -> Self {
        Self(Memory::new(capacity))
    }

    /// Whether the storage has room for it.
    pub fn try_create(&self, n: u64, expires: u64, owner: Option<OwnerKey>) -> bool {
        let record = Record { owner, ..record(expires) };
        let (key, now) = (StorageKey::from_bytes(key(n)), record.created);
        let created = self.0.create(&key, record, OwnerGuard::default(), now).now_or_never();
        matches!(created, Some(Ok(Create::Created)))
    }

    fn find(&self, key: &StorageKey, now: u64) -> Option<Record> {
        self.0.read(key, Timestamp::from_millis(now)).now_or_never()?.ok()?
    }
}

impl Candidate for Native {
    fn create(&self, n: u64, expires: u64) {
        assert!(self.try_create(n, expires, None));
    }

    fn read(&self, n: u64, now: u64) -> bool {
        self.find(&StorageKey::from_bytes(key(n)), now).is_some()
    }

    fn write(&self, n: u64, now: u64) -> bool {
        let key = StorageKey::from_bytes(key(n));
        let Some(found) = self.find(&key, now) else { return false };
        let (expected, now) = (found.version, Timestamp::from_millis(now));
        let updated = self.0.update(&key, expected, next(found), now).now_or_never();
        matches!(updated, Some(Ok(Update::Updated)))
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
pub struct Moka(Cache<[u8; 32], Arc<Record>>);

struct ByRecord;

impl Expiry<[u8; 32], Arc<Record>> for ByRecord {
    fn expire_after_create(
        &self,
        _: &[u8; 32],
        record: &Arc<Record>,
        _: Instant,
    ) -> Option<Duration> {
        Some(Duration::from_millis(record.expires.as_millis().saturating_sub(now())))
    }
}

impl Moka {
    pub fn new(capacity: u64) -> Self {
        Self(Cache::builder().max_capacity(capacity).expire_after(ByRecord).build())
    }
}

impl Candidate for Moka {
    fn create(&self, n: u64, expires: u64) {
        self.0.insert(key(n), Arc::new(record(expires)));
    }

    fn read(&self, n: u64, now: u64) -> bool {
        let found = self.0.get(&key(n)).map(|found| Record::clone(&found));
        found.is_some_and(|found| found.is_live(Timestamp::from_millis(now)))
    }

    fn write(&self, n: u64, now: u64) -> bool {
        let Some(found) = self.0.get(&key(n)) else { return false };
        let result = self.0.entry(key(n)).and_compute_with(|entry| {
            let unchanged = |entry: &Arc<Record>| {
                entry.version == found.version && entry.is_live(Timestamp::from_millis(now))
            };
            match entry {
                Some(entry) if unchanged(entry.value()) => {
                    Op::Put(Arc::new(next(Record::clone(&found))))
                }
                _ => Op::Nop,
            }
        });
        matches!(result, CompResult::ReplacedWith(_))
    }

    fn purge(&self) {
        self.0.run_pending_tasks();
    }

    fn settle(&self) {
        self.0.run_pending_tasks();
    }
}

/// The same records in `dashmap`, without expiry, limits or an index of owners.
#[derive(Default)]
pub struct Dash(DashMap<[u8; 32], Record>);

impl Candidate for Dash {
    fn create(&self, n: u64, expires: u64) {
        self.0.insert(key(n), record(expires));
    }

    fn read(&self, n: u64, now: u64) -> bool {
        let found = self.0.get(&key(n)).map(|found| found.clone());
        found.is_some_and(|found| found.is_live(Timestamp::from_millis(now)))
    }

    fn write(&self, n: u64, now: u64) -> bool {
        let Some(found) = self.0.get(&key(n)).map(|found| found.clone()) else { return false };
        let Some(mut entry) = self.0.get_mut(&key(n)) else { return false };
        let unchanged =
            entry.version == found.version && entry.is_live(Timestamp::from_millis(now));
        if unchanged {
            *entry = next(found);
        }
        unchanged
    }
}

/// `Dash`, called as a storage is called: each operation is a boxed future. The ratio to it shows
/// what the storage itself costs.
#[derive(Default)]
pub struct Called(Dash);

type Call<'a> = Pin<Box<dyn Future<Output = Option<Record>> + Send + 'a>>;

impl Called {
    #[inline(never)]
    fn call<'a>(&'a self, key: &'a [u8; 32], now: Timestamp) -> Call<'a> {
        Box::pin(async move {
            let found = self.0.0.get(key).map(|found| found.clone());
            found.filter(|found| found.is_live(now))
        })
    }

    #[inline(never)]
    fn swap<'a>(&'a self, key: &'a [u8; 32], record: Record, now: Timestamp) -> Call<'a> {
        Box::pin(async move {
            let mut entry = self.0.0.get_mut(key)?;
            let unchanged =
                entry.version.as_u64() + 1 == record.version.as_u64() && entry.is_live(now);
            unchanged.then(|| std::mem::replace(&mut *entry, record))
        })
    }
}

impl Candidate for Called {
    fn create(&self, n: u64, expires: u64) {
        self.0.create(n, expires);
    }

    fn read(&self, n: u64, now: u64) -> bool {
        let found = self.call(&key(n), Timestamp::from_millis(now)).now_or_never();
        found.flatten().is_some()
    }

    fn write(&self, n: u64, now: u64) -> bool {
        let (key, now) = (key(n), Timestamp::from_millis(now));
        let Some(found) = self.call(&key, now).now_or_never().flatten() else { return false };
        self.swap(&key, next(found), now).now_or_never().flatten().is_some()
    }
}

/// The same records in one plain table behind one lock. No storage of records that lie apart in
/// memory can do with less.
#[derive(Default)]
pub struct Plain(Mutex<HashTable<([u8; 32], Record)>>);

/// The hash of a key that is a hash.
fn hash(key: &[u8; 32]) -> u64 {
    key.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

impl Candidate for Plain {
    fn create(&self, n: u64, expires: u64) {
        let (key, record) = (key(n), record(expires));
        let mut table = self.0.lock().expect("nobody panics");
        table.insert_unique(hash(&key), (key, record), |(key, _)| hash(key));
    }

    fn read(&self, n: u64, now: u64) -> bool {
        let key = key(n);
        let table = self.0.lock().expect("nobody panics");
        let found = table.find(hash(&key), |(other, _)| *other == key);
        let found = found.map(|(_, record)| record.clone());
        found.is_some_and(|found| found.is_live(Timestamp::from_millis(now)))
    }

    fn write(&self, n: u64, now: u64) -> bool {
        let key = key(n);
        let mut table = self.0.lock().expect("nobody panics");
        let Some((_, found)) = table.find(hash(&key), |(other, _)| *other == key) else {
            return false;
        };
        let found = found.clone();
        let entry = table.find_mut(hash(&key), |(other, _)| *other == key);
        let unchanged = |entry: &Record| {
            entry.version == found.version && entry.is_live(Timestamp::from_millis(now))
        };
        let Some((_, entry)) = entry.filter(|(_, entry)| unchanged(entry)) else { return false };
        *entry = next(found);
        true
    }
}
