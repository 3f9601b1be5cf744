//! [`Session`] as a request guard.

use std::any::type_name;
use std::sync::Arc;

use rocket::http::Status;
use rocket::outcome::Outcome;
use rocket::request::{FromRequest, Outcome as GuardOutcome, Request};
use rocket::{Ignite, Rocket, Sentinel, error};

use super::Session;
use crate::application::Application;
use crate::data::SessionData;
use crate::error::SessionError;
use crate::request::{RequestSessions, request_session};

#[rocket::async_trait]
impl<'r, T: SessionData> FromRequest<'r> for Session<T> {
    type Error = SessionError;

    async fn from_request(request: &'r Request<'_>) -> GuardOutcome<Self, SessionError> {
        match request_session::<T>(request).await {
            Ok(entry) => Outcome::Success(Self { entry }),
            Err(cause) => {
                if cause.is_unavailable() {
                    RequestSessions::get(request).guard_failed();
                }
                Outcome::Error(failed(cause))
            }
        }
    }
}

/// The error of a guard whose session could not be loaded. A missing definition is logged.
pub(crate) fn failed(cause: SessionError) -> (Status, SessionError) {
    if let SessionError::Undefined(problem) = &cause {
        error!("{problem}");
    }
    (cause.status(), cause)
}

impl<T: SessionData> Sentinel for Session<T> {
    /// Refuses launch if the fairing is not attached, `T` is not configured, or two
    /// types share one name.
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        let Some(application) = rocket.state::<Arc<Application>>() else {
            error!(
                "A route takes `Session<{}>`, but the fairing is not attached. Write `.attach(Sessions::fairing())`.",
                type_name::<T>()
            );
            return true;
        };
        application
            .definition::<T>()
            .inspect_err(|message| application.report.error(message))
            .is_err()
    }
}
