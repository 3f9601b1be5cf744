//! The operations on one record.

use rocket::async_trait;
use rocket_typed_sessions::storage::{
    Create, Invalidate, OwnerGuard, OwnerIndex, Predecessor, Record, Refused, SessionStorage,
    StorageError, StorageKey, Succeed, Successor, Timestamp, Touch, Update, Version,
};
use tokio::task::yield_now;

use super::*;

#[async_trait]
impl SessionStorage for Plain {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create, StorageError> {
        let key = self.key(key);
        self.without_index(&guard)?;
        if self.has(Bug::CreatesOutsideTheCheck) {
            if self.stands(&self.state(), &key, now) {
                return Ok(Create::Exists);
            }
            yield_now().await;
        }
        let outside = [Bug::ChecksTheGenerationOutsideTheWrite, Bug::ChecksTheLimitOutsideTheWrite];
        let early = outside.contains(&self.bug).then(|| {
            let state = self.state();
            let mut guard = guard.clone();
            if self.has(Bug::ChecksTheLimitOutsideTheWrite) {
                guard.generation = None;
            } else {
                guard.limit = None;
            }
            self.admit(&state, &record, &guard, now)
        });
        if early.is_some() {
            for _ in 0..3 {
                yield_now().await;
            }
        }
        let mut state = self.state();
        let found = state.records.get(&key).filter(|found| self.lives(found, now));
        if found.is_some_and(|found| found.version == record.version)
            && !self.has(Bug::DeniesItsOwnCreate)
        {
            if self.has(Bug::WritesItsOwnCreateAgain) {
                self.put(&mut state, &key, record);
            }
            return Ok(Create::Created);
        }
        let overwrites = self.has(Bug::CreateOverwrites) || self.has(Bug::CreatesOutsideTheCheck);
        if self.stands(&state, &key, now) && !overwrites {
            return Ok(Create::Exists);
        }
        if self.marked(&state, &key, now) {
            return Ok(Create::Refused(Refused::Revoked));
        }
        let mut guard = guard;
        if self.has(Bug::ChecksTheGenerationOutsideTheWrite) {
            guard.generation = None;
        }
        if self.has(Bug::ChecksTheLimitOutsideTheWrite) {
            guard.limit = None;
        }
        let late = self.admit(&state, &record, &guard, now);
        let admitted = match (early, late) {
            (Some(Err(refused)), _) => Err(refused),
            (Some(Ok(victims)), Ok(_)) if self.has(Bug::ChecksTheLimitOutsideTheWrite) => {
                Ok(victims)
            }
            (_, late) => late,
        };
        match admitted {
            Ok(victims) => {
                for victim in victims {
                    self.remove(&mut state, &victim);
                }
                if !self.has(Bug::CreateForgetsTheIndex) {
                    self.remove(&mut state, &key);
                }
                self.put(&mut state, &key, record);
                Ok(Create::Created)
            }
            Err(refused) => Ok(Create::Refused(refused)),
        }
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>, StorageError> {
        let key = self.key(key);
        let mut state = self.state();
        if self.has(Bug::ReadCreates) && !state.records.contains_key(&key) {
            let nothing: [u8; 0] = [];
            let record = Record {
                version: Version::from_u64(0),
                payload: nothing.into(),
                owner: None,
                created: now,
                last_seen: now,
                expires: now,
            };
            self.put(&mut state, &key, record);
        }
        let read_mark = self.has(Bug::ReadsMarks) && self.marked(&state, &key, now);
        let found = state.records.get(&key).or(state.graves.get(&key).filter(|_| read_mark));
        Ok(found.filter(|stored| self.lives(stored, now)).cloned())
    }

    async fn read_many(
        &self,
        keys: &[StorageKey],
        now: Timestamp,
    ) -> Vec<Result<Option<Record>, StorageError>> {
        let mut found = Vec::new();
        for key in keys {
            found.push(self.read(key, now).await);
        }
        if self.has(Bug::ReadsManyInAnyOrder) {
            found.reverse();
        }
        if self.has(Bug::SkipsWhatIsMissing) {
            found.retain(|found| !matches!(found, Ok(None)));
        }
        found
    }

    fn is_remote(&self) -> bool {
        true
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        let key = self.key(key);
        let mut compared = false;
        if self.has(Bug::ComparesOutsideTheWrite) {
            let version = self.state().records.get(&key).map(|stored| stored.version);
            compared = version == Some(expected);
            for _ in 0..3 {
                yield_now().await;
            }
        }
        if self.has(Bug::WritesInTwoSteps) {
            {
                let mut state = self.state();
                let present = state.records.get_mut(&key);
                let changes = |stored: &&mut Record| {
                    stored.version == expected && stored.owner != record.owner
                };
                if let Some(stored) = present.filter(changes) {
                    stored.payload = record.payload.clone();
                }
            }
            yield_now().await;
        }
        let mut state = self.state();
        let before = state.records.get(&key).cloned();
        let live =
            before.filter(|stored| self.lives(stored, now) || self.has(Bug::UpdatesTheExpired));
        let Some(before) = live else {
            if self.has(Bug::UpdateInserts) {
                self.put(&mut state, &key, record);
                return Ok(Update::Updated);
            }
            return Ok(Update::Missing);
        };
        if before.version == record.version && !self.has(Bug::DeniesItsOwnUpdate) {
            if self.has(Bug::WritesItsOwnUpdateAgain) {
                self.put(&mut state, &key, record);
            }
            return Ok(Update::Updated);
        }
        if before.version != expected && !compared && !self.has(Bug::IgnoresTheVersion) {
            if self.has(Bug::WritesDespiteAConflict) {
                self.put(&mut state, &key, record);
            }
            return Ok(Update::Conflict);
        }
        let another = record.owner.is_some() && record.owner != before.owner;
        if another && !self.has(Bug::UpdateChangesTheOwner) {
            return Err(StorageError::Other("it is another owner's".into(), None));
        }
        if record.owner.is_none() && !self.has(Bug::UpdateForgetsTheIndex) {
            self.leave(&mut state, before.owner.as_ref(), &key);
        }
        let mut record = record;
        if self.has(Bug::NeverShortens) {
            record.expires = record.expires.max(before.expires);
        }
        self.put(&mut state, &key, record);
        Ok(Update::Updated)
    }

    async fn succeed(
        &self,
        new: Successor<'_>,
        old: Predecessor<'_>,
        now: Timestamp,
    ) -> Result<Succeed, StorageError> {
        let mut expected = old.expected;
        if self.has(Bug::ALoginReplacesAnyVersion) {
            let present = self.state().records.get(&self.key(old.key)).map(|stored| stored.version);
            expected = present.unwrap_or(expected);
        }
        let before = self.read(old.key, now).await?;
        let created = self.create(new.key, new.record, new.guard, now).await?;
        let refused = created != Create::Created;
        let mut updated = Update::Updated;
        if !self.has(Bug::NeverReplaces) && (!refused || self.has(Bug::ReplacesDespiteARefusal)) {
            updated = self.update(old.key, expected, old.record, now).await?;
        }
        let mut state = self.state();
        if updated != Update::Updated && self.has(Bug::ALoginNeedsItsPredecessor) {
            self.remove(&mut state, &self.key(new.key));
        }
        if let Some(owner) = before.and_then(|before| before.owner)
            && self.has(Bug::TheReplacedStayInTheIndex)
        {
            state.index.entry(owner).or_default().insert(old.key.clone());
        }
        Ok(match created {
            Create::Created => Succeed::Created(updated),
            Create::Exists => Succeed::Exists,
            Create::Refused(refused) => Succeed::Refused(refused),
        })
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError> {
        let key = self.key(key);
        if self.has(Bug::TouchWritesTheWholeRecord) {
            let found = self.state().records.get(&key).cloned();
            let Some(found) = found.filter(|found| found.is_live(last_seen)) else {
                return Ok(Touch::Missing);
            };
            for _ in 0..5 {
                yield_now().await;
            }
            let mut state = self.state();
            let Some(stored) = state.records.get_mut(&key) else { return Ok(Touch::Missing) };
            *stored = found;
            stored.last_seen = last_seen.max(stored.last_seen);
            stored.expires = expires.max(stored.expires);
            return Ok(Touch::Touched);
        }
        let mut state = self.state();
        if self.has(Bug::TouchRevives)
            && !state.records.contains_key(&key)
            && let Some(dead) = state.graves.get(&key).cloned()
        {
            state.records.insert(key.clone(), dead);
        }
        let bumped = state.version + 1;
        let present = state.records.get_mut(&key);
        let Some(stored) = present.filter(|stored| self.lives(stored, last_seen)) else {
            return Ok(Touch::Missing);
        };
        if self.has(Bug::TouchShortens) {
            (stored.last_seen, stored.expires) = (last_seen, expires);
        } else if !self.has(Bug::TouchDoesNothing) {
            stored.last_seen = stored.last_seen.max(last_seen);
            stored.expires = stored.expires.max(expires);
        }
        if self.has(Bug::TouchBumpsTheVersion) {
            stored.version = Version::from_u64(bumped);
            state.version = bumped;
        }
        Ok(Touch::Touched)
    }

    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate, StorageError> {
        let key = self.key(key);
        let mut state = self.state();
        let answer =
            |was_there| if was_there { Invalidate::Invalidated } else { Invalidate::Missing };
        let present = state.records.get(&key).map(|stored| stored.version);
        let conflict = expected.is_some_and(|version| present.is_some_and(|at| at != version));
        if !conflict || self.has(Bug::AConflictLeavesAMark) {
            self.mark(&mut state, &key, mark);
        }
        if conflict && !self.has(Bug::AnEndIgnoresTheVersion) {
            return Ok(Invalidate::Conflict);
        }
        if self.has(Bug::InvalidateKeepsTheRecord) {
            return Ok(answer(present.is_some()));
        }
        let owner = state.records.get(&key).and_then(|stored| stored.owner.clone());
        let removed = self.remove(&mut state, &key).is_some();
        let stays = self.has(Bug::ListsMarks) && mark.is_some();
        if (stays || self.has(Bug::InvalidateForgetsTheIndex))
            && let Some(owner) = owner
        {
            state.index.entry(owner).or_default().insert(key);
        }
        Ok(answer(removed || self.has(Bug::InvalidateAlwaysSaysYes)))
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError> {
        let mut state = self.state();
        let before = state.marks.len();
        let stands = |until: Timestamp| now < until && !self.has(Bug::PurgesStandingMarks);
        state.marks.retain(|_, until| self.has(Bug::KeepsMarksForEver) || stands(*until));
        let gone = before - state.marks.len();
        let limit = match self.bug {
            Bug::PurgesWithoutLimit => usize::MAX,
            _ => limit,
        };
        let expired = state
            .records
            .iter()
            .filter(|(_, stored)| !stored.is_live(now) || self.has(Bug::PurgesTheLiving));
        let passed_over =
            |key: &StorageKey| self.has(Bug::PurgesOnlySome) && key.as_bytes()[0].is_multiple_of(2);
        let expired: Vec<_> = expired
            .map(|(key, _)| key.clone())
            .filter(|key| !passed_over(key))
            .take(limit)
            .collect();
        for key in &expired {
            self.remove(&mut state, key);
        }
        Ok(expired.len() + if self.has(Bug::CountsMarksInAPurge) { gone } else { 0 })
    }

    fn owners(&self) -> Option<&dyn OwnerIndex> {
        let none = [Bug::NoIndex, Bug::NoIndexAndNoGuard, Bug::NoIndexAndNothingReplaced]
            .contains(&self.bug);
        (!none).then_some(self)
    }
}
