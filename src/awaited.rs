//! Which requests have sessions that the response fairings must look for.
//!
//! To look into a request's cache allocates. A route without a session costs next to
//! nothing because the fairings ask here first, and other requests that hold sessions
//! meanwhile, such as open streams, do not change that.

use std::sync::atomic::{AtomicUsize, Ordering};

use rocket::Request;

/// Requests that share a counter are looked at in vain, once in so many.
const COUNTERS: usize = 1024;

/// Counts the requests with sessions by their addresses.
pub(crate) struct Awaited {
    routed: Box<[AtomicUsize]>,
    /// Requests that have used a session before they were routed. Rocket may move them
    /// until then.
    unrouted: AtomicUsize,
}

/// Where a request is counted.
#[derive(Clone, Copy)]
pub(crate) enum Mark {
    Routed(usize),
    Unrouted,
}

impl Default for Awaited {
    fn default() -> Self {
        let routed = std::iter::repeat_with(AtomicUsize::default).take(COUNTERS).collect();
        Self { routed, unrouted: AtomicUsize::new(0) }
    }
}

impl Awaited {
    /// The fairings must look for the sessions of this request until
    /// [`unmark`](Self::unmark).
    pub fn mark(&self, request: &Request<'_>) -> Mark {
        let mark =
            if request.route().is_some() { Mark::Routed(counter(request)) } else { Mark::Unrouted };
        self.counter(mark).fetch_add(1, Ordering::SeqCst);
        mark
    }

    pub fn unmark(&self, mark: Mark) {
        self.counter(mark).fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether this request may have sessions.
    pub fn has(&self, request: &Request<'_>) -> bool {
        let marked = |mark| self.counter(mark).load(Ordering::SeqCst) > 0;
        marked(Mark::Routed(counter(request))) || marked(Mark::Unrouted)
    }

    fn counter(&self, mark: Mark) -> &AtomicUsize {
        match mark {
            Mark::Routed(at) => &self.routed[at],
            Mark::Unrouted => &self.unrouted,
        }
    }
}

/// A request stays where it is from the moment that it is routed.
fn counter(request: &Request<'_>) -> usize {
    // Requests lie at least 64 bytes apart.
    (std::ptr::from_ref(request).addr() / 64) % COUNTERS
}
