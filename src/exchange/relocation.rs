//! A session that goes on under another name: it came from another format, or
//! has an id of Ktor's, no part of which can be replaced.

use std::sync::Arc;

use super::decision::{Candidate, Commit, Decision};
use super::{Done, Job};
use crate::SessionData;
use crate::definition::Server;
use crate::error::SessionError;
use crate::state::Plan;
use crate::tracker::{Origin, Place};

/// Whether this decision gives the session another name.
pub(super) fn moves(origin: &Origin, decision: &Decision) -> bool {
    let is_ktor = match &origin.place {
        Place::Server(located) => located.id.as_ktor().is_some(),
        Place::Client { .. } => false,
    };
    origin.accepted || is_ktor && decision.renew
}

impl Commit<'_> {
    /// Writes the session under a new id, then ends it under the old one. If
    /// somebody else has ended or moved that meanwhile, the new one ends, and
    /// what the request changed is dropped.
    pub(super) async fn relocate<T: SessionData>(
        &self,
        server: &Server,
        job: &Job<T>,
        origin: &Arc<Origin>,
        decision: &Decision,
        next: Option<Candidate<T>>,
        done: &mut Done<T>,
    ) -> Result<(), SessionError> {
        let (Place::Server(old), Some(value)) = (&origin.place, job.value.clone()) else {
            return Ok(());
        };
        if next.is_none() && job.late {
            return Ok(());
        }
        let changed = next.is_some();
        let next = next.unwrap_or_else(|| self.candidate(value, origin.content.clone()));
        self.create(server, job, next, decision.times, done).await?;
        let ended = server.storage_of(&old.id).invalidate(&old.key).await?;
        if ended || decision.fresh {
            self.report(if origin.accepted { Plan::Create } else { Plan::Renew });
            return Ok(());
        }
        if let Some(Place::Server(new)) = done.origin.as_deref().map(|origin| &origin.place) {
            server.storage_of(&new.id).invalidate(&new.key).await?;
        }
        *done = Done::keep(job);
        if changed {
            (done.origin, done.value) = (None, None);
            (done.moved, done.dropped) = (true, true);
            self.core.report_dropped(self.definition);
        }
        Ok(())
    }
}
