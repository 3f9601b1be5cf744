//! AES-CBC with HMAC-SHA2, encrypt-then-MAC, exactly RFC 7518 section 5.2.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit as _};
use aes::{Aes128, Aes192, Aes256};
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

/// Bytes of an AES block, and so of the IV.
pub(crate) const BLOCK: usize = 16;

/// An RFC 7518 section 5.2 content encryption algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    A128CbcHs256,
    A192CbcHs384,
    A256CbcHs512,
}

impl Suite {
    /// The name that RFC 7518 registers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A128CbcHs256 => "A128CBC-HS256",
            Self::A192CbcHs384 => "A192CBC-HS384",
            Self::A256CbcHs512 => "A256CBC-HS512",
        }
    }

    /// Bytes of the encryption key, of the MAC key, and of the tag: one figure.
    pub const fn key_len(self) -> usize {
        match self {
            Self::A128CbcHs256 => 16,
            Self::A192CbcHs384 => 24,
            Self::A256CbcHs512 => 32,
        }
    }
}

/// A suite's two keys, prepared once: the cipher's key schedule, and the MAC's
/// state after the associated data's constant beginning.
pub(crate) enum ContentKey {
    A128(Aes128, Hmac<Sha256>, u64),
    A192(Aes192, Hmac<Sha384>, u64),
    A256(Aes256, Hmac<Sha512>, u64),
}

impl ContentKey {
    /// `None` if a key's length is not the suite's. `aad` is the part of the
    /// associated data that every message shares.
    pub fn new(suite: Suite, enc: &[u8], mac: &[u8], aad: &[u8]) -> Option<Self> {
        if enc.len() != suite.key_len() || mac.len() != suite.key_len() {
            return None;
        }
        let bits = aad.len() as u64 * 8;
        Some(match suite {
            Suite::A128CbcHs256 => {
                Self::A128(Aes128::new_from_slice(enc).ok()?, begin(mac, aad)?, bits)
            }
            Suite::A192CbcHs384 => {
                Self::A192(Aes192::new_from_slice(enc).ok()?, begin(mac, aad)?, bits)
            }
            Suite::A256CbcHs512 => {
                Self::A256(Aes256::new_from_slice(enc).ok()?, begin(mac, aad)?, bits)
            }
        })
    }

    /// Appends IV, ciphertext and tag to `message`, whose present bytes end the
    /// associated data. The IV must be fresh from a CSPRNG.
    pub fn seal(&self, message: &mut Vec<u8>, iv: &[u8; BLOCK], plaintext: &[u8]) {
        let header = message.len();
        message.extend_from_slice(iv);
        message.extend_from_slice(&match self {
            Self::A128(cipher, ..) => {
                encrypt(cbc::Encryptor::inner_iv_init(cipher, iv.into()), plaintext)
            }
            Self::A192(cipher, ..) => {
                encrypt(cbc::Encryptor::inner_iv_init(cipher, iv.into()), plaintext)
            }
            Self::A256(cipher, ..) => {
                encrypt(cbc::Encryptor::inner_iv_init(cipher, iv.into()), plaintext)
            }
        });
        let tag = self.tag(&message[..header], &message[header..]);
        message.extend_from_slice(&tag);
    }

    /// Bytes that [`seal`](Self::seal) appends for a plaintext of so many.
    pub const fn sealed_len(&self, plaintext: usize) -> usize {
        BLOCK + (plaintext / BLOCK + 1) * BLOCK + self.tag_len()
    }

    /// Whether `message` (header, IV, ciphertext, tag) is whole and unaltered.
    /// Constant time in the tag's content.
    pub fn verify(&self, message: &[u8], header: usize) -> bool {
        let Some(end) = message.len().checked_sub(self.tag_len()) else { return false };
        let blocks = end.checked_sub(header + BLOCK);
        if !blocks.is_some_and(|bytes| bytes > 0 && bytes % BLOCK == 0) {
            return false;
        }
        let tag = self.tag(&message[..header], &message[header..end]);
        tag.ct_eq(&message[end..]).into()
    }

    /// The plaintext of a message that [`verify`](Self::verify) accepted.
    pub fn decrypt(&self, message: &[u8], header: usize) -> Option<Vec<u8>> {
        let end = message.len().checked_sub(self.tag_len())?;
        let (iv, ciphertext) = message.get(header..end)?.split_first_chunk::<BLOCK>()?;
        match self {
            Self::A128(cipher, ..) => {
                decrypt(cbc::Decryptor::inner_iv_init(cipher, iv.into()), ciphertext)
            }
            Self::A192(cipher, ..) => {
                decrypt(cbc::Decryptor::inner_iv_init(cipher, iv.into()), ciphertext)
            }
            Self::A256(cipher, ..) => {
                decrypt(cbc::Decryptor::inner_iv_init(cipher, iv.into()), ciphertext)
            }
        }
    }

    const fn tag_len(&self) -> usize {
        match self {
            Self::A128(..) => 16,
            Self::A192(..) => 24,
            Self::A256(..) => 32,
        }
    }

    fn tag(&self, header: &[u8], rest: &[u8]) -> Vec<u8> {
        let mut tag = match self {
            Self::A128(_, mac, bits) => finish(mac, *bits, header, rest),
            Self::A192(_, mac, bits) => finish(mac, *bits, header, rest),
            Self::A256(_, mac, bits) => finish(mac, *bits, header, rest),
        };
        tag.truncate(self.tag_len());
        tag
    }
}

/// A MAC's state after the constant beginning of the associated data.
pub(crate) fn begin<M: Mac + hmac::KeyInit>(key: &[u8], aad: &[u8]) -> Option<M> {
    let mut mac = <M as hmac::KeyInit>::new_from_slice(key).ok()?;
    mac.update(aad);
    Some(mac)
}

/// MAC over associated data ‖ `rest` ‖ bit length of the associated data.
pub(crate) fn finish<M: Mac + Clone>(begun: &M, bits: u64, header: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut mac = begun.clone();
    mac.update(header);
    mac.update(rest);
    mac.update(&(bits + header.len() as u64 * 8).to_be_bytes());
    mac.finalize().into_bytes().to_vec()
}

pub(crate) fn encrypt(cbc: impl BlockModeEncrypt, plaintext: &[u8]) -> Vec<u8> {
    cbc.encrypt_padded_vec::<Pkcs7>(plaintext)
}

pub(crate) fn decrypt(cbc: impl BlockModeDecrypt, ciphertext: &[u8]) -> Option<Vec<u8>> {
    cbc.decrypt_padded_vec::<Pkcs7>(ciphertext).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7518 appendix B: one plaintext, IV and associated data for all suites.
    const PLAINTEXT: &[u8] = b"A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy without inconvenience";
    const AAD: &[u8] = b"The second principle of Auguste Kerckhoffs";
    const IV: &str = "1af38c2dc2b96ffdd86694092341bc04";

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
            .collect()
    }

    /// The appendix's keys are the bytes 00, 01, 02 …, MAC key first.
    fn sealed(suite: Suite) -> Vec<u8> {
        let key: Vec<u8> = (0..2 * u8::try_from(suite.key_len()).unwrap()).collect();
        let (mac, enc) = key.split_at(suite.key_len());
        let iv: [u8; BLOCK] = hex(IV).try_into().unwrap();
        let key = ContentKey::new(suite, enc, mac, AAD).unwrap();
        let mut message = Vec::new();
        key.seal(&mut message, &iv, PLAINTEXT);
        assert!(key.verify(&message, 0));
        assert_eq!(key.decrypt(&message, 0).unwrap(), PLAINTEXT);
        message
    }

    #[test]
    fn s21_rfc_7518_appendix_b() {
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
        let key = ContentKey::new(Suite::A128CbcHs256, &[1; 16], &[2; 16], b"aad").unwrap();
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
