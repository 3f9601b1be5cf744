//! What one request knows of a session that is over.

use std::sync::Arc;

use super::parts::{EndedOutside, Retired, ValueAfter};
use super::state::State;
use crate::commit::Holds;
use crate::tracked::Superseded;

impl<T> State<T> {
    /// Takes the value that is committed now.
    pub(super) fn commits(&mut self, committed: Option<Arc<T>>, retired: &mut Retired<T>) {
        let before = std::mem::replace(&mut self.committed, committed);
        // What was asked for after a `clear` was not asked for over it.
        let cleared = retired.in_flight.as_ref().is_some_and(|done| done.clear);
        let asks = !self.pending.is_empty() && !self.pending.clear && !cleared;
        let is_over = self.committed.is_none() && asks;
        let former = before.clone().or_else(|| self.former.clone()).filter(|_| is_over);
        (retired.committed, retired.former) = (before, std::mem::replace(&mut self.former, former));
    }

    /// The value that the pending changes are made of, or that of a session that was
    /// over before they could be made.
    pub fn before(&self) -> Option<Arc<T>> {
        self.committed.clone().or_else(|| self.former.clone())
    }

    /// The session is over, and this may be left of it.
    pub fn loses(&mut self, replaced: Option<Superseded>) {
        match replaced {
            Some(replaced) => self.presented.sessions.supersede(replaced),
            None => self.presented.sessions.lose(),
        }
        self.delivery.take_back();
    }

    /// A session that this request has ended from outside stays ended, whatever a
    /// commit or a read says that was under way.
    pub(super) fn end_again(&mut self) {
        let again = match &self.ended_outside {
            EndedOutside::Nothing => false,
            EndedOutside::Token(id) => self.presented.sessions.token_id() == Some(*id),
            EndedOutside::Record(key) => self.presented.sessions.key() == Some(key),
        };
        if again {
            self.presented.sessions.lose();
        }
    }

    /// Whether this request has ended its session from outside, and began none
    /// since.
    pub(super) fn is_over(&self) -> bool {
        self.ended_outside != EndedOutside::Nothing && self.presented.sessions.snapshot().is_none()
    }

    /// This request has ended the session from outside. `begins` says whether
    /// what is pending begins another one.
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
