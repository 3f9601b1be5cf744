//! What a request holds beside the value of its session.

use std::sync::Arc;

use super::pending::Pending;
use super::presented::SessionSet;
use crate::by_id::Attempt;
use crate::storage::StorageKey;
use crate::token::SessionId;

/// The id that the next commit gives, once somebody has asked for it.
#[derive(Clone)]
pub(crate) enum Planned {
    /// Of a session that begins or moves.
    Fresh(SessionId),
    /// Of the session that is there, under another secret, and its CSRF generation
    /// then.
    Renewed(SessionId, u32),
}

/// What a commit or a read left of the session's value.
pub(crate) enum ValueAfter<T> {
    /// This value is committed. There may be none.
    Value(Option<Arc<T>>),
    /// The session was over. The changes are dropped.
    Dropped,
}

impl<T> ValueAfter<T> {
    /// Of a session that is over. What `begins` another one stays asked for.
    pub fn over(begins: bool) -> Self {
        if begins { Self::Value(None) } else { Self::Dropped }
    }
}

/// What a change has replaced, to be dropped after the lock: a value's or a
/// closure's `Drop` may call the session.
pub(crate) struct Retired<T> {
    pub(super) value: Option<Arc<T>>,
    pub committed: Option<Arc<T>>,
    pub(super) pending: Option<Pending<T>>,
    pub in_flight: Option<Arc<Pending<T>>>,
    pub unsettled: Option<Unsettled<T>>,
    pub(super) unconfirmed: Option<(SessionSet, Option<Arc<T>>)>,
    pub former: Option<Arc<T>>,
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
        }
    }
}

/// A write that was sent, and of which nobody knows yet what became. Its changes are
/// those under way.
pub(crate) struct Unsettled<T> {
    pub attempt: Arc<Attempt>,
    /// The session's value once it is applied.
    pub value: Option<Arc<T>>,
}

impl<T> Clone for Unsettled<T> {
    fn clone(&self) -> Self {
        Self { attempt: Arc::clone(&self.attempt), value: self.value.clone() }
    }
}

/// What this request has ended from outside, through its manager.
#[derive(PartialEq, Eq)]
pub(super) enum EndedOutside {
    Nothing,
    /// The session by value with this token.
    Token([u8; 16]),
    /// The session by id with this record.
    Record(StorageKey),
}
