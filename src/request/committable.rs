//! A session of any type, as the response fairing sees it.

use super::budget::Budgets;
use crate::commit::Holds;
use crate::definition::Definition;
use crate::error::SessionError;
use crate::storage::{OwnerKey, StorageKey};

/// One session of any type, as the response fairing sees it.
#[rocket::async_trait]
pub(crate) trait Committable: Send + Sync {
    fn definition(&self) -> &Definition;
    /// The storage could not say whether there is a session.
    fn is_unknown(&self) -> bool;
    /// What caches may keep of the response as it stands.
    fn caching(&self) -> Caching;
    /// Nothing is to be committed, and nothing to be told.
    fn is_quiet(&self, failed: bool) -> bool;
    /// After a 5xx only `clear` holds. Everything else is encoded and checked.
    fn prepare(&self, failed: bool) -> Result<(), SessionError>;
    async fn commit(&self, failed: bool, budget: &Budgets) -> Result<(), SessionError>;
    /// What the response is to say. After a failed commit only what is final.
    fn deliver(&self, succeeded: bool) -> Option<Holds>;
    /// The response says this now. It is kept, should it have to be said again.
    fn delivered(&self, holds: Holds);
    /// What the response said last.
    fn redeliver(&self) -> Option<Holds>;
    /// The response says that not everything was saved; see [`State::give_up`].
    fn give_up(&self, for_good: bool);
    /// Waits for the commit under way. No token goes out from then on.
    async fn close(&self);
    /// [`close`](Self::close), if no commit is under way and none is needed.
    fn close_if_quiet(&self, failed: bool) -> bool;
    /// No token goes out any more.
    fn is_closed(&self) -> bool;
    /// This request has ended the session from outside.
    fn ended_outside(&self, what: &Ended);
}

/// What caches may keep of a response. Of several sessions the most wary counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Caching {
    /// Nobody is known by this session: whatever the application says.
    AsItSays,
    /// It may show what the session holds: nothing in shared caches.
    Private,
    /// It carries a token or a removal, or nobody knows whose it is.
    NoStore,
}

/// Which sessions a request has ended from outside.
pub(crate) enum Ended {
    Record(StorageKey),
    OfOwner(OwnerKey),
}
