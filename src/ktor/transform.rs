//! Ktor's `SessionTransportTransformerMessageAuthentication` and
//! `SessionTransportTransformerEncrypt`.

use crate::crypto::aes_cbc::{AesCbc, BLOCK};
use crate::crypto::hex;
use crate::crypto::mac::Mac;

/// One step of a session's `transform` list, with its keys.
pub(crate) enum Transform {
    Mac(Box<Mac>),
    Encrypt(Box<Cipher>),
}

/// AES in CBC mode with an HMAC over the ciphertext. The HMAC does not cover the IV.
pub(crate) struct Cipher {
    aes: AesCbc,
    mac: Mac,
    /// Also accepts tokens from before Ktor 3.0, whose HMAC covers the plaintext.
    backward_compatible_read: bool,
}

/// Returns `value/hex(HMAC(value))`.
pub(super) fn sign(mac: &Mac, text: &str) -> String {
    format!("{text}/{}", hex::encode(&mac.tag([text.as_bytes()])))
}

/// The text before the last `/`, if its tag follows in lower case.
pub(super) fn signed<'a>(mac: &Mac, text: &'a str) -> Option<&'a str> {
    let (text, tag) = text.rsplit_once('/')?;
    let tag = base16ct::lower::decode_vec(tag).ok()?;
    mac.verify(text.as_bytes(), &tag).then_some(text)
}

impl Cipher {
    /// `None` unless the key has 16, 24 or 32 bytes.
    pub fn new(key: &[u8], mac: Mac, backward_compatible_read: bool) -> Option<Self> {
        Some(Self { aes: AesCbc::new(key)?, mac, backward_compatible_read })
    }

    /// Returns `hex(iv)/hex(ciphertext):hex(HMAC(ciphertext))`. The IV must be fresh from a
    /// CSPRNG.
    pub fn write(&self, text: &str, iv: &[u8; BLOCK]) -> String {
        let mut ciphertext = text.as_bytes().to_vec();
        self.aes.encrypt(iv, &mut ciphertext, 0);
        let tag = self.mac.tag([&ciphertext]);
        format!("{}/{}:{}", hex::encode(iv), hex::encode(&ciphertext), hex::encode(&tag))
    }

    /// The text, if the tag holds. The caller cannot tell bad padding from a bad tag.
    pub fn read(&self, text: &str) -> Option<String> {
        let (iv, rest) = text.rsplit_once('/')?;
        let (ciphertext, tag) = rest.rsplit_once(':')?;
        let (mut message, tag) = (hex::decode(ciphertext).ok()?, hex::decode(tag).ok()?);
        let iv: [u8; BLOCK] = hex::decode(iv).ok()?.try_into().ok()?;
        let genuine = self.mac.verify(&message, &tag);
        if !genuine && !self.backward_compatible_read {
            return None;
        }
        let length = self.aes.decrypt(&iv, &mut message).map(<[u8]>::len);
        let (padded, candidate) = (length.is_some(), &message[..length.unwrap_or(message.len())]);
        // Without the tag of the ciphertext, nobody has authenticated the candidate yet. Bad padding must
        // take as long as a bad tag, so both compute the same HMAC.
        let good = genuine || self.mac.verify(candidate, &tag);
        (good & padded).then(|| String::from_utf8_lossy(candidate).into_owned())
    }
}
