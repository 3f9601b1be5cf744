//! The commit of a session whose record lives in a storage.

use super::job::{Job, Records};
use super::login::Succession;
use super::tracker::ById;
use crate::commit::{Commit, Next};
use crate::error::SessionError;
use crate::expiry::Times;
use crate::plan::{Plan, Standing};

/// Carries out what the plan says.
pub(crate) async fn commit(
    commit: &Commit<'_>,
    tracker: &ById,
    mut records: Records<'_>,
) -> Result<(), SessionError> {
    let plan = commit.plan(records.sessions, commit.next.as_ref());
    match plan {
        Plan::Keep => return Ok(()),
        Plan::Drop => {
            records.drop_changes(commit);
            return Ok(());
        }
        _ => {}
    }
    if plan.needs_token() && commit.moment.late {
        return Err(SessionError::TooLate);
    }
    if !commit.changes.are_wanted() {
        records.unwanted();
        return Ok(());
    }
    let job = Job { commit, tracker };
    match (plan, &commit.next, records.sessions.one.clone()) {
        (Plan::End, ..) => Box::pin(job.end(&mut records)).await,
        (Plan::Create { times }, Some(next), _) => {
            Box::pin(job.begin(times, next, &mut records)).await
        }
        (Plan::Touch { times, send: false, .. }, _, Some(session)) => {
            Box::pin(job.touch(&session, times, &mut records)).await
        }
        (Plan::Complete { .. }, _, Some(session)) => {
            job.complete(plan, session, &mut records).await
        }
        (_, _, Some(session)) => {
            let (plan, session) = Box::pin(job.as_last_seen(plan, session)).await?;
            job.replace(plan, session, &mut records).await
        }
        _ => Ok(()),
    }
}

impl Job<'_> {
    async fn end(&self, records: &mut Records<'_>) -> Result<(), SessionError> {
        match self.end_presented(records).await? {
            Some(replaced) => records.was_replaced(replaced),
            None => records.ended(),
        }
        Ok(())
    }

    /// A session begins where there is none, or one that a login has replaced.
    async fn begin(
        &self,
        times: Times,
        next: &Next,
        records: &mut Records<'_>,
    ) -> Result<(), SessionError> {
        self.earlier_try_ends().await;
        // Taken before anything is written: a login under way when its owner is
        // revoked leaves nothing alive.
        let guard = self.guard(next.owner.as_ref()).await?;
        let _queue = self.queue_of_logins(records).await;
        let owner = next.owner.as_ref();
        let mut old = self.successor_of_replaced(records, owner).await?;
        // From here on it is one write: what ends and what begins go together.
        if !self.commit.changes.are_wanted() {
            records.unwanted();
            return Ok(());
        }
        let id = self.commit.changes.id()?;
        // Of a session that a login has replaced nothing is left to end.
        if self.commit.asked.ended && records.sessions.standing() != Standing::Replaced {
            match self.end_presented(records).await? {
                Some(replaced) => records.sessions.mark_replaced(replaced),
                None => records.ended(),
            }
            if records.sessions.replaced.is_some() && !self.commit.asked.login {
                records.drop_changes(self.commit);
                return Ok(());
            }
            old = self.successor_of_replaced(records, owner).await?;
        }
        let origin = self.origin(records);
        let begins = Succession { times, next: next.clone(), guard, old, origin };
        self.succeed(id, begins, records).await.map(drop)
    }
}
