//! The sessions of one request, each loaded once.

use std::any::{Any, TypeId};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::budget::Shared;
use super::committable::{Caching, Committable};
use super::entry::Entry;
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use rocket::Request;
use smallvec::SmallVec;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::application::Application;
use crate::awaited::Mark;
use crate::data::SessionData;
use crate::error::SessionError;

/// The sessions of one request.
#[derive(Default)]
pub(crate) struct RequestSessions {
    pub entries: Arc<Entries>,
    /// A guard has failed because the storage did not answer.
    unanswered: AtomicBool,
    /// Wakes the guards that wait for another guard's load.
    loaded: Notify,
}

/// The sessions of one request, in the order of their first use.
#[derive(Default)]
pub(crate) struct Entries {
    list: Mutex<List>,
    shared: Shared,
}

#[derive(Default)]
struct List {
    entries: SmallVec<[Arc<dyn Committable>; 1]>,
    /// The session types that guards are loading.
    loading: SmallVec<[TypeId; 1]>,
    /// A guard has waited for another guard's load.
    are_awaited: bool,
    /// Set while the response fairings must look for the sessions of this request.
    awaited: Option<Mark>,
}

impl RequestSessions {
    pub fn get<'r>(request: &'r Request<'_>) -> &'r Self {
        request.local_cache(Self::default)
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
        self.entries.shared.sent.store(true, Ordering::SeqCst);
        for entry in self.entries.all() {
            entry.close().await;
        }
        self.entries.list.lock().unmark();
    }

    /// Does what [`close`](Self::close) does without waiting, if nobody holds a session any more
    /// and none has anything left to do. Returns the sessions if it did, and what caches may keep.
    pub fn close_if_quiet(&self, failed: bool) -> Option<(EntriesGuard<'_>, Caching)> {
        let mut list = self.entries.list.lock();
        let mut strictest = Caching::default();
        // None is closed unless all can be.
        for entry in &mut list.entries {
            strictest = strictest.max(Arc::get_mut(entry)?.if_quiet(failed)?);
        }
        list.entries.iter().for_each(|entry| entry.close_at_once());
        list.unmark();
        // Whoever reads it later takes the lock of the list first.
        self.entries.shared.sent.store(true, Ordering::Release);
        Some((MutexGuard::map(list, |list| &mut list.entries[..]), strictest))
    }

    /// Returns the session of type `T`, or reserves its load for the caller.
    fn claim<T: SessionData>(&self) -> Claim<'_, T> {
        let mut list = self.entries.list.lock();
        let is_of_type = |entry: &&Arc<dyn Committable>| (&***entry as &dyn Any).is::<Entry<T>>();
        if let Some(found) = list.entries.iter().find(is_of_type)
            && let Ok(entry) = (Arc::clone(found) as Arc<dyn Any + Send + Sync>).downcast()
        {
            return Claim::Loaded(entry);
        }
        let of = TypeId::of::<T>();
        if list.loading.contains(&of) {
            // Made under the lock, so that the end of the load does not go unnoticed.
            list.are_awaited = true;
            return Claim::Busy(self.loaded.notified());
        }
        list.loading.push(of);
        Claim::Mine(Load { sessions: self, of, is_done: false })
    }
}

impl Drop for RequestSessions {
    fn drop(&mut self) {
        self.entries.list.lock().unmark();
    }
}

impl List {
    /// A mark is set after the first session was added, and none is ever removed.
    fn unmark(&mut self) {
        if let (Some(mark), Some(entry)) = (self.awaited.take(), self.entries.first()) {
            entry.application().awaited.unmark(mark);
        }
    }
}

impl Entries {
    pub fn all(&self) -> impl Iterator<Item = Arc<dyn Committable>> {
        (0..).map_while(|at| self.list.lock().entries.get(at).cloned())
    }

    pub fn lock(&self) -> EntriesGuard<'_> {
        MutexGuard::map(self.list.lock(), |list| &mut list.entries[..])
    }

    /// Forgets what was read before its use, because the request may be ending sessions.
    pub fn forget_prefetched(&self) {
        self.shared.prefetched.refuse();
    }
}

/// The sessions of a request, locked.
pub(crate) type EntriesGuard<'a> = MappedMutexGuard<'a, [Arc<dyn Committable>]>;

/// The session of a type, as a guard meets it.
enum Claim<'a, T: SessionData> {
    Loaded(Arc<Entry<T>>),
    /// Another guard loads it. The future waits for that.
    Busy(Notified<'a>),
    Mine(Load<'a>),
}

/// The load of a session type by one guard, until it is done or dropped.
struct Load<'a> {
    sessions: &'a RequestSessions,
    of: TypeId,
    is_done: bool,
}

impl Load<'_> {
    /// Adds what was loaded to the sessions of the request.
    fn done(
        mut self,
        request: &Request<'_>,
        application: &Application,
        entry: Arc<dyn Committable>,
    ) {
        let mut list = self.sessions.entries.list.lock();
        list.entries.push(entry);
        if list.awaited.is_none() {
            list.awaited = Some(application.awaited.mark(request));
        }
        self.release(list);
    }

    /// Lets other guards go on.
    fn release(&mut self, mut list: MutexGuard<'_, List>) {
        list.loading.retain(|loading| *loading != self.of);
        let are_awaited = list.are_awaited;
        drop(list);
        if are_awaited {
            self.sessions.loaded.notify_waiters();
        }
        self.is_done = true;
    }
}

impl Drop for Load<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            let sessions = self.sessions;
            self.release(sessions.entries.list.lock());
        }
    }
}

/// Returns the session of type `T` in this request. All callers share one load, even if
/// it fails.
pub(crate) async fn request_session<T: SessionData>(
    request: &Request<'_>,
) -> Result<Arc<Entry<T>>, SessionError> {
    let sessions = RequestSessions::get(request);
    let load = loop {
        match sessions.claim() {
            Claim::Loaded(entry) => return entry.loaded(),
            Claim::Busy(loaded) => loaded.await,
            Claim::Mine(load) => break load,
        }
    };
    load_entry(request, load).await
}

async fn load_entry<T: SessionData>(
    request: &Request<'_>,
    load: Load<'_>,
) -> Result<Arc<Entry<T>>, SessionError> {
    let Some(application) = request.rocket().state::<Arc<Application>>() else {
        return Err(SessionError::Undefined("the `Sessions` fairing is not attached".into()));
    };
    let definition = application.definition::<T>().map_err(SessionError::Undefined)?;
    let entry = Entry::load(request, application, definition, &load.sessions.entries.shared).await;
    // A session that could not be loaded still makes the response private.
    load.done(request, application, Arc::clone(&entry) as Arc<dyn Committable>);
    entry.loaded()
}
