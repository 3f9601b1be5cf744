//! The sessions of an owner.

use super::record::{self, Opened};
use super::tracker::Server;
use crate::codec::Content;
use crate::definition::Definition;
use crate::error::SessionError;
use crate::expiry::{Times, Timestamp};
use crate::storage::{OwnerKey, StorageKey, Version};

/// Records of an owner that are read at once.
pub(super) const PAGE: usize = 100;

/// One of an owner's sessions.
pub(crate) struct Listed {
    pub key: StorageKey,
    pub version: Version,
    pub times: Times,
    pub content: Content,
    /// Who the client said that it was, encoded.
    pub client: Vec<u8>,
}

/// The live sessions of an owner, whatever their secrets.
pub(crate) async fn list(
    definition: &Definition,
    server: &Server,
    owner: &OwnerKey,
    now: Timestamp,
) -> Result<Vec<Listed>, SessionError> {
    let Some(owners) = server.storage.owners() else {
        return Err(SessionError::Unsupported("the storage has no index of owners"));
    };
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = owners.list(owner, after.as_ref(), PAGE, now).await?;
        for (key, record) in page.records {
            let version = record.version;
            let opened = record::open(definition, server, &key, record, now);
            if let Some(Opened { envelope, times, content }) = opened {
                found.push(Listed { key, version, times, content, client: envelope.client });
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}
