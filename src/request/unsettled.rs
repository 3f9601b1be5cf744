//! What one request holds of a write until it knows what became of it.

use std::sync::Arc;

use super::parts::{Planned, Retired, Unsettled, ValueAfter};
use super::presented::SessionSet;
use super::state::State;

impl<T> State<T> {
    /// The commit failed or was given up, and nobody knows what became of its write.
    pub fn keep_unsettled(&mut self, unsettled: Unsettled<T>, retired: &mut Retired<T>) {
        if unsettled.attempt.renews {
            // That id belongs to the write. A later change has another one.
            self.planned = None;
        }
        retired.unsettled = self.unsettled.replace(unsettled);
    }

    /// The session that later changes apply to, and its value: as the write leaves it
    /// of which nobody knows yet what became, if its changes are still asked for.
    /// It is sent again before them.
    pub fn before_pending(&self) -> (SessionSet, Option<Arc<T>>) {
        let mut sessions = self.presented.sessions.clone();
        let unsettled = self.unsettled.as_ref().filter(|_| self.under_way().is_some());
        match (&mut sessions, unsettled) {
            (SessionSet::ById(_, all), Some(Unsettled { attempt, value })) => {
                all.one = Some(Arc::clone(&attempt.written));
                (sessions, value.clone())
            }
            _ => (sessions, self.before()),
        }
    }

    /// What became of the last commit's write is to be found out, and whether its
    /// changes are still asked for. An end makes it moot.
    pub fn unsettled(&mut self, retired: &mut Retired<T>) -> Option<(Unsettled<T>, bool)> {
        if self.pending.clear {
            self.abandon(retired);
        }
        Some((self.unsettled.clone()?, self.under_way().is_some()))
    }

    /// The last commit's write was applied, and these are the sessions after it.
    pub fn was_applied(
        &mut self,
        one: &Unsettled<T>,
        sessions: SessionSet,
        retired: &mut Retired<T>,
    ) {
        retired.unsettled = self.unsettled.take();
        let is_over = sessions.snapshot().is_none();
        self.take_sessions(sessions, true, retired);
        if let Some(holds) = one.attempt.holds.clone().filter(|_| !is_over) {
            self.client_holds(holds, true);
        }
        let planned = self.planned.take();
        let value = one.value.clone().filter(|_| !is_over);
        self.committed(self.taken_in(), ValueAfter::Value(value), retired);
        self.planned = planned;
    }

    /// The last commit's write was not applied: its changes are pending again, unless
    /// they were dropped.
    pub fn was_not_applied(&mut self, retired: &mut Retired<T>) {
        let unsettled = self.unsettled.take();
        let renewed = unsettled.as_ref().filter(|one| one.attempt.renews && self.planned.is_none());
        if let Some(Unsettled { attempt, .. }) = renewed {
            let place = &attempt.written.place;
            self.planned = Some(Planned::Renewed(place.id.clone(), place.secrets.rotations));
        }
        retired.unsettled = unsettled;
        self.put_back(self.taken_in(), retired);
    }

    /// There is no room for the session that the last commit's write was to bring. That
    /// was an answer: tried again, it is another login.
    pub fn reached_limit(&mut self, retired: &mut Retired<T>) {
        self.guard = None;
        self.was_not_applied(retired);
    }

    /// The storage has refused the last commit's write; see
    /// [`refused`](Self::refused).
    pub fn was_refused(&mut self, begins: bool, retired: &mut Retired<T>) {
        retired.unsettled = self.unsettled.take();
        let planned = self.planned.take().filter(|_| self.pending.login);
        self.refused(self.taken_in(), begins, retired);
        self.planned = planned;
    }

    /// Nobody wants to know any more what became of the last commit's write.
    pub fn abandon(&mut self, retired: &mut Retired<T>) {
        retired.unsettled = self.unsettled.take();
        if retired.unsettled.is_some() {
            retired.in_flight = self.in_flight.take().map(|(_, pending)| pending);
        }
    }

    /// The generation in which the changes under way were taken.
    fn taken_in(&self) -> u64 {
        self.in_flight.as_ref().map_or(self.drops, |(taken, _)| *taken)
    }
}
