//! Tokens against cross-site request forgery, tied to a session.
//!
//! The token is an HMAC under a part of the session's id that is kept nowhere
//! but with the client, so nothing is stored for it. It changes with the id,
//! but for periodic renewals, which would break forms that stand open. Every
//! page shows it under another mask, so that a compressed page gives nothing
//! away (BREACH).

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rocket::data::{Data, FromData, Outcome as DataOutcome};
use rocket::form::{DataField, Errors, Form, FromForm, Options, ValueField};
use rocket::http::Status;
use rocket::outcome::Outcome;
use rocket::request::{FromRequest, Outcome as GuardOutcome, Request};
use rocket::response::{Responder, Result as ResponseResult};
use rocket::{Ignite, Rocket, Sentinel};
use serde::{Serialize, Serializer};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::crypto::Random;
use crate::error::SessionError;
use crate::{Session, SessionData};

/// The form field that [`CsrfForm`] reads.
pub const CSRF_FIELD: &str = "csrf_token";
/// The header that [`CsrfHeader`] and [`CsrfForm`] read.
pub const CSRF_HEADER: &str = "X-CSRF-Token";

/// Bytes of the HMAC that a token carries.
const LENGTH: usize = 16;

/// The CSRF token of the request's session of type `T`: put it into forms as
/// the field [`CSRF_FIELD`], or let scripts send it as [`CSRF_HEADER`].
///
/// `Display` and `Serialize` give its text, 43 characters of base64url, in
/// another form for every guard. It holds as long as the session's id, periodic
/// renewals left aside: `renew` and `login` make it worthless.
///
/// Sessions that the client carries in Ktor's format have no secret to derive it
/// from: [`SessionError::Unsupported`].
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
    expected: [u8; LENGTH],
    text: String,
    data: PhantomData<fn() -> T>,
}

/// The request does not carry its session's CSRF token. As a `Responder`: 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request does not carry its session's CSRF token")]
pub struct CsrfError;

impl<T: SessionData> CsrfToken<T> {
    pub(crate) fn new(
        secret: &[u8; 16],
        rotations: u32,
        random: &Random,
    ) -> Result<Self, SessionError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| SessionError::Random)?;
        mac.update(b"rsess1/csrf/");
        mac.update(&rotations.to_be_bytes());
        mac.update(T::NAME.as_bytes());
        let mut expected = [0; LENGTH];
        expected.copy_from_slice(&mac.finalize().into_bytes()[..LENGTH]);
        let mask: [u8; LENGTH] = random.bytes()?;
        let text = URL_SAFE_NO_PAD.encode([mask, xor(mask, expected)].concat());
        Ok(Self { expected, text, data: PhantomData })
    }

    /// Whether a form or script sent this session's token; constant time.
    pub fn verify(&self, submitted: &str) -> Result<(), CsrfError> {
        // Anything longer is none, and need not be decoded to see that.
        let decoded = (submitted.len() == self.text.len())
            .then(|| URL_SAFE_NO_PAD.decode(submitted).ok())
            .flatten()
            .ok_or(CsrfError)?;
        let (mask, masked) = decoded.split_first_chunk().ok_or(CsrfError)?;
        let masked: &[u8; LENGTH] = masked.try_into().map_err(|_| CsrfError)?;
        let same: bool = xor(*mask, *masked).ct_eq(&self.expected).into();
        if same { Ok(()) } else { Err(CsrfError) }
    }
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
    /// The session could not be loaded: 503, or its random mask not drawn: 500.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl CsrfGuardError {
    fn status(&self) -> Status {
        match self {
            Self::Refused(_) => Status::Forbidden,
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

/// Whether the request, with what its form says, carries the session's token.
async fn check<T: SessionData>(
    request: &Request<'_>,
    field: Option<&str>,
) -> Result<(), CsrfGuardError> {
    let submitted = field.or_else(|| request.headers().get_one(CSRF_HEADER)).ok_or(CsrfError)?;
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
        match check::<T>(request, None).await {
            Ok(()) => Outcome::Success(Self(PhantomData)),
            Err(cause) => Outcome::Error((cause.status(), cause)),
        }
    }
}

/// A form that carries its session's CSRF token in the field [`CSRF_FIELD`], or
/// else as [`CSRF_HEADER`]; derefs to `F`. Every other request is refused with
/// 403. `F` itself never sees the field, so that it may be
/// [`Strict`](rocket::form::Strict).
///
/// | | outcome |
/// |---|---|
/// | the session's token | as [`Form`] |
/// | no token, another's, no session | error, 403 |
/// | the storage cannot answer | error, 503 |
pub struct CsrfForm<T: SessionData, F> {
    form: F,
    data: PhantomData<fn() -> T>,
}

impl<T: SessionData, F> CsrfForm<T, F> {
    /// The form.
    pub fn into_inner(self) -> F {
        self.form
    }
}

impl<T: SessionData, F> Deref for CsrfForm<T, F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.form
    }
}

impl<T: SessionData, F: fmt::Debug> fmt::Debug for CsrfForm<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.form.fmt(f)
    }
}

/// Why a [`CsrfForm`] was not read.
#[derive(Debug)]
#[non_exhaustive]
pub enum CsrfFormError<'r> {
    /// The token, or the session that it belongs to.
    Token(CsrfGuardError),
    /// The form, as [`Form`] says.
    Form(Errors<'r>),
}

#[rocket::async_trait]
impl<'r, T: SessionData, F: FromForm<'r>> FromData<'r> for CsrfForm<T, F> {
    type Error = CsrfFormError<'r>;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> DataOutcome<'r, Self> {
        match Form::<WithToken<'r, F>>::from_data(request, data).await {
            Outcome::Success(form) => {
                let WithToken { token, form } = form.into_inner();
                if let Err(cause) = check::<T>(request, token).await {
                    return Outcome::Error((cause.status(), CsrfFormError::Token(cause)));
                }
                match form {
                    Ok(form) => Outcome::Success(Self { form, data: PhantomData }),
                    Err(errors) => Outcome::Error((errors.status(), CsrfFormError::Form(errors))),
                }
            }
            Outcome::Error((status, errors)) => {
                Outcome::Error((status, CsrfFormError::Form(errors)))
            }
            Outcome::Forward(forward) => Outcome::Forward(forward),
        }
    }
}

/// A form and the token beside it. The form's own errors wait until the token
/// has been judged.
struct WithToken<'r, F> {
    token: Option<&'r str>,
    form: Result<F, Errors<'r>>,
}

struct Context<'r, F: FromForm<'r>> {
    token: Option<&'r str>,
    form: F::Context,
}

#[rocket::async_trait]
impl<'r, F: FromForm<'r>> FromForm<'r> for WithToken<'r, F> {
    type Context = Context<'r, F>;

    fn init(options: Options) -> Self::Context {
        Context { token: None, form: F::init(options) }
    }

    fn push_value(context: &mut Self::Context, field: ValueField<'r>) {
        if field.name == CSRF_FIELD {
            context.token = Some(field.value);
        } else {
            F::push_value(&mut context.form, field);
        }
    }

    async fn push_data(context: &mut Self::Context, field: DataField<'r, '_>) {
        F::push_data(&mut context.form, field).await;
    }

    fn push_error(context: &mut Self::Context, error: rocket::form::Error<'r>) {
        F::push_error(&mut context.form, error);
    }

    fn finalize(context: Self::Context) -> Result<Self, Errors<'r>> {
        Ok(Self { token: context.token, form: F::finalize(context.form) })
    }
}

macro_rules! abort_as_session {
    ($($guard:ty, [$($bounds:tt)*];)*) => {$(
        impl<T: SessionData, $($bounds)*> Sentinel for $guard {
            /// As for [`Session`].
            fn abort(rocket: &Rocket<Ignite>) -> bool {
                Session::<T>::abort(rocket)
            }
        }
    )*};
}

abort_as_session! {
    CsrfToken<T>, [];
    CsrfHeader<T>, [];
    CsrfForm<T, F>, [F];
}
