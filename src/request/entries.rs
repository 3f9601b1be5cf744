//! The sessions of one request, each loaded once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::budget::Shared;
use super::committable::Committable;
use super::entry::Entry;
use parking_lot::{Mutex, MutexGuard};
use rocket::Request;
use tokio::sync::OnceCell;

use crate::application::Application;
use crate::awaited::Mark;
use crate::data::SessionData;
use crate::error::SessionError;

/// The sessions of one request.
#[derive(Default)]
pub(crate) struct RequestSessions {
    pub entries: Arc<Entries>,
    shared: Shared,
    /// Set while the response fairings must look for the sessions of this request.
    awaited: Mutex<Option<(Arc<Application>, Mark)>>,
    /// A guard has failed because the storage did not answer.
    unanswered: AtomicBool,
}

/// The sessions of one request, in the order of their first use.
#[derive(Default)]
pub(crate) struct Entries {
    list: Mutex<Vec<Arc<dyn Committable>>>,
    /// How many entries of the list a response fairing has seen.
    seen: AtomicUsize,
}

impl RequestSessions {
    pub fn get<'r>(request: &'r Request<'_>) -> &'r Self {
        request.local_cache(Self::default)
    }

    fn add(
        &self,
        request: &Request<'_>,
        application: &Arc<Application>,
        entry: Arc<dyn Committable>,
    ) {
        self.entries.list.lock().push(entry);
        let mut awaited = self.awaited.lock();
        if awaited.is_none() {
            *awaited = Some((Arc::clone(application), application.awaited.mark(request)));
        }
    }

    /// Records that a guard has failed because the storage did not answer. If the handler
    /// ignores the error, its response must not take the client for a visitor without a session.
    pub fn guard_failed(&self) {
        self.unanswered.store(true, Ordering::SeqCst);
    }

    /// Whether a guard has failed because the storage did not answer.
    pub fn is_unanswered(&self) -> bool {
        self.unanswered.load(Ordering::SeqCst)
    }

    /// Closes the sessions for tokens, because the response goes out. A commit in progress
    /// can still add its token.
    pub async fn close(&self) {
        self.shared.sent.store(true, Ordering::SeqCst);
        for entry in self.entries.all() {
            entry.close().await;
        }
        self.not_awaited();
    }

    /// Does what [`close`](Self::close) does without waiting, if a response fairing has seen
    /// every entry and none has anything left to do. Returns whether it did.
    pub fn close_if_quiet(&self, failed: bool) -> bool {
        let list = self.entries.list.lock();
        let seen = list.len() == self.entries.seen.load(Ordering::SeqCst);
        // None is closed unless all can be.
        let several = list.len() > 1;
        if !seen || several && !list.iter().all(|entry| entry.is_quiet(failed)) {
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
        if let Some((application, mark)) = self.awaited.lock().take() {
            application.awaited.unmark(mark);
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

    /// Records that a response fairing has seen every present entry.
    pub fn mark_seen(&self) {
        self.seen.store(self.list.lock().len(), Ordering::SeqCst);
    }
}

/// The slot of one session type in the request's cache. Rocket's own async cache
/// would load the session twice if two guards ran under `join!`.
struct CacheSlot<T: SessionData>(OnceCell<Result<Arc<Entry<T>>, SessionError>>);

/// Returns the session of type `T` in this request. All callers share one load, even if
/// it fails.
pub(crate) async fn request_session<T: SessionData>(
    request: &Request<'_>,
) -> Result<Arc<Entry<T>>, SessionError> {
    let slot = request.local_cache(|| CacheSlot::<T>(OnceCell::new()));
    slot.0.get_or_init(|| load_entry(request)).await.clone()
}

async fn load_entry<T: SessionData>(request: &Request<'_>) -> Result<Arc<Entry<T>>, SessionError> {
    let Some(application) = request.rocket().state::<Arc<Application>>() else {
        return Err(SessionError::Undefined("the `Sessions` fairing is not attached".into()));
    };
    let definition = application.definition::<T>().map_err(SessionError::Undefined)?;
    let all = RequestSessions::get(request);
    let (entry, failure) = Entry::load(request, application, definition, &all.shared).await;
    let entry = Arc::new(entry);
    // A session that could not be loaded still makes the response private.
    all.add(request, application, Arc::clone(&entry) as Arc<dyn Committable>);
    failure.map_or(Ok(entry), Err)
}
