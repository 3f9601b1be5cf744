//! What all steps of a commit by id share.

use std::sync::Arc;

use super::find::{Lookup, stands_for};
use super::record::Located;
use super::tracker::{ById, EndOutcome};
use super::unheld::Unheld;
use crate::background::in_background;
use crate::commit::{self, Commit, Holds};
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::expiry::Times;
use crate::plan::Standing;
use crate::storage::{OwnerGuard, OwnerKey};
use crate::token::SessionId;
use crate::tracked::{Superseded, Tracked};

/// What a commit by id has done so far.
pub(super) type Progress<'a> = commit::Progress<'a, Located>;

#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub commit: &'a Commit<'a>,
    pub tracker: &'a ById,
}

impl Job<'_> {
    /// Waits for the end of the session that an earlier try wrote and could not begin. It counts
    /// against the limit until then.
    pub(super) async fn earlier_try_ends(&self) {
        if let Some(ending) = self.commit.changes.ending() {
            let _ = ending.await;
        }
    }

    /// Returns the conditions under which the record may become this owner's. A retry keeps the
    /// conditions of the first try, so that it does not outlive a revocation.
    pub(super) async fn guard(&self, owner: Option<&OwnerKey>) -> Result<OwnerGuard, SessionError> {
        let Some(owner) = owner else { return Ok(OwnerGuard::default()) };
        if let Some(guard) = self.commit.changes.guard(owner) {
            return Ok(guard);
        }
        let guard = self.tracker.guard(Some(owner)).await?;
        self.commit.changes.keep_guard(owner.clone(), guard.clone());
        Ok(guard)
    }

    /// Ends every session that the request presented. If a login has replaced the request's own
    /// session, returns what is left of it.
    pub(super) async fn end_presented(
        &self,
        progress: &mut Progress<'_>,
    ) -> Result<Option<Arc<Superseded>>, SessionError> {
        let mut replaced = None;
        if let Some(session) = &progress.sessions.one {
            replaced = self.end_one(session).await?;
            progress.sessions.one = None;
        }
        self.end_others(progress).await?;
        let renewed = progress.sessions.standing() == Standing::Renewed;
        while let Some(lost) = progress.sessions.lost.last() {
            let left = self.end_one(lost).await?;
            replaced = replaced.or(left.filter(|_| renewed));
            progress.sessions.lost.pop();
        }
        Ok(replaced)
    }

    pub(super) async fn end_others(&self, progress: &mut Progress<'_>) -> Result<(), SessionError> {
        while let Some(other) = progress.sessions.others.last() {
            self.end_one(other).await?;
            progress.sessions.others.pop();
        }
        Ok(())
    }

    /// Ends a session. If a login has replaced it, returns what is left of it.
    async fn end_one(
        &self,
        session: &Tracked<Located>,
    ) -> Result<Option<Arc<Superseded>>, SessionError> {
        let Commit { definition, moment, .. } = self.commit;
        let (store, now) = (&self.tracker.store, moment.now);
        let Located { id, key, version, .. } = &session.place;
        let (storage, place) = (store.storage_for(id), (key, Some(*version)));
        match self.tracker.end(definition, &**storage, place, now).await? {
            EndOutcome::Ended => self.commit.report(Event::Ended),
            EndOutcome::Missing => {}
            EndOutcome::Replaced(record) => {
                let found = stands_for(definition, store, id, key.clone(), record, now);
                if let Some(Lookup::Superseded(replaced)) = found {
                    return Ok(Some(replaced));
                }
            }
        }
        Ok(None)
    }

    /// Runs `work` in the background. Returns its result if that is known at once.
    pub(super) async fn without_waiting<R: Send + 'static>(
        &self,
        work: impl Future<Output = R> + Send + 'static,
    ) -> Option<R> {
        let work = Box::pin(work);
        // A test that moves the clock must not move it during the work.
        let waits = self.commit.core.clock.is_moved();
        if waits { Some(work.await) } else { in_background(work).await }
    }

    /// Guards the record at `place`. No client holds its id until its token is sent.
    pub(super) fn unheld(&self, place: &Located) -> Unheld<'_> {
        Unheld::new(self.commit, self.tracker, place)
    }

    /// Seals the token of `id`.
    pub(super) fn token(&self, id: &SessionId, times: &Times) -> Result<Holds, SessionError> {
        let token = self.commit.definition.tokens().seal_id(id, &self.commit.core.random)?;
        Ok(self.commit.token(token, times))
    }
}
