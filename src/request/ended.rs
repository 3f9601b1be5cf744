//! Changes of the state when its session has ended.

use std::sync::Arc;

use super::parts::{EndedOutside, Retired, ValueAfter};
use super::state::State;
use crate::commit::Holds;
use crate::tracked::Superseded;

impl<T> State<T> {
    /// Sets the committed value. If there is none any more, the one before it becomes
    /// [`former`](State::former) while it is needed.
    pub(super) fn set_committed(&mut self, committed: Option<Arc<T>>, retired: &mut Retired<T>) {
        let before = std::mem::replace(&mut self.committed, committed);
        // Changes after a `clear` were not requested for the ended session.
        let cleared = retired.in_flight.as_ref().is_some_and(|done| done.clear);
        let asks = !self.pending.is_empty() && !self.pending.clear && !cleared;
        let is_over = self.committed.is_none() && asks;
        let former = before.clone().or_else(|| self.former.clone()).filter(|_| is_over);
        (retired.committed, retired.former) = (before, std::mem::replace(&mut self.former, former));
    }

    /// The value that the pending changes started from: the committed one, or that of a
    /// session that has ended since.
    pub fn before(&self) -> Option<Arc<T>> {
        self.committed.clone().or_else(|| self.former.clone())
    }

    /// Records that the session has ended, or that it is superseded.
    pub fn lose_session(&mut self, replaced: Option<Arc<Superseded>>, retired: &mut Retired<T>) {
        retired.sessions = Some(self.presented.sessions.clone());
        match replaced {
            Some(replaced) => self.presented.sessions.supersede(replaced),
            None => self.presented.sessions.lose(),
        }
        self.delivery.take_back();
    }

    /// Keeps a session ended that this request has revoked, even if a commit or a read that
    /// was in progress has brought it back.
    pub(super) fn keep_ended(&mut self) {
        let again = match &self.ended_outside {
            EndedOutside::Nothing => false,
            EndedOutside::Token(id) => self.presented.sessions.token_id() == Some(*id),
            EndedOutside::Record(key) => self.presented.sessions.key() == Some(key),
        };
        if again {
            self.presented.sessions.lose();
        }
    }

    /// Whether this request has revoked its own session, and has begun none since.
    pub(super) fn is_over(&self) -> bool {
        self.ended_outside != EndedOutside::Nothing && self.presented.sessions.snapshot().is_none()
    }

    /// Records that this request has revoked its own session. `begins` says whether the
    /// pending changes begin another session.
    pub fn ended_outside(&mut self, begins: bool, retired: &mut Retired<T>) {
        let sessions = &self.presented.sessions;
        self.ended_outside = match (sessions.key(), sessions.token_id()) {
            (Some(key), _) => EndedOutside::Record(key.clone()),
            (None, Some(id)) => EndedOutside::Token(id),
            (None, None) => EndedOutside::Nothing,
        };
        self.presented.sessions.lose();
        self.delivery.take(Holds::Nothing, true);
        let moot = !begins && !self.pending.is_empty() && !self.pending.clear;
        let lost = self.lost;
        self.found(ValueAfter::over(begins), retired);
        self.lost = lost || moot;
    }
}
