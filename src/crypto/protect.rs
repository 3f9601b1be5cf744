//! How tokens are protected.

/// How a token is protected from a client that would forge it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protect {
    Encrypt,
    Sign,
    None,
}
