//! Ends a record of which no client holds an id.

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

/// The seconds before each try to end a record. No write is under way any more at the last try.
const PAUSES: [u64; 5] = [0, 1, 5, 30, 60];

/// A record that was written, or may have been, and of which no client holds an id yet. Dropping
/// this value ends the record, and its id is not used again.
pub(super) struct Unheld<'a> {
    commit: &'a Commit<'a>,
    storage: Arc<dyn SessionStorage>,
    record: RecordToEnd,
    kept: bool,
}

/// A record to end.
#[derive(Clone)]
struct RecordToEnd {
    key: StorageKey,
    version: Version,
    /// The version that the record had before the write, if it had one.
    expected: Option<Version>,
    mark: Option<Timestamp>,
    now: Timestamp,
}

/// What a try to end a record has found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Ended,
    /// There is no record.
    Nothing,
    /// Another request has written the record since.
    Another,
    /// The record is as it was before the write, which may still be under way.
    Before,
}

impl RecordToEnd {
    async fn end(&self, storage: &dyn SessionStorage) -> Result<Found, StorageError> {
        // Where ids are used again, another session may be under the key. Only this version ends.
        let expected = self.mark.is_none().then_some(self.version);
        match storage.invalidate(&self.key, expected, self.mark).await? {
            Invalidate::Invalidated => return Ok(Found::Ended),
            Invalidate::Missing => return Ok(Found::Nothing),
            Invalidate::Conflict => {}
        }
        let Some(before) = self.expected else { return Ok(Found::Another) };
        let found = storage.read_fresh(&self.key, self.now).await?;
        Ok(found.map_or(Found::Nothing, |found| {
            if found.version == before { Found::Before } else { Found::Another }
        }))
    }

    /// Ends the record in the background, as soon as the storage answers. Then calls `ended`.
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
                    Ok(Ok(Found::Ended)) => return ended(),
                    // The last try has ended it.
                    Ok(Ok(Found::Nothing)) if unanswered => return ended(),
                    Ok(Ok(Found::Nothing | Found::Another)) => return,
                    Ok(Ok(Found::Before)) => unanswered = false,
                    _ => unanswered = true,
                }
            }
            if !is_known {
                warn!("A session whose id no client has may stay in its storage until it expires.");
            }
        }))
    }
}

impl<'a> Unheld<'a> {
    /// Guards the record at `place`. A `create` of it may still be under way.
    pub fn new(commit: &'a Commit<'a>, tracker: &ById, place: &Located) -> Self {
        let (key, version, now) = (place.key.clone(), place.version, commit.moment.now);
        let record = RecordToEnd { key, version, expected: None, mark: tracker.mark(now), now };
        Self {
            commit,
            storage: tracker.store.storage_for(&place.id).into_owned(),
            record,
            kept: false,
        }
    }

    /// Keeps the record: its id is sent, or this commit has not written it.
    pub fn keep(mut self) {
        self.kept = true;
    }

    /// Ends the record now. If that fails, it is tried again in the background.
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
        // The beginning was not reported, so the end is not reported either.
        let end = self.record.clone().end_soon(Arc::clone(&self.storage), definition, || ());
        if let Some(end) = end {
            changes.keep_ending(end);
        }
    }
}

/// Ends the session that was written at `place`, because its id can no longer be sent. A session
/// that the client's former id opens goes on. `before` is where the client had the session. Returns
/// the task, which calls `ended`.
pub(crate) fn end_unheld(
    definition: &Definition,
    tracker: &ById,
    before: Option<&Located>,
    place: &Located,
    now: Timestamp,
    ended: impl FnOnce() + Send + 'static,
) -> Option<JoinHandle<()>> {
    let same = before.filter(|before| before.key == place.key);
    // While a renewal is open, the previous id opens the session, too.
    if same.is_some_and(|before| before.id == place.id) || place.secrets.is_open() {
        return None;
    }
    // A client with the previous id may have logged in over the session since. Without a mark, only
    // this version ends, and what that login left stays.
    let mark = tracker.mark(now).filter(|_| same.is_none());
    let (key, version) = (place.key.clone(), place.version);
    let record = RecordToEnd { key, version, expected: None, mark, now };
    record.end_soon(tracker.store.storage_for(&place.id).into_owned(), definition, ended)
}

/// Ends the session of an attempt that gives it another id, when no request waits for the outcome
/// any more. If the attempt was applied, or still is, no client holds that id. Calls `ended` once
/// it has ended.
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
    let record = RecordToEnd { key, version: *version, expected, mark: None, now };
    let _ = record.end_soon(tracker.store.storage_for(id).into_owned(), definition, ended);
}
