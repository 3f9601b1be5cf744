//! Finds out what became of a write whose answer was lost.
//!
//! The core draws the version of each write before it asks the storage, and the record keeps a
//! [trail](super::trail) of its previous versions. So a read past every cache settles the write,
//! however many writes came in between:
//!
//! | the record | the write | then |
//! |---|---|---|
//! | has or had the attempt's version | was applied | the session goes on from it |
//! | still has the expected version | may still be under way | the same attempt is sent again |
//! | had the expected version, then another | will never be applied | the changes are applied anew |
//! | is gone | counts as not applied | the session has ended |
//! | anything else | is unknown | an error; the changes are never applied twice |

use std::sync::Arc;

use super::present::{read_present, read_trail};
use super::record::Located;
use super::tracker::RecordStore;
use super::trail::Trail;
use crate::commit::Holds;
use crate::definition::Definition;
use crate::error::SessionError;
use crate::expiry::Timestamp;
use crate::storage::{Record, SessionStorage, StorageError, StorageKey, Update, Version};
use crate::tracked::{Place, Tracked};

/// How often a write is sent again. Only a storage that contradicts itself needs more than two.
const MOST_TRIES: usize = 8;

/// A write, from before it is sent until it is settled.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// The version that the write replaces.
    pub expected: Version,
    pub record: Record,
    /// The session once the write is applied.
    pub written: Arc<Tracked<Located>>,
    /// What the client is to hold once the write is applied, if that changes.
    pub holds: Option<Holds>,
    /// The write gives the session another id.
    pub renews: bool,
}

/// What a record says of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Applied,
    /// The record still has the expected version.
    Open,
    /// Another write has replaced the expected version.
    Overtaken,
    Gone,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    Applied,
    /// The changes must be applied to what is there.
    NotApplied,
    /// The attempt was not applied so far, and the caller did not want it sent again.
    Open,
}

impl Place for Located {
    type Attempt = Attempt;
}

impl Attempt {
    fn key(&self) -> &StorageKey {
        &self.written.place.key
    }

    /// Sends the write, for the first time or again.
    pub(super) async fn send(
        &self,
        storage: &dyn SessionStorage,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        storage.update(self.key(), self.expected, self.record.clone(), now).await
    }

    /// Reads what became of the attempt. `refused` means that it was sent once, and that the answer
    /// was a conflict.
    pub(super) async fn look(
        &self,
        definition: &Definition,
        storage: &dyn SessionStorage,
        refused: bool,
        now: Timestamp,
    ) -> Result<(Verdict, Option<Record>), SessionError> {
        let found = read_present(storage, self.key(), now).await?;
        let Some(record) = found else { return Ok((Verdict::Gone, None)) };
        let trail = read_trail(&record, definition);
        let refused = refused && !storage.sends_again() || !storage.loses_answers();
        let verdict = self.verdict(&trail, record.version, refused);
        // A storage without compare-and-swap cannot tell. The changes are applied anew.
        let verdict = match verdict {
            None if !storage.compares_and_swaps() => Verdict::Overtaken,
            verdict => verdict.ok_or_else(unknown)?,
        };
        Ok((verdict, Some(record)))
    }

    /// Decides by the table above. Returns `None` if the outcome is unknown. A `refused` attempt
    /// was not applied, even if the trail no longer shows that.
    fn verdict(&self, trail: &Trail, present: Version, refused: bool) -> Option<Verdict> {
        if trail.knows(self.record.version, present) {
            return Some(Verdict::Applied);
        }
        if self.expected == present {
            return Some(Verdict::Open);
        }
        (refused || trail.knows(self.expected, present)).then_some(Verdict::Overtaken)
    }
}

/// Finds out what became of an attempt. If the attempt may still be under way and `send_again` is
/// set, it is sent again.
pub(crate) async fn settle(
    definition: &Definition,
    store: &RecordStore,
    attempt: &Attempt,
    send_again: bool,
    now: Timestamp,
) -> Result<Settled, SessionError> {
    let storage = store.storage_for(&attempt.written.place.id);
    for _ in 0..MOST_TRIES {
        match attempt.look(definition, &**storage, false, now).await?.0 {
            Verdict::Applied => return Ok(Settled::Applied),
            Verdict::Open if send_again => {}
            Verdict::Open => return Ok(Settled::Open),
            Verdict::Overtaken | Verdict::Gone => return Ok(Settled::NotApplied),
        }
        match attempt.send(&**storage, now).await? {
            Update::Updated => return Ok(Settled::Applied),
            Update::Missing => return Ok(Settled::NotApplied),
            Update::Conflict => {}
        }
    }
    Err(SessionError::Conflict)
}

/// Too many writes came in between to tell whether the trail had this one.
fn unknown() -> SessionError {
    let why =
        "the answer to a write was lost, and the record no longer shows whether it was applied";
    StorageError::Unavailable(why.into(), None).into()
}
