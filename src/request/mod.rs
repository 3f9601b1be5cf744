//! What one request holds of its sessions, and what becomes of it.
//!
//! | file | what it does |
//! |---|---|
//! | `load` | finds the session that the request presents, at its first use |
//! | `entry` | is what every guard of one session type shares |
//! | `calls`, `pending` | what the application asks for |
//! | `outlook` | answers before the commit what it will do: `id`, `expires_at` and the like |
//! | `save` | saves and reads while the request goes on |
//! | `state` | holds all of this under one lock |
//! | `ended`, `unsettled` | hold what it knows of a session that is over, and of a write without an answer |
//! | `plan` | decides what a commit does: one pure function and its table |
//! | `work` | brings the changes of a type `T` into a commit, and its outcome back |
//! | `commit` | carries the plan out, by value ([`crate::by_value`]) or by id ([`crate::by_id`]) |
//! | `delivery` | what the client is to hold in the end |
//! | `replay` | changes that are applied again |
//! | `tracked` | a session as it was found, by value or by id |
//! | `hooks`, `minting` | where the test helpers of applications reach in |

mod calls;
pub(crate) mod commit;
pub(crate) mod delivery;
mod ended;
pub(crate) mod entry;
pub(crate) mod hooks;
pub(crate) mod load;
#[cfg(feature = "testing")]
pub(crate) mod minting;
mod outlook;
mod pending;
pub(crate) mod plan;
mod replay;
mod save;
pub(crate) mod state;
#[cfg(test)]
mod tests;
pub(crate) mod tracked;
mod unsettled;
mod work;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use entry::{Committable, Entry};
use parking_lot::{Mutex, MutexGuard};
use rocket::Request;
use tokio::sync::OnceCell;

use crate::application::Application;
use crate::data::SessionData;
use crate::error::SessionError;

/// The sessions of one request.
#[derive(Default)]
pub(crate) struct RequestSessions {
    pub entries: Arc<Entries>,
    shared: Shared,
    /// Set while the response fairings must look for this request's sessions.
    awaited: Mutex<Option<Arc<Application>>>,
    /// A guard has failed because a storage could not answer.
    unanswered: AtomicBool,
}

/// The sessions of one request, in the order of their first use.
#[derive(Default)]
pub(crate) struct Entries {
    list: Mutex<Vec<Arc<dyn Committable>>>,
    /// How many of them a response fairing has seen.
    seen: AtomicUsize,
}

/// What the entries of one request share.
#[derive(Default)]
pub(crate) struct Shared {
    /// The response is on its way: no token can reach the client any more.
    sent: AtomicBool,
    /// Time spent in loading. Sessions with one and the same timeout share it.
    loading: Budgets,
}

/// Time spent so far, for each timeout. Most requests have one.
#[derive(Default)]
pub(crate) struct Budgets(Mutex<(Option<Spent>, Vec<Spent>)>);

struct Spent {
    of: Duration,
    time: Duration,
}

impl Budgets {
    /// What is left of a timeout.
    pub fn left(&self, timeout: Duration) -> Duration {
        let (first, more) = &*self.0.lock();
        let spent = first.iter().chain(more).find(|spent| spent.of == timeout);
        timeout.saturating_sub(spent.map_or(Duration::ZERO, |spent| spent.time))
    }

    pub fn spend(&self, timeout: Duration, time: Duration) {
        let (first, more) = &mut *self.0.lock();
        let first = first.get_or_insert(Spent { of: timeout, time: Duration::ZERO });
        match std::iter::once(first).chain(&mut *more).find(|spent| spent.of == timeout) {
            Some(spent) => spent.time += time,
            None => more.push(Spent { of: timeout, time }),
        }
    }
}

impl RequestSessions {
    pub fn of<'r>(request: &'r Request<'_>) -> &'r Self {
        request.local_cache(Self::default)
    }

    fn add(&self, application: &Arc<Application>, entry: Arc<dyn Committable>) {
        self.entries.list.lock().push(entry);
        let mut awaited = self.awaited.lock();
        if awaited.is_none() {
            application.awaited.fetch_add(1, Ordering::SeqCst);
            *awaited = Some(Arc::clone(application));
        }
    }

    /// A guard fails because a storage could not answer. Whoever swallows that must
    /// not take the client for nobody.
    pub fn guard_failed(&self) {
        self.unanswered.store(true, Ordering::SeqCst);
    }

    /// Whether a guard has failed because a storage could not answer.
    pub fn is_unanswered(&self) -> bool {
        self.unanswered.load(Ordering::SeqCst)
    }

    /// The response is on its way. What is under way still reaches it.
    pub async fn close(&self) {
        self.shared.sent.store(true, Ordering::SeqCst);
        for entry in self.entries.all() {
            entry.close().await;
        }
        self.not_awaited();
    }

    /// [`close`](Self::close), if no commit is under way and every entry is one
    /// that a response fairing has seen, with nothing more to do.
    pub fn close_if_quiet(&self, failed: bool) -> bool {
        let list = self.entries.list.lock();
        let seen = list.len() == self.entries.seen.load(Ordering::SeqCst);
        if !seen || !list.iter().all(|entry| entry.is_quiet(failed)) {
            return false;
        }
        let closed = list.iter().all(|entry| entry.close_if_quiet(failed));
        drop(list);
        if closed {
            self.shared.sent.store(true, Ordering::SeqCst);
            self.not_awaited();
        }
        closed
    }

    fn not_awaited(&self) {
        if let Some(application) = self.awaited.lock().take() {
            application.awaited.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for RequestSessions {
    fn drop(&mut self) {
        self.not_awaited();
    }
}

impl Entries {
    pub fn all(&self) -> impl Iterator<Item = Arc<dyn Committable>> {
        (0..).map_while(|at| self.list.lock().get(at).cloned())
    }

    pub fn lock(&self) -> MutexGuard<'_, Vec<Arc<dyn Committable>>> {
        self.list.lock()
    }

    /// A response fairing has seen those that are there.
    pub fn mark_seen(&self) {
        self.seen.store(self.list.lock().len(), Ordering::SeqCst);
    }
}

/// The slot of one session type in the request's cache. Rocket's own async
/// cache would load twice under `join!`.
struct Slot<T: SessionData>(OnceCell<Result<Arc<Entry<T>>, SessionError>>);

/// The session of type `T` in this request; every caller shares one load, a
/// failed one included.
pub(crate) async fn session_of<T: SessionData>(
    request: &Request<'_>,
) -> Result<Arc<Entry<T>>, SessionError> {
    let slot = request.local_cache(|| Slot::<T>(OnceCell::new()));
    slot.0.get_or_init(|| load_entry(request)).await.clone()
}

async fn load_entry<T: SessionData>(request: &Request<'_>) -> Result<Arc<Entry<T>>, SessionError> {
    let Some(application) = request.rocket().state::<Arc<Application>>() else {
        return Err(SessionError::Undefined("the `Sessions` fairing is not attached".into()));
    };
    let definition = application.definition::<T>().map_err(SessionError::Undefined)?;
    let all = RequestSessions::of(request);
    let (entry, failure) = Entry::load(request, application, definition, &all.shared).await;
    let entry = Arc::new(entry);
    // A session that could not be loaded still makes the response private.
    all.add(application, Arc::clone(&entry) as Arc<dyn Committable>);
    failure.map_or(Ok(entry), Err)
}
