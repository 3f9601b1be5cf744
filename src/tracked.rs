//! Sessions as a request found them, or as its last commit left them.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::codec::Content;
use crate::plan::{Snapshot, Standing};
use crate::storage::StorageKey;
use crate::token::SessionId;

/// Where a session is: in a token, or in a record.
pub(crate) trait Place {
    /// A write to this place whose outcome is not known yet.
    type Attempt;
}

/// A session as a request found it, or as the last commit left it. `P` is its place, where later
/// writes go.
#[derive(Clone, Debug)]
pub(crate) struct Tracked<P> {
    pub snapshot: Snapshot,
    /// The encoded value. Content that is unchanged is not written; by value, a touch sends it
    /// again.
    pub content: Content,
    pub place: P,
}

/// The sessions that the tokens of a request stand for.
#[derive(Debug)]
pub(crate) struct TrackedSet<P> {
    /// The session of the request. `None` if there is none, or if there are several.
    pub one: Option<Arc<Tracked<P>>>,
    /// Other live sessions, which `clear` and a login end as well.
    pub others: Vec<Arc<Tracked<P>>>,
    /// Sessions that the request had and lost: they have ended, or go on under ids that other
    /// requests were given. `clear` ends them. A login does not, so that of two concurrent logins
    /// neither ends the other. But it replaces a lost session whose id a renewal has replaced.
    pub lost: Vec<Arc<Tracked<P>>>,
    /// What is left of the session if it is superseded.
    pub superseded: Option<Arc<Superseded>>,
}

/// A session that a login of another request has replaced, or whose id a renewal has replaced. Such
/// an id opens nothing, and begins nothing but a login, so that a response on its way with the
/// newer cookie is not overwritten.
#[derive(Clone, Debug)]
pub(crate) struct Superseded {
    /// The id and the CSRF generation to which CSRF tokens of this request are bound. After a login
    /// they are those of the replaced session. After a renewal, a token is bound to the presented
    /// id alone.
    pub forms: (SessionId, u32),
    /// The record of the login's session, or of the session that goes on under another id. Under a
    /// limit, a login of the same owner takes its place.
    pub goes_on: StorageKey,
    /// A renewal has replaced the id. Otherwise, a login has replaced the session.
    pub renewed: bool,
    /// See [`Located::ancestor`].
    pub ancestor: StorageKey,
}

impl<P> Default for TrackedSet<P> {
    fn default() -> Self {
        Self { one: None, others: Vec::new(), lost: Vec::new(), superseded: None }
    }
}

impl<P> Clone for TrackedSet<P> {
    fn clone(&self) -> Self {
        Self {
            one: self.one.clone(),
            others: self.others.clone(),
            lost: self.lost.clone(),
            superseded: self.superseded.clone(),
        }
    }
}

impl<P> TrackedSet<P> {
    /// Makes the session a lost one: it has ended, or goes on under another id.
    pub fn lose(&mut self) {
        self.lost.extend(self.one.take());
    }

    /// Makes the session one of the others, because it cannot be used.
    pub fn set_aside(&mut self) {
        self.others.extend(self.one.take());
    }

    /// Records that a login of another request has replaced the session, or that a renewal has
    /// replaced its id.
    pub fn supersede(&mut self, replaced: Arc<Superseded>) {
        if replaced.renewed {
            self.lose();
        }
        self.one = None;
        self.superseded = Some(replaced);
    }

    /// Returns the session that goes on, or what is in its place.
    pub fn standing(&self) -> Standing<'_> {
        match (&self.one, &self.superseded) {
            (Some(one), _) => Standing::Session(&one.snapshot),
            (None, Some(by)) if by.renewed && !self.lost.is_empty() => Standing::Renewed,
            (None, Some(_)) => Standing::Superseded,
            (None, None) => Standing::Nobody,
        }
    }
}

/// What the tokens of one request stand for.
pub(crate) struct Found<P> {
    /// Every distinct live session.
    pub sessions: SmallVec<[Arc<Tracked<P>>; 1]>,
    /// Another token is genuine, but its session has ended.
    pub over: bool,
    /// Another token stands for a superseded session.
    pub superseded: Option<Arc<Superseded>>,
    /// A token is genuine, or is an id without protection, whatever it stands for.
    pub ours: bool,
}

impl<P> Default for Found<P> {
    fn default() -> Self {
        Self { sessions: SmallVec::new(), over: false, superseded: None, ours: false }
    }
}
