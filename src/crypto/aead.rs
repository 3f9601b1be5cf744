//! AES-CBC with HMAC-SHA2, encrypt-then-MAC, exactly RFC 7518 section 5.2.

use super::aes_cbc::{AesCbc, BLOCK};
use super::mac::{Mac, MacAlgorithm, Tag, equal};
/// How tokens are encrypted: a content encryption algorithm of RFC 7518, section 5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// AES-128 in CBC mode with HMAC-SHA-256.
    A128CbcHs256,
    /// AES-192 in CBC mode with HMAC-SHA-384.
    A192CbcHs384,
    /// AES-256 in CBC mode with HMAC-SHA-512.
    A256CbcHs512,
}

impl Suite {
    /// The name that RFC 7518 registers for the algorithm.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::A128CbcHs256 => "A128CBC-HS256",
            Self::A192CbcHs384 => "A192CBC-HS384",
            Self::A256CbcHs512 => "A256CBC-HS512",
        }
    }

    /// The number of bytes of the encryption key, of the MAC key and of the tag, which are equal.
    pub(crate) const fn key_len(self) -> usize {
        match self {
            Self::A128CbcHs256 => 16,
            Self::A192CbcHs384 => 24,
            Self::A256CbcHs512 => 32,
        }
    }

    const fn mac(self) -> MacAlgorithm {
        match self {
            Self::A128CbcHs256 => MacAlgorithm::HmacSha256,
            Self::A192CbcHs384 => MacAlgorithm::HmacSha384,
            Self::A256CbcHs512 => MacAlgorithm::HmacSha512,
        }
    }
}

/// The two keys of a suite, prepared for use.
pub(crate) struct ContentKey {
    cipher: AesCbc,
    mac: Mac,
    tag_len: usize,
}

impl ContentKey {
    /// `None` if a key does not have the suite's length.
    pub fn new(suite: Suite, enc: &[u8], mac: &[u8]) -> Option<Self> {
        let tag_len = suite.key_len();
        if enc.len() != tag_len || mac.len() != tag_len {
            return None;
        }
        Some(Self { cipher: AesCbc::new(enc)?, mac: Mac::new(suite.mac(), mac)?, tag_len })
    }

    /// Appends the IV, the ciphertext and the tag to `message`. The bytes that `message` already
    /// holds are the associated data. The IV must be fresh from a CSPRNG.
    pub fn seal(&self, message: &mut Vec<u8>, iv: &[u8; BLOCK], plaintext: &[u8]) {
        let header = message.len();
        message.extend_from_slice(iv);
        message.extend_from_slice(plaintext);
        self.cipher.encrypt(iv, message, header + BLOCK);
        let tag = self.tag(message, header);
        message.extend_from_slice(&tag);
    }

    /// The number of bytes that [`seal`](Self::seal) appends for a plaintext of `plaintext`
    /// bytes.
    pub const fn sealed_len(&self, plaintext: usize) -> usize {
        BLOCK + (plaintext / BLOCK + 1) * BLOCK + self.tag_len
    }

    /// Whether `message` is complete and unaltered. It consists of `header` bytes of associated
    /// data, the IV, the ciphertext and the tag. The tag is compared in constant time.
    pub fn verify(&self, message: &[u8], header: usize) -> bool {
        let Some(end) = message.len().checked_sub(self.tag_len) else { return false };
        let blocks = end.checked_sub(header + BLOCK);
        if !blocks.is_some_and(|bytes| bytes > 0 && bytes % BLOCK == 0) {
            return false;
        }
        let (content, tag) = message.split_at(end);
        equal(&self.tag(content, header), tag)
    }

    /// The plaintext of a message that [`verify`](Self::verify) accepted.
    pub fn decrypt(&self, mut message: Vec<u8>, header: usize) -> Option<Vec<u8>> {
        let end = message.len().checked_sub(self.tag_len)?;
        let (iv, ciphertext) = message.get_mut(header..end)?.split_first_chunk_mut()?;
        let length = self.cipher.decrypt(iv, ciphertext)?.len();
        message.copy_within(header + BLOCK..header + BLOCK + length, 0);
        message.truncate(length);
        Some(message)
    }

    /// The tag is the first half of the MAC. The last bytes under the MAC are the bit length of
    /// the associated data.
    fn tag(&self, content: &[u8], header: usize) -> Tag {
        let mut tag = self.mac.tag([content, &(header as u64 * 8).to_be_bytes()]);
        tag.truncate(self.tag_len);
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7518, appendix B, uses one plaintext, IV and associated data for all suites.
    const PLAINTEXT: &[u8] = b"A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy without inconvenience";
    const AAD: &[u8] = b"The second principle of Auguste Kerckhoffs";
    const IV: &str = "1af38c2dc2b96ffdd86694092341bc04";

    fn hex(text: &str) -> Vec<u8> {
        crate::crypto::hex::decode(text).unwrap()
    }

    /// The keys of the appendix are the bytes 00, 01, 02 …; the MAC key comes first.
    fn sealed(suite: Suite) -> Vec<u8> {
        let key: Vec<u8> = (0..2 * u8::try_from(suite.key_len()).unwrap()).collect();
        let (mac, enc) = key.split_at(suite.key_len());
        let iv: [u8; BLOCK] = hex(IV).try_into().unwrap();
        let key = ContentKey::new(suite, enc, mac).unwrap();
        let mut message = AAD.to_vec();
        key.seal(&mut message, &iv, PLAINTEXT);
        assert!(key.verify(&message, AAD.len()));
        assert_eq!(key.decrypt(message.clone(), AAD.len()).unwrap(), PLAINTEXT);
        message.split_off(AAD.len())
    }

    #[test]
    fn s21_s29_rfc_7518_appendix_b() {
        let b1 = "c80edfa32ddf39d5ef00c0b468834279a2e46a1b8049f792f76bfe54b903a9c9\
                  a94ac9b47ad2655c5f10f9aef71427e2fc6f9b3f399a221489f16362c7032336\
                  09d45ac69864e3321cf82935ac4096c86e133314c54019e8ca7980dfa4b9cf1b\
                  384c486f3a54c51078158ee5d79de59fbd34d848b3d69550a67646344427ade5\
                  4b8851ffb598f7f80074b9473c82e2db";
        for (suite, ciphertext, tag) in [
            (Suite::A128CbcHs256, b1, "652c3fa36b0a7c5b3219fab3a30bc1c4"),
            (
                Suite::A192CbcHs384,
                "ea65da6b59e61edb419be62d19712ae5",
                "8490ac0e58949bfe51875d733f93ac2075168039ccc733d7",
            ),
            (
                Suite::A256CbcHs512,
                "4affaaadb78c31c5da4b1b590d10ffbd",
                "4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5",
            ),
        ] {
            let message = sealed(suite);
            assert_eq!(message[..BLOCK], hex(IV));
            assert!(message[BLOCK..].starts_with(&hex(ciphertext)), "{suite:?}");
            assert!(message.ends_with(&hex(tag)), "{suite:?}");
            assert_eq!(message.len(), BLOCK + 144 + suite.key_len());
        }
    }

    #[test]
    fn s23_any_flipped_bit_and_any_cut_is_refused() {
        let key = ContentKey::new(Suite::A128CbcHs256, &[1; 16], &[2; 16]).unwrap();
        let mut message = b"header".to_vec();
        key.seal(&mut message, &[3; BLOCK], b"payload");
        for bit in 0..message.len() * 8 {
            let mut flipped = message.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.verify(&flipped, 6), "bit {bit}");
        }
        for length in 0..message.len() {
            assert!(!key.verify(&message[..length], 6.min(length)), "cut to {length}");
        }
        message.push(0);
        assert!(!key.verify(&message, 6));
    }
}
