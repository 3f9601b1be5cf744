//! The calls that change a session before its commit. None of them does I/O.

use std::sync::Arc;

use super::entry::Entry;
use super::parts::Retired;
use super::pending::{Base, Change};
use super::replay::{is_replaying, replaying};
use super::state::State;
use crate::data::SessionData;

impl<T: SessionData> Entry<T> {
    pub fn get(&self) -> Option<Arc<T>> {
        self.state.lock().value.clone()
    }

    pub fn get_or_insert_with(&self, f: impl FnOnce() -> T) -> Arc<T> {
        if let Some(value) = self.get() {
            return value;
        }
        let fresh = Arc::new(f());
        if is_replaying(self.name()) {
            return fresh;
        }
        self.change(|state, retired| {
            if let Some(value) = &state.value {
                return Arc::clone(value);
            }
            state.set(Base::Value(Arc::clone(&fresh)), Arc::clone(&fresh), false, retired);
            Arc::clone(&fresh)
        })
    }

    pub fn set(&self, value: T, login: bool) {
        if is_replaying(self.name()) {
            return;
        }
        let value = Arc::new(value);
        let base = Base::Value(Arc::clone(&value));
        self.change(|state, retired| state.set(base, value, login, retired));
    }

    pub fn login_with(&self, make: impl Fn(Option<&T>) -> T + Send + 'static) -> Arc<T> {
        let base = Base::from_closure(make);
        let former = self.get();
        let value = Arc::new(replaying(self.name(), || base.over(former.as_deref())));
        if !is_replaying(self.name()) {
            self.change(|state, retired| state.set(base, Arc::clone(&value), true, retired));
        }
        value
    }

    pub fn update(&self, change: impl Fn(&mut T) + Send + 'static) -> Option<Arc<T>> {
        if is_replaying(self.name()) {
            return self.get();
        }
        let mut change = Change::new(change);
        let mut again = false;
        loop {
            let (value, revision) = {
                let state = self.state.lock();
                (state.value.clone()?, state.revision)
            };
            // User code runs outside the lock.
            let mut changed = T::clone(&value);
            if again {
                replaying(self.name(), || change.apply(&mut changed));
            } else {
                change.apply(&mut changed);
            }
            let changed = Arc::new(changed);
            match self.change(|state, retired| state.update(revision, &changed, change, retired)) {
                Ok(()) => return Some(changed),
                Err(back) => (change, again) = (back, true),
            }
        }
    }

    /// Changes the state for `clear`, `discard` and the like, except during a replay.
    pub fn ask(&self, ask: impl FnOnce(&mut State<T>, &mut Retired<T>)) {
        if !is_replaying(self.name()) {
            self.change(ask);
        }
    }
}
