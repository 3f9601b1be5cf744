//! Finds the sessions that the ids of a request stand for.

use std::borrow::Cow;
use std::sync::Arc;

use rocket::error;
use rocket::futures::future::BoxFuture;
use smallvec::SmallVec;

use super::MARK;
use super::envelope::{Envelope, Provenance, RecordState};
use super::record::{self, Located, OpenedRecord};
use super::secrets::{Admitted, Secrets};
use super::tracker::RecordStore;
use super::trail::Trail;
use crate::codec::Content;
use crate::definition::Definition;
use crate::error::SessionError;
use crate::expiry::{Timeouts, Times, Timestamp};
use crate::plan::Snapshot;
use crate::storage::{Record, SessionStorage, StorageError, StorageKey};
use crate::token::{ReadToken, SessionId, Tokens};
use crate::tracked::{Found, Superseded, Tracked};

/// Reads the record of a session when a request loads it.
pub(crate) trait ReadRecord: Sync {
    /// Returns what the storage's `read` returns, or returned a moment ago.
    fn read<'s>(
        &'s self,
        storage: &'s dyn SessionStorage,
        key: &'s StorageKey,
        now: Timestamp,
    ) -> BoxFuture<'s, Result<Option<Record>, StorageError>>;
}

/// Loads every distinct live session among `values`. Of several ids of one session, the current one
/// counts. A forged token costs no storage call. A single id in a remote storage is read by
/// `reader`, if there is one.
pub(crate) async fn load(
    definition: &Definition,
    store: &RecordStore,
    values: &[Cow<'_, str>],
    now: Timestamp,
    reader: Option<&dyn ReadRecord>,
) -> Result<Found<Located>, SessionError> {
    let (ids, is_protected) = {
        let tokens = definition.tokens.read();
        (distinct_ids(&tokens, values, definition.size.bytes), tokens.is_protected())
    };
    let mut found = Found::<Located> { ours: !ids.is_empty(), ..Found::default() };
    let one_at_a_server = store.is_remote && values.len() == 1;
    for ReadToken { content: id, stale, accepted } in &ids {
        let reader = reader.filter(|_| one_at_a_server && !accepted);
        let session = match find_by(definition, store, id, now, reader).await? {
            Lookup::Session(mut session) => {
                let snapshot = &mut Arc::make_mut(&mut session).snapshot;
                (snapshot.stale_key, snapshot.accepted) = (*stale, *accepted);
                if *stale {
                    definition.hints.old_keys(&definition.tokens(), values, now);
                }
                session
            }
            Lookup::Superseded(replaced) => {
                found.superseded.get_or_insert(replaced);
                continue;
            }
            Lookup::Nobody => {
                // Only a signature proves that the id was ever issued.
                found.over |= is_protected;
                continue;
            }
        };
        add(&mut found, session);
    }
    Ok(found)
}

/// Adds a session. Of several ids of one session, the current one counts.
fn add(found: &mut Found<Located>, session: Arc<Tracked<Located>>) {
    let same = |other: &&mut Arc<Tracked<Located>>| other.place.key == session.place.key;
    match found.sessions.iter_mut().find(same) {
        Some(other) if other.snapshot.in_grace || other.snapshot.next_id_unsent => {
            *other = session;
        }
        Some(_) => {}
        None => found.sessions.push(session),
    }
}

/// Opens the tokens, and returns their ids, each once.
fn distinct_ids(
    tokens: &Tokens,
    values: &[Cow<'_, str>],
    limit: usize,
) -> SmallVec<[ReadToken<SessionId>; 1]> {
    let mut ids: SmallVec<[ReadToken<SessionId>; 1]> = SmallVec::new();
    for opened in values.iter().filter_map(|value| tokens.open_id(value, limit)) {
        if !ids.iter().any(|other| other.content == opened.content) {
            ids.push(opened);
        }
    }
    ids
}

/// What an id stands for.
pub(crate) enum Lookup {
    /// No session, or a session that the id's secret no longer opens.
    Nobody,
    Superseded(Arc<Superseded>),
    Session(Arc<Tracked<Located>>),
}

impl From<Option<Lookup>> for Lookup {
    fn from(found: Option<Self>) -> Self {
        found.unwrap_or(Self::Nobody)
    }
}

/// Finds what `id` stands for now.
pub(crate) async fn find(
    definition: &Definition,
    store: &RecordStore,
    id: &SessionId,
    now: Timestamp,
) -> Result<Lookup, SessionError> {
    find_by(definition, store, id, now, None).await
}

async fn find_by(
    definition: &Definition,
    store: &RecordStore,
    id: &SessionId,
    now: Timestamp,
    reader: Option<&dyn ReadRecord>,
) -> Result<Lookup, SessionError> {
    let (key, storage) = (definition.namespace.record(&id.locator()), store.storage_for(id));
    let mut read = match reader {
        Some(reader) => reader.read(&**storage, &key, now).await,
        None => storage.read(&key, now).await,
    };
    let mut is_fresh = !storage.may_be_behind();
    loop {
        let record = match read {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(Lookup::Nobody),
            // A corrupt record must not fail every request of its client.
            Err(StorageError::Corrupt(what)) => {
                if store.report_once(&key) {
                    let name = &definition.namespace.session;
                    error!(
                        "Session `{name}`: the record {key:?} is corrupt ({what}); it counts as absent."
                    );
                }
                return Ok(Lookup::Nobody);
            }
            Err(cause) => return Err(cause.into()),
        };
        if let Some(found) = stands_for(definition, store, id, key.clone(), record, now) {
            return Ok(found);
        }
        if is_fresh {
            return Ok(Lookup::Nobody);
        }
        // The cached copy may be older than the id.
        read = storage.read_fresh(&key, now).await;
        is_fresh = true;
    }
}

/// Returns what `id` stands for, by its record. `None` if the record holds nothing live, or the id
/// is not one of the session's.
pub(super) fn stands_for(
    definition: &Definition,
    store: &RecordStore,
    id: &SessionId,
    key: StorageKey,
    record: Record,
    now: Timestamp,
) -> Option<Lookup> {
    if store.is_file(id) {
        return open_file(definition, id, key, record, now);
    }
    let (version, owner) = (record.version, record.owner.clone());
    let OpenedRecord { envelope, times, content } =
        record::open_any(definition, store, &key, record, now)?;
    let Envelope { secrets, trail, provenance, state, .. } = envelope;
    let lifetime = &definition.policy.timeouts;
    let shown = shown(&secrets, lifetime, id, now)?;
    let successor = if let RecordState::Replaced(by) = state { Some(by) } else { None };
    if shown == Shown::Outdated || successor.is_some() {
        let outdated = shown == Shown::Outdated;
        let forms = if outdated { (id.for_forms(), 0) } else { (id.clone(), secrets.rotations) };
        return Some(superseded(forms, key, successor, provenance));
    }
    let (whole_id, in_grace) = (id.as_ktor().is_some(), shown == Shown::InGrace);
    let next = if let Shown::BeforeRenewal(next) = shown { Some(next) } else { None };
    let due = lifetime.renewal_due(&times, secrets.renewed, now);
    let snapshot = Snapshot {
        in_grace,
        whole_id,
        renewal_due: due && !in_grace && !whole_id && !secrets.is_open(),
        next_id_unsent: next.is_some(),
        completes: secrets.is_open() && next.is_none(),
        ..Snapshot::written(times)
    };
    let id = next.unwrap_or_else(|| id.clone());
    let place = Located { id, key, version, owner, secrets, trail, provenance };
    Some(Lookup::Session(Arc::new(Tracked { snapshot, content, place })))
}

/// Describes a session whose record has this `key`: a login has put the `successor` in its place,
/// or a renewal another id.
fn superseded(
    forms: (SessionId, u32),
    key: StorageKey,
    successor: Option<StorageKey>,
    provenance: Provenance,
) -> Lookup {
    let ancestor = provenance.ancestor.unwrap_or_else(|| key.clone());
    let (renewed, goes_on) = (successor.is_none(), successor.unwrap_or(key));
    Lookup::Superseded(Arc::new(Superseded { forms, goes_on, renewed, ancestor }))
}

/// Returns what `id` stands for, by its file of Ktor's.
fn open_file(
    definition: &Definition,
    id: &SessionId,
    key: StorageKey,
    record: Record,
    now: Timestamp,
) -> Option<Lookup> {
    let (version, owner) = (record.version, record.owner);
    let times = Times { created: record.created, ..Times::begin(record.last_seen, false) };
    let (secrets, trail, provenance) = (Secrets::new(id), Trail::default(), Provenance::default());
    let place = Located { id: id.clone(), key, version, owner, secrets, trail, provenance };
    let snapshot = Snapshot { whole_id: true, ..Snapshot::written(times) };
    let content = Content::Stored(record.payload, 0);
    let lives = definition.admits(&times, now);
    lives.then(|| Lookup::Session(Arc::new(Tracked { snapshot, content, place })))
}

/// Which of a session's ids a client has shown.
#[derive(PartialEq, Eq)]
enum Shown {
    Present,
    /// The previous id, while a renewal is open. Holds the next id.
    BeforeRenewal(SessionId),
    /// The previous id, in its grace period.
    InGrace,
    /// An older id, which opens nothing. A response with the current id may be on its way.
    Outdated,
}

/// Returns `None` for an id that is not the session's, or stopped opening it two minutes ago.
fn shown(secrets: &Secrets, lifetime: &Timeouts, id: &SessionId, now: Timestamp) -> Option<Shown> {
    match secrets.admit(id)? {
        Admitted::Current => Some(Shown::Present),
        Admitted::BeforeRenewal(next) => Some(Shown::BeforeRenewal(next)),
        Admitted::Previous(until) if lifetime.in_grace(secrets.renewed, until, now) => {
            Some(Shown::InGrace)
        }
        Admitted::Previous(until) | Admitted::Former(until) => {
            (now < until.after(MARK)).then_some(Shown::Outdated)
        }
    }
}
