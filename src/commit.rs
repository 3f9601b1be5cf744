//! One commit of one session, of any type and in any place: what it works on, and what it has done.
//! A commit works on bytes. If another request wrote meanwhile, it asks for the changes again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::codec::Content;
use crate::deadline::Deadline;
use crate::definition::{Core, Definition};
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::expiry::Times;
use crate::plan::{Asked, Moment, Plan, Standing, ValueChange, plan};
use crate::storage::{OwnerGuard, OwnerKey};
use crate::token::SessionId;
use crate::tracked::{Place, Superseded, Tracked, TrackedSet};
use crate::transport::MaxAge;

/// A commit pauses after more conflicts than this.
const CONFLICTS_WITHOUT_PAUSE: u32 = 4;
/// The longest first pause, in microseconds. Later ones are twice as long as the one before.
const FIRST_PAUSE: u64 = 1000;
/// How many pauses are longer than the one before.
const DOUBLINGS: u32 = 4;

/// The value that the session is to have.
#[derive(Clone)]
pub(crate) struct NextValue {
    pub content: Content,
    pub owner: Option<OwnerKey>,
    /// The value has an owner, even where owners do not matter.
    pub owned: bool,
    /// The value's owner differs from the owner of the session that it is to replace.
    pub owner_changes: bool,
}

/// The session that changes are applied to: its content, and its owner.
pub(crate) type Present<'a> = (&'a Content, Option<&'a OwnerKey>);

/// The changes of a request, as a commit sees them. Applying them runs the application's code.
pub(crate) trait Changes: Send + Sync {
    /// Applies the changes to a session with this content, or to none. Returns `Ok(None)` if the
    /// changes need a session and there is none.
    fn apply_to(
        &self,
        session: Option<(&Content, Option<&OwnerKey>)>,
    ) -> Result<Option<NextValue>, SessionError>;

    /// Whether the request still wants the changes, and has not dropped them meanwhile.
    fn are_wanted(&self) -> bool;

    /// Returns the id for a session that begins. If the application has asked for the coming id, it
    /// was told the same one.
    fn id(&self) -> Result<SessionId, SessionError>;

    /// Returns `id` with the secret of a renewal, and the CSRF generation under it, which is
    /// `rotations` or a later one. It is the id that the application was told, if it has asked.
    fn renewed(&self, id: &SessionId, rotations: u32) -> Result<(SessionId, u32), SessionError>;

    /// Returns the conditions under which the session may become this owner's, if an earlier try
    /// has read them.
    fn guard(&self, owner: &OwnerKey) -> Option<OwnerGuard>;

    /// Keeps these conditions for every later try of the changes.
    fn keep_guard(&self, owner: OwnerKey, guard: OwnerGuard);

    /// Keeps the task that ends a session which could not begin.
    fn keep_ending(&self, end: JoinHandle<()>);

    /// Returns the task that ends a session of an earlier try. Until then, that session counts
    /// against the limit.
    fn ending(&self) -> Option<JoinHandle<()>>;

    /// Discards the id, so that [`id`](Self::id) draws another one.
    fn draw_another_id(&self);
}

/// What one commit works on.
pub(crate) struct Commit<'a> {
    pub core: &'a Core,
    pub definition: &'a Definition,
    /// What the application asked for, without what the value says.
    pub asked: Asked,
    /// The next value. `None` if the application neither set nor changed it.
    pub next: Option<NextValue>,
    pub changes: &'a dyn Changes,
    /// The epoch of the owner in which the token is sealed anew.
    pub epoch: Option<u64>,
    /// The encoded description of the client. It is empty without `remember_client`.
    pub client: &'a [u8],
    pub moment: Moment,
    pub deadline: &'a Deadline,
    /// How many concurrent writes were met. If the time runs out after one, the error is `Conflict`.
    pub conflicts: AtomicU32,
}

impl Commit<'_> {
    /// Plans the commit, if `next` is to be the session's value.
    pub fn plan<P>(&self, sessions: &TrackedSet<P>, next: Option<&NextValue>) -> Plan {
        let content = sessions.one.as_deref().map(|session| &session.content);
        self.plan_for(sessions.standing(), content, next)
    }

    /// Plans the commit of a session that holds `content`.
    pub fn plan_for(
        &self,
        standing: Standing<'_>,
        content: Option<&Content>,
        next: Option<&NextValue>,
    ) -> Plan {
        let asked = next.map_or(self.asked, |next| next.asked(content, self.asked));
        plan(standing, &asked, &self.definition.policy, &self.moment)
    }

    /// Whether the application asked for nothing, so that every change is automatic.
    pub fn is_automatic(&self) -> bool {
        self.next.is_none() && self.asked.is_nothing()
    }

    /// Returns the token as what the client is to hold.
    pub fn token(&self, token: String, times: &Times) -> Holds {
        let policy = &self.definition.policy;
        let max_age = policy.timeouts.max_age(times, self.moment.now, !policy.by_value);
        Holds::Token { token, max_age }
    }

    /// Records that a concurrent write was met. Fails if there is no time for another try.
    pub fn retry_after_conflict(&self) -> Result<(), SessionError> {
        self.conflicts.fetch_add(1, Ordering::Relaxed);
        self.time_to_retry()
    }

    /// Waits before the next try, if many nodes write the same record. The pause is random, so that
    /// the writers do not meet again.
    pub async fn pause_after_conflict(&self) {
        let Some(longest) = longest_pause(self.conflicts.load(Ordering::Relaxed)) else { return };
        if let Ok(number) = self.core.random.number() {
            sleep(Duration::from_micros(number % longest)).await;
        }
    }

    /// Fails if there is no time for another try.
    pub fn time_to_retry(&self) -> Result<(), SessionError> {
        if self.deadline.left().is_zero() { Err(SessionError::Conflict) } else { Ok(()) }
    }

    pub fn report(&self, event: Event) {
        self.core.emit(event, self.definition);
    }
}

/// Returns the longest pause after so many conflicts, in microseconds. There is none at first,
/// because one of the writers succeeds in each round trip, and few writers are faster without it.
fn longest_pause(conflicts: u32) -> Option<u64> {
    let pauses = conflicts.checked_sub(CONFLICTS_WITHOUT_PAUSE + 1)?;
    Some(FIRST_PAUSE << pauses.min(DOUBLINGS))
}

impl NextValue {
    /// Returns what is asked for of a session that holds `content`, if this is to be its value.
    fn asked(&self, content: Option<&Content>, asked: Asked) -> Asked {
        let same = content.is_some_and(|content| content.bytes() == self.content.bytes());
        Asked {
            value: if same { ValueChange::Same } else { ValueChange::Changed },
            owner_changes: self.owner_changes,
            owned: self.owned,
            ..asked
        }
    }
}

/// What the client is to hold of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    Token {
        token: String,
        /// How long the client is to keep the token.
        max_age: MaxAge,
    },
    /// The client is to hold no token.
    Nothing,
}

/// What became of the value in a commit that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The value is the session's.
    Committed,
    /// The session has ended.
    Ended,
    /// The session had ended or was superseded, and the changes are dropped.
    Dropped,
    /// The request has dropped the changes itself. Nothing was written.
    Unwanted,
}

/// What a commit has done so far. `P` is the place of the sessions.
pub(crate) struct Progress<'a, P: Place> {
    pub sessions: &'a mut TrackedSet<P>,
    pub holds: &'a mut Option<Holds>,
    pub fate: &'a mut Fate,
    pub attempt: &'a mut Option<Arc<P::Attempt>>,
}

impl<P: Place> Progress<'_, P> {
    /// Records a write that is about to be sent.
    pub fn attempts(&mut self, attempt: &Arc<P::Attempt>) {
        *self.attempt = Some(Arc::clone(attempt));
    }

    /// Records that the outcome of the write is known.
    pub fn settled(&mut self) {
        *self.attempt = None;
    }

    /// Records that the session goes on, or begins, as this one. What the client is to hold changes
    /// only if `holds` says so.
    pub fn goes_on(&mut self, session: Arc<Tracked<P>>, holds: Option<Holds>) {
        self.settled();
        self.sessions.superseded = None;
        self.sessions.one = Some(session);
        *self.fate = Fate::Committed;
        if holds.is_some() {
            *self.holds = holds;
        }
    }

    /// Records that every presented session has ended.
    pub fn ended(&mut self) {
        *self.sessions = TrackedSet::default();
        *self.holds = Some(Holds::Nothing);
        *self.fate = Fate::Ended;
    }

    /// Records that the session that was to end is superseded. No removal is sent, because it could
    /// overwrite a newer token that is on its way.
    pub fn was_superseded(&mut self, replaced: Arc<Superseded>) {
        self.sessions.supersede(replaced);
        *self.fate = Fate::Ended;
    }

    /// Drops the changes, because the session was over before they could be written.
    pub fn drop_changes(&mut self, commit: &Commit<'_>) {
        if !commit.changes.are_wanted() {
            return self.unwanted();
        }
        self.sessions.lose();
        *self.fate = Fate::Dropped;
        commit.core.report_dropped(commit.definition);
    }

    /// Records that the request has dropped the changes itself.
    pub fn unwanted(&mut self) {
        *self.fate = Fate::Unwanted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_begin_after_four_conflicts_and_double_up_to_16_ms() {
        assert_eq!([0, 1, 4].map(longest_pause), [None; 3]);
        assert_eq!([5, 6, 7, 8].map(longest_pause), [1000, 2000, 4000, 8000].map(Some));
        assert_eq!([9, 10, u32::MAX].map(longest_pause), [Some(16_000); 3]);
    }
}
