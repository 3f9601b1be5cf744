//! What begins, what it replaces, and what a login does next.

use super::former::Former;
use crate::by_id::proposal::Proposal;
use crate::commit::NextValue;
use crate::expiry::Times;
use crate::storage::{OwnerGuard, OwnerLimit, OwnerLimitPolicy, StorageKey};

/// A session that is to begin, and the one whose place it takes.
pub(in crate::by_id) struct Succession {
    pub times: Times,
    pub next: NextValue,
    /// See [`Proposal::guard`].
    pub guard: OwnerGuard,
    /// The session that it replaces, or `None` if it begins beside all others.
    pub old: Option<Former>,
    /// The [ancestor](Located::ancestor). `None` without a limit, or if no session was shown.
    pub ancestor: Option<StorageKey>,
}

impl Succession {
    /// Returns the guard of the record that begins.
    pub fn guard(&self) -> OwnerGuard {
        match &self.old {
            Some(old) => OwnerGuard { replaces: Some(old.key.clone()), ..self.guard.clone() },
            None => self.guard.clone(),
        }
    }

    /// Makes a limit that ends the oldest session refuse instead. Returns the limit that it was.
    pub(in crate::by_id) fn refuse_at_first(&mut self) -> Option<OwnerLimit> {
        let limit = self.guard.limit.as_mut()?;
        let ends = (limit.policy == OwnerLimitPolicy::EndOldest).then_some(*limit);
        limit.policy = OwnerLimitPolicy::Refuse;
        ends
    }
}

/// What a login does after a conflict, or if it exceeds the limit.
pub(in crate::by_id) enum Step {
    /// No session is left to replace.
    Stay,
    /// The login replaces this session, with this value if that has changed.
    Swap(Former, Option<NextValue>),
    Instead(NextStep),
}

/// What follows from a login.
pub(in crate::by_id) enum NextStep {
    Done,
    /// Another session begins, because the value's owner has changed.
    Begin(Box<Succession>),
    /// The changes are no longer a login, and are written to the session.
    Write(Proposal),
    /// The changes have nothing to apply to.
    Drop,
}
