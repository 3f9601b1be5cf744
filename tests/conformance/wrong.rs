//! A storage as plain as can be, and every way to get it wrong.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use rocket::async_trait;
use rocket_typed_sessions::storage::{
    Create, Generation, Invalidate, OwnerGuard, OwnerIndex, OwnerKey, OwnerLimitPolicy, OwnerPage,
    Predecessor, Record, Refused, SessionStorage, StorageError, StorageKey, Succeed, Successor,
    Timestamp, Touch, Update, Version,
};
use tokio::task::yield_now;

/// What a storage gets wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    None,
    CreateOverwrites,
    KeepsTheExpired,
    CreateForgetsTheIndex,
    UpdateInserts,
    IgnoresTheVersion,
    ComparesOutsideTheWrite,
    WritesDespiteAConflict,
    DrawsItsOwnVersions,
    DeniesItsOwnCreate,
    WritesItsOwnCreateAgain,
    DeniesItsOwnUpdate,
    WritesItsOwnUpdateAgain,
    KeepsNoMark,
    MarksOnlyWhatItKnows,
    KeepsMarksForEver,
    AlwaysLeavesAMark,
    TheLastMarkCounts,
    AnEndWithoutAMarkRemovesIt,
    ListsMarks,
    ReadsMarks,
    CountsMarksInAPurge,
    PurgesStandingMarks,
    TouchDoesNothing,
    TouchRevives,
    TouchShortens,
    TouchBumpsTheVersion,
    TouchWritesTheWholeRecord,
    IgnoresExpiry,
    UpdatesTheExpired,
    NeverShortens,
    PurgesWithoutLimit,
    PurgesTheLiving,
    PurgesOnlySome,
    CutsKeys,
    CutsPayloads,
    ReadCreates,
    InvalidateKeepsTheRecord,
    InvalidateAlwaysSaysYes,
    UpdateForgetsTheIndex,
    InvalidateForgetsTheIndex,
    ListsTheExpired,
    ListForgetsPages,
    InvalidateOwnerCountsTheExpired,
    InvalidateOwnerTakesTheExcepted,
    CutsOwners,
    IgnoresTheGeneration,
    ChecksTheGenerationOutsideTheWrite,
    IgnoresTheLimit,
    LimitEndsTheNewest,
    LimitCountsTheExpired,
    UpdateChangesTheOwner,
    AnEndIgnoresTheVersion,
    AConflictLeavesAMark,
    ChecksTheLimitOutsideTheWrite,
    CreatesOutsideTheCheck,
    WritesInTwoSteps,
    ReplacesDespiteARefusal,
    NeverReplaces,
    ALoginNeedsItsPredecessor,
    ALoginReplacesAnyVersion,
    TheReplacedStayInTheIndex,
    CountsTheReplaced,
    PushesOutTheReplaced,
    ReplacesWhoever,
    ReplacesTheDead,
    NoIndex,
    NoIndexAndNoGuard,
    NoIndexAndNothingReplaced,
    PrivateHandles,
}

#[derive(Default)]
struct State {
    records: HashMap<StorageKey, Record>,
    index: HashMap<OwnerKey, BTreeSet<StorageKey>>,
    generations: HashMap<OwnerKey, u64>,
    version: u64,
    marks: HashMap<StorageKey, Timestamp>,
    /// What was deleted, for those who revive it.
    graves: HashMap<StorageKey, Record>,
}

#[derive(Clone)]
pub struct Plain {
    bug: Bug,
    state: Arc<Mutex<State>>,
}

impl Plain {
    pub fn new(bug: Bug) -> Self {
        Self { bug, state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == bug
    }

    fn key(&self, key: &StorageKey) -> StorageKey {
        let mut bytes = *key.as_bytes();
        if self.has(Bug::CutsKeys) {
            bytes[16..].fill(0);
        }
        StorageKey::from_bytes(bytes)
    }

    fn owner(&self, owner: &OwnerKey) -> OwnerKey {
        let mut bytes = *owner.as_bytes();
        if self.has(Bug::CutsOwners) {
            bytes[16..].fill(0);
        }
        OwnerKey::from_bytes(bytes)
    }

    fn lives(&self, stored: &Record, now: Timestamp) -> bool {
        self.has(Bug::IgnoresExpiry) || stored.is_live(now)
    }

    /// Whether there is a record that `create` must not overwrite.
    fn stands(&self, state: &State, key: &StorageKey, now: Timestamp) -> bool {
        let found = state.records.get(key);
        found.is_some_and(|found| self.has(Bug::KeepsTheExpired) || self.lives(found, now))
    }

    fn without_index(&self, guard: &OwnerGuard) -> Result<(), StorageError> {
        let nothing = self.has(Bug::NoIndexAndNothingReplaced) && *guard != OwnerGuard::default();
        if nothing || self.has(Bug::NoIndex) && guard.needs_index() {
            return Err(StorageError::Other("there is no index of owners".into(), None));
        }
        Ok(())
    }

    /// Checks the guard; returns who must end.
    fn admit(
        &self,
        state: &State,
        record: &Record,
        guard: &OwnerGuard,
        now: Timestamp,
    ) -> Result<Vec<StorageKey>, Refused> {
        let Some(owner) = &record.owner else { return Ok(Vec::new()) };
        let owner = self.owner(owner);
        let generation = state.generations.get(&owner).copied().unwrap_or(0);
        if guard.generation.is_some_and(|seen| seen.0 < generation)
            && !self.has(Bug::IgnoresTheGeneration)
        {
            return Err(Refused::Revoked);
        }
        let Some(limit) = guard.limit.filter(|_| !self.has(Bug::IgnoresTheLimit)) else {
            return Ok(Vec::new());
        };
        let mut theirs: Vec<_> = state.index.get(&owner).into_iter().flatten().collect();
        theirs.retain(|key| {
            self.has(Bug::LimitCountsTheExpired)
                || state.records.get(key).is_some_and(|stored| self.lives(stored, now))
        });
        let replaced = |key: &StorageKey| guard.replaces.as_ref() == Some(key);
        let theirs_too = theirs.len();
        if !self.has(Bug::CountsTheReplaced) {
            theirs.retain(|key| !replaced(key));
        }
        let mut count = theirs.len();
        if self.has(Bug::PushesOutTheReplaced) && count < theirs_too {
            theirs.extend(&guard.replaces);
        }
        if self.replaces_too_much(state, guard, now) && count == theirs_too {
            count = count.saturating_sub(1);
        }
        theirs.sort_by_key(|key| state.records[*key].created);
        if self.has(Bug::LimitEndsTheNewest) {
            theirs.reverse();
        }
        let surplus = (count + 1).saturating_sub(limit.max);
        if surplus > 0 && limit.policy == OwnerLimitPolicy::Refuse {
            return Err(Refused::LimitReached);
        }
        Ok(theirs.into_iter().take(surplus).cloned().collect())
    }

    /// Whether it passes one over for a record that is not the owner's, or does not live.
    fn replaces_too_much(&self, state: &State, guard: &OwnerGuard, now: Timestamp) -> bool {
        let Some(key) = &guard.replaces else { return false };
        match state.records.get(key) {
            Some(stored) if self.lives(stored, now) => self.has(Bug::ReplacesWhoever),
            _ => self.has(Bug::ReplacesTheDead),
        }
    }

    fn put(&self, state: &mut State, key: &StorageKey, mut record: Record) {
        state.version += 1;
        if self.has(Bug::DrawsItsOwnVersions) {
            record.version = Version(state.version);
        }
        if self.has(Bug::CutsPayloads) {
            record.payload = record.payload[..record.payload.len().min(1000)].into();
        }
        if let Some(owner) = &record.owner {
            state.index.entry(self.owner(owner)).or_default().insert(key.clone());
        }
        state.records.insert(key.clone(), record);
    }

    fn mark(&self, state: &mut State, key: &StorageKey, mark: Option<Timestamp>) {
        let unknown = !state.records.contains_key(key) && self.has(Bug::MarksOnlyWhatItKnows);
        let always = self.has(Bug::AlwaysLeavesAMark).then_some(Timestamp::from_millis(u64::MAX));
        match mark.or(always) {
            _ if self.has(Bug::KeepsNoMark) || unknown => {}
            None if self.has(Bug::AnEndWithoutAMarkRemovesIt) => drop(state.marks.remove(key)),
            None => {}
            Some(until) => {
                let before = state.marks.insert(key.clone(), until);
                if let Some(before) = before.filter(|_| !self.has(Bug::TheLastMarkCounts)) {
                    state.marks.insert(key.clone(), until.max(before));
                }
            }
        }
    }

    fn marked(&self, state: &State, key: &StorageKey, now: Timestamp) -> bool {
        let until = state.marks.get(key);
        until.is_some_and(|until| now < *until || self.has(Bug::KeepsMarksForEver))
    }

    fn leave(&self, state: &mut State, owner: Option<&OwnerKey>, key: &StorageKey) {
        let index = owner.and_then(|owner| state.index.get_mut(&self.owner(owner)));
        if let Some(index) = index {
            index.remove(key);
        }
    }

    fn remove(&self, state: &mut State, key: &StorageKey) -> Option<Record> {
        let stored = state.records.remove(key)?;
        self.leave(state, stored.owner.as_ref(), key);
        state.graves.insert(key.clone(), stored.clone());
        Some(stored)
    }
}

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
                version: Version(0),
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
            stored.version = Version(bumped);
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

#[async_trait]
impl OwnerIndex for Plain {
    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError> {
        let state = self.state();
        let after = after.filter(|_| !self.has(Bug::ListForgetsPages));
        let keys = state.index.get(&self.owner(owner)).into_iter().flatten().cloned();
        OwnerPage::find(keys, after, limit, |key| {
            let listed = [Bug::InvalidateForgetsTheIndex, Bug::ListsMarks].contains(&self.bug);
            let buried = state.graves.get(key).filter(|_| listed);
            let stored = state.records.get(key).or(buried);
            let lives =
                |stored: &&Record| self.lives(stored, now) || self.has(Bug::ListsTheExpired);
            Ok(stored.filter(lives).cloned())
        })
    }

    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize, StorageError> {
        let mut state = self.state();
        let owner = self.owner(owner);
        *state.generations.entry(owner.clone()).or_default() += 1;
        let keys: Vec<_> = state.index.get(&owner).into_iter().flatten().cloned().collect();
        let mut ended = 0;
        for key in keys {
            if except.contains(&key) && !self.has(Bug::InvalidateOwnerTakesTheExcepted) {
                continue;
            }
            let removed = self.remove(&mut state, &key);
            ended += usize::from(removed.is_some_and(|stored| {
                self.lives(&stored, now) || self.has(Bug::InvalidateOwnerCountsTheExpired)
            }));
        }
        Ok(ended)
    }

    async fn generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError> {
        Ok(Generation(self.state().generations.get(&self.owner(owner)).copied().unwrap_or(0)))
    }
}

/// Every wrong storage and the cases that must find it out.
pub const BUGS: &[(Bug, &[&str])] = &[
    (
        Bug::CreateOverwrites,
        &[
            "create_inserts_only",
            "two_handles_agree",
            "a_login_that_is_not_created_replaces_nothing",
            "concurrent_creates_have_one_winner",
        ],
    ),
    (Bug::KeepsTheExpired, &["create_replaces_the_expired"]),
    (Bug::CreateForgetsTheIndex, &["create_replaces_the_expired"]),
    (
        Bug::UpdateInserts,
        &[
            "update_never_inserts",
            "update_after_invalidate_is_missing",
            "an_expired_record_takes_no_update",
            "a_mark_is_no_record",
            "a_login_stays_whatever_became_of_the_session",
            "invalidate_beats_every_update",
        ],
    ),
    (
        Bug::IgnoresTheVersion,
        &[
            "update_compares_the_version",
            "a_conflict_leaves_the_record",
            "two_handles_agree",
            "create_replaces_the_expired",
            "a_login_stays_whatever_became_of_the_session",
            "a_hundred_increments_lose_nothing",
            "concurrent_updates_have_one_winner",
            "of_concurrent_logins_one_replaces",
            "a_limit_holds_for_concurrent_logins",
        ],
    ),
    (
        Bug::ComparesOutsideTheWrite,
        &[
            "a_hundred_increments_lose_nothing",
            "concurrent_updates_have_one_winner",
            "of_concurrent_logins_one_replaces",
            "a_limit_holds_for_concurrent_logins",
        ],
    ),
    (
        Bug::WritesDespiteAConflict,
        &[
            "update_compares_the_version",
            "a_conflict_leaves_the_record",
            "two_handles_agree",
            "a_login_stays_whatever_became_of_the_session",
            "a_hundred_increments_lose_nothing",
            "concurrent_updates_have_one_winner",
            "of_concurrent_logins_one_replaces",
        ],
    ),
    (
        Bug::DrawsItsOwnVersions,
        &[
            "create_inserts_only",
            "what_was_written_is_read_back",
            "versions_are_kept_as_given",
            "a_create_sent_again_is_created",
            "an_update_sent_again_is_updated",
            "update_compares_the_version",
            "a_conflict_leaves_the_record",
            "two_handles_agree",
            "touch_leaves_version_and_payload",
            "create_replaces_the_expired",
            "update_may_shorten_a_life",
            "a_mark_ends",
            "a_login_writes_both",
            "a_login_sent_again_is_one_login",
            "a_login_stays_whatever_became_of_the_session",
            "concurrent_updates_have_one_winner",
            "of_concurrent_logins_one_replaces",
            "touch_loses_no_update",
            "the_index_follows_the_owner",
            "list_leaves_out_the_expired",
            "invalidate_owner_counts_the_living",
            "a_limit_counts_the_living",
            "a_create_sent_again_counts_once",
            "a_create_after_the_end_of_its_owners_is_refused",
            "a_replaced_session_leaves_the_index",
            "a_limit_holds_for_concurrent_logins",
            "an_update_keeps_the_owner",
            "invalidate_compares_the_version",
        ],
    ),
    (
        Bug::DeniesItsOwnCreate,
        &[
            "a_create_sent_again_is_created",
            "a_login_sent_again_is_one_login",
            "a_create_sent_again_counts_once",
            "a_create_after_the_end_of_its_owners_is_refused",
        ],
    ),
    (Bug::WritesItsOwnCreateAgain, &["a_create_sent_again_is_created"]),
    (
        Bug::DeniesItsOwnUpdate,
        &["an_update_sent_again_is_updated", "a_login_sent_again_is_one_login"],
    ),
    (
        Bug::WritesItsOwnUpdateAgain,
        &["an_update_sent_again_is_updated", "a_login_sent_again_is_one_login"],
    ),
    (
        Bug::KeepsNoMark,
        &[
            "a_create_after_the_end_is_refused",
            "a_create_after_an_unknown_end_is_refused",
            "the_later_mark_counts",
            "a_mark_is_no_record",
            "a_mark_is_purged_in_time",
            "a_login_that_is_not_created_replaces_nothing",
            "invalidate_compares_the_version",
        ],
    ),
    (
        Bug::MarksOnlyWhatItKnows,
        &[
            "a_create_after_an_unknown_end_is_refused",
            "the_later_mark_counts",
            "a_mark_is_purged_in_time",
            "a_login_that_is_not_created_replaces_nothing",
            "invalidate_compares_the_version",
        ],
    ),
    (Bug::KeepsMarksForEver, &["a_mark_ends", "the_later_mark_counts", "a_mark_is_purged_in_time"]),
    (
        Bug::AlwaysLeavesAMark,
        &[
            "invalidate_is_idempotent",
            "without_a_mark_a_key_is_free",
            "the_later_mark_counts",
            "an_invalidated_owner_refuses_older_writes",
            "invalidate_compares_the_version",
        ],
    ),
    (Bug::TheLastMarkCounts, &["the_later_mark_counts"]),
    (Bug::AnEndWithoutAMarkRemovesIt, &["the_later_mark_counts", "a_mark_is_no_record"]),
    (Bug::ListsMarks, &["a_create_after_the_end_is_refused", "a_mark_is_no_record"]),
    (
        Bug::ReadsMarks,
        &[
            "a_create_after_the_end_is_refused",
            "a_mark_is_no_record",
            "invalidate_compares_the_version",
        ],
    ),
    (Bug::CountsMarksInAPurge, &["a_mark_is_purged_in_time"]),
    (Bug::PurgesStandingMarks, &["a_mark_is_purged_in_time"]),
    (
        Bug::TouchDoesNothing,
        &["touch_moves_the_times", "purge_keeps_the_living", "a_login_sent_again_is_one_login"],
    ),
    (
        Bug::TouchRevives,
        &["touch_never_revives", "a_mark_is_no_record", "invalidate_beats_every_update"],
    ),
    (Bug::TouchShortens, &["touch_never_shortens"]),
    (
        Bug::TouchBumpsTheVersion,
        &[
            "a_create_sent_again_is_created",
            "an_update_sent_again_is_updated",
            "touch_leaves_version_and_payload",
            "a_login_sent_again_is_one_login",
            "touch_loses_no_update",
            "invalidate_compares_the_version",
        ],
    ),
    (Bug::TouchWritesTheWholeRecord, &["touch_loses_no_update"]),
    (
        Bug::IgnoresExpiry,
        &[
            "touch_never_revives",
            "an_expired_record_is_none",
            "create_replaces_the_expired",
            "an_expired_record_takes_no_update",
            "update_may_shorten_a_life",
            "a_login_stays_whatever_became_of_the_session",
            "list_leaves_out_the_expired",
            "invalidate_owner_counts_the_living",
            "a_limit_counts_the_living",
            "only_a_live_session_of_the_owner_is_replaced",
        ],
    ),
    (
        Bug::UpdatesTheExpired,
        &["an_expired_record_takes_no_update", "a_login_stays_whatever_became_of_the_session"],
    ),
    (
        Bug::NeverShortens,
        &[
            "update_may_shorten_a_life",
            "list_leaves_out_the_expired",
            "invalidate_owner_counts_the_living",
            "a_limit_counts_the_living",
        ],
    ),
    (Bug::PurgesWithoutLimit, &["purge_is_bounded"]),
    (
        Bug::PurgesTheLiving,
        &["create_replaces_the_expired", "purge_keeps_the_living", "the_index_has_no_ghosts"],
    ),
    (Bug::PurgesOnlySome, &["purge_keeps_the_living"]),
    (
        Bug::CutsKeys,
        &[
            "keys_are_apart",
            "create_replaces_the_expired",
            "list_names_an_owners_records",
            "list_goes_by_pages",
            "the_index_follows_the_owner",
            "the_index_has_no_ghosts",
            "list_leaves_out_the_expired",
            "invalidate_owner_ends_all",
            "a_limit_ends_the_oldest",
            "a_limit_refuses",
            "owners_are_apart",
            "a_create_sent_again_counts_once",
            "a_create_after_the_end_of_its_owners_is_refused",
            "a_refused_login_replaces_nothing",
            "a_replaced_session_leaves_the_index",
            "a_replaced_session_does_not_count",
            "only_a_live_session_of_the_owner_is_replaced",
            "a_limit_holds_under_concurrency",
            "a_limit_holds_for_concurrent_logins",
            "an_update_keeps_the_owner",
            "invalidate_compares_the_version",
        ],
    ),
    (Bug::CutsPayloads, &["what_was_written_is_read_back"]),
    (
        Bug::ReadCreates,
        &[
            "reading_creates_nothing",
            "invalidate_is_idempotent",
            "a_mark_is_no_record",
            "invalidate_compares_the_version",
        ],
    ),
    (
        Bug::InvalidateKeepsTheRecord,
        &[
            "update_after_invalidate_is_missing",
            "invalidate_is_idempotent",
            "two_handles_agree",
            "touch_never_revives",
            "a_create_after_the_end_is_refused",
            "a_mark_ends",
            "without_a_mark_a_key_is_free",
            "the_later_mark_counts",
            "a_mark_is_no_record",
            "a_mark_is_purged_in_time",
            "invalidate_beats_every_update",
            "a_dropped_operation_is_whole",
            "the_index_has_no_ghosts",
            "an_invalidated_owner_refuses_older_writes",
            "a_limit_refuses",
            "only_a_live_session_of_the_owner_is_replaced",
            "invalidate_compares_the_version",
        ],
    ),
    (
        Bug::InvalidateAlwaysSaysYes,
        &[
            "invalidate_is_idempotent",
            "a_create_after_an_unknown_end_is_refused",
            "a_mark_is_no_record",
            "invalidate_compares_the_version",
        ],
    ),
    (
        Bug::UpdateForgetsTheIndex,
        &[
            "the_index_follows_the_owner",
            "a_replaced_session_leaves_the_index",
            "a_limit_holds_for_concurrent_logins",
        ],
    ),
    (
        Bug::InvalidateForgetsTheIndex,
        &[
            "a_create_after_the_end_is_refused",
            "a_mark_is_no_record",
            "invalidate_beats_every_update",
            "a_dropped_operation_is_whole",
            "the_index_has_no_ghosts",
            "only_a_live_session_of_the_owner_is_replaced",
            "invalidate_compares_the_version",
        ],
    ),
    (
        Bug::ListsTheExpired,
        &["list_leaves_out_the_expired", "only_a_live_session_of_the_owner_is_replaced"],
    ),
    (Bug::InvalidateOwnerCountsTheExpired, &["invalidate_owner_counts_the_living"]),
    (Bug::ListForgetsPages, &["list_goes_by_pages"]),
    (
        Bug::InvalidateOwnerTakesTheExcepted,
        &["invalidate_owner_ends_all", "a_create_after_the_end_of_its_owners_is_refused"],
    ),
    (Bug::CutsOwners, &["owners_are_apart"]),
    (
        Bug::IgnoresTheGeneration,
        &[
            "an_invalidated_owner_refuses_older_writes",
            "a_create_after_the_end_of_its_owners_is_refused",
            "a_refused_login_replaces_nothing",
            "invalidate_owner_beats_every_login",
        ],
    ),
    (Bug::ChecksTheGenerationOutsideTheWrite, &["invalidate_owner_beats_every_login"]),
    (
        Bug::IgnoresTheLimit,
        &[
            "a_limit_ends_the_oldest",
            "a_limit_refuses",
            "a_refused_login_replaces_nothing",
            "a_replaced_session_does_not_count",
            "only_a_live_session_of_the_owner_is_replaced",
            "a_limit_holds_under_concurrency",
            "a_limit_holds_for_concurrent_logins",
        ],
    ),
    (Bug::LimitEndsTheNewest, &["a_limit_ends_the_oldest", "a_replaced_session_does_not_count"]),
    (Bug::LimitCountsTheExpired, &["a_limit_counts_the_living"]),
    (Bug::UpdateChangesTheOwner, &["an_update_keeps_the_owner"]),
    (Bug::AnEndIgnoresTheVersion, &["invalidate_compares_the_version"]),
    (Bug::AConflictLeavesAMark, &["invalidate_compares_the_version"]),
    (
        Bug::ChecksTheLimitOutsideTheWrite,
        &["a_limit_holds_under_concurrency", "a_limit_holds_for_concurrent_logins"],
    ),
    (
        Bug::CreatesOutsideTheCheck,
        &[
            "a_create_sent_again_is_created",
            "a_login_sent_again_is_one_login",
            "concurrent_creates_have_one_winner",
            "a_create_sent_again_counts_once",
            "a_create_after_the_end_of_its_owners_is_refused",
        ],
    ),
    (Bug::WritesInTwoSteps, &["a_dropped_operation_is_whole", "an_update_keeps_the_owner"]),
    (
        Bug::ReplacesDespiteARefusal,
        &["a_login_that_is_not_created_replaces_nothing", "a_refused_login_replaces_nothing"],
    ),
    (
        Bug::NeverReplaces,
        &[
            "a_login_writes_both",
            "a_login_sent_again_is_one_login",
            "a_login_stays_whatever_became_of_the_session",
            "of_concurrent_logins_one_replaces",
            "a_replaced_session_leaves_the_index",
            "a_limit_holds_for_concurrent_logins",
        ],
    ),
    (
        Bug::ALoginNeedsItsPredecessor,
        &[
            "a_login_stays_whatever_became_of_the_session",
            "of_concurrent_logins_one_replaces",
            "a_limit_holds_for_concurrent_logins",
        ],
    ),
    (
        Bug::ALoginReplacesAnyVersion,
        &[
            "a_login_stays_whatever_became_of_the_session",
            "of_concurrent_logins_one_replaces",
            "a_limit_holds_for_concurrent_logins",
        ],
    ),
    (
        Bug::TheReplacedStayInTheIndex,
        &["a_replaced_session_leaves_the_index", "a_limit_holds_for_concurrent_logins"],
    ),
    (Bug::CountsTheReplaced, &["a_replaced_session_does_not_count"]),
    (Bug::PushesOutTheReplaced, &["a_replaced_session_does_not_count"]),
    (
        Bug::ReplacesWhoever,
        &["only_a_live_session_of_the_owner_is_replaced", "a_limit_holds_for_concurrent_logins"],
    ),
    (Bug::ReplacesTheDead, &["only_a_live_session_of_the_owner_is_replaced"]),
    (Bug::NoIndexAndNoGuard, &["a_guard_needs_an_index"]),
    (Bug::NoIndexAndNothingReplaced, &["a_guard_needs_an_index"]),
    (Bug::PrivateHandles, &["two_handles_agree", "a_hundred_increments_lose_nothing"]),
];
