//! How tokens are protected.

/// How tokens are protected: encrypted, signed, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protect {
    /// Nobody can read or change it without the key.
    Encrypt,
    /// Anybody can read it, and nobody can change it without the key.
    Sign,
    /// Anybody can read and change it.
    None,
}
