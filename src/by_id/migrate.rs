//! A session that goes on under another name: it came from another format, or
//! has an id of Ktor's, no part of which can be replaced.

use super::Located;
use super::commit::{Job, Records};
use super::create::Begun;
use super::login::Succession;
use super::replace::Proposal;
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::request::plan::Plan;
use crate::storage::Invalidate;

impl Job<'_> {
    /// Writes the session under a new id, then ends it under the old one. If
    /// somebody else has ended or moved that meanwhile, the new one ends, and
    /// what the request changed is dropped.
    pub(super) async fn migrate(
        &self,
        proposal: Proposal,
        records: &mut Records<'_>,
    ) -> Result<(), SessionError> {
        let Proposal { plan, next, session, guard } = proposal;
        let (Some(times), Some(value)) = (plan.times(Some(&session.snapshot)), next) else {
            return Ok(());
        };
        // Until the old one has ended, nobody knows the new one.
        let id = self.commit.changes.id()?;
        let begins = Succession { times, next: value, guard, old: None, origin: None };
        let Begun { session: new, holds, .. } = self.create(id, &begins, None).await?;
        let unheld = self.unheld(&new.place);
        if self.commit.asked.login {
            self.end_others(records).await?;
        }
        let Located { id, key, .. } = &session.place;
        let storage = self.tracker.server.storage_of(id);
        let mark = self.tracker.mark(self.commit.moment.now);
        let ended = storage.invalidate(key, None, mark).await;
        if let Ok(ended) = ended
            && (ended == Invalidate::Invalidated || matches!(plan, Plan::Login { .. }))
        {
            unheld.keep();
            records.goes_on(new, Some(holds));
            let accepted = session.snapshot.accepted;
            self.commit.report(if accepted { Event::Created } else { Event::Renewed });
            return Ok(());
        }
        unheld.end().await?;
        ended?;
        if !self.commit.is_unasked() {
            records.drop_changes(self.commit);
        }
        Ok(())
    }
}
