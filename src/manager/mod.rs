//! [`SessionManager`]: lists and ends the sessions of an owner.

mod info;
mod list;
mod revoke;

use std::marker::PhantomData;
use std::sync::Arc;

pub use info::SessionInfo;

use crate::application::{Application, Defined, Tracker};
use crate::by_id::ById;
use crate::data::SessionData;
use crate::deadline::too_late;
use crate::definition::Definition;
use crate::error::SessionError;
use crate::event::SessionEventKind;
use crate::request::Entries;
use crate::request::committable::Ended;
use crate::sessions::Sessions;

/// Lists and ends the sessions of type `T` of any user. [`Sessions::of`] returns it.
///
/// With client storage, sessions cannot be listed, and can be ended only if
/// `revocation` is configured. Otherwise the methods fail with
/// [`SessionError::Unsupported`]. They fail with [`SessionError::Storage`] if the
/// storage does not answer within `storage_timeout`.
///
/// A manager from the guard `&Sessions` knows the request's own sessions. If it
/// ends one of them, that session has ended for the rest of the request, and the
/// client is told to remove its token. A manager from `rocket.state::<Sessions>()`
/// knows no request.
pub struct SessionManager<'a, T> {
    application: &'a Application,
    /// The request's own sessions.
    here: Option<&'a Entries>,
    data: PhantomData<fn() -> T>,
}

impl Sessions {
    /// Returns the manager of the sessions of type `T`.
    ///
    /// ```
    /// use rocket::{http::Status, post};
    /// use rocket_typed_sessions::{Session, SessionData, SessionError, Sessions};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Clone, Serialize, Deserialize)]
    /// struct User { id: String }
    ///
    /// impl SessionData for User {
    ///     const NAME: &'static str = "user";
    ///
    ///     fn owner(&self) -> Option<std::borrow::Cow<'_, str>> {
    ///         Some(self.id.as_str().into())
    ///     }
    /// }
    ///
    /// #[post("/log-out-everywhere-else")]
    /// async fn elsewhere(session: Session<User>, sessions: &Sessions) -> Result<Status, SessionError> {
    ///     sessions.of::<User>().revoke_others(&session).await?;
    ///     Ok(Status::NoContent)
    /// }
    /// ```
    pub fn of<T: SessionData>(&self) -> SessionManager<'_, T> {
        SessionManager { application: self.application(), here: self.here(), data: PhantomData }
    }
}

impl<T: SessionData> SessionManager<'_, T> {
    fn on_server(&self) -> Result<(&Definition, &ById), SessionError> {
        let definition = self.definition()?;
        match &definition.tracker {
            Tracker::ById(tracker) => Ok((definition, tracker)),
            Tracker::ByValue(_) => Err(SessionError::Unsupported(
                "sessions on the client can be neither listed nor ended one by one".into(),
            )),
        }
    }

    fn definition(&self) -> Result<&Arc<Defined>, SessionError> {
        self.application.definition::<T>().map_err(SessionError::Undefined)
    }

    /// Reports a revocation, and ends the request's own sessions that are among the revoked.
    fn revoked(&self, definition: &Definition, what: &Ended) {
        self.application.core.emit(SessionEventKind::Revoked, definition);
        let name = &definition.namespace.session;
        let here = self.here.into_iter().flat_map(Entries::all);
        for entry in here.filter(|entry| entry.definition().namespace.session == *name) {
            entry.ended_outside(what);
        }
    }

    async fn within<R>(
        &self,
        definition: &Definition,
        work: impl Future<Output = Result<R, SessionError>>,
    ) -> Result<R, SessionError> {
        // What this request ends, it must not use any more.
        self.here.into_iter().for_each(Entries::forget_prefetched);
        let done = tokio::time::timeout(definition.storage_timeout, work).await;
        done.unwrap_or_else(|_| Err(too_late()))
    }
}
