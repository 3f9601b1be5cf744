//! What a commit is to write to a session that goes on, or begins another.

use std::sync::Arc;

use super::record::Located;
use crate::commit::{NextValue, Present};
use crate::plan::Plan;
use crate::storage::{OwnerGuard, OwnerKey};
use crate::tracked::Tracked;

/// What is to be written, and over which session.
pub(super) struct Proposal {
    pub plan: Plan,
    /// The next value, or `None` to keep the value.
    pub next: Option<NextValue>,
    pub session: Arc<Tracked<Located>>,
    /// The conditions under which the record may become its owner's, if it was not before. They are
    /// read before anything is written. So a login that is under way when its owner is revoked
    /// leaves no live session.
    pub guard: OwnerGuard,
}

impl Tracked<Located> {
    /// Whether no part of the session's id can be replaced.
    pub fn is_foreign(&self) -> bool {
        self.snapshot.accepted || self.snapshot.whole_id
    }

    /// Restores which id the client has shown. `before` was found by that id. After a conflict, the
    /// session is read by its current id. If a renewal was open, the client may not have that id
    /// yet.
    pub fn shown_as(mut self, before: &Self) -> Self {
        let unaware = before.place.secrets.is_open() && !before.snapshot.completes;
        let same_id = before.place.id == self.place.id && !self.snapshot.next_id_unsent;
        if unaware && same_id {
            let is_open = std::mem::take(&mut self.snapshot.completes);
            self.snapshot.next_id_unsent = is_open;
            self.snapshot.in_grace = !is_open;
        }
        self
    }

    /// Returns what changes apply to.
    pub fn present(&self) -> Present<'_> {
        (&self.content, self.place.owner.as_ref())
    }

    /// Whether the plan moves the session to another record.
    pub(super) fn moves(&self, plan: Plan) -> bool {
        matches!(plan, Plan::Move { .. }) || self.is_foreign() && matches!(plan, Plan::Login { .. })
    }
}

/// Returns the owner that the session joins. A login always joins its owner anew.
pub(super) fn new_owner(
    plan: Plan,
    before: &Tracked<Located>,
    next: Option<&NextValue>,
) -> Option<OwnerKey> {
    let is_login = matches!(plan, Plan::Login { .. });
    let owner = next?.owner.as_ref()?;
    (is_login || before.place.owner.as_ref() != Some(owner)).then(|| owner.clone())
}
