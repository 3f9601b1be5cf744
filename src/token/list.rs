//! Which keys seal: one, or several while a node cannot know which of them every
//! node has. Then the client carries a token for each, with dots between them,
//! and a node opens whichever it has the key of.

use std::fmt;

use crate::error::SessionError;

const SEPARATOR: &str = ".";
/// Tokens in one; a list of more keys than that is sealed with the last alone.
const MOST: usize = 8;

/// The keys that seal, by their positions in the list, in its order. At least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealing(Vec<usize>);

impl Default for Sealing {
    fn default() -> Self {
        Self(vec![0])
    }
}

impl Sealing {
    /// The first key where there is none.
    pub fn with(positions: Vec<usize>) -> Self {
        if positions.is_empty() { Self::default() } else { Self(positions) }
    }

    /// Of a list of so many keys.
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

    /// A token for each key that seals. Where there is no room for so many, one for
    /// the last, the oldest.
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

/// As an operator counts the keys of a list.
impl fmt::Display for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.0.iter().map(|position| (position + 1).to_string()).collect();
        match &numbers[..] {
            [one] => write!(f, "number {one} of the list seals"),
            several => write!(f, "numbers {} of the list seal", several.join(" and ")),
        }
    }
}

/// The tokens of a text; none where it is a single one, or holds too many.
pub(crate) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let several = (1..MOST).contains(&text.matches(SEPARATOR).count());
    several.then(|| text.split(SEPARATOR)).into_iter().flatten()
}
