//! A login over a session: another session begins under a locator of its own, and what
//! is left of the one before says for two minutes that a login replaced it. Whatever
//! a client held before is worth nothing after it, and whatever ends the one before
//! does not end the login.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::commit::{Job, Records};
use super::record::{self, Opened};
use super::replace::Proposal;
use super::{Draft, Located, Stands, Trail, read_present};
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::expiry::Times;
use crate::request::commit::Next;
use crate::request::plan::{Plan, Standing};
use crate::request::tracked::{Replaced, Tracked};
use crate::storage::{OwnerGuard, Record, StorageError, Update};

/// What somebody else has made of the session meanwhile.
enum Meanwhile {
    /// It has ended, or a login has replaced it.
    Over(Option<Arc<Replaced>>),
    /// It was written, by somebody who left the client's id alone.
    Written(Arc<Tracked<Located>>),
    /// It goes on here under an id that another request was given, to this client.
    Renewed(Box<Located>),
}

impl Job<'_> {
    /// Begins the login's session, then replaces the one before. Gives what is to be
    /// written instead, if the changes turn out to make no other session of it.
    pub(super) async fn log_in(
        &self,
        proposal: Proposal,
        records: &mut Records<'_>,
    ) -> Result<Option<Proposal>, SessionError> {
        let Proposal { plan, next, session, mut guard, .. } = proposal;
        let (Some(times), Some(mut next)) = (plan.times(None), next) else { return Ok(None) };
        if let Some(ending) = self.commit.changes.ending() {
            let _ = ending.await;
        }
        let mut old = session.place.clone();
        guard.replaces = Some(old.key.clone());
        loop {
            // The request may have dropped the login while this waited.
            if !self.commit.changes.are_wanted() {
                records.unwanted();
                return Ok(None);
            }
            let ends_others = self.commit.asked.login && !records.sessions.others.is_empty();
            let over = (!ends_others).then_some(&old);
            let id = self.commit.changes.id()?;
            let created = self.create(id.clone(), times, &next, guard.clone(), over).await;
            if matches!(created, Err(SessionError::Ended)) && old.owner == next.owner {
                // Whoever revoked the owner meanwhile has ended this session, too.
                records.sessions.lose();
            }
            if matches!(created, Err(SessionError::LimitReached))
                && let Meanwhile::Over(Some(by)) = self.look_again(&session, &old).await?
            {
                // It may take the place of the login that was first.
                (records.sessions.one, records.sessions.replaced) = (None, Some(by));
                self.create_alone(id, times, &next, guard, records).await?;
                return Ok(None);
            }
            let ((mut new, holds), mut answer) = created?;
            let mut unheld = self.unheld(&new.place);
            if ends_others {
                self.end_others(records).await?;
            }
            let other_owner = loop {
                let answer = match answer.take() {
                    Some(answer) => answer,
                    None => self.replace_by(&old, &new.place).await?,
                };
                let meanwhile = match answer {
                    Update::Conflict => self.look_again(&session, &old).await?,
                    _ => Meanwhile::Over(None),
                };
                let found = match meanwhile {
                    Meanwhile::Over(_) => {
                        unheld.keep();
                        records.goes_on(new, Some(holds));
                        self.commit.report(Event::Renewed);
                        return Ok(None);
                    }
                    Meanwhile::Written(found) => {
                        old = found.place.clone();
                        Some(found)
                    }
                    Meanwhile::Renewed(place) => {
                        old = *place;
                        None
                    }
                };
                let present = found.as_deref().map(Tracked::present);
                let Some(changed) = self.commit.changes.on(present)? else {
                    unheld.end().await?;
                    records.drop_changes(self.commit);
                    return Ok(None);
                };
                if let Some(found) = found {
                    let standing = Standing::Session(&found.snapshot);
                    let content = Some(&found.content);
                    let plan = self.commit.plan_for(standing, content, Some(&changed));
                    if !matches!(plan, Plan::Login { .. }) {
                        unheld.end().await?;
                        return self.proposal(plan, Some(changed), found).await.map(Some);
                    }
                }
                if changed.owner != next.owner {
                    unheld.end().await?;
                    break changed;
                }
                if changed.content.bytes() != next.content.bytes() {
                    new = self.rewrite(&new, times, &changed).await?;
                    unheld.keep();
                    unheld = self.unheld(&new.place);
                }
                next = changed;
            };
            guard = self.guard(other_owner.owner.as_ref()).await?;
            guard.replaces = Some(old.key.clone());
            next = other_owner;
        }
    }

    /// Replaces the session by its successor.
    async fn replace_by(&self, old: &Located, new: &Located) -> Result<Update, SessionError> {
        let left = self.left_of(old, &new.key)?;
        let (storage, now) = (self.tracker.server.storage_of(&old.id), self.commit.moment.now);
        let guard = OwnerGuard::default();
        match storage.update(&old.key, old.version, left, guard, now).await {
            // A record that cannot be read back is none.
            Err(StorageError::Corrupt(_)) => Ok(Update::Missing),
            answer => Ok(answer?),
        }
    }

    /// What is there after a conflict.
    async fn look_again(
        &self,
        before: &Tracked<Located>,
        old: &Located,
    ) -> Result<Meanwhile, SessionError> {
        let (commit, server) = (self.commit, &self.tracker.server);
        let (definition, now) = (commit.definition, commit.moment.now);
        commit.conflicted.store(true, Ordering::Relaxed);
        if Instant::now() >= commit.deadline {
            return Err(SessionError::Conflict);
        }
        let storage = server.storage_of(&old.id);
        let Some(record) = read_present(&*storage, &old.key, now).await? else {
            return Ok(Meanwhile::Over(None));
        };
        let id = &before.place.id;
        match super::session(definition, server, id, old.key.clone(), record.clone(), now) {
            Some(Stands::Replaced(by)) if by.successor.is_some() => {
                Ok(Meanwhile::Over(Some(Arc::new(by))))
            }
            Some(Stands::Session(found)) => Ok(Meanwhile::Written(Arc::from(found))),
            _ => {
                let place = self.under_another_id(before, record);
                Ok(place.map_or(Meanwhile::Over(None), |place| Meanwhile::Renewed(Box::new(place))))
            }
        }
    }

    /// Where the session is that the record holds, whatever its secrets.
    fn under_another_id(&self, before: &Tracked<Located>, record: Record) -> Option<Located> {
        let (definition, now) = (self.commit.definition, self.commit.moment.now);
        let Located { id, key, .. } = before.place.clone();
        let (version, owner) = (record.version, record.owner.clone());
        let Opened { envelope, .. } =
            record::open(definition, &self.tracker.server, &key, record, now)?;
        let (secrets, trail, joined) = (envelope.secrets, envelope.trail, envelope.joined);
        Some(Located { id, key, version, owner, secrets, trail, joined })
    }

    /// The login's session with another value. Nobody knows it yet.
    async fn rewrite(
        &self,
        new: &Tracked<Located>,
        times: Times,
        next: &Next,
    ) -> Result<Arc<Tracked<Located>>, SessionError> {
        let Located { id, key, version, owner, secrets, joined, .. } = new.place.clone();
        let trail = self.trail_after(&Trail::default(), version, &id);
        let content = next.content.clone();
        let draft =
            Draft { id, key, secrets, trail, joined, in_grace: false, times, owner, content };
        let (commit, server) = (self.commit, &self.tracker.server);
        let (record, written) =
            draft.write(commit.core, commit.definition, server, commit.client)?;
        let (storage, now) = (server.storage_of(&written.place.id), commit.moment.now);
        let guard = OwnerGuard::default();
        match storage.update(&written.place.key, version, record, guard, now).await? {
            Update::Updated => Ok(Arc::new(written)),
            // It was ended meanwhile, by a limit or with its owner.
            _ => Err(SessionError::Ended),
        }
    }
}
