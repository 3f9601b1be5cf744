//! The errors of sessions, by cause.

use std::borrow::Cow;
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
/// No variant's text contains a token, an id, a key or a payload. As a `Responder`, the error
/// answers with its [`status`](Self::status), through the application's own catchers.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The storage did not answer, or not within `storage_timeout`. Status 503.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Other requests kept writing the session until `storage_timeout` was over. Status 503.
    #[error("other requests kept changing the session until `storage_timeout` was over")]
    Conflict,
    /// Another request or another node has ended the session in the meantime. The changes were
    /// dropped. Status 401.
    #[error("the session has ended in the meantime")]
    Ended,
    /// The value is too large. Nothing was written. The log names the session and what to change.
    /// Status 500.
    #[error("the session takes {size} bytes, which is over the limit of {limit}")]
    TooLarge {
        /// The size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The owner has as many sessions as `max_sessions_per_owner` allows, and
    /// `owner_limit_policy` refuses another. Status 500.
    #[error("the owner has as many sessions as allowed")]
    LimitReached,
    /// The response has been sent, so a new token could not reach the client. If the session began
    /// or was renewed nevertheless, it was ended. Status 500.
    #[error("the response has been sent; the session's new token can no longer reach the client")]
    TooLate,
    /// The value could not be encoded, or did not
    /// [survive encoding](crate::SessionData#values-must-survive-encoding). The application's code
    /// may also have panicked while the value was saved. Nothing was written. Status 500.
    #[error("the session could not be encoded: {0}")]
    Encode(#[source] EncodeError),
    /// A [`Lifetime`](crate::Lifetime) is an idle timeout of zero, or a time in the past. Nothing
    /// was changed. Check a user's input first. Status 500.
    #[error("the session's lifetime is invalid: {0}")]
    Lifetime(&'static str),
    /// The session's storage or configuration does not support the operation. Status 500.
    #[error("not supported: {0}")]
    Unsupported(Cow<'static, str>),
    /// The session type is not configured, or its configuration is invalid. Status 500.
    #[error("{0}")]
    Undefined(String),
    /// The system's random generator failed. Nothing was written. Status 500.
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
    /// Returns the status to answer with: 503 if a retry may help, 401 if the
    /// session has ended, and 500 otherwise.
    ///
    /// ```
    /// use rocket_typed_sessions::SessionError;
    ///
    /// fn advice(cause: &SessionError) -> &'static str {
    ///     match cause.status().code {
    ///         503 => "Please try again in a moment.",
    ///         401 => "Please log in again.",
    ///         _ => "This did not work. We have been told.",
    ///     }
    /// }
    ///
    /// assert_eq!(advice(&SessionError::Ended), "Please log in again.");
    /// ```
    pub fn status(&self) -> Status {
        match self {
            _ if self.is_unavailable() => Status::ServiceUnavailable,
            Self::Ended => Status::Unauthorized,
            _ => Status::InternalServerError,
        }
    }

    /// Whether the storage could not answer, so that a retry may help. If a guard fails with such
    /// an error, it is unknown who the client is. Code that ignores the error must not treat the
    /// client as a visitor without a session.
    pub(crate) fn is_unavailable(&self) -> bool {
        matches!(self, Self::Storage(_) | Self::Conflict)
    }
}

impl<'r> Responder<'r, 'static> for SessionError {
    fn respond_to(self, _: &'r Request<'_>) -> ResponseResult<'static> {
        rocket::error!("Session: {self}.");
        Err(self.status())
    }
}

/// An error of the application's own code, which may keep a cause.
macro_rules! codec_error {
    ($(#[$about:meta])* $type:ident) => {
        $(#[$about])*
        #[derive(Clone, Debug, thiserror::Error)]
        #[error("{message}")]
        pub struct $type {
            message: String,
            #[source]
            cause: Option<Arc<dyn StdError + Send + Sync>>,
        }

        impl $type {
            /// Makes an error without a cause.
            ///
            /// ```
            /// # use rocket_typed_sessions::{*, transformer::*};
            #[doc = concat!("let cause = ", stringify!($type), "::new(\"the checksum differs\");")]
            /// assert_eq!(cause.to_string(), "the checksum differs");
            /// ```
            pub fn new(message: impl Into<String>) -> Self {
                Self { message: message.into(), cause: None }
            }

            /// Makes an error that keeps its cause as its
            /// [`source`](StdError::source).
            ///
            /// ```
            /// # use rocket_typed_sessions::{*, transformer::*};
            /// # use std::error::Error;
            /// let result = String::from_utf8(vec![0xff]);
            #[doc = concat!("let result = result.map_err(|cause| ", stringify!($type), "::caused_by(\"no text\", cause));")]
            /// assert!(result.is_err_and(|cause| cause.source().is_some()));
            /// ```
            pub fn caused_by(
                message: impl Into<String>,
                cause: impl StdError + Send + Sync + 'static,
            ) -> Self {
                Self { message: message.into(), cause: Some(Arc::new(cause)) }
            }
        }
    };
}

codec_error! {
    /// Why [`SessionData::encode`](crate::SessionData::encode) failed.
    ///
    /// The text is logged. Do not put content of the value into it.
    EncodeError
}

codec_error! {
    /// Why [`SessionData::decode`](crate::SessionData::decode) failed.
    ///
    /// The request has no session. The log gets one warning, without this text.
    DecodeError
}

codec_error! {
    /// Why a [`SessionTransformer`](crate::transformer::SessionTransformer) failed.
    ///
    /// The text is logged. Do not put content of the payload into it.
    TransformError
}

impl DecodeError {
    /// Returns what may be logged of the error. serde's texts quote the value, so only the parts
    /// that describe the type are kept.
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

/// How the messages of serde begin.
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

    /// One error of each variant. A new variant needs a row in the page.
    fn one_of_each() -> Vec<SessionError> {
        use SessionError::*;
        let all = vec![
            Storage(StorageError::Corrupt("bytes")),
            Conflict,
            Ended,
            TooLarge { size: 2, limit: 1 },
            LimitReached,
            TooLate,
            Encode(EncodeError::new("no text")),
            Lifetime("past"),
            Unsupported("here".into()),
            Undefined("no table".into()),
            Random,
        ];
        for error in &all {
            match error {
                Storage(_)
                | Conflict
                | Ended
                | TooLarge { .. }
                | LimitReached
                | TooLate
                | Encode(_)
                | Lifetime(_)
                | Unsupported(_)
                | Undefined(_)
                | Random => {}
            }
        }
        all
    }

    #[test]
    fn the_page_for_troubleshooting_has_a_row_for_each_error_with_its_status() {
        let page = include_str!("../docs/troubleshooting.md");
        for error in one_of_each() {
            let debug = format!("{error:?}");
            let name = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap();
            let row = format!("| `{name}` | {} |", error.status().code);
            assert!(page.contains(&row), "no row {row}");
        }
    }

    /// Every load returns one or a session, so its size counts.
    #[test]
    fn an_error_takes_six_words() {
        assert_eq!(size_of::<SessionError>(), 6 * size_of::<usize>());
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
