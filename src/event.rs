//! What happened to sessions, for audit logs and counters.

/// Something that happened to a session. Never carries an id or a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionEvent {
    /// What happened.
    pub kind: SessionEventKind,
    /// The definition: `SessionData::NAME`.
    pub session: String,
}

/// What happened to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionEventKind {
    /// A session began.
    Created,
    /// A session went on under a new id.
    Renewed,
    /// A session was ended by `clear()`.
    Ended,
    /// A client presented a session whose time is over.
    Expired,
    /// A client presented a token that names no session: malformed, forged or unknown.
    Rejected,
    /// A session was ended from outside.
    Revoked,
    /// A request's changes were dropped, because its session ended meanwhile.
    ChangesDropped,
}
