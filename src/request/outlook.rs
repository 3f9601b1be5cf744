//! Predicts the next commit: the answers to `id`, `csrf_token`, `created_at` and
//! `expires_at`. They come from [`plan`](crate::plan), as the commit does.

use rocket::error;

use super::entry::Entry;
use super::parts::Planned;
use super::presented::SessionSet;
use crate::application::Tracker;
use crate::by_id;
use crate::codec::Content;
use crate::data::SessionData;
use crate::error::SessionError;
use crate::expiry::{OwnLifetime, Times};
use crate::plan::{Asked, Plan, Standing, ValueChange, plan};
use crate::storage::{OwnerKey, StorageKey};
use crate::token::SessionId;

impl<T: SessionData> Entry<T> {
    /// The plan of a commit at this moment, and the sessions that it would work on.
    fn outlook(&self) -> (Plan, SessionSet) {
        let (mut asked, changes, value, committed, sessions, encoded) = {
            let state = self.state.lock();
            let (asked, changes) = state.asked();
            let (sessions, committed) = state.before_pending();
            (asked, changes, state.value.clone(), committed, sessions, state.encoded())
        };
        // User code runs outside the lock.
        if let Some(value) = value.filter(|_| changes) {
            let codec = &self.definition.codec;
            let encoded =
                encoded.map_or_else(|| codec.encode(&*value).map(Content::from_bytes), Ok);
            let same = encoded.is_ok_and(|encoded| {
                sessions.content().is_some_and(|content| content.bytes() == encoded.bytes())
            });
            let owner = value.owner();
            asked = Asked {
                value: if same { ValueChange::Same } else { ValueChange::Changed },
                owner_changes: committed.is_some_and(|before| before.owner() != owner),
                owned: owner.is_some(),
                ..asked
            };
        }
        let moment = self.moment(false);
        (plan(sessions.standing(), &asked, &self.definition.policy, &moment), sessions)
    }

    /// The session's times after the next commit.
    pub fn times(&self) -> Option<Times> {
        let (plan, sessions) = self.outlook();
        plan.times(sessions.snapshot())
    }

    /// The session's lifetime after the next commit. Without a session it is the lifetime
    /// of one that this request may still begin.
    pub fn lifetime(&self) -> OwnLifetime {
        let coming = || {
            let (asked, _) = self.state.lock().asked();
            asked.lifetime.or(asked.earlier_lifetime).unwrap_or_default()
        };
        self.times().map_or_else(coming, |times| times.lifetime)
    }

    /// The session's id after the next commit. `None` by value.
    pub fn id(&self) -> Option<SessionId> {
        if let Tracker::ByValue(_) = &self.definition.tracker {
            return None;
        }
        let coming = self.coming_id().unwrap_or_else(|cause| {
            error!("Session `{}` has no id: {cause}.", self.definition.namespace.session);
            None
        });
        coming.map(|(id, _)| id)
    }

    /// The input of CSRF tokens after the next commit: the part of the id that names the
    /// session, and the CSRF generation.
    pub fn csrf_name(&self) -> Result<Option<([u8; 16], u32)>, SessionError> {
        let coming = self.coming_id()?.or_else(|| self.superseded_id());
        let name = |id: SessionId| match self.definition.tracker {
            Tracker::ByValue(_) => id.secret(),
            Tracker::ById(_) => id.locator(),
        };
        Ok(coming.map(|(id, generation)| (name(id), generation)))
    }

    /// The id and CSRF generation of a superseded session, so that its forms can still be
    /// sent. `None` after a `clear` of a session whose id a renewal has replaced.
    fn superseded_id(&self) -> Option<(SessionId, u32)> {
        let state = self.state.lock();
        let sessions = &state.presented.sessions;
        let ends = sessions.standing() == Standing::Renewed && state.asked().0.clear;
        sessions.superseded().filter(|_| !ends).map(|replaced| replaced.forms.clone())
    }

    /// The session's id after the next commit, and its CSRF generation. By value, the
    /// id's secret is the token's id.
    fn coming_id(&self) -> Result<Option<(SessionId, u32)>, SessionError> {
        let (plan, sessions) = self.outlook();
        match (&plan, &sessions) {
            (Plan::End, _) => Ok(None),
            (Plan::Create { .. } | Plan::Login { .. } | Plan::Move { .. }, _) => {
                self.planned(None).map(Some)
            }
            (_, SessionSet::ByValue(_, sessions)) => {
                let Some(session) = &sessions.one else { return Ok(None) };
                match plan {
                    Plan::Write { renewal: Some(_), .. } => self.planned(None).map(Some),
                    _ => Ok(Some((SessionId::from_token_id(session.place.token_id), 0))),
                }
            }
            (_, SessionSet::ById(_, sessions)) => {
                let Some(session) = &sessions.one else { return Ok(None) };
                let by_id::Located { id, secrets, .. } = &session.place;
                let rotates = match plan {
                    Plan::Write { renewal: Some(renewal), .. } => renewal.rotates,
                    _ => return Ok(Some((id.clone(), secrets.rotations))),
                };
                let rotations = secrets.rotations.wrapping_add(rotates.into());
                let (id, planned) = self.planned(Some((id, rotations)))?;
                // Forms stay valid through a periodic renewal.
                Ok(Some((id, if rotates { planned } else { rotations })))
            }
        }
    }

    /// The id that the next commit gives, and the CSRF generation under it. It is drawn at
    /// the first call: `renewed` with another secret, or a fresh id.
    pub(super) fn planned(
        &self,
        renewed: Option<(&SessionId, u32)>,
    ) -> Result<(SessionId, u32), SessionError> {
        let mut state = self.state.lock();
        match (&state.planned, renewed) {
            (Some(Planned::Fresh(id)), None) => return Ok((id.clone(), 0)),
            (Some(Planned::Renewed(id, rotations)), Some((of, least)))
                if id.locator() == of.locator() && *rotations >= least =>
            {
                return Ok((id.clone(), *rotations));
            }
            _ => {}
        }
        let renewed = renewed.map(|(id, least)| {
            // An unsettled write may have used up a generation, even if its changes are dropped.
            let unsettled = state.unsettled.as_ref().map(|one| &one.attempt.written.place);
            let after = unsettled.map_or(0, |place| place.secrets.rotations.wrapping_add(1));
            (id, least.max(after))
        });
        let (id, rotations) = match renewed {
            Some((id, rotations)) => (id.renewed(&self.core().random)?, rotations),
            None => (self.fresh_id()?, 0),
        };
        state.planned = Some(match renewed {
            Some(_) => Planned::Renewed(id.clone(), rotations),
            None => Planned::Fresh(id.clone()),
        });
        Ok((id, rotations))
    }

    /// The committed owner of the session, and the key of its record if it is by id.
    pub fn owner_and_key(&self) -> Option<(OwnerKey, Option<StorageKey>)> {
        let (value, key) = {
            let state = self.state.lock();
            (state.committed.clone()?, state.presented.sessions.key().cloned())
        };
        Some((self.definition.value_owner(&*value)?, key))
    }

    /// The epoch in the session's token. Zero by id.
    pub fn epoch(&self) -> u64 {
        match &self.state.lock().presented.sessions {
            SessionSet::ByValue(_, sessions) => {
                sessions.one.as_ref().map_or(0, |one| one.place.epoch)
            }
            SessionSet::ById(..) => 0,
        }
    }
}
