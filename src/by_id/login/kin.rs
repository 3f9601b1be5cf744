//! The logins of one owner that began over the same session: the clicks of one browser
//! on "Log in", whoever else has logged in over that session in between.
//!
//! Each record names the session over which the first of its logins began. So a login that
//! is one too many finds, among its owner's sessions, in whose place it comes.

use tokio::time::Instant;

use super::former::{Former, Occupant};
use super::succession::{Step, Succession};
use crate::by_id::job::{Job, Progress};
use crate::by_id::list::visit;
use crate::by_id::record::Located;
use crate::error::SessionError;
use crate::storage::{OwnerKey, StorageKey, Timestamp, Update};

impl Located {
    /// The first of the sessions over each of which a login began the next one.
    pub fn ancestor(&self) -> &StorageKey {
        self.provenance.ancestor.as_ref().unwrap_or(&self.key)
    }
}

impl Job<'_> {
    /// The ancestor of a session that begins, where there is a limit: that of what the
    /// request has shown.
    pub(in crate::by_id) fn ancestor(&self, progress: &Progress<'_>) -> Option<StorageKey> {
        self.tracker.owner_limit?;
        let sessions = &progress.sessions;
        let found = || sessions.one.as_ref().or(sessions.lost.last());
        let replaced = sessions.superseded.as_ref().map(|replaced| &replaced.ancestor);
        replaced.or_else(|| Some(found()?.place.ancestor())).cloned()
    }

    /// The oldest session of this owner that has this ancestor, but for the one that is
    /// replaced anyway.
    pub(in crate::by_id) async fn kin(
        &self,
        owner: Option<&OwnerKey>,
        ancestor: &StorageKey,
        replaced: Option<&Former>,
    ) -> Result<Option<Former>, SessionError> {
        let storage = &self.tracker.store.storage;
        let Some((owner, owners)) = owner.zip(storage.owners()) else { return Ok(None) };
        let mut oldest: Option<(Timestamp, Former)> = None;
        visit(owners, owner, self.commit.moment.now, |key, record| {
            let created = record.created;
            let Some(Occupant::Session(kin)) = self.occupant(&key, record, None) else { return };
            let is_kin = kin.ancestor() == ancestor
                && replaced.is_none_or(|replaced| replaced.key != kin.key);
            if is_kin && oldest.as_ref().is_none_or(|(before, _)| created < *before) {
                oldest = Some((created, *kin));
            }
        })
        .await?;
        Ok(oldest.map(|(_, kin)| kin))
    }

    /// Where a login finds a place that is one too many. It stays without one if none of its
    /// kin has one.
    pub(in crate::by_id) async fn another_place(
        &self,
        login: &Succession,
        progress: &mut Progress<'_>,
    ) -> Result<Step, SessionError> {
        if Instant::now() >= self.commit.deadline {
            return Err(SessionError::Conflict);
        }
        let (owner, old) = (login.next.owner.as_ref(), login.old.as_ref());
        if let Some(old) = old
            && let Some(successor) = self.find_successor(old, owner, progress).await?
        {
            return Ok(Step::Swap(successor, None));
        }
        let Some(ancestor) = &login.ancestor else { return Ok(Step::Stay) };
        let Some(kin) = self.kin(owner, ancestor, old).await? else { return Ok(Step::Stay) };
        // The login of that one may be just about to replace this.
        if let Some(old) = old
            && self.replace_by(old, &kin.key).await? == Update::Conflict
            && let step @ (Step::Swap(..) | Step::Instead(_)) =
                self.after_conflict(login, old.clone()).await?
        {
            return Ok(step);
        }
        Ok(Step::Swap(kin, None))
    }
}
