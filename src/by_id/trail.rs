//! The versions that a record had a short while ago, oldest first.

use super::envelope::{take, time};
use crate::expiry::Timestamp;

/// The most versions that a record remembers.
pub(crate) const LONGEST: usize = 16;

/// At most [`LONGEST`] versions: a count byte, then version and time of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trail(pub Vec<Past>);

/// A version that is not the record's any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Past {
    pub version: u64,
    /// When it was replaced.
    pub until: Timestamp,
}

impl Trail {
    /// Appends the latest, should there be too many.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        let latest = &self.0[self.0.len().saturating_sub(LONGEST)..];
        bytes.push(u8::try_from(latest.len()).unwrap_or_default());
        for Past { version, until } in latest {
            bytes.extend_from_slice(&version.to_be_bytes());
            bytes.extend_from_slice(&until.as_millis().to_be_bytes());
        }
    }

    /// `None` for more than there may be.
    pub fn read(rest: &mut &[u8]) -> Option<Self> {
        let [count] = take(rest)?;
        if usize::from(count) > LONGEST {
            return None;
        }
        let past = |_| Some(Past { version: u64::from_be_bytes(take(rest)?), until: time(rest)? });
        (0..count).map(past).collect::<Option<_>>().map(Self)
    }
}
