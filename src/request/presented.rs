//! The sessions that a request presents, by value or by id.

use std::sync::Arc;

use crate::application::Tracker;
use crate::by_id::{ById, Located};
use crate::by_value::{ByValue, Sealed};
use crate::codec::Content;
use crate::plan::{Snapshot, Standing};
use crate::storage::{OwnerKey, StorageKey};
use crate::tracked::{Replaced, Sessions};

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

    /// See [`Sessions::mark_replaced`].
    pub fn mark_replaced(&mut self, replaced: Replaced) {
        match self {
            Self::ByValue(_, sessions) => sessions.mark_replaced(replaced),
            Self::ById(_, sessions) => sessions.mark_replaced(replaced),
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
