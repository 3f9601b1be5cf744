//! Renewals on the model: another id for a session that goes on. One that comes by
//! itself is open until its client shows the next id; then the one before still opens
//! the session for a while. `renew` takes effect at once.

use crate::app::{GRACE, RENEW_AFTER};
use crate::kept::{Kept, Names, Previous, Times};
use crate::model::Model;
use crate::scenario::Fault;
use crate::view::{Found, Pending, View};

/// Which id of the session a request has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    #[default]
    Present,
    /// The one before an open renewal: it goes on under the next one, and is to be sent
    /// that.
    Before,
    /// The one before, after the next one was shown.
    Grace,
    /// Not the present one: that was given to it since.
    Told,
}

/// What a request knows of its session's renewals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Renewal {
    pub shown: Shown,
    /// Nobody had shown the present id before.
    pub open: bool,
    /// The session has had its id for long enough.
    pub due: bool,
}

impl Renewal {
    /// The request is the first to show the present id.
    pub fn completes(self) -> bool {
        self.open && self.shown == Shown::Present
    }

    /// After a write of this request.
    fn written(self) -> Self {
        let shown = if self.shown == Shown::Before { Shown::Told } else { self.shown };
        Self { shown, open: self.open && !self.completes(), due: false }
    }
}

/// What a write does to the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renews {
    No,
    /// `renew`.
    Now,
    Periodic,
}

impl Model {
    /// How this id opens the session, if it does.
    pub fn opens(&self, kept: &Kept, id: usize) -> Option<Renewal> {
        let open = kept.previous.is_some_and(|previous| previous.until.is_none());
        let shown = match kept.previous {
            _ if kept.names.id == id => Shown::Present,
            Some(previous) if previous.id == id => match previous.until {
                None => Shown::Before,
                Some(until) if self.now < until => Shown::Grace,
                Some(_) => return None,
            },
            _ => return None,
        };
        let age = self.now - kept.renewed.max(kept.times.created);
        let due = self.settings.renews && age >= RENEW_AFTER;
        Some(Renewal { shown, open, due: due && !open && shown == Shown::Present })
    }

    /// What a write meets that is made over this one.
    pub fn stands(&self, view: &View, found: &Found) -> Option<Found> {
        let kept = self.sessions[found.session];
        let unchanged = self.settings.place.on_server() && kept.writes == found.writes;
        if unchanged && self.is_live(&kept) {
            return Some(Found { times: kept.times, ..*found });
        }
        // Its own renewal, which was not answered, is no end.
        let moves = view.next.is_some_and(|next| kept.moves == Some(next.id));
        let goes_on = moves && self.now < found.times.expires();
        if goes_on { Some(*found) } else { self.find_again(found) }
    }

    /// The record and the session after a write over this.
    pub fn renewed(
        &mut self,
        view: &View,
        (over, mut after): (Found, Kept),
        renews: Renews,
    ) -> (Found, Kept) {
        let before = after.names;
        let mut found = Found { renewal: over.renewal.written(), ..over };
        if renews == Renews::No {
            if over.renewal.completes() {
                let until = Some(self.now + GRACE);
                after.previous = after.previous.map(|previous| Previous { until, ..previous });
                after.renewed = self.now;
            }
            return (found, after);
        }
        let planned = view.next.or(view.planned).unwrap_or_else(|| self.names());
        let until = Some(self.now).filter(|_| renews == Renews::Now);
        if let Some(former) = after.previous {
            // It opens nothing any more.
            let until = Some(former.until.unwrap_or(self.now).min(self.now));
            self.before.insert(before.id, Previous { until, ..former });
        }
        after.previous = Some(Previous { id: before.id, until });
        after.renewed = self.now;
        (after.names, found.renewal) = match renews {
            Renews::Periodic => {
                let renewal = Renewal { shown: Shown::Told, open: true, due: false };
                (Names { csrf: before.csrf, ..planned }, renewal)
            }
            _ => (planned, Renewal::default()),
        };
        found.names = after.names;
        (found, after)
    }

    /// What nobody has asked for: another id, the next one told again, or the end of an
    /// open renewal. It is done if nobody else has written, and a failure changes nothing.
    pub fn by_itself(&mut self, view: &mut View, found: &Found) {
        // A lifetime that it has already needs no write of its own.
        let asks = view.asks() && found.renewal.shown == Shown::Before;
        view.is_done();
        let planned = view.planned.take();
        let again = self.stands(view, found);
        let Some(again) = again.filter(|again| asks || again.writes == found.writes) else {
            if again.is_none() && asks && self.choices.choose(2) == 1 {
                self.is_over(view, found);
                view.drops();
            }
            return;
        };
        if again.writes != found.writes {
            // The first try met a conflict, and was the first write.
            if matches!(self.writes, Some(Fault::Down | Fault::LostAnswer)) {
                return;
            }
            self.writes = self.writes.map(Fault::later);
        }
        let renews = view.renews(&again);
        // What somebody else has written is as it was used then.
        let over = if again.writes == found.writes { found.times } else { again.times };
        let used = renews != Renews::No || over.touch_due(self.now, self.settings.place);
        let seen = self.seen(view, found, again.times.seen);
        let seen = if used || view.skips { seen } else { over.seen };
        let times = Times { seen, ..again.times };
        let kept = Kept { times, ..self.sessions[found.session] };
        let (next, after) = self.renewed(&View { planned, ..view.clone() }, (again, kept), renews);
        if self.write().is_err() {
            return;
        }
        let after = Kept { writes: after.writes + 1, ..after };
        self.sessions[found.session] = after;
        let lost = self.lost_answer().is_err();
        // Whether another id was given is found out at once, unless more has happened.
        let finds_out = renews != Renews::No && !(self.meets && self.choices.choose(2) == 1);
        if lost && !finds_out {
            return;
        }
        view.has_written(Found { times, writes: after.writes, ..next });
        if renews != Renews::No || found.renewal.shown == Shown::Before {
            view.sends_token(self.now, self.settings.place);
        }
    }

    /// When the session was last used, after a write of this request.
    pub fn seen(&mut self, view: &View, found: &Found, present: u64) -> u64 {
        // Whether a use that another request writes down at the same moment counts, is
        // open if this one is no use.
        let overtaken = view.skips && present != found.times.seen;
        match view.skips {
            true if overtaken && self.choices.choose(2) == 1 => found.times.seen,
            true => present,
            false => self.now.max(present),
        }
    }
}

impl Found {
    /// This one was found again under the id of `before`.
    pub fn shown_as(mut self, before: &Self) -> Self {
        let Renewal { shown, open, .. } = before.renewal;
        if open && shown != Shown::Present && self.renewal.shown == Shown::Present {
            self.renewal.shown = if self.renewal.open { Shown::Before } else { Shown::Grace };
            self.renewal.due = false;
        }
        self
    }
}

impl View {
    /// What a write over this does to the id.
    pub fn renews(&self, over: &Found) -> Renews {
        match over.renewal {
            Renewal { shown: Shown::Grace, .. } => Renews::No,
            _ if self.pending.renew => Renews::Now,
            Renewal { due: true, .. } => Renews::Periodic,
            _ => Renews::No,
        }
    }

    /// Something is asked for, so that a failure is one.
    pub fn asks(&self) -> bool {
        Pending { touch: self.touches(), ..self.pending } != Pending::default()
    }
}
