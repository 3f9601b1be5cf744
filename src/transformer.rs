//! Custom transformations of the encoded payload: the [`SessionTransformer`] trait.

pub use crate::error::TransformError;

/// Transforms the encoded payload before it is sealed or stored, and transforms it
/// back after it was read. A compressor is an example.
///
/// A transformer is registered with
/// [`SessionsFairing::transformer`](crate::SessionsFairing::transformer) and named
/// by `transform = ["…"]`. Several transformers apply in the order of the list, and
/// are undone in reverse.
///
/// Each payload is read back before it is written. If the bytes differ, the request
/// fails with 500 and leaves the session as it was.
///
/// ```
/// use rocket_typed_sessions::transformer::{SessionTransformer, TransformError};
///
/// struct Reversed;
///
/// impl SessionTransformer for Reversed {
///     fn write(&self, mut payload: Vec<u8>) -> Result<Vec<u8>, TransformError> {
///         payload.reverse();
///         Ok(payload)
///     }
///
///     fn read(&self, payload: Vec<u8>) -> Result<Vec<u8>, TransformError> {
///         self.write(payload)
///     }
/// }
///
/// let written = Reversed.write(b"abc".to_vec())?;
/// assert_eq!(Reversed.read(written)?, b"abc");
/// # Ok::<(), TransformError>(())
/// ```
pub trait SessionTransformer: Send + Sync + 'static {
    /// Returns the payload to seal or store. An error fails the request with 500
    /// and leaves the session as it was.
    fn write(&self, payload: Vec<u8>) -> Result<Vec<u8>, TransformError>;

    /// Returns the payload that [`write`](Self::write) was given. An error makes
    /// the session absent.
    fn read(&self, payload: Vec<u8>) -> Result<Vec<u8>, TransformError>;
}
