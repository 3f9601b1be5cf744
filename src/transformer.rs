//! Custom changes to the encoded payload: the [`SessionTransformer`] trait.

/// Changes the encoded payload on its way out and back, before it is sealed or
/// stored. Registered with
/// [`SessionsFairing::transformer`](crate::SessionsFairing::transformer) and
/// named by `transform = ["…"]`; several apply in the order of the list and
/// are undone in reverse. What is to be written is read back first: unless that
/// gives the same bytes, the request fails with 500 and leaves the session as it
/// was.
///
/// ```
/// use rocket_typed_sessions::{SessionTransformer, TransformFailed};
///
/// struct Reversed;
///
/// impl SessionTransformer for Reversed {
///     fn write(&self, mut payload: Vec<u8>) -> Result<Vec<u8>, TransformFailed> {
///         payload.reverse();
///         Ok(payload)
///     }
///
///     fn read(&self, payload: Vec<u8>) -> Result<Vec<u8>, TransformFailed> {
///         self.write(payload)
///     }
/// }
/// ```
pub trait SessionTransformer: Send + Sync + 'static {
    /// The payload as it is to be sealed or stored. An error fails the request
    /// with 500 and leaves the session as it was.
    fn write(&self, payload: Vec<u8>) -> Result<Vec<u8>, TransformFailed>;

    /// What [`write`](Self::write) was given. An error is an absent session.
    fn read(&self, payload: Vec<u8>) -> Result<Vec<u8>, TransformFailed>;
}

/// A transformer could not do its work. Keep the payload out of the text.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TransformFailed(pub String);
