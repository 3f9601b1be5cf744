//! [`Sessions`]: the managed state behind the guards.

use std::fmt;
use std::sync::Arc;

use rocket::outcome::Outcome;
use rocket::request::{FromRequest, Outcome as GuardOutcome};
use rocket::{Ignite, Request, Rocket, Sentinel, error};

use crate::definition::Core;
use crate::fairing::SessionsFairing;

/// The application's sessions: managed state and a request guard.
///
/// [`Sessions::fairing`] is what an application attaches.
#[derive(Clone)]
pub struct Sessions(Arc<Core>);

impl Sessions {
    /// The fairing that reads the definitions from Rocket.toml and the
    /// environment and commits every request's changes.
    ///
    /// ```
    /// use rocket_typed_sessions::Sessions;
    ///
    /// let rocket = rocket::build().attach(Sessions::fairing());
    /// ```
    pub fn fairing() -> SessionsFairing {
        SessionsFairing::default()
    }

    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self(core)
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.0
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.definitions.keys()).finish()
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for &'r Sessions {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> GuardOutcome<Self, ()> {
        request.rocket().state::<Sessions>().map_or_else(
            || {
                error!("`&Sessions`: the fairing is not attached.");
                Outcome::Error((rocket::http::Status::InternalServerError, ()))
            },
            Outcome::Success,
        )
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
