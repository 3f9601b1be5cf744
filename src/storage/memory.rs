//! Records in this process's memory. Survives nothing.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::{
    Create, Generation, OwnerGuard, OwnerKey, OwnerLimitPolicy, OwnerPage, Record, SessionStorage,
    StorageError, StorageKey, Stored, Timestamp, Touch, Update, Version,
};

/// Enough that requests on different records rarely meet.
const SHARDS: usize = 64;
/// Expired records that one insertion removes from its shard at the most.
const EXPIRED_PER_CREATE: usize = 8;
/// Revocations that are remembered one by one; beyond, older ones share a floor.
const REVOCATIONS: usize = 100_000;

/// A storage in this process's memory, for one process and until it stops.
///
/// Sharded; records expire by themselves with bounded work a step. When it is
/// full, the oldest sessions that no client ever came back with go first, so
/// that a flood of clients without cookies cannot block logins; when there are
/// none, `create` fails with [`StorageError::Unavailable`].
///
/// ```
/// use rocket_typed_sessions::storage::Memory;
///
/// let storage = Memory::new(1_000_000);
/// # drop(storage);
/// ```
pub struct Memory {
    shards: Vec<Mutex<Shard>>,
    owners: Mutex<Owners>,
    capacity: usize,
    records: AtomicUsize,
    /// The last version given to a record; never used twice.
    version: AtomicU64,
}

#[derive(Default)]
struct Shard {
    records: HashMap<StorageKey, Stored>,
    by_expiry: BTreeSet<(Timestamp, StorageKey)>,
    /// Records whose client never came back, by age.
    never_back: BTreeSet<(Timestamp, StorageKey)>,
}

/// The index of owners. Its lock is taken after a shard's, never before.
#[derive(Default)]
struct Owners {
    /// By age, so that the oldest is the first.
    sessions: HashMap<OwnerKey, BTreeSet<(Timestamp, StorageKey)>>,
    revoked: HashMap<OwnerKey, u64>,
    /// Revocations so far.
    sequence: u64,
    /// Generations before this are refused, whoever's they are.
    floor: u64,
}

/// Why an owner may not have another record.
enum Refused {
    Revoked,
    LimitReached,
}

impl Memory {
    /// A storage for up to `capacity` records.
    pub fn new(capacity: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            owners: Mutex::default(),
            capacity,
            records: AtomicUsize::new(0),
            version: AtomicU64::new(0),
        }
    }

    fn shard(&self, key: &StorageKey) -> MutexGuard<'_, Shard> {
        self.shards[usize::from(key.as_bytes()[0]) % SHARDS].lock()
    }

    fn next_version(&self) -> Version {
        Version(self.version.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Takes a record out of its shard and its owner's index.
    fn remove(&self, shard: &mut Shard, key: &StorageKey) -> Option<Stored> {
        let stored = shard.take(key)?;
        self.records.fetch_sub(1, Ordering::Relaxed);
        if let Some(owner) = &stored.record.owner {
            self.owners.lock().leave(owner, stored.record.created, key);
        }
        Some(stored)
    }

    fn purge_shard(&self, shard: &mut Shard, now: Timestamp, limit: usize) -> usize {
        let mut purged = 0;
        while purged < limit {
            let Some((_, key)) =
                shard.by_expiry.first().filter(|(expires, _)| *expires <= now).cloned()
            else {
                break;
            };
            self.remove(shard, &key);
            purged += 1;
        }
        purged
    }

    /// Counts one more record, making room if there is none.
    fn reserve(&self, now: Timestamp) -> Result<(), StorageError> {
        let claim = |records: usize| (records < self.capacity).then_some(records + 1);
        loop {
            if self.records.fetch_update(Ordering::Relaxed, Ordering::Relaxed, claim).is_ok() {
                return Ok(());
            }
            if self.purge(now, EXPIRED_PER_CREATE) == 0 && !self.evict_one() {
                let capacity = self.capacity;
                return Err(StorageError::Unavailable(
                    format!(
                        "the memory storage is full with {capacity} records; raise its `capacity`"
                    ),
                    None,
                ));
            }
        }
    }

    /// Removes an owner's expired records, so that a limit counts the living.
    fn purge_owner(&self, record: &Record, guard: OwnerGuard, now: Timestamp) {
        let Some(owner) = record.owner.as_ref().filter(|_| guard.limit.is_some()) else { return };
        let keys = self.owners.lock().keys(owner);
        for key in keys {
            let mut shard = self.shard(&key);
            if shard.live(&key, now).is_none() {
                self.remove(&mut shard, &key);
            }
        }
    }

    fn purge(&self, now: Timestamp, limit: usize) -> usize {
        let mut purged = 0;
        for shard in &self.shards {
            purged += self.purge_shard(&mut shard.lock(), now, limit - purged);
            if purged == limit {
                break;
            }
        }
        purged
    }

    /// Removes the oldest record whose client never came back.
    fn evict_one(&self) -> bool {
        let oldest =
            self.shards.iter().filter_map(|shard| shard.lock().never_back.first().cloned()).min();
        let Some((created, key)) = oldest else { return false };
        let mut shard = self.shard(&key);
        // Its client may have come back just now; then the next round decides.
        if shard.never_back.contains(&(created, key.clone())) {
            self.remove(&mut shard, &key);
        }
        true
    }

    /// Ends the sessions that a limit pushed out. They have left the index, so
    /// they count no more; no shard may be locked by the caller.
    fn end(&self, victims: Vec<StorageKey>) {
        for key in victims {
            let mut shard = self.shard(&key);
            self.remove(&mut shard, &key);
        }
    }
}

impl Shard {
    fn live(&self, key: &StorageKey, now: Timestamp) -> Option<&Stored> {
        self.records.get(key).filter(|stored| stored.record.is_live(now))
    }

    fn put(&mut self, key: &StorageKey, stored: Stored) {
        let record = &stored.record;
        self.by_expiry.insert((record.expires, key.clone()));
        if record.last_seen == record.created && !self.records.contains_key(key) {
            self.never_back.insert((record.created, key.clone()));
        }
        self.records.insert(key.clone(), stored);
    }

    fn take(&mut self, key: &StorageKey) -> Option<Stored> {
        let stored = self.records.remove(key)?;
        self.by_expiry.remove(&(stored.record.expires, key.clone()));
        self.never_back.remove(&(stored.record.created, key.clone()));
        Some(stored)
    }

    /// The client came back: never evict the record again.
    fn came_back(&mut self, created: Timestamp, key: &StorageKey) {
        self.never_back.remove(&(created, key.clone()));
    }
}

impl Owners {
    fn leave(&mut self, owner: &OwnerKey, created: Timestamp, key: &StorageKey) {
        if let Some(sessions) = self.sessions.get_mut(owner) {
            sessions.remove(&(created, key.clone()));
            if sessions.is_empty() {
                self.sessions.remove(owner);
            }
        }
    }

    /// Adds a record to its owner's index if the guard allows it; returns the
    /// sessions that the limit pushes out.
    fn join(
        &mut self,
        owner: &OwnerKey,
        created: Timestamp,
        key: &StorageKey,
        guard: OwnerGuard,
    ) -> Result<Vec<StorageKey>, Refused> {
        let revoked = self.revoked.get(owner).copied().unwrap_or(self.floor);
        if guard.generation.is_some_and(|generation| generation.0 < revoked) {
            return Err(Refused::Revoked);
        }
        let sessions = self.sessions.entry(owner.clone()).or_default();
        let mut victims = Vec::new();
        if let Some(limit) = guard.limit {
            while sessions.len() >= limit.max.max(1) {
                if limit.policy == OwnerLimitPolicy::Refuse {
                    return Err(Refused::LimitReached);
                }
                victims.extend(sessions.pop_first().map(|(_, key)| key));
            }
        }
        sessions.insert((created, key.clone()));
        Ok(victims)
    }

    fn revoke(&mut self, owner: &OwnerKey) -> Vec<StorageKey> {
        self.sequence += 1;
        if self.revoked.len() >= REVOCATIONS {
            self.revoked.clear();
            self.floor = self.sequence;
        }
        self.revoked.insert(owner.clone(), self.sequence);
        self.keys(owner)
    }

    fn keys(&self, owner: &OwnerKey) -> Vec<StorageKey> {
        self.sessions.get(owner).into_iter().flatten().map(|(_, key)| key.clone()).collect()
    }
}

#[rocket::async_trait]
impl SessionStorage for Memory {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create, StorageError> {
        self.purge_owner(&record, guard, now);
        self.reserve(now)?;
        let victims = {
            let mut shard = self.shard(key);
            self.purge_shard(&mut shard, now, EXPIRED_PER_CREATE);
            let joined = match &record.owner {
                _ if shard.records.contains_key(key) => {
                    self.records.fetch_sub(1, Ordering::Relaxed);
                    return Ok(Create::Exists);
                }
                Some(owner) => self.owners.lock().join(owner, record.created, key, guard),
                None => Ok(Vec::new()),
            };
            match joined {
                Ok(victims) => {
                    let version = self.next_version();
                    shard.put(key, Stored { version, record });
                    (version, victims)
                }
                Err(refused) => {
                    self.records.fetch_sub(1, Ordering::Relaxed);
                    return Ok(match refused {
                        Refused::Revoked => Create::Revoked,
                        Refused::LimitReached => Create::LimitReached,
                    });
                }
            }
        };
        self.end(victims.1);
        Ok(Create::Created(victims.0))
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Stored>, StorageError> {
        let mut shard = self.shard(key);
        let Some(stored) = shard.live(key, now).cloned() else { return Ok(None) };
        shard.came_back(stored.record.created, key);
        Ok(Some(stored))
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        self.purge_owner(&record, guard, now);
        let (version, victims) = {
            let mut shard = self.shard(key);
            let Some(before) = shard.live(key, now) else { return Ok(Update::Missing) };
            if before.version != expected {
                return Ok(Update::Conflict);
            }
            let (old_owner, old_created) = (before.record.owner.clone(), before.record.created);
            let mut victims = Vec::new();
            if old_owner != record.owner || old_created != record.created {
                let mut owners = self.owners.lock();
                let brings = old_owner != record.owner;
                if let Some(owner) = &record.owner {
                    let guard = if brings { guard } else { OwnerGuard::default() };
                    match owners.join(owner, record.created, key, guard) {
                        Ok(pushed_out) => victims = pushed_out,
                        Err(Refused::Revoked) => return Ok(Update::Revoked),
                        Err(Refused::LimitReached) => return Ok(Update::LimitReached),
                    }
                }
                if let Some(owner) = &old_owner {
                    owners.leave(owner, old_created, key);
                }
            }
            shard.take(key);
            let version = self.next_version();
            shard.put(key, Stored { version, record });
            let created = shard.records.get(key).map(|stored| stored.record.created);
            if let Some(created) = created {
                shard.came_back(created, key);
            }
            (version, victims)
        };
        self.end(victims);
        Ok(Update::Updated(version))
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError> {
        let mut shard = self.shard(key);
        let Some(stored) = shard.live(key, last_seen).cloned() else { return Ok(Touch::Missing) };
        let (created, before) = (stored.record.created, stored.record.expires);
        let after = before.max(expires);
        shard.by_expiry.remove(&(before, key.clone()));
        shard.by_expiry.insert((after, key.clone()));
        shard.came_back(created, key);
        if let Some(stored) = shard.records.get_mut(key) {
            stored.record.expires = after;
            stored.record.last_seen = stored.record.last_seen.max(last_seen);
        }
        Ok(Touch::Touched)
    }

    async fn invalidate(&self, key: &StorageKey) -> Result<bool, StorageError> {
        let mut shard = self.shard(key);
        Ok(self.remove(&mut shard, key).is_some())
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError> {
        Ok(self.purge(now, limit))
    }

    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError> {
        let mut keys = self.owners.lock().keys(owner);
        keys.sort_unstable();
        keys.retain(|key| after.is_none_or(|after| key > after));
        let mut page = OwnerPage::default();
        for key in keys {
            let found = self.shard(&key).live(&key, now).cloned();
            let Some(stored) = found.filter(|stored| stored.record.owner.as_ref() == Some(owner))
            else {
                continue;
            };
            if page.records.len() == limit {
                page.next = page.records.last().map(|(key, _)| key.clone());
                break;
            }
            page.records.push((key, stored));
        }
        Ok(page)
    }

    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize, StorageError> {
        // From here on, no guarded write of an older generation joins the owner.
        let keys = self.owners.lock().revoke(owner);
        let except: HashSet<_> = except.iter().collect();
        let mut ended = 0;
        for key in keys.iter().filter(|key| !except.contains(key)) {
            let mut shard = self.shard(key);
            let theirs = |stored: &Stored| stored.record.owner.as_ref() == Some(owner);
            if shard.records.get(key).is_some_and(theirs) {
                let live = shard.live(key, now).is_some();
                self.remove(&mut shard, key);
                ended += usize::from(live);
            }
        }
        Ok(ended)
    }

    async fn owner_generation(&self, _: &OwnerKey) -> Result<Generation, StorageError> {
        Ok(Generation(self.owners.lock().sequence))
    }
}
