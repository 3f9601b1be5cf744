//! Commits a session whose payload the client carries: it seals the token that the client is to
//! hold.

use std::sync::Arc;

use super::{ByValue, Sealed, seal};
use crate::codec::Content;
use crate::commit::{self, Commit};
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::plan::Plan;
use crate::tracked::{Tracked, TrackedSet};

/// What a commit by value has done so far.
type Progress<'a> = commit::Progress<'a, Sealed>;

/// Carries out the plan.
pub(crate) async fn commit(
    commit: &Commit<'_>,
    tracker: &ByValue,
    mut progress: Progress<'_>,
) -> Result<(), SessionError> {
    let (next, before) = (commit.next.as_ref(), progress.sessions.one.as_deref());
    let plan = commit.plan(progress.sessions, next);
    let content = next.map(|next| &next.content);
    let content = content.or(before.map(|session| &session.content)).cloned();
    let job = Job { commit, tracker };
    match (plan, content) {
        (Plan::End, _) => job.end(&mut progress).await,
        (Plan::Keep | Plan::Drop, _) | (_, None) => Ok(()),
        _ if commit.moment.late => Err(SessionError::TooLate),
        (_, Some(content)) => job.seal(plan, content, &mut progress).await,
    }
}

struct Job<'a> {
    commit: &'a Commit<'a>,
    tracker: &'a ByValue,
}

impl Job<'_> {
    /// Carries out a `clear` after which no other session begins.
    async fn end(&self, progress: &mut Progress<'_>) -> Result<(), SessionError> {
        let TrackedSet { one, others, lost, .. } = &*progress.sessions;
        let any = one.is_some() || !others.is_empty();
        // The response has been sent, so the client keeps its token. Only `revocation` could end
        // it.
        if any && self.commit.moment.late && self.tracker.revocation.is_none() {
            return Err(SessionError::TooLate);
        }
        self.remember(one.iter().chain(others).chain(lost), None).await?;
        if any {
            self.commit.report(Event::Ended);
        }
        progress.ended();
        Ok(())
    }

    /// Seals the session's next token, and ends what it replaces.
    async fn seal(
        &self,
        plan: Plan,
        content: Content,
        progress: &mut Progress<'_>,
    ) -> Result<(), SessionError> {
        let commit = self.commit;
        let Some(times) = plan.times(None) else { return Ok(()) };
        let before = progress.sessions.one.clone();
        let place = self.place(plan, before.as_deref()).await?;
        let (sealed, token) = seal(commit.definition, &commit.core.random, place, times, content)?;
        if let Some(before) = &before
            && self.is_over(plan, before, &sealed.place).await?
        {
            if !commit.is_automatic() {
                progress.drop_changes(commit);
            }
            return Ok(());
        }
        if !commit.changes.are_wanted() {
            progress.unwanted();
            return Ok(());
        }
        if !self.end_replaced(plan, &sealed.place, progress.sessions).await? {
            progress.drop_changes(commit);
            return Ok(());
        }
        if commit.asked.clear && before.is_some() {
            commit.report(Event::Ended);
        }
        match plan {
            Plan::Create { .. } => commit.report(Event::Created),
            Plan::Login { .. } | Plan::Write { renewal: Some(_), .. } => {
                commit.report(Event::Renewed);
            }
            _ => {}
        }
        progress.goes_on(Arc::new(sealed), Some(commit.token(token, &times)));
        Ok(())
    }

    /// Returns the identity of the next token. A session that goes on keeps its epoch, so that a
    /// concurrent revocation still covers it.
    async fn place(
        &self,
        plan: Plan,
        before: Option<&Tracked<Sealed>>,
    ) -> Result<Sealed, SessionError> {
        let commit = self.commit;
        let fresh = || commit.changes.id().map(|id| id.secret());
        match (plan, before.map(|before| &before.place)) {
            (Plan::Touch { .. } | Plan::Write { renewal: None, .. }, Some(before)) => {
                let epoch = commit.epoch.unwrap_or(before.epoch);
                Ok(Sealed { epoch, ..before.clone() })
            }
            (Plan::Write { .. } | Plan::Move { .. }, Some(before)) => {
                let epoch = commit.epoch.unwrap_or(before.epoch);
                Ok(Sealed { token_id: fresh()?, epoch, ..before.clone() })
            }
            _ => {
                let revocation = self.tracker.revocation.as_ref();
                let owner = commit.next.as_ref().and_then(|next| next.owner.clone());
                let epoch = match (revocation, &owner) {
                    (Some(revocation), Some(owner)) => {
                        revocation.epoch(owner, commit.moment.now).await?
                    }
                    _ => 0,
                };
                Ok(Sealed::new(fresh()?, epoch, owner))
            }
        }
    }

    /// Whether the session that is to go on as `next` has expired or ended.
    async fn is_over(
        &self,
        plan: Plan,
        before: &Tracked<Sealed>,
        next: &Sealed,
    ) -> Result<bool, SessionError> {
        if matches!(plan, Plan::Create { .. } | Plan::Login { .. }) {
            return Ok(false);
        }
        let Commit { definition, moment, epoch, .. } = self.commit;
        if !definition.policy.timeouts.admits(&before.snapshot.times, moment.now) {
            return Ok(true);
        }
        match &self.tracker.revocation {
            // The request has begun this epoch itself, so the token goes into it in any case. If
            // the owner is revoked once more, the token is refused at its next use.
            Some(revocation) if epoch.is_none() => {
                let sealed = Sealed { epoch: next.epoch, ..before.place.clone() };
                revocation.covers(&sealed, Some(next), moment.now).await
            }
            _ => Ok(false),
        }
    }

    /// Ends the presented sessions that do not go on under the same identity. Returns whether the
    /// commit goes on: of several requests that renew one session, only the first to end it does.
    async fn end_replaced(
        &self,
        plan: Plan,
        next: &Sealed,
        sessions: &mut TrackedSet<Sealed>,
    ) -> Result<bool, SessionError> {
        let asked = &self.commit.asked;
        let mut won = true;
        let renews = matches!(plan, Plan::Write { renewal: Some(_), .. });
        if renews || asked.clear || matches!(plan, Plan::Login { .. }) {
            won = self.remember(sessions.one.iter(), renews.then_some(next)).await? || !renews;
        }
        if asked.clear {
            self.remember(sessions.lost.iter(), None).await?;
            sessions.lost.clear();
        }
        if asked.clear || asked.login {
            self.remember(sessions.others.iter(), None).await?;
            sessions.others.clear();
        }
        Ok(won)
    }

    /// Remembers that these sessions have ended, if there is a `revocation`. Returns whether this
    /// ended each of them.
    async fn remember(
        &self,
        sessions: impl Iterator<Item = &Arc<Tracked<Sealed>>>,
        by: Option<&Sealed>,
    ) -> Result<bool, SessionError> {
        let Some(revocation) = &self.tracker.revocation else { return Ok(true) };
        let mut all_live = true;
        for session in sessions {
            all_live &= revocation.end(session, by, self.commit.moment.now).await?;
        }
        Ok(all_live)
    }
}
