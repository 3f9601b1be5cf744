//! Commits a session whose record is in a storage.

use super::job::{Job, Progress};
use super::login::Succession;
use super::tracker::ById;
use crate::commit::{Commit, NextValue};
use crate::error::SessionError;
use crate::expiry::Times;
use crate::plan::{Plan, Standing};

/// Carries out the plan.
pub(crate) async fn commit(
    commit: &Commit<'_>,
    tracker: &ById,
    mut progress: Progress<'_>,
) -> Result<(), SessionError> {
    let plan = commit.plan(progress.sessions, commit.next.as_ref());
    if plan == Plan::Drop {
        progress.drop_changes(commit);
    }
    if matches!(plan, Plan::Keep | Plan::Drop) {
        return Ok(());
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
        (mut plan, _, Some(mut session)) => {
            if job.may_undo_a_use(plan, &session) {
                (plan, session) = Box::pin(job.as_last_seen(plan, session)).await?;
            }
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

    /// Begins a session. The request presented none, or a superseded one, or `clear` ends it first.
    async fn begin(
        &self,
        times: Times,
        next: &NextValue,
        progress: &mut Progress<'_>,
    ) -> Result<(), SessionError> {
        self.earlier_try_ends().await;
        // The guard is read before anything is written. So a login that is under way when its owner
        // is revoked leaves no live session.
        let guard = self.guard(next.owner.as_ref()).await?;
        let _queue = self.login_queue(progress).await;
        let owner = next.owner.as_ref();
        let mut old = self.superseded_successor(progress, owner).await?;
        // The changes can be dropped until here. After that, the ends and the beginning belong
        // together.
        if !self.commit.changes.are_wanted() {
            progress.unwanted();
            return Ok(());
        }
        let id = self.commit.changes.id()?;
        // Nothing is left of a superseded session that `clear` could end.
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
        let next = self.value_after_login(progress, old.as_ref(), next).await?;
        let begins = Succession { times, next, guard, old, ancestor };
        self.succeed(id, begins, progress).await.map(drop)
    }
}
