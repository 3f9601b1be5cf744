//! One shard of the index of owners. Its lock is taken after that of a record, never before.
//!
//! It holds only where the records of an owner lie: a record's shard and its place there. An
//! entry comes and goes together with the owner of the record, under the lock of the record's
//! shard. Who takes that lock later may find another record at the place, so it asks the record
//! for its owner.

use std::collections::{BTreeSet, HashMap};

use crate::storage::key::FirstBytes;
use crate::storage::{Generation, OwnerKey, Refused};

/// The most revocations that a shard remembers one by one. Older ones are merged into `floor`.
const REVOCATIONS: usize = 1000;

#[derive(Default)]
pub(super) struct Owners {
    records: BTreeSet<OwnedRecord>,
    /// The generation that began with each owner's last revocation.
    revoked: HashMap<OwnerKey, u64, FirstBytes>,
    /// The number of revocations so far, of all owners of the shard.
    sequence: u64,
    /// A guard with an older generation is refused, whoever its owner is.
    floor: u64,
}

/// Where a record lies.
pub(super) struct Location {
    pub shard: u8,
    pub place: u32,
}

/// An entry of the index. It is small, because each of a million records may have one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct OwnedRecord {
    /// The first bytes of the owner's key. Few owners of a shard share them.
    owner: [u8; 3],
    shard: u8,
    place: u32,
}

const _: () = assert!(size_of::<OwnedRecord>() == 8);

impl OwnedRecord {
    fn new(owner: &OwnerKey, Location { shard, place }: Location) -> Self {
        let owner = owner.as_bytes().first_chunk().copied().unwrap_or_default();
        Self { owner, shard, place }
    }
}

impl Owners {
    /// Refuses a record of a guard that is older than the owner's last revocation.
    pub fn admit(&self, owner: &OwnerKey, guard: Option<Generation>) -> Result<(), Refused> {
        let Some(guard) = guard else { return Ok(()) };
        let revoked = self.revoked.get(owner).copied().unwrap_or(self.floor);
        if guard.as_u64() < revoked { Err(Refused::Revoked) } else { Ok(()) }
    }

    /// Adds a record to its owner's.
    pub fn join(&mut self, owner: &OwnerKey, location: Location) {
        self.records.insert(OwnedRecord::new(owner, location));
    }

    /// Removes a record from its owner's.
    pub fn leave(&mut self, owner: &OwnerKey, location: Location) {
        self.records.remove(&OwnedRecord::new(owner, location));
    }

    /// Where the records of an owner lie, and perhaps a few of others.
    pub fn locations(&self, owner: &OwnerKey) -> Vec<Location> {
        let at = |shard, place| OwnedRecord::new(owner, Location { shard, place });
        let theirs = self.records.range(at(0, 0)..=at(u8::MAX, u32::MAX));
        theirs.map(|record| Location { shard: record.shard, place: record.place }).collect()
    }

    /// Begins a new generation.
    pub fn revoke(&mut self, owner: &OwnerKey) {
        self.sequence += 1;
        if self.revoked.len() >= REVOCATIONS {
            self.revoked.clear();
            self.floor = self.sequence;
        }
        self.revoked.insert(owner.clone(), self.sequence);
    }

    pub fn generation(&self) -> Generation {
        Generation::from_u64(self.sequence)
    }
}
