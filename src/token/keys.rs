//! From a configured key to the prepared keys of one session: HKDF-SHA256
//! (RFC 5869) under a name for each purpose (checklist S27).

use hkdf::Hkdf;
use hmac::Hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::suite::{ContentKey, Suite, begin};
use crate::config::{KeyMaterial, Protect, Secret};

const SALT: &[u8] = b"rsess1";

/// One entry of a session's list of keys, ready for use.
pub(super) struct Key {
    pub id: [u8; 4],
    pub lock: Lock,
}

/// What a key protects with.
pub(super) enum Lock {
    Encrypt(Box<ContentKey>),
    /// HMAC-SHA256 begun with the constant associated data of so many bits.
    Sign(Hmac<Sha256>, u64),
}

impl Key {
    /// Derives the keys of session `name`. `None` cannot happen with lengths
    /// that HKDF and the suites accept, which are the only ones used here.
    pub fn derive(
        material: &KeyMaterial,
        protect: Protect,
        suite: Suite,
        name: &str,
        aad: &[u8],
    ) -> Option<Self> {
        let algorithm = if protect == Protect::Encrypt { suite.name() } else { "hmac" };
        let expand = |root: &[u8], purpose: &str, len: usize| -> Option<Zeroizing<Vec<u8>>> {
            let info = format!("rsess1/{algorithm}/{purpose}/{name}");
            let mut key = Zeroizing::new(vec![0; len]);
            Hkdf::<Sha256>::new(Some(SALT), root).expand(info.as_bytes(), &mut key).ok()?;
            Some(key)
        };
        let roots = Roots::of(material);
        let kid = expand(&roots.kid, "kid", 32)?;
        let lock = if protect == Protect::Encrypt {
            let enc = expand(roots.enc, "enc", suite.key_len())?;
            let mac = expand(roots.mac, "mac", suite.key_len())?;
            Lock::Encrypt(Box::new(ContentKey::new(suite, &enc, &mac, aad)?))
        } else {
            let sign = expand(roots.mac, "sign", 32)?;
            Lock::Sign(begin(&sign, aad)?, aad.len() as u64 * 8)
        };
        Some(Self { id: *kid.first_chunk()?, lock })
    }
}

/// Which configured bytes feed which purpose.
struct Roots<'a> {
    enc: &'a [u8],
    mac: &'a [u8],
    kid: Zeroizing<Vec<u8>>,
}

impl<'a> Roots<'a> {
    fn of(material: &'a KeyMaterial) -> Self {
        let one = |secret: &'a Secret| {
            let bytes = secret.bytes();
            Roots { enc: bytes, mac: bytes, kid: Zeroizing::new(bytes.to_vec()) }
        };
        match material {
            KeyMaterial::Secret(secret)
            | KeyMaterial::Sign(secret)
            | KeyMaterial::Encrypt(secret) => one(secret),
            KeyMaterial::EncryptAndSign { encrypt, sign } => {
                let (encrypt, sign) = (encrypt.bytes(), sign.bytes());
                let mut kid = Zeroizing::new(Vec::with_capacity(2 + encrypt.len() + sign.len()));
                kid.extend_from_slice(&super::u16_len(encrypt));
                kid.extend_from_slice(encrypt);
                kid.extend_from_slice(sign);
                Roots { enc: encrypt, mac: sign, kid }
            }
        }
    }
}
