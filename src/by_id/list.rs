//! Reads an owner's live records, in no order.

use super::record::{self, OpenedRecord};
use super::tracker::RecordStore;
use crate::codec::Content;
use crate::definition::Definition;
use crate::error::SessionError;
use crate::expiry::{Times, Timestamp};
use crate::storage::{OwnerIndex, OwnerKey, Record, StorageError, StorageKey, Version};

/// How many records of an owner are read in the first call. Each call reads twice as many as the one
/// before, because an index may look at all of an owner's keys in each call.
const FIRST_PAGE: usize = 100;
/// How many records are read in one call at most.
const LONGEST_PAGE: usize = 3_200;

/// One of an owner's sessions.
pub(crate) struct Listed {
    pub key: StorageKey,
    pub version: Version,
    pub times: Times,
    pub content: Content,
    /// The encoded description of the client.
    pub client: Vec<u8>,
}

/// Lists the live sessions of an owner.
pub(crate) async fn list(
    definition: &Definition,
    store: &RecordStore,
    owner: &OwnerKey,
    now: Timestamp,
) -> Result<Vec<Listed>, SessionError> {
    let Some(owners) = store.storage.owners() else {
        return Err(SessionError::Unsupported("the storage has no index of owners".into()));
    };
    let mut found = Vec::new();
    visit(owners, owner, now, |key, record| {
        let version = record.version;
        let opened = record::open(definition, store, &key, record, now);
        if let Some(OpenedRecord { envelope, times, content }) = opened {
            found.push(Listed { key, version, times, content, client: envelope.client });
        }
    })
    .await?;
    Ok(found)
}

/// Calls `show` with every live record of an owner, page by page.
pub(super) async fn visit(
    owners: &dyn OwnerIndex,
    owner: &OwnerKey,
    now: Timestamp,
    mut show: impl FnMut(StorageKey, Record),
) -> Result<(), StorageError> {
    let (mut after, mut limit) = (None, FIRST_PAGE);
    loop {
        let page = owners.list(owner, after.as_ref(), limit, now).await?;
        page.records.into_iter().for_each(|(key, record)| show(key, record));
        (after, limit) = (page.next, LONGEST_PAGE.min(2 * limit));
        if after.is_none() {
            return Ok(());
        }
    }
}
