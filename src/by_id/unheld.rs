//! A record that nobody holds an id of.

use std::sync::Arc;
use std::time::Duration;

use rocket::warn;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::record::Located;
use super::settle::Attempt;
use super::tracker::ById;
use crate::commit::Commit;
use crate::definition::Definition;
use crate::expiry::Timestamp;
use crate::storage::{Invalidate, SessionStorage, StorageError, StorageKey, Version};

/// The seconds before each try to end a record. No write is under way any more at the
/// last one.
const PAUSES: [u64; 5] = [0, 1, 5, 30, 60];

/// A record that was written, or may have been, and of which nobody holds an id so
/// far. It is ended when this is dropped, and its id is not given to anybody.
pub(super) struct Unheld<'a> {
    commit: &'a Commit<'a>,
    storage: Arc<dyn SessionStorage>,
    record: Named,
    kept: bool,
}

/// What is to be ended.
#[derive(Clone)]
struct Named {
    key: StorageKey,
    version: Version,
    /// What the record has before it is written.
    expected: Option<Version>,
    mark: Option<Timestamp>,
    now: Timestamp,
}

/// What the end of a record has met.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    Ended,
    /// There is none.
    Nothing,
    /// Somebody else has made another session of it.
    Another,
    /// It is as it was before the write, which may be under way.
    Before,
}

impl Named {
    async fn end(&self, storage: &dyn SessionStorage) -> Result<Met, StorageError> {
        // Where ids are used again, there may be another session under the key.
        let expected = self.mark.is_none().then_some(self.version);
        match storage.invalidate(&self.key, expected, self.mark).await? {
            Invalidate::Invalidated => return Ok(Met::Ended),
            Invalidate::Missing => return Ok(Met::Nothing),
            Invalidate::Conflict => {}
        }
        let Some(before) = self.expected else { return Ok(Met::Another) };
        let found = storage.read_fresh(&self.key, self.now).await?;
        Ok(found.map_or(Met::Nothing, |found| {
            if found.version == before { Met::Before } else { Met::Another }
        }))
    }

    /// Ends it as soon as the storage answers, whoever waits for that. Tells `ended` once
    /// it has.
    fn end_soon(
        self,
        storage: Arc<dyn SessionStorage>,
        definition: &Definition,
        ended: impl FnOnce() + Send + 'static,
    ) -> Option<JoinHandle<()>> {
        let runtime = Handle::try_current().ok()?;
        let longest = definition.storage_timeout;
        Some(runtime.spawn(async move {
            let (mut is_known, mut unanswered) = (false, false);
            for seconds in PAUSES {
                sleep(Duration::from_secs(seconds)).await;
                let met = timeout(longest, self.end(&*storage)).await;
                is_known = matches!(met, Ok(Ok(_)));
                match met {
                    Ok(Ok(Met::Ended)) => return ended(),
                    // The try before has ended it.
                    Ok(Ok(Met::Nothing)) if unanswered => return ended(),
                    Ok(Ok(Met::Nothing | Met::Another)) => return,
                    Ok(Ok(Met::Before)) => unanswered = false,
                    _ => unanswered = true,
                }
            }
            if !is_known {
                warn!("A session that nobody holds may be left in its storage until it expires.");
            }
        }))
    }
}

impl<'a> Unheld<'a> {
    /// The record at `place`, which a `create` may still be on its way to.
    pub fn new(commit: &'a Commit<'a>, tracker: &ById, place: &Located) -> Self {
        let (key, version, now) = (place.key.clone(), place.version, commit.moment.now);
        let record = Named { key, version, expected: None, mark: tracker.mark(now), now };
        Self { commit, storage: tracker.store.storage_for(&place.id), record, kept: false }
    }

    /// It stays: its id goes out, or it is not this one's.
    pub fn keep(mut self) {
        self.kept = true;
    }

    /// Ends it now. If that fails, it is tried again later.
    pub async fn end(mut self) -> Result<(), StorageError> {
        self.record.end(&*self.storage).await?;
        self.commit.changes.draw_another_id();
        self.kept = true;
        Ok(())
    }
}

impl Drop for Unheld<'_> {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let Commit { changes, definition, .. } = self.commit;
        changes.draw_another_id();
        // Nobody was told that it began.
        let end = self.record.clone().end_soon(Arc::clone(&self.storage), definition, || ());
        if let Some(end) = end {
            changes.keep_ending(end);
        }
    }
}

/// A session was written at `place`, and its id goes to nobody any more. It is ended,
/// unless somebody holds an id that opens it. `before` is where the client had it. Gives
/// its end, and tells `ended` of it.
pub(crate) fn end_unheld(
    definition: &Definition,
    tracker: &ById,
    before: Option<&Located>,
    place: &Located,
    now: Timestamp,
    ended: impl FnOnce() + Send + 'static,
) -> Option<JoinHandle<()>> {
    let same = before.filter(|before| before.key == place.key);
    // During an open renewal the id before opens it, too.
    if same.is_some_and(|before| before.id == place.id) || place.secrets.is_open() {
        return None;
    }
    // Whoever has the id before may have logged in over it since. That stays.
    let mark = tracker.mark(now).filter(|_| same.is_none());
    let (key, version) = (place.key.clone(), place.version);
    let record = Named { key, version, expected: None, mark, now };
    record.end_soon(tracker.store.storage_for(&place.id), definition, ended)
}

/// Nobody asks any more what became of a write that gives the session another id. If it
/// was applied, or still is, nobody holds that id, and the session is ended. Tells `ended`
/// of that.
pub(crate) fn end_unsent(
    definition: &Definition,
    tracker: &ById,
    attempt: &Attempt,
    now: Timestamp,
    ended: impl FnOnce() + Send + 'static,
) {
    let Located { id, key, version, secrets, .. } = &attempt.written.place;
    if !attempt.renews || secrets.is_open() {
        return;
    }
    let (key, expected) = (key.clone(), Some(attempt.expected));
    let record = Named { key, version: *version, expected, mark: None, now };
    let _ = record.end_soon(tracker.store.storage_for(id), definition, ended);
}
