//! A session that goes on under another name: it came from another format, or
//! has an id of Ktor's, no part of which can be replaced.

use super::job::{Job, Progress};
use super::login::Begun;
use super::login::Succession;
use super::present::read_present;
use super::proposal::Proposal;
use super::record::Located;
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::plan::Plan;
use crate::storage::Invalidate;

impl Job<'_> {
    /// Writes the session under a new id, then ends it under the old one. If
    /// somebody else has ended or moved that meanwhile, the new one ends, and
    /// what the request changed is dropped. A login is another session, and goes on.
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
        // Until the old one has ended, nobody knows the new one.
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
        if !self.commit.is_unasked() {
            progress.drop_changes(self.commit);
        }
        Ok(())
    }

    /// Ends the session under its old id, and says whether the new one goes on. Who has
    /// ended it matters to a move alone: if no answer comes, a login goes on as soon as
    /// the storage says that the old session is gone.
    async fn end_former(&self, old: &Located, is_login: bool) -> Result<bool, SessionError> {
        let (storage, now) = (self.tracker.store.storage_for(&old.id), self.commit.moment.now);
        let end = storage.invalidate(&old.key, None, self.tracker.mark(now));
        if !is_login {
            return Ok(end.await? == Invalidate::Invalidated);
        }
        match self.answer_to(end).await {
            Ok(_) => Ok(true),
            Err(_) if matches!(read_present(&*storage, &old.key, now).await, Ok(None)) => Ok(true),
            Err(cause) => Err(cause.into()),
        }
    }
}
