//! A storage in the memory of the process.

mod config;
mod locked;
mod outline;
mod owners;
mod places;
mod shard;
mod slots;
mod table;

use std::collections::HashSet;
use std::sync::Arc;

pub(crate) use config::read_config;
use locked::Removed;
use table::{RecordTable, SHARDS};

use super::{
    Create, Generation, Invalidate, OwnerGuard, OwnerIndex, OwnerKey, OwnerPage, Predecessor,
    Record, SessionStorage, StorageError, StorageKey, Succeed, Successor, Timestamp, Touch, Update,
    Version,
};

/// A storage in the memory of the process. The sessions end with the process.
///
/// It holds at most `capacity` records. When it is full, a new session replaces an
/// expired record, or else the oldest session that no client has come back with. So
/// a flood of clients without cookies cannot block logins. A client comes back when
/// its session is read or touched; another write in the request that began the
/// session does not count. A session whose client came back is never replaced. If
/// there are only such sessions, `create` fails with [`StorageError::Unavailable`].
///
/// Beginning a session in a full storage takes about as long as in any other. This
/// has two consequences: of sessions that began in the same millisecond, any may be
/// replaced first, and an expired record that a short search does not find stays
/// until the next search or until the purge, which runs once a minute.
///
/// The marks of ended sessions do not count against the capacity. There are at most
/// 131,072 marks of about 130 bytes each. Beyond that, a new mark replaces one that
/// would expire soon.
///
/// A clone is another handle on the same records.
#[derive(Clone)]
pub struct Memory(Arc<RecordTable>);

impl Memory {
    /// Makes a storage for up to `capacity` records.
    ///
    /// ```
    /// use rocket_typed_sessions::{Sessions, storage::Memory};
    ///
    /// // In Rocket.toml: storage = "carts". Two sessions that name it share its capacity.
    /// let carts = Memory::new(1_000_000);
    /// let sessions = Sessions::fairing().storage("carts", carts);
    /// ```
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(RecordTable::new(capacity)))
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
        self.0.create(Successor { key, record, guard }, now)
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>, StorageError> {
        Ok(self.0.shard(key).present(key, now).map(|slot| slot.record.clone()))
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        let mut new = Predecessor { key, expected, record };
        self.0.swap(&mut self.0.shard(key), &mut new, now)
    }

    async fn succeed(
        &self,
        new: Successor<'_>,
        old: Predecessor<'_>,
        now: Timestamp,
    ) -> Result<Succeed, StorageError> {
        self.0.succeed(new, old, now)
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError> {
        let mut shard = self.0.shard(key);
        let Some(slot) = shard.present(key, last_seen) else { return Ok(Touch::Missing) };
        slot.touch(last_seen, expires);
        Ok(Touch::Touched)
    }

    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate, StorageError> {
        let mut removed = Removed::new();
        let mut shard = self.0.locked(key, &mut removed);
        let found = || shard.get(key).map(|slot| slot.record.version);
        if Invalidate::conflicts(expected, found) {
            return Ok(Invalidate::Conflict);
        }
        if let Some(until) = mark {
            shard.marks.leave(key, until);
        }
        let removed = self.0.remove(&mut shard, key);
        Ok(if removed { Invalidate::Invalidated } else { Invalidate::Missing })
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError> {
        let mut removed = 0;
        let first = self.0.swept();
        // The purge makes one round, wherever the last one stopped.
        while removed < limit && self.0.swept().wrapping_sub(first) < SHARDS {
            removed += self.0.sweep_some(now, limit - removed);
            rocket::tokio::task::yield_now().await;
        }
        Ok(removed)
    }

    fn owners(&self) -> Option<&dyn OwnerIndex> {
        Some(self)
    }

    /// Every operation completes when its future is first polled.
    fn loses_answers(&self) -> bool {
        false
    }
}

#[rocket::async_trait]
impl OwnerIndex for Memory {
    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError> {
        let keys = self.0.keys(owner, |_| true);
        OwnerPage::find(keys, after, limit, |key| {
            let shard = self.0.shard(key);
            let live = shard.live(key, now).map(|(_, record)| record);
            Ok(live.filter(|record| record.owner.as_ref() == Some(owner)).cloned())
        })
    }

    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize, StorageError> {
        let except: HashSet<_> = except.iter().collect();
        let mut removed = Removed::new();
        let _login = self.0.login(owner);
        // From here on, a guarded write with an older generation is refused.
        self.0.owners(owner).revoke(owner);
        let mut ended = 0;
        for key in self.0.keys(owner, |slot| !except.contains(&slot.key)) {
            let mut shard = self.0.locked(&key, &mut removed);
            let theirs = shard.get(&key).filter(|slot| slot.record.owner.as_ref() == Some(owner));
            if let Some(live) = theirs.map(|slot| slot.record.is_live(now)) {
                self.0.remove(&mut shard, &key);
                ended += usize::from(live);
            }
        }
        Ok(ended)
    }

    async fn generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError> {
        Ok(self.0.owners(owner).generation())
    }
}
