//! The commit of a session whose payload the client carries.

use std::sync::Arc;

use super::decision::{Candidate, Commit};
use super::{Done, Job};
use crate::SessionData;
use crate::error::SessionError;
use crate::state::{Emission, Plan};
use crate::tracker::by_value;

impl Commit<'_> {
    pub fn to_client<T: SessionData>(
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
        // A touch seals what was found once more.
        let content = next.map(|next| next.content).or_else(|| Some(origin?.content.clone()));
        let Some(content) = content.filter(|_| decision.plan != Plan::End) else {
            done.origin = None;
            done.emission = Self::removal(job);
            self.report(Plan::End);
            return Ok(done);
        };
        let before = origin.filter(|_| !decision.renew);
        let (sealed, token) =
            by_value::seal(self.definition, &self.core.random, before, decision.times, content)?;
        done.origin = Some(Arc::new(sealed));
        done.emission = Emission::Token(token);
        self.report(decision.plan);
        Ok(done)
    }
}
