//! The operations on an owner's records.

use rocket::async_trait;
use rocket_typed_sessions::storage::{
    Generation, OwnerIndex, OwnerKey, OwnerPage, Record, StorageError, StorageKey, Timestamp,
};

use super::*;

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
        Ok(Generation::from_u64(
            self.state().generations.get(&self.owner(owner)).copied().unwrap_or(0),
        ))
    }
}
