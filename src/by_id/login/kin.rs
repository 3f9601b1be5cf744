//! Finds the kin of a login: the sessions of one owner whose logins have the same ancestor. They
//! are the clicks of one browser on "Log in", even if somebody else has logged in over the same
//! session in between.
//!
//! Each record names its ancestor. So a login that exceeds the limit finds, among its owner's
//! sessions, the one whose place it takes.

use super::former::{Former, Occupant};
use super::succession::{Step, Succession};
use crate::by_id::job::{Job, Progress};
use crate::by_id::list::visit;
use crate::by_id::record::Located;
use crate::error::SessionError;
use crate::storage::{OwnerKey, StorageKey, Timestamp, Update};

impl Located {
    /// Returns the ancestor: the first session in a chain of logins, each over the session before.
    pub fn ancestor(&self) -> &StorageKey {
        self.provenance.ancestor.as_ref().unwrap_or(&self.key)
    }
}

impl Job<'_> {
    /// Returns the ancestor of a session that begins under a limit. It is the ancestor of the
    /// session that the request has shown.
    pub(in crate::by_id) fn ancestor(&self, progress: &Progress<'_>) -> Option<StorageKey> {
        self.tracker.owner_limit?;
        let sessions = &progress.sessions;
        let found = || sessions.one.as_ref().or(sessions.lost.last());
        let replaced = sessions.superseded.as_ref().map(|replaced| &replaced.ancestor);
        replaced.or_else(|| Some(found()?.place.ancestor())).cloned()
    }

    /// Returns the oldest session of this owner with this ancestor. It skips the session that is
    /// `replaced` anyway.
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

    /// Finds the session whose place a login takes that exceeds the limit. Returns [`Step::Stay`]
    /// if it has no kin.
    pub(in crate::by_id) async fn another_place(
        &self,
        login: &Succession,
        progress: &mut Progress<'_>,
    ) -> Result<Step, SessionError> {
        self.commit.time_to_retry()?;
        let (owner, old) = (login.next.owner.as_ref(), login.old.as_ref());
        if let Some(old) = old
            && let Some(successor) = self.find_successor(old, owner, progress).await?
        {
            return Ok(Step::Swap(successor, None));
        }
        let Some(ancestor) = &login.ancestor else { return Ok(Step::Stay) };
        let Some(kin) = self.kin(owner, ancestor, old).await? else { return Ok(Step::Stay) };
        // The login of `kin` may be about to replace `old`, so this does it in its name.
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
