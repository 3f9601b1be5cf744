//! The sessions that a request presents, tracked by value or by id.

use std::sync::Arc;

use crate::application::Tracker;
use crate::by_id::{ById, Located};
use crate::by_value::{ByValue, Sealed};
use crate::codec::Content;
use crate::plan::{Snapshot, Standing};
use crate::storage::{OwnerKey, StorageKey};
use crate::tracked::{Superseded, TrackedSet};

/// The sessions that a request presented.
pub(crate) struct Presented {
    /// The request carried a token, valid or not.
    pub any: bool,
    pub sessions: SessionSet,
}

/// Sessions, and the tracker that they belong to: by value or by id.
#[derive(Clone)]
pub(crate) enum SessionSet {
    ByValue(Arc<ByValue>, TrackedSet<Sealed>),
    ById(Arc<ById>, TrackedSet<Located>),
}

impl SessionSet {
    /// No session.
    pub fn nobody(tracker: &Tracker) -> Self {
        match tracker {
            Tracker::ByValue(tracker) => Self::ByValue(Arc::clone(tracker), TrackedSet::default()),
            Tracker::ById(tracker) => Self::ById(Arc::clone(tracker), TrackedSet::default()),
        }
    }

    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.standing().session()
    }

    /// See [`TrackedSet::standing`].
    pub fn standing(&self) -> Standing<'_> {
        match self {
            Self::ByValue(_, sessions) => sessions.standing(),
            Self::ById(_, sessions) => sessions.standing(),
        }
    }

    /// See [`TrackedSet::superseded`].
    pub fn superseded(&self) -> Option<&Superseded> {
        match self {
            Self::ByValue(_, sessions) => sessions.superseded.as_deref(),
            Self::ById(_, sessions) => sessions.superseded.as_deref(),
        }
    }

    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::ByValue(_, sessions) => sessions.one.as_deref().map(|one| &one.content),
            Self::ById(_, sessions) => sessions.one.as_deref().map(|one| &one.content),
        }
    }

    /// The owner of the session, if it is known.
    pub fn owner(&self) -> Option<&OwnerKey> {
        match self {
            Self::ByValue(_, sessions) => sessions.one.as_deref()?.place.owner.as_ref(),
            Self::ById(_, sessions) => sessions.one.as_deref()?.place.owner.as_ref(),
        }
    }

    /// The key of the session's record. `None` by value.
    pub fn key(&self) -> Option<&StorageKey> {
        match self {
            Self::ByValue(..) => None,
            Self::ById(_, sessions) => sessions.one.as_deref().map(|one| &one.place.key),
        }
    }

    /// The id of the session's token. `None` by id.
    pub fn token_id(&self) -> Option<[u8; 16]> {
        match self {
            Self::ByValue(_, sessions) => sessions.one.as_deref().map(|one| one.place.token_id),
            Self::ById(..) => None,
        }
    }

    /// See [`TrackedSet::lose`].
    pub fn lose(&mut self) {
        match self {
            Self::ByValue(_, sessions) => sessions.lose(),
            Self::ById(_, sessions) => sessions.lose(),
        }
    }

    /// See [`TrackedSet::supersede`].
    pub fn supersede(&mut self, replaced: Arc<Superseded>) {
        match self {
            Self::ByValue(_, sessions) => sessions.supersede(replaced),
            Self::ById(_, sessions) => sessions.supersede(replaced),
        }
    }

    /// See [`TrackedSet::set_aside`].
    pub fn set_aside(&mut self) {
        match self {
            Self::ByValue(_, sessions) => sessions.set_aside(),
            Self::ById(_, sessions) => sessions.set_aside(),
        }
    }
}
