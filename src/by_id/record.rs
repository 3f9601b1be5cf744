//! A session's record: how it is opened, and how it is made.

use std::sync::Arc;

use rocket::warn;

use super::MARK;
use super::envelope::{Envelope, Provenance, RecordState};
use super::secrets::Secrets;
use super::tracker::RecordStore;
use super::trail::Trail;
use crate::codec::Content;
use crate::definition::{Core, Definition};
use crate::error::SessionError;
use crate::expiry::{Times, Timestamp};
use crate::plan::Snapshot;
use crate::storage::{OwnerKey, Payload, Record, StorageKey, Version};
use crate::token::SessionId;
use crate::tracked::Tracked;

/// Where a session by id is: its record, as it was found.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    /// The id that the client presented, or was sent since.
    pub id: SessionId,
    pub key: StorageKey,
    pub version: Version,
    pub owner: Option<OwnerKey>,
    pub secrets: Secrets,
    /// The previous versions of the record.
    pub trail: Trail,
    pub provenance: Provenance,
}

/// What a record of this definition holds.
pub(super) struct OpenedRecord {
    pub envelope: Envelope,
    pub times: Times,
    pub content: Content,
}

/// Opens a record. Returns its live session, if there is one.
pub(super) fn open(
    definition: &Definition,
    store: &RecordStore,
    key: &StorageKey,
    record: Record,
    now: Timestamp,
) -> Option<OpenedRecord> {
    let opened = open_any(definition, store, key, record, now)?;
    (opened.envelope.state == RecordState::Session).then_some(opened)
}

/// Opens a record as [`open`] does. For two minutes it also opens what a login has left of a
/// session that it replaced.
pub(super) fn open_any(
    definition: &Definition,
    store: &RecordStore,
    key: &StorageKey,
    record: Record,
    now: Timestamp,
) -> Option<OpenedRecord> {
    let name = &definition.namespace.session;
    let Some((envelope, start)) = Envelope::unwrap(&record.payload, name) else {
        if store.report_once(key) {
            warn!(
                "Session `{name}`: the record {key:?} does not belong to this session; it counts as absent."
            );
        }
        return None;
    };
    let times = Times {
        created: record.created,
        seen: record.last_seen,
        authenticated: envelope.authenticated,
        lifetime: envelope.lifetime,
    };
    let lives = match envelope.state {
        RecordState::Session => definition.admits(&times, now),
        // A touch does not prolong that.
        RecordState::Replaced(_) => now < record.created.after(MARK),
        RecordState::Claim(_) => false,
    };
    if !lives {
        return None;
    }
    let is_session = envelope.state == RecordState::Session;
    let content = if !is_session || definition.codec.transformers.is_empty() {
        Content::Stored(record.payload, start)
    } else {
        definition.codec.content(record.payload[start..].to_vec())?
    };
    Some(OpenedRecord { envelope, times, content })
}

/// Makes the record that a login leaves of a session that it replaced. It opens nothing, has no
/// value and no owner, and names its successor.
pub(super) fn write_replaced(
    core: &Core,
    definition: &Definition,
    envelope: &Envelope,
    now: Timestamp,
) -> Result<Record, SessionError> {
    Ok(Record {
        version: fresh_version(core)?,
        payload: envelope.wrap(&definition.namespace.session, &[]).into(),
        owner: None,
        created: now,
        last_seen: now,
        expires: now.after(MARK),
    })
}

/// Draws the version of one write.
fn fresh_version(core: &Core) -> Result<Version, SessionError> {
    Ok(Version::from_u64(core.random.number()?))
}

/// A record to write, with what the core must know of it afterwards.
pub(crate) struct Draft {
    pub id: SessionId,
    pub key: StorageKey,
    pub secrets: Secrets,
    pub trail: Trail,
    pub provenance: Provenance,
    /// The id is the previous one, in its grace period.
    pub in_grace: bool,
    pub times: Times,
    pub owner: Option<OwnerKey>,
    pub content: Content,
}

impl Draft {
    /// Returns the record to write, and the session as it is once the record is written.
    pub fn write(
        self,
        core: &Core,
        definition: &Definition,
        store: &RecordStore,
        client: &[u8],
    ) -> Result<(Record, Arc<Tracked<Located>>), SessionError> {
        let Self { id, key, secrets, trail, provenance, in_grace, times, owner, content } = self;
        let value = definition.codec.payload(&content)?;
        let Times { authenticated, lifetime, .. } = times;
        let (state, client) = (RecordState::Session, client.to_vec());
        let envelope =
            Envelope { secrets, authenticated, lifetime, trail, provenance, state, client };
        let (version, payload) = if store.is_file(&id) {
            (
                Version::from_content(&value),
                Payload::new(&value, definition.codec.decoded(&content)),
            )
        } else {
            let payload = envelope.wrap(&definition.namespace.session, &value);
            (fresh_version(core)?, Payload::new(&payload, definition.codec.decoded(&content)))
        };
        let record = Record {
            version,
            payload,
            owner: owner.clone(),
            created: times.created,
            last_seen: times.seen,
            expires: definition.policy.timeouts.expires(&times),
        };
        let whole_id = id.as_ktor().is_some();
        let snapshot = Snapshot { in_grace, whole_id, ..Snapshot::written(times) };
        let Envelope { secrets, trail, provenance, .. } = envelope;
        let place = Located { id, key, version, owner, secrets, trail, provenance };
        Ok((record, Arc::new(Tracked { snapshot, content, place })))
    }
}
