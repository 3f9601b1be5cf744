//! The refresh of a session's expiry.

use std::sync::Arc;

use rocket::warn;
use tokio::time::timeout_at;

use super::decision::Commit;
use super::{Done, Job, too_late};
use crate::background::in_background;
use crate::definition::Server;
use crate::error::SessionError;
use crate::expiry::Times;
use crate::tracker::{Located, Origin, Place};

impl Commit<'_> {
    /// Refreshes the expiry. A failure is a warning: nothing that the client
    /// asked for is lost. Nobody waits for it unless the token goes out again.
    pub(super) async fn touch<T>(
        &self,
        server: &Server,
        job: &Job<T>,
        origin: &Origin,
        times: Times,
        done: &mut Done<T>,
    ) {
        let Place::Server(located) = &origin.place else { return };
        let resend = origin.stale_key || self.definition.token_expires_early;
        let resend = resend && !job.late && !located.grace;
        if self.definition.lifetime.touch_due(&origin.times, self.now) {
            let refreshed = Box::pin(self.refresh(server, located, times));
            let waits = resend || self.core.clock.is_moved();
            let refreshed =
                if waits { Some(refreshed.await) } else { in_background(refreshed).await };
            if refreshed == Some(false) {
                return;
            }
        }
        if resend {
            done.emission = self.id_token(&located.id, &times).unwrap_or_default();
        }
        done.origin = Some(Arc::new(Origin { times, stale_key: false, ..origin.clone() }));
    }

    /// Whether the storage has taken the new times.
    fn refresh(
        &self,
        server: &Server,
        located: &Located,
        times: Times,
    ) -> impl Future<Output = bool> + Send + 'static {
        let (storage, key) = (server.storage_of(&located.id), located.key.clone());
        let expires = self.definition.lifetime.expires(&times);
        let (deadline, name) = (self.deadline, self.definition.name.clone());
        async move {
            let touched = timeout_at(deadline, storage.touch(&key, times.seen, expires)).await;
            let touched = touched.map_err(|_| too_late());
            let failed = touched.and_then(|touched| touched.map_err(SessionError::from)).err();
            if let Some(cause) = &failed {
                warn!("Session `{name}`: its expiry could not be refreshed: {cause}.");
            }
            failed.is_none()
        }
    }
}
