//! Writes the record of a session that begins.

use std::sync::Arc;

use super::former::Former;
use super::succession::Succession;
use crate::by_id::envelope::Provenance;
use crate::by_id::job::Job;
use crate::by_id::present::read_trail;
use crate::by_id::record::{Draft, Located};
use crate::by_id::secrets::Secrets;
use crate::by_id::trail::Trail;
use crate::commit::Holds;
use crate::error::{EncodeError, SessionError};
use crate::storage::{
    Create, OwnerGuard, Predecessor, Record, SessionStorage, Succeed, Successor, Update,
};
use crate::token::SessionId;
use crate::tracked::Tracked;

/// How many ids are tried before the random generator counts as broken. Two equal ids of 256 random
/// bits do not occur in practice (docs/security.md, S4).
const ID_ATTEMPTS: usize = 3;

/// A session that has begun.
pub(in crate::by_id) struct Begun {
    pub session: Arc<Tracked<Located>>,
    /// The session's token.
    pub holds: Holds,
    /// What became of the session that it replaces, if the same step replaced it.
    pub replaced: Option<Update>,
}

impl Job<'_> {
    /// Writes the record of a session that begins under `id`, or under another id if that is taken.
    /// The same step replaces the session `over`.
    pub(in crate::by_id) async fn create(
        &self,
        id: SessionId,
        begins: &Succession,
        over: Option<&Former>,
    ) -> Result<Begun, SessionError> {
        let mut first = Some(id);
        for _ in 0..ID_ATTEMPTS {
            let id = first.take().map_or_else(|| self.commit.changes.id(), Ok)?;
            let (record, begun) = self.beginning(id, begins)?;
            let place = &begun.session.place;
            match self.send(place, record, begins.guard(), over).await? {
                (Create::Created, replaced) => return Ok(Begun { replaced, ..begun }),
                // The record was sent twice, and another request has written it in between.
                (Create::Exists, _) if self.is_own(place).await? => return Ok(begun),
                (Create::Exists, _) => self.commit.changes.draw_another_id(),
                (Create::Refused(refused), _) => return Err(refused.into()),
            }
        }
        if self.tracker.identity.is_some() {
            let message = "`identity` returned the id of another session";
            return Err(SessionError::Encode(EncodeError::new(message)));
        }
        Err(SessionError::Random)
    }

    /// Makes the record of a session that begins under `id`, and the session as it is then.
    fn beginning(
        &self,
        id: SessionId,
        begins: &Succession,
    ) -> Result<(Record, Begun), SessionError> {
        let (commit, times) = (self.commit, begins.times);
        let holds = self.token(&id, &times)?;
        let draft = Draft {
            key: commit.definition.namespace.record(&id.locator()),
            secrets: Secrets::new(&id),
            trail: Trail::default(),
            provenance: Provenance::from(begins.ancestor.clone()),
            id,
            in_grace: false,
            times,
            owner: begins.next.owner.clone(),
            content: begins.next.content.clone(),
        };
        let (record, written) =
            draft.write(commit.core, commit.definition, &self.tracker.store, commit.client)?;
        Ok((record, Begun { session: written, holds, replaced: None }))
    }

    /// Sends the record once. If no answer comes, it is ended and never sent again. The session may
    /// then begin under another id.
    async fn send(
        &self,
        place: &Located,
        record: Record,
        guard: OwnerGuard,
        over: Option<&Former>,
    ) -> Result<(Create, Option<Update>), SessionError> {
        let (storage, now) = (self.tracker.store.storage_for(&place.id), self.commit.moment.now);
        let unheld = self.unheld(place);
        let (answer, may_be_written) = match over {
            None => {
                let answer = storage.create(&place.key, record, guard, now).await;
                let answer = answer.map(|answer| (answer, None)).map_err(SessionError::from);
                (answer, storage.loses_answers())
            }
            Some(over) => {
                let new = Successor { key: &place.key, record, guard };
                (self.send_both(&**storage, new, over).await, true)
            }
        };
        if answer.is_ok() || !may_be_written {
            unheld.keep();
        } else {
            let _ = unheld.end().await;
        }
        answer
    }

    /// Sends the record together with what it leaves of the session that it replaces.
    async fn send_both(
        &self,
        storage: &dyn SessionStorage,
        new: Successor<'_>,
        over: &Former,
    ) -> Result<(Create, Option<Update>), SessionError> {
        let (key, now) = (new.key, self.commit.moment.now);
        let left = self.remains_of(over, key)?;
        let old = Predecessor { key: &over.key, expected: over.version, record: left };
        match self.answer_to(storage.succeed(new, old, now)).await {
            Ok(Succeed::Created(replaced)) => Ok((Create::Created, Some(replaced))),
            Ok(Succeed::Exists) => Ok((Create::Exists, None)),
            Ok(Succeed::Refused(refused)) => Ok((Create::Refused(refused), None)),
            Err(_) if self.is_replaced_by(over, key).await => {
                Ok((Create::Created, Some(Update::Updated)))
            }
            Err(cause) => Err(cause.into()),
        }
    }

    /// Whether this commit created the record at `place`.
    async fn is_own(&self, place: &Located) -> Result<bool, SessionError> {
        let storage = self.tracker.store.storage_for(&place.id);
        if !storage.sends_again() {
            return Ok(false);
        }
        let found = storage.read_fresh(&place.key, self.commit.moment.now).await?;
        let trail = |record: &Record| read_trail(record, self.commit.definition);
        let knows = |record: Record| trail(&record).knows(place.version, record.version);
        Ok(found.is_some_and(knows))
    }
}
