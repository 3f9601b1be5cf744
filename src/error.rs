//! Everything that can go wrong with a session, by cause.

use std::error::Error as StdError;
use std::sync::Arc;

use rocket::Request;
use rocket::http::Status;
use rocket::response::{Responder, Result as ResponseResult};

use crate::crypto::RandomError;
use crate::expiry::NoTime;
use crate::storage::{Refused, StorageError};

/// Why a session could not be loaded or saved.
///
/// No variant's text shows a token, an id, a key or a payload. As a
/// `Responder` it is 503 where a retry may help, 401 where the session is over,
/// and 500 otherwise, through the application's own catchers.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The storage could not answer, or not in time.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The storage's budget was spent while replaying changes on concurrent writes.
    #[error("the session was changed by others until the storage budget was spent")]
    Conflict,
    /// The session was ended by somebody else meanwhile; its changes were dropped.
    #[error("the session has ended meanwhile")]
    Ended,
    /// The value does not fit; nothing was written.
    #[error("the session takes {size} bytes, which is over the limit of {limit}")]
    TooLarge {
        /// What it would take.
        size: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The owner has as many sessions as `max_sessions_per_owner` allows, and
    /// the policy is to refuse another.
    #[error("the owner has as many sessions as allowed")]
    LimitReached,
    /// The response has been sent, and a token would have to reach the client. A
    /// session that was begun or renewed all the same is ended.
    #[error("the response has been sent; the session's new token can no longer reach the client")]
    TooLate,
    /// The value could not be encoded, or would not read back as it was, or user
    /// code panicked while it was saved.
    #[error("the session could not be encoded: {0}")]
    Encode(#[source] EncodeError),
    /// [`Lifetime`](crate::Lifetime) of no time: an idle time of zero, or a date that
    /// is over. Nothing was changed. It is 500, since the application has made it:
    /// check what comes from a user first.
    #[error("the session's lifetime has no time in it: {0}")]
    Lifetime(&'static str),
    /// The session's storage or configuration cannot do this.
    #[error("not supported: {0}")]
    Unsupported(&'static str),
    /// The session type has no usable definition in this application.
    #[error("{0}")]
    Undefined(String),
    /// The system's random generator failed; nothing was written.
    #[error("the system's random generator failed")]
    Random,
}

impl From<RandomError> for SessionError {
    fn from(_: RandomError) -> Self {
        Self::Random
    }
}

impl From<NoTime> for SessionError {
    fn from(NoTime(why): NoTime) -> Self {
        Self::Lifetime(why)
    }
}

impl From<Refused> for SessionError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Revoked => Self::Ended,
            Refused::LimitReached => Self::LimitReached,
        }
    }
}

impl SessionError {
    /// 503 where a retry may help, 401 where the session is over, else 500.
    pub fn status(&self) -> Status {
        match self {
            Self::Storage(_) | Self::Conflict => Status::ServiceUnavailable,
            Self::Ended => Status::Unauthorized,
            _ => Status::InternalServerError,
        }
    }
}

impl<'r> Responder<'r, 'static> for SessionError {
    fn respond_to(self, _: &'r Request<'_>) -> ResponseResult<'static> {
        rocket::error!("Session: {self}.");
        Err(self.status())
    }
}

/// Why [`SessionData::encode`](crate::SessionData::encode) failed.
///
/// Keep the value's content out of the text: it is logged.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct EncodeError {
    message: String,
    #[source]
    cause: Option<Arc<dyn StdError + Send + Sync>>,
}

/// Why [`SessionData::decode`](crate::SessionData::decode) failed.
///
/// The session counts as absent, and one warning is logged without this text.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    message: String,
    #[source]
    cause: Option<Arc<dyn StdError + Send + Sync>>,
}

/// Why a [`SessionTransformer`](crate::transformer::SessionTransformer) failed.
///
/// Keep the payload out of the text: it is logged.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct TransformError {
    message: String,
    #[source]
    cause: Option<Arc<dyn StdError + Send + Sync>>,
}

macro_rules! codec_error {
    ($type:ident) => {
        impl $type {
            /// An error without a cause.
            pub fn new(message: impl Into<String>) -> Self {
                Self { message: message.into(), cause: None }
            }

            /// An error that keeps its cause.
            pub fn caused_by(
                message: impl Into<String>,
                cause: impl StdError + Send + Sync + 'static,
            ) -> Self {
                Self { message: message.into(), cause: Some(Arc::new(cause)) }
            }
        }
    };
}

codec_error!(EncodeError);
codec_error!(DecodeError);
codec_error!(TransformError);

impl DecodeError {
    /// What may be logged of it. serde's texts quote the value: only what describes
    /// the type is kept of them.
    pub(crate) fn reason(&self) -> String {
        let cause = self.cause.as_ref().and_then(|cause| cause.downcast_ref::<serde_json::Error>());
        let Some(cause) = cause else { return "it does not decode".into() };
        let text = cause.to_string();
        let kind = SERDE_REASONS.into_iter().find(|kind| text.starts_with(kind));
        let mut reason = kind.unwrap_or("it does not decode").to_owned();
        let place = format!(" at line {} column {}", cause.line(), cause.column());
        let (text, place) = text.strip_suffix(&place).map_or((&*text, ""), |text| (text, &*place));
        if let (Some(_), Some((_, expected))) = (kind, text.rsplit_once(", expected ")) {
            reason.push_str(": expected ");
            reason.push_str(expected);
        } else if let Some("missing field" | "duplicate field") = kind {
            reason.push_str(&text[reason.len()..]);
        }
        reason + place
    }
}

/// How serde's own texts begin.
const SERDE_REASONS: [&str; 11] = [
    "invalid type: null",
    "invalid type",
    "invalid value",
    "invalid length",
    "unknown variant",
    "unknown field",
    "missing field",
    "duplicate field",
    "number out of range",
    "recursion limit exceeded",
    "data did not match any variant",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde::de::DeserializeOwned;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        #[allow(dead_code)]
        number: u8,
    }

    #[derive(Debug, Deserialize)]
    enum Role {
        Admin,
        Guest,
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    enum Either {
        #[allow(dead_code)]
        Number(u8),
    }

    #[derive(Debug)]
    struct Email;

    impl<'de> Deserialize<'de> for Email {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            Err(serde::de::Error::custom(format!("{text} is no address")))
        }
    }

    fn reason<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
        let cause = serde_json::from_str::<T>(json).unwrap_err();
        DecodeError::caused_by("JSON failed", cause).reason()
    }

    #[test]
    fn a_reason_describes_the_type_and_never_shows_the_value() {
        let secret = "\"swordfish, expected `swordfish` at line 1 column 1\"";
        for (reason, expected) in [
            (reason::<f64>("null"), "invalid type: null: expected f64 at line 1 column 4"),
            (reason::<f64>(secret), "invalid type: expected f64 at line 1 column 52"),
            (reason::<char>(secret), "invalid value: expected a character at line 1 column 52"),
            (reason::<u8>("1234567"), "invalid value: expected u8 at line 1 column 7"),
            (reason::<Form>("{}"), "missing field `number` at line 1 column 2"),
            (
                reason::<Form>("{\"number\":1,\"number\":2}"),
                "duplicate field `number` at line 1 column 20",
            ),
            (
                reason::<Form>("{\"swordfish\":1}"),
                "unknown field: expected `number` at line 1 column 12",
            ),
            (
                reason::<Role>(secret),
                "unknown variant: expected `Admin` or `Guest` at line 1 column 52",
            ),
            (reason::<Either>(secret), "data did not match any variant"),
            (reason::<Email>(secret), "it does not decode"),
            (reason::<BTreeMap<u8, u8>>("{\"swordfish\":1}"), "invalid value at line 1 column 2"),
        ] {
            assert_eq!(reason, expected);
        }
        let own = DecodeError::new("swordfish");
        assert_eq!(own.reason(), "it does not decode");
    }
}
