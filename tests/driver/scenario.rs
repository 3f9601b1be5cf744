//! What one run does: the settings, the calls, and what happens meanwhile.

use std::fmt;

/// Where the payload lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Client,
    /// On the client, with `revocation` on a memory storage.
    Revocable,
    Memory,
    Directory,
}

impl Place {
    pub fn on_server(self) -> bool {
        matches!(self, Self::Memory | Self::Directory)
    }
}

/// `max_sessions_per_owner = 2`, and its policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    None,
    EndOldest,
    Refuse,
}

/// One definition of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    pub place: Place,
    pub limit: Limit,
    /// Ids are renewed by themselves, with `renew_after`.
    pub renews: bool,
}

/// What the request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    Nothing,
    Valid,
    /// A valid session whose expiry is due for a refresh.
    Stale,
    /// The token from before a renewal a moment ago.
    Renewed,
    /// The token from before a renewal a while ago; a refresh of the expiry is due.
    RenewedLongAgo,
    /// Both tokens of a session that was renewed a moment ago.
    OldAndNew,
    /// Two sessions of one owner.
    Two,
    /// A token of ours with another ending.
    Forged,
    Expired,
    /// A session with an idle time of its own, a tenth of which is over.
    Remembered,
    /// A visitor's session.
    Visitor,
    /// The token from before a login over a visitor's session.
    Replaced,
    /// The same from before a login over a login.
    ReplacedLogin,
    /// The same after a renewal, and a login over that.
    ReplacedRenewed,
    /// The token from before a login, and the login's.
    ReplacedAndNew,
    /// The token from before a login two minutes ago.
    ReplacedLongAgo,
    /// The token from before a renewal that came by itself, and was not received.
    Open,
    /// The next token.
    OpenNext,
    /// Both of them.
    OpenBoth,
    /// The token from before, when the next one has been shown.
    Grace,
    /// The same after the grace.
    GraceOver,
    /// The token from before an open renewal, and from before a login over it.
    ReplacedOpen,
}

impl Presented {
    pub const ALL: [Self; 16] = [
        Self::Nothing,
        Self::Valid,
        Self::Stale,
        Self::Renewed,
        Self::RenewedLongAgo,
        Self::OldAndNew,
        Self::Two,
        Self::Forged,
        Self::Expired,
        Self::Remembered,
        Self::Visitor,
        Self::Replaced,
        Self::ReplacedLogin,
        Self::ReplacedRenewed,
        Self::ReplacedAndNew,
        Self::ReplacedLongAgo,
    ];

    /// Where ids are renewed by themselves.
    pub const RENEWED: [Self; 6] = [
        Self::Open,
        Self::OpenNext,
        Self::OpenBoth,
        Self::Grace,
        Self::GraceOver,
        Self::ReplacedOpen,
    ];
}

/// Whose a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Ann,
    Bob,
    /// A session of a visitor's, who has not logged in.
    Nobody,
}

/// A lifetime to give to a session. How long it is, the call's count says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    Configured,
    Idle,
    Until,
    Browser,
}

/// One call on the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Only looks; what another request does to read.
    Get,
    GetOrInsert,
    Set(Owner),
    Login(Owner),
    Update,
    UpdateNow,
    Clear,
    Discard,
    Refresh,
    Renew,
    Save,
    SetLifetime(Own),
    Touch,
    SkipTouch,
}

impl Call {
    pub const ALL: [Self; 19] = [
        Self::GetOrInsert,
        Self::Set(Owner::Ann),
        Self::Set(Owner::Bob),
        Self::Set(Owner::Nobody),
        Self::Login(Owner::Ann),
        Self::Login(Owner::Bob),
        Self::Update,
        Self::UpdateNow,
        Self::Clear,
        Self::Discard,
        Self::Refresh,
        Self::Renew,
        Self::Save,
        Self::SetLifetime(Own::Configured),
        Self::SetLifetime(Own::Idle),
        Self::SetLifetime(Own::Until),
        Self::SetLifetime(Own::Browser),
        Self::Touch,
        Self::SkipTouch,
    ];

    /// Whether it asks a storage, so that something can happen in the middle of it.
    pub fn waits(self) -> bool {
        matches!(self, Self::UpdateNow | Self::Refresh | Self::Save)
    }
}

/// What happens beside the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meanwhile {
    /// Another request with the first token that this one presents.
    Request(Node, Call),
    /// `revoke_owner` of Ann.
    Revoke(Node),
    /// The same request calls this from another task.
    Own(Call),
    /// Seconds pass.
    Wait(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// The one that serves the request.
    This,
    /// Another one on the same storage.
    Other,
}

/// Before or after an operation of the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    Before,
    After,
}

/// Something that happens at the n-th storage operation of a call, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct During {
    pub operation: usize,
    pub edge: Edge,
    pub what: Meanwhile,
}

/// How the storage takes the writes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// They fail and do nothing.
    Down,
    /// They are done, and fail then.
    LostAnswer,
    /// The first one is done, then the storage is [down](Self::Down).
    DownLater,
    /// The first one is done. Then it is as with [lost answers](Self::LostAnswer).
    LostLater,
}

impl Fault {
    /// After the first write.
    pub fn later(self) -> Self {
        match self {
            Self::DownLater => Self::Down,
            Self::LostLater => Self::LostAnswer,
            fault => fault,
        }
    }
}

/// A call and what happens around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub call: Call,
    /// From a task of its own, which the handler awaits.
    pub spawned: bool,
    /// Before the call.
    pub before: Option<Meanwhile>,
    pub during: Vec<During>,
    pub fault: Fault,
}

impl Step {
    pub fn plain(call: Call) -> Self {
        Self { call, spawned: false, before: None, during: Vec::new(), fault: Fault::None }
    }
}

/// How the handler ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    Redirect,
    NotFound,
    Failed,
    Panic,
    /// An answer that upgrades the connection.
    Upgrade,
    /// The error of the last `save`, `update_now` or `refresh` that failed, if one did.
    Question,
    /// The client goes away: the future of the dispatch is dropped in the handler.
    Dropped,
    /// It is dropped at this operation of the commit at the end.
    DroppedAt(usize, Edge),
}

/// One request, whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub settings: Settings,
    pub presented: Presented,
    /// While the session is loaded.
    pub loading: Vec<During>,
    pub steps: Vec<Step>,
    pub outcome: Outcome,
    /// While the response fairing commits.
    pub committing: Vec<During>,
    /// In the commit at the end.
    pub fault: Fault,
}

impl Scenario {
    pub fn plain(settings: Settings, presented: Presented, calls: &[Call]) -> Self {
        Self {
            settings,
            presented,
            loading: Vec::new(),
            steps: calls.iter().copied().map(Step::plain).collect(),
            outcome: Outcome::Ok,
            committing: Vec::new(),
            fault: Fault::None,
        }
    }

    /// What another request does: one call, then 200.
    pub fn other(settings: Settings, call: Call) -> Self {
        Self::plain(settings, Presented::Nothing, &[call])
    }
}

fn list(f: &mut fmt::Formatter<'_>, during: &[During]) -> fmt::Result {
    for During { operation, edge, what } in during {
        write!(f, "; {edge:?} its storage operation {operation}: {what:?}")?;
    }
    Ok(())
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(before) = self.before {
            write!(f, "(first: {before:?}) ")?;
        }
        write!(f, "{:?}", self.call)?;
        if self.spawned {
            write!(f, " in a task")?;
        }
        if self.fault != Fault::None {
            write!(f, "; its writes: {:?}", self.fault)?;
        }
        list(f, &self.during)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { place, limit, renews } = self.settings;
        let renews = if renews { ", renewals" } else { "" };
        writeln!(f, "  settings: {place:?}, limit {limit:?}{renews}")?;
        write!(f, "  presented: {:?}", self.presented)?;
        list(f, &self.loading)?;
        for (number, step) in self.steps.iter().enumerate() {
            write!(f, "\n  call {number}: {step}")?;
        }
        write!(f, "\n  outcome: {:?}", self.outcome)?;
        if self.fault != Fault::None {
            write!(f, "; the commit's writes: {:?}", self.fault)?;
        }
        list(f, &self.committing)
    }
}
