//! Carries a commit out, by value or by id.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rocket::warn;

use super::presented::SessionSet;
use crate::by_id::{Attempt, Settled};
use crate::commit::{Commit, Fate, Holds, Progress};
use crate::deadline::{too_late, within};
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::plan::Plan;
use crate::{by_id, by_value};

/// What a commit has done so far. What is here has happened, whether the
/// commit then succeeds, fails or is dropped.
pub(crate) struct Done {
    /// The sessions as they stand now.
    pub sessions: SessionSet,
    /// What the client is to hold, if that changed.
    pub holds: Option<Holds>,
    /// What became of the value.
    pub fate: Fate,
    /// A write of which nobody knows yet what became.
    pub attempt: Option<Arc<Attempt>>,
}

impl Done {
    pub fn new(sessions: SessionSet) -> Self {
        Self { sessions, holds: None, fate: Fate::Committed, attempt: None }
    }
}

/// Carries out what the plan says, at the latest until the deadline
/// (checklist S66).
pub(crate) async fn commit(commit: &Commit<'_>, done: &mut Done) -> Result<(), SessionError> {
    let result = {
        let Done { sessions, holds, fate, attempt } = &mut *done;
        let work = pin!(async {
            match sessions {
                SessionSet::ByValue(tracker, sessions) => {
                    // What the client carries is not sent to a storage.
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
        within(commit.deadline, work).await
    };
    match result.unwrap_or_else(|| Err(commit.timed_out())) {
        // Nothing is lost that anybody was promised.
        Err(cause) if commit.is_courtesy(&done.sessions) => {
            if commit.was_renewed(done).await {
                return Ok(());
            }
            let name = &commit.definition.namespace.session;
            warn!("Session `{name}`: it could not be refreshed or given another id: {cause}.");
            Ok(())
        }
        result => result,
    }
}

impl Commit<'_> {
    /// What happens by itself, or a longer life that was not asked for.
    fn is_courtesy(&self, sessions: &SessionSet) -> bool {
        let plan = self.plan_for(sessions.standing(), sessions.content(), self.next.as_ref());
        let touches = self.epoch.is_none() && !self.asked.touch;
        self.is_unasked() || touches && matches!(plan, Plan::Touch { .. })
    }

    /// Whether an id that was to be given by itself has been given, though no answer
    /// said so. Then the client must have it.
    async fn was_renewed(&self, done: &mut Done) -> bool {
        let Some(attempt) = done.attempt.take().filter(|attempt| attempt.renews) else {
            return false;
        };
        let SessionSet::ById(tracker, sessions) = &mut done.sessions else { return false };
        let now = self.moment.now;
        let settle = by_id::settle(self.definition, &tracker.store, &attempt, false, now);
        let settled = within(self.deadline, Box::pin(settle).as_mut()).await;
        if !matches!(settled, Some(Ok(Settled::Applied))) {
            return false;
        }
        sessions.one = Some(Arc::clone(&attempt.written));
        done.holds.clone_from(&attempt.holds);
        self.report(Event::Renewed);
        true
    }

    /// Why the budget is spent.
    fn timed_out(&self) -> SessionError {
        if self.conflicted.load(Ordering::Relaxed) { SessionError::Conflict } else { too_late() }
    }
}
