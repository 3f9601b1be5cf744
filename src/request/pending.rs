//! [`Pending`]: the calls of the application since the last commit. The value's changes are
//! an optional base and the updates after it.

use std::sync::Arc;

use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::data::SessionData;
use crate::expiry::OwnLifetime;
use crate::plan::Asked;

/// A closure of the application. The commit calls it again after a conflict. The lock
/// makes it `Sync`, and nothing ever waits for it.
type Closure<F> = Arc<Mutex<F>>;

/// One `update`.
pub(crate) struct Change<T>(Closure<dyn Fn(&mut T) + Send>);

impl<T> Change<T> {
    pub fn new(change: impl Fn(&mut T) + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(change)))
    }

    pub fn apply(&self, value: &mut T) {
        (self.0.lock())(value);
    }
}

impl<T> Clone for Change<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

type Make<T> = dyn Fn(Option<&T>) -> T + Send;

/// A value that does not come from an update.
pub(crate) enum Base<T> {
    /// `set` and `login`.
    Value(Arc<T>),
    /// `login_with`: the closure makes the value from the present session. The values are
    /// the request's earlier changes, which are applied to that session first.
    Made(Closure<Make<T>>, Arc<Values<T>>),
}

impl<T> Clone for Base<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Value(value) => Self::Value(Arc::clone(value)),
            Self::Made(make, earlier) => Self::Made(Arc::clone(make), Arc::clone(earlier)),
        }
    }
}

impl<T> Base<T> {
    pub fn from_closure(make: impl Fn(Option<&T>) -> T + Send + 'static) -> Self {
        Self::Made(Arc::new(Mutex::new(make)), Arc::default())
    }
}

/// The changes of the value: an optional base, and the updates after it.
pub(crate) struct Values<T> {
    /// The last `set`, `login` or `login_with`.
    pub base: Option<Base<T>>,
    /// The updates after the base.
    pub changes: SmallVec<[Change<T>; 1]>,
}

impl<T> Default for Values<T> {
    fn default() -> Self {
        Self { base: None, changes: SmallVec::new() }
    }
}

impl<T> Clone for Values<T> {
    fn clone(&self) -> Self {
        Self { base: self.base.clone(), changes: self.changes.clone() }
    }
}

impl<T> Values<T> {
    /// Returns these changes with later ones behind them.
    #[must_use]
    pub fn followed_by(mut self, later: Self) -> Self {
        match later.base {
            None => {
                self.changes.extend(later.changes);
                self
            }
            Some(Base::Made(make, earlier)) => {
                let earlier = self.followed_by(Self::clone(&earlier));
                let base = Some(Base::Made(make, Arc::new(earlier)));
                Self { base, changes: later.changes }
            }
            base => Self { base, changes: later.changes },
        }
    }
}

impl<T: SessionData> Values<T> {
    /// Returns what these changes make of `present`, or `None` if there is neither a base nor
    /// a present value. Runs user code.
    pub fn apply(&self, present: Option<&T>) -> Option<T> {
        let mut value = match &self.base {
            Some(base) => base.over(present),
            None => present?.clone(),
        };
        for change in &self.changes {
            change.apply(&mut value);
        }
        Some(value)
    }
}

impl<T: SessionData> Base<T> {
    /// Returns the value. `login_with` makes it from `present`. Runs user code.
    ///
    /// `login_with` first makes a value from nothing, which decides the owner. It may use
    /// the present session only if that has no owner or the same one, and only if the
    /// result keeps the owner.
    pub fn over(&self, present: Option<&T>) -> T {
        let (make, earlier) = match self {
            Self::Value(value) => return T::clone(value),
            Self::Made(make, earlier) => (make, earlier),
        };
        let former = earlier.apply(present);
        let make = make.lock();
        let from_nothing = make(None);
        let Some(former) = &former else { return from_nothing };
        if former.owner().is_some() && former.owner() != from_nothing.owner() {
            return from_nothing;
        }
        let from_former = make(Some(former));
        if from_former.owner() == from_nothing.owner() { from_former } else { from_nothing }
    }
}

/// The calls of a request that are not committed.
pub(crate) struct Pending<T> {
    /// `clear`: every session that the request presented ends.
    pub clear: bool,
    pub values: Values<T>,
    /// `login`: another session begins, even if the present one has ended.
    pub login: bool,
    /// `renew`: the session gets another id.
    pub renew: bool,
    /// `reauthenticate`: the user has just logged in again.
    pub reauthenticate: bool,
    /// `set_lifetime`.
    pub lifetime: Option<OwnLifetime>,
    /// `touch`: the idle timeout starts again.
    pub touch: bool,
    /// `revoke_others` by value: the token is sealed again, in this epoch of its owner.
    pub epoch: Option<u64>,
}

impl<T> Default for Pending<T> {
    fn default() -> Self {
        Self {
            clear: false,
            values: Values::default(),
            login: false,
            renew: false,
            reauthenticate: false,
            lifetime: None,
            touch: false,
            epoch: None,
        }
    }
}

impl<T> Clone for Pending<T> {
    fn clone(&self) -> Self {
        Self { values: self.values.clone(), ..*self }
    }
}

impl<T> Pending<T> {
    pub fn is_empty(&self) -> bool {
        let changes = self.changes_value() || self.lifetime.is_some() || self.touch;
        let renews = self.renew || self.reauthenticate;
        !self.clear && !changes && !self.login && !renews && self.epoch.is_none()
    }

    /// Whether the changes concern the value.
    pub fn changes_value(&self) -> bool {
        self.values.base.is_some() || !self.values.changes.is_empty()
    }

    /// Returns these calls with later ones behind them.
    #[must_use]
    pub fn followed_by(mut self, later: Self) -> Self {
        if later.clear {
            return later;
        }
        self.values = self.values.followed_by(later.values);
        self.lifetime = later.lifetime.or(self.lifetime);
        self.touch |= later.touch;
        self.login |= later.login;
        self.renew |= later.renew;
        self.reauthenticate |= later.reauthenticate;
        self.epoch = later.epoch.or(self.epoch);
        self
    }

    /// The calls as [`plan`](crate::plan) takes them, without what the value asks for.
    pub fn asked(&self) -> Asked {
        Asked {
            clear: self.clear,
            login: self.login,
            renew: self.renew,
            reauthenticate: self.reauthenticate,
            lifetime: self.lifetime,
            touch: self.touch,
            reseal: self.epoch.is_some(),
            ..Asked::default()
        }
    }
}
