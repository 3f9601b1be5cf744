//! `refresh()` on the model.

use crate::model::Model;
use crate::view::{Found, Pending, View};

impl Model {
    /// `refresh()`: reads again, and the pending changes stay on top.
    pub fn refresh(&mut self, view: &mut View) {
        if self.settle(view, true) == Ok(false) {
            return;
        }
        let Some(found) = view.found else { return };
        let again = self.find_again(&found);
        if view.pending.ended {
            // Nothing to see now; whether it reads shows in a `discard` later.
            if self.choices.choose(2) == 0 {
                view.found = again;
                let replaced = self.replaced(found.session, found.names.id);
                if let Some(replaced) = replaced.filter(|_| again.is_none()) {
                    view.stands_replaced(replaced);
                }
            }
            return;
        }
        match again {
            Some(again) => {
                if again.names != found.names {
                    view.planned = None;
                }
                view.value = Some(view.on_top_of(again.value));
                view.found = Some(again);
            }
            None => self.is_gone(view, &found),
        }
    }

    /// A `refresh` does not find the session any more.
    fn is_gone(&self, view: &mut View, found: &Found) {
        let begins = view.begins_another();
        match self.replaced(found.session, found.names.id) {
            Some(replaced) => view.stands_replaced(replaced),
            None => view.loses(),
        }
        if begins {
            view.planned = None;
        } else if view.pending == Pending::default() {
            view.value = None;
        } else {
            view.drops();
        }
    }
}
