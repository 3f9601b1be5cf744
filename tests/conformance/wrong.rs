//! A storage as plain as can be, and every way to get it wrong.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use rocket::async_trait;
use rocket_typed_sessions::storage::{
    Create, Generation, OwnerGuard, OwnerIndex, OwnerKey, OwnerLimitPolicy, OwnerPage, Record,
    Refused, SessionStorage, StorageError, StorageKey, Stored, Timestamp, Touch, Update, Version,
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
    VersionsBeginAgain,
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
    LimitIgnoresMoves,
    ChecksTheLimitOutsideTheWrite,
    CreatesOutsideTheCheck,
    WritesInTwoSteps,
    NoIndex,
    NoIndexAndNoGuard,
    PrivateHandles,
}

#[derive(Default)]
struct State {
    records: HashMap<StorageKey, Stored>,
    index: HashMap<OwnerKey, BTreeSet<StorageKey>>,
    generations: HashMap<OwnerKey, u64>,
    version: u64,
    /// What was deleted, for those who revive it.
    graves: HashMap<StorageKey, Stored>,
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

    fn lives(&self, stored: &Stored, now: Timestamp) -> bool {
        self.has(Bug::IgnoresExpiry) || stored.record.is_live(now)
    }

    /// Whether there is a record that `create` must not overwrite.
    fn stands(&self, state: &State, key: &StorageKey, now: Timestamp) -> bool {
        let found = state.records.get(key);
        found.is_some_and(|found| self.has(Bug::KeepsTheExpired) || self.lives(found, now))
    }

    fn without_index(&self, guard: OwnerGuard) -> Result<(), StorageError> {
        if self.has(Bug::NoIndex) && guard != OwnerGuard::default() {
            return Err(StorageError::Other("there is no index of owners".into(), None));
        }
        Ok(())
    }

    /// Checks the guard; returns who must end.
    fn admit(
        &self,
        state: &State,
        record: &Record,
        guard: OwnerGuard,
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
        theirs.sort_by_key(|key| state.records[*key].record.created);
        if self.has(Bug::LimitEndsTheNewest) {
            theirs.reverse();
        }
        let surplus = (theirs.len() + 1).saturating_sub(limit.max);
        if surplus > 0 && limit.policy == OwnerLimitPolicy::Refuse {
            return Err(Refused::LimitReached);
        }
        Ok(theirs.into_iter().take(surplus).cloned().collect())
    }

    fn put(&self, state: &mut State, key: &StorageKey, mut record: Record) -> Version {
        state.version += 1;
        let version = match state.records.get(key) {
            _ if !self.has(Bug::VersionsBeginAgain) => Version(state.version),
            Some(before) => Version(before.version.0 + 1),
            None => Version(1),
        };
        if self.has(Bug::CutsPayloads) {
            record.payload = record.payload[..record.payload.len().min(1000)].into();
        }
        if let Some(owner) = &record.owner {
            state.index.entry(self.owner(owner)).or_default().insert(key.clone());
        }
        state.records.insert(key.clone(), Stored { version, record });
        version
    }

    fn leave(&self, state: &mut State, owner: Option<&OwnerKey>, key: &StorageKey) {
        let index = owner.and_then(|owner| state.index.get_mut(&self.owner(owner)));
        if let Some(index) = index {
            index.remove(key);
        }
    }

    fn remove(&self, state: &mut State, key: &StorageKey) -> Option<Stored> {
        let stored = state.records.remove(key)?;
        self.leave(state, stored.record.owner.as_ref(), key);
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
        self.without_index(guard)?;
        if self.has(Bug::CreatesOutsideTheCheck) {
            if self.stands(&self.state(), &key, now) {
                return Ok(Create::Exists);
            }
            yield_now().await;
        }
        let outside = [Bug::ChecksTheGenerationOutsideTheWrite, Bug::ChecksTheLimitOutsideTheWrite];
        let early = outside.contains(&self.bug).then(|| {
            let state = self.state();
            let mut guard = guard;
            if self.has(Bug::ChecksTheLimitOutsideTheWrite) {
                guard.generation = None;
            } else {
                guard.limit = None;
            }
            self.admit(&state, &record, guard, now)
        });
        if early.is_some() {
            for _ in 0..3 {
                yield_now().await;
            }
        }
        let mut state = self.state();
        let overwrites = self.has(Bug::CreateOverwrites) || self.has(Bug::CreatesOutsideTheCheck);
        if self.stands(&state, &key, now) && !overwrites {
            return Ok(Create::Exists);
        }
        let mut guard = guard;
        if self.has(Bug::ChecksTheGenerationOutsideTheWrite) {
            guard.generation = None;
        }
        if self.has(Bug::ChecksTheLimitOutsideTheWrite) {
            guard.limit = None;
        }
        let late = self.admit(&state, &record, guard, now);
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
                Ok(Create::Created(self.put(&mut state, &key, record)))
            }
            Err(refused) => Ok(Create::Refused(refused)),
        }
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Stored>, StorageError> {
        let key = self.key(key);
        let mut state = self.state();
        if self.has(Bug::ReadCreates) && !state.records.contains_key(&key) {
            let nothing: [u8; 0] = [];
            let record = Record {
                payload: nothing.into(),
                owner: None,
                created: now,
                last_seen: now,
                expires: now,
            };
            self.put(&mut state, &key, record);
        }
        Ok(state.records.get(&key).filter(|stored| self.lives(stored, now)).cloned())
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        let key = self.key(key);
        self.without_index(guard)?;
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
                let changes = |stored: &&mut Stored| {
                    stored.version == expected && stored.record.owner != record.owner
                };
                if let Some(stored) = present.filter(changes) {
                    stored.record.payload = record.payload.clone();
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
                return Ok(Update::Updated(self.put(&mut state, &key, record)));
            }
            return Ok(Update::Missing);
        };
        if before.version != expected && !compared && !self.has(Bug::IgnoresTheVersion) {
            if self.has(Bug::WritesDespiteAConflict) {
                self.put(&mut state, &key, record);
            }
            return Ok(Update::Conflict);
        }
        let moves = before.record.owner != record.owner;
        if moves {
            let mut guard = guard;
            if self.has(Bug::LimitIgnoresMoves) {
                guard.limit = None;
            }
            match self.admit(&state, &record, guard, now) {
                Ok(victims) => {
                    for victim in victims {
                        self.remove(&mut state, &victim);
                    }
                }
                Err(refused) => return Ok(Update::Refused(refused)),
            }
            if !self.has(Bug::UpdateForgetsTheIndex) {
                self.leave(&mut state, before.record.owner.as_ref(), &key);
            }
        }
        let mut record = record;
        if self.has(Bug::NeverShortens) {
            record.expires = record.expires.max(before.record.expires);
        }
        Ok(Update::Updated(self.put(&mut state, &key, record)))
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
            let Some(found) = found.filter(|found| found.record.is_live(last_seen)) else {
                return Ok(Touch::Missing);
            };
            for _ in 0..5 {
                yield_now().await;
            }
            let mut state = self.state();
            let Some(stored) = state.records.get_mut(&key) else { return Ok(Touch::Missing) };
            *stored = found;
            stored.record.last_seen = last_seen.max(stored.record.last_seen);
            stored.record.expires = expires.max(stored.record.expires);
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
        let record = &mut stored.record;
        if self.has(Bug::TouchShortens) {
            (record.last_seen, record.expires) = (last_seen, expires);
        } else if !self.has(Bug::TouchDoesNothing) {
            record.last_seen = record.last_seen.max(last_seen);
            record.expires = record.expires.max(expires);
        }
        if self.has(Bug::TouchBumpsTheVersion) {
            stored.version = Version(bumped);
            state.version = bumped;
        }
        Ok(Touch::Touched)
    }

    async fn invalidate(&self, key: &StorageKey) -> Result<bool, StorageError> {
        let key = self.key(key);
        let mut state = self.state();
        if self.has(Bug::InvalidateKeepsTheRecord) {
            return Ok(state.records.contains_key(&key));
        }
        let owner = state.records.get(&key).and_then(|stored| stored.record.owner.clone());
        let removed = self.remove(&mut state, &key).is_some();
        if self.has(Bug::InvalidateForgetsTheIndex)
            && let Some(owner) = owner
        {
            state.index.entry(owner).or_default().insert(key);
        }
        Ok(removed || self.has(Bug::InvalidateAlwaysSaysYes))
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError> {
        let mut state = self.state();
        let limit = match self.bug {
            Bug::PurgesWithoutLimit => usize::MAX,
            _ => limit,
        };
        let expired = state
            .records
            .iter()
            .filter(|(_, stored)| !stored.record.is_live(now) || self.has(Bug::PurgesTheLiving));
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
        Ok(expired.len())
    }

    fn owners(&self) -> Option<&dyn OwnerIndex> {
        let none = [Bug::NoIndex, Bug::NoIndexAndNoGuard].contains(&self.bug);
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
            let buried = state.graves.get(key).filter(|_| self.has(Bug::InvalidateForgetsTheIndex));
            let stored = state.records.get(key).or(buried);
            let lives =
                |stored: &&Stored| self.lives(stored, now) || self.has(Bug::ListsTheExpired);
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
        &["create_inserts_only", "two_handles_agree", "concurrent_creates_have_one_winner"],
    ),
    (Bug::KeepsTheExpired, &["create_replaces_the_expired"]),
    (Bug::CreateForgetsTheIndex, &["create_replaces_the_expired"]),
    (
        Bug::UpdateInserts,
        &[
            "update_never_inserts",
            "update_after_invalidate_is_missing",
            "an_expired_record_takes_no_update",
            "invalidate_beats_every_update",
        ],
    ),
    (
        Bug::IgnoresTheVersion,
        &[
            "update_compares_the_version",
            "a_conflict_leaves_the_record",
            "versions_are_never_used_twice",
            "two_handles_agree",
            "create_replaces_the_expired",
            "a_hundred_increments_lose_nothing",
            "concurrent_updates_have_one_winner",
        ],
    ),
    (
        Bug::ComparesOutsideTheWrite,
        &["a_hundred_increments_lose_nothing", "concurrent_updates_have_one_winner"],
    ),
    (
        Bug::WritesDespiteAConflict,
        &[
            "update_compares_the_version",
            "a_conflict_leaves_the_record",
            "versions_are_never_used_twice",
            "two_handles_agree",
            "a_hundred_increments_lose_nothing",
            "concurrent_updates_have_one_winner",
        ],
    ),
    (Bug::VersionsBeginAgain, &["versions_are_never_used_twice", "create_replaces_the_expired"]),
    (Bug::TouchDoesNothing, &["touch_moves_the_times", "purge_keeps_the_living"]),
    (Bug::TouchRevives, &["touch_never_revives", "invalidate_beats_every_update"]),
    (Bug::TouchShortens, &["touch_never_shortens"]),
    (Bug::TouchBumpsTheVersion, &["touch_leaves_version_and_payload", "touch_loses_no_update"]),
    (Bug::TouchWritesTheWholeRecord, &["touch_loses_no_update"]),
    (
        Bug::IgnoresExpiry,
        &[
            "touch_never_revives",
            "an_expired_record_is_none",
            "create_replaces_the_expired",
            "an_expired_record_takes_no_update",
            "update_may_shorten_a_life",
            "list_leaves_out_the_expired",
            "invalidate_owner_counts_the_living",
            "a_limit_counts_the_living",
        ],
    ),
    (Bug::UpdatesTheExpired, &["an_expired_record_takes_no_update"]),
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
            "a_limit_holds_for_moves",
            "owners_are_apart",
            "a_limit_holds_under_concurrency",
        ],
    ),
    (Bug::CutsPayloads, &["what_was_written_is_read_back"]),
    (Bug::ReadCreates, &["reading_creates_nothing", "invalidate_is_idempotent"]),
    (
        Bug::InvalidateKeepsTheRecord,
        &[
            "update_after_invalidate_is_missing",
            "versions_are_never_used_twice",
            "invalidate_is_idempotent",
            "two_handles_agree",
            "touch_never_revives",
            "the_index_has_no_ghosts",
            "an_invalidated_owner_refuses_older_writes",
            "a_limit_refuses",
            "invalidate_beats_every_update",
            "a_dropped_operation_is_whole",
        ],
    ),
    (Bug::InvalidateAlwaysSaysYes, &["invalidate_is_idempotent"]),
    (Bug::UpdateForgetsTheIndex, &["the_index_follows_the_owner"]),
    (
        Bug::InvalidateForgetsTheIndex,
        &[
            "the_index_has_no_ghosts",
            "invalidate_beats_every_update",
            "a_dropped_operation_is_whole",
        ],
    ),
    (Bug::ListsTheExpired, &["list_leaves_out_the_expired"]),
    (Bug::InvalidateOwnerCountsTheExpired, &["invalidate_owner_counts_the_living"]),
    (Bug::ListForgetsPages, &["list_goes_by_pages"]),
    (Bug::InvalidateOwnerTakesTheExcepted, &["invalidate_owner_ends_all"]),
    (Bug::CutsOwners, &["owners_are_apart"]),
    (
        Bug::IgnoresTheGeneration,
        &[
            "an_invalidated_owner_refuses_older_writes",
            "an_invalidated_owner_refuses_older_moves",
            "invalidate_owner_beats_every_login",
        ],
    ),
    (Bug::ChecksTheGenerationOutsideTheWrite, &["invalidate_owner_beats_every_login"]),
    (
        Bug::IgnoresTheLimit,
        &[
            "a_limit_ends_the_oldest",
            "a_limit_refuses",
            "a_limit_holds_for_moves",
            "a_limit_holds_under_concurrency",
        ],
    ),
    (Bug::LimitEndsTheNewest, &["a_limit_ends_the_oldest", "a_limit_holds_for_moves"]),
    (Bug::LimitCountsTheExpired, &["a_limit_counts_the_living"]),
    (Bug::LimitIgnoresMoves, &["a_limit_holds_for_moves"]),
    (Bug::ChecksTheLimitOutsideTheWrite, &["a_limit_holds_under_concurrency"]),
    (Bug::CreatesOutsideTheCheck, &["concurrent_creates_have_one_winner"]),
    (Bug::WritesInTwoSteps, &["a_dropped_operation_is_whole"]),
    (Bug::NoIndexAndNoGuard, &["a_guard_needs_an_index"]),
    (Bug::PrivateHandles, &["two_handles_agree", "a_hundred_increments_lose_nothing"]),
];
