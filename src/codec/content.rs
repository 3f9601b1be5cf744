//! The encoded value of a session.

use std::fmt;
use std::sync::Arc;

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
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
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
    pub fn with_payload(&self, payload: Vec<u8>) -> Self {
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
