//! How tokens are protected.

/// What is done to a token so that its client cannot forge it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protect {
    Encrypt,
    Sign,
    None,
}
