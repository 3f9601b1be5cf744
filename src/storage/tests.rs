//! What single storages promise. The conformance kit tests what all of them promise.

mod directory;
mod memory;

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::*;

type Storage = Arc<dyn SessionStorage>;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn at(seconds: u64) -> Timestamp {
    NOW.after(std::time::Duration::from_secs(seconds))
}

fn key(n: u8) -> StorageKey {
    StorageKey::from_bytes([n; 32])
}

fn owner(n: u8) -> OwnerKey {
    OwnerKey::from_bytes([n; 32])
}

/// A record that lives for a hundred seconds.
fn record(payload: &[u8], owner: Option<OwnerKey>) -> Record {
    Record {
        version: Version::random().unwrap(),
        payload: payload.into(),
        owner,
        created: NOW,
        last_seen: NOW,
        expires: at(100),
    }
}

/// A key that is as evenly distributed as a hash.
fn numbered(n: u32) -> StorageKey {
    StorageKey::from_bytes(Sha256::digest(n.to_be_bytes()).into())
}

async fn create(storage: &Storage, key: &StorageKey, record: Record) -> Version {
    let version = record.version;
    let created = storage.create(key, record, OwnerGuard::default(), NOW).await.unwrap();
    assert_eq!(created, Create::Created);
    version
}

/// D7, D23: between the two writes of a login, no other login counts both sessions.
async fn a_login_never_counts_twice(storage: Storage, rounds: u32) {
    let (limit, owner) = (OwnerLimit { max: 3, policy: OwnerLimitPolicy::Refuse }, owner(1));
    let guard = OwnerGuard { limit: Some(limit), ..OwnerGuard::default() };
    let theirs = || record(b"x", Some(owner.clone()));
    for round in 0..rounds {
        let [first, second, third, next] = [0, 1, 2, 3].map(|n| numbered(round * 4 + n));
        let expected = create(&storage, &first, theirs()).await;
        create(&storage, &second, theirs()).await;
        let replacing = OwnerGuard { replaces: Some(first.clone()), ..guard.clone() };
        let (storage, record, left) = (Arc::clone(&storage), theirs(), record(b"replaced", None));
        let login = tokio::spawn({
            let storage = Arc::clone(&storage);
            async move {
                let new = Successor { key: &next, record, guard: replacing };
                let old = Predecessor { key: &first, expected, record: left };
                storage.succeed(new, old, NOW).await
            }
        });
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        let other = storage.create(&third, theirs(), guard.clone(), NOW).await.unwrap();
        assert_eq!(other, Create::Created, "round {round}");
        let login = login.await.unwrap().unwrap();
        assert_eq!(login, Succeed::Created(Update::Updated), "round {round}");
        let ended = storage.owners().unwrap().invalidate_owner(&owner, &[], NOW).await.unwrap();
        assert_eq!(ended, 3, "round {round}");
    }
}
