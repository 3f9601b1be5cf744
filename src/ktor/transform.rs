//! Ktor's `SessionTransportTransformerMessageAuthentication` and
//! `SessionTransportTransformerEncrypt`.

use std::fmt::Write as _;

use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::InnerIvInit;
use hmac::{Hmac, KeyInit, Mac as _};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

use crate::token::{decrypt, encrypt};

const BLOCK: usize = 16;

/// One step of a session's `transform` list, with its keys.
pub(crate) enum Transform {
    Mac(Box<Mac>),
    Encrypt(Box<Cipher>),
}

/// The names that Java gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MacAlgorithm {
    HmacSha1,
    HmacSha256,
    HmacSha384,
    HmacSha512,
}

/// A prepared HMAC key.
#[derive(Clone)]
pub(crate) enum Mac {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

/// AES in CBC mode, the HMAC over the ciphertext alone: the IV is outside.
pub(crate) struct Cipher {
    aes: Aes,
    mac: Mac,
    /// Tokens from before Ktor 3.0, whose HMAC is over the plaintext.
    backward_compatible_read: bool,
}

enum Aes {
    A128(Aes128),
    A192(Aes192),
    A256(Aes256),
}

impl Mac {
    /// `None` if HMAC does not take the key; it takes any.
    pub fn new(algorithm: MacAlgorithm, key: &[u8]) -> Option<Self> {
        Some(match algorithm {
            MacAlgorithm::HmacSha1 => Self::Sha1(Hmac::new_from_slice(key).ok()?),
            MacAlgorithm::HmacSha256 => Self::Sha256(Hmac::new_from_slice(key).ok()?),
            MacAlgorithm::HmacSha384 => Self::Sha384(Hmac::new_from_slice(key).ok()?),
            MacAlgorithm::HmacSha512 => Self::Sha512(Hmac::new_from_slice(key).ok()?),
        })
    }

    fn tag(&self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1(mac) => mac.clone().chain_update(data).finalize().into_bytes().to_vec(),
            Self::Sha256(mac) => mac.clone().chain_update(data).finalize().into_bytes().to_vec(),
            Self::Sha384(mac) => mac.clone().chain_update(data).finalize().into_bytes().to_vec(),
            Self::Sha512(mac) => mac.clone().chain_update(data).finalize().into_bytes().to_vec(),
        }
    }

    fn verify(&self, data: &[u8], tag: &[u8]) -> bool {
        self.tag(data).ct_eq(tag).into()
    }

    /// `value/hex(HMAC(value))`.
    pub fn write(&self, text: &str) -> String {
        format!("{text}/{}", hex(&self.tag(text.as_bytes())))
    }

    /// The text before the last `/`, if what follows is its tag in lower case.
    pub fn read(&self, text: &str) -> Option<String> {
        let (text, tag) = text.rsplit_once('/')?;
        let lower = !tag.bytes().any(|byte| byte.is_ascii_uppercase());
        (lower && self.verify(text.as_bytes(), &unhex(tag)?)).then(|| text.to_owned())
    }
}

impl Cipher {
    /// `None` if the key is not one of AES: 16, 24 or 32 bytes.
    pub fn new(key: &[u8], mac: Mac, backward_compatible_read: bool) -> Option<Self> {
        let aes = match key.len() {
            16 => Aes::A128(Aes128::new_from_slice(key).ok()?),
            24 => Aes::A192(Aes192::new_from_slice(key).ok()?),
            32 => Aes::A256(Aes256::new_from_slice(key).ok()?),
            _ => return None,
        };
        Some(Self { aes, mac, backward_compatible_read })
    }

    /// `hex(iv)/hex(ciphertext):hex(HMAC(ciphertext))`. The IV must be fresh
    /// from a CSPRNG.
    pub fn write(&self, text: &str, iv: &[u8; BLOCK]) -> String {
        let (iv_ref, text) = (iv.into(), text.as_bytes());
        let ciphertext = match &self.aes {
            Aes::A128(aes) => encrypt(cbc::Encryptor::inner_iv_init(aes, iv_ref), text),
            Aes::A192(aes) => encrypt(cbc::Encryptor::inner_iv_init(aes, iv_ref), text),
            Aes::A256(aes) => encrypt(cbc::Encryptor::inner_iv_init(aes, iv_ref), text),
        };
        format!("{}/{}:{}", hex(iv), hex(&ciphertext), hex(&self.mac.tag(&ciphertext)))
    }

    /// The text, if the tag holds; bad padding cannot be told from a bad tag.
    pub fn read(&self, text: &str) -> Option<String> {
        let (iv, rest) = text.rsplit_once('/')?;
        let (ciphertext, tag) = rest.rsplit_once(':')?;
        let (ciphertext, tag) = (unhex(ciphertext)?, unhex(tag)?);
        let iv: [u8; BLOCK] = unhex(iv)?.try_into().ok()?;
        let genuine = self.mac.verify(&ciphertext, &tag);
        if !genuine && !self.backward_compatible_read {
            return None;
        }
        let plaintext = self.decrypt(&iv, &ciphertext);
        if genuine {
            return Some(String::from_utf8_lossy(&plaintext?).into_owned());
        }
        // What was decrypted here nobody has authenticated yet: bad padding costs
        // the same HMAC as a bad tag.
        let (padded, candidate) = match plaintext {
            Some(plaintext) => (true, plaintext),
            None => (false, ciphertext),
        };
        (self.mac.verify(&candidate, &tag) & padded)
            .then(|| String::from_utf8_lossy(&candidate).into_owned())
    }

    fn decrypt(&self, iv: &[u8; BLOCK], ciphertext: &[u8]) -> Option<Vec<u8>> {
        let iv = iv.into();
        match &self.aes {
            Aes::A128(aes) => decrypt(cbc::Decryptor::inner_iv_init(aes, iv), ciphertext),
            Aes::A192(aes) => decrypt(cbc::Decryptor::inner_iv_init(aes, iv), ciphertext),
            Aes::A256(aes) => decrypt(cbc::Decryptor::inner_iv_init(aes, iv), ciphertext),
        }
    }
}

/// Lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Either case.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
            _ => None,
        })
        .collect()
}
