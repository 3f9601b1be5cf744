//! [`CsrfHeader`]: the request of a script with its session's CSRF token.

use std::fmt;
use std::marker::PhantomData;

use rocket::outcome::Outcome;
use rocket::request::{FromRequest, Outcome as GuardOutcome, Request};

use super::check::{CsrfGuardError, check, rules};
use crate::data::SessionData;

/// A request guard for the requests of scripts: it requires the session's CSRF
/// token in the header [`CSRF_HEADER`](super::CSRF_HEADER), and answers 403 without
/// it.
///
/// It also refuses a request if the browser's headers say that a page of another
/// origin sent it, even with a valid token. This check does not apply to `GET`,
/// `HEAD`, `OPTIONS` and `TRACE`.
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
/// use rocket_typed_sessions::csrf::CsrfHeader;
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
