//! Tokens against cross-site request forgery, tied to a session.
//!
//! The token is an HMAC of the session's name and its CSRF generation under a key
//! of the server, so nothing is stored for it, and nothing that a client holds
//! lets anybody compute it. It is made under the keys that seal and verified
//! under every key of the list. It changes with the id, but for periodic
//! renewals, which would break forms that stand open. Every page shows it under
//! another mask, so that a compressed page gives nothing away (BREACH).

mod form;
mod origin;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::http::Status;
use rocket::outcome::Outcome;
use rocket::request::{FromRequest, Outcome as GuardOutcome, Request};
use rocket::response::{Responder, Result as ResponseResult};
use rocket::{Ignite, Rocket, Sentinel, error};
use serde::{Serialize, Serializer};
use subtle::{Choice, ConstantTimeEq};

use crate::crypto::Random;
use crate::definition::{Definition, Tracker};
use crate::error::SessionError;
use crate::manager::Sessions;
use crate::token::{CsrfKeys, NO_CSRF_KEY, parts};
use crate::{Session, SessionData};

pub use form::{CsrfForm, CsrfFormError};
pub(crate) use origin::Origin;

/// The form field that [`CsrfForm`] reads, unless the session's table names
/// another: `csrf = { field = "…" }`.
pub const CSRF_FIELD: &str = "csrf_token";
/// The header that [`CsrfHeader`] and [`CsrfForm`] read, unless the session's
/// table names another: `csrf = { header = "…" }`.
pub const CSRF_HEADER: &str = "X-CSRF-Token";

/// Bytes of the HMAC that a token carries.
const LENGTH: usize = CsrfKeys::TAG;

/// What a session's `csrf` table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub field: Arc<str>,
    pub header: String,
    /// Origins beside the request's own host.
    pub trusted: Vec<Origin>,
}

/// The CSRF token of the request's session of type `T`: put it into forms as
/// the field [`CSRF_FIELD`], or let scripts send it as [`CSRF_HEADER`].
///
/// `Display` and `Serialize` give its text, 43 characters of base64url, in
/// another form for every guard. While keys change it may be several of these
/// with dots between them. It holds as long as the session's id, periodic
/// renewals left aside: `renew` and `login` make it worthless.
///
/// It needs a key of the server. Where the session has none (`protect = "none"`,
/// Ktor's unsigned ids), the guards refuse launch unless its table has a `secret`,
/// and [`Session::csrf_token`] is [`SessionError::Unsupported`]. Sessions that the
/// client carries in Ktor's format have no id to make it from: `Unsupported` too.
///
/// As a guard it forwards with 403 where there is no session. For a form that
/// is shown before anybody has logged in, start a session first and ask it:
/// [`Session::csrf_token`].
///
/// ```
/// use rocket::{form::FromForm, get, post, response::content::RawHtml};
/// use rocket_typed_sessions::{CsrfForm, CsrfToken, SessionData};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct User { id: String }
///
/// impl SessionData for User {
///     const NAME: &'static str = "user";
/// }
///
/// #[derive(FromForm)]
/// struct Transfer { amount: u32 }
///
/// #[get("/transfer")]
/// fn form(csrf: CsrfToken<User>) -> RawHtml<String> {
///     RawHtml(format!(
///         r#"<form method="post"><input name="amount"><input type="hidden" name="csrf_token" value="{csrf}"></form>"#
///     ))
/// }
///
/// #[post("/transfer", data = "<transfer>")]
/// fn transfer(transfer: CsrfForm<User, Transfer>) -> String {
///     format!("{} sent", transfer.amount)
/// }
/// ```
pub struct CsrfToken<T: SessionData> {
    tags: Vec<[u8; LENGTH]>,
    text: String,
    data: PhantomData<fn() -> T>,
}

/// The request does not carry its session's CSRF token. As a `Responder`: 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request does not carry its session's CSRF token")]
pub struct CsrfError;

impl<T: SessionData> CsrfToken<T> {
    pub(crate) fn new(
        keys: &CsrfKeys,
        name: &[u8; 16],
        generation: u32,
        random: &Random,
    ) -> Result<Self, SessionError> {
        let tags = keys.tags(name, generation);
        let text = keys.token(&tags, |tag| {
            let mask: [u8; LENGTH] = random.bytes()?;
            Ok(URL_SAFE_NO_PAD.encode([mask, xor(mask, *tag)].concat()))
        })?;
        Ok(Self { tags, text, data: PhantomData })
    }

    /// Whether a form or script sent this session's token; constant time.
    pub fn verify(&self, submitted: &str) -> Result<(), CsrfError> {
        let holds = |token: &str| unmask(token).is_some_and(|tag| self.has(tag));
        let good = holds(submitted) || parts(submitted).any(holds);
        if good { Ok(()) } else { Err(CsrfError) }
    }

    fn has(&self, tag: [u8; LENGTH]) -> bool {
        let any = |same: Choice, own: &[u8; LENGTH]| same | tag.ct_eq(own);
        self.tags.iter().fold(Choice::from(0), any).into()
    }
}

/// The tag in one token.
fn unmask(token: &str) -> Option<[u8; LENGTH]> {
    const CHARACTERS: usize = (2 * LENGTH * 4).div_ceil(3);
    // Anything longer is none, and need not be decoded to see that.
    let decoded = (token.len() == CHARACTERS).then(|| URL_SAFE_NO_PAD.decode(token).ok())??;
    let (mask, masked) = decoded.split_first_chunk()?;
    Some(xor(*mask, masked.try_into().ok()?))
}

fn xor(one: [u8; LENGTH], other: [u8; LENGTH]) -> [u8; LENGTH] {
    std::array::from_fn(|at| one[at] ^ other[at])
}

impl<T: SessionData> fmt::Display for CsrfToken<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<T: SessionData> fmt::Debug for CsrfToken<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfToken").field("session", &T::NAME).finish_non_exhaustive()
    }
}

impl<T: SessionData> Serialize for CsrfToken<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'r> Responder<'r, 'static> for CsrfError {
    fn respond_to(self, _: &'r Request<'_>) -> ResponseResult<'static> {
        Err(Status::Forbidden)
    }
}

/// Why a guard that wants a CSRF token did not let a request through.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CsrfGuardError {
    /// No session, no token, or another one's: 403.
    #[error(transparent)]
    Refused(#[from] CsrfError),
    /// A page of another origin sent the request: 403.
    #[error("a page of another origin sent the request")]
    CrossOrigin,
    /// The session could not be loaded: 503, or its random mask not drawn: 500.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl CsrfGuardError {
    fn status(&self) -> Status {
        match self {
            Self::Refused(_) | Self::CrossOrigin => Status::Forbidden,
            Self::Session(cause) => cause.status(),
        }
    }
}

async fn token_of<T: SessionData>(
    request: &Request<'_>,
) -> Result<Option<CsrfToken<T>>, SessionError> {
    match Session::<T>::from_request(request).await {
        Outcome::Success(session) => session.csrf_token(),
        Outcome::Error((_, cause)) => Err(cause),
        Outcome::Forward(_) => Ok(None),
    }
}

/// The rules for a request that its headers do not say another origin sent.
fn rules<T: SessionData>(request: &Request<'_>) -> Result<Arc<Rules>, CsrfGuardError> {
    let sessions = request.rocket().state::<Sessions>();
    let sessions = sessions
        .ok_or_else(|| SessionError::Undefined("the `Sessions` fairing is not attached".into()))?;
    let definition = sessions.core().definition::<T>().map_err(SessionError::Undefined)?;
    let rules = Arc::clone(&definition.csrf);
    if origin::admits(request, &rules.trusted) {
        Ok(rules)
    } else {
        Err(CsrfGuardError::CrossOrigin)
    }
}

/// Whether the request, with what its form says, carries the session's token. The
/// first that is not empty counts.
async fn check<T: SessionData>(
    request: &Request<'_>,
    rules: &Rules,
    field: Option<&str>,
) -> Result<(), CsrfGuardError> {
    let header = || request.headers().get(&rules.header).find(|value| !value.is_empty());
    let submitted = field.or_else(header).ok_or(CsrfError)?;
    let token = token_of::<T>(request).await?.ok_or(CsrfError)?;
    Ok(token.verify(submitted)?)
}

#[rocket::async_trait]
impl<'r, T: SessionData> FromRequest<'r> for CsrfToken<T> {
    type Error = SessionError;

    async fn from_request(request: &'r Request<'_>) -> GuardOutcome<Self, SessionError> {
        match token_of(request).await {
            Ok(Some(token)) => Outcome::Success(token),
            Ok(None) => Outcome::Forward(Status::Forbidden),
            Err(cause) => Outcome::Error((cause.status(), cause)),
        }
    }
}

/// A request that carries its session's CSRF token as [`CSRF_HEADER`], as
/// scripts send it. Every other request is refused with 403.
///
/// So is one whose headers say that a page of another origin sent it, whatever
/// token it carries. `GET`, `HEAD`, `OPTIONS` and `TRACE` are not looked at so.
///
/// | `Sec-Fetch-Site` | `Origin` | |
/// |---|---|---|
/// | `same-origin`, `none` | any | the token decides |
/// | anything else | in `csrf.trusted_origins` | the token decides |
/// | anything else | any other, or none | 403 |
/// | absent | the request's host, or in `csrf.trusted_origins` | the token decides |
/// | absent | any other | 403 |
/// | absent | absent | the token decides |
///
/// ```
/// use rocket::{delete, http::Status};
/// use rocket_typed_sessions::{CsrfHeader, SessionData};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct User { id: String }
///
/// impl SessionData for User {
///     const NAME: &'static str = "user";
/// }
///
/// #[delete("/account")]
/// fn delete_account(_csrf: CsrfHeader<User>) -> Status {
///     Status::NoContent
/// }
/// ```
pub struct CsrfHeader<T: SessionData>(PhantomData<fn() -> T>);

impl<T: SessionData> fmt::Debug for CsrfHeader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CsrfHeader").field(&T::NAME).finish()
    }
}

#[rocket::async_trait]
impl<'r, T: SessionData> FromRequest<'r> for CsrfHeader<T> {
    type Error = CsrfGuardError;

    async fn from_request(request: &'r Request<'_>) -> GuardOutcome<Self, CsrfGuardError> {
        let checked = match rules::<T>(request) {
            Ok(rules) => check::<T>(request, &rules, None).await,
            Err(cause) => Err(cause),
        };
        match checked {
            Ok(()) => Outcome::Success(Self(PhantomData)),
            Err(cause) => Outcome::Error((cause.status(), cause)),
        }
    }
}

/// Whether a `secret` is all that a token for these sessions lacks.
fn lacks_key(definition: &Definition) -> bool {
    let format = definition.format();
    let has_no_id = matches!(definition.tracker, Tracker::ByValue(_)) && format.writes_ktor();
    !has_no_id && format.csrf().is_err()
}

/// As for [`Session`], and where there is no key to make tokens with.
fn abort<T: SessionData>(rocket: &Rocket<Ignite>) -> bool {
    if Session::<T>::abort(rocket) {
        return true;
    }
    let sessions = rocket.state::<Sessions>();
    let definition = sessions.and_then(|sessions| sessions.core().definition::<T>().ok());
    let lacks = definition.is_some_and(|definition| lacks_key(definition));
    if lacks {
        error!("A route has a CSRF guard of `sessions.{}`: {NO_CSRF_KEY}.", T::NAME);
    }
    lacks
}

macro_rules! abort_without_key {
    ($($guard:ty, [$($bounds:tt)*];)*) => {$(
        impl<T: SessionData, $($bounds)*> Sentinel for $guard {
            /// Refuses launch as [`Session`] does, and where the session has no key
            /// to make tokens with.
            fn abort(rocket: &Rocket<Ignite>) -> bool {
                abort::<T>(rocket)
            }
        }
    )*};
}

abort_without_key! {
    CsrfToken<T>, [];
    CsrfHeader<T>, [];
    CsrfForm<T, F>, [F];
}
