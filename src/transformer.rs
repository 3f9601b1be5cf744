//! Custom changes to the encoded payload: the [`SessionTransformer`] trait.

pub use crate::error::TransformError;

/// Changes the encoded payload on its way out and back, before it is sealed or
/// stored. Registered with
/// [`SessionsFairing::transformer`](crate::SessionsFairing::transformer) and
/// named by `transform = ["…"]`; several apply in the order of the list and
/// are undone in reverse. What is to be written is read back first: unless that
/// gives the same bytes, the request fails with 500 and leaves the session as it
/// was.
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
/// ```
pub trait SessionTransformer: Send + Sync + 'static {
    /// The payload as it is to be sealed or stored. An error fails the request
    /// with 500 and leaves the session as it was.
    fn write(&self, payload: Vec<u8>) -> Result<Vec<u8>, TransformError>;

    /// What [`write`](Self::write) was given. An error is an absent session.
    fn read(&self, payload: Vec<u8>) -> Result<Vec<u8>, TransformError>;
}
