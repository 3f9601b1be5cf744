//! Instants, lifetimes, and when a session expires.

mod clock;
mod lifetime;
#[cfg(test)]
mod tests;
mod timeouts;
mod timestamp;

pub(crate) use clock::Clock;
pub use lifetime::Lifetime;
pub(crate) use lifetime::{NoTime, OwnLifetime};
pub use timeouts::MaxAge;
pub(crate) use timeouts::{SKEW, Timeouts, Times};
pub use timestamp::Timestamp;
