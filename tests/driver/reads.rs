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
        // Whatever id it reads under, unless a renewal of its own was not answered.
        let again = match view.next {
            Some(_) => self.stands(view, &found),
            None => self.find_again(&found),
        };
        if view.pending.ended {
            // Nothing to see now; whether it reads shows in a `discard` later.
            match again {
                _ if self.choices.choose(2) == 1 => {}
                Some(again) => view.found = Some(again),
                None => self.is_over(view, &found),
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

    /// The session is over. A login or a renewal may say so.
    pub fn is_over(&self, view: &mut View, found: &Found) {
        match self.became(found) {
            Some(replaced) => view.stands_replaced(replaced),
            None => view.loses(),
        }
    }

    /// A `refresh` does not find the session any more.
    fn is_gone(&self, view: &mut View, found: &Found) {
        let begins = view.begins_another();
        self.is_over(view, found);
        if begins {
            view.planned = None;
        } else if view.pending == Pending::default() {
            view.value = None;
        } else {
            view.drops();
        }
    }
}
