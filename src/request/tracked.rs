//! What a request presents: sessions by value or by id.

use std::fmt;
use std::sync::Arc;

use super::plan::{Snapshot, Standing};
use crate::application::Tracker;
use crate::by_id::{ById, Located};
use crate::by_value::{ByValue, Sealed};
use crate::storage::{OwnerKey, StorageKey};
use crate::token::SessionId;

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
pub(crate) struct Sessions<P> {
    /// The session of the request; none if there is none or several.
    pub one: Option<Arc<Tracked<P>>>,
    /// Live sessions beside it, which `clear` and a login end as well.
    pub others: Vec<Arc<Tracked<P>>>,
    /// Sessions that the request had and lost: they are over, or go on under ids
    /// that other requests were given. `clear` ends them. A login does not, but for one
    /// that a renewal has [replaced](Self::replaced): of two logins that meet, neither ends
    /// the other.
    pub lost: Vec<Arc<Tracked<P>>>,
    /// In the place of a session, what a login has left of it, or a renewal of its id.
    pub replaced: Option<Arc<Replaced>>,
}

/// A session that a login of another request has replaced, or an id that a renewal
/// has. It is nobody, and begins nothing but a login: an answer on its way must not
/// overwrite the newer cookie.
#[derive(Clone, Debug)]
pub(crate) struct Replaced {
    /// On which forms hang that are shown or sent with the id from before: on the session
    /// as it was before a login, or after a renewal on that id alone.
    pub forms: (SessionId, u32),
    /// The record of the login's session, or of the one that goes on under another id. A
    /// login of the same owner takes its place, where there is a limit.
    pub goes_on: StorageKey,
    /// That is the session itself, under another id.
    pub renewed: bool,
    /// See [`Located::origin`].
    pub origin: StorageKey,
}

impl<P> Default for Sessions<P> {
    fn default() -> Self {
        Self { one: None, others: Vec::new(), lost: Vec::new(), replaced: None }
    }
}

impl<P> Clone for Sessions<P> {
    fn clone(&self) -> Self {
        Self {
            one: self.one.clone(),
            others: self.others.clone(),
            lost: self.lost.clone(),
            replaced: self.replaced.clone(),
        }
    }
}

impl<P> Sessions<P> {
    /// The session is over, or goes on under another id.
    pub fn lose(&mut self) {
        self.lost.extend(self.one.take());
    }

    /// The session cannot be used.
    pub fn set_aside(&mut self) {
        self.others.extend(self.one.take());
    }

    /// Another request's login has replaced the session, or a renewal its id.
    pub fn is_replaced(&mut self, replaced: Replaced) {
        if replaced.renewed {
            self.lose();
        }
        self.one = None;
        self.replaced = Some(Arc::new(replaced));
    }

    /// The session that goes on, or what stands in its place.
    pub fn standing(&self) -> Standing<'_> {
        match (&self.one, &self.replaced) {
            (Some(one), _) => Standing::Session(&one.snapshot),
            (None, Some(by)) if by.renewed && !self.lost.is_empty() => Standing::Renewed,
            (None, Some(_)) => Standing::Replaced,
            (None, None) => Standing::Nobody,
        }
    }
}

/// The sessions that a request presented.
pub(crate) struct Presented {
    /// The transport carried any value, valid or not.
    pub any: bool,
    pub sessions: Kind,
}

/// The sessions and what tracks them: by value or by id.
#[derive(Clone)]
pub(crate) enum Kind {
    ByValue(Arc<ByValue>, Sessions<Sealed>),
    ById(Arc<ById>, Sessions<Located>),
}

impl Kind {
    /// No session.
    pub fn nobody(tracker: &Tracker) -> Self {
        match tracker {
            Tracker::ByValue(tracker) => Self::ByValue(Arc::clone(tracker), Sessions::default()),
            Tracker::ById(tracker) => Self::ById(Arc::clone(tracker), Sessions::default()),
        }
    }

    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.standing().session()
    }

    /// See [`Sessions::standing`].
    pub fn standing(&self) -> Standing<'_> {
        match self {
            Self::ByValue(_, sessions) => sessions.standing(),
            Self::ById(_, sessions) => sessions.standing(),
        }
    }

    /// See [`Sessions::replaced`].
    pub fn replaced(&self) -> Option<&Replaced> {
        match self {
            Self::ByValue(_, sessions) => sessions.replaced.as_deref(),
            Self::ById(_, sessions) => sessions.replaced.as_deref(),
        }
    }

    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::ByValue(_, sessions) => sessions.one.as_deref().map(|one| &one.content),
            Self::ById(_, sessions) => sessions.one.as_deref().map(|one| &one.content),
        }
    }

    /// Whose session it is, where that is known.
    pub fn owner(&self) -> Option<&OwnerKey> {
        match self {
            Self::ByValue(_, sessions) => sessions.one.as_deref()?.place.owner.as_ref(),
            Self::ById(_, sessions) => sessions.one.as_deref()?.place.owner.as_ref(),
        }
    }

    /// The record's name in the storage; none by value.
    pub fn key(&self) -> Option<&StorageKey> {
        match self {
            Self::ByValue(..) => None,
            Self::ById(_, sessions) => sessions.one.as_deref().map(|one| &one.place.key),
        }
    }

    /// The identity of the token; none by id.
    pub fn token_id(&self) -> Option<[u8; 16]> {
        match self {
            Self::ByValue(_, sessions) => sessions.one.as_deref().map(|one| one.place.token_id),
            Self::ById(..) => None,
        }
    }

    /// See [`Sessions::lose`].
    pub fn lose(&mut self) {
        match self {
            Self::ByValue(_, sessions) => sessions.lose(),
            Self::ById(_, sessions) => sessions.lose(),
        }
    }

    /// See [`Sessions::is_replaced`].
    pub fn is_replaced(&mut self, replaced: Replaced) {
        match self {
            Self::ByValue(_, sessions) => sessions.is_replaced(replaced),
            Self::ById(_, sessions) => sessions.is_replaced(replaced),
        }
    }

    /// See [`Sessions::set_aside`].
    pub fn set_aside(&mut self) {
        match self {
            Self::ByValue(_, sessions) => sessions.set_aside(),
            Self::ById(_, sessions) => sessions.set_aside(),
        }
    }
}

/// Encoded bytes of a value; those of a record are shared with the storage.
#[derive(Clone)]
pub(crate) enum Content {
    Owned(Arc<Vec<u8>>),
    /// With what the transformers have made of it.
    Transformed(Arc<(Vec<u8>, Vec<u8>)>),
    /// The record's payload, and where in it the value begins.
    Shared(Arc<[u8]>, usize),
}

impl Content {
    pub fn owned(bytes: Vec<u8>) -> Self {
        Self::Owned(Arc::new(bytes))
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Transformed(both) => &both.0,
            Self::Shared(bytes, start) => bytes.get(*start..).unwrap_or_default(),
        }
    }

    /// With what the transformers have made of it.
    pub fn transformed(&self, payload: Vec<u8>) -> Self {
        Self::Transformed(Arc::new((self.bytes().to_vec(), payload)))
    }

    /// What the transformers have made of it, if that is known.
    pub fn payload(&self) -> Option<&[u8]> {
        match self {
            Self::Transformed(both) => Some(&both.1),
            _ => None,
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.bytes().len())
    }
}
