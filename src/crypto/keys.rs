//! Derives one key for each purpose from a configured key, by HKDF-SHA256 (RFC 5869;
//! docs/security.md, S27).

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Secret;

/// The salt, and the beginning of every info that HKDF gets.
const NAME: &[u8] = b"rsess1";

/// One entry of a session's list of keys, before derivation.
#[derive(Debug)]
pub(crate) enum KeyMaterial {
    /// A `secret`, from which every key is derived.
    Secret(Secret),
    /// A `sign_key` without an `encrypt_key`.
    Sign(Secret),
    /// An `encrypt_key` without a `sign_key`.
    Encrypt(Secret),
    /// An `encrypt_key` and the `sign_key` at the same position of its list.
    EncryptAndSign { encrypt: Secret, sign: Secret },
}

/// What a key is used for. `docs/formats.md` lists the reserved names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Enc,
    Mac,
    Sign,
    Kid,
    Csrf,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Enc => "enc",
            Self::Mac => "mac",
            Self::Sign => "sign",
            Self::Kid => "kid",
            Self::Csrf => "csrf",
        }
    }
}

/// What a key, and so everything that it protects, is bound to.
pub(crate) struct Binding<'a> {
    pub app: &'a str,
    pub session: &'a str,
    pub transport: TransportBinding<'a>,
}

/// The transport that carries a token (docs/security.md, S17).
#[derive(Clone, Copy)]
pub(crate) enum TransportBinding<'a> {
    Cookie,
    Header,
    Custom(&'a str),
}

impl Binding<'_> {
    /// HKDF's info. Every part either has a fixed length or follows its own length, so that no
    /// two infos are equal (docs/security.md, S28 and S29).
    fn info(&self, purpose: Purpose, suite: &str, kind: u8) -> Vec<u8> {
        let (transport, custom) = match self.transport {
            TransportBinding::Cookie => (1, ""),
            TransportBinding::Header => (2, ""),
            TransportBinding::Custom(name) => (3, name),
        };
        let mut info = NAME.to_vec();
        push_prefixed(&mut info, purpose.name().as_bytes());
        push_prefixed(&mut info, suite.as_bytes());
        info.push(kind);
        push_prefixed(&mut info, self.app.as_bytes());
        push_prefixed(&mut info, self.session.as_bytes());
        info.push(transport);
        push_prefixed(&mut info, custom.as_bytes());
        info
    }
}

/// HKDF's pseudorandom keys, extracted from one entry of the list of keys.
pub(crate) struct Roots {
    enc: Hkdf<Sha256>,
    kid: Hkdf<Sha256>,
    /// The key for all purposes except encryption and key ids.
    mac: Hkdf<Sha256>,
}

impl Roots {
    pub fn new(material: &KeyMaterial) -> Self {
        let extract = |secret: &[u8]| Hkdf::new(Some(NAME), secret);
        match material {
            KeyMaterial::Secret(secret)
            | KeyMaterial::Sign(secret)
            | KeyMaterial::Encrypt(secret) => {
                let root = extract(secret.bytes());
                Self { enc: root.clone(), kid: root.clone(), mac: root }
            }
            KeyMaterial::EncryptAndSign { encrypt, sign } => {
                let (encrypt, sign) = (encrypt.bytes(), sign.bytes());
                // The id of a key depends on both halves.
                let mut kid = Zeroizing::new(Vec::with_capacity(2 + encrypt.len() + sign.len()));
                push_prefixed(&mut kid, encrypt);
                kid.extend_from_slice(sign);
                Self { enc: extract(encrypt), kid: extract(&kid), mac: extract(sign) }
            }
        }
    }

    /// The key for one purpose and for tokens of `kind`. `None` only if HKDF cannot give a key of
    /// this length.
    pub fn derive(
        &self,
        purpose: Purpose,
        suite: &str,
        kind: u8,
        binding: &Binding<'_>,
        length: usize,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let root = match purpose {
            Purpose::Enc => &self.enc,
            Purpose::Kid => &self.kid,
            Purpose::Mac | Purpose::Sign | Purpose::Csrf => &self.mac,
        };
        let mut key = Zeroizing::new(vec![0; length]);
        root.expand(&binding.info(purpose, suite, kind), &mut key).ok()?;
        Some(key)
    }
}

/// Appends the length of `part` and then `part`. The configuration refuses a text whose length
/// does not fit.
fn push_prefixed(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hex;

    const PURPOSES: [Purpose; 5] =
        [Purpose::Enc, Purpose::Mac, Purpose::Sign, Purpose::Kid, Purpose::Csrf];

    #[test]
    fn s27_hkdf_is_rfc_5869() {
        // Appendix A.1 and A.3.
        let expand = |salt: &[u8], info: &[u8]| {
            let mut key = [0; 42];
            Hkdf::<Sha256>::new(Some(salt), &[0x0b; 22]).expand(info, &mut key).unwrap();
            hex::encode(&key)
        };
        let unhex = |text| hex::decode(text).unwrap();
        assert_eq!(
            expand(&unhex("000102030405060708090a0b0c"), &unhex("f0f1f2f3f4f5f6f7f8f9")),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
        assert_eq!(
            expand(b"", b""),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        );
    }

    /// The keys of `tests/vectors/native.json`.
    #[derive(serde::Deserialize)]
    struct Vectors {
        keys: Vec<Vector>,
    }

    #[derive(serde::Deserialize)]
    struct Vector {
        app: String,
        session: String,
        transport: String,
        kind: u8,
        suite: String,
        keys: std::collections::HashMap<String, String>,
        derived: std::collections::HashMap<String, String>,
    }

    #[test]
    fn s27_keys_are_those_of_an_independent_implementation() {
        let Vectors { keys } =
            serde_json::from_str(include_str!("../../tests/vectors/native.json")).unwrap();
        assert!(keys.len() > 30);
        for vector in keys {
            let key = |name: &str| {
                vector.keys.get(name).map(|key| Secret::new(hex::decode(key).unwrap()))
            };
            let roots = Roots::new(&match (key("secret"), key("encrypt_key"), key("sign_key")) {
                (Some(secret), ..) => KeyMaterial::Secret(secret),
                (_, Some(encrypt), Some(sign)) => KeyMaterial::EncryptAndSign { encrypt, sign },
                (_, Some(encrypt), None) => KeyMaterial::Encrypt(encrypt),
                (_, None, sign) => KeyMaterial::Sign(sign.unwrap()),
            });
            let transport = match vector.transport.as_str() {
                "cookie" => TransportBinding::Cookie,
                "header" => TransportBinding::Header,
                custom => TransportBinding::Custom(custom),
            };
            let binding = Binding { app: &vector.app, session: &vector.session, transport };
            let suite = if vector.kind == 1 { &vector.suite } else { "HS256" };
            for purpose in PURPOSES {
                let key = roots.derive(purpose, suite, vector.kind, &binding, 32).unwrap();
                assert_eq!(hex::encode(&key), vector.derived[purpose.name()], "{purpose:?}");
            }
        }
    }

    #[test]
    fn s27_s28_s29_every_purpose_suite_kind_app_name_and_transport_has_a_key_of_its_own() {
        use TransportBinding::{Cookie, Custom, Header};
        let roots = Roots::new(&KeyMaterial::Secret(Secret::new(vec![7; 32])));
        let mut keys = std::collections::HashSet::new();
        for purpose in PURPOSES {
            for (suite, kind) in [("a", 1), ("a", 2), ("b", 1)] {
                for (app, session) in [("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", "")] {
                    for transport in [Cookie, Header, Custom(""), Custom("x"), Custom("\0\0")] {
                        let binding = Binding { app, session, transport };
                        let key = roots.derive(purpose, suite, kind, &binding, 32).unwrap();
                        assert!(keys.insert(key.to_vec()));
                    }
                }
            }
        }
        assert_eq!(keys.len(), PURPOSES.len() * 3 * 4 * 5);
    }

    #[test]
    fn a_sign_key_beside_an_encrypt_key_feeds_all_but_the_encryption() {
        let secret = |byte| Secret::new(vec![byte; 32]);
        let one = Roots::new(&KeyMaterial::Encrypt(secret(1)));
        let other = Roots::new(&KeyMaterial::Sign(secret(2)));
        let material = KeyMaterial::EncryptAndSign { encrypt: secret(1), sign: secret(2) };
        let both = Roots::new(&material);
        let binding = Binding { app: "", session: "s", transport: TransportBinding::Cookie };
        let key = |roots: &Roots, purpose| roots.derive(purpose, "x", 1, &binding, 32).unwrap();
        for purpose in PURPOSES {
            let of = [&one, &other].map(|roots| *key(roots, purpose) == *key(&both, purpose));
            let expected = match purpose {
                Purpose::Enc => [true, false],
                Purpose::Mac | Purpose::Sign | Purpose::Csrf => [false, true],
                Purpose::Kid => [false, false],
            };
            assert_eq!(of, expected, "{purpose:?}");
        }
    }
}
