//! Carries out a commit, by value or by id.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rocket::warn;

use super::presented::SessionSet;
use crate::by_id::{Attempt, Settled};
use crate::commit::{Commit, Fate, Holds, Progress};
use crate::deadline::too_late;
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::plan::Plan;
use crate::{by_id, by_value};

/// What a commit has done so far. It stays true if the commit fails later or is dropped.
pub(crate) struct Done {
    /// The sessions as they stand now.
    pub sessions: SessionSet,
    /// What the client is to hold, if that has changed.
    pub holds: Option<Holds>,
    /// What the commit made of the value.
    pub fate: Fate,
    /// A write that was sent and not answered.
    pub attempt: Option<Arc<Attempt>>,
}

impl Done {
    pub fn new(sessions: SessionSet) -> Self {
        Self { sessions, holds: None, fate: Fate::Committed, attempt: None }
    }
}

/// Carries out the plan until the deadline (docs/security.md, S66).
pub(crate) async fn commit(commit: &Commit<'_>, done: &mut Done) -> Result<(), SessionError> {
    let result = {
        let Done { sessions, holds, fate, attempt } = &mut *done;
        let work = pin!(async {
            match sessions {
                SessionSet::ByValue(tracker, sessions) => {
                    // By value the session is in the token, so there is no write to settle.
                    let attempt = &mut None;
                    let progress = Progress { sessions, holds, fate, attempt };
                    Box::pin(by_value::commit(commit, tracker, progress)).await
                }
                SessionSet::ById(tracker, sessions) => {
                    let progress = Progress { sessions, holds, fate, attempt };
                    Box::pin(by_id::commit(commit, tracker, progress)).await
                }
            }
        });
        commit.deadline.within(work).await
    };
    match result.unwrap_or_else(|| Err(commit.timed_out())) {
        // The request asked for nothing that has failed, so the failure is only logged.
        Err(cause) if commit.may_fail_silently(&done.sessions) => {
            if commit.was_renewed(done).await {
                return Ok(());
            }
            let name = &commit.definition.namespace.session;
            warn!("Session `{name}`: a session could not be refreshed or given a new id: {cause}.");
            Ok(())
        }
        result => result,
    }
}

impl Commit<'_> {
    /// Whether the commit does only what no call asked for: a periodic renewal, another token
    /// format, or a refresh of the expiry or the token.
    fn may_fail_silently(&self, sessions: &SessionSet) -> bool {
        let plan = self.plan_for(sessions.standing(), sessions.content(), self.next.as_ref());
        let touches = self.epoch.is_none() && !self.asked.touch;
        self.is_automatic() || touches && matches!(plan, Plan::Touch { .. })
    }

    /// Settles a periodic renewal whose write was not answered. If it was applied, the client
    /// must get the new id.
    async fn was_renewed(&self, done: &mut Done) -> bool {
        let Some(attempt) = done.attempt.take().filter(|attempt| attempt.renews) else {
            return false;
        };
        let SessionSet::ById(tracker, sessions) = &mut done.sessions else { return false };
        let now = self.moment.now;
        let settle = by_id::settle(self.definition, &tracker.store, &attempt, false, now);
        let settled = self.deadline.within(Box::pin(settle).as_mut()).await;
        if !matches!(settled, Some(Ok(Settled::Applied))) {
            return false;
        }
        sessions.one = Some(Arc::clone(&attempt.written));
        done.holds.clone_from(&attempt.holds);
        self.report(Event::Renewed);
        true
    }

    /// The error for a commit that reached its deadline.
    fn timed_out(&self) -> SessionError {
        if self.conflicts.load(Ordering::Relaxed) > 0 { SessionError::Conflict } else { too_late() }
    }
}
