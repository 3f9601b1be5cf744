//! Sessions as a request has found them, or as its last commit has left them.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::codec::Content;
use crate::plan::{Snapshot, Standing};
use crate::storage::StorageKey;
use crate::token::SessionId;

/// Where a session is: in a token, or in a record.
pub(crate) trait Place {
    /// A write to it of which nobody knows yet what became.
    type Attempt;
}

/// A session as it was found, or left by the last commit. `P` is its place:
/// where a later write goes.
#[derive(Clone, Debug)]
pub(crate) struct Tracked<P> {
    pub snapshot: Snapshot,
    /// The encoded value; unchanged content is neither written nor sent.
    pub content: Content,
    pub place: P,
}

/// What the tokens of one kind stand for.
#[derive(Debug)]
pub(crate) struct TrackedSet<P> {
    /// The session of the request; none if there is none or several.
    pub one: Option<Arc<Tracked<P>>>,
    /// Live sessions beside it, which `clear` and a login end as well.
    pub others: Vec<Arc<Tracked<P>>>,
    /// Sessions that the request had and lost: they are over, or go on under ids
    /// that other requests were given. `clear` ends them. A login does not, but for one
    /// that a renewal has [replaced](Self::superseded): of two logins that meet, neither ends
    /// the other.
    pub lost: Vec<Arc<Tracked<P>>>,
    /// In the place of a session, what a login has left of it, or a renewal of its id.
    pub superseded: Option<Arc<Superseded>>,
}

/// A session that a login of another request has replaced, or an id that a renewal
/// has. It is nobody, and begins nothing but a login: an answer on its way must not
/// overwrite the newer cookie.
#[derive(Clone, Debug)]
pub(crate) struct Superseded {
    /// On which forms hang that are shown or sent with the id from before: on the session
    /// as it was before a login, or after a renewal on that id alone.
    pub forms: (SessionId, u32),
    /// The record of the login's session, or of the one that goes on under another id. A
    /// login of the same owner takes its place, where there is a limit.
    pub goes_on: StorageKey,
    /// That is the session itself, under another id.
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
    /// The session is over, or goes on under another id.
    pub fn lose(&mut self) {
        self.lost.extend(self.one.take());
    }

    /// The session cannot be used.
    pub fn set_aside(&mut self) {
        self.others.extend(self.one.take());
    }

    /// Another request's login has replaced the session, or a renewal its id.
    pub fn supersede(&mut self, replaced: Superseded) {
        if replaced.renewed {
            self.lose();
        }
        self.one = None;
        self.superseded = Some(Arc::new(replaced));
    }

    /// The session that goes on, or what stands in its place.
    pub fn standing(&self) -> Standing<'_> {
        match (&self.one, &self.superseded) {
            (Some(one), _) => Standing::Session(&one.snapshot),
            (None, Some(by)) if by.renewed && !self.lost.is_empty() => Standing::Renewed,
            (None, Some(_)) => Standing::Superseded,
            (None, None) => Standing::Nobody,
        }
    }
}

/// What tokens stand for.
pub(crate) struct Found<P> {
    /// Every distinct live session.
    pub sessions: SmallVec<[Tracked<P>; 1]>,
    /// Another token was genuine, but its session is over.
    pub over: bool,
    /// Another one stands for a session that a login has replaced.
    pub superseded: Option<Superseded>,
    /// A token was ours, or an id without protection, whatever it stands for.
    pub ours: bool,
}

impl<P> Default for Found<P> {
    fn default() -> Self {
        Self { sessions: SmallVec::new(), over: false, superseded: None, ours: false }
    }
}
