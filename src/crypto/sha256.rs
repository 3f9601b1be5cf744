//! SHA-256 of several parts, and HMAC-SHA256 with a key that is prepared once.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// The SHA-256 of the concatenated `parts`.
#[inline]
pub(crate) fn sha256<const N: usize>(parts: [&[u8]; N]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// A prepared key of HMAC-SHA256. It zeroes itself on drop.
#[derive(Clone)]
pub(crate) struct HmacSha256(Hmac<Sha256>);

impl HmacSha256 {
    /// Accepts a key of any length. RFC 2104 fills a short key with zeros, and hashes a long one.
    pub fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; BLOCK]);
        match block.get_mut(..key.len()) {
            Some(beginning) => beginning.copy_from_slice(key),
            None => block[..32].copy_from_slice(&sha256([key])),
        }
        Self(Hmac::new((&*block).into()))
    }

    /// The tag of the concatenated `parts`.
    #[inline]
    pub fn tag<const N: usize>(&self, parts: [&[u8]; N]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 151 + length * 17 + 43).to_le_bytes()[0]).collect()
    }

    #[test]
    fn parts_have_the_hash_and_the_tag_of_the_whole() {
        let (key, text) = (bytes(32), bytes(100));
        let prepared = HmacSha256::new(&key);
        let expected: [u8; 32] = Sha256::digest(&text).into();
        for cut in 0..=text.len() {
            let (one, two) = text.split_at(cut);
            assert_eq!(sha256([one, &[], two]), expected);
            assert_eq!(prepared.tag([one, &[], two]), prepared.tag([&text]));
        }
    }

    #[test]
    fn keys_of_every_length_have_the_tags_of_hmac() {
        for key in (0..140).map(bytes) {
            let mut hmac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            hmac.update(b"a text");
            let expected: [u8; 32] = hmac.finalize().into_bytes().into();
            assert_eq!(HmacSha256::new(&key).tag([b"a text"]), expected, "{} bytes", key.len());
        }
    }
}
