//! A clock that a test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::expiry;
use crate::storage::Timestamp;

/// A clock that stands still until a test moves it. Clones are the same clock.
///
/// With it a request waits for the refresh of its session's expiry, which
/// otherwise goes on by itself: so the clock never moves in the middle of it.
///
/// ```
/// use std::time::Duration;
/// use rocket_typed_sessions::{Sessions, testing::Clock};
///
/// let clock = Clock::new();
/// let fairing = Sessions::fairing().clock(&clock);
/// // … log in, and then:
/// clock.advance(Duration::from_secs(8 * 86_400));
/// // … the session is over.
/// # drop(fairing);
/// ```
#[derive(Clone, Debug)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    /// A clock that shows the present.
    pub fn new() -> Self {
        Self::at(SystemTime::now().into())
    }

    /// A clock that shows `time`.
    pub fn at(time: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(time.as_millis())))
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    /// Moves it forwards.
    pub fn advance(&self, duration: Duration) {
        self.set(self.now().after(duration));
    }

    /// Moves it to `time`, which may be earlier.
    pub fn set(&self, time: Timestamp) {
        self.0.store(time.as_millis(), Ordering::SeqCst);
    }

    pub(crate) fn inside(&self) -> expiry::Clock {
        expiry::Clock::Given(Arc::clone(&self.0))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
