//! Reads a record as it is in its storage, past every cache.

use super::envelope::{Envelope, RecordState};
use super::trail::Trail;
use crate::definition::Definition;
use crate::expiry::Timestamp;
use crate::storage::{Record, SessionStorage, StorageError, StorageKey};

/// Reads the record past every cache. A corrupt record counts as absent.
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

/// Whether a login has replaced the session of this record.
pub(crate) fn is_replaced(definition: &Definition, record: &Record) -> bool {
    let opened = Envelope::unwrap(&record.payload, &definition.namespace.session);
    opened.is_some_and(|(envelope, _)| matches!(envelope.state, RecordState::Replaced(_)))
}

/// Returns the trail in a record. It is empty if the record is not this definition's.
pub(super) fn read_trail(record: &Record, definition: &Definition) -> Trail {
    let opened = Envelope::unwrap(&record.payload, &definition.namespace.session);
    opened.map_or_else(Trail::default, |(envelope, _)| envelope.trail)
}
