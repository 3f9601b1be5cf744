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
    /// A session was ended by `clear()`, or because the answer with its new id could not be
    /// sent and nobody holds an id of it. The latter is told once the storage has ended it.
    Ended,
    /// A client presented a genuine token whose session is over: its time has
    /// run out, it was ended, or it goes on under another id.
    Expired,
    /// A client presented something that is no session: a malformed or forged
    /// token, several sessions at once, a payload that does not decode.
    Rejected,
    /// A session was ended from outside.
    Revoked,
    /// A client presented a session in Ktor's format, which `accept = ["ktor"]`
    /// lets in and this request re-issues natively. When this is no longer seen,
    /// everybody has migrated.
    KtorAccepted,
    /// A request's changes were dropped, because its session ended meanwhile.
    ChangesDropped,
}
