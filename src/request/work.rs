//! The typed side of a commit: it passes the changes of a `T` to the commit, which works
//! on bytes, and puts the outcome back into the state.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::carry_out::{Done, commit};
use super::entry::Entry;
use super::parts::{Unsettled, ValueAfter};
use super::pending::Pending;
use super::presented::SessionSet;
use super::replay::replaying;
use crate::by_id::end_unheld;
use crate::codec::Content;
use crate::commit::{Changes, Commit, Fate, Holds, NextValue, Present};
use crate::data::SessionData;
use crate::deadline::Deadline;
use crate::error::SessionError;
use crate::plan::{Asked, Moment};
use crate::storage::{OwnerGuard, OwnerKey};
use crate::token::SessionId;

/// Changes that are being committed. They stay in the state until the commit is done,
/// and become pending again if it fails or is dropped.
pub(super) struct Work<'a, T: SessionData> {
    applied: Applied<'a, T>,
    done: Done,
    /// The commit counts even if another session of the request cannot be saved.
    confirmed: bool,
    ended: CommitEnd,
}

/// How a commit ended.
#[derive(Clone, Copy)]
enum CommitEnd {
    With(Fate),
    /// The owner that the session was to have was revoked in the meantime.
    Refused,
    /// It failed, or its future was dropped.
    NotCommitted,
}

/// The changes, and the value that they result in.
struct Applied<'a, T: SessionData> {
    entry: &'a Entry<T>,
    pending: Arc<Pending<T>>,
    /// The calls of the request, without what its value asks for.
    asked: Asked,
    /// [`State::drops`](super::state::State) when the changes were taken.
    drops: u64,
    /// The value when the changes were taken, and its encoded form if that is known.
    taken: Option<Arc<T>>,
    encoded: Option<Content>,
    /// `taken` was computed before another commit, and must be computed again.
    stale: bool,
    /// The value that the changes result in.
    value: Mutex<Option<Arc<T>>>,
    /// The value that the changes were applied to.
    before: Mutex<Option<Arc<T>>>,
}

impl<'a, T: SessionData> Work<'a, T> {
    pub fn begin(entry: &'a Entry<T>, confirmed: bool) -> Self {
        let mut state = entry.state.lock();
        let pending = state.take();
        let applied = Applied {
            entry,
            asked: state.asked_by(&pending),
            pending,
            drops: state.drops,
            taken: state.value.clone(),
            encoded: state.encoded(),
            stale: state.stale,
            value: Mutex::new(state.value.clone()),
            before: Mutex::new(state.before()),
        };
        Self {
            applied,
            done: Done::new(state.presented.sessions.clone()),
            confirmed,
            ended: CommitEnd::NotCommitted,
        }
    }

    /// Commits, and returns the fate of the value.
    pub async fn run(&mut self, moment: Moment, deadline: &Deadline) -> Result<Fate, SessionError> {
        let Applied { entry, pending, .. } = &self.applied;
        let job = Commit {
            core: entry.core(),
            definition: &entry.definition,
            asked: self.applied.asked,
            next: self.applied.next(&self.done)?,
            changes: &self.applied,
            epoch: pending.epoch,
            client: entry.client.as_deref().unwrap_or_default(),
            moment,
            deadline,
            conflicts: AtomicU32::new(0),
        };
        let ended = commit(&job, &mut self.done).await;
        let owned = job.next.as_ref().map(|next| next.owned);
        self.end(ended, owned)
    }

    /// Keeps how the commit ended. `owned` says whether the value to commit has an owner.
    fn end(
        &mut self,
        ended: Result<(), SessionError>,
        owned: Option<bool>,
    ) -> Result<Fate, SessionError> {
        let Applied { entry, asked, .. } = &self.applied;
        self.ended = match &ended {
            Ok(()) => CommitEnd::With(self.done.fate),
            Err(SessionError::Ended) => CommitEnd::Refused,
            Err(SessionError::LimitReached) => {
                // The storage has answered, so a retry is a new login with a new `OwnerGuard`.
                entry.state.lock().guard = None;
                CommitEnd::NotCommitted
            }
            Err(_) => CommitEnd::NotCommitted,
        };
        ended?;
        if let Some(owned) = owned.filter(|_| asked.login) {
            entry.note_login(owned);
        }
        Ok(self.done.fate)
    }

    /// Whether the commit has a token to send.
    pub fn gives_token(&self) -> bool {
        matches!(self.done.holds, Some(Holds::Token { .. }))
    }

    /// Handles a commit whose token cannot reach the client any more. If no other token
    /// opens the session, it ends.
    pub fn came_too_late(&mut self) {
        let (entry, now) = (self.applied.entry, self.applied.entry.now());
        let before = entry.state.lock().presented.sessions.clone();
        let (SessionSet::ById(tracker, after), SessionSet::ById(_, before)) =
            (&mut self.done.sessions, before)
        else {
            return;
        };
        let before = before.one.as_ref().map(|one| &one.place);
        let Some(written) = &after.one else { return };
        let (place, ended) = (&written.place, entry.end_reporter());
        let end = end_unheld(&entry.definition, tracker, before, place, now, ended);
        if let Some(end) = end {
            self.applied.draw_another_id();
            self.applied.keep_ending(end);
            (after.one, self.done.holds) = (None, None);
            self.ended = CommitEnd::With(Fate::Ended);
        }
    }

    /// Whether the request has not dropped the changes in the meantime.
    pub fn is_wanted(&self) -> bool {
        self.applied.are_wanted()
    }
}

impl<T: SessionData> Applied<'_, T> {
    /// The value to commit, or `None` if the changes do not concern the value.
    fn next(&self, done: &Done) -> Result<Option<NextValue>, SessionError> {
        if !self.pending.changes_value() {
            return Ok(None);
        }
        if self.stale {
            let content = done.sessions.content();
            return self.apply_to(content.map(|content| (content, done.sessions.owner())));
        }
        let Some(value) = &self.taken else { return Ok(None) };
        let content = match &self.encoded {
            Some(content) => content.clone(),
            None => self.entry.definition.encode(&**value)?,
        };
        Ok(Some(self.next_value(value, content, done.sessions.owner())))
    }

    /// Describes a value for the commit. `known` is the owner's key of the previous value.
    fn next_value(&self, value: &T, content: Content, known: Option<&OwnerKey>) -> NextValue {
        let before = self.before.lock().clone();
        let (was, is) = (before.as_deref().and_then(T::owner), value.owner());
        let owned = is.is_some();
        let owner_changes = before.is_some() && was != is;
        let key = match known.filter(|_| !owner_changes && owned) {
            Some(known) => Some(known.clone()),
            None => is.and_then(|name| self.entry.definition.owner(&name)),
        };
        NextValue { content, owner: key, owned, owner_changes }
    }
}

impl<T: SessionData> Changes for Applied<'_, T> {
    fn apply_to(&self, session: Option<Present<'_>>) -> Result<Option<NextValue>, SessionError> {
        let definition = &self.entry.definition;
        let fresh = match session {
            Some((content, _)) => match definition.codec.decode::<T>(content) {
                None => return Ok(None),
                value => value,
            },
            None => None,
        };
        let value = replaying(self.entry.name(), || self.pending.values.apply(fresh.as_deref()));
        let Some(value) = value.map(Arc::new) else { return Ok(None) };
        let content = definition.encode(&*value)?;
        if fresh.is_some() {
            *self.before.lock() = fresh;
        }
        let next = self.next_value(&value, content, session.and_then(|(_, owner)| owner));
        *self.value.lock() = Some(value);
        Ok(Some(next))
    }

    fn are_wanted(&self) -> bool {
        self.entry.state.lock().drops == self.drops
    }

    fn id(&self) -> Result<SessionId, SessionError> {
        self.entry.planned(None).map(|(id, _)| id)
    }

    fn renewed(&self, id: &SessionId, rotations: u32) -> Result<(SessionId, u32), SessionError> {
        self.entry.planned(Some((id, rotations)))
    }

    fn guard(&self, owner: &OwnerKey) -> Option<OwnerGuard> {
        let state = self.entry.state.lock();
        let (of, guard) = state.guard.as_ref()?;
        (of == owner).then(|| guard.clone())
    }

    fn keep_guard(&self, owner: OwnerKey, guard: OwnerGuard) {
        self.entry.state.lock().guard = Some((owner, guard));
    }

    fn keep_ending(&self, end: JoinHandle<()>) {
        self.entry.state.lock().ending = Some(end);
    }

    fn ending(&self) -> Option<JoinHandle<()>> {
        self.entry.state.lock().ending.take()
    }

    fn draw_another_id(&self) {
        self.entry.state.lock().planned = None;
    }
}

impl<T: SessionData> Drop for Work<'_, T> {
    fn drop(&mut self) {
        let entry = self.applied.entry;
        // What the state does not take is dropped after its lock is released.
        let (mut value, before) =
            (self.applied.value.get_mut().take(), self.applied.before.get_mut().take());
        let (holds, attempt) = (self.done.holds.take(), self.done.attempt.take());
        let (drops, confirmed) = (self.applied.drops, self.confirmed);
        let over = matches!(self.ended, CommitEnd::With(Fate::Dropped) | CommitEnd::Refused);
        let begins = over && entry.begins_another();
        entry.change(|state, retired| {
            state.exchange_sessions(&mut self.done.sessions, confirmed, retired);
            if let Some(holds) = holds {
                state.client_holds(holds, confirmed);
            }
            match self.ended {
                CommitEnd::With(Fate::Committed) => {
                    state.committed(drops, ValueAfter::Value(value.take()), retired);
                }
                CommitEnd::With(Fate::Ended) => {
                    state.committed(drops, ValueAfter::Value(None), retired);
                }
                CommitEnd::With(Fate::Dropped) => {
                    state.committed(drops, ValueAfter::over(begins), retired);
                }
                CommitEnd::Refused => state.refused(drops, begins, retired),
                CommitEnd::With(Fate::Unwanted) | CommitEnd::NotCommitted => match attempt {
                    Some(attempt) => {
                        let value = value.take();
                        state.keep_unsettled(Unsettled { attempt, value }, retired);
                    }
                    None => state.put_back(drops, retired),
                },
            }
        });
        drop((value, before));
        entry.recompute_value();
    }
}
