//! One commit of one session, whatever its type and whatever tracks it: what it works
//! on, and what it has done. It works on bytes, and asks for the changes again when
//! another request wrote meanwhile.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::codec::Content;
use crate::definition::{Core, Definition};
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::expiry::Times;
use crate::plan::{Asked, Moment, Plan, Standing, ValueChange, plan};
use crate::storage::{OwnerGuard, OwnerKey};
use crate::token::SessionId;
use crate::tracked::{Place, Superseded, Tracked, TrackedSet};
use crate::transport::MaxAge;

/// A value that is to become the session's.
#[derive(Clone)]
pub(crate) struct NextValue {
    pub content: Content,
    pub owner: Option<OwnerKey>,
    /// It has an owner, whether owners matter here or not.
    pub owned: bool,
    /// It belongs to another owner than the session that it is to replace.
    pub owner_changes: bool,
}

/// The session that changes are applied to: its content, and whose record it is.
pub(crate) type Present<'a> = (&'a Content, Option<&'a OwnerKey>);

/// The request's changes, as a commit sees them. Runs user code.
pub(crate) trait Changes: Send + Sync {
    /// What they make of a session with this content, or without one of a
    /// value that was set. `Ok(None)` if there is nothing to start from.
    fn apply_to(
        &self,
        session: Option<(&Content, Option<&OwnerKey>)>,
    ) -> Result<Option<NextValue>, SessionError>;

    /// Whether they are still asked for: nobody has dropped them meanwhile.
    fn are_wanted(&self) -> bool;

    /// The fresh id to give. It is the one that was told to whoever asked.
    fn id(&self) -> Result<SessionId, SessionError>;

    /// The same for another secret of `id`, and the CSRF generation under it, which is
    /// `rotations` or a later one.
    fn renewed(&self, id: &SessionId, rotations: u32) -> Result<(SessionId, u32), SessionError>;

    /// Under which conditions the session may become this owner's, if that was asked
    /// for these changes before.
    fn guard(&self, owner: &OwnerKey) -> Option<OwnerGuard>;

    /// These are the conditions, however often the changes are tried.
    fn keep_guard(&self, owner: OwnerKey, guard: OwnerGuard);

    /// A session that could not be begun is being ended.
    fn keep_ending(&self, end: JoinHandle<()>);

    /// The end of one that could not be begun before: until then it counts.
    fn ending(&self) -> Option<JoinHandle<()>>;

    /// The id is another session's. The next one is drawn anew.
    fn draw_another_id(&self);
}

/// What one commit works on.
pub(crate) struct Commit<'a> {
    pub core: &'a Core,
    pub definition: &'a Definition,
    /// But for what the value says.
    pub asked: Asked,
    /// What the value is to become; none if nothing was said about it.
    pub next: Option<NextValue>,
    pub changes: &'a dyn Changes,
    /// The epoch of its owner in which a token is to be sealed anew.
    pub epoch: Option<u64>,
    /// The encoded description of the client. Empty without `remember_client`.
    pub client: &'a [u8],
    pub moment: Moment,
    pub deadline: Instant,
    /// A concurrent write was met; a budget spent after that is a `Conflict`.
    pub conflicted: AtomicBool,
}

impl Commit<'_> {
    /// What to do, if `next` is to be the session's value.
    pub fn plan<P>(&self, sessions: &TrackedSet<P>, next: Option<&NextValue>) -> Plan {
        let content = sessions.one.as_deref().map(|session| &session.content);
        self.plan_for(sessions.standing(), content, next)
    }

    /// What to do with a session that holds `content`.
    pub fn plan_for(
        &self,
        standing: Standing<'_>,
        content: Option<&Content>,
        next: Option<&NextValue>,
    ) -> Plan {
        let asked = next.map_or(self.asked, |next| next.asked(content, self.asked));
        plan(standing, &asked, &self.definition.policy, &self.moment)
    }

    /// Nobody asked for anything: what happens, happens by itself.
    pub fn is_unasked(&self) -> bool {
        self.next.is_none() && self.asked.is_nothing()
    }

    /// The token, for the client to hold.
    pub fn token(&self, token: String, times: &Times) -> Holds {
        let policy = &self.definition.policy;
        let max_age = policy.timeouts.max_age(times, self.moment.now, !policy.by_value);
        Holds::Token { token, max_age }
    }

    pub fn report(&self, event: Event) {
        self.core.emit(event, self.definition);
    }
}

impl NextValue {
    /// What is asked for of a session that holds `content`, if this is to be its
    /// value.
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
        /// How long the client is to keep it.
        max_age: MaxAge,
    },
    /// No token.
    Nothing,
}

/// What became of the value of a commit that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is the session's.
    Committed,
    /// The session has ended.
    Ended,
    /// The session was over and the changes are dropped.
    Dropped,
    /// The changes were dropped by the request itself; nothing was written.
    Unwanted,
}

/// What a commit has done so far, of sessions that are tracked in one way.
pub(crate) struct Progress<'a, P: Place> {
    pub sessions: &'a mut TrackedSet<P>,
    pub holds: &'a mut Option<Holds>,
    pub fate: &'a mut Fate,
    pub attempt: &'a mut Option<Arc<P::Attempt>>,
}

impl<P: Place> Progress<'_, P> {
    /// A write is about to be sent.
    pub fn attempts(&mut self, attempt: &Arc<P::Attempt>) {
        *self.attempt = Some(Arc::clone(attempt));
    }

    /// It is known what became of it.
    pub fn settled(&mut self) {
        *self.attempt = None;
    }

    /// The session goes on, or begins, as this one. What the client is to hold
    /// stays as it is if `holds` says nothing.
    pub fn goes_on(&mut self, session: Arc<Tracked<P>>, holds: Option<Holds>) {
        self.settled();
        self.sessions.superseded = None;
        self.sessions.one = Some(session);
        *self.fate = Fate::Committed;
        if holds.is_some() {
            *self.holds = holds;
        }
    }

    /// Every session that was presented has ended.
    pub fn ended(&mut self) {
        *self.sessions = TrackedSet::default();
        *self.holds = Some(Holds::Nothing);
        *self.fate = Fate::Ended;
    }

    /// A login has replaced the session that was to end. An answer is on its way that a
    /// removal must not overwrite.
    pub fn was_superseded(&mut self, replaced: Superseded) {
        self.sessions.supersede(replaced);
        *self.fate = Fate::Ended;
    }

    /// The session was over before its changes could be written.
    pub fn drop_changes(&mut self, commit: &Commit<'_>) {
        if !commit.changes.are_wanted() {
            return self.unwanted();
        }
        self.sessions.lose();
        *self.fate = Fate::Dropped;
        commit.core.report_dropped(commit.definition);
    }

    /// The request has dropped the changes itself.
    pub fn unwanted(&mut self) {
        *self.fate = Fate::Unwanted;
    }
}
