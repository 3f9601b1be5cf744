//! One shard of the index of owners. Its lock is taken after that of a record, never before. The
//! index contains every record of an owner, and may contain one that is just ending.

use std::collections::{BTreeSet, HashMap};

use crate::storage::{
    Generation, OwnerKey, OwnerLimitPolicy, Refused, StorageKey, Successor, Timestamp,
};

/// The most revocations that a shard remembers one by one. Older ones are merged into `floor`.
const REVOCATIONS: usize = 1000;

#[derive(Default)]
pub(super) struct Owners {
    sessions: HashMap<OwnerKey, ByAge>,
    /// The generation that began with each owner's last revocation.
    revoked: HashMap<OwnerKey, u64>,
    /// The number of revocations so far, of all owners of the shard.
    sequence: u64,
    /// A guard with an older generation is refused, whoever its owner is.
    floor: u64,
}

/// An owner's sessions, ordered by age. Most owners have one session.
enum ByAge {
    One(Timestamp, StorageKey),
    Many(BTreeSet<(Timestamp, StorageKey)>),
}

impl ByAge {
    /// The keys of the sessions, oldest first.
    fn keys(&self) -> Vec<StorageKey> {
        match self {
            Self::One(_, key) => vec![key.clone()],
            Self::Many(sessions) => sessions.iter().map(|(_, key)| key.clone()).collect(),
        }
    }
}

impl Owners {
    /// Adds a record to its owner's index if the guard allows it. Returns the sessions that
    /// exceed the limit, which stay in the index until they have ended. The replaced session
    /// `leaves` the index in the same step.
    pub fn join(
        &mut self,
        owner: &OwnerKey,
        Successor { key, record, guard }: &Successor<'_>,
        leaves: Option<(Timestamp, &StorageKey)>,
    ) -> Result<Vec<StorageKey>, Refused> {
        let created = record.created;
        let revoked = self.revoked.get(owner).copied().unwrap_or(self.floor);
        if guard.generation.is_some_and(|generation| generation.as_u64() < revoked) {
            return Err(Refused::Revoked);
        }
        let mut victims = Vec::new();
        if let Some(limit) = guard.limit {
            victims = self.keys(owner);
            victims.retain(|other| guard.replaces.as_ref() != Some(other));
            let surplus = (victims.len() + 1).saturating_sub(limit.max.max(1));
            if surplus > 0 && limit.policy == OwnerLimitPolicy::Refuse {
                return Err(Refused::LimitReached);
            }
            victims.truncate(surplus);
        }
        let joined = match self.sessions.remove(owner) {
            None => ByAge::One(created, (*key).clone()),
            Some(ByAge::One(other_created, other)) => {
                ByAge::Many([(other_created, other), (created, (*key).clone())].into())
            }
            Some(ByAge::Many(mut sessions)) => {
                sessions.insert((created, (*key).clone()));
                ByAge::Many(sessions)
            }
        };
        self.sessions.insert(owner.clone(), joined);
        if let Some((created, key)) = leaves {
            self.leave(owner, created, key);
        }
        Ok(victims)
    }

    pub fn leave(&mut self, owner: &OwnerKey, created: Timestamp, key: &StorageKey) {
        let empty = match self.sessions.get_mut(owner) {
            Some(ByAge::One(at, one)) => (*at, &*one) == (created, key),
            Some(ByAge::Many(sessions)) => {
                sessions.remove(&(created, key.clone()));
                sessions.is_empty()
            }
            None => false,
        };
        if empty {
            self.sessions.remove(owner);
        }
    }

    /// Moves a record whose `created` has changed.
    pub fn reorder(
        &mut self,
        owner: &OwnerKey,
        before: Timestamp,
        now: Timestamp,
        key: &StorageKey,
    ) {
        match self.sessions.get_mut(owner) {
            Some(ByAge::One(created, _)) => *created = now,
            Some(ByAge::Many(sessions)) => {
                sessions.remove(&(before, key.clone()));
                sessions.insert((now, key.clone()));
            }
            None => {}
        }
    }

    /// Begins a new generation. Returns the owner's sessions, which began before it.
    pub fn revoke(&mut self, owner: &OwnerKey) -> Vec<StorageKey> {
        self.sequence += 1;
        if self.revoked.len() >= REVOCATIONS {
            self.revoked.clear();
            self.floor = self.sequence;
        }
        self.revoked.insert(owner.clone(), self.sequence);
        self.keys(owner)
    }

    pub fn generation(&self) -> Generation {
        Generation::from_u64(self.sequence)
    }

    /// The keys of an owner's records, oldest first.
    pub fn keys(&self, owner: &OwnerKey) -> Vec<StorageKey> {
        self.sessions.get(owner).map(ByAge::keys).unwrap_or_default()
    }
}
