//! What a session tells before the commit, on the model.

use crate::kept::{Lifetime, Names, Times};
use crate::model::Model;
use crate::renewals::Renews;
use crate::trace::Value;
use crate::view::View;

/// What a session tells. Each of two expiries is right while a refresh of it is due.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub value: Option<Value>,
    pub id: Option<usize>,
    pub csrf: Option<usize>,
    pub created: Option<u64>,
    pub expires: [Option<u64>; 2],
    pub lifetime: Lifetime,
}

impl View {
    /// `get`, `id`, `csrf_token`, `created_at` and `expires_at`: what the commit
    /// will do.
    pub fn told(&mut self, model: &mut Model) -> Told {
        let replaced = self.begins_nothing() || self.value.is_none();
        let Some(value) = self.value.filter(|_| !replaced) else {
            let (created, expires, lifetime) = (None, [None; 2], self.begins_with());
            let csrf = self.stands().map(|replaced| replaced.csrf);
            return Told { value: self.value, id: None, csrf, created, expires, lifetime };
        };
        let found = self.goes_on();
        let goes_on = found.filter(|_| !self.begins_another());
        let renews = goes_on.map_or(Renews::No, |found| self.renews(&found));
        let names = match goes_on {
            Some(found) if renews == Renews::No => found.names,
            Some(found) if renews == Renews::Periodic => {
                let next = *self.planned.get_or_insert_with(|| model.names());
                Names { csrf: found.names.csrf, ..next }
            }
            _ => *self.planned.get_or_insert_with(|| model.names()),
        };
        let now = model.now;
        let times = match goes_on {
            Some(found) => {
                let writes = self.writes() || renews != Renews::No;
                let used = !self.skips && (writes || self.touches());
                let seen = if used { now.max(found.times.seen) } else { found.times.seen };
                let lifetime = self.pending.lifetime.unwrap_or(found.times.lifetime);
                Times { created: found.times.created, seen, lifetime }
            }
            _ => Times { created: now, seen: now, lifetime: self.begins_with() },
        };
        let due = !self.skips && times.touch_due(now, model.settings.place);
        let seen = if due { now } else { times.seen };
        let touched = Times { seen, ..times };
        let expires = [Some(times.expires()), Some(touched.expires())];
        let (created, lifetime) = (Some(times.created), times.lifetime);
        let Names { id, csrf } = names;
        Told { value: Some(value), id: Some(id), csrf: Some(csrf), created, expires, lifetime }
    }
}
