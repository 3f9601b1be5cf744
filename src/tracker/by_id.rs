//! The token is an id; the session is a record in a storage.

use std::borrow::Cow;

use rocket::{error, warn};

use super::envelope::{Admitted, Envelope, Secrets};
use super::{Content, Found, Located, Origin, Place};
use crate::definition::{Definition, Server};
use crate::error::SessionError;
use crate::expiry::{Times, Timestamp};
use crate::storage::{
    Consistency, OwnerGuard, OwnerKey, Record, StorageError, StorageKey, Stored, Version,
};
use crate::token::{Read, SessionId};

/// Records of an owner that are read at once.
const PAGE: usize = 100;

/// Every distinct live session among `values`. Forged tokens cost no storage call.
pub(crate) async fn load(
    definition: &Definition,
    server: &Server,
    values: &[Cow<'_, str>],
    now: Timestamp,
) -> Result<Found, SessionError> {
    let mut ids: Vec<Read<SessionId>> = Vec::new();
    let (format, limit) = (definition.format(), definition.size.bytes);
    for opened in values.iter().filter_map(|value| format.open_id(value, limit)) {
        if !ids.iter().any(|other| other.content == opened.content) {
            ids.push(opened);
        }
    }
    let mut found = Found::default();
    for Read { content: id, stale, accepted } in ids {
        match find(definition, server, &id, now).await? {
            Some(origin) => found.origins.push(Origin { stale_key: stale, accepted, ..origin }),
            // Only a signature tells that the id was ever given out.
            None => found.over |= format.is_protected(),
        }
    }
    Ok(found)
}

/// The live session that `id` names, if its secret is still the right one.
pub(crate) async fn find(
    definition: &Definition,
    server: &Server,
    id: &SessionId,
    now: Timestamp,
) -> Result<Option<Origin>, SessionError> {
    let key = id.storage_key(&definition.app, &definition.name);
    let storage = server.storage_of(id);
    let origin = |stored: Stored| origin(definition, server, id, key.clone(), stored, now);
    let found = async {
        let Some(stored) = storage.read(&key, now).await? else { return Ok(None) };
        let version = stored.version;
        if let Some(origin) = origin(stored) {
            return Ok(Some(origin));
        }
        // The id may be newer than a cached copy.
        Ok(storage.read_newer(&key, version, now).await?.and_then(origin))
    };
    match found.await {
        Ok(found) => Ok(found),
        // One bad record must not fail its client's every request.
        Err(StorageError::Corrupt(what)) => {
            if server.report_once(&key) {
                error!(
                    "Session `{}`: the record {key:?} is corrupt ({what}); it counts as absent.",
                    definition.name
                );
            }
            Ok(None)
        }
        Err(cause) => Err(cause.into()),
    }
}

/// One of an owner's sessions.
pub(crate) struct Listed {
    pub key: StorageKey,
    pub times: Times,
    pub content: Content,
    /// Who the client said that it was, encoded.
    pub client: Vec<u8>,
}

/// The live sessions of an owner, whatever their secrets.
pub(crate) async fn of_owner(
    definition: &Definition,
    server: &Server,
    owner: &OwnerKey,
    now: Timestamp,
) -> Result<Vec<Listed>, SessionError> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = server.storage.list(owner, after.as_ref(), PAGE, now).await?;
        for (key, stored) in page.records {
            let opened = open(definition, server, &key, stored.record, now);
            if let Some((envelope, times, content)) = opened {
                found.push(Listed { key, times, content, client: envelope.client });
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

fn origin(
    definition: &Definition,
    server: &Server,
    id: &SessionId,
    key: StorageKey,
    stored: Stored,
    now: Timestamp,
) -> Option<Origin> {
    let Stored { version, record } = stored;
    let owner = record.owner.clone();
    if server.is_file(id) {
        let times = Times { created: record.created, ..Times::begin(record.last_seen, false) };
        let content = Content::Shared(record.payload, 0);
        let located =
            Located { id: id.clone(), key, version, owner, secrets: Secrets::of(id), grace: false };
        let place = Place::Server(Box::new(located));
        let live = definition.lifetime.admits(&times, now);
        return live.then_some(Origin { times, content, stale_key: false, accepted: false, place });
    }
    let (envelope, times, content) = open(definition, server, &key, record, now)?;
    let secrets = envelope.secrets;
    let grace = match secrets.admit(id)? {
        Admitted::Current => false,
        Admitted::Previous if definition.lifetime.in_grace(secrets.renewed, now) => true,
        Admitted::Previous => return None,
    };
    let located = Located { id: id.clone(), key, version, owner, secrets, grace };
    let place = Place::Server(Box::new(located));
    Some(Origin { times, content, stale_key: false, accepted: false, place })
}

/// What a record holds, if it is this session's and lives.
fn open(
    definition: &Definition,
    server: &Server,
    key: &StorageKey,
    record: Record,
    now: Timestamp,
) -> Option<(Envelope, Times, Content)> {
    let Some((envelope, start)) = Envelope::unwrap(&record.payload, &definition.name) else {
        if server.report_once(key) {
            warn!(
                "Session `{}`: the record {key:?} is not this session's; it counts as absent.",
                definition.name
            );
        }
        return None;
    };
    let times = Times {
        created: record.created,
        seen: record.last_seen,
        authenticated: envelope.authenticated,
        idle_override: envelope.idle_override,
    };
    if !definition.lifetime.admits(&times, now) {
        return None;
    }
    let content = if definition.transformers.is_empty() {
        Content::Shared(record.payload, start)
    } else {
        Content::owned(definition.transform_read(record.payload[start..].to_vec())?)
    };
    Some((envelope, times, content))
}

/// A record about to be written, with what the core must know of it afterwards.
pub(crate) struct Draft {
    pub id: SessionId,
    pub key: StorageKey,
    pub secrets: Secrets,
    pub grace: bool,
    pub times: Times,
    pub owner: Option<OwnerKey>,
    pub content: Content,
}

impl Draft {
    /// The record to hand to the storage.
    pub fn record(&self, definition: &Definition, client: &[u8]) -> Result<Record, SessionError> {
        let envelope = Envelope {
            secrets: self.secrets.clone(),
            authenticated: self.times.authenticated,
            idle_override: self.times.idle_override,
            client: client.to_vec(),
        };
        let value = definition.transform_write(self.content.bytes())?;
        definition.check_payload(value.len())?;
        let bare = definition.server.as_ref().is_some_and(|server| server.is_file(&self.id));
        Ok(Record {
            payload: if bare {
                value.into_owned().into()
            } else {
                envelope.wrap(&definition.name, &value)
            },
            owner: self.owner.clone(),
            created: self.times.created,
            last_seen: self.times.seen,
            expires: definition.lifetime.expires(&self.times),
        })
    }

    /// The session as it stands once the storage has written it.
    pub fn written(self, version: Version) -> Origin {
        let Self { id, key, secrets, grace, times, owner, content } = self;
        let located = Located { id, key, version, owner, secrets, grace };
        let place = Place::Server(Box::new(located));
        Origin { times, content, stale_key: false, accepted: false, place }
    }
}

/// Under which conditions a record may become its owner's: within the limit,
/// and not if the owner is revoked from now on.
pub(crate) async fn guard(
    definition: &Definition,
    server: &Server,
    owner: Option<&OwnerKey>,
) -> Result<OwnerGuard, SessionError> {
    let indexed = server.storage.consistency() == Consistency::CompareAndSwap;
    match owner.filter(|_| indexed) {
        None => Ok(OwnerGuard::default()),
        Some(owner) => {
            let generation = Some(server.storage.owner_generation(owner).await?);
            Ok(OwnerGuard { generation, limit: definition.owner_limit })
        }
    }
}
