//! A write that was not answered: what the request goes on with, and what becomes
//! of the write.

use crate::kept::Kept;
use crate::model::Model;
use crate::scenario::Fault;
use crate::trace::Failure;
use crate::view::{Found, Pending, Unsettled, View};

impl Model {
    /// Writes the session's record, over what the request knows of it.
    pub fn swap(&mut self, view: &mut View, found: Found, write: Unsettled) -> Result<(), Failure> {
        let unanswered = matches!(self.writes, Some(Fault::Down | Fault::LostAnswer));
        if !unanswered {
            self.write()?;
            self.apply(&write);
            return Ok(());
        }
        let mut write = write;
        let reaches = self.writes == Some(Fault::LostAnswer) && !write.overtaken;
        let reaches = reaches && self.is_open(&write);
        let knows = self.find_again(&found).is_some();
        write.applied = reaches && knows;
        if write.applied {
            self.apply(&write);
        }
        if write.renews {
            // That id is the write's.
            view.planned = None;
        }
        view.pending = Pending::default();
        view.unsettled = Some(write);
        Err(Failure::Storage)
    }

    /// The record is as it was when the write was first sent.
    fn is_open(&self, write: &Unsettled) -> bool {
        let kept = &self.sessions[write.found.session];
        self.is_live(kept) && kept.writes + 1 == write.after.writes
    }

    fn apply(&mut self, write: &Unsettled) {
        self.sessions[write.found.session] = write.after;
    }

    /// Finds out what became of the last write, if nobody knows. Says whether it is
    /// known then: one that may still arrive is sent again, unless the request only
    /// reads.
    pub fn settle(&mut self, view: &mut View, reads: bool) -> Result<bool, Failure> {
        if view.pending.ended {
            view.unsettled = None;
        }
        let Some(write) = view.unsettled else { return Ok(true) };
        if write.applied && self.is_kept(&self.sessions[write.found.session]) {
            self.was_applied(view, write);
        } else if !self.is_open(&write) || !write.wanted {
            was_not_applied(view, write);
        } else if reads {
            return Ok(false);
        } else {
            self.send_again(view, write)?;
        }
        Ok(true)
    }

    fn send_again(&mut self, view: &mut View, mut write: Unsettled) -> Result<(), Failure> {
        if self.writes == Some(Fault::Down) {
            return Err(Failure::Storage);
        }
        self.write()?;
        self.apply(&write);
        write.applied = true;
        if self.lost_answer().is_err() {
            view.unsettled = Some(write);
            return Err(Failure::Storage);
        }
        self.was_applied(view, write);
        Ok(())
    }

    fn was_applied(&mut self, view: &mut View, write: Unsettled) {
        view.unsettled = None;
        view.said = write.pending.lifetime.or(view.said);
        view.found = Some(write.found);
        view.value = Some(view.on_top_of(write.found.value));
        if write.sends {
            view.sends_token(write.at, self.settings.place);
        }
        view.guard = None;
    }

    /// The request is over. Of a renewal of which it was not told nobody holds the id.
    /// `found` is the session before a commit that was dropped.
    pub fn lets_go(&mut self, view: &View, found: Option<Found>) {
        let unheard = view.unsettled.filter(|write| write.renews).map(|write| write.found);
        let dropped = found.zip(view.found).filter(|(before, after)| {
            before.session == after.session && before.names.id != after.names.id
        });
        let renewed = unheard.or(dropped.map(|(_, after)| after));
        if let Some(renewed) = renewed.filter(|_| self.settings.place.on_server()) {
            self.unheld.push(renewed);
        }
    }

    /// A session that nobody holds an id of ends sooner or later.
    pub fn ends_unheld(&mut self) {
        for found in std::mem::take(&mut self.unheld) {
            let kept = &self.sessions[found.session];
            if !self.is_live(kept) || kept.names.id != found.names.id {
                continue;
            }
            if self.choices.choose(2) == 1 {
                self.sessions[found.session].ended = true;
            } else {
                self.unheld.push(found);
            }
        }
    }

    /// The session with these changes to it, as a write that was not applied so far.
    pub fn write_of(&self, view: &View, found: Found, after: Kept, sends: bool) -> Unsettled {
        let writes = found.writes + 1;
        let Kept { value, times, .. } = after;
        let found = Found { value, times, writes, ..found };
        let after = Kept { writes, ..after };
        let (pending, at, wanted) = (view.pending, self.now, true);
        let (renews, applied, overtaken) = (false, false, false);
        Unsettled { pending, at, after, found, sends, renews, applied, overtaken, wanted }
    }
}

/// The changes are pending again, unless they were dropped.
fn was_not_applied(view: &mut View, write: Unsettled) {
    view.unsettled = None;
    if !write.wanted {
        return;
    }
    let later = view.pending;
    view.pending = write.pending.followed_by(later);
    if write.renews && view.planned.is_none() && !later.renew && !later.login {
        view.planned = Some(write.found.names);
    }
}
