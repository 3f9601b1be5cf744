//! What a client's token stands for: the payload itself ([`by_value`]) or a
//! record in a storage ([`by_id`]).

pub(crate) mod by_id;
pub(crate) mod by_value;
mod envelope;

#[cfg(fuzzing)]
pub(crate) use envelope::Envelope;
pub(crate) use envelope::{Renewal, Secrets};

use std::sync::Arc;

use crate::expiry::Times;
use crate::storage::{OwnerKey, StorageKey, Version};
use crate::token::SessionId;

/// A session as it was found: what a later change starts from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub times: Times,
    /// The encoded value; unchanged content is neither written nor sent.
    pub content: Content,
    /// The token was sealed by a key other than the first.
    pub stale_key: bool,
    /// The token is of a format that is accepted and not written.
    pub accepted: bool,
    pub place: Place,
}

/// What a request's tokens stand for.
#[derive(Default)]
pub(crate) struct Found {
    /// Every distinct live session.
    pub origins: Vec<Origin>,
    /// Another token was genuine, but its session is over.
    pub over: bool,
}

impl Found {
    /// The session to use: exactly one is live.
    pub fn only(&self) -> Option<&Origin> {
        match self.origins.as_slice() {
            [origin] => Some(origin),
            _ => None,
        }
    }
}

/// Where the session was found.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Client { token_id: [u8; 16], epoch: u64 },
    Server(Box<Located>),
}

/// A record, as it was found.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    /// The id that was presented, or that was sent since.
    pub id: SessionId,
    pub key: StorageKey,
    pub version: Version,
    pub owner: Option<OwnerKey>,
    pub secrets: Secrets,
    /// The id is the one before the last renewal: nothing is sent to its client,
    /// who gets the present one from the request that renewed.
    pub grace: bool,
}

impl Place {
    /// The record's key, for server storage.
    pub fn key(&self) -> Option<&StorageKey> {
        match self {
            Self::Client { .. } => None,
            Self::Server(located) => Some(&located.key),
        }
    }

    /// The record's owner, for server storage.
    pub fn owner(&self) -> Option<&OwnerKey> {
        match self {
            Self::Client { .. } => None,
            Self::Server(located) => located.owner.as_ref(),
        }
    }

    /// Asked for with an id that was renewed a moment ago.
    pub fn in_grace(&self) -> bool {
        matches!(self, Self::Server(located) if located.grace)
    }
}

/// Encoded bytes of a value; those of a record are shared with the storage.
#[derive(Clone)]
pub(crate) enum Content {
    Owned(Arc<Vec<u8>>),
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
            Self::Shared(bytes, start) => bytes.get(*start..).unwrap_or_default(),
        }
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} bytes]", self.bytes().len())
    }
}
