//! What a token holds, and how it is protected.

use crate::crypto::Protect;

/// What a definition's tokens hold, and how they are protected. It is the second byte of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum TokenKind {
    EncryptedPayload = 1,
    SignedPayload = 2,
    SignedId = 3,
    PlainPayload = 4,
    PlainId = 5,
}

impl TokenKind {
    /// The kind of tokens that carry the payload.
    pub const fn payload(protect: Protect) -> Self {
        match protect {
            Protect::Encrypt => Self::EncryptedPayload,
            Protect::Sign => Self::SignedPayload,
            Protect::None => Self::PlainPayload,
        }
    }

    /// The kind of tokens that carry an id. An id holds nothing that needs encryption.
    pub const fn id(protect: Protect) -> Self {
        match protect {
            Protect::Encrypt | Protect::Sign => Self::SignedId,
            Protect::None => Self::PlainId,
        }
    }

    pub const fn is_id(self) -> bool {
        matches!(self, Self::SignedId | Self::PlainId)
    }

    pub const fn is_plain(self) -> bool {
        matches!(self, Self::PlainPayload | Self::PlainId)
    }
}
