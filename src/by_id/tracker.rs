//! Tracks the sessions of a definition in its storage, and ends them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use parking_lot::Mutex;
use rocket::Request;

use super::MARK;
use super::present::{is_replaced, read_present};
use crate::client::ClientInfo;
use crate::definition::Definition;
use crate::error::{EncodeError, SessionError};
use crate::expiry::Timestamp;
use crate::storage::{
    Invalidate, KeyedLocks, KtorDirectory, OwnerGuard, OwnerKey, OwnerLimit, Record,
    SessionStorage, StorageError, StorageKey, Version,
};
use crate::token::SessionId;

/// The most unreadable records to remember. Each of them is reported once.
const MAX_REPORTED: usize = 1000;
/// How often an end is tried again while other requests write the record.
const END_TRIES: usize = 8;

/// Tracks the sessions of a definition whose records a storage keeps.
pub(crate) struct ById {
    pub store: RecordStore,
    /// How many sessions an owner may have.
    pub owner_limit: Option<OwnerLimit>,
    /// Makes the ids of sessions that begin in Ktor's format.
    pub identity: Option<Identity>,
    /// Whether records describe the client.
    pub remember_client: bool,
}

/// How an application makes the ids of its sessions.
pub(crate) struct Identity {
    pub make: MakeIdentity,
    /// The fewest characters of an id.
    pub least: usize,
}

/// The function that [`SessionsFairing::identity`](crate::SessionsFairing::identity) takes.
pub(crate) type MakeIdentity = Arc<dyn Fn(&Request<'_>) -> String + Send + Sync>;

/// A storage, and what this process knows of its records.
#[derive(Clone)]
pub(crate) struct RecordStore {
    pub storage: Arc<dyn SessionStorage>,
    /// Whether each operation of the storage costs a round trip.
    pub is_remote: bool,
    /// The folder of Ktor's session files, if Ktor's format is written or accepted.
    pub ktor: Option<KtorDirectory>,
    /// The locks of the records that are being committed.
    pub locks: Arc<KeyedLocks>,
    /// The records that were reported as unreadable.
    pub reported: Arc<Mutex<HashSet<StorageKey>>>,
}

/// What became of the end of a session.
pub(crate) enum EndOutcome {
    Ended,
    /// There was no session.
    Missing,
    /// A login has replaced the session. Its record, which says so, stays.
    Replaced(Record),
}

impl RecordStore {
    pub fn new(storage: Arc<dyn SessionStorage>) -> Self {
        let is_remote = storage.is_remote();
        Self { storage, is_remote, ktor: None, locks: Arc::default(), reported: Arc::default() }
    }

    /// Returns where the session with this id is kept. If there is a folder for Ktor's sessions,
    /// each of them is a file there.
    pub fn storage_for(&self, id: &SessionId) -> Cow<'_, Arc<dyn SessionStorage>> {
        match (&self.ktor, id.as_ktor()) {
            (Some(files), Some(id)) => {
                let file: Arc<dyn SessionStorage> = Arc::new(files.file(Arc::clone(id)));
                Cow::Owned(file)
            }
            _ => Cow::Borrowed(&self.storage),
        }
    }

    /// Whether the records of both are in one storage.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.storage, &other.storage)
    }

    /// Whether the session with this id is a file of Ktor's, which holds nothing but the value.
    pub fn is_file(&self, id: &SessionId) -> bool {
        self.ktor.is_some() && id.as_ktor().is_some()
    }

    /// Whether to report this record. It is reported once, because its client presents it again and
    /// again.
    pub fn report_once(&self, key: &StorageKey) -> bool {
        let mut reported = self.reported.lock();
        reported.len() < MAX_REPORTED && reported.insert(key.clone())
    }
}

impl Identity {
    /// Returns the id for a session of `type_name` that begins in this request.
    pub fn ask(&self, request: &Request<'_>, type_name: &str) -> Result<SessionId, SessionError> {
        let refused = |what: String| {
            SessionError::Encode(EncodeError::new(format!("`identity` of `{type_name}` {what}")))
        };
        let made = std::panic::catch_unwind(AssertUnwindSafe(|| (self.make)(request)));
        let id = made.map_err(|_| refused("panicked".into()))?;
        let (length, least) = (id.len(), self.least);
        if length < least {
            return Err(refused(format!(
                "returned an id of {length} characters; outside the debug profile it needs at least {least}, which are 128 random bits in base64"
            )));
        }
        SessionId::ktor(&id)
            .map_err(|_| refused("returned an id that Ktor refuses; see `SessionId::ktor`".into()))
    }
}

impl ById {
    /// Returns the encoded description of the client; `None` without `remember_client`.
    pub fn client(&self, request: &Request<'_>) -> Option<Box<[u8]>> {
        self.remember_client.then(|| ClientInfo::read(request).encode().into())
    }

    /// Ends a session in `storage`, and keeps out a `create` that is still under way. If a login
    /// has replaced the session meanwhile, its record stays. `expected` is the version that it was
    /// found with.
    pub async fn end(
        &self,
        definition: &Definition,
        storage: &dyn SessionStorage,
        (key, mut expected): (&StorageKey, Option<Version>),
        now: Timestamp,
    ) -> Result<EndOutcome, StorageError> {
        let mark = self.mark(now);
        for _ in 0..END_TRIES {
            match storage.invalidate(key, expected, mark).await? {
                Invalidate::Invalidated => return Ok(EndOutcome::Ended),
                Invalidate::Missing => return Ok(EndOutcome::Missing),
                Invalidate::Conflict => {}
            }
            match read_present(storage, key, now).await? {
                Some(record) if is_replaced(definition, &record) => {
                    return Ok(EndOutcome::Replaced(record));
                }
                found => expected = found.map(|record| record.version),
            }
        }
        storage.invalidate(key, None, mark).await?;
        Ok(EndOutcome::Ended)
    }

    /// Returns until when the mark of an end keeps out a late `create`. `None` where another
    /// session may begin under the same id.
    pub fn mark(&self, now: Timestamp) -> Option<Timestamp> {
        self.identity.is_none().then(|| now.after(MARK))
    }

    /// Reads the conditions under which a record may become its owner's: the limit allows it, and
    /// the owner is not revoked from now on.
    pub async fn guard(&self, owner: Option<&OwnerKey>) -> Result<OwnerGuard, SessionError> {
        match owner.zip(self.store.storage.owners()) {
            None => Ok(OwnerGuard::default()),
            Some((owner, owners)) => {
                let generation = Some(owners.generation(owner).await?);
                Ok(OwnerGuard { generation, limit: self.owner_limit, replaces: None })
            }
        }
    }
}
