//! The parts of [`State`](super::state::State) beside the value.

use std::sync::Arc;

use super::pending::Pending;
use super::presented::SessionSet;
use crate::by_id::Attempt;
use crate::storage::StorageKey;
use crate::token::SessionId;

/// The id that the next commit gives. It is drawn when it is first asked for.
#[derive(Clone)]
pub(crate) enum Planned {
    /// The id of a session that begins or moves.
    Fresh(SessionId),
    /// The id of the present session with another secret, and the CSRF generation
    /// that the session has under it.
    Renewed(SessionId, u32),
}

/// The sessions and the value before a commit.
pub(crate) type Before<T> = (SessionSet, Option<Arc<T>>);

/// The session's value after a commit or a read.
pub(crate) enum ValueAfter<T> {
    /// The committed value, or `None` if there is no session.
    Value(Option<Arc<T>>),
    /// The session had ended. The request's changes are dropped.
    Dropped,
}

impl<T> ValueAfter<T> {
    /// The value after the session has ended. Changes that begin another session
    /// (`begins`) stay pending.
    pub fn over(begins: bool) -> Self {
        if begins { Self::Value(None) } else { Self::Dropped }
    }
}

/// The parts that a change of the state has replaced. They are dropped after the lock
/// is released, because the `Drop` of a value or a closure may call the session.
pub(crate) struct Retired<T> {
    pub(super) value: Option<Arc<T>>,
    pub committed: Option<Arc<T>>,
    pub(super) pending: Option<Pending<T>>,
    pub in_flight: Option<Arc<Pending<T>>>,
    pub unsettled: Option<Unsettled<T>>,
    pub(super) unconfirmed: Option<Before<T>>,
    pub former: Option<Arc<T>>,
    /// A value that was found or written, of a session that has ended meanwhile.
    pub unused: Option<Arc<T>>,
    /// Their contents keep values that were decoded.
    pub(super) sessions: Option<SessionSet>,
}

impl<T> Default for Retired<T> {
    fn default() -> Self {
        Self {
            value: None,
            committed: None,
            pending: None,
            in_flight: None,
            unsettled: None,
            unconfirmed: None,
            former: None,
            unused: None,
            sessions: None,
        }
    }
}

/// A write that was sent and not answered. Its changes are those in
/// [`State::in_flight`](super::state::State).
pub(crate) struct Unsettled<T> {
    pub attempt: Arc<Attempt>,
    /// The session's value if the write was applied.
    pub value: Option<Arc<T>>,
}

impl<T> Clone for Unsettled<T> {
    fn clone(&self) -> Self {
        Self { attempt: Arc::clone(&self.attempt), value: self.value.clone() }
    }
}

/// The session that this request has revoked through its manager.
#[derive(PartialEq, Eq)]
pub(super) enum EndedOutside {
    Nothing,
    /// The session by value whose token has this id.
    Token([u8; 16]),
    /// The session by id whose record has this key.
    Record(StorageKey),
}
