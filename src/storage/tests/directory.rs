//! What the directory and the folder of Ktor's files do to the disk.

use super::*;

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
        let update = storage.update(&key(n), Version::from_u64(1), record(b"x", None), NOW).await;
        assert_eq!(update.unwrap(), Update::Missing);
        assert_eq!(storage.touch(&key(n), NOW, at(1)).await.unwrap(), Touch::Missing);
        assert_eq!(storage.invalidate(&key(n), None, None).await.unwrap(), Invalidate::Missing);
        let index = storage.owners().unwrap();
        assert_eq!(index.list(&owner(n), None, 9, NOW).await.unwrap(), OwnerPage::default());
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
    assert_eq!(storage.invalidate(&key(1), None, None).await.unwrap(), Invalidate::Invalidated);
    assert!(dir.path().join("target").exists(), "the link went, not what it named");
    std::fs::write(dir.path().join("file"), b"").unwrap();
    assert!(Directory::open(dir.path().join("file")).is_err());
}

/// Ktor's files are last-write-wins and have no index. An expired file does not block a new
/// session there either, because its id may be the user's name.
#[tokio::test]
async fn a_file_of_ktors_that_has_expired_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let idle = std::time::Duration::from_secs(100);
    let file = KtorDirectory::open(dir.path().into(), idle).unwrap().file("ann".into());
    let free = OwnerGuard::default;
    let create = async |payload: &[u8], now| {
        let version = Version::from_content(payload);
        let record = Record { version, created: now, last_seen: now, ..record(payload, None) };
        file.create(&key(1), record, free(), now).await.unwrap()
    };
    assert!(matches!(create(b"first", NOW).await, Create::Created));
    assert_eq!(create(b"second", at(99)).await, Create::Exists);
    assert!(matches!(create(b"third", at(100)).await, Create::Created));
    let found = file.read(&key(1), at(100)).await.unwrap().unwrap();
    assert_eq!(*found.payload, *b"third");
    // A repeated write is recognized. Equal content alone is not enough.
    assert_eq!(create(b"third", at(100)).await, Create::Created);
    assert_eq!(create(b"third", at(101)).await, Create::Exists);
    let next = Record {
        version: Version::from_content(b"fourth"),
        last_seen: at(110),
        ..record(b"fourth", None)
    };
    for _ in 0..2 {
        let updated = file.update(&key(1), found.version, next.clone(), at(110)).await;
        assert_eq!(updated.unwrap(), Update::Updated);
    }
    let other = record(b"fifth", None);
    let stale = file.update(&key(1), found.version, other, at(110)).await;
    assert_eq!(stale.unwrap(), Update::Conflict);
    assert!(file.owners().is_none() && !file.compares_and_swaps());
    let limit = Some(OwnerLimit { max: 1, policy: OwnerLimitPolicy::Refuse });
    let guarded = OwnerGuard { limit, ..free() };
    assert!(file.create(&key(1), record(b"", None), guarded, at(300)).await.is_err());
    // Two sessions are two files.
    let (old, new) = (key(1), key(2));
    let successor = Successor { key: &new, record: record(b"new", None), guard: free() };
    let replaced = record(b"replaced", None);
    let predecessor = Predecessor { key: &old, expected: next.version, record: replaced };
    assert!(file.succeed(successor, predecessor, at(110)).await.is_err());
    assert_eq!(file.read(&old, at(110)).await.unwrap().unwrap().payload, next.payload);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_login_in_a_directory_never_counts_twice() {
    let root = tempfile::tempdir().unwrap();
    a_login_never_counts_twice(Arc::new(Directory::open(root.path()).unwrap()), 100).await;
}
