//! The trail: the versions that a record had. It shows what became of a write whose answer was lost
//! (see [`settle`](super::settle)).
//!
//! | bytes | field |
//! |---|---|
//! | 1 | number of versions, at most 16 |
//! | 16 each | a version, and when it was replaced in Unix milliseconds; oldest first |

use super::MARK;
use super::bytes::{take, time};
use crate::expiry::Timestamp;
use crate::storage::Version;

/// The most versions that a trail holds.
const LONGEST: usize = 16;

/// A version that a record had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Past {
    pub version: Version,
    /// When the version was replaced.
    pub until: Timestamp,
}

/// The versions that a record had, oldest first and without a gap. Those that were current at some
/// time in the two minutes before the latest write are kept, but at most 16. The version that was
/// replaced last is always among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trail(pub(super) Vec<Past>);

impl Trail {
    /// Returns the trail of the record that replaces `version` now.
    pub fn after(&self, version: Version, now: Timestamp) -> Self {
        let newest = &self.0[self.0.len().saturating_sub(LONGEST - 1)..];
        // The trail is cut at its old end only. Where clocks differ, versions in the middle may
        // look older. A gap there would show the wrong successor of a version.
        let old = newest.iter().take_while(|past| past.until.after(MARK) < now).count();
        Self([&newest[old..], &[Past { version, until: now }]].concat())
    }

    /// Whether a record that has the version `present` has or had `version`.
    pub(super) fn knows(&self, version: Version, present: Version) -> bool {
        version == present || self.0.iter().any(|past| past.version == version)
    }

    /// How many bytes [`Self::write`] appends.
    pub fn bytes(&self) -> usize {
        1 + 16 * self.0.len()
    }

    pub fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(u8::try_from(self.0.len()).unwrap_or(u8::MAX));
        for Past { version, until } in &self.0 {
            bytes.extend_from_slice(&version.as_u64().to_be_bytes());
            bytes.extend_from_slice(&until.as_millis().to_be_bytes());
        }
    }

    pub fn read(rest: &mut &[u8]) -> Option<Self> {
        let [count] = take(rest)?;
        if usize::from(count) > LONGEST {
            return None;
        }
        let mut trail = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let version = Version::from_u64(u64::from_be_bytes(take(rest)?));
            trail.push(Past { version, until: time(rest)? });
        }
        Some(Self(trail))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn version(number: u64) -> Version {
        Version::from_u64(number)
    }

    fn after(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1000).after(Duration::from_secs(seconds))
    }

    /// The versions among `all` that a record with the version 5 has or had.
    fn known(trail: &Trail, all: impl Iterator<Item = u64>) -> Vec<u64> {
        all.filter(|number| trail.knows(version(*number), version(5))).collect()
    }

    #[test]
    fn a_trail_holds_what_was_current_in_the_last_two_minutes_in_order() {
        let mut trail = Trail::default();
        for (number, seconds) in [(1, 0), (2, 50), (3, 121), (4, 300)] {
            trail = trail.after(version(number), after(seconds));
        }
        // The last version always stays, though it was current for three minutes.
        assert_eq!(known(&trail, 1..=6), [4, 5]);
        trail = Trail::default();
        for (number, seconds) in [(1, 0), (2, 50), (3, 121), (4, 169)] {
            trail = trail.after(version(number), after(seconds));
        }
        assert_eq!(known(&trail, 1..=6), [2, 3, 4, 5]);
    }

    #[test]
    fn a_clock_that_is_behind_makes_no_gap() {
        let mut trail = Trail::default();
        for (number, seconds) in [(1, 130), (2, 5), (3, 130), (4, 131)] {
            trail = trail.after(version(number), after(seconds));
        }
        assert_eq!(known(&trail, 1..=6), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_trail_holds_sixteen_versions_and_round_trips() {
        let mut trail = Trail::default();
        for number in 0..40 {
            trail = trail.after(version(number), after(0));
            let mut bytes = Vec::new();
            trail.write(&mut bytes);
            bytes.push(7);
            let mut rest = &bytes[..];
            assert_eq!(Trail::read(&mut rest), Some(trail.clone()));
            assert_eq!(rest, [7]);
            for cut in 0..bytes.len() - 1 {
                assert_eq!(Trail::read(&mut &bytes[..cut]), None, "cut to {cut}");
            }
        }
        assert_eq!(known(&trail, 6..40), (24..40).collect::<Vec<_>>());
        assert_eq!(Trail::read(&mut &[17; 300][..]), None);
    }
}
