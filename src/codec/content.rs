//! The encoded value of a session.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::data::SessionData;
use crate::storage::Payload;

/// The encoded bytes of a value, and the value itself once it was decoded from them.
#[derive(Clone)]
pub(crate) enum Content {
    Encoded(Arc<Encoded>),
    /// The payload of a record, which is shared with the storage, and the offset of the value in
    /// it.
    Stored(Payload, usize),
}

/// Bytes that are not in a record, or that transformers have read from one.
pub(crate) struct Encoded {
    bytes: Vec<u8>,
    /// What the transformers made of the bytes, if it is known.
    transformed: Option<Vec<u8>>,
    decoded: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl Content {
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        let (transformed, decoded) = (None, OnceLock::new());
        Self::Encoded(Arc::new(Encoded { bytes, transformed, decoded }))
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Encoded(encoded) => &encoded.bytes,
            Self::Stored(payload, start) => payload.get(*start..).unwrap_or_default(),
        }
    }

    /// Returns the encoded form of a value, with what the transformers made of it. `read` is what it
    /// decodes to, and is [kept](Self::keep).
    pub fn encoded<T: SessionData>(
        bytes: Vec<u8>,
        transformed: Option<Vec<u8>>,
        read: Option<T>,
    ) -> Self {
        let decoded: Option<Arc<dyn Any + Send + Sync>> =
            read.filter(|_| T::SHARE).map(|value| Arc::new(value) as _);
        let decoded = decoded.map_or_else(OnceLock::new, OnceLock::from);
        Self::Encoded(Arc::new(Encoded { bytes, transformed, decoded }))
    }

    /// Returns the payload that the transformers made of the bytes, if it is known.
    pub fn payload(&self) -> Option<&[u8]> {
        match self {
            Self::Encoded(encoded) => encoded.transformed.as_deref(),
            Self::Stored(..) => None,
        }
    }

    /// Returns the value, if it was [kept](Self::keep).
    pub fn kept<T: SessionData>(&self) -> Option<Arc<T>> {
        Arc::clone(self.slot().get()?).downcast().ok()
    }

    /// Returns the value of a type that is not known here, if it was kept.
    pub fn decoded(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.slot().get().cloned()
    }

    /// Keeps the value that was decoded from these bytes for everyone who has them, if its type
    /// allows that.
    pub fn keep<T: SessionData>(&self, value: &Arc<T>) {
        if T::SHARE {
            self.slot().get_or_init(|| Arc::clone(value) as _);
        }
    }

    fn slot(&self) -> &OnceLock<Arc<dyn Any + Send + Sync>> {
        match self {
            Self::Encoded(encoded) => &encoded.decoded,
            Self::Stored(payload, _) => payload.decoded(),
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.bytes().len())
    }
}
