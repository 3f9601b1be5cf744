//! What a case works with: two handles on one backend, and short ways to ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::verdict::Check;
use crate::storage::{
    Create, Invalidate, OwnerGuard, OwnerIndex, OwnerKey, Predecessor, Record, SessionStorage,
    StorageKey, Succeed, Successor, Timestamp, Update, Version,
};

/// When every case begins.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_900_000_000_000);
/// How long a record lives unless a case says otherwise.
pub(super) const LIFE: Duration = Duration::from_secs(3600);
/// No conditions.
pub(super) const FREE: OwnerGuard = OwnerGuard { generation: None, limit: None, replaces: None };

/// Two handles on one backend.
#[derive(Clone)]
pub(super) struct Subject {
    pub storage: Arc<dyn SessionStorage>,
    pub again: Arc<dyn SessionStorage>,
}

/// So many seconds after the beginning.
pub(super) fn at(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

pub(super) fn key(n: u64) -> StorageKey {
    StorageKey::from_bytes(Sha256::digest(n.to_be_bytes()).into())
}

pub(super) fn owner(n: u64) -> OwnerKey {
    OwnerKey::from_bytes(Sha256::digest((!n).to_be_bytes()).into())
}

/// Draws versions as the core does: spread over the 64 bits, and never the same one twice.
fn version() -> Version {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let hash = Sha256::digest(DRAWN.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    Version::from_u64(hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)))
}

/// A record that begins now.
pub(super) fn record(payload: impl AsRef<[u8]>) -> Record {
    Record {
        version: version(),
        payload: payload.as_ref().into(),
        owner: None,
        created: NOW,
        last_seen: NOW,
        expires: NOW.after(LIFE),
    }
}

pub(super) fn owned_by(n: u64) -> Record {
    Record { owner: Some(owner(n)), ..record("owned") }
}

impl Subject {
    pub async fn create(&self, n: u64, record: Record) -> Check<Version> {
        let version = record.version;
        match self.storage.create(&key(n), record, FREE, NOW).await? {
            Create::Created => Ok(version),
            other => Err(format!("`create` under a new key was {other:?}").into()),
        }
    }

    pub async fn read(&self, n: u64) -> Check<Option<Record>> {
        Ok(self.storage.read(&key(n), NOW).await?)
    }

    /// The record, which must be there.
    pub async fn found(&self, n: u64) -> Check<Record> {
        let found = self.read(n).await?;
        found.ok_or_else(|| "a record that was written is not found".into())
    }

    /// The record as it stands, past every cache.
    pub async fn fresh(&self, n: u64) -> Check<Option<Record>> {
        Ok(self.storage.read_fresh(&key(n), NOW).await?)
    }

    pub async fn update(&self, n: u64, at: Version, record: Record) -> Check<Update> {
        Ok(self.storage.update(&key(n), at, record, NOW).await?)
    }

    pub async fn updated(&self, n: u64, at: Version, record: Record) -> Check<Version> {
        let version = record.version;
        match self.update(n, at, record).await? {
            Update::Updated => Ok(version),
            other => Err(format!("`update` with the present version was {other:?}").into()),
        }
    }

    /// A login under the key of `new`, over the record under the key of `old`, of which
    /// `replaced` is left.
    pub async fn succeed(
        &self,
        (new, record, guard): (u64, Record, OwnerGuard),
        (old, expected, replaced): (u64, Version, Record),
        now: Timestamp,
    ) -> Check<Succeed> {
        let (new, old) = (key(new), key(old));
        let successor = Successor { key: &new, record, guard };
        let predecessor = Predecessor { key: &old, expected, record: replaced };
        Ok(self.storage.succeed(successor, predecessor, now).await?)
    }

    /// Ends a record and leaves no mark. Says whether there was one.
    pub async fn invalidate(&self, n: u64) -> Check<bool> {
        Ok(self.end(n, None, None).await? == Invalidate::Invalidated)
    }

    pub async fn end(
        &self,
        n: u64,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Check<Invalidate> {
        Ok(self.storage.invalidate(&key(n), expected, mark).await?)
    }

    /// The storage's index of owners.
    pub fn index(&self) -> Check<&dyn OwnerIndex> {
        self.storage.owners().ok_or_else(|| "the index of owners has gone".into())
    }

    /// The numbers, out of `all`, of the keys in an owner's index at `now`; none
    /// where there is no index.
    pub async fn listed(
        &self,
        owner: &OwnerKey,
        all: std::ops::Range<u64>,
        now: Timestamp,
    ) -> Check<Vec<u64>> {
        let Some(index) = self.storage.owners() else { return Ok(Vec::new()) };
        let page = index.list(owner, None, 1000, now).await?;
        let mut listed = Vec::new();
        for (found, _) in page.records {
            let number = all.clone().find(|n| key(*n) == found);
            listed.push(number.ok_or("`list` named a key that was never written")?);
        }
        listed.sort_unstable();
        Ok(listed)
    }
}
