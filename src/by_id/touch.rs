//! The refresh of a session's expiry.

use std::sync::Arc;

use rocket::warn;
use tokio::time::timeout_at;

use super::Located;
use super::commit::{Job, Records};
use crate::background::in_background;
use crate::error::SessionError;
use crate::expiry::Times;
use crate::request::load::too_late;
use crate::request::plan::Snapshot;
use crate::request::tracked::Tracked;
use crate::storage::Touch;

impl Job<'_> {
    /// Refreshes the expiry. A failure is a warning: nothing that the client
    /// asked for is lost. Nobody waits for it.
    pub(super) async fn touch(
        &self,
        session: &Tracked<Located>,
        times: Times,
        records: &mut Records<'_>,
    ) {
        let refreshed = Box::pin(self.refresh(&session.place, times));
        // The clock must not move in the middle of it.
        let waits = self.commit.core.clock.is_moved();
        let refreshed = if waits { Some(refreshed.await) } else { in_background(refreshed).await };
        if refreshed != Some(false) {
            let snapshot = Snapshot { times, ..session.snapshot };
            records.goes_on(Arc::new(Tracked { snapshot, ..session.clone() }), None);
        }
    }

    /// Whether the storage has taken the new times.
    fn refresh(
        &self,
        located: &Located,
        times: Times,
    ) -> impl Future<Output = bool> + Send + 'static {
        let definition = self.commit.definition;
        let (storage, key) = (self.tracker.server.storage_of(&located.id), located.key.clone());
        let expires = definition.policy.lifetime.expires(&times);
        let (deadline, name) = (self.commit.deadline, definition.namespace.session.clone());
        async move {
            let touched = timeout_at(deadline, storage.touch(&key, times.seen, expires)).await;
            let touched = touched.map_err(|_| too_late());
            match touched.and_then(|touched| touched.map_err(SessionError::from)) {
                Ok(touched) => touched == Touch::Touched,
                Err(cause) => {
                    warn!("Session `{name}`: its expiry could not be refreshed: {cause}.");
                    false
                }
            }
        }
    }
}
