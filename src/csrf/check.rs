//! The checks that [`CsrfForm`](super::CsrfForm) and [`CsrfHeader`](super::CsrfHeader) share.

use std::sync::Arc;

use rocket::http::Status;
use rocket::request::Request;

use super::origin;
use super::token::{CsrfError, load_token};
use crate::config::CsrfSettings;
use crate::data::SessionData;
use crate::error::SessionError;
use crate::sessions::Sessions;

/// Why a CSRF guard refused a request.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CsrfGuardError {
    /// The request has no session, no token, or the token of another session: 403.
    #[error(transparent)]
    Refused(#[from] CsrfError),
    /// A page of another origin sent the request: 403.
    #[error("a page of another origin sent the request")]
    CrossOrigin,
    /// The session could not be loaded, 503, or no random mask could be drawn, 500.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl CsrfGuardError {
    pub(super) fn status(&self) -> Status {
        match self {
            Self::Refused(_) | Self::CrossOrigin => Status::Forbidden,
            Self::Session(cause) => cause.status(),
        }
    }
}

/// Returns the session's CSRF configuration. Refuses a request from another origin.
pub(super) fn rules<T: SessionData>(
    request: &Request<'_>,
) -> Result<Arc<CsrfSettings>, CsrfGuardError> {
    let sessions = request.rocket().state::<Sessions>();
    let sessions = sessions
        .ok_or_else(|| SessionError::Undefined("the `Sessions` fairing is not attached".into()))?;
    let definition = sessions.application().definition::<T>().map_err(SessionError::Undefined)?;
    let rules = Arc::clone(&definition.csrf);
    if origin::admits(request, &rules.trusted) {
        Ok(rules)
    } else {
        Err(CsrfGuardError::CrossOrigin)
    }
}

/// Verifies the session's token: the form's `field`, or else the first header that is not
/// empty.
pub(super) async fn check<T: SessionData>(
    request: &Request<'_>,
    rules: &CsrfSettings,
    field: Option<&str>,
) -> Result<(), CsrfGuardError> {
    let header = || request.headers().get(&rules.header).find(|value| !value.is_empty());
    let submitted = field.or_else(header).ok_or(CsrfError)?;
    let token = load_token::<T>(request).await?.ok_or(CsrfError)?;
    Ok(token.verify(submitted)?)
}
