//! [`SessionData`], which an application implements for each type of session.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{DecodeError, EncodeError};

/// The data of one type of session. Implement it for each struct that you keep in a session.
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
/// # Values must survive encoding
///
/// Before the crate writes a value, it encodes the value, decodes the result, and
/// compares both by their `Serialize` output. If they differ, nothing is written,
/// the session stays as it was, and the request fails with
/// [`SessionError::Encode`](crate::SessionError::Encode) (500). The log names the
/// type and the reason. JSON has no infinite or NaN float and no `Some(None)`. A
/// field that is sometimes left out needs `#[serde(default)]`.
///
/// The order of a map's entries and of a list's items is not compared, because the
/// order of a `HashSet` changes. What `Serialize` leaves out is neither saved nor
/// compared: a field with `skip`, a field that `skip_serializing_if` leaves out,
/// and the choice between two `untagged` variants of the same shape. A type with
/// its own `encode` and `decode` is compared in the same way: put `skip` on the
/// fields that they leave out. If `Serialize` fails, the value is decoded but not
/// compared.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session type",
    label = "this type does not implement `SessionData`",
    note = "write `impl SessionData for {Self} {{ const NAME: &'static str = \"…\"; }}`, where the name is that of a table `[default.sessions.…]` in Rocket.toml",
    note = "write `#[derive(Clone, serde::Serialize, serde::Deserialize)]` on the type"
)]
pub trait SessionData: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The name of the session, which is the key of its table in Rocket.toml. It consists of
    /// lower-case words joined by `_`. Each type needs a different name. `secret`, `secret_file`,
    /// `app`, and the names of tables that all sessions may share, such as `cookie` and `storage`,
    /// are reserved.
    const NAME: &'static str;

    /// Whether requests share one decoded value, which [`Session::get`](crate::Session::get)
    /// returns to each of them. The default is `true`: a session in memory, or in the cache of a
    /// storage, is then decoded once after each write, and not at each request. With a
    /// [transformer](crate::transformer::SessionTransformer), it is decoded at each request.
    ///
    /// Write `false` for a type that can change behind a shared reference, such as one with a
    /// `Mutex`, a `OnceLock` or an atomic number. Otherwise, one request would see what another one
    /// has changed and not saved. Clones of an `Arc<Mutex<_>>` share their content as well.
    ///
    /// ```
    /// # use rocket_typed_sessions::SessionData;
    /// # use std::sync::OnceLock;
    /// #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// struct User {
    ///     id: u32,
    ///     /// Loaded by the first guard of a request that asks for it.
    ///     #[serde(skip)]
    ///     name: OnceLock<String>,
    /// }
    ///
    /// impl SessionData for User {
    ///     const NAME: &'static str = "user";
    ///     const SHARE: bool = false;
    /// }
    /// ```
    const SHARE: bool = true;

    /// Returns the owner of the session, for example a user's id. The default is `None`.
    ///
    /// An owner's sessions can be listed, limited and revoked; see
    /// [`SessionManager`](crate::SessionManager). A value with another owner is a login: a new
    /// session begins under a new id, which prevents session fixation.
    ///
    /// ```
    /// # use rocket_typed_sessions::SessionData;
    /// # use std::borrow::Cow;
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct Shop { user: Option<String>, cart: Vec<u32> }
    /// impl SessionData for Shop {
    ///     const NAME: &'static str = "shop";
    ///
    ///     fn owner(&self) -> Option<Cow<'_, str>> {
    ///         self.user.as_deref().map(Cow::from)
    ///     }
    /// }
    ///
    /// let visitor = Shop { user: None, cart: vec![7] };
    /// assert_eq!(visitor.owner(), None);
    /// ```
    fn owner(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// Encodes the value as the bytes that are stored, or put into the client's token. The default
    /// is JSON. [`decode`](Self::decode) must read these bytes. An error fails the request with 500
    /// and leaves the session as it was.
    ///
    /// ```
    /// use rocket_typed_sessions::{DecodeError, EncodeError, SessionData};
    /// # #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    /// # struct Visits(u32);
    ///
    /// /// Four bytes instead of JSON.
    /// impl SessionData for Visits {
    ///     const NAME: &'static str = "visits";
    ///
    ///     fn encode(&self) -> Result<Vec<u8>, EncodeError> {
    ///         Ok(self.0.to_be_bytes().to_vec())
    ///     }
    ///
    ///     fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
    ///         let bytes = bytes.try_into().map_err(|_| DecodeError::new("four bytes expected"))?;
    ///         Ok(Self(u32::from_be_bytes(bytes)))
    ///     }
    /// }
    ///
    /// assert_eq!(Visits::decode(&Visits(7).encode()?)?, Visits(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        serde_json::to_vec(self).map_err(|cause| EncodeError::caused_by("JSON failed", cause))
    }

    /// Decodes the value in `bytes`. Override it to read an older schema. If it fails, the request
    /// has no session, and the response is not an error.
    ///
    /// ```
    /// use rocket_typed_sessions::{DecodeError, SessionData};
    /// # #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32, groups: Vec<String> }
    ///
    /// /// The sessions of the last release.
    /// #[derive(serde::Deserialize)]
    /// struct Before { id: u32, is_admin: bool }
    ///
    /// impl SessionData for User {
    ///     const NAME: &'static str = "user";
    ///
    ///     fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
    ///         let before = |_| -> serde_json::Result<Self> {
    ///             let Before { id, is_admin } = serde_json::from_slice(bytes)?;
    ///             let groups = if is_admin { vec!["admin".into()] } else { Vec::new() };
    ///             Ok(Self { id, groups })
    ///         };
    ///         let user = serde_json::from_slice(bytes).or_else(before);
    ///         user.map_err(|cause| DecodeError::caused_by("reading a user", cause))
    ///     }
    /// }
    ///
    /// let user = User::decode(br#"{"id":7,"is_admin":true}"#)?;
    /// assert_eq!(user, User { id: 7, groups: vec!["admin".into()] });
    /// # Ok::<(), DecodeError>(())
    /// ```
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(bytes).map_err(|cause| DecodeError::caused_by("JSON failed", cause))
    }
}
