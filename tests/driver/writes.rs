//! A session that goes on, on the model: its writes and the refresh of its expiry.

use crate::kept::{Kept, Presented, Times};
use crate::model::Model;
use crate::renewals::{Renewal, Renews, Shown};
use crate::scenario::Fault;
use crate::trace::Failure;
use crate::view::{Found, Pending, View};

impl Model {
    /// The session is over already. Whether a write is tried all the same, and fails
    /// where writes do, is open.
    fn tries_in_vain(&mut self) -> bool {
        let fault = matches!(self.writes, Some(Fault::Down | Fault::LostAnswer));
        fault && self.choices.choose(2) == 1
    }

    /// A change of the session that was found, on top of what it holds now. If
    /// it is over, the change is dropped.
    pub fn replace(&mut self, view: &mut View, found: &Found) -> Result<(), Failure> {
        let again = self.stands(view, found);
        if again.is_none() && !(self.settings.place.on_server() && self.tries_in_vain()) {
            self.write_in_vain()?;
            self.is_over(view, found);
            view.drops();
            return Ok(());
        }
        // What is written if nobody else wrote, or on top of it.
        let unanswered = matches!(self.writes, Some(Fault::Down | Fault::LostAnswer));
        let again_seen = again.map_or(0, |again| again.times.seen);
        let again = again.filter(|_| !unanswered).unwrap_or(*found);
        if again.writes != found.writes {
            // The first try met a conflict, and was the first write.
            self.writes = self.writes.map(Fault::later);
        }
        // So may the next one, whose answer is lost.
        let lost = again.writes != found.writes && self.writes == Some(Fault::LostAnswer);
        let overtaken = lost && self.choices.choose(2) == 1;
        let seen = again_seen.max(again.times.seen);
        self.write_over(view, (found, again), seen, overtaken)
    }

    /// The write, over what was found or what is there `again`. That was last used when
    /// it was `seen`.
    fn write_over(
        &mut self,
        view: &mut View,
        (found, again): (&Found, Found),
        seen: u64,
        overtaken: bool,
    ) -> Result<(), Failure> {
        let value = view.on_top_of(again.value);
        let renews = view.renews(&again);
        let lifetime = view.pending.lifetime.unwrap_or(again.times.lifetime);
        let Pending { base, updates, .. } = view.pending;
        let another = lifetime != again.times.lifetime;
        let tells = again.renewal.shown == Shown::Before;
        let writes = base.is_some() || updates > 0 || renews != Renews::No || another;
        let asked = writes || tells && view.touches();
        if !asked {
            // Somebody else has renewed it.
            (view.found, view.value) = (Some(again), Some(value));
            return self.touch(view, &again, false);
        }
        let seen = self.seen(view, found, seen);
        let times = Times { seen, lifetime, ..again.times };
        let after = Kept { value, times, ..self.sessions[found.session] };
        let (next, after) = self.renewed(view, (again, after), renews);
        let renews = renews != Renews::No;
        if !self.settings.place.on_server() {
            return self.seal(view, Found { value, times, ..next }, renews);
        }
        let sends = renews || tells || another && again.renewal.shown != Shown::Grace;
        let mut write = self.write_of(view, next, after, sends);
        write.renews = renews;
        write.overtaken = overtaken;
        self.swap(view, *found, write)?;
        view.has_written(write.found);
        if write.sends {
            view.sends_token(self.now, self.settings.place);
        }
        Ok(())
    }

    /// Seals a client session's next token. After a renewal another one stands for it, and
    /// the one before is ended first, where that is remembered.
    fn seal(&mut self, view: &mut View, mut next: Found, renews: bool) -> Result<(), Failure> {
        if renews && self.can_end() {
            self.write()?;
            let kept = &mut self.sessions[next.session];
            (kept.ended, kept.moves) = (true, Some(next.names.id));
            view.next = Some(next.names);
            self.lost_answer()?;
        }
        let ends_old = self.can_end();
        let Found { value, times, names, .. } = next;
        if renews {
            let kept = &mut self.sessions[next.session];
            kept.ended = ends_old;
            let kept = Kept { value, times, names, ended: false, moves: None, ..*kept };
            self.sessions.push(kept);
            self.origins.push(self.origins[next.session]);
            next.session = self.sessions.len() - 1;
            view.begun.push(Presented::new(next.session));
        }
        view.has_written(next);
        view.sends_token(self.now, self.settings.place);
        Ok(())
    }

    /// Refreshes an expiry that is due, or as it was asked for.
    pub fn touch(&mut self, view: &mut View, found: &Found, failed: bool) -> Result<(), Failure> {
        let asked = view.touches();
        let Renewal { shown, due, .. } = found.renewal;
        let renews = due || shown == Shown::Before || found.renewal.completes();
        if renews && !asked && !failed {
            self.by_itself(view, found);
            return Ok(());
        }
        let due = !view.skips && found.times.touch_due(self.now, self.settings.place);
        if !asked && (failed || !due) {
            view.is_done();
            return Ok(());
        }
        let is_over = asked && self.find_again(found).is_none();
        // It looks first whether the session is over, and what ends that may come then.
        if is_over && !(self.meets && self.choices.choose(2) == 1) {
            self.is_over(view, found);
            view.drops();
            return Ok(());
        }
        let touched = self.touch_once(view, found);
        if asked {
            if !touched? {
                view.is_lost();
            }
            return Ok(());
        }
        // Nobody asked for it: a failure changes nothing.
        view.is_done();
        // Whether a request that changes nothing learns of an end, is open.
        let on_server = self.settings.place.on_server();
        let learns = if on_server || touched == Ok(true) { 0 } else { self.choices.choose(3) };
        if learns > 0 {
            view.is_lost();
            view.lost = learns == 2;
        }
        Ok(())
    }

    /// Says whether the session lives. On the server the record counts, whatever it says
    /// by now.
    fn touch_once(&mut self, view: &mut View, found: &Found) -> Result<bool, Failure> {
        let on_server = self.settings.place.on_server();
        let kept = self.sessions[found.session];
        let lives = if on_server { self.is_kept(&kept) } else { self.find_again(found).is_some() };
        if !lives {
            self.write_in_vain()?;
            return Ok(false);
        }
        if on_server {
            self.write()?;
            let kept = &mut self.sessions[found.session].times;
            kept.seen = kept.seen.max(self.now);
            self.lost_answer()?;
        }
        let times = Times { seen: self.now.max(found.times.seen), ..found.times };
        view.has_written(Found { times, ..*found });
        if !on_server {
            view.sends_token(self.now, self.settings.place);
        }
        Ok(true)
    }
}
