//! The cryptography of all formats: secrets, key derivation, random bytes, MACs and ciphers. No
//! file here uses a module outside `crypto`.

pub(crate) mod aead;
pub(crate) mod aes_cbc;
pub(crate) mod hex;
pub(crate) mod keys;
pub(crate) mod mac;
mod protect;
mod random;
mod secret;
pub(crate) mod sha256;

pub use protect::Protect;
pub(crate) use random::{Random, RandomError};
pub(crate) use secret::Secret;
