//! The encoded value of a session.

use std::fmt;
use std::sync::Arc;

/// The encoded bytes of a value. The bytes of a record are shared with the storage.
#[derive(Clone)]
pub(crate) enum Content {
    Owned(Arc<Vec<u8>>),
    /// The bytes, and the payload that the transformers made of them.
    Transformed(Arc<(Vec<u8>, Vec<u8>)>),
    /// The payload of a record, and the offset of the value in it.
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

    /// Adds the payload that the transformers made of the bytes.
    pub fn with_payload(&self, payload: Vec<u8>) -> Self {
        Self::Transformed(Arc::new((self.bytes().to_vec(), payload)))
    }

    /// Returns the payload that the transformers made of the bytes, if it is known.
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
