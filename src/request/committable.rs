//! [`Committable`]: the view of a session that the response fairing has.

use std::any::Any;

use rocket::Request;

use super::budget::Budgets;
use crate::application::Application;
use crate::commit::Holds;
use crate::definition::Definition;
use crate::error::SessionError;
use crate::storage::{OwnerKey, StorageKey};

/// One session of any type, as the response fairing sees it.
#[rocket::async_trait]
pub(crate) trait Committable: Any + Send + Sync {
    fn definition(&self) -> &Definition;
    /// Whether the storage did not answer at the load.
    fn is_unknown(&self) -> bool;
    /// Asks the application for the id of a session that may begin, if it makes ids itself.
    fn ask_identity(&self, request: &Request<'_>);
    /// Whether the request presented no session and began one otherwise than by a login.
    fn begins_without_login(&self) -> bool;
    /// The application whose fairings look for the session.
    fn application(&self) -> &Application;
    /// What caches may keep of the response, as far as this session decides it.
    fn caching(&self) -> Caching;
    /// Whether the application asked for something that is not committed or not sent.
    fn is_asked(&self) -> bool;
    /// Returns what caches may keep of the response, if there is nothing to commit and nothing to
    /// send.
    fn if_quiet(&self, failed: bool) -> Option<Caching>;
    /// Encodes and checks the value before any session is written. After a 5xx (`failed`)
    /// it drops all changes but a `clear` instead.
    fn prepare(&self, failed: bool) -> Result<(), SessionError>;
    async fn commit(&self, failed: bool, budget: &Budgets) -> Result<(), SessionError>;
    /// Returns the token or removal to send. After a failed save it returns only what does
    /// not depend on the request's other sessions.
    fn deliver(&self, succeeded: bool) -> Option<Holds>;
    /// Records what the response carries, for [`redeliver`](Self::redeliver).
    fn delivered(&self, holds: Holds);
    /// Returns what the response carried, to put it on another response.
    fn redeliver(&self) -> Option<Holds>;
    /// Drops the changes, because not every session was saved; see [`State::give_up`].
    fn give_up(&self, for_good: bool);
    /// Waits for a commit in progress. No token is sent from then on.
    async fn close(&self);
    /// Does what [`close`](Self::close) does. The caller knows that no commit is in progress.
    fn close_at_once(&self);
    /// Whether no token can be sent any more.
    fn is_closed(&self) -> bool;
    /// Records that this request has revoked sessions, perhaps this one.
    fn ended_outside(&self, what: &Ended);
}

/// What caches may keep of a response. Of several sessions the strictest counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Caching {
    /// There is no session, so the application decides.
    #[default]
    AsItSays,
    /// The response may show data of the session. Shared caches must not keep it.
    Private,
    /// The response carries a token or a removal, or the session is unknown. No cache may
    /// keep it.
    NoStore,
}

/// Which sessions a request has revoked through its manager.
pub(crate) enum Ended {
    Record(StorageKey),
    OfOwner(OwnerKey),
}
