//! Refuses launch if a route has a CSRF guard and its session has no key for tokens.

use rocket::{Ignite, Rocket, Sentinel, error};

use super::{CsrfForm, CsrfHeader, CsrfToken};
use crate::application::{Defined, Tracker};
use crate::data::SessionData;
use crate::session::Session;
use crate::sessions::Sessions;
use crate::token::NO_CSRF_KEY;

/// Whether the sessions could have CSRF tokens, and only a `secret` is missing.
fn lacks_key(definition: &Defined) -> bool {
    let tokens = definition.tokens();
    let has_no_id = matches!(definition.tracker, Tracker::ByValue(_)) && tokens.writes_ktor();
    !has_no_id && tokens.csrf().is_err()
}

/// Refuses launch as [`Session`] does, and if only a key for tokens is missing.
fn abort<T: SessionData>(rocket: &Rocket<Ignite>) -> bool {
    if Session::<T>::abort(rocket) {
        return true;
    }
    let sessions = rocket.state::<Sessions>();
    let definition = sessions.and_then(|sessions| sessions.application().definition::<T>().ok());
    let lacks = definition.is_some_and(|definition| lacks_key(definition));
    if lacks {
        error!("A route has a CSRF guard for `sessions.{}`: {NO_CSRF_KEY}.", T::NAME);
    }
    lacks
}

macro_rules! abort_without_key {
    ($($guard:ty, [$($bounds:tt)*];)*) => {$(
        impl<T: SessionData, $($bounds)*> Sentinel for $guard {
            /// Refuses launch as [`Session`] does, and if the session has no key to
            /// make tokens with.
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
