//! The commit of a session whose payload the client carries.

use std::sync::Arc;

use super::decision::{Candidate, Commit, Decision};
use super::{Done, Job, owner_of};
use crate::SessionData;
use crate::error::SessionError;
use crate::state::Plan;
use crate::tracker::{Origin, Place, by_value};

impl Commit<'_> {
    pub async fn on_client<T: SessionData>(
        &self,
        job: &Job<T>,
        next: Option<Candidate<T>>,
    ) -> Result<Done<T>, SessionError> {
        let origin = job.origin.as_deref().filter(|_| !job.pending.ended);
        let decision = self.decide(job, origin, next.as_ref());
        let mut done = Done::keep(job);
        if decision.plan == Plan::Keep {
            return Ok(done);
        }
        if job.late {
            return Err(SessionError::TooLate);
        }
        let epoch = self.epoch(job, &decision, origin, next.as_ref()).await?;
        // A touch seals what was found once more.
        let content = next.map(|next| next.content).or_else(|| Some(origin?.content.clone()));
        let Some(content) = content.filter(|_| decision.plan != Plan::End) else {
            self.end_for_all(job, &decision).await?;
            self.report_end(job);
            done.origin = None;
            done.emission = Self::removal(job);
            return Ok(done);
        };
        // A token of another format has no id to keep.
        let before = origin.filter(|origin| !decision.renew && !origin.accepted);
        let (sealed, token) = by_value::seal(
            self.definition,
            &self.core.random,
            before,
            job.planned_id.as_ref(),
            epoch,
            decision.times,
            content,
        )?;
        let ended_meanwhile = match origin.filter(|_| !decision.fresh) {
            Some(origin) => self.ended_meanwhile(job, origin, epoch).await?,
            None => false,
        };
        // Of several that renew one session, the first to end its old id wins.
        let won = !ended_meanwhile && self.end_for_all(job, &decision).await?;
        if !won && !decision.fresh {
            self.core.report_dropped(self.definition);
            (done.origin, done.value) = (None, None);
            (done.moved, done.dropped) = (true, true);
            return Ok(done);
        }
        self.report_end(job);
        self.report(decision.plan);
        done.origin = Some(Arc::new(sealed));
        done.emission = self.token(token, &decision.times);
        Ok(done)
    }

    fn report_end<T>(&self, job: &Job<T>) {
        if job.pending.ended && (job.origin.is_some() || !job.others.is_empty()) {
            self.report(Plan::End);
        }
    }

    /// The epoch to seal: a session that goes on keeps its own, so that a
    /// revocation meanwhile still covers it.
    async fn epoch<T: SessionData>(
        &self,
        job: &Job<T>,
        decision: &Decision,
        origin: Option<&Origin>,
        next: Option<&Candidate<T>>,
    ) -> Result<u64, SessionError> {
        if let Some(epoch) = job.pending.epoch {
            return Ok(epoch);
        }
        if let Some(Place::Client { epoch, .. }) = origin.map(|origin| &origin.place)
            && !decision.fresh
        {
            return Ok(*epoch);
        }
        let owner = next.and_then(|next| next.owner.as_ref());
        match (&self.definition.revocation, owner) {
            (Some(revocation), Some(owner)) => {
                revocation.epoch(self.definition, owner, self.now).await
            }
            _ => Ok(0),
        }
    }

    /// Whether somebody ended a session that is to go on in this epoch.
    async fn ended_meanwhile<T: SessionData>(
        &self,
        job: &Job<T>,
        origin: &Origin,
        epoch: u64,
    ) -> Result<bool, SessionError> {
        let (Some(revocation), Place::Client { token_id, .. }) =
            (&self.definition.revocation, &origin.place)
        else {
            return Ok(false);
        };
        let owner = job.committed.as_deref().and_then(|value| owner_of(self.definition, value));
        let place = Place::Client { token_id: *token_id, epoch };
        let origin = Origin { place, ..origin.clone() };
        revocation.covers(self.definition, &origin, owner.as_ref(), self.now).await
    }

    /// Where ended sessions are remembered: ends those that the request
    /// presented and does not go on with under their ids. Says whether each was
    /// still to be ended.
    async fn end_for_all<T>(
        &self,
        job: &Job<T>,
        decision: &Decision,
    ) -> Result<bool, SessionError> {
        let Some(revocation) = &self.definition.revocation else { return Ok(true) };
        let mut all_live = true;
        let own = job.origin.as_deref().filter(|_| job.pending.ended || decision.renew);
        let all = job.pending.ended || job.pending.login;
        let others = job.others.iter().filter(|_| all);
        for origin in own.into_iter().chain(others) {
            all_live &= revocation.end(self.definition, origin, self.now).await?;
        }
        Ok(all_live)
    }
}
