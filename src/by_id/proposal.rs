//! What is to be written of a session that goes on, or begins another.

use std::sync::Arc;

use super::record::Located;
use crate::commit::{NextValue, Present};
use crate::plan::Plan;
use crate::storage::{OwnerGuard, OwnerKey};
use crate::tracked::Tracked;

/// What is to be written, and over what.
pub(super) struct Proposal {
    pub plan: Plan,
    /// The value; none to leave it as it is.
    pub next: Option<NextValue>,
    pub session: Arc<Tracked<Located>>,
    /// Under which conditions it may become its owner's, if it was not before. Taken
    /// before anything is written: a login under way when its owner is revoked leaves
    /// nothing alive.
    pub guard: OwnerGuard,
}

impl Tracked<Located> {
    /// The session has no id of which a part can be replaced.
    pub fn is_foreign(&self) -> bool {
        self.snapshot.accepted || self.snapshot.whole_id
    }

    /// As the client has shown it that `before` was found for: if this one was found again
    /// under the next id of a renewal, its client does not have that yet.
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

    /// What changes apply to.
    pub fn present(&self) -> Present<'_> {
        (&self.content, self.place.owner.as_ref())
    }

    /// Whether the plan gives the session another name in the storage.
    pub(super) fn moves(&self, plan: Plan) -> bool {
        matches!(plan, Plan::Move { .. }) || self.is_foreign() && matches!(plan, Plan::Login { .. })
    }
}

/// Whose the session becomes, if it was not before.
pub(super) fn new_owner(
    plan: Plan,
    before: &Tracked<Located>,
    next: Option<&NextValue>,
) -> Option<OwnerKey> {
    let is_login = matches!(plan, Plan::Login { .. });
    let owner = next?.owner.as_ref()?;
    (is_login || before.place.owner.as_ref() != Some(owner)).then(|| owner.clone())
}
