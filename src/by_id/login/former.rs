//! The session that a login replaces: where it is, what is left of it, and what other requests have
//! made of it.

use std::pin::pin;
use std::sync::Arc;

use crate::by_id::envelope::{Envelope, Provenance, RecordState};
use crate::by_id::find::{Lookup, stands_for};
use crate::by_id::job::{Job, Progress};
use crate::by_id::present::read_present;
use crate::by_id::record::{self, Located, OpenedRecord};
use crate::by_id::secrets::Secrets;
use crate::by_id::trail::Trail;
use crate::codec::Content;
use crate::commit::{Commit, NextValue};
use crate::deadline::{Deadline, no_answer};
use crate::error::SessionError;
use crate::plan::Standing;
use crate::storage::{KeyedGuard, OwnerKey, Record, StorageError, StorageKey, Update, Version};
use crate::token::SessionId;
use crate::tracked::{Superseded, Tracked};

/// The most logins to follow, each of which has replaced the one before.
const MOST_LOGINS: usize = 32;

/// A session that a login is to replace, as it was last read.
#[derive(Clone)]
pub(in crate::by_id) struct Former {
    pub key: StorageKey,
    pub version: Version,
    pub owner: Option<OwnerKey>,
    secrets: Secrets,
    trail: Trail,
    provenance: Provenance,
    /// The id by which the request found the session. `None` if another login began it.
    pub shown: Option<SessionId>,
}

/// What a record holds now.
pub(in crate::by_id) enum Occupant {
    /// A login has replaced the session. Holds the login's record.
    Replaced(StorageKey),
    Session(Box<Former>),
}

/// What another request has made of a session that a login was to replace.
pub(in crate::by_id) enum Meanwhile {
    /// The session has ended, or was replaced by a login whose place is not taken.
    Over,
    /// Another login's session must be replaced. It was found now, or was written since.
    Another(Former),
    /// The request's own session was written, and the client's id still opens it.
    Written(Former, Arc<Tracked<Located>>),
    /// The request's own session goes on under an id that another request was given.
    Renewed(Former),
}

impl Former {
    /// Returns the session that the request has found at `place`.
    pub fn new(place: &Located) -> Self {
        let Located { id, key, version, owner, secrets, trail, provenance } = place.clone();
        Self { key, version, owner, secrets, trail, provenance, shown: Some(id) }
    }

    /// See [`Located::ancestor`].
    pub fn ancestor(&self) -> &StorageKey {
        self.provenance.ancestor.as_ref().unwrap_or(&self.key)
    }
}

impl Job<'_> {
    /// Waits for the other logins of this process over the same replaced session. So the limit
    /// refuses no login because of another one that is under way.
    pub(in crate::by_id) async fn login_queue(
        &self,
        progress: &Progress<'_>,
    ) -> Option<KeyedGuard> {
        let replaced = progress.sessions.superseded.as_ref()?;
        self.tracker.owner_limit?;
        let (id, _) = &replaced.forms;
        self.queue(&self.commit.definition.namespace.record(&id.locator())).await
    }

    /// Returns the session that a login of this owner replaces, if the presented one is superseded.
    /// After a renewal, that is the session itself, if the request had found it. After a login, it
    /// is the session of the last login in its place, or the oldest kin.
    pub(in crate::by_id) async fn superseded_successor(
        &self,
        progress: &Progress<'_>,
        owner: Option<&OwnerKey>,
    ) -> Result<Option<Former>, SessionError> {
        let sessions = &progress.sessions;
        let replaced = match (&sessions.superseded, sessions.lost.last()) {
            (Some(_), Some(lost)) if sessions.standing() == Standing::Renewed => {
                return Ok(Some(Former::new(&lost.place)));
            }
            (Some(replaced), _) => replaced,
            (None, _) => return Ok(None),
        };
        match self.successor(replaced.goes_on.clone(), owner).await? {
            None if self.tracker.owner_limit.is_some() => {
                self.kin(owner, &replaced.ancestor, None).await
            }
            successor => Ok(successor),
        }
    }

    /// Returns the session whose place a login of this owner takes. Without a limit, each login has a
    /// session of its own.
    async fn successor(
        &self,
        by: StorageKey,
        owner: Option<&OwnerKey>,
    ) -> Result<Option<Former>, SessionError> {
        if self.tracker.owner_limit.is_none() { Ok(None) } else { self.last_login(by, owner).await }
    }

    /// Follows logins, each of which has replaced the one before, to the session that lives. A
    /// session of another owner does not count.
    async fn last_login(
        &self,
        mut by: StorageKey,
        owner: Option<&OwnerKey>,
    ) -> Result<Option<Former>, SessionError> {
        if owner.is_none() {
            return Ok(None);
        }
        for _ in 0..MOST_LOGINS {
            match self.find_under(&by).await? {
                Some(Occupant::Replaced(next)) => by = next,
                Some(Occupant::Session(last)) => {
                    return Ok(Some(*last).filter(|last| last.owner.as_ref() == owner));
                }
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Returns the value of a login that presents a superseded session, made from the value of the
    /// login before it, if that has the same owner. So the second click of a double click loses
    /// nothing that the first one took over. `old` is the session whose place the login takes.
    pub(in crate::by_id) async fn value_after_login(
        &self,
        progress: &Progress<'_>,
        old: Option<&Former>,
        next: &NextValue,
    ) -> Result<NextValue, SessionError> {
        let owner = next.owner.as_ref();
        let replaced = progress.sessions.superseded.as_ref();
        let is_superseded = progress.sessions.standing() == Standing::Superseded;
        let asked = &self.commit.asked;
        let Some(replaced) = replaced.filter(|_| is_superseded && asked.login && !asked.clear)
        else {
            return Ok(next.clone());
        };
        let before = match old {
            Some(old) => Some(old.key.clone()),
            None => self.last_login(replaced.goes_on.clone(), owner).await?.map(|last| last.key),
        };
        let content = match before {
            Some(key) => self.content_under(&key).await?,
            None => None,
        };
        let Some(content) = content else { return Ok(next.clone()) };
        match self.commit.changes.apply_to(Some((&content, owner)))? {
            Some(changed) if changed.owner == next.owner => Ok(changed),
            _ => Ok(self.commit.changes.apply_to(None)?.unwrap_or_else(|| next.clone())),
        }
    }

    /// Reads the value of the session under this key.
    async fn content_under(&self, key: &StorageKey) -> Result<Option<Content>, StorageError> {
        let (store, Commit { definition, moment, .. }) = (&self.tracker.store, self.commit);
        let record = read_present(&*store.storage, key, moment.now).await?;
        let opened =
            record.and_then(|record| record::open(definition, store, key, record, moment.now));
        Ok(opened.map(|opened| opened.content))
    }

    /// Returns the session that has replaced `old` meanwhile, if it has this owner. If it has
    /// another owner, the request's own session is superseded.
    pub(in crate::by_id) async fn find_successor(
        &self,
        old: &Former,
        owner: Option<&OwnerKey>,
        progress: &mut Progress<'_>,
    ) -> Result<Option<Former>, SessionError> {
        let Some(Occupant::Replaced(by)) = self.find_under(&old.key).await? else {
            return Ok(None);
        };
        let successor = self.successor(by.clone(), owner).await?;
        if let (None, Some(id)) = (&successor, &old.shown) {
            let (forms, ancestor) = ((id.clone(), old.secrets.rotations), old.ancestor().clone());
            progress.sessions.supersede(Arc::new(Superseded {
                forms,
                goes_on: by,
                renewed: false,
                ancestor,
            }));
        }
        Ok(successor)
    }

    /// Whether there is a session under this key, past every cache.
    pub(in crate::by_id) async fn lives(&self, key: &StorageKey) -> Result<bool, StorageError> {
        Ok(matches!(self.find_under(key).await?, Some(Occupant::Session(_))))
    }

    /// Reads what is under this key, past every cache.
    async fn find_under(&self, key: &StorageKey) -> Result<Option<Occupant>, StorageError> {
        let (storage, now) = (&self.tracker.store.storage, self.commit.moment.now);
        let record = read_present(&**storage, key, now).await?;
        Ok(record.and_then(|record| self.occupant(key, record, None)))
    }

    pub(in crate::by_id) fn occupant(
        &self,
        key: &StorageKey,
        record: Record,
        shown: Option<SessionId>,
    ) -> Option<Occupant> {
        let (definition, now) = (self.commit.definition, self.commit.moment.now);
        let (version, owner) = (record.version, record.owner.clone());
        let OpenedRecord { envelope, .. } =
            record::open_any(definition, &self.tracker.store, key, record, now)?;
        let Envelope { secrets, trail, provenance, state, .. } = envelope;
        match state {
            RecordState::Replaced(by) => Some(Occupant::Replaced(by)),
            RecordState::Session => {
                let key = key.clone();
                let there = Former { key, version, owner, secrets, trail, provenance, shown };
                Some(Occupant::Session(Box::new(there)))
            }
            RecordState::Claim(_) => None,
        }
    }

    /// Reads what another request has made of `old`, after a conflict of a login of this owner.
    pub(in crate::by_id) async fn look_again(
        &self,
        old: &Former,
        owner: Option<&OwnerKey>,
    ) -> Result<Meanwhile, SessionError> {
        let (commit, store) = (self.commit, &self.tracker.store);
        commit.retry_after_conflict()?;
        let now = commit.moment.now;
        let Some(record) = read_present(&*store.storage, &old.key, now).await? else {
            return Ok(Meanwhile::Over);
        };
        if let Some(id) = &old.shown
            && let (key, record) = (old.key.clone(), record.clone())
            && let Some(Lookup::Session(found)) =
                stands_for(commit.definition, store, id, key, record, now)
        {
            let written = Former { shown: old.shown.clone(), ..Former::new(&found.place) };
            return Ok(Meanwhile::Written(written, found));
        }
        Ok(match self.occupant(&old.key, record, old.shown.clone()) {
            Some(Occupant::Replaced(by)) => {
                self.successor(by, owner).await?.map_or(Meanwhile::Over, Meanwhile::Another)
            }
            Some(Occupant::Session(there)) if old.shown.is_some() => Meanwhile::Renewed(*there),
            Some(Occupant::Session(there)) => Meanwhile::Another(*there),
            None => Meanwhile::Over,
        })
    }

    /// Replaces the session `old` by the one under `new`.
    pub(in crate::by_id) async fn replace_by(
        &self,
        old: &Former,
        new: &StorageKey,
    ) -> Result<Update, SessionError> {
        let left = self.remains_of(old, new)?;
        let (storage, now) = (&self.tracker.store.storage, self.commit.moment.now);
        let update = storage.update(&old.key, old.version, left, now);
        match self.answer_to(update).await {
            // A corrupt record counts as absent.
            Err(StorageError::Corrupt(_)) => Ok(Update::Missing),
            Err(_) if self.is_replaced_by(old, new).await => Ok(Update::Updated),
            answer => Ok(answer?),
        }
    }

    /// Makes the record that a login under `new` leaves of `old`.
    pub(in crate::by_id) fn remains_of(
        &self,
        old: &Former,
        new: &StorageKey,
    ) -> Result<Record, SessionError> {
        let Commit { core, definition, moment, .. } = self.commit;
        let storage = &*self.tracker.store.storage;
        let envelope = Envelope {
            secrets: old.secrets.clone(),
            trail: self.trail_after(storage, &old.trail, old.version),
            provenance: Provenance::from(old.provenance.ancestor.clone()),
            state: RecordState::Replaced(new.clone()),
            ..Envelope::default()
        };
        record::write_replaced(core, definition, &envelope, moment.now)
    }

    /// Whether `new` has replaced `old`, although the storage's answer was lost. If the storage
    /// still does not answer, the swap counts as not applied.
    pub(in crate::by_id) async fn is_replaced_by(&self, old: &Former, new: &StorageKey) -> bool {
        let found = self.find_under(&old.key).await;
        matches!(found, Ok(Some(Occupant::Replaced(by))) if by == *new)
    }

    /// Waits for the answer to a login's swap. It leaves a quarter of the time to settle the swap,
    /// in case no answer comes.
    pub(in crate::by_id) async fn answer_to<R>(
        &self,
        swap: impl Future<Output = Result<R, StorageError>> + Send,
    ) -> Result<R, StorageError> {
        let patience = Deadline::after(self.commit.deadline.left() / 4 * 3);
        patience.within(pin!(swap)).await.unwrap_or_else(|| Err(no_answer()))
    }
}
