//! Ends sessions whose payload the client carries. A storage that every node asks remembers their
//! token ids, and the epochs of their owners (docs/security.md, S47).

use std::sync::Arc;
use std::time::Duration;

use super::Sealed;
use crate::error::SessionError;
use crate::expiry::Timestamp;
use crate::namespace::Namespace;
use crate::storage::{
    Create, KeyedLocks, OwnerGuard, OwnerKey, Record, SessionStorage, StorageError, Update, Version,
};
use crate::tracked::Tracked;

/// How much longer than its longest life a token's end is remembered, in case the configuration is
/// changed to let tokens live longer.
const MARGIN: Duration = Duration::from_secs(30 * 86_400);
/// How long an epoch is kept: practically for ever. It must outlive every token that carries it,
/// because a forgotten epoch begins at zero again.
const EPOCH_LIFE: Duration = Duration::from_secs(100 * 365 * 86_400);

const GUARD: OwnerGuard = OwnerGuard { generation: None, limit: None, replaces: None };

/// Remembers which client sessions of a definition have ended.
pub(crate) struct Revocation {
    pub storage: Arc<dyn SessionStorage>,
    pub locks: Arc<KeyedLocks>,
    pub namespace: Namespace,
    /// The longest life of a session.
    pub absolute: Duration,
}

impl Revocation {
    /// Whether the session has ended, or its owner was revoked since it began. An end in favour of
    /// its successor `by` does not count: the commit that ended it got no answer, and is tried
    /// again.
    pub async fn covers(
        &self,
        session: &Sealed,
        by: Option<&Sealed>,
        now: Timestamp,
    ) -> Result<bool, SessionError> {
        let ended = self.storage.read(&self.namespace.ended_token(&session.token_id), now).await?;
        if ended.is_some_and(|mark| by.is_none_or(|by| mark.version != version_of_mark_by(by))) {
            return Ok(true);
        }
        match &session.owner {
            Some(owner) => Ok(session.epoch < self.epoch(owner, now).await?),
            None => Ok(false),
        }
    }

    /// Ends a session on every node and for every copy of its token. `by` is the token that takes
    /// its place, if one does. Returns whether the session had not been ended before.
    pub async fn end(
        &self,
        session: &Tracked<Sealed>,
        by: Option<&Sealed>,
        now: Timestamp,
    ) -> Result<bool, SessionError> {
        let key = self.namespace.ended_token(&session.place.token_id);
        let end = session.snapshot.times.created.after(self.absolute).after(MARGIN);
        let version = by.map_or_else(Version::random, |by| Ok(version_of_mark_by(by)))?;
        let mark = Record { version, ..record(&[], now, end)? };
        let created = self.storage.create(&key, mark, GUARD, now).await?;
        Ok(matches!(created, Create::Created))
    }

    /// Returns the owner's epoch. Tokens with a smaller epoch are refused.
    pub async fn epoch(&self, owner: &OwnerKey, now: Timestamp) -> Result<u64, SessionError> {
        let found = self.storage.read(&self.namespace.epoch(owner), now).await?;
        found.map_or(Ok(0), |stored| number(&stored.payload))
    }

    /// Begins the owner's next epoch, and returns it. All tokens from before are refused.
    pub async fn next_epoch(&self, owner: &OwnerKey, now: Timestamp) -> Result<u64, SessionError> {
        loop {
            let present = self.epoch(owner, now).await?;
            if let Some(next) = self.epoch_after(present, owner, now).await? {
                return Ok(next);
            }
        }
    }

    /// Begins the epoch after `present`. Returns `None` if another one has begun since.
    pub async fn epoch_after(
        &self,
        present: u64,
        owner: &OwnerKey,
        now: Timestamp,
    ) -> Result<Option<u64>, SessionError> {
        let key = self.namespace.epoch(owner);
        let _queue = self.locks.lock(&key).await;
        let found = self.storage.read(&key, now).await?;
        let known = found.as_ref().map_or(Ok(0), |stored| number(&stored.payload))?;
        if known != present {
            return Ok(None);
        }
        let next = known.saturating_add(1);
        let record = record(&next.to_be_bytes(), now, now.after(EPOCH_LIFE))?;
        let written = match found {
            None => {
                let created = self.storage.create(&key, record, GUARD, now).await?;
                matches!(created, Create::Created)
            }
            Some(stored) => {
                let updated = self.storage.update(&key, stored.version, record, now).await?;
                matches!(updated, Update::Updated)
            }
        };
        Ok(written.then_some(next))
    }
}

/// Returns the version of the mark that a session leaves when it goes on as `session`. A retry of
/// the commit gives the same version.
fn version_of_mark_by(session: &Sealed) -> Version {
    Version::from_content(&session.token_id)
}

fn record(payload: &[u8], now: Timestamp, expires: Timestamp) -> Result<Record, StorageError> {
    let version = Version::random()?;
    Ok(Record {
        version,
        payload: payload.into(),
        owner: None,
        created: now,
        last_seen: now,
        expires,
    })
}

fn number(payload: &[u8]) -> Result<u64, SessionError> {
    let bytes = payload.try_into().map_err(|_| StorageError::Corrupt("it is not an epoch"))?;
    Ok(u64::from_be_bytes(bytes))
}
