//! The payload of a record.

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use triomphe::ThinArc;

/// The value that was decoded from a payload.
type Decoded = OnceLock<Arc<dyn Any + Send + Sync>>;

/// The opaque bytes of a record: the core's envelope, and the encoded session. A clone shares
/// the bytes.
///
/// The core keeps the session's value here once it has been decoded. If a storage keeps payloads in
/// the memory of the process, later requests need not decode them again. The value lives as long as
/// the payload. A storage must not drop a payload while it holds a lock, because that may run the
/// `Drop` of the application's type.
///
/// ```
/// use rocket_typed_sessions::storage::Payload;
///
/// let payload = Payload::from(b"some bytes");
/// assert_eq!(payload.len(), 10);
/// assert_eq!(payload, Payload::from(payload.to_vec()));
/// ```
#[derive(Clone)]
pub struct Payload(ThinArc<Decoded, u8>);

impl Payload {
    /// Makes a payload of `bytes`, from which `decoded` was decoded.
    pub(crate) fn new(bytes: &[u8], decoded: Option<Arc<dyn Any + Send + Sync>>) -> Self {
        let decoded = decoded.map_or_else(Decoded::new, Decoded::from);
        Self(ThinArc::from_header_and_slice(decoded, bytes))
    }

    /// The value that was decoded from these bytes, if it was kept.
    pub(crate) fn decoded(&self) -> &Decoded {
        &self.0.header.header
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0.slice
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes, None)
    }
}

impl<const N: usize> From<&[u8; N]> for Payload {
    fn from(bytes: &[u8; N]) -> Self {
        Self::new(bytes, None)
    }
}

impl<const N: usize> From<[u8; N]> for Payload {
    fn from(bytes: [u8; N]) -> Self {
        Self::new(&bytes, None)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(&bytes, None)
    }
}

/// Payloads are equal if their bytes are.
impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.len())
    }
}
