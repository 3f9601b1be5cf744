//! The records that a request has read before it uses them.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::storage::{Record, StorageKey};

/// How long a record may wait. The guards of a route follow each other at once. If one takes
/// longer, the next reads its record itself, so that a session that ended meanwhile is not used.
const FRESH: Duration = Duration::from_millis(50);

/// The prefetched records of a request. The box keeps the state of a request without any small.
#[derive(Default)]
pub(crate) struct Prefetched(Mutex<Option<Box<Waiting>>>);

#[derive(Default)]
struct Waiting {
    answers: Vec<Answer>,
    /// The definitions whose records were asked for by their own loads.
    begun: u64,
    refuses: bool,
}

/// What the storage answered for a key, and when. `None` if there was no record.
pub(crate) struct Answer {
    key: StorageKey,
    pub found: Option<Record>,
    came: Instant,
    /// [`Core::ends`](crate::definition::Core) before the storage was asked.
    ends: u64,
}

impl Prefetched {
    /// Returns what was answered for this key, if that is fresh, and this process has ended no
    /// session since. It is returned once. `ends` is the present count of ends.
    pub fn take(&self, key: &StorageKey, ends: u64) -> Option<Answer> {
        let mut waiting = self.0.lock();
        let answers = &mut waiting.as_mut()?.answers;
        let at = answers.iter().position(|answer| answer.key == *key)?;
        let is_fresh = |answer: &Answer| answer.ends == ends && answer.came.elapsed() < FRESH;
        Some(answers.swap_remove(at)).filter(is_fresh)
    }

    /// Begins the load of a definition. Returns those whose loads have begun, this one included;
    /// `None` if nothing may be prefetched.
    pub fn begin(&self, definition: u64) -> Option<u64> {
        let mut waiting = self.0.lock();
        let waiting = waiting.get_or_insert_default();
        waiting.begun |= definition;
        (!waiting.refuses).then_some(waiting.begun)
    }

    /// Keeps these answers in place of the earlier ones, which were asked for again. `ends` is the
    /// count of ends before the storage was asked.
    pub fn put(&self, found: impl Iterator<Item = (StorageKey, Option<Record>)>, ends: u64) {
        let came = Instant::now();
        let answers = found.map(|(key, found)| Answer { key, found, came, ends });
        let mut waiting = self.0.lock();
        let waiting = waiting.get_or_insert_default();
        if !waiting.refuses {
            waiting.answers = answers.collect();
        }
    }

    /// Drops all records, and takes no more. The request may be ending some of these sessions.
    pub fn refuse(&self) {
        *self.0.lock() = Some(Box::new(Waiting { refuses: true, ..Waiting::default() }));
    }
}
