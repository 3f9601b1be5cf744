//! The commit of a session whose record lives in a storage.

use super::job::{Job, Progress};
use super::login::Succession;
use super::tracker::ById;
use crate::commit::{Commit, NextValue};
use crate::error::SessionError;
use crate::expiry::Times;
use crate::plan::{Plan, Standing};

/// Carries out what the plan says.
pub(crate) async fn commit(
    commit: &Commit<'_>,
    tracker: &ById,
    mut progress: Progress<'_>,
) -> Result<(), SessionError> {
    let plan = commit.plan(progress.sessions, commit.next.as_ref());
    match plan {
        Plan::Keep => return Ok(()),
        Plan::Drop => {
            progress.drop_changes(commit);
            return Ok(());
        }
        _ => {}
    }
    if plan.needs_token() && commit.moment.late {
        return Err(SessionError::TooLate);
    }
    if !commit.changes.are_wanted() {
        progress.unwanted();
        return Ok(());
    }
    let job = Job { commit, tracker };
    match (plan, &commit.next, progress.sessions.one.clone()) {
        (Plan::End, ..) => Box::pin(job.end(&mut progress)).await,
        (Plan::Create { times }, Some(next), _) => {
            Box::pin(job.begin(times, next, &mut progress)).await
        }
        (Plan::Touch { times, send: false, .. }, _, Some(session)) => {
            Box::pin(job.touch(&session, times, &mut progress)).await
        }
        (Plan::Complete { .. }, _, Some(session)) => {
            job.complete(plan, session, &mut progress).await
        }
        (_, _, Some(session)) => {
            let (plan, session) = Box::pin(job.as_last_seen(plan, session)).await?;
            job.replace(plan, session, &mut progress).await
        }
        _ => Ok(()),
    }
}

impl Job<'_> {
    async fn end(&self, progress: &mut Progress<'_>) -> Result<(), SessionError> {
        match self.end_presented(progress).await? {
            Some(replaced) => progress.was_superseded(replaced),
            None => progress.ended(),
        }
        Ok(())
    }

    /// A session begins where there is none, or one that a login has replaced.
    async fn begin(
        &self,
        times: Times,
        next: &NextValue,
        progress: &mut Progress<'_>,
    ) -> Result<(), SessionError> {
        self.earlier_try_ends().await;
        // Taken before anything is written: a login under way when its owner is
        // revoked leaves nothing alive.
        let guard = self.guard(next.owner.as_ref()).await?;
        let _queue = self.login_queue(progress).await;
        let owner = next.owner.as_ref();
        let mut old = self.superseded_successor(progress, owner).await?;
        // From here on it is one write: what ends and what begins go together.
        if !self.commit.changes.are_wanted() {
            progress.unwanted();
            return Ok(());
        }
        let id = self.commit.changes.id()?;
        // Of a session that a login has replaced nothing is left to end.
        if self.commit.asked.clear && progress.sessions.standing() != Standing::Superseded {
            match self.end_presented(progress).await? {
                Some(replaced) => progress.sessions.supersede(replaced),
                None => progress.ended(),
            }
            if progress.sessions.superseded.is_some() && !self.commit.asked.login {
                progress.drop_changes(self.commit);
                return Ok(());
            }
            old = self.superseded_successor(progress, owner).await?;
        }
        let ancestor = self.ancestor(progress);
        let begins = Succession { times, next: next.clone(), guard, old, ancestor };
        self.succeed(id, begins, progress).await.map(drop)
    }
}
