//! Which requests have sessions that the response fairings must look for.
//!
//! Looking into a request's cache allocates. The fairings ask here first, so a route without
//! a session costs next to nothing, also while other requests hold sessions, such as open
//! streams.

use std::sync::atomic::{AtomicUsize, Ordering};

use rocket::Request;

/// Two requests share a counter once in so many times. Then the fairings look in vain.
const COUNTERS: usize = 1024;

/// Counts the requests with sessions by their addresses.
pub(crate) struct Awaited {
    routed: Box<[AtomicUsize]>,
    /// Requests that used a session before they were routed. Rocket may move a request until
    /// it is routed.
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

/// The counter of a request by its address, which stays the same once it is routed.
fn counter(request: &Request<'_>) -> usize {
    // Requests lie at least 64 bytes apart.
    (std::ptr::from_ref(request).addr() / 64) % COUNTERS
}
