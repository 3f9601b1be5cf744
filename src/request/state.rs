//! [`State`]: the session of type `T` as it was found or last committed, the changes since
//! then, and the token that the client is to hold.
//!
//! Nothing here does I/O or runs user code, because the lock of the `Entry` is held. The
//! parts that a change replaces are handed out as [`Retired`] and dropped after the lock.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::delivery::Delivery;
use super::parts::{Before, EndedOutside, Planned, Retired, Unsettled, ValueAfter};
use super::pending::{Base, Change, Pending};
use super::presented::{Presented, SessionSet};
use crate::by_value::Sealed;
use crate::codec::Content;
use crate::commit::Holds;
use crate::expiry::OwnLifetime;
use crate::plan::Asked;
use crate::storage::{OwnerGuard, OwnerKey};

/// One session in one request.
pub(crate) struct State<T> {
    /// The sessions that the request presented, as they stand now.
    pub presented: Presented,
    /// The value as it was found or last committed.
    pub committed: Option<Arc<T>>,
    /// The value of a session that has ended, kept while changes are pending that were
    /// requested before it ended. A change to another owner still counts as a login.
    pub(super) former: Option<Arc<T>>,
    /// The value as this request sees it.
    pub value: Option<Arc<T>>,
    pub pending: Pending<T>,
    /// The changes that a commit has taken, and `drops` at that time. `discard`, `clear`
    /// and a 5xx drop them as they drop `pending`.
    pub in_flight: Option<(u64, Arc<Pending<T>>)>,
    /// The last commit's write, if it was not answered. The next commit settles it first.
    pub unsettled: Option<Unsettled<T>>,
    /// The owner that the session joins with the pending changes, and the conditions for it.
    /// They are taken at the first try, so that a retry does not outlive a revocation.
    pub guard: Option<(OwnerKey, OwnerGuard)>,
    /// The task that ends a session whose beginning has failed.
    pub ending: Option<JoinHandle<()>>,
    /// The lifetime that this request set before the last commit. A session that the request
    /// begins later gets it.
    earlier_lifetime: Option<OwnLifetime>,
    /// `skip_touch`: this request does not count as a use of the session.
    skips: bool,
    /// Counts how often the request dropped its changes. A commit in progress learns from it
    /// that its changes are no longer wanted.
    pub drops: u64,
    /// Counts the changes of `value`.
    pub revision: u64,
    /// `value` was computed before a commit or a read, and must be computed again.
    pub stale: bool,
    pub planned: Option<Planned>,
    /// The encoded form of a value, and the revision of that value.
    pub encoded: Option<(u64, Content)>,
    /// The session ended while this request changed it. The changes are dropped, and `save`
    /// has yet to report it.
    pub lost: bool,
    pub(super) delivery: Delivery,
    /// The sessions and the value before a commit that counts only if every session of the
    /// request is saved.
    unconfirmed: Option<Before<T>>,
    pub(super) ended_outside: EndedOutside,
    /// What the response tells the client about this session.
    pub last_delivered: Option<Holds>,
}

impl<T> State<T> {
    pub fn new(presented: Presented, value: Option<Arc<T>>) -> Self {
        Self {
            presented,
            committed: value.clone(),
            former: None,
            value,
            pending: Pending::default(),
            in_flight: None,
            unsettled: None,
            guard: None,
            ending: None,
            earlier_lifetime: None,
            skips: false,
            drops: 0,
            revision: 0,
            stale: false,
            planned: None,
            encoded: None,
            lost: false,
            delivery: Delivery::default(),
            unconfirmed: None,
            ended_outside: EndedOutside::Nothing,
            last_delivered: None,
        }
    }

    /// Records `set`, `login` or `login_with`.
    pub fn set(&mut self, base: Base<T>, value: Arc<T>, login: bool, retired: &mut Retired<T>) {
        self.guard = None;
        let earlier = std::mem::take(&mut self.pending.values);
        self.pending.values.base = Some(match base {
            Base::Made(make, _) => Base::Made(make, Arc::new(earlier)),
            base @ Base::Value(_) => {
                retired.pending = Some(Pending { values: earlier, ..Pending::default() });
                base
            }
        });
        self.pending.login |= login;
        self.show(Some(value), retired);
    }

    /// Records an update, whose result is `value`. Gives the change back if the value has
    /// changed since `revision`.
    pub fn update(
        &mut self,
        revision: u64,
        value: &Arc<T>,
        change: Change<T>,
        retired: &mut Retired<T>,
    ) -> Result<(), Change<T>> {
        if self.revision != revision {
            return Err(change);
        }
        self.pending.values.changes.push(change);
        self.show(Some(Arc::clone(value)), retired);
        Ok(())
    }

    pub fn clear(&mut self, retired: &mut Retired<T>) {
        self.drop_pending(retired);
        self.earlier_lifetime = None;
        self.pending.clear = true;
        self.show(None, retired);
    }

    /// Goes back to the session as it was found or last committed.
    pub fn discard(&mut self, retired: &mut Retired<T>) {
        self.drop_pending(retired);
        let committed = self.committed.clone();
        self.show(committed, retired);
    }

    /// Drops all changes but a `clear`, for a response with a 5xx status.
    pub fn drop_changes(&mut self, retired: &mut Retired<T>) {
        if self.asked().0.clear { self.clear(retired) } else { self.discard(retired) }
    }

    fn drop_pending(&mut self, retired: &mut Retired<T>) {
        retired.pending = Some(std::mem::take(&mut self.pending));
        retired.former = self.former.take();
        self.drops += 1;
        self.guard = None;
        self.planned = None;
        self.lost = false;
        self.stale = false;
    }

    /// Makes this the value that the request sees.
    pub fn show(&mut self, value: Option<Arc<T>>, retired: &mut Retired<T>) {
        self.lost &= value.is_none();
        retired.value = std::mem::replace(&mut self.value, value);
        self.revision += 1;
    }

    /// Hands the pending changes to a commit, and keeps them in `in_flight`.
    pub fn take(&mut self) -> Arc<Pending<T>> {
        let pending = Arc::new(std::mem::take(&mut self.pending));
        self.in_flight = Some((self.drops, Arc::clone(&pending)));
        pending
    }

    /// The changes in `in_flight`, unless the request has dropped them in the meantime.
    pub fn under_way(&self) -> Option<&Pending<T>> {
        let (taken, pending) = self.in_flight.as_ref()?;
        (*taken == self.drops).then_some(&**pending)
    }

    /// Records `touch` or `skip_touch`. The later call counts.
    pub fn count_as_use(&mut self, counts: bool) {
        self.pending.touch = counts;
        self.skips = !counts;
    }

    /// The calls in `pending`, without what the value asks for.
    pub fn asked_by(&self, pending: &Pending<T>) -> Asked {
        let asked = pending.asked();
        Asked {
            earlier_lifetime: self.earlier_lifetime,
            skips: self.skips,
            touch: asked.touch && !self.skips,
            ..asked
        }
    }

    /// The calls that the next commit and the one in progress carry out together, without what
    /// the value asks for; and whether they change the value.
    pub fn asked(&self) -> (Asked, bool) {
        let later = self.asked_by(&self.pending);
        let first = self.under_way();
        // Changes that were sent without an answer count as committed: the next commit
        // settles them first.
        let earlier_lifetime = first.and_then(|first| first.lifetime).or(self.earlier_lifetime);
        let Some(first) = first.filter(|_| self.unsettled.is_none()) else {
            let later = Asked { earlier_lifetime, ..later };
            return (later, self.pending.changes_value());
        };
        let first_asked = self.asked_by(first);
        let asked = Asked {
            clear: later.clear || first_asked.clear,
            login: later.login || first_asked.login,
            renew: later.renew || first_asked.renew,
            reauthenticate: later.reauthenticate || first_asked.reauthenticate,
            lifetime: later.lifetime.or(first_asked.lifetime),
            touch: later.touch || first_asked.touch,
            reseal: later.reseal || first_asked.reseal,
            ..later
        };
        (asked, first.changes_value() || self.pending.changes_value())
    }

    /// The token that follows the present one, by value. `None` until its id is drawn.
    pub fn next_token(&self) -> Option<Sealed> {
        match (&self.planned, &self.presented.sessions) {
            (Some(Planned::Fresh(id)), SessionSet::ByValue(_, sessions)) => {
                let token_id = id.secret();
                Some(Sealed { token_id, ..sessions.one.as_ref()?.place.clone() })
            }
            _ => None,
        }
    }

    /// The encoded form of the value, if it is known.
    pub fn encoded(&self) -> Option<Content> {
        let (revision, content) = self.encoded.as_ref()?;
        (*revision == self.revision).then(|| content.clone())
    }

    /// Takes back the changes of a commit that failed or was dropped. They are pending again,
    /// unless the request has dropped them since.
    pub fn put_back(&mut self, drops: u64, retired: &mut Retired<T>) {
        let Some((_, taken)) = self.in_flight.take() else { return };
        if self.drops == drops {
            let later = std::mem::take(&mut self.pending);
            self.pending = Pending::clone(&taken).followed_by(later);
        }
        if self.presented.sessions.snapshot().is_none() {
            // The failed commit has ended the session, so its value must not come back.
            self.set_committed(None, retired);
            if self.pending.is_empty() {
                self.show(None, retired);
            }
        }
        retired.in_flight = Some(taken);
    }

    /// Takes the outcome of a commit. `drops` is the count when its changes were taken.
    pub fn committed(&mut self, drops: u64, mut left: ValueAfter<T>, retired: &mut Retired<T>) {
        if self.is_over()
            && let ValueAfter::Value(value) = std::mem::replace(&mut left, ValueAfter::Value(None))
        {
            retired.unused = value;
        }
        retired.in_flight = self.in_flight.take().map(|(_, pending)| pending);
        // A `clear` also takes back a lifetime from before it.
        if !self.pending.clear {
            let earlier_lifetime = retired.in_flight.as_ref().and_then(|pending| pending.lifetime);
            self.earlier_lifetime = earlier_lifetime.or(self.earlier_lifetime);
        }
        (self.planned, self.guard) = (None, None);
        self.found(left, retired);
        // Changes that the request has dropped itself are not lost.
        self.lost &= self.drops == drops;
    }

    /// Drops the changes of a commit that was refused because the session's new owner was
    /// revoked in the meantime. A retry would outlive the revocation.
    pub fn refused(&mut self, drops: u64, begins: bool, retired: &mut Retired<T>) {
        let left = match self.presented.sessions.snapshot() {
            Some(_) => ValueAfter::Value(self.committed.clone()),
            None => ValueAfter::over(begins),
        };
        self.committed(drops, left, retired);
        self.lost = self.drops == drops && self.value.is_none();
    }

    /// Takes the value that a commit left or a read found. Later changes stay pending, and the
    /// value is computed again from them. If the session has ended, only changes that begin
    /// another session stay.
    pub fn found(&mut self, left: ValueAfter<T>, retired: &mut Retired<T>) {
        let (committed, dropped) = match left {
            ValueAfter::Value(value) => (value, false),
            ValueAfter::Dropped => (None, true),
        };
        let moot = dropped && !self.pending.clear;
        if moot {
            self.earlier_lifetime = self.pending.lifetime.or(self.earlier_lifetime);
            retired.pending = Some(std::mem::take(&mut self.pending));
        }
        self.set_committed(committed, retired);
        if self.pending.is_empty() {
            let committed = self.committed.clone();
            self.show(committed, retired);
            self.stale = false;
            self.lost |= dropped;
        } else {
            self.stale = !self.pending.clear;
        }
    }

    /// Takes the sessions as a commit has left them, and gives back those before it, which the
    /// caller drops after the lock. A commit that is not `confirmed` can be taken back by
    /// [`give_up`](Self::give_up).
    pub fn exchange_sessions(
        &mut self,
        sessions: &mut SessionSet,
        confirmed: bool,
        retired: &mut Retired<T>,
    ) {
        std::mem::swap(&mut self.presented.sessions, sessions);
        if !confirmed {
            let before = (sessions.clone(), self.committed.clone());
            retired.unconfirmed = self.unconfirmed.replace(before);
        }
        if self.presented.sessions.snapshot().is_none() {
            self.delivery.take_back();
        }
        self.keep_ended();
    }

    /// Drops all changes but a `clear`, because the response says that not every session was
    /// saved. A write without an answer is kept if the client must learn its outcome, but not
    /// `for_good`.
    pub fn give_up(&mut self, for_good: bool, retired: &mut Retired<T>) {
        let tells = self.unsettled.as_ref().is_some_and(|one| one.attempt.holds.is_some());
        if for_good || !tells {
            self.abandon(retired);
        }
        if let Some((sessions, committed)) = self.unconfirmed.take() {
            retired.sessions = Some(std::mem::replace(&mut self.presented.sessions, sessions));
            retired.committed = std::mem::replace(&mut self.committed, committed);
        }
        self.drop_changes(retired);
    }

    /// Records what the client is to hold from now on. If it is not `confirmed`, it counts only
    /// if every session of the request is saved.
    pub fn client_holds(&mut self, holds: Holds, confirmed: bool) {
        let holds = if self.is_over() { Holds::Nothing } else { holds };
        self.delivery.take(holds, confirmed);
    }

    /// The token or removal that the response sends; see [`Delivery::deliver`]. Nothing can be
    /// taken back any more, so what was before an unconfirmed commit is handed out as well.
    pub fn deliver(&mut self, succeeded: bool) -> (Option<Holds>, Option<Before<T>>) {
        let holds = self.delivery.deliver(self.presented.any, succeeded);
        (holds, self.unconfirmed.take())
    }

    /// Whether nothing is pending, unsettled or still to be sent.
    pub fn is_quiet(&self) -> bool {
        let settled = self.unsettled.is_none() && self.delivery.is_delivered();
        self.pending.is_empty() && self.under_way().is_none() && settled
    }
}
