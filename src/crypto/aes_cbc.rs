//! AES in CBC mode with PKCS#7 padding.

use aes::cipher::array::Array;
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

    /// Pads what `buffer` holds from `start` on, and encrypts it in place. The IV must be fresh from
    /// a CSPRNG.
    pub fn encrypt(&self, iv: &[u8; BLOCK], buffer: &mut Vec<u8>, start: usize) {
        // PKCS#7: each byte of the padding is its length. There is always one.
        let padding = BLOCK - (buffer.len() - start) % BLOCK;
        buffer.resize(buffer.len() + padding, u8::try_from(padding).unwrap_or_default());
        let (blocks, _) = buffer[start..].as_chunks_mut();
        let (iv, blocks) = (iv.into(), Array::cast_slice_from_core_mut(blocks));
        match self {
            Self::A128(aes) => Encryptor::inner_iv_init(aes, iv).encrypt_blocks(blocks),
            Self::A192(aes) => Encryptor::inner_iv_init(aes, iv).encrypt_blocks(blocks),
            Self::A256(aes) => Encryptor::inner_iv_init(aes, iv).encrypt_blocks(blocks),
        }
    }

    /// Decrypts `buffer` in place, and returns the text before the padding. `None` for an incomplete
    /// block and for bad padding. The caller has verified the MAC before, or does not reveal which
    /// check failed.
    pub fn decrypt<'b>(&self, iv: &[u8; BLOCK], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let iv = iv.into();
        match self {
            Self::A128(aes) => Decryptor::inner_iv_init(aes, iv).decrypt_padded::<Pkcs7>(buffer),
            Self::A192(aes) => Decryptor::inner_iv_init(aes, iv).decrypt_padded::<Pkcs7>(buffer),
            Self::A256(aes) => Decryptor::inner_iv_init(aes, iv).decrypt_padded::<Pkcs7>(buffer),
        }
        .ok()
    }
}
