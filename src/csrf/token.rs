//! [`CsrfToken`]: made for a page, verified when it comes back.

use std::fmt;
use std::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::http::Status;
use rocket::outcome::Outcome;
use rocket::request::{FromRequest, Outcome as GuardOutcome, Request};
use rocket::response::{Responder, Result as ResponseResult};
use serde::{Serialize, Serializer};
use subtle::{Choice, ConstantTimeEq};

use crate::application::Tracker;
use crate::crypto::Random;
use crate::data::SessionData;
use crate::error::SessionError;
use crate::session::Session;
use crate::token::{CsrfKeys, parts};

/// Bytes of the HMAC that a token carries.
const LENGTH: usize = CsrfKeys::TAG;

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
/// use rocket_typed_sessions::csrf::{CsrfForm, CsrfToken};
/// use rocket_typed_sessions::SessionData;
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
    fn new(
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

impl<T: SessionData> Session<T> {
    /// The session's CSRF token, for a form; `None` without a session. See
    /// [`CsrfToken`]. A session that this request starts, as a login page does
    /// for its form, has one too.
    ///
    /// [`SessionError::Unsupported`] where the session has no key to make it with;
    /// its text says what to write.
    pub fn csrf_token(&self) -> Result<Option<CsrfToken<T>>, SessionError> {
        let entry = self.entry();
        let format = entry.definition.format();
        if format.writes_ktor() && matches!(entry.definition.tracker, Tracker::ByValue(_)) {
            let why = "Ktor's format has no id of a session that a CSRF token could hang on";
            return Err(SessionError::Unsupported(why));
        }
        let keys = format.csrf()?;
        let Some((name, generation)) = entry.csrf_name()? else { return Ok(None) };
        CsrfToken::new(keys, &name, generation, &entry.core().random).map(Some)
    }
}

/// The token of the request's session.
pub(super) async fn token_of<T: SessionData>(
    request: &Request<'_>,
) -> Result<Option<CsrfToken<T>>, SessionError> {
    match Session::<T>::from_request(request).await {
        Outcome::Success(session) => session.csrf_token(),
        Outcome::Error((_, cause)) => Err(cause),
        Outcome::Forward(_) => Ok(None),
    }
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
