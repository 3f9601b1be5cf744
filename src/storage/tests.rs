//! What only one storage promises; what all of them do is in the conformance kit.

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
    Record { payload: payload.into(), owner, created: NOW, last_seen: NOW, expires: at(100) }
}

async fn create(storage: &Storage, key: &StorageKey, record: Record) -> Version {
    match storage.create(key, record, OwnerGuard::default(), NOW).await.unwrap() {
        Create::Created(version) => version,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn s50_a_hundred_thousand_expired_records_go_in_batches_and_the_living_stays() {
    let storage: Storage = Arc::new(Memory::new(200_000));
    let numbered = |n: u32| StorageKey::from_bytes(Sha256::digest(n.to_be_bytes()).into());
    for n in 0..100_000 {
        create(&storage, &numbered(n), record(b"x", None)).await;
    }
    let living = Record { expires: at(1000), ..record(b"living", None) };
    create(&storage, &numbered(100_000), living).await;
    let mut batches = 0;
    loop {
        let purged = storage.purge_expired(at(100), 1000).await.unwrap();
        assert!(purged <= 1000);
        batches += 1;
        if purged < 1000 {
            break;
        }
    }
    assert_eq!(batches, 101, "a hundred full ones and the end");
    for n in 0..100_000 {
        assert!(
            storage
                .create(&numbered(n), record(b"y", None), OwnerGuard::default(), NOW)
                .await
                .is_ok_and(|made| made != Create::Exists)
        );
    }
    assert!(storage.read(&numbered(100_000), at(500)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_create_removes_what_expired_without_any_purge() {
    let storage = Memory::new(1_000_000);
    let numbered = |n: u32| StorageKey::from_bytes(Sha256::digest(n.to_be_bytes()).into());
    for n in 0..20_000 {
        let now = at(u64::from(n));
        let record = Record {
            created: now,
            last_seen: now,
            expires: at(u64::from(n) + 100),
            ..record(b"x", None)
        };
        let created =
            storage.create(&numbered(n), record, OwnerGuard::default(), now).await.unwrap();
        assert!(matches!(created, Create::Created(_)));
    }
    // A hundred live at any time; each shard is swept as it is used.
    let left = storage.purge_expired(at(1_000_000), usize::MAX).await.unwrap();
    assert!(left < 10_000, "of 20,000 records, 100 of them alive, {left} were still there");
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
        let guard = OwnerGuard::default();
        let update = storage.update(&key(n), Version(1), record(b"x", None), guard, NOW).await;
        assert_eq!(update.unwrap(), Update::Missing);
        assert_eq!(storage.touch(&key(n), NOW, at(1)).await.unwrap(), Touch::Missing);
        assert!(!storage.invalidate(&key(n)).await.unwrap());
        assert_eq!(storage.list(&owner(n), None, 9, NOW).await.unwrap(), OwnerPage::default());
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
