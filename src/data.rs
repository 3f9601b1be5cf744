//! [`SessionData`], which an application implements.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{DecodeError, EncodeError};

/// What a session holds.
///
/// ```
/// use rocket_typed_sessions::SessionData;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct UserSession { id: String, count: u32 }
///
/// impl SessionData for UserSession {
///     const NAME: &'static str = "user_session"; // the table [default.sessions.user_session]
/// }
/// ```
///
/// # A value reads back as it was
///
/// Before a value is written it is decoded again, and both values are compared by
/// what `Serialize` says of them. If they differ, nothing is written, the session
/// stays as it was, and the request fails with [`SessionError::Encode`] (500). The
/// log names the type and the reason. JSON has no float that is not finite and no
/// `Some(None)`; a field that is left out needs `#[serde(default)]`.
///
/// The order of a map's entries and of a list's items is not compared, because
/// that of a `HashSet` changes. What a type leaves out of `Serialize` is not saved
/// and not compared: a field with `skip`, one that `skip_serializing_if` leaves
/// out, or which of two `untagged` variants of one form it is. The comparison is
/// the same for a type with its own `encode` and `decode`: give `skip` to what they
/// leave out. If its `Serialize` fails, it is only decoded.
pub trait SessionData: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Names the definition: the key of the session's table in Rocket.toml.
    /// Lower-case words joined by `_`; not `secret` or `app`. Each type has its own.
    const NAME: &'static str;

    /// Whom the session belongs to, a user's id for instance. When it changes,
    /// the session begins anew under a fresh id, so that a login cannot be
    /// fixated (checklist S5).
    fn owner(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// The bytes to store or seal; JSON unless overridden. [`decode`](Self::decode)
    /// must read them.
    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        serde_json::to_vec(self).map_err(|cause| EncodeError::caused_by("JSON failed", cause))
    }

    /// The value in `bytes`; override it to migrate an older schema. A payload
    /// that does not decode is an absent session, never an error response.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(bytes).map_err(|cause| DecodeError::caused_by("JSON failed", cause))
    }
}
