//! Changes of the state around a write that was not answered.

use std::sync::Arc;

use super::parts::{Planned, Retired, Unsettled, ValueAfter};
use super::presented::SessionSet;
use super::state::State;

impl<T> State<T> {
    /// Keeps the write of a commit that failed or was dropped before the storage answered.
    pub fn keep_unsettled(&mut self, unsettled: Unsettled<T>, retired: &mut Retired<T>) {
        if unsettled.attempt.renews {
            // The planned id belongs to this write. A later renewal draws another.
            self.planned = None;
        }
        retired.unsettled = self.unsettled.replace(unsettled);
    }

    /// The sessions and the value that the pending changes apply to. An unsettled write whose
    /// changes are still wanted counts as applied, because it is settled before them.
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

    /// The write to settle, and whether its changes are still wanted. A pending `clear`
    /// abandons it.
    pub fn unsettled(&mut self, retired: &mut Retired<T>) -> Option<(Unsettled<T>, bool)> {
        if self.pending.clear {
            self.abandon(retired);
        }
        Some((self.unsettled.clone()?, self.under_way().is_some()))
    }

    /// Records that the unsettled write was applied. `sessions` are those after it.
    pub fn was_applied(
        &mut self,
        one: &Unsettled<T>,
        mut sessions: SessionSet,
        retired: &mut Retired<T>,
    ) {
        retired.unsettled = self.unsettled.take();
        let is_over = sessions.snapshot().is_none();
        self.exchange_sessions(&mut sessions, true, retired);
        retired.sessions = Some(sessions);
        if let Some(holds) = one.attempt.holds.clone().filter(|_| !is_over) {
            self.client_holds(holds, true);
        }
        let planned = self.planned.take();
        let value = one.value.clone().filter(|_| !is_over);
        self.committed(self.drops_when_taken(), ValueAfter::Value(value), retired);
        self.planned = planned;
    }

    /// Records that the unsettled write was not applied. Its changes are pending again, unless
    /// the request has dropped them.
    pub fn was_not_applied(&mut self, retired: &mut Retired<T>) {
        let unsettled = self.unsettled.take();
        let renewed = unsettled.as_ref().filter(|one| one.attempt.renews && self.planned.is_none());
        if let Some(Unsettled { attempt, .. }) = renewed {
            let place = &attempt.written.place;
            self.planned = Some(Planned::Renewed(place.id.clone(), place.secrets.rotations));
        }
        retired.unsettled = unsettled;
        self.put_back(self.drops_when_taken(), retired);
    }

    /// Records that the owner's limit refused the unsettled write. The storage has answered,
    /// so a retry is a new login with a new `OwnerGuard`.
    pub fn reached_limit(&mut self, retired: &mut Retired<T>) {
        self.guard = None;
        self.was_not_applied(retired);
    }

    /// Records that the storage refused the unsettled write; see [`refused`](Self::refused).
    pub fn was_refused(&mut self, begins: bool, retired: &mut Retired<T>) {
        retired.unsettled = self.unsettled.take();
        let planned = self.planned.take().filter(|_| self.pending.login);
        self.refused(self.drops_when_taken(), begins, retired);
        self.planned = planned;
    }

    /// Forgets the unsettled write and its changes.
    pub fn abandon(&mut self, retired: &mut Retired<T>) {
        retired.unsettled = self.unsettled.take();
        if retired.unsettled.is_some() {
            retired.in_flight = self.in_flight.take().map(|(_, pending)| pending);
        }
    }

    /// [`State::drops`] when the changes in `in_flight` were taken.
    fn drops_when_taken(&self) -> u64 {
        self.in_flight.as_ref().map_or(self.drops, |(taken, _)| *taken)
    }
}
