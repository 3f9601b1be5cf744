//! Events of sessions, for audit logs and metrics.
//!
//! [`SessionsFairing::on_event`](crate::SessionsFairing::on_event) registers a
//! listener.

/// An event of a session. It contains neither an id nor a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionEvent {
    /// What happened.
    pub kind: SessionEventKind,
    /// The session's name: [`SessionData::NAME`](crate::SessionData::NAME).
    pub session: String,
}

/// What happened to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionEventKind {
    /// A session began.
    Created,
    /// A session got a new id.
    Renewed,
    /// A request ended its session with [`Session::clear`](crate::Session::clear). It is also
    /// reported if the response with a session's new id could not be sent: no client has that id,
    /// so the session was ended in the background.
    Ended,
    /// A client presented a genuine token whose session is over: it has expired, it
    /// was ended, or it has another id now.
    Expired,
    /// A client presented no valid session: its token is malformed or forged, it
    /// presented several sessions at once, or the payload does not decode.
    Rejected,
    /// A [`SessionManager`](crate::SessionManager) ended one or more sessions.
    Revoked,
    /// A client presented a session in Ktor's format, which `accept = ["ktor"]`
    /// admits. The request issues it again in the native format. When this event no
    /// longer occurs, every client has migrated.
    KtorAccepted,
    /// A request's changes were dropped, because its session ended in the meantime.
    ChangesDropped,
}
