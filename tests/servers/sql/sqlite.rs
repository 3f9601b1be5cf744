//! What is particular to SQLite.

use rocket_typed_sessions::storage::{
    Create, Invalidate, SessionStorage, Sqlite, StorageError, Update,
};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use super::*;

#[tokio::test]
async fn sqlite_writes_ahead_and_its_files_are_its_users_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new/sessions.db");
    let storage = Sqlite::open(&path, "sessions").await.expect("a file");
    storage.create(&key(1), record(None, b"x"), FREE, NOW).await.expect("an answer");
    let files: Vec<_> = std::fs::read_dir(path.parent().expect("a folder"))
        .expect("a folder")
        .flatten()
        .map(|file| {
            let mode = file.metadata().expect("its mode").permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{file:?}");
            file.file_name().into_string().expect("text")
        })
        .collect();
    assert!(files.contains(&"sessions.db-wal".to_owned()), "{files:?}");
    let pool = SqlitePool::connect(&format!("sqlite:{}", path.display())).await.expect("a pool");
    let mode = sqlx::query("PRAGMA journal_mode").fetch_one(&pool).await.expect("an answer");
    assert_eq!(mode.get::<String, _>(0), "wal");
}

#[tokio::test]
async fn a_full_sqlite_is_unavailable_keeps_what_it_has_and_recovers() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("db"))
        .create_if_missing(true)
        .pragma("max_page_count", "40");
    let pool = SqlitePool::connect_with(options).await.expect("a pool");
    let storage = Sqlite::with_pool(pool, "sessions").await.expect("a storage");
    let first = record(None, b"first");
    let version = first.version;
    let created = storage.create(&key(0), first, FREE, NOW).await;
    assert!(matches!(created, Ok(Create::Created)), "{created:?}");
    let mut kept = Vec::new();
    let failure = loop {
        let next = u8::try_from(kept.len() + 1).expect("full by now");
        match storage.create(&key(next), record(None, &[7; 4000]), FREE, NOW).await {
            Ok(_) => kept.push(next),
            Err(cause) => break cause,
        }
    };
    assert!(matches!(failure, StorageError::Unavailable(..)), "{failure:?}");
    assert!(failure.to_string().contains("full"), "{failure}");
    let larger = storage.update(&key(0), version, record(None, &[7; 9000]), NOW).await;
    assert!(matches!(larger, Err(StorageError::Unavailable(..))), "{larger:?}");
    let found = storage.read(&key(0), NOW).await.expect("an answer").expect("a record");
    assert_eq!(&*found.payload, b"first");
    for key in kept.iter().map(|n| self::key(*n)) {
        assert_eq!(
            storage.invalidate(&key, None, Some(NOW)).await.expect("room enough to delete"),
            Invalidate::Invalidated
        );
    }
    let larger = storage.update(&key(0), version, record(None, &[7; 9000]), NOW).await;
    assert!(matches!(larger, Ok(Update::Updated)), "{larger:?}");
}
