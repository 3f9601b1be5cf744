//! [`Clock`]: the source of the current time.

use std::time::SystemTime;

use super::timestamp::Timestamp;

/// The source of the current time.
#[derive(Clone, Default)]
pub(crate) enum Clock {
    #[default]
    System,
    /// Unix milliseconds that a test sets.
    #[cfg(feature = "testing")]
    Given(std::sync::Arc<std::sync::atomic::AtomicU64>),
}

impl Clock {
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => SystemTime::now().into(),
            #[cfg(feature = "testing")]
            Self::Given(millis) => {
                Timestamp::from_millis(millis.load(std::sync::atomic::Ordering::SeqCst))
            }
        }
    }

    /// Whether a test sets the time. Background tasks must not interfere with such a test.
    pub fn is_moved(&self) -> bool {
        !matches!(self, Self::System)
    }
}
