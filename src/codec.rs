//! Encodes a session's value to the bytes that are sealed or stored, and decodes them.

mod content;
mod fingerprint;

use std::any::{Any, type_name};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use content::Content;
use rocket::{error, warn};

use crate::data::SessionData;
use crate::error::{DecodeError, EncodeError, SessionError};
use crate::guide::page;
use crate::ktor::{Serializer, Variant, from_form, to_form};
use crate::transformer::SessionTransformer;

/// Encodes and decodes the values of one definition.
pub(crate) struct Codec {
    /// The session's name, for the log.
    pub session: String,
    pub serializer: Serializer,
    /// The transformers, applied in this order at a write and undone in reverse.
    pub transformers: Vec<Arc<dyn SessionTransformer>>,
    pub max_payload: usize,
    /// A payload that does not decode was reported.
    pub reported: AtomicBool,
}

impl Codec {
    /// Encodes a value. Contents are compared in this form, before the transformers.
    pub fn encode<T: SessionData>(&self, value: &T) -> Result<Vec<u8>, SessionError> {
        encode_with(self.serializer, value).map_err(SessionError::Encode)
    }

    /// Checks that the encoded form of a value decodes to that value, and returns what it decodes
    /// to.
    pub fn check<T: SessionData>(&self, value: &T, encoded: &[u8]) -> Result<T, SessionError> {
        let reason = match decode_with::<T>(self.serializer, encoded) {
            Ok(read) if fingerprint::compute(&read) == fingerprint::compute(value) => {
                return Ok(read);
            }
            Ok(_) => "it decodes to another value".into(),
            Err(cause) => cause.reason(),
        };
        let message =
            format!("`{}` does not survive encoding and decoding: {reason}", type_name::<T>());
        Err(SessionError::Encode(EncodeError::new(message)))
    }

    /// Returns the value, which is decoded once for all requests that read the same record. A
    /// content that does not decode makes the session absent.
    pub fn decode<T: SessionData>(&self, content: &Content) -> Option<Arc<T>> {
        if let Some(kept) = content.kept() {
            return Some(kept);
        }
        let decoded = decode_with(self.serializer, content.bytes());
        let value = decoded.map_err(|cause| self.report::<T>(&cause)).ok().map(Arc::new)?;
        content.keep(&value);
        Some(value)
    }

    /// Reports a payload that does not decode. The first one is an error, so that a release whose
    /// type has changed shows it with every log level.
    fn report<T>(&self, cause: &DecodeError) {
        let problem = format!(
            "Session `{}`: a payload cannot be decoded as `{}`: {}; it counts as absent.",
            self.session,
            type_name::<T>(),
            cause.reason()
        );
        if self.reported.swap(true, Ordering::Relaxed) {
            warn!("{problem}");
        } else {
            error!("{problem} If the type has changed, see {}", page!("changing_a_type"));
        }
    }

    /// Re-encodes what another serializer wrote. Returns `None` if that loses anything.
    pub fn convert<T: SessionData>(&self, from: Serializer, content: &Content) -> Option<Content> {
        let value: T = decode_with(from, content.bytes()).ok()?;
        let encoded = self.encode(&value).ok()?;
        self.check(&value, &encoded).is_ok().then(|| Content::from_bytes(encoded))
    }

    /// Returns the payload to seal or to store, and checks its size.
    pub fn payload<'a>(&self, content: &'a Content) -> Result<Cow<'a, [u8]>, SessionError> {
        match content.payload() {
            Some(payload) => {
                self.check_size(payload)?;
                Ok(Cow::Borrowed(payload))
            }
            None => self.transformed(content.bytes()),
        }
    }

    /// Returns what the transformers make of the encoded form of a value, and checks its size.
    pub fn transformed<'a>(&self, encoded: &'a [u8]) -> Result<Cow<'a, [u8]>, SessionError> {
        let payload = if self.transformers.is_empty() {
            Cow::Borrowed(encoded)
        } else {
            Cow::Owned(self.transform(encoded)?)
        };
        self.check_size(&payload)?;
        Ok(payload)
    }

    fn check_size(&self, payload: &[u8]) -> Result<(), SessionError> {
        let (size, limit) = (payload.len(), self.max_payload);
        if size <= limit {
            return Ok(());
        }
        error!(
            "Session `{}`: {size} bytes are over its limit of {limit}; keep less in it, or write a higher `max_payload` in its table.",
            self.session
        );
        Err(SessionError::TooLarge { size, limit })
    }

    /// Returns the payload's decoded value, for the record with the payload. A payload of
    /// transformers has none, because a reader may have others.
    pub fn decoded(&self, content: &Content) -> Option<Arc<dyn Any + Send + Sync>> {
        if self.transformers.is_empty() { content.decoded() } else { None }
    }

    /// Applies the transformers, and checks that they can undo it.
    fn transform(&self, content: &[u8]) -> Result<Vec<u8>, SessionError> {
        let mut payload = content.to_vec();
        for transformer in &self.transformers {
            payload = transformer.write(payload).map_err(|cause| {
                SessionError::Encode(EncodeError::caused_by("a transformer failed", cause))
            })?;
        }
        if self.read_back(payload.clone()).is_some_and(|read| read == content) {
            return Ok(payload);
        }
        let message = "a transformer does not restore what it has transformed";
        Err(SessionError::Encode(EncodeError::new(message)))
    }

    /// Undoes [`payload`](Self::payload). A failure makes the session absent, with one warning.
    pub fn content(&self, payload: Vec<u8>) -> Option<Content> {
        let content = self.read_back(payload);
        if content.is_none() {
            warn!(
                "Session `{}`: a transformer could not read a payload; it counts as absent.",
                self.session
            );
        }
        content.map(Content::from_bytes)
    }

    fn read_back(&self, payload: Vec<u8>) -> Option<Vec<u8>> {
        let mut transformers = self.transformers.iter().rev();
        transformers.try_fold(payload, |payload, transformer| transformer.read(payload).ok())
    }
}

fn decode_with<T: SessionData>(serializer: Serializer, bytes: &[u8]) -> Result<T, DecodeError> {
    match serializer {
        Serializer::Json => T::decode(bytes),
        _ => from_form(
            std::str::from_utf8(bytes)
                .map_err(|cause| DecodeError::caused_by("a form must be UTF-8", cause))?,
        ),
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
