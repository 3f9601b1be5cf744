//! [`SessionInfo`]: an entry in the list of an owner's sessions.

use std::time::SystemTime;

use crate::client::ClientInfo;
use crate::handle::SessionHandle;

/// One entry in the list of an owner's sessions, which
/// [`SessionManager::list`](crate::SessionManager::list) returns.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionInfo<T> {
    /// Identifies the session for
    /// [`SessionManager::revoke`](crate::SessionManager::revoke). A page may show
    /// it.
    pub handle: SessionHandle,
    /// The session's value.
    pub value: T,
    /// When the session began.
    pub created_at: SystemTime,
    /// When the session was last used. The last use may be up to `touch_after`
    /// later, because uses are recorded at most that often.
    pub last_seen_at: SystemTime,
    /// When the session ends unless it is used again.
    pub expires_at: SystemTime,
    /// The self-reported client, with `remember_client = true`.
    pub client: Option<ClientInfo>,
}
