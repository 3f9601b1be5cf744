//! Custom transformations of encoded sessions, such as compression: the [`SessionTransformer`]
//! trait.

pub use crate::error::TransformError;

/// Transforms the encoded value of a session before it is stored or put into the
/// client's token, and transforms it back after it was read. A compressor is an
/// example.
///
/// Register a transformer with
/// [`SessionsFairing::transformer`](crate::SessionsFairing::transformer), and name
/// it in Rocket.toml with `transform = ["…"]`. Several transformers apply in the
/// order of the list, and are undone in reverse.
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
    /// Returns the payload to store or to put into the token. An error fails the
    /// request with 500 and leaves the session as it was.
    fn write(&self, payload: Vec<u8>) -> Result<Vec<u8>, TransformError>;

    /// Returns the payload that [`write`](Self::write) was given. After an error,
    /// the request has no session.
    fn read(&self, payload: Vec<u8>) -> Result<Vec<u8>, TransformError>;
}
