//! Ktor's token formats, to share live sessions with a Ktor service or to migrate from one.
//!
//! A token is a text, which is the serialized session or an id. The transformers process it in
//! order. In a cookie, the cookie's encoding follows. The weaknesses of these formats remain:
//! nothing binds a token to its session's name, nothing in it says when it was made, and anybody
//! can change the first block of an encrypted token (`docs/migrating-from-ktor.md`).

mod encoding;
mod form;
mod transform;

use std::borrow::Cow;

pub use encoding::CookieEncoding;
pub(crate) use form::{Variant, from_form, to_form};
pub(crate) use transform::{Cipher, Transform};
use transform::{sign, signed};

use crate::crypto::Random;
use crate::error::{EncodeError, SessionError};

/// How a value is written as text in Ktor's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serializer {
    /// `SessionData::encode`, which writes JSON unless it is overridden.
    Json,
    /// Ktor's `KotlinxBackwardCompatibleSessionSerializer`.
    KotlinxLegacy,
    /// Ktor's `reflectionSessionSerializer`.
    ReflectionLegacy,
}

/// Seals and opens one session's tokens as Ktor does.
pub(crate) struct Ktor {
    /// One chain of transformers for each entry of the list of keys. The first chain protects new
    /// tokens, and every chain can read. Without keys there is one empty chain.
    chains: Vec<Vec<Transform>>,
    /// The encoding of a cookie. `None` for a header, which carries the text as it is.
    encoding: Option<CookieEncoding>,
    pub serializer: Serializer,
}

impl Ktor {
    pub fn new(
        chains: Vec<Vec<Transform>>,
        encoding: Option<CookieEncoding>,
        serializer: Serializer,
    ) -> Self {
        Self { chains, encoding, serializer }
    }

    /// Whether only a holder of a key can make a token.
    pub fn is_protected(&self) -> bool {
        self.chains.iter().all(|chain| !chain.is_empty())
    }

    /// Makes the token for `text`.
    pub fn seal(&self, text: &str, random: &Random) -> Result<String, SessionError> {
        self.seal_with(text, || Ok(random.bytes()?))
    }

    /// The number of characters of the token for `text`, or an error if that token would open as
    /// another text.
    pub fn sealed_len(&self, text: &str) -> Result<usize, SessionError> {
        let token = self.seal_with(text, || Ok([0; 16]))?;
        let opened = self.open(&token).is_some_and(|(opened, _)| opened == text);
        if opened { Ok(token.len()) } else { Err(cannot_carry()) }
    }

    fn seal_with(
        &self,
        text: &str,
        iv: impl Fn() -> Result<[u8; 16], SessionError>,
    ) -> Result<String, SessionError> {
        let mut token = text.to_owned();
        for transform in self.chains.first().into_iter().flatten() {
            token = match transform {
                Transform::Mac(mac) => sign(mac, &token),
                Transform::Encrypt(cipher) => cipher.write(&token, &iv()?),
            };
        }
        let encoded =
            self.encoding.map_or(Some(Cow::Borrowed(&*token)), |encoding| encoding.encode(&token));
        // Whitespace around the value of a header or a cookie would be lost.
        let plain = |value: &str| value.trim() == value && !value.contains(char::is_control);
        let fits = encoded.filter(|value| plain(value));
        fits.map(Cow::into_owned).ok_or_else(cannot_carry)
    }

    /// The text in a token, and whether another key than the first has opened it. Where Ktor
    /// answers 500, this function finds no session.
    pub fn open(&self, token: &str) -> Option<(String, bool)> {
        let value =
            self.encoding.map_or(Some(Cow::Borrowed(token)), |encoding| encoding.decode(token))?;
        self.chains.iter().enumerate().find_map(|(position, chain)| {
            let mut text = value.clone().into_owned();
            for transform in chain.iter().rev() {
                text = match transform {
                    Transform::Mac(mac) => signed(mac, &text)?.to_owned(),
                    Transform::Encrypt(cipher) => cipher.read(&text)?,
                };
            }
            Some((text, position > 0))
        })
    }
}

fn cannot_carry() -> SessionError {
    let message = "the session holds characters that its `cookie_encoding` cannot carry";
    SessionError::Encode(EncodeError::new(message))
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
