//! A session that is to begin in the place of another one.

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
    /// The session that it replaces; none if it begins beside all others.
    pub old: Option<Former>,
    /// See [`Located::ancestor`]; none where there is no limit, or nothing was shown.
    pub ancestor: Option<StorageKey>,
}

impl Succession {
    /// The guard of the record that begins.
    pub fn guard(&self) -> OwnerGuard {
        match &self.old {
            Some(old) => OwnerGuard { replaces: Some(old.key.clone()), ..self.guard.clone() },
            None => self.guard.clone(),
        }
    }

    /// From now on, a limit that ends the oldest session refuses. Gives that limit.
    pub(in crate::by_id) fn refuse_at_first(&mut self) -> Option<OwnerLimit> {
        let limit = self.guard.limit.as_mut()?;
        let ends = (limit.policy == OwnerLimitPolicy::EndOldest).then_some(*limit);
        limit.policy = OwnerLimitPolicy::Refuse;
        ends
    }
}

/// What a login does after a conflict, or where it is one too many.
pub(in crate::by_id) enum Step {
    Stay,
    /// It is swapped over this session, with this value if that is another.
    Swap(Former, Option<NextValue>),
    Instead(NextStep),
}

/// What a login comes to.
pub(in crate::by_id) enum NextStep {
    Done,
    /// Another session begins: the value is somebody else's by now.
    Begin(Box<Succession>),
    /// The changes make no other session of it any more. They are written to it.
    Write(Proposal),
    /// They come to nothing.
    Drop,
}
