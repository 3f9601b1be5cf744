//! Saves a session and reads it again, while the request runs.

use std::pin::pin;
use std::sync::Arc;

use rocket::warn;

use super::committable::Committable;
use super::entry::Entry;
use super::load;
use super::parts::{Unsettled, ValueAfter};
use super::presented::SessionSet;
use super::replay::{is_replaying, replaying};
use super::state::State;
use super::work::Work;
use crate::by_id::{self, Attempt, ById, Located, Lookup, Settled};
use crate::commit::Fate;
use crate::data::SessionData;
use crate::deadline::{Deadline, too_late};
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::tracked::{Superseded, Tracked, TrackedSet};

/// What was found when a session was read again.
enum Refreshed<T> {
    Session(SessionSet, Arc<T>),
    /// Another request has superseded the session.
    Superseded(Arc<Superseded>),
    Gone,
}

impl<T: SessionData> Entry<T> {
    /// Commits now. The changes stay pending if that fails. Returns whether they were
    /// committed, or `false` if the request dropped them in the meantime.
    pub async fn save(&self) -> Result<bool, SessionError> {
        self.refuse_in_closure()?;
        let mut kept = true;
        loop {
            let deadline = Deadline::after(self.definition.storage_timeout);
            match self.commit_once(false, &deadline, true).await? {
                // The request dropped these changes during the commit. The next turn of the
                // loop commits its later ones.
                Fate::Unwanted => kept = false,
                Fate::Dropped => return Err(SessionError::Ended),
                Fate::Committed | Fate::Ended => break,
            }
        }
        if self.state.lock().lost { Err(SessionError::Ended) } else { Ok(kept) }
    }

    pub(super) async fn commit_once(
        &self,
        failed: bool,
        deadline: &Deadline,
        confirmed: bool,
    ) -> Result<Fate, SessionError> {
        let _lock = self.commit_lock(deadline).await.ok_or_else(too_late)?;
        if self.state.lock().unsettled.is_some() {
            Box::pin(self.settle(false, deadline)).await?;
        }
        let mut work = Work::begin(self, confirmed);
        let fate = work.run(self.moment(failed), deadline).await?;
        // The future of this commit was not polled when the response went out.
        if self.is_closed() && work.gives_token() {
            work.came_too_late();
            return Err(SessionError::TooLate);
        }
        // Changes that the request has dropped itself are not lost.
        let moot = fate == Fate::Dropped && !work.is_wanted();
        Ok(if moot { Fate::Unwanted } else { fate })
    }

    /// Settles the last commit's write, if it was not answered. A write that may still
    /// arrive is sent again, unless `by_reading`. Returns whether its outcome is known.
    async fn settle(&self, by_reading: bool, deadline: &Deadline) -> Result<bool, SessionError> {
        let Some((unsettled, wanted)) = self.change(State::unsettled) else { return Ok(true) };
        let (attempt, moment) = (&unsettled.attempt, self.moment(false));
        let sessions = self.state.lock().presented.sessions.clone();
        let SessionSet::ById(tracker, all) = sessions else { return Ok(true) };
        let is_late = moment.late && attempt.holds.is_some();
        let send_again = wanted && !by_reading && !is_late;
        let (definition, store) = (&self.definition, &tracker.store);
        let settled = by_id::settle(definition, store, attempt, send_again, moment.now);
        let settled = deadline.within(Box::pin(settled).as_mut()).await;
        let settled = settled.unwrap_or_else(|| Err(too_late()));
        match settled {
            Err(cause) => return self.was_not_settled(cause, attempt, wanted),
            Ok(Settled::Applied) => {
                self.was_applied(&unsettled, &tracker, all, is_late);
                if is_late {
                    return Err(SessionError::TooLate);
                }
            }
            Ok(Settled::Open) if wanted && by_reading => return Ok(false),
            // The write may still arrive, so another one could count twice.
            Ok(Settled::Open) if wanted => return Err(SessionError::TooLate),
            Ok(Settled::Open) => {
                by_id::end_unsent(definition, &tracker, attempt, moment.now, self.end_reporter());
                self.change(State::was_not_applied);
            }
            Ok(Settled::NotApplied) => self.change(State::was_not_applied),
        }
        self.recompute_value();
        Ok(true)
    }

    /// Handles a settlement that failed, or that found the write refused by the storage.
    fn was_not_settled(
        &self,
        cause: SessionError,
        attempt: &Attempt,
        wanted: bool,
    ) -> Result<bool, SessionError> {
        match cause {
            // The changes are no longer wanted, and the client need not learn the outcome.
            _ if !wanted && attempt.holds.is_none() => {
                let name = &self.definition.namespace.session;
                warn!(
                    "Session `{name}`: a write may have been stored although its changes were dropped: {cause}."
                );
                self.change(State::was_not_applied);
                self.recompute_value();
                return Ok(true);
            }
            SessionError::Ended => {
                let begins = self.begins_another();
                self.change(|state, retired| state.was_refused(begins, retired));
                // A later login does not depend on the refused write.
                if self.state.lock().pending.login {
                    return Ok(true);
                }
            }
            SessionError::LimitReached => self.change(State::reached_limit),
            _ => {}
        }
        Err(cause)
    }

    /// Records that the unsettled write was applied. If it is `too_late` to send its token,
    /// and no other token opens the session, the session ends.
    fn was_applied(
        &self,
        unsettled: &Unsettled<T>,
        tracker: &Arc<ById>,
        mut all: TrackedSet<Located>,
        too_late: bool,
    ) {
        let (attempt, definition) = (&unsettled.attempt, &self.definition);
        if attempt.renews {
            self.core().emit(Event::Renewed, definition);
        }
        let before = all.one.replace(Arc::clone(&attempt.written));
        let before = before.as_ref().map(|before| &before.place);
        let (written, now) = (&attempt.written.place, self.now());
        if too_late {
            let ended = self.end_reporter();
            let end = by_id::end_unheld(definition, tracker, before, written, now, ended);
            all.one.take_if(|_| end.is_some());
        }
        let sessions = SessionSet::ById(Arc::clone(tracker), all);
        self.change(|state, retired| state.was_applied(unsettled, sessions, retired));
    }

    /// Waits until no other commit or read is in progress. Returns `None` at the deadline:
    /// the other one may be a future that is not polled any more.
    pub(super) async fn commit_lock(
        &self,
        deadline: &Deadline,
    ) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        match self.committing.try_lock() {
            Ok(lock) => Some(lock),
            Err(_) => Box::pin(deadline.within(pin!(self.committing.lock()))).await,
        }
    }

    /// Reads the session again. The pending changes are applied to what is read.
    pub async fn refresh(&self) -> Result<Option<Arc<T>>, SessionError> {
        self.refuse_in_closure()?;
        let deadline = Deadline::after(self.definition.storage_timeout);
        let _lock = self.commit_lock(&deadline).await.ok_or_else(too_late)?;
        if !self.settle(true, &deadline).await? {
            // The record has not changed: the unsettled write has not arrived yet.
            return Ok(self.get());
        }
        let (sessions, ended) = {
            let state = self.state.lock();
            (state.presented.sessions.clone(), state.pending.clear)
        };
        // There is nothing to read after `clear`, or before a new session is committed.
        if ended || sessions.snapshot().is_none() {
            return Ok(self.get());
        }
        let again = pin!(self.read_again(sessions));
        let found = deadline.within(again).await.unwrap_or_else(|| Err(too_late()))?;
        if self.take_refreshed(found) {
            self.core().report_dropped(&self.definition);
        }
        self.recompute_value();
        Ok(self.get())
    }

    /// Takes what was found into the state. Returns whether changes were dropped.
    fn take_refreshed(&self, found: Refreshed<T>) -> bool {
        let begins = self.begins_another();
        self.change(|state, retired| {
            let Refreshed::Session(mut sessions, value) = found else {
                let replaced = match found {
                    Refreshed::Superseded(replaced) => Some(replaced),
                    _ => None,
                };
                state.lose_session(replaced, retired);
                let moot = !state.pending.is_empty() && !begins && !state.pending.clear;
                let lost = state.lost;
                state.found(ValueAfter::over(begins), retired);
                state.lost = lost || moot;
                return moot;
            };
            state.exchange_sessions(&mut sessions, true, retired);
            retired.sessions = Some(sessions);
            retired.unused = Some(value);
            let over = state.presented.sessions.snapshot().is_none();
            let value = retired.unused.take_if(|_| !over);
            state.found(ValueAfter::Value(value), retired);
            false
        })
    }

    /// Reads the request's session again, if it has not ended.
    async fn read_again(&self, mut sessions: SessionSet) -> Result<Refreshed<T>, SessionError> {
        let (definition, now) = (&self.definition, self.now());
        match &mut sessions {
            SessionSet::ById(tracker, all) => {
                let Some(before) = all.one.take() else { return Ok(Refreshed::Gone) };
                let found = by_id::find(definition, &tracker.store, &before.place.id, now).await?;
                let mut found = match found {
                    Lookup::Session(found) => Arc::unwrap_or_clone(found).shown_as(&before),
                    Lookup::Superseded(replaced) => return Ok(Refreshed::Superseded(replaced)),
                    Lookup::Nobody => return Ok(Refreshed::Gone),
                };
                found.snapshot.stale_key = before.snapshot.stale_key;
                found.snapshot.accepted = before.snapshot.accepted;
                let Some(found) = load::convert::<T, _>(definition, Arc::new(found)) else {
                    return Ok(Refreshed::Gone);
                };
                let Some(value) = definition.codec.decode::<T>(&found.content) else {
                    return Ok(Refreshed::Gone);
                };
                all.one = Some(found);
                Ok(Refreshed::Session(sessions, value))
            }
            SessionSet::ByValue(tracker, all) => {
                let lifetime = &definition.policy.timeouts;
                let lives = |one: &Arc<Tracked<_>>| lifetime.admits(&one.snapshot.times, now);
                if !all.one.as_ref().is_some_and(lives) {
                    return Ok(Refreshed::Gone);
                }
                // The end of this token may come from this request's own unanswered commit.
                let next = self.state.lock().next_token();
                if let (Some(revocation), Some(one)) = (&tracker.revocation, &all.one)
                    && revocation.covers(&one.place, next.as_ref(), now).await?
                {
                    return Ok(Refreshed::Gone);
                }
                let committed = self.state.lock().committed.clone();
                Ok(committed.map_or(Refreshed::Gone, |value| Refreshed::Session(sessions, value)))
            }
        }
    }

    /// Whether the pending changes begin another session.
    pub(super) fn begins_another(&self) -> bool {
        let (login, base, value, before) = {
            let state = self.state.lock();
            let base = state.pending.values.base.is_some();
            (state.pending.login, base, state.value.clone(), state.before())
        };
        let owner = |value: &Option<Arc<T>>| {
            value.as_deref().and_then(T::owner).map(std::borrow::Cow::into_owned)
        };
        login || base && owner(&value) != owner(&before)
    }

    /// Computes the value again, if a commit or a read came after it was computed.
    pub(super) fn recompute_value(&self) {
        let (pending, committed, revision) = {
            let state = self.state.lock();
            if !state.stale {
                return;
            }
            (state.pending.clone(), state.committed.clone(), state.revision)
        };
        // User code runs outside the lock. If it panics, it panics again in the next commit.
        let value = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            replaying(self.name(), || pending.values.apply(committed.as_deref()))
        }));
        let Ok(value) = value else { return };
        self.change(|state, retired| {
            if state.revision == revision {
                state.show(value.map(Arc::new), retired);
                state.stale = false;
            }
        });
    }

    /// Refuses a call from within a closure that a commit applies: it would wait for itself.
    fn refuse_in_closure(&self) -> Result<(), SessionError> {
        if is_replaying(self.name()) {
            return Err(SessionError::Unsupported(
                "a closure that changes a session cannot save or refresh it".into(),
            ));
        }
        Ok(())
    }
}
