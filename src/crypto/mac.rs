//! HMAC with SHA-1 and SHA-2.

use std::ops::Deref;

use hmac::{Hmac, KeyInit};
use sha1::Sha1;
use sha2::{Sha384, Sha512};
use subtle::ConstantTimeEq;

use super::sha256::HmacSha256;

fn tag<M: hmac::Mac, const N: usize>(mut mac: M, parts: [&[u8]; N]) -> hmac::digest::Output<M> {
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes()
}

/// Whether both are the same bytes. The time depends on their lengths alone.
///
/// It compares eight bytes at a time. `subtle` compares each byte, with a barrier for each.
pub(crate) fn equal(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks(), right.as_chunks());
    let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    let words = left.iter().zip(right).map(|(left, right)| word(left) ^ word(right));
    let rest = left_rest.iter().zip(right_rest).map(|(left, right)| u64::from(left ^ right));
    words.chain(rest).fold(0, |different, bits| different | bits).ct_eq(&0).into()
}

/// The HMAC of a token in Ktor's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacAlgorithm {
    /// HMAC with SHA-1, which only Ktor's tokens use.
    HmacSha1,
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-384.
    HmacSha384,
    /// HMAC with SHA-512.
    HmacSha512,
}

/// A prepared HMAC key: the hash's states after the key's blocks. They zero themselves on drop.
#[derive(Clone)]
pub(crate) enum Mac {
    Sha1(Hmac<Sha1>),
    Sha256(HmacSha256),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl Mac {
    /// `None` if HMAC refuses the key, which cannot happen: it accepts keys of any length.
    pub fn new(algorithm: MacAlgorithm, key: &[u8]) -> Option<Self> {
        Some(match algorithm {
            MacAlgorithm::HmacSha1 => Self::Sha1(Hmac::new_from_slice(key).ok()?),
            MacAlgorithm::HmacSha256 => Self::Sha256(HmacSha256::new(key)),
            MacAlgorithm::HmacSha384 => Self::Sha384(Hmac::new_from_slice(key).ok()?),
            MacAlgorithm::HmacSha512 => Self::Sha512(Hmac::new_from_slice(key).ok()?),
        })
    }

    /// The full tag of the concatenated `parts`.
    pub fn tag<const N: usize>(&self, parts: [&[u8]; N]) -> Tag {
        match self {
            Self::Sha1(mac) => Tag::new(&tag(mac.clone(), parts)),
            Self::Sha256(mac) => Tag::new(&mac.tag(parts)),
            Self::Sha384(mac) => Tag::new(&tag(mac.clone(), parts)),
            Self::Sha512(mac) => Tag::new(&tag(mac.clone(), parts)),
        }
    }

    /// Whether `given` is the full tag of `text`. The comparison takes constant time.
    pub fn verify(&self, text: &[u8], given: &[u8]) -> bool {
        equal(&self.tag([text]), given)
    }
}

/// A tag. It is no longer than the longest hash.
pub(crate) struct Tag {
    bytes: [u8; 64],
    length: usize,
}

impl Tag {
    fn new(tag: &[u8]) -> Self {
        let mut bytes = [0; 64];
        bytes[..tag.len()].copy_from_slice(tag);
        Self { bytes, length: tag.len() }
    }

    /// Keeps the first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }
}

impl Deref for Tag {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use hmac::digest::block_api::CoreProxy;
    use sha2::Sha256;
    use zeroize::ZeroizeOnDrop;

    use super::*;

    #[test]
    fn s52_a_prepared_key_zeroes_its_states_on_drop() {
        // `Hmac` holds the key in two states of its hash.
        fn states_do<H: CoreProxy<Core: ZeroizeOnDrop>>() {}
        states_do::<Sha1>();
        states_do::<Sha256>();
        states_do::<Sha384>();
        states_do::<Sha512>();
    }

    #[test]
    fn bytes_are_equal_only_if_each_of_them_is() {
        for length in [0, 1, 7, 8, 9, 16, 20, 32, 33] {
            let bytes: Vec<u8> = (0..length).collect();
            assert!(equal(&bytes, &bytes));
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    let mut other = bytes.clone();
                    other[at] ^= 1 << bit;
                    assert!(!equal(&bytes, &other), "{length} bytes, bit {bit} of byte {at}");
                }
                assert!(!equal(&bytes, &bytes[..at]));
            }
        }
    }
}
