//! The state of one session in one request, and the decision what to do with
//! it at the end. No I/O and no user code under a lock.
//!
//! | found | ended | value | renew | changed | due | plan |
//! |---|---|---|---|---|---|---|
//! | any | yes | none | | | | `End` |
//! | any | yes | some | | | | `Replace`: end, then create |
//! | no | no | none | | | | `Keep` |
//! | no | no | some | | | | `Create` |
//! | yes | no | some | yes | | | `Renew` |
//! | yes | no | some | no | yes | | `Save` |
//! | yes | no | some | no | no | yes | `Touch` |
//! | yes | no | some | no | no | no | `Keep` |

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::exchange::Done;
use crate::token::SessionId;
use crate::tracker::{Content, Origin};

/// What the commit does with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    Keep,
    Touch,
    Create,
    Save,
    Renew,
    Replace,
    End,
}

/// What the plan depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    /// A live session was found.
    pub found: bool,
    /// `clear()` was called.
    pub ended: bool,
    /// There is a value now.
    pub value: bool,
    /// A fresh id is wanted.
    pub renew: bool,
    /// The encoded value differs from what was found.
    pub changed: bool,
    /// The expiry is to be refreshed, or the token sealed by the first key.
    pub due: bool,
}

/// The table above.
pub(crate) fn plan(facts: Facts) -> Plan {
    match facts {
        Facts { ended: true, value: false, .. } => Plan::End,
        Facts { ended: true, value: true, .. } => Plan::Replace,
        Facts { found: false, value: true, .. } => Plan::Create,
        Facts { value: false, .. } => Plan::Keep,
        Facts { renew: true, .. } => Plan::Renew,
        Facts { changed: true, .. } => Plan::Save,
        Facts { due: true, .. } => Plan::Touch,
        _ => Plan::Keep,
    }
}

/// A change to be replayed when the commit meets a concurrent write.
/// The lock makes it `Sync`; it is never contended.
pub(crate) struct Change<T>(Mutex<BoxedChange<T>>);

type BoxedChange<T> = Box<dyn Fn(&mut T) + Send>;

impl<T> Change<T> {
    pub fn new(change: impl Fn(&mut T) + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(change)))
    }

    pub fn apply(&self, value: &mut T) {
        (self.0.lock())(value);
    }
}

/// A request's uncommitted changes: an optional base and the updates after it.
pub(crate) struct Pending<T> {
    /// `clear()`: whatever the request presented ends.
    pub ended: bool,
    /// The value of the last `set`.
    pub base: Option<Arc<T>>,
    /// The updates after it.
    pub changes: Vec<Change<T>>,
    /// `login`: a fresh session, whatever became of the old one.
    pub login: bool,
    /// `renew`: a fresh id for the same session.
    pub renew: bool,
    /// `expires_in`: an idle time of the session's own, in seconds.
    pub idle: Option<u32>,
    /// `revoke_others`: seal the token anew, in this epoch of its owner.
    pub epoch: Option<u64>,
    /// The value was computed before this request's last commit; compute it
    /// anew from what that commit left.
    pub rebase: bool,
}

impl<T> Default for Pending<T> {
    fn default() -> Self {
        Self {
            ended: false,
            base: None,
            changes: Vec::new(),
            login: false,
            renew: false,
            idle: None,
            epoch: None,
            rebase: false,
        }
    }
}

impl<T> Pending<T> {
    pub fn is_empty(&self) -> bool {
        let changes = self.base.is_some() || !self.changes.is_empty() || self.idle.is_some();
        !self.ended && !changes && !self.login && !self.renew && self.epoch.is_none()
    }

    /// These changes, then the later ones: after a commit that failed.
    #[must_use]
    pub fn followed_by(mut self, later: Self) -> Self {
        if later.ended {
            return Self { ended: true, ..later };
        }
        if later.base.is_some() {
            self.base = later.base;
            self.changes = later.changes;
        } else {
            self.changes.extend(later.changes);
        }
        self.login |= later.login;
        self.renew |= later.renew;
        self.idle = later.idle.or(self.idle);
        self.epoch = later.epoch.or(self.epoch);
        self
    }
}

impl<T: Clone> Pending<T> {
    /// The changes applied to their base, or else to `fresh`. Runs user code.
    pub fn apply(&self, fresh: T) -> T {
        let mut value = self.base.as_deref().cloned().unwrap_or(fresh);
        for change in &self.changes {
            change.apply(&mut value);
        }
        value
    }
}

/// What is to reach the client.
#[derive(Clone, Debug, Default)]
pub(crate) enum Emission {
    #[default]
    Nothing,
    Token {
        token: String,
        /// How long the client must keep it, if not as configured.
        max_age: Option<Duration>,
    },
    Removal,
}

#[cfg(feature = "testing")]
impl Emission {
    /// The token that the client holds then, if this changes it.
    pub fn shown(&self) -> Option<&str> {
        match self {
            Self::Nothing => None,
            Self::Token { token, .. } => Some(token),
            Self::Removal => Some(""),
        }
    }
}

/// One session in one request.
pub(crate) struct State<T> {
    /// The transport carried any value, valid or not.
    pub presented: bool,
    /// The session found; `None` if there is none or several.
    pub origin: Option<Arc<Origin>>,
    /// Presented sessions that `clear` and `login` end as well.
    pub others: Vec<Origin>,
    /// The value as this request sees it.
    pub value: Option<Arc<T>>,
    /// The value as it was found or last committed.
    pub committed: Option<Arc<T>>,
    pub pending: Pending<T>,
    /// The id that the next commit will give, once somebody has asked for it.
    pub planned_id: Option<SessionId>,
    /// Moves with every change of `value`.
    pub revision: u64,
    /// `value`, encoded for the coming commit.
    pub encoded: Option<Content>,
    /// The session ended while this request changed it; the changes are dropped.
    pub lost: bool,
    /// The session has had its id for long enough; the next commit renews it.
    pub renewal_due: bool,
    /// From commits so far; the fairing sends it.
    pub emission: Emission,
    /// From the commit at the end; goes out, instead of `emission`, only if
    /// every session of the request was saved.
    pub tentative: Emission,
}

impl<T> State<T> {
    pub fn new(
        presented: bool,
        origin: Option<Origin>,
        value: Option<Arc<T>>,
        others: Vec<Origin>,
    ) -> Self {
        Self {
            presented,
            origin: origin.map(Arc::new),
            others,
            committed: value.clone(),
            value,
            pending: Pending::default(),
            planned_id: None,
            revision: 0,
            encoded: None,
            lost: false,
            renewal_due: false,
            emission: Emission::Nothing,
            tentative: Emission::Nothing,
        }
    }

    pub fn set(&mut self, value: Arc<T>, login: bool) {
        if login {
            self.pending.idle = None;
        }
        self.pending.base = Some(Arc::clone(&value));
        self.pending.changes.clear();
        if login {
            self.pending.login = true;
            self.planned_id = None;
        }
        self.replace(Some(value));
    }

    /// Takes a changed value; gives the change back if somebody else changed
    /// the value since `revision`.
    pub fn update(
        &mut self,
        revision: u64,
        value: Arc<T>,
        change: Change<T>,
    ) -> Result<(), Change<T>> {
        if self.revision != revision {
            return Err(change);
        }
        self.pending.changes.push(change);
        self.replace(Some(value));
        Ok(())
    }

    pub fn clear(&mut self) {
        self.pending = Pending { ended: true, ..Pending::default() };
        self.planned_id = None;
        self.replace(None);
    }

    pub fn renew(&mut self) {
        self.planned_id = None;
        self.pending.renew = true;
    }

    fn replace(&mut self, value: Option<Arc<T>>) {
        self.lost &= value.is_none();
        self.value = value;
        self.encoded = None;
        self.revision += 1;
    }

    /// After a 5xx: only `clear` holds.
    pub fn drop_changes(&mut self) {
        let ended = self.pending.ended;
        self.discard();
        if ended {
            self.clear();
        }
    }

    /// Takes what a commit left. Changes made meanwhile stay pending.
    pub fn done(&mut self, done: Done<T>, is_final: bool) {
        self.origin = done.origin;
        self.others.clear();
        self.planned_id = None;
        self.renewal_due = false;
        self.committed = done.value.clone();
        // Changes made meanwhile of a session that turned out to be over.
        let moot = done.dropped && !self.pending.login && !self.pending.ended;
        if self.pending.is_empty() || moot {
            self.pending = Pending::default();
            self.replace(done.value);
            self.lost |= done.dropped;
        } else if done.moved {
            self.pending.rebase = true;
        }
        if !matches!(done.emission, Emission::Nothing) {
            let slot = if is_final { &mut self.emission } else { &mut self.tentative };
            *slot = done.emission;
        }
    }

    /// Takes what was read anew. Pending changes stay, to be applied to it; but
    /// of a session that is over only a `login` goes on. `shown` is the value
    /// with these changes. Says whether changes were dropped.
    pub fn refreshed(
        &mut self,
        found: Option<(Origin, Arc<T>)>,
        shown: Option<Arc<T>>,
        login: bool,
    ) -> bool {
        let over = found.is_none();
        let (origin, value) = found.unzip();
        self.origin = origin.map(Arc::new);
        self.committed.clone_from(&value);
        let dropped = over && !self.pending.is_empty() && !login && !self.pending.ended;
        if self.pending.is_empty() || dropped {
            self.pending = Pending::default();
            self.replace(value);
            self.lost |= dropped;
        } else if !over {
            if shown.is_some() {
                self.replace(shown);
            }
            self.pending.rebase = true;
        }
        dropped
    }

    /// Back to what was found or last committed.
    pub fn discard(&mut self) {
        self.pending = Pending::default();
        self.planned_id = None;
        let committed = self.committed.clone();
        self.replace(committed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_table() {
        let flags = [false, true];
        for found in flags {
            for ended in flags {
                for value in flags {
                    for (renew, changed, due) in [
                        (false, false, false),
                        (true, true, true),
                        (false, true, true),
                        (false, false, true),
                    ] {
                        let expected = match (ended, value, found) {
                            (true, false, _) => Plan::End,
                            (true, true, _) => Plan::Replace,
                            (false, true, false) => Plan::Create,
                            (false, true, true) if renew => Plan::Renew,
                            (false, true, true) if changed => Plan::Save,
                            (false, true, true) if due => Plan::Touch,
                            _ => Plan::Keep,
                        };
                        let facts = Facts { found, ended, value, renew, changed, due };
                        assert_eq!(plan(facts), expected, "{facts:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn changes_replay_on_their_base_or_else_on_the_fresh_value() {
        let add = |n: u32| Change::new(move |value: &mut u32| *value += n);
        let updates = Pending { changes: vec![add(1), add(2)], ..Pending::default() };
        assert_eq!(updates.apply(10), 13);
        let set =
            Pending { base: Some(Arc::new(100)), changes: vec![add(1)], ..Pending::default() };
        assert_eq!(set.apply(10), 101);
        let both = updates.followed_by(Pending { changes: vec![add(4)], ..Pending::default() });
        assert_eq!(both.apply(10), 17);
        let ended = set.followed_by(Pending { ended: true, ..Pending::default() });
        assert!(ended.ended && ended.base.is_none());
    }

    #[test]
    fn a_session_that_turned_out_to_be_over_keeps_no_later_changes_but_a_login() {
        let over = || Done {
            origin: None,
            value: None,
            moved: true,
            dropped: true,
            emission: Emission::Nothing,
        };
        let during_a_commit = |change: &dyn Fn(&mut State<u32>)| {
            let mut state = State::new(true, None, Some(Arc::new(1)), Vec::new());
            change(&mut state);
            state.done(over(), true);
            (state.value.as_deref().copied(), state.pending.is_empty(), state.lost)
        };
        assert_eq!(during_a_commit(&|_| {}), (None, true, true));
        assert_eq!(during_a_commit(&|state| state.set(Arc::new(2), false)), (None, true, true));
        assert_eq!(during_a_commit(&|state| state.set(Arc::new(2), true)), (Some(2), false, false));
        assert_eq!(during_a_commit(&|state| state.clear()), (None, false, false));
    }
}
