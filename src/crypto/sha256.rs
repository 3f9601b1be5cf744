//! SHA-256 and HMAC-SHA256, straight on the compression function of `sha2`.
//!
//! A request hashes a few texts of one block each. The hashers of `sha2` and `hmac` gather a text in
//! a buffer, and every tag copies a prepared hasher. Without them, a tag takes a quarter less time.

use sha2::block_api::compress256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const BLOCK: usize = 64;
/// Where the length of the message begins in its last block.
const LENGTH: usize = BLOCK - 8;

type State = [u32; 8];

/// The state before the first block (FIPS 180-4, section 5.3.3).
const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The SHA-256 of the concatenated `parts`.
#[inline]
pub(crate) fn sha256<const N: usize>(parts: [&[u8]; N]) -> [u8; 32] {
    finish(INITIAL, 0, parts)
}

/// The hash of a message whose first `before` bytes, which are whole blocks, are in `state`
/// already, and whose others are the concatenated `parts`.
#[inline]
fn finish<const N: usize>(mut state: State, before: usize, parts: [&[u8]; N]) -> [u8; 32] {
    let (mut block, mut filled, mut length) = ([0; BLOCK], 0, before);
    for mut part in parts {
        length += part.len();
        while let Some((first, rest)) = part.split_at_checked(BLOCK - filled) {
            block[filled..].copy_from_slice(first);
            compress256(&mut state, &[block]);
            (block, filled, part) = ([0; BLOCK], 0, rest);
        }
        block[filled..filled + part.len()].copy_from_slice(part);
        filled += part.len();
    }
    // The message ends with a one bit, as many zeros as needed, and its length in bits.
    block[filled] = 0x80;
    if filled >= LENGTH {
        compress256(&mut state, &[block]);
        block = [0; BLOCK];
    }
    block[LENGTH..].copy_from_slice(&(length as u64 * 8).to_be_bytes());
    compress256(&mut state, &[block]);
    let mut hash = [0; 32];
    for (bytes, word) in hash.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    hash
}

/// A prepared key of HMAC-SHA256 (RFC 2104): the states after its two blocks.
#[derive(Clone)]
pub(crate) struct HmacSha256 {
    inner: State,
    outer: State,
}

impl HmacSha256 {
    /// Accepts a key of any length.
    pub fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; BLOCK]);
        match block.get_mut(..key.len()) {
            Some(beginning) => beginning.copy_from_slice(key),
            None => block[..32].copy_from_slice(&sha256([key])),
        }
        let after = |pad: u8| {
            let mut state = INITIAL;
            compress256(&mut state, &[*Zeroizing::new(block.map(|byte| byte ^ pad))]);
            state
        };
        Self { inner: after(0x36), outer: after(0x5c) }
    }

    /// The tag of the concatenated `parts`.
    #[inline]
    pub fn tag<const N: usize>(&self, parts: [&[u8]; N]) -> [u8; 32] {
        finish(self.outer, BLOCK, [&finish(self.inner, BLOCK, parts)])
    }
}

impl Drop for HmacSha256 {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

impl ZeroizeOnDrop for HmacSha256 {}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 151 + length * 17 + 43).to_le_bytes()[0]).collect()
    }

    #[test]
    fn texts_of_every_length_and_every_cut_have_the_hashes_of_sha2() {
        for length in 0..200 {
            let text = bytes(length);
            let expected: [u8; 32] = Sha256::digest(&text).into();
            assert_eq!(sha256([&text]), expected, "{length} bytes");
            for cut in 0..=length {
                let (one, two) = text.split_at(cut);
                assert_eq!(sha256([one, &[], two]), expected, "{length} bytes, cut at {cut}");
            }
        }
        let text = bytes(100_000);
        assert_eq!(sha256([&text]), *Sha256::digest(&text));
    }

    #[test]
    fn keys_and_texts_of_every_length_have_the_tags_of_hmac() {
        for key in (0..140).map(bytes) {
            let prepared = HmacSha256::new(&key);
            for text in (0..140).map(bytes) {
                let mut hmac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
                hmac.update(&text);
                let expected: [u8; 32] = hmac.finalize().into_bytes().into();
                let (one, two) = text.split_at(text.len() / 3);
                assert_eq!(prepared.tag([one, two]), expected, "{} {}", key.len(), text.len());
                assert_eq!(prepared.clone().tag([&text]), expected);
            }
        }
    }

    #[test]
    fn s52_a_prepared_key_zeroes_its_states_on_drop() {
        fn zeroes_on_drop<T: ZeroizeOnDrop>(_: &T) {}
        zeroes_on_drop(&HmacSha256::new(b"a key"));
    }
}
