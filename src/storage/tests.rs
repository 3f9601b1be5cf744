//! The promises of [`SessionStorage`], held against the storages in the box.

use std::sync::Arc;

use super::*;

type Storage = Arc<dyn SessionStorage>;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + seconds * 1000)
}

fn key(n: u8) -> StorageKey {
    StorageKey::from_bytes([n; 32])
}

fn owner(n: u8) -> OwnerKey {
    OwnerKey::from_bytes([n; 32])
}

/// A record that lives for a hundred seconds.
fn record(payload: &[u8], owner: Option<OwnerKey>) -> Record {
    Record { payload: payload.into(), owner, created: NOW, last_seen: NOW, expires: at(100) }
}

/// Every storage, with a second handle on the same records.
fn storages(dir: &tempfile::TempDir) -> Vec<(Storage, Storage)> {
    let memory: Storage = Arc::new(Memory::new(100_000));
    let directory =
        || -> Storage { Arc::new(Directory::open(dir.path().join("sessions")).unwrap()) };
    vec![(Arc::clone(&memory), memory), (directory(), directory())]
}

async fn create(storage: &Storage, key: &StorageKey, record: Record) -> Version {
    match storage.create(key, record, OwnerGuard::default(), NOW).await.unwrap() {
        Create::Created(version) => version,
        other => panic!("{other:?}"),
    }
}

async fn update(storage: &Storage, key: &StorageKey, version: Version, record: Record) -> Update {
    storage.update(key, version, record, OwnerGuard::default(), NOW).await.unwrap()
}

async fn owned(storage: &Storage, who: &OwnerKey, now: Timestamp) -> Vec<StorageKey> {
    let page = storage.list(who, None, 100, now).await.unwrap();
    page.records.into_iter().map(|(key, _)| key).collect()
}

#[tokio::test]
async fn s4_create_inserts_only_and_reads_back_any_bytes() {
    let dir = tempfile::tempdir().unwrap();
    for (storage, other) in storages(&dir) {
        let all: Vec<u8> = (0..=255).collect();
        for (n, payload) in [&b""[..], &all, &vec![7; 65_536]].into_iter().enumerate() {
            let key = key(u8::try_from(n).unwrap());
            let version = create(&storage, &key, record(payload, None)).await;
            let again =
                storage.create(&key, record(b"other", None), OwnerGuard::default(), NOW).await;
            assert_eq!(again.unwrap(), Create::Exists);
            let stored = other.read(&key, NOW).await.unwrap().unwrap();
            assert_eq!(stored, Stored { version, record: record(payload, None) });
        }
        assert_eq!(storage.read(&key(99), NOW).await.unwrap(), None);
    }
}

#[tokio::test]
async fn update_compares_and_swaps_and_never_inserts() {
    let dir = tempfile::tempdir().unwrap();
    for (storage, _) in storages(&dir) {
        let first = create(&storage, &key(1), record(b"one", None)).await;
        let Update::Updated(second) = update(&storage, &key(1), first, record(b"two", None)).await
        else {
            panic!()
        };
        assert_ne!(first, second);
        assert_eq!(update(&storage, &key(1), first, record(b"late", None)).await, Update::Conflict);
        assert_eq!(&*storage.read(&key(1), NOW).await.unwrap().unwrap().record.payload, b"two");
        assert!(
            storage.invalidate(&key(1)).await.unwrap()
                && !storage.invalidate(&key(1)).await.unwrap()
        );
        assert_eq!(
            update(&storage, &key(1), second, record(b"revived", None)).await,
            Update::Missing
        );
        assert_eq!(storage.read(&key(1), NOW).await.unwrap(), None);
        let again = create(&storage, &key(1), record(b"new", None)).await;
        assert!(again != first && again != second, "a version is never used twice");
    }
}

#[tokio::test]
async fn touch_neither_shortens_nor_revives_nor_bumps_the_version() {
    let dir = tempfile::tempdir().unwrap();
    for (storage, other) in storages(&dir) {
        let version = create(&storage, &key(1), record(b"x", None)).await;
        assert_eq!(storage.touch(&key(1), at(10), at(200)).await.unwrap(), Touch::Touched);
        assert_eq!(storage.touch(&key(1), at(5), at(150)).await.unwrap(), Touch::Touched);
        let stored = other.read(&key(1), at(150)).await.unwrap().unwrap();
        assert_eq!(
            (stored.version, stored.record.last_seen, stored.record.expires),
            (version, at(10), at(200))
        );
        assert_eq!(
            storage.touch(&key(1), at(200), at(300)).await.unwrap(),
            Touch::Missing,
            "expired"
        );
        assert_eq!(
            storage.touch(&key(2), at(1), at(300)).await.unwrap(),
            Touch::Missing,
            "unknown"
        );
        assert_eq!(other.read(&key(1), at(200)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn s50_an_expired_record_is_invisible_and_purged_in_batches() {
    let dir = tempfile::tempdir().unwrap();
    for (storage, _) in storages(&dir) {
        for n in 0..30 {
            create(&storage, &key(n), record(b"x", Some(owner(1)))).await;
        }
        storage.touch(&key(7), at(50), at(500)).await.unwrap();
        assert_eq!(
            storage.read(&key(0), at(100)).await.unwrap(),
            None,
            "invisible before the purge"
        );
        assert_eq!(owned(&storage, &owner(1), at(100)).await, [key(7)]);
        assert_eq!(storage.purge_expired(at(100), 10).await.unwrap(), 10);
        assert_eq!(storage.purge_expired(at(100), 100).await.unwrap(), 19);
        assert_eq!(storage.purge_expired(at(100), 100).await.unwrap(), 0);
        assert!(storage.read(&key(7), at(100)).await.unwrap().is_some(), "the living stay");
    }
}

#[tokio::test]
async fn the_owner_index_has_no_ghosts() {
    let dir = tempfile::tempdir().unwrap();
    for (storage, other) in storages(&dir) {
        let (ann, bob) = (owner(1), owner(2));
        let version = create(&storage, &key(1), record(b"x", Some(ann.clone()))).await;
        for n in 2..5 {
            create(&storage, &key(n), record(b"x", Some(ann.clone()))).await;
        }
        update(&storage, &key(1), version, record(b"y", Some(bob.clone()))).await;
        storage.invalidate(&key(2)).await.unwrap();
        assert_eq!(owned(&other, &ann, NOW).await, [key(3), key(4)]);
        assert_eq!(owned(&other, &bob, NOW).await, [key(1)]);
        let page = storage.list(&ann, None, 1, NOW).await.unwrap();
        assert_eq!((page.records.len(), page.next), (1, Some(key(3))));
        let page = storage.list(&ann, Some(&key(3)), 1, NOW).await.unwrap();
        assert_eq!((page.records.len(), page.next), (1, None));

        let before = storage.owner_generation(&ann).await.unwrap();
        assert_eq!(storage.invalidate_owner(&ann, &[key(4)], NOW).await.unwrap(), 1);
        assert_eq!(owned(&other, &ann, NOW).await, [key(4)]);
        let late = OwnerGuard { generation: Some(before), limit: None };
        let refused = storage.create(&key(9), record(b"x", Some(ann.clone())), late, NOW).await;
        assert_eq!(refused.unwrap(), Create::Revoked);
        let version = create(&storage, &key(8), record(b"x", None)).await;
        let refused =
            storage.update(&key(8), version, record(b"x", Some(ann.clone())), late, NOW).await;
        assert_eq!(refused.unwrap(), Update::Revoked);
        let now = OwnerGuard {
            generation: Some(storage.owner_generation(&ann).await.unwrap()),
            limit: None,
        };
        let allowed = storage.create(&key(9), record(b"x", Some(ann.clone())), now, NOW).await;
        assert!(matches!(allowed.unwrap(), Create::Created(_)));
    }
}

#[tokio::test]
async fn an_owners_limit_ends_the_oldest_or_refuses() {
    let dir = tempfile::tempdir().unwrap();
    for (storage, _) in storages(&dir) {
        let guard =
            |policy| OwnerGuard { generation: None, limit: Some(OwnerLimit { max: 2, policy }) };
        for n in 1..5 {
            let young = Record {
                created: at(u64::from(n)),
                last_seen: at(u64::from(n)),
                ..record(b"x", Some(owner(1)))
            };
            let guard = guard(OwnerLimitPolicy::EndOldest);
            assert!(matches!(
                storage.create(&key(n), young, guard, NOW).await.unwrap(),
                Create::Created(_)
            ));
        }
        assert_eq!(owned(&storage, &owner(1), NOW).await, [key(3), key(4)]);
        assert_eq!(storage.read(&key(1), NOW).await.unwrap(), None);
        let refused = storage
            .create(&key(9), record(b"x", Some(owner(1))), guard(OwnerLimitPolicy::Refuse), NOW)
            .await;
        assert_eq!(refused.unwrap(), Create::LimitReached);
        let fresh = Record { expires: at(300), ..record(b"x", Some(owner(1))) };
        let after = storage.create(&key(10), fresh, guard(OwnerLimitPolicy::Refuse), at(100)).await;
        assert!(matches!(after.unwrap(), Create::Created(_)), "the expired do not count");
        assert_eq!(storage.read(&key(9), NOW).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s57_a_hundred_concurrent_read_modify_writes_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for (storage, other) in storages(&dir) {
        create(&storage, &key(1), record(&0u32.to_be_bytes(), None)).await;
        let tasks: Vec<_> = (0..100)
            .map(|n| {
                let storage = Arc::clone(if n % 2 == 0 { &storage } else { &other });
                tokio::spawn(async move {
                    loop {
                        let stored = storage.read(&key(1), NOW).await.unwrap().unwrap();
                        let count =
                            u32::from_be_bytes(*stored.record.payload.first_chunk().unwrap()) + 1;
                        let next = record(&count.to_be_bytes(), None);
                        if let Update::Updated(_) =
                            update(&storage, &key(1), stored.version, next).await
                        {
                            break;
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(
            *storage.read(&key(1), NOW).await.unwrap().unwrap().record.payload,
            100u32.to_be_bytes()
        );
    }
}

#[tokio::test]
async fn s56_a_full_memory_forgets_only_sessions_whose_clients_never_came_back() {
    let storage: Storage = Arc::new(Memory::new(10));
    for n in 0..10 {
        create(
            &storage,
            &key(n),
            Record { created: at(u64::from(n)), last_seen: at(u64::from(n)), ..record(b"x", None) },
        )
        .await;
    }
    storage.read(&key(0), NOW).await.unwrap();
    for n in 100..200 {
        create(&storage, &key(n), record(b"flood", None)).await;
    }
    assert!(
        storage.read(&key(0), NOW).await.unwrap().is_some(),
        "a client came back with this one"
    );
    let storage: Storage = Arc::new(Memory::new(2));
    for n in 0..2 {
        create(&storage, &key(n), record(b"x", None)).await;
        storage.read(&key(n), NOW).await.unwrap();
    }
    let full = storage.create(&key(3), record(b"x", None), OwnerGuard::default(), NOW).await;
    assert!(
        matches!(full, Err(StorageError::Unavailable(text, _)) if text.contains("raise its `capacity`"))
    );
    let later = storage.create(&key(3), record(b"x", None), OwnerGuard::default(), at(100)).await;
    assert!(matches!(later, Ok(Create::Created(_))), "expired records make room");
}

#[tokio::test]
async fn s37_the_directory_is_private_follows_no_symlink_and_reading_creates_nothing() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("deep/sessions");
    let storage: Storage = Arc::new(Directory::open(&root).unwrap());
    let files = || walk(&root);
    let empty = files();
    for n in 0..100 {
        assert_eq!(storage.read(&key(n), NOW).await.unwrap(), None);
        assert_eq!(
            update(&storage, &key(n), Version(1), record(b"x", None)).await,
            Update::Missing
        );
        assert_eq!(storage.touch(&key(n), NOW, at(1)).await.unwrap(), Touch::Missing);
        assert!(!storage.invalidate(&key(n)).await.unwrap());
        assert!(owned(&storage, &owner(n), NOW).await.is_empty());
    }
    assert_eq!(files(), empty, "unknown keys leave no trace");

    create(&storage, &key(1), record(b"secret", Some(owner(1)))).await;
    for path in files() {
        let mode = path.symlink_metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
    let path = root.join("records/01/01").join(key(1).to_string());
    let content = std::fs::read(&path).unwrap();
    for planted in [&b""[..], &content[..50], b"something else"] {
        std::fs::write(&path, planted).unwrap();
        assert!(matches!(storage.read(&key(1), NOW).await, Err(StorageError::Corrupt(_))));
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::write(dir.path().join("target"), &content).unwrap();
    symlink(dir.path().join("target"), &path).unwrap();
    assert!(matches!(storage.read(&key(1), NOW).await, Err(StorageError::Corrupt(_))));
    assert!(storage.invalidate(&key(1)).await.unwrap());
    assert!(dir.path().join("target").exists(), "the link went, not what it named");
    std::fs::write(dir.path().join("file"), b"").unwrap();
    assert!(Directory::open(dir.path().join("file")).is_err());
}

fn walk(path: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![path.to_owned()];
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        found.extend(if path.is_dir() { walk(&path) } else { vec![path] });
    }
    found.sort();
    found
}
