//! A storage as plain as can be, and every way to get it wrong.

mod owner_bugs;
mod owners;
mod record_bugs;
mod storage;

use owner_bugs::OWNER_BUGS;
use record_bugs::RECORD_BUGS;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use rocket_typed_sessions::storage::{
    OwnerGuard, OwnerKey, OwnerLimitPolicy, Record, Refused, StorageError, StorageKey, Timestamp,
    Version,
};

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
    ReadsManyInAnyOrder,
    SkipsWhatIsMissing,
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

/// Every wrong storage and the cases that must find it out.
pub fn bugs() -> impl Iterator<Item = &'static (Bug, &'static [&'static str])> {
    RECORD_BUGS.iter().chain(OWNER_BUGS)
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
        if guard.generation.is_some_and(|seen| seen.as_u64() < generation)
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
            record.version = Version::from_u64(state.version);
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
