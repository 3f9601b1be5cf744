//! Sessions by id: the token is an id, and the session is a record in a storage.

mod commit;
mod create;
mod envelope;
mod former;
mod kin;
mod login;
mod migrate;
mod record;
mod replace;
mod settle;
mod touch;
mod trail;
mod unheld;

use std::borrow::Cow;
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use commit::commit;
use envelope::{Admitted, State};
pub(crate) use envelope::{Envelope, Joined, Secrets};
use parking_lot::Mutex;
pub(crate) use record::Draft;
use record::Opened;
use rocket::{Request, error};
pub(crate) use settle::{Attempt, Outcome, settle};
pub(crate) use trail::Trail;
pub(crate) use unheld::{end_unheld, end_untold};

use crate::client::ClientInfo;
use crate::definition::Definition;
use crate::error::{EncodeError, SessionError};
use crate::expiry::{Times, Timestamp};
use crate::request::load::Found;
use crate::request::plan::Snapshot;
use crate::request::tracked::{Content, Replaced, Tracked};
use crate::storage::{
    Invalidate, KeyedLocks, KtorDirectory, OwnerGuard, OwnerKey, OwnerLimit, Record,
    SessionStorage, StorageError, StorageKey, Version,
};
use crate::token::{Read, SessionId};

/// Records of an owner that are read at once.
const PAGE: usize = 100;
/// Unreadable records that are remembered, so that each is reported once.
const MAX_REPORTED: usize = 1000;
/// How often an end looks again at a record that others write meanwhile.
const END_TRIES: usize = 8;
/// How long an end keeps writes out that were on their way.
const MARK: Duration = Duration::from_secs(120);

/// Tracks the sessions of a definition whose records a storage keeps.
pub(crate) struct ById {
    pub server: Server,
    /// How many sessions an owner may have.
    pub owner_limit: Option<OwnerLimit>,
    /// Makes the ids of Ktor sessions that begin, and how short they may be.
    pub identity: Option<(Identity, usize)>,
    /// Records describe the client.
    pub remember_client: bool,
}

/// What [`SessionsFairing::identity`](crate::SessionsFairing::identity) takes.
pub(crate) type Identity = fn(&Request<'_>) -> String;

/// A storage and what this process knows of its records.
#[derive(Clone)]
pub(crate) struct Server {
    pub storage: Arc<dyn SessionStorage>,
    /// The folder of Ktor's session files, written or accepted.
    pub ktor: Option<KtorDirectory>,
    /// The locks of the records that are being committed.
    pub locks: Arc<KeyedLocks>,
    /// Records that were reported as unreadable.
    pub reported: Arc<Mutex<HashSet<StorageKey>>>,
}

/// What the end of a session has met.
pub(crate) enum Ending {
    Ended,
    /// There was none.
    Missing,
    /// A login has replaced it: this is left of it, and stays.
    Replaced(Record),
}

/// Where a session by id is: a record, as it was found.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    /// The id that was presented, or that was sent since.
    pub id: SessionId,
    pub key: StorageKey,
    pub version: Version,
    pub owner: Option<OwnerKey>,
    pub secrets: Secrets,
    /// The versions that the record had before.
    pub trail: Trail,
    pub joined: Joined,
}

impl Server {
    pub fn new(storage: Arc<dyn SessionStorage>) -> Self {
        Self { storage, ktor: None, locks: Arc::default(), reported: Arc::default() }
    }

    /// Where the session with this id is kept: Ktor's are files of their own,
    /// if there is a folder for them.
    pub fn storage_of(&self, id: &SessionId) -> Arc<dyn SessionStorage> {
        match (&self.ktor, id.as_ktor()) {
            (Some(files), Some(id)) => Arc::new(files.file(Arc::clone(id))),
            _ => Arc::clone(&self.storage),
        }
    }

    /// Whether the session with this id is a file of Ktor's, which holds the
    /// value and nothing of ours.
    pub fn is_file(&self, id: &SessionId) -> bool {
        self.ktor.is_some() && id.as_ktor().is_some()
    }

    /// Whether to report this record: its client comes back with every request.
    pub fn report_once(&self, key: &StorageKey) -> bool {
        let mut reported = self.reported.lock();
        reported.len() < MAX_REPORTED && reported.insert(key.clone())
    }
}

impl ById {
    /// The encoded description of the client. Empty without `remember_client`.
    pub fn client(&self, request: &Request<'_>) -> Arc<[u8]> {
        let client = self.remember_client.then(|| ClientInfo::of(request).encode());
        client.unwrap_or_default().into()
    }

    /// The id that the application gives to a session that begins in this request.
    pub fn identity(&self, request: &Request<'_>) -> Option<Result<SessionId, SessionError>> {
        let (identity, least) = self.identity?;
        let made = std::panic::catch_unwind(AssertUnwindSafe(|| identity(request)));
        let id = made.ok().filter(|id| id.len() >= least).and_then(|id| SessionId::ktor(&id).ok());
        let message = "`identity` panicked, or made an id that is too short or not one of Ktor's";
        Some(id.ok_or_else(|| SessionError::Encode(EncodeError::new(message))))
    }

    /// Ends a session in `storage`, for a `create` that is still on its way as well.
    /// What a login has left of it meanwhile stays. `expected` is the version that it was
    /// found with.
    pub async fn end(
        &self,
        definition: &Definition,
        storage: &dyn SessionStorage,
        (key, mut expected): (&StorageKey, Option<Version>),
        now: Timestamp,
    ) -> Result<Ending, StorageError> {
        let mark = self.mark(now);
        for _ in 0..END_TRIES {
            match storage.invalidate(key, expected, mark).await? {
                Invalidate::Invalidated => return Ok(Ending::Ended),
                Invalidate::Missing => return Ok(Ending::Missing),
                Invalidate::Conflict => {}
            }
            match read_present(storage, key, now).await? {
                Some(record) if is_replaced(definition, &record) => {
                    return Ok(Ending::Replaced(record));
                }
                found => expected = found.map(|record| record.version),
            }
        }
        storage.invalidate(key, None, mark).await?;
        Ok(Ending::Ended)
    }

    /// Until when the end of a session keeps out a `create` of it; none where another
    /// session may begin under the same id.
    pub fn mark(&self, now: Timestamp) -> Option<Timestamp> {
        self.identity.is_none().then(|| now.after(MARK))
    }

    /// Under which conditions a record may become its owner's: within the limit,
    /// and not if the owner is revoked from now on.
    pub async fn guard(&self, owner: Option<&OwnerKey>) -> Result<OwnerGuard, SessionError> {
        match owner.zip(self.server.storage.owners()) {
            None => Ok(OwnerGuard::default()),
            Some((owner, owners)) => {
                let generation = Some(owners.generation(owner).await?);
                Ok(OwnerGuard { generation, limit: self.owner_limit, replaces: None })
            }
        }
    }
}

/// Every distinct live session among `values`; of one session's several ids the
/// present one. Forged tokens cost no storage call.
pub(crate) async fn load(
    definition: &Definition,
    server: &Server,
    values: &[Cow<'_, str>],
    now: Timestamp,
) -> Result<Found<Located>, SessionError> {
    let mut ids: Vec<Read<SessionId>> = Vec::new();
    let (format, limit) = (definition.format(), definition.size.bytes);
    for opened in values.iter().filter_map(|value| format.open_id(value, limit)) {
        if !ids.iter().any(|other| other.content == opened.content) {
            ids.push(opened);
        }
    }
    let mut found = Found::<Located> { ours: !ids.is_empty(), ..Found::default() };
    for Read { content: id, stale, accepted } in &ids {
        let mut session = match find(definition, server, id, now).await? {
            Stands::Session(session) => *session,
            Stands::Replaced(replaced) => {
                found.replaced.get_or_insert(replaced);
                continue;
            }
            Stands::Nobody => {
                // Only a signature tells that the id was ever given out.
                found.over |= format.is_protected();
                continue;
            }
        };
        session.snapshot.stale_key = *stale;
        session.snapshot.accepted = *accepted;
        let same = |other: &&mut Tracked<Located>| other.place.key == session.place.key;
        match found.sessions.iter_mut().find(same) {
            Some(other) if other.snapshot.in_grace || other.snapshot.untold => *other = session,
            Some(_) => {}
            None => found.sessions.push(session),
        }
    }
    Ok(found)
}

/// What an id stands for.
pub(crate) enum Stands {
    /// No session, or its secret is not the right one any more.
    Nobody,
    Replaced(Replaced),
    Session(Box<Tracked<Located>>),
}

impl From<Option<Stands>> for Stands {
    fn from(found: Option<Self>) -> Self {
        found.unwrap_or(Self::Nobody)
    }
}

/// What `id` stands for now.
pub(crate) async fn find(
    definition: &Definition,
    server: &Server,
    id: &SessionId,
    now: Timestamp,
) -> Result<Stands, SessionError> {
    let key = definition.namespace.record(&id.locator());
    let storage = server.storage_of(id);
    let session = |record: Record| session(definition, server, id, key.clone(), record, now);
    let found = async {
        let Some(record) = storage.read(&key, now).await? else { return Ok(None) };
        if let Some(session) = session(record) {
            return Ok(Some(session));
        }
        if !storage.may_be_behind() {
            return Ok(None);
        }
        // The id may be newer than a cached copy.
        Ok(storage.read_fresh(&key, now).await?.and_then(session))
    };
    match found.await {
        Ok(found) => Ok(found.into()),
        // One bad record must not fail its client's every request.
        Err(StorageError::Corrupt(what)) => {
            if server.report_once(&key) {
                error!(
                    "Session `{}`: the record {key:?} is corrupt ({what}); it counts as absent.",
                    definition.namespace.session
                );
            }
            Ok(Stands::Nobody)
        }
        Err(cause) => Err(cause.into()),
    }
}

fn session(
    definition: &Definition,
    server: &Server,
    id: &SessionId,
    key: StorageKey,
    record: Record,
    now: Timestamp,
) -> Option<Stands> {
    let lifetime = &definition.policy.lifetime;
    let (version, owner) = (record.version, record.owner.clone());
    if server.is_file(id) {
        let times = Times { created: record.created, ..Times::begin(record.last_seen, false) };
        let (secrets, trail, joined) = (Secrets::of(id), Trail::default(), Joined::default());
        let place = Located { id: id.clone(), key, version, owner, secrets, trail, joined };
        let snapshot = Snapshot { whole_id: true, ..Snapshot::written(times) };
        let content = Content::Shared(record.payload, 0);
        let lives = lifetime.admits(&times, now);
        return lives.then(|| Stands::Session(Box::new(Tracked { snapshot, content, place })));
    }
    let Opened { envelope, times, content } =
        record::open_any(definition, server, &key, record, now)?;
    let Envelope { secrets, trail, joined, state, .. } = envelope;
    let origin = joined.origin.clone().unwrap_or_else(|| key.clone());
    let nobody = |forms, goes_on: Option<StorageKey>| {
        let (renewed, goes_on) = (goes_on.is_none(), goes_on.unwrap_or_else(|| key.clone()));
        Some(Stands::Replaced(Replaced { forms, goes_on, renewed, origin }))
    };
    let successor = if let State::Replaced(by) = state { Some(by) } else { None };
    let (mut next, mut in_grace) = (None, false);
    match secrets.admit(id)? {
        Admitted::Current => {}
        Admitted::BeforeRenewal(id) => next = Some(id),
        Admitted::Previous(until) if lifetime.in_grace(secrets.renewed, until, now) => {
            in_grace = true;
        }
        // An answer with the present id may be on its way.
        Admitted::Previous(until) | Admitted::Former(until) if now < until.after(MARK) => {
            return nobody((id.of_forms(), 0), successor);
        }
        Admitted::Previous(_) | Admitted::Former(_) => return None,
    }
    if successor.is_some() {
        return nobody((id.clone(), secrets.rotations), successor);
    }
    let whole_id = id.as_ktor().is_some();
    let due = lifetime.renewal_due(&times, secrets.renewed, now);
    let snapshot = Snapshot {
        in_grace,
        whole_id,
        renewal_due: due && !in_grace && !whole_id && !secrets.is_open(),
        untold: next.is_some(),
        completes: secrets.is_open() && next.is_none(),
        ..Snapshot::written(times)
    };
    let id = next.unwrap_or_else(|| id.clone());
    let place = Located { id, key, version, owner, secrets, trail, joined };
    Some(Stands::Session(Box::new(Tracked { snapshot, content, place })))
}

/// The record as it stands, past every cache. One that cannot be read back is none.
async fn read_present(
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
    opened.is_some_and(|(envelope, _)| matches!(envelope.state, State::Replaced(_)))
}

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
