//! Moves a session to another record: it comes from another format, or has an id of Ktor's, no part
//! of which can be replaced.

use super::job::{Job, Progress};
use super::login::{Begun, Succession};
use super::present::read_present;
use super::proposal::Proposal;
use super::record::Located;
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::plan::Plan;
use crate::storage::Invalidate;

impl Job<'_> {
    /// Writes the session under a new id, then ends it under the old one. If another request has
    /// ended or moved the old session meanwhile, the new one is ended and the changes are dropped.
    /// A login goes on in that case, because it is a session of its own.
    pub(super) async fn migrate(
        &self,
        proposal: Proposal,
        progress: &mut Progress<'_>,
    ) -> Result<(), SessionError> {
        let Proposal { plan, next, session, mut guard } = proposal;
        let (Some(times), Some(value)) = (plan.times(Some(&session.snapshot)), next) else {
            return Ok(());
        };
        let is_login = matches!(plan, Plan::Login { .. });
        if is_login {
            self.earlier_try_ends().await;
            guard.replaces = Some(session.place.key.clone());
        }
        // No client knows the new id until the old session has ended.
        let id = self.commit.changes.id()?;
        let begins = Succession { times, next: value, guard, old: None, ancestor: None };
        let Begun { session: new, holds, .. } = self.create(id, &begins, None).await?;
        let unheld = self.unheld(&new.place);
        if self.commit.asked.login {
            self.end_others(progress).await?;
        }
        let ended = self.end_former(&session.place, is_login).await;
        if let Ok(true) = ended {
            unheld.keep();
            progress.goes_on(new, Some(holds));
            let accepted = session.snapshot.accepted;
            self.commit.report(if accepted { Event::Created } else { Event::Renewed });
            return Ok(());
        }
        unheld.end().await?;
        ended?;
        if !self.commit.is_automatic() {
            progress.drop_changes(self.commit);
        }
        Ok(())
    }

    /// Ends the session under its old id, and returns whether the new one goes on. A move goes on
    /// only if this call ended the old session. A login goes on as soon as the old session is gone,
    /// even if the answer to this call is lost.
    async fn end_former(&self, old: &Located, is_login: bool) -> Result<bool, SessionError> {
        let (storage, now) = (self.tracker.store.storage_for(&old.id), self.commit.moment.now);
        let end = storage.invalidate(&old.key, None, self.tracker.mark(now));
        if !is_login {
            return Ok(end.await? == Invalidate::Invalidated);
        }
        match self.answer_to(end).await {
            Ok(_) => Ok(true),
            Err(_) if matches!(read_present(&**storage, &old.key, now).await, Ok(None)) => Ok(true),
            Err(cause) => Err(cause.into()),
        }
    }
}
