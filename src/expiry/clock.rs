//! Where the time comes from.

use std::time::SystemTime;

use super::timestamp::Timestamp;

/// Where the core's time comes from.
#[derive(Clone, Default)]
pub(crate) enum Clock {
    #[default]
    System,
    /// Unix milliseconds that a test moves.
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

    /// A test moves it, and should not meet what goes on by itself meanwhile.
    pub fn is_moved(&self) -> bool {
        !matches!(self, Self::System)
    }
}
