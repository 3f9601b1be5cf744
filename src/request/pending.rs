//! What the application asked for since the last commit: an optional base, the
//! updates after it, and the rest of its calls.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::data::SessionData;
use crate::expiry::OwnLifetime;
use crate::plan::Asked;

/// The application's closure, to be called again when the commit meets a
/// concurrent write. The lock makes it `Sync`. Nobody ever waits for it.
type Closure<F> = Arc<Mutex<F>>;

/// A change of the value.
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
    /// `login_with`: made from the session that is there, with what the request had
    /// changed in it before.
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

/// An optional base and the updates after it.
pub(crate) struct Values<T> {
    /// The last value that did not come from an update.
    pub base: Option<Base<T>>,
    /// The updates after it.
    pub changes: Vec<Change<T>>,
}

impl<T> Default for Values<T> {
    fn default() -> Self {
        Self { base: None, changes: Vec::new() }
    }
}

impl<T> Clone for Values<T> {
    fn clone(&self) -> Self {
        Self { base: self.base.clone(), changes: self.changes.clone() }
    }
}

impl<T> Values<T> {
    /// These, then the later ones.
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
    /// What they make of `present`; none without a value to start from. Runs user
    /// code.
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
    /// The value, over the one that is there. Runs user code.
    ///
    /// What `login_with` makes of a former session counts only if that has no
    /// owner or the new one's, and leaves the owner as it is without it.
    pub fn over(&self, present: Option<&T>) -> T {
        let (make, earlier) = match self {
            Self::Value(value) => return T::clone(value),
            Self::Made(make, earlier) => (make, earlier),
        };
        let former = earlier.apply(present);
        let make = make.lock();
        let alone = make(None);
        let Some(former) = &former else { return alone };
        if former.owner().is_some() && former.owner() != alone.owner() {
            return alone;
        }
        let kept = make(Some(former));
        if kept.owner() == alone.owner() { kept } else { alone }
    }
}

/// A request's uncommitted changes.
pub(crate) struct Pending<T> {
    /// `clear`: whatever the request presented ends.
    pub clear: bool,
    pub values: Values<T>,
    /// `login`: another session, whatever became of the present one.
    pub login: bool,
    /// `renew`: a fresh id for the same session.
    pub renew: bool,
    /// `reauthenticate`: the user has just logged in once more.
    pub reauthenticate: bool,
    /// `set_lifetime`.
    pub lifetime: Option<OwnLifetime>,
    /// `touch`: a longer life from now on.
    pub touch: bool,
    /// `revoke_others`: seal the token anew, in this epoch of its owner.
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

    /// Whether the value is another than the session's, or may be.
    pub fn changes_value(&self) -> bool {
        self.values.base.is_some() || !self.values.changes.is_empty()
    }

    /// These changes, then the later ones.
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

    /// What is asked for, but for what the value says.
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
