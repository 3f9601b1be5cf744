//! From a session's value to the bytes that are sealed or stored, and back.

use std::borrow::Cow;
use std::sync::Arc;

use rocket::warn;

use crate::SessionData;
use crate::error::{EncodeError, SessionError};
use crate::ktor::{Serializer, Variant, from_form, to_form};
use crate::request::tracked::Content;
use crate::transformer::SessionTransformer;

/// Encodes and decodes the values of one definition.
pub(crate) struct Codec {
    /// The session's name, for the log.
    pub session: String,
    pub serializer: Serializer,
    /// Applied in this order to what is written, and undone in reverse.
    pub transformers: Vec<Arc<dyn SessionTransformer>>,
    pub max_payload: usize,
}

impl Codec {
    /// The value as it is compared, before the transformers.
    pub fn encode<T: SessionData>(&self, value: &T) -> Result<Content, SessionError> {
        let encoded = encode_with(self.serializer, value).map_err(SessionError::Encode)?;
        Ok(Content::owned(encoded))
    }

    /// The value in a payload. One that does not decode is an absent session.
    pub fn decode<T: SessionData>(&self, content: &Content) -> Option<T> {
        let value = decode_with(self.serializer, content.bytes());
        if value.is_none() {
            warn!("Session `{}`: a payload does not decode; it counts as absent.", self.session);
        }
        value
    }

    /// What another serializer wrote, as this one would write it.
    pub fn convert<T: SessionData>(&self, from: Serializer, content: &Content) -> Option<Content> {
        let value: T = decode_with(from, content.bytes())?;
        self.encode(&value).ok()
    }

    /// The payload to seal or to store, checked for its size.
    pub fn payload<'a>(&self, content: &'a Content) -> Result<Cow<'a, [u8]>, SessionError> {
        let mut payload = Cow::Borrowed(content.bytes());
        for transformer in &self.transformers {
            let written = transformer.write(payload.into_owned());
            payload = written
                .map_err(|cause| {
                    SessionError::Encode(EncodeError::caused_by("a transformer failed", cause))
                })?
                .into();
        }
        let (size, limit) = (payload.len(), self.max_payload);
        if size <= limit { Ok(payload) } else { Err(SessionError::TooLarge { size, limit }) }
    }

    /// What [`payload`](Self::payload) was given. A failure is an absent session
    /// and one warning.
    pub fn content(&self, mut payload: Vec<u8>) -> Option<Content> {
        for transformer in self.transformers.iter().rev() {
            let Ok(read) = transformer.read(payload) else {
                warn!(
                    "Session `{}`: a transformer could not read a payload; it counts as absent.",
                    self.session
                );
                return None;
            };
            payload = read;
        }
        Some(Content::owned(payload))
    }
}

fn decode_with<T: SessionData>(serializer: Serializer, bytes: &[u8]) -> Option<T> {
    match serializer {
        Serializer::Json => T::decode(bytes).ok(),
        _ => from_form(std::str::from_utf8(bytes).ok()?),
    }
}

fn encode_with<T: SessionData>(serializer: Serializer, value: &T) -> Result<Vec<u8>, EncodeError> {
    let variant = match serializer {
        Serializer::Json => return value.encode(),
        Serializer::KotlinxLegacy => Variant::Kotlinx,
        Serializer::ReflectionLegacy => Variant::Reflection,
    };
    let form = to_form(value, variant);
    form.map(String::into_bytes)
        .map_err(|cause| EncodeError::caused_by("Ktor's old format failed", cause))
}
