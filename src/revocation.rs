//! Ending sessions whose payload the client carries: their token ids, and their
//! owners' epochs, are remembered in a storage that every node asks
//! (checklist S47).

use std::time::Duration;

use crate::definition::{Definition, Server};
use crate::error::SessionError;
use crate::expiry::Timestamp;
use crate::storage::{Create, OwnerGuard, OwnerKey, Record, StorageError, StorageKey, Update};
use crate::token::{ended_key, epoch_key};
use crate::tracker::{Origin, Place};

/// Longer than a token could live, should the configuration be changed to let
/// tokens live longer.
const MARGIN: Duration = Duration::from_secs(30 * 86_400);
/// An epoch must outlive every token that carries it, or those after it would
/// begin anew below; so it stays.
const EPOCH_LIFE: Duration = Duration::from_secs(100 * 365 * 86_400);

const GUARD: OwnerGuard = OwnerGuard { generation: None, limit: None };

/// What a definition remembers of ended client sessions.
pub(crate) struct Revocation(Server);

impl Revocation {
    pub fn new(server: Server) -> Self {
        Self(server)
    }

    /// Whether the session was ended, or its owner revoked since it began.
    pub async fn covers(
        &self,
        definition: &Definition,
        origin: &Origin,
        owner: Option<&OwnerKey>,
        now: Timestamp,
    ) -> Result<bool, SessionError> {
        let Place::Client { token_id, epoch } = &origin.place else { return Ok(false) };
        let key = ended_key(&definition.app, &definition.name, token_id);
        if self.0.storage.read(&key, now).await?.is_some() {
            return Ok(true);
        }
        match owner {
            Some(owner) => Ok(*epoch < self.epoch(definition, owner, now).await?),
            None => Ok(false),
        }
    }

    /// Ends a session for every node, whoever has a copy of its token.
    pub async fn end(
        &self,
        definition: &Definition,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<bool, SessionError> {
        let Place::Client { token_id, .. } = &origin.place else { return Ok(false) };
        let key = ended_key(&definition.app, &definition.name, token_id);
        let end = origin.times.created.after(definition.lifetime.absolute).after(MARGIN);
        let created = self.0.storage.create(&key, record(&[], now, end), GUARD, now).await?;
        Ok(matches!(created, Create::Created(_)))
    }

    /// The owner's epoch: tokens with a smaller one are refused.
    pub async fn epoch(
        &self,
        definition: &Definition,
        owner: &OwnerKey,
        now: Timestamp,
    ) -> Result<u64, SessionError> {
        let key = epoch_key(&definition.app, &definition.name, owner);
        let found = self.0.storage.read(&key, now).await?;
        found.map_or(Ok(0), |stored| number(&stored.record.payload))
    }

    /// Begins the owner's next epoch: all tokens before it are refused.
    pub async fn next_epoch(
        &self,
        definition: &Definition,
        owner: &OwnerKey,
        now: Timestamp,
    ) -> Result<u64, SessionError> {
        let key: StorageKey = epoch_key(&definition.app, &definition.name, owner);
        let storage = &self.0.storage;
        let _queue = self.0.locks.lock(&key).await;
        loop {
            let found = storage.read(&key, now).await?;
            let next = match &found {
                Some(stored) => number(&stored.record.payload)?.saturating_add(1),
                None => 1,
            };
            let record = record(&next.to_be_bytes(), now, now.after(EPOCH_LIFE));
            let written = match found {
                None => {
                    matches!(storage.create(&key, record, GUARD, now).await?, Create::Created(_))
                }
                Some(stored) => matches!(
                    storage.update(&key, stored.version, record, GUARD, now).await?,
                    Update::Updated(_)
                ),
            };
            if written {
                return Ok(next);
            }
        }
    }
}

fn record(payload: &[u8], now: Timestamp, expires: Timestamp) -> Record {
    Record { payload: payload.into(), owner: None, created: now, last_seen: now, expires }
}

fn number(payload: &[u8]) -> Result<u64, SessionError> {
    let bytes = payload.try_into().map_err(|_| StorageError::Corrupt("it is no epoch"))?;
    Ok(u64::from_be_bytes(bytes))
}
