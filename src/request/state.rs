//! What one request holds of a session of type `T`: where the session stands,
//! what the application asked for since, and what the client is to hold. No
//! I/O, and no user code under the lock: what a change replaces is handed out
//! as [`Retired`] and dropped after the lock.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::delivery::Delivery;
use super::parts::{EndedOutside, Planned, Retired, Unsettled, ValueAfter};
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
    /// What the request presented, and where its session stands now.
    pub presented: Presented,
    /// The value as it was found or last committed.
    pub committed: Option<Arc<T>>,
    /// Of a session that is over: its value, while changes are pending that were asked
    /// for over it. One of its owner still counts as a login.
    pub(super) former: Option<Arc<T>>,
    /// The value as this request sees it.
    pub value: Option<Arc<T>>,
    pub pending: Pending<T>,
    /// What the commit under way works on. It is asked for as much as
    /// `pending`: `discard`, a 5xx and `clear` drop it, too. With the
    /// generation in which it was taken.
    pub in_flight: Option<(u64, Arc<Pending<T>>)>,
    /// Before the next commit: what became of the last one's write.
    pub unsettled: Option<Unsettled<T>>,
    /// The owner that the pending changes let the session join, and the conditions,
    /// taken when that was first tried: tried again, they do not outlive a revocation.
    pub guard: Option<(OwnerKey, OwnerGuard)>,
    /// The end of a session that this request could not begin.
    pub ending: Option<JoinHandle<()>>,
    /// The lifetime that this request has said before the last commit. It holds for a
    /// session that it begins later.
    earlier_lifetime: Option<OwnLifetime>,
    /// `skip_touch`: this request is no use of the session.
    skips: bool,
    /// Moves when changes are dropped, so that a commit under way can tell.
    pub drops: u64,
    /// Moves with every change of `value`.
    pub revision: u64,
    /// `value` was computed before another commit; it must be computed anew.
    pub stale: bool,
    pub planned: Option<Planned>,
    /// A value in its encoded form, and its revision.
    pub encoded: Option<(u64, Content)>,
    /// The session ended while this request changed it; the changes are
    /// dropped, and the application has not been told.
    pub lost: bool,
    pub(super) delivery: Delivery,
    /// Before a commit that counts only if every session of the request is saved.
    unconfirmed: Option<(SessionSet, Option<Arc<T>>)>,
    pub(super) ended_outside: EndedOutside,
    /// What the response said last.
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

    /// `set`, or `login` and `login_with`.
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

    /// Takes a changed value; gives the change back if the value was changed
    /// since `revision`.
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

    /// Back to what was found or last committed.
    pub fn discard(&mut self, retired: &mut Retired<T>) {
        self.drop_pending(retired);
        let committed = self.committed.clone();
        self.show(committed, retired);
    }

    /// After a 5xx only `clear` holds.
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

    /// Shows a value, computed from what is committed and pending.
    pub fn show(&mut self, value: Option<Arc<T>>, retired: &mut Retired<T>) {
        self.lost &= value.is_none();
        retired.value = std::mem::replace(&mut self.value, value);
        self.revision += 1;
    }

    /// Hands the changes to a commit. They stay asked for until it is done.
    pub fn take(&mut self) -> Arc<Pending<T>> {
        let pending = Arc::new(std::mem::take(&mut self.pending));
        self.in_flight = Some((self.drops, Arc::clone(&pending)));
        pending
    }

    /// What the commit under way works on, unless it was dropped meanwhile.
    pub fn under_way(&self) -> Option<&Pending<T>> {
        let (taken, pending) = self.in_flight.as_ref()?;
        (*taken == self.drops).then_some(&**pending)
    }

    /// `touch`, or `skip_touch`. The later one counts.
    pub fn touch(&mut self, touches: bool) {
        self.pending.touch = touches;
        self.skips = !touches;
    }

    /// What these changes ask for, but for what the value says.
    pub fn asked_by(&self, pending: &Pending<T>) -> Asked {
        let asked = pending.asked();
        Asked {
            earlier_lifetime: self.earlier_lifetime,
            skips: self.skips,
            touch: asked.touch && !self.skips,
            ..asked
        }
    }

    /// What the next commit and the one under way are asked for, but for what
    /// the value says; and whether the value changes.
    pub fn asked(&self) -> (Asked, bool) {
        let later = self.asked_by(&self.pending);
        let first = self.under_way();
        // What was sent is as good as done, and as good as said.
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

    /// The next token of the session by value, once its id is known.
    pub fn next_token(&self) -> Option<Sealed> {
        match (&self.planned, &self.presented.sessions) {
            (Some(Planned::Fresh(id)), SessionSet::ByValue(_, sessions)) => {
                let token_id = id.secret();
                Some(Sealed { token_id, ..sessions.one.as_ref()?.place.clone() })
            }
            _ => None,
        }
    }

    /// The value in its encoded form, if it is known.
    pub fn encoded(&self) -> Option<Content> {
        let (revision, content) = self.encoded.as_ref()?;
        (*revision == self.revision).then(|| content.clone())
    }

    /// The commit failed or was given up: its changes are pending again,
    /// unless they were dropped meanwhile.
    pub fn put_back(&mut self, generation: u64, retired: &mut Retired<T>) {
        let Some((_, taken)) = self.in_flight.take() else { return };
        if self.drops == generation {
            let later = std::mem::take(&mut self.pending);
            self.pending = Pending::clone(&taken).followed_by(later);
        }
        if self.presented.sessions.snapshot().is_none() {
            // It has ended all the same. Nothing shows it again.
            self.commits(None, retired);
            if self.pending.is_empty() {
                self.show(None, retired);
            }
        }
        retired.in_flight = Some(taken);
    }

    /// The commit is done. `generation` is the one in which its changes were taken.
    pub fn committed(&mut self, generation: u64, left: ValueAfter<T>, retired: &mut Retired<T>) {
        let left = if self.is_over() { ValueAfter::Value(None) } else { left };
        retired.in_flight = self.in_flight.take().map(|(_, pending)| pending);
        // What came before a `clear` is not said any more.
        if !self.pending.clear {
            let earlier_lifetime = retired.in_flight.as_ref().and_then(|pending| pending.lifetime);
            self.earlier_lifetime = earlier_lifetime.or(self.earlier_lifetime);
        }
        (self.planned, self.guard) = (None, None);
        self.found(left, retired);
        // What the request has dropped itself is not lost.
        self.lost &= self.drops == generation;
    }

    /// The commit was refused: the owner that the session was to have was revoked
    /// meanwhile. Committed again, the changes would outlive that, so they are
    /// dropped.
    pub fn refused(&mut self, generation: u64, begins: bool, retired: &mut Retired<T>) {
        let left = match self.presented.sessions.snapshot() {
            Some(_) => ValueAfter::Value(self.committed.clone()),
            None => ValueAfter::over(begins),
        };
        self.committed(generation, left, retired);
        self.lost = self.drops == generation && self.value.is_none();
    }

    /// Takes what a commit left or a read found. Later changes stay pending, to
    /// be computed anew. Of a session that is over only those that begin
    /// another one go on.
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
        self.commits(committed, retired);
        if self.pending.is_empty() {
            let committed = self.committed.clone();
            self.show(committed, retired);
            self.stale = false;
            self.lost |= dropped;
        } else {
            self.stale = !self.pending.clear;
        }
    }

    /// Takes the sessions as a commit has left them. What is not `confirmed` can
    /// be taken back: see [`give_up`](Self::give_up).
    pub fn take_sessions(
        &mut self,
        sessions: SessionSet,
        confirmed: bool,
        retired: &mut Retired<T>,
    ) {
        let before = std::mem::replace(&mut self.presented.sessions, sessions);
        if !confirmed {
            retired.unconfirmed = self.unconfirmed.replace((before, self.committed.clone()));
        }
        if self.presented.sessions.snapshot().is_none() {
            self.delivery.take_back();
        }
        self.end_again();
    }

    /// The response says that not everything could be saved. Only `clear` holds. What
    /// became of a write is still found out where the client must be told, but not
    /// `for_good`.
    pub fn give_up(&mut self, for_good: bool, retired: &mut Retired<T>) {
        let tells = self.unsettled.as_ref().is_some_and(|one| one.attempt.holds.is_some());
        if for_good || !tells {
            self.abandon(retired);
        }
        if let Some((sessions, committed)) = self.unconfirmed.take() {
            self.presented.sessions = sessions;
            retired.committed = std::mem::replace(&mut self.committed, committed);
        }
        self.drop_changes(retired);
    }

    /// What the client holds from now on. What is not `confirmed` counts only
    /// if every session of the request is saved.
    pub fn client_holds(&mut self, holds: Holds, confirmed: bool) {
        let holds = if self.is_over() { Holds::Nothing } else { holds };
        self.delivery.take(holds, confirmed);
    }

    /// What the response is to say; see [`Delivery::deliver`].
    pub fn deliver(&mut self, succeeded: bool, retired: &mut Retired<T>) -> Option<Holds> {
        retired.unconfirmed = self.unconfirmed.take();
        self.delivery.deliver(self.presented.any, succeeded)
    }

    /// Whether nothing is pending and the response needs to say nothing more.
    pub fn is_quiet(&self) -> bool {
        let settled = self.unsettled.is_none() && self.delivery.is_delivered();
        self.pending.is_empty() && self.under_way().is_none() && settled
    }
}
