//! AES in CBC mode with PKCS#7 padding.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use cbc::{Decryptor, Encryptor};

/// The number of bytes of a block, and so of an IV.
pub(crate) const BLOCK: usize = 16;

/// A prepared key. Its length determines the cipher.
pub(crate) enum AesCbc {
    A128(Aes128),
    A192(Aes192),
    A256(Aes256),
}

impl AesCbc {
    /// `None` unless the key has 16, 24 or 32 bytes.
    pub fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Aes128::new_from_slice(key).ok().map(Self::A128),
            24 => Aes192::new_from_slice(key).ok().map(Self::A192),
            _ => Aes256::new_from_slice(key).ok().map(Self::A256),
        }
    }

    /// The IV must be fresh from a CSPRNG.
    pub fn encrypt(&self, iv: &[u8; BLOCK], plaintext: &[u8]) -> Vec<u8> {
        fn encrypt(cbc: impl BlockModeEncrypt, plaintext: &[u8]) -> Vec<u8> {
            cbc.encrypt_padded_vec::<Pkcs7>(plaintext)
        }
        let iv = iv.into();
        match self {
            Self::A128(aes) => encrypt(Encryptor::inner_iv_init(aes, iv), plaintext),
            Self::A192(aes) => encrypt(Encryptor::inner_iv_init(aes, iv), plaintext),
            Self::A256(aes) => encrypt(Encryptor::inner_iv_init(aes, iv), plaintext),
        }
    }

    /// `None` for an incomplete block and for bad padding. The caller has verified the MAC
    /// before, or does not reveal which check failed.
    pub fn decrypt(&self, iv: &[u8; BLOCK], ciphertext: &[u8]) -> Option<Vec<u8>> {
        fn decrypt(cbc: impl BlockModeDecrypt, ciphertext: &[u8]) -> Option<Vec<u8>> {
            cbc.decrypt_padded_vec::<Pkcs7>(ciphertext).ok()
        }
        let iv = iv.into();
        match self {
            Self::A128(aes) => decrypt(Decryptor::inner_iv_init(aes, iv), ciphertext),
            Self::A192(aes) => decrypt(Decryptor::inner_iv_init(aes, iv), ciphertext),
            Self::A256(aes) => decrypt(Decryptor::inner_iv_init(aes, iv), ciphertext),
        }
    }
}
