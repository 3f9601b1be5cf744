//! A record as it stands in its storage.

use super::envelope::{Envelope, RecordState};
use super::trail::Trail;
use crate::definition::Definition;
use crate::expiry::Timestamp;
use crate::storage::{Record, SessionStorage, StorageError, StorageKey};

/// The record as it stands, past every cache. One that cannot be read back is none.
pub(super) async fn read_present(
    storage: &dyn SessionStorage,
    key: &StorageKey,
    now: Timestamp,
) -> Result<Option<Record>, StorageError> {
    match storage.read_fresh(key, now).await {
        Err(StorageError::Corrupt(_)) => Ok(None),
        found => found,
    }
}

/// Whether a record says that a login has replaced its session.
pub(crate) fn is_replaced(definition: &Definition, record: &Record) -> bool {
    let opened = Envelope::unwrap(&record.payload, &definition.namespace.session);
    opened.is_some_and(|(envelope, _)| matches!(envelope.state, RecordState::Replaced(_)))
}

/// The trail in a record; empty if that is no record of this session's.
pub(super) fn read_trail(record: &Record, definition: &Definition) -> Trail {
    let opened = Envelope::unwrap(&record.payload, &definition.namespace.session);
    opened.map_or_else(Trail::default, |(envelope, _)| envelope.trail)
}
