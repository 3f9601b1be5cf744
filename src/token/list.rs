//! The keys that seal. Usually one key seals. While a node cannot know which keys every node has,
//! several do: the client then carries one token for each, joined by dots, and a node opens the
//! one that it has a key for.

use std::fmt;

use crate::error::SessionError;

pub(super) const SEPARATOR: &str = ".";
/// The most tokens that are joined. If more keys seal, only the last of them is used.
const MOST: usize = 8;

/// The positions of the keys that seal, in the order of the list of keys. There is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealing(Vec<usize>);

impl Default for Sealing {
    fn default() -> Self {
        Self(vec![0])
    }
}

impl Sealing {
    /// The keys at these positions, or the first key if there is no position.
    pub fn with(positions: Vec<usize>) -> Self {
        if positions.is_empty() { Self::default() } else { Self(positions) }
    }

    /// Drops the positions that a list of `keys` keys does not have.
    pub fn within(mut self, keys: usize) -> Self {
        self.0.retain(|position| *position < keys);
        Self::with(self.0)
    }

    pub fn is_one(&self) -> bool {
        self.0.len() == 1
    }

    pub fn last(&self) -> usize {
        self.0.last().copied().unwrap_or_default()
    }

    /// A token for each key that seals. If that would be more than `room` tokens, only the last
    /// key, which is the oldest, seals.
    pub fn tokens<'k, K>(
        &'k self,
        keys: &'k [K],
        room: usize,
        seal: impl Fn(Option<&'k K>) -> Result<String, SessionError>,
    ) -> Result<String, SessionError> {
        if self.is_one() || self.0.len() > room.min(MOST) {
            return seal(keys.get(self.last()));
        }
        let sealing = self.0.iter().filter_map(|position| keys.get(*position));
        let tokens: Result<Vec<_>, _> = sealing.map(|key| seal(Some(key))).collect();
        Ok(tokens?.join(SEPARATOR))
    }
}

/// Counts keys from one, as an operator does.
impl fmt::Display for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.0.iter().map(|position| (position + 1).to_string()).collect();
        match &numbers[..] {
            [one] => write!(f, "key number {one} of the list protects new tokens"),
            several => {
                write!(f, "keys number {} of the list protect new tokens", several.join(" and "))
            }
        }
    }
}

/// The tokens that are joined in a text. It returns none for a single token and for more than
/// `MOST`.
pub(crate) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let several = (1..MOST).contains(&text.matches(SEPARATOR).count());
    several.then(|| text.split(SEPARATOR)).into_iter().flatten()
}
