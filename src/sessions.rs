//! [`Sessions`]: the entry point, and the managed state that the guards use.

use std::fmt;
use std::sync::Arc;

use rocket::outcome::Outcome;
use rocket::request::{FromRequest, Outcome as GuardOutcome};
use rocket::{Ignite, Request, Rocket, Sentinel, error};

use crate::application::Application;
use crate::request::{Entries, RequestSessions};

/// The entry point: [`Sessions::fairing`] attaches sessions to Rocket, and the
/// request guard `&Sessions` lists and ends the sessions of users.
///
/// A route takes `&Sessions` and calls [`Sessions::of`]. Outside of a request, the
/// same value is managed state: `rocket.state::<Sessions>()`.
#[derive(Clone)]
pub struct Sessions {
    application: Arc<Application>,
    /// The sessions of the request whose guard this is.
    here: Option<Arc<Entries>>,
}

impl Sessions {
    pub(crate) fn new(application: Arc<Application>) -> Self {
        Self { application, here: None }
    }

    pub(crate) fn application(&self) -> &Arc<Application> {
        &self.application
    }

    /// The sessions of the request whose guard this is.
    pub(crate) fn here(&self) -> Option<&Entries> {
        self.here.as_deref()
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.application.definitions.keys()).finish()
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for &'r Sessions {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> GuardOutcome<Self, ()> {
        let Some(sessions) = request.rocket().state::<Sessions>() else {
            error!("`&Sessions`: the fairing is not attached.");
            return Outcome::Error((rocket::http::Status::InternalServerError, ()));
        };
        Outcome::Success(request.local_cache(|| Sessions {
            application: Arc::clone(&sessions.application),
            here: Some(Arc::clone(&RequestSessions::get(request).entries)),
        }))
    }
}

impl Sentinel for &Sessions {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        let missing = rocket.state::<Sessions>().is_none();
        if missing {
            error!(
                "A route takes `&Sessions`, but the fairing is not attached. Write `.attach(Sessions::fairing())`."
            );
        }
        missing
    }
}
