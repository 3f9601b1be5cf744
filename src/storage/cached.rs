//! Copies of records in front of a storage that is far away.
//!
//! A copy saves the read, never the check: every write goes to the storage with
//! the version it is based on, so a stale copy cannot win. What this node
//! writes or ends is gone from its copies in the same step; what another node
//! does is seen when the copy is `ttl` old.
//!
//! A read that was under way while a record was written or ended here must not
//! leave what it found behind: each shard counts its writes, and whoever wants
//! to keep a copy must find the count that it began with.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    Consistency, Create, Generation, OwnerGuard, OwnerKey, OwnerPage, Record, SessionStorage,
    StorageError, StorageKey, Stored, Timestamp, Touch, Update, Version,
};

type Result<T> = std::result::Result<T, StorageError>;

const SHARDS: usize = 64;

/// A cache over another storage, for reads.
///
/// What it promises:
/// - A write based on a stale copy is a conflict, which the core resolves with a
///   fresh read: nothing is lost.
/// - What this node ends is ended here at once. What another node ends, changes
///   or renews can be read here for up to `ttl`.
/// - A token that is newer than the copy is looked up in the storage: nobody is
///   logged out because another node has given them a new id.
/// - That there is no record is never remembered.
///
/// In Rocket.toml: `cache = { capacity = 100_000, ttl = "2 seconds" }` beside
/// `storage`.
///
/// ```
/// use std::time::Duration;
/// use rocket_typed_sessions::storage::{Cached, Memory};
///
/// let far_away = Memory::new(1000);
/// let storage = Cached::new(far_away, 100, Duration::from_secs(2));
/// ```
pub struct Cached<S> {
    storage: S,
    shards: Vec<Mutex<Shard>>,
    /// When something here ended sessions of an owner that it could not name;
    /// older copies do not count. Kept for `ttl`.
    ended: Mutex<HashMap<OwnerKey, Instant>>,
    /// Of each shard.
    capacity: usize,
    ttl: Duration,
}

#[derive(Default)]
struct Shard {
    writes: u64,
    copies: HashMap<StorageKey, Copied>,
    /// The copies in the order they were made, and some that are gone.
    order: VecDeque<(StorageKey, Instant)>,
}

struct Copied {
    stored: Stored,
    /// When the storage was asked.
    since: Instant,
}

impl<S: SessionStorage> Cached<S> {
    /// At most `capacity` copies (rounded up to a multiple of 64), none older
    /// than `ttl`.
    pub fn new(storage: S, capacity: usize, ttl: Duration) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { storage, shards, ended: Mutex::default(), capacity: capacity.div_ceil(SHARDS), ttl }
    }

    fn shard(&self, key: &StorageKey) -> &Mutex<Shard> {
        &self.shards[usize::from(key.as_bytes()[0]) % SHARDS]
    }

    fn copy(&self, key: &StorageKey, now: Timestamp) -> Option<Stored> {
        let shard = self.shard(key).lock();
        let copied = shard.copies.get(key)?;
        let good = copied.since.elapsed() < self.ttl && copied.stored.record.is_live(now);
        let (stored, since) = good.then(|| (copied.stored.clone(), copied.since))?;
        drop(shard);
        let Some(owner) = &stored.record.owner else { return Some(stored) };
        let ended = self.ended.lock().get(owner).copied();
        ended.is_none_or(|ended| ended < since).then_some(stored)
    }

    /// The record as the storage has it; keeps a copy, if nothing was written
    /// here meanwhile.
    async fn fetch(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Stored>> {
        let (writes, since) = (self.shard(key).lock().writes, Instant::now());
        let found = self.storage.read(key, now).await?;
        let mut shard = self.shard(key).lock();
        if shard.writes == writes {
            match &found {
                Some(stored) => self.keep(&mut shard, key, stored.clone(), since),
                None => drop(shard.copies.remove(key)),
            }
        }
        Ok(found)
    }

    fn keep(&self, shard: &mut Shard, key: &StorageKey, stored: Stored, since: Instant) {
        shard.copies.insert(key.clone(), Copied { stored, since });
        shard.order.push_back((key.clone(), since));
        while let Some((key, made)) = shard.order.front() {
            if shard.order.len() <= self.capacity && made.elapsed() < self.ttl {
                break;
            }
            if shard.copies.get(key).is_some_and(|copied| copied.since == *made) {
                shard.copies.remove(key);
            }
            shard.order.pop_front();
        }
    }

    /// A write begins.
    fn write(&self, key: &StorageKey) -> Writing<'_, S> {
        let writes = self.shard(key).lock().writes;
        Writing { cache: self, key: key.clone(), writes, since: Instant::now(), written: None }
    }

    /// No copy of this owner's records counts that was made until now.
    fn end_all_of(&self, owner: &OwnerKey) {
        let mut ended = self.ended.lock();
        ended.retain(|_, when| when.elapsed() < self.ttl);
        ended.insert(owner.clone(), Instant::now());
    }

    /// A write that makes room among an owner's sessions ends some of them.
    fn may_end_others(&self, record: &Record, guard: OwnerGuard) -> Option<Ending<'_, S>> {
        let owner = record.owner.clone().filter(|_| guard.limit.is_some())?;
        Some(Ending { cache: self, owner })
    }
}

/// A write under way. When it is over, whatever became of it (even if nobody
/// waits for it any more), the copy is what was written or is gone.
struct Writing<'c, S: SessionStorage> {
    cache: &'c Cached<S>,
    key: StorageKey,
    writes: u64,
    since: Instant,
    written: Option<Stored>,
}

impl<S: SessionStorage> Drop for Writing<'_, S> {
    fn drop(&mut self) {
        let mut shard = self.cache.shard(&self.key).lock();
        let alone = shard.writes == self.writes;
        shard.writes = shard.writes.wrapping_add(1);
        match self.written.take().filter(|_| alone) {
            Some(stored) => self.cache.keep(&mut shard, &self.key, stored, self.since),
            None => drop(shard.copies.remove(&self.key)),
        }
    }
}

/// Something that ends an owner's sessions is under way.
struct Ending<'c, S: SessionStorage> {
    cache: &'c Cached<S>,
    owner: OwnerKey,
}

impl<S: SessionStorage> Drop for Ending<'_, S> {
    fn drop(&mut self) {
        self.cache.end_all_of(&self.owner);
    }
}

#[rocket::async_trait]
impl<S: SessionStorage> SessionStorage for Cached<S> {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create> {
        let mut writing = self.write(key);
        let _ending = self.may_end_others(&record, guard);
        let created = self.storage.create(key, record.clone(), guard, now).await?;
        if let Create::Created(version) = created {
            writing.written = Some(Stored { version, record });
        }
        Ok(created)
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Stored>> {
        match self.copy(key, now) {
            Some(stored) => Ok(Some(stored)),
            None => self.fetch(key, now).await,
        }
    }

    async fn read_newer(
        &self,
        key: &StorageKey,
        than: Version,
        now: Timestamp,
    ) -> Result<Option<Stored>> {
        Ok(self.fetch(key, now).await?.filter(|stored| stored.version != than))
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Update> {
        let mut writing = self.write(key);
        let _ending = self.may_end_others(&record, guard);
        let updated = self.storage.update(key, expected, record.clone(), guard, now).await?;
        if let Update::Updated(version) = updated {
            writing.written = Some(Stored { version, record });
        }
        Ok(updated)
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch> {
        let _writing = self.write(key);
        self.storage.touch(key, last_seen, expires).await
    }

    async fn invalidate(&self, key: &StorageKey) -> Result<bool> {
        let _writing = self.write(key);
        self.storage.invalidate(key).await
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize> {
        self.storage.purge_expired(now, limit).await
    }

    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage> {
        self.storage.list(owner, after, limit, now).await
    }

    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize> {
        let _ending = Ending { cache: self, owner: owner.clone() };
        self.storage.invalidate_owner(owner, except, now).await
    }

    async fn owner_generation(&self, owner: &OwnerKey) -> Result<Generation> {
        self.storage.owner_generation(owner).await
    }

    fn consistency(&self) -> Consistency {
        self.storage.consistency()
    }
}

impl<S> std::fmt::Debug for Cached<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cached").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}
