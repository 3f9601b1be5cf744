//! A clock that a test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::expiry;
use crate::storage::Timestamp;

/// A clock that stands still until a test moves it. A clone is the same clock.
///
/// With such a clock, a request waits until the new expiry of its session is
/// stored, which otherwise happens in the background. The clock therefore never
/// moves in between.
#[derive(Clone, Debug)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    /// Makes a clock that shows the system's time.
    ///
    /// ```
    /// use rocket_typed_sessions::{Sessions, testing::Clock};
    ///
    /// let clock = Clock::new();
    /// let sessions = Sessions::fairing().clock(&clock);
    /// ```
    pub fn new() -> Self {
        Self::at(SystemTime::now().into())
    }

    /// Makes a clock that shows `time`.
    ///
    /// ```
    /// use rocket_typed_sessions::{storage::Timestamp, testing::Clock};
    ///
    /// // The last second of 32-bit clocks.
    /// let clock = Clock::at(Timestamp::from_millis(2_147_483_647_000));
    /// assert_eq!(clock.now().as_millis(), 2_147_483_647_000);
    /// ```
    pub fn at(time: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(time.as_millis())))
    }

    /// Returns the time that the clock shows.
    ///
    /// ```
    /// use rocket_typed_sessions::{storage::Memory, storage::SessionStorage, testing::Clock};
    ///
    /// # rocket::async_test(async {
    /// let (clock, storage) = (Clock::new(), Memory::new(10));
    /// let purged = storage.purge_expired(clock.now(), 100).await?;
    /// assert_eq!(purged, 0);
    /// # Ok::<(), rocket_typed_sessions::storage::StorageError>(())
    /// # }).unwrap();
    /// ```
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    /// Moves the clock forwards by `duration`.
    ///
    /// ```
    /// # use rocket_typed_sessions::{Session, SessionData, Sessions};
    /// # use rocket_typed_sessions::testing::Clock;
    /// # use std::time::Duration;
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// # #[rocket::post("/login")]
    /// # fn login(session: Session<User>) { session.login(User { id: 7 }) }
    /// # #[rocket::get("/")]
    /// # fn index(session: Session<User>) -> String { session.get().is_some().to_string() }
    /// let clock = Clock::new();
    /// let sessions = Sessions::fairing().clock(&clock);
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(sessions).mount("/", rocket::routes![login, index]);
    /// # let client = rocket::local::blocking::Client::tracked(rocket).unwrap();
    /// client.post("/login").dispatch();
    /// assert_eq!(client.get("/").dispatch().into_string().as_deref(), Some("true"));
    ///
    /// clock.advance(Duration::from_secs(8 * 86_400)); // the idle timeout is 7 days
    /// assert_eq!(client.get("/").dispatch().into_string().as_deref(), Some("false"));
    /// ```
    pub fn advance(&self, duration: Duration) {
        self.set(self.now().after(duration));
    }

    /// Moves the clock to `time`, which may be earlier: the clock of another
    /// machine may be behind.
    ///
    /// ```
    /// use rocket_typed_sessions::{storage::Timestamp, testing::Clock};
    ///
    /// let clock = Clock::new();
    /// clock.set(Timestamp::ZERO);
    /// assert_eq!(clock.now(), Timestamp::ZERO);
    /// ```
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
