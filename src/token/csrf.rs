//! The keys of CSRF tokens. `docs/formats.md` has the bytes.

use super::key::{SIGNATURE_SUITE, suite_name};
use super::kind::TokenKind;
use super::list::Sealing;
use crate::crypto::aead::Suite;
use crate::crypto::keys::{Binding, KeyMaterial, Purpose, Roots};
use crate::crypto::sha256::HmacSha256;
use crate::error::SessionError;

/// The message of the error where a session needs a CSRF token and has no key for it.
pub(crate) const NO_CSRF_KEY: &str = "a CSRF token needs a server key, and this session has none; \
     write `secret = \"…\"` in its table (`openssl rand -base64 32` makes one)";

/// The kind under which keys are derived for sessions in Ktor's format.
const KTOR: u8 = 0;

/// The keys of a definition's CSRF tokens. The list is empty if the definition has no key.
#[derive(Default)]
pub(crate) struct CsrfKeys {
    keys: Vec<CsrfKey>,
    /// The keys that make tokens. Every key verifies them.
    making: Sealing,
}

struct CsrfKey {
    id: [u8; 4],
    mac: HmacSha256,
}

impl CsrfKeys {
    /// The length of a tag, which is the beginning of an HMAC-SHA256. The rest of a token is its
    /// mask.
    pub const TAG: usize = 16;

    /// Derives the keys for sessions in the native format. `None` cannot happen: HKDF gives keys
    /// of these lengths.
    pub fn native(
        binding: &Binding<'_>,
        kind: TokenKind,
        suite: Suite,
        materials: &[KeyMaterial],
    ) -> Option<Self> {
        Self::derive(binding, kind as u8, suite_name(kind, suite), materials)
    }

    /// Derives the keys for sessions in Ktor's format.
    pub fn ktor(binding: &Binding<'_>, materials: &[KeyMaterial]) -> Option<Self> {
        Self::derive(binding, KTOR, SIGNATURE_SUITE, materials)
    }

    fn derive(
        binding: &Binding<'_>,
        kind: u8,
        suite: &str,
        materials: &[KeyMaterial],
    ) -> Option<Self> {
        let key = |material| {
            let roots = Roots::new(material);
            let derive = |purpose, length| roots.derive(purpose, suite, kind, binding, length);
            let mac = HmacSha256::new(&derive(Purpose::Csrf, 32)?);
            Some(CsrfKey { id: *derive(Purpose::Kid, 4)?.first_chunk()?, mac })
        };
        Some(Self {
            keys: materials.iter().map(key).collect::<Option<_>>()?,
            making: Sealing::default(),
        })
    }

    /// Chooses the keys that make tokens. Without this call, the first key makes them.
    #[must_use]
    pub fn making_with(self, making: Sealing) -> Self {
        Self { making: making.within(self.keys.len()), ..self }
    }

    /// The ids of the keys, and which of them make tokens.
    pub fn key_ids(&self) -> (Vec<[u8; 4]>, Sealing) {
        (self.keys.iter().map(|key| key.id).collect(), self.making.clone())
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The tag of a session's tokens under each key, in the order of the keys.
    pub fn tags(&self, name: &[u8; 16], generation: u32) -> Vec<[u8; Self::TAG]> {
        let tag = |key: &CsrfKey| {
            let whole = key.mac.tag([name, &generation.to_be_bytes()]);
            whole.first_chunk().copied()
        };
        self.keys.iter().filter_map(tag).collect()
    }

    /// Makes a session's token. `mask` turns one tag into the text of a token.
    pub fn token<'t>(
        &'t self,
        tags: &'t [[u8; Self::TAG]],
        mask: impl Fn(&'t [u8; Self::TAG]) -> Result<String, SessionError>,
    ) -> Result<String, SessionError> {
        let no_key = || SessionError::Unsupported(NO_CSRF_KEY.into());
        self.making.tokens(tags, usize::MAX, |tag| mask(tag.ok_or_else(no_key)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keys::TransportBinding;
    use crate::crypto::{Secret, hex};

    /// The CSRF tokens of `tests/vectors/native.json`.
    #[derive(serde::Deserialize)]
    struct Vectors {
        csrf: Vec<Vector>,
    }

    #[derive(serde::Deserialize)]
    struct Vector {
        app: String,
        session: String,
        transport: String,
        kind: u8,
        suite: String,
        keys: std::collections::HashMap<String, String>,
        id: String,
        generation: u32,
        tag: String,
    }

    impl Vector {
        fn material(&self) -> KeyMaterial {
            let key = |name| self.keys.get(name).map(|key| secret(key));
            match (key("secret"), key("encrypt_key"), key("sign_key")) {
                (Some(secret), ..) => KeyMaterial::Secret(secret),
                (_, Some(encrypt), Some(sign)) => KeyMaterial::EncryptAndSign { encrypt, sign },
                (_, Some(encrypt), None) => KeyMaterial::Encrypt(encrypt),
                (_, None, sign) => KeyMaterial::Sign(sign.unwrap()),
            }
        }

        fn keys(&self, materials: &[KeyMaterial]) -> CsrfKeys {
            let transport = match self.transport.as_str() {
                "cookie" => TransportBinding::Cookie,
                "header" => TransportBinding::Header,
                custom => TransportBinding::Custom(custom),
            };
            let binding = Binding { app: &self.app, session: &self.session, transport };
            let kind = match self.kind {
                0 => return CsrfKeys::ktor(&binding, materials).unwrap(),
                1 => TokenKind::EncryptedPayload,
                2 => TokenKind::SignedPayload,
                3 => TokenKind::SignedId,
                4 => TokenKind::PlainPayload,
                _ => TokenKind::PlainId,
            };
            let suites = [Suite::A128CbcHs256, Suite::A192CbcHs384, Suite::A256CbcHs512];
            let suite = suites.into_iter().find(|suite| suite.name() == self.suite).unwrap();
            CsrfKeys::native(&binding, kind, suite, materials).unwrap()
        }
    }

    fn secret(text: &str) -> Secret {
        Secret::new(hex::decode(text).unwrap())
    }

    fn vectors() -> Vec<Vector> {
        let text = include_str!("../../tests/vectors/native.json");
        serde_json::from_str::<Vectors>(text).unwrap().csrf
    }

    #[test]
    fn s68_tags_are_those_of_an_independent_implementation() {
        let vectors = vectors();
        assert!(vectors.len() > 40);
        for vector in vectors {
            let id = hex::decode(&vector.id).unwrap();
            let tags = vector
                .keys(&[vector.material()])
                .tags(id.first_chunk().unwrap(), vector.generation);
            let tags: Vec<_> = tags.iter().map(|tag| hex::encode(tag)).collect();
            assert_eq!(tags, [vector.tag], "kind {} {}", vector.kind, vector.transport);
        }
    }

    #[test]
    fn every_key_has_a_tag_and_those_that_seal_make_the_token() {
        let vector = vectors().remove(0);
        let material = |byte: &u8| KeyMaterial::Secret(Secret::new(vec![*byte; 32]));
        let keys = |bytes: &[u8]| vector.keys(&bytes.iter().map(material).collect::<Vec<_>>());
        let tags = |bytes: &[u8]| keys(bytes).tags(&[7; 16], 1);
        let [one, two, three] = [1, 2, 3].map(|byte| tags(&[byte])[0]);
        assert_eq!(tags(&[1, 2, 3]), [one, two, three]);
        assert!(tags(&[]).is_empty() && keys(&[]).is_empty());
        let token = |making: &[usize]| {
            let keys = keys(&[1, 2, 3]).making_with(Sealing::with(making.to_vec()));
            keys.token(&[one, two, three], |tag| Ok(hex::encode(tag))).unwrap()
        };
        let [one, two, three] = [one, two, three].map(|tag| hex::encode(&tag));
        assert_eq!([token(&[0]), token(&[1]), token(&[2])], [&*one, &*two, &*three]);
        assert_eq!(token(&[0, 2]), format!("{one}.{three}"));
        assert!(keys(&[]).token(&[], |_| Ok(String::new())).is_err());
    }
}
