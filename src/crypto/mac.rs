//! HMAC with SHA-1 and SHA-2.

use hmac::{Hmac, KeyInit};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

/// The HMAC-SHA256 of the concatenated `parts`.
pub(crate) fn hmac_sha256(key: &[u8; 16], parts: &[&[u8]]) -> [u8; 32] {
    // RFC 2104 pads a key that is shorter than the hash's block with zeros.
    let mut block = [0; 64];
    block[..16].copy_from_slice(key);
    tag(Hmac::<Sha256>::new(&block.into()), parts).into()
}

fn tag<M: hmac::Mac>(mut mac: M, parts: &[&[u8]]) -> hmac::digest::Output<M> {
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes()
}

/// The hash function under the HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MacAlgorithm {
    /// Only Ktor's tokens use it.
    HmacSha1,
    HmacSha256,
    HmacSha384,
    HmacSha512,
}

/// A prepared HMAC key: the hash's state after the key's block.
#[derive(Clone)]
pub(crate) enum Mac {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl Mac {
    /// `None` if HMAC refuses the key, which cannot happen: it accepts keys of any length.
    pub fn new(algorithm: MacAlgorithm, key: &[u8]) -> Option<Self> {
        Some(match algorithm {
            MacAlgorithm::HmacSha1 => Self::Sha1(Hmac::new_from_slice(key).ok()?),
            MacAlgorithm::HmacSha256 => Self::Sha256(Hmac::new_from_slice(key).ok()?),
            MacAlgorithm::HmacSha384 => Self::Sha384(Hmac::new_from_slice(key).ok()?),
            MacAlgorithm::HmacSha512 => Self::Sha512(Hmac::new_from_slice(key).ok()?),
        })
    }

    /// The full tag of the concatenated `parts`.
    pub fn tag(&self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha1(mac) => tag(mac.clone(), parts).to_vec(),
            Self::Sha256(mac) => tag(mac.clone(), parts).to_vec(),
            Self::Sha384(mac) => tag(mac.clone(), parts).to_vec(),
            Self::Sha512(mac) => tag(mac.clone(), parts).to_vec(),
        }
    }

    /// Whether `given` is the full tag. The comparison takes constant time.
    pub fn verify(&self, parts: &[&[u8]], given: &[u8]) -> bool {
        self.tag(parts).ct_eq(given).into()
    }
}
