//! What the tables hold, and for how long.

use std::time::Duration;

use rocket_typed_sessions::storage::{
    Create, OwnerGuard, OwnerKey, Record, Refused, SessionStorage, Sqlite, StorageKey,
};
use sqlx::sqlite::SqlitePool;

use super::*;

#[tokio::test]
async fn s38_values_full_of_sql_come_back_as_they_were_and_what_has_expired_is_unseen() {
    let all = servers();
    // Every byte, among them quotes, NUL, backslash and semicolon.
    let every: Vec<u8> = (0..=255).collect();
    let hostile = [
        &b"'; DROP TABLE sessions; --"[..],
        b"\"; DELETE FROM sessions",
        b"\\'; TRUNCATE sessions",
        b"$1 ? :a %s",
        &every,
    ];
    for (engine, storage) in engines(&all, "sessions").await {
        for (n, payload) in (0..).zip(hostile) {
            let mut name = [b'\''; 32];
            name[31] = n;
            let (key, owner) = (StorageKey::from_bytes(name), OwnerKey::from_bytes(name));
            let record = Record { owner: Some(owner.clone()), ..record(None, payload) };
            let created = storage.create(&key, record.clone(), FREE, NOW).await;
            assert!(matches!(created, Ok(Create::Created)), "{engine}: {created:?}");
            let found = storage.read(&key, NOW).await.expect("an answer").expect("a record");
            assert_eq!(found, record, "{engine}");
            let page = storage
                .owners()
                .expect("an index")
                .list(&owner, None, 10, NOW)
                .await
                .expect("a page");
            assert_eq!(page.records.len(), 1, "{engine}");
            let later = record.expires;
            assert_eq!(storage.read(&key, later).await.expect("an answer"), None, "{engine}");
            let page = storage
                .owners()
                .expect("an index")
                .list(&owner, None, 10, later)
                .await
                .expect("a page");
            assert_eq!(page.records.len(), 0, "{engine}");
        }
        assert_eq!(storage.purge_expired(NOW, 100).await.expect("an answer"), 0, "{engine}");
        let purged = storage.purge_expired(NOW.after(Duration::from_secs(100)), 3).await;
        assert_eq!(purged.expect("an answer"), 3, "{engine}: no more than asked for");
    }
}

#[tokio::test]
async fn owners_who_were_not_seen_for_a_day_are_purged() {
    let all = servers();
    for (engine, storage) in engines(&all, "sessions").await {
        let owner = OwnerKey::from_bytes([1; 32]);
        storage
            .owners()
            .expect("an index")
            .invalidate_owner(&owner, &[], NOW)
            .await
            .expect("an answer");
        let hours = |hours: u64| NOW.after(Duration::from_secs(hours * 3600));
        storage.purge_expired(hours(23), 100).await.expect("an answer");
        let generation =
            storage.owners().expect("an index").generation(&owner).await.expect("an answer");
        assert!(generation.as_u64() > 0, "{engine}");
        storage.purge_expired(hours(25), 100).await.expect("an answer");
        assert_eq!(
            storage
                .owners()
                .expect("an index")
                .generation(&owner)
                .await
                .expect("an answer")
                .as_u64(),
            0,
            "{engine}"
        );
        // A login that began before all that is still refused after another revocation.
        storage.create(&key(9), record(Some(1), b"x"), FREE, hours(25)).await.expect("an answer");
        storage
            .owners()
            .expect("an index")
            .invalidate_owner(&owner, &[], hours(25))
            .await
            .expect("an answer");
        let guard = OwnerGuard { generation: Some(generation), ..FREE };
        let created = storage.create(&key(1), record(Some(1), b"x"), guard, hours(25)).await;
        assert_eq!(created.expect("an answer"), Create::Refused(Refused::Revoked), "{engine}");
    }
}

#[tokio::test]
async fn a_mark_keeps_nothing_of_its_session_and_is_purged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db");
    let storage = Sqlite::open(&path, "sessions").await.expect("a file");
    let pool = SqlitePool::connect(&format!("sqlite:{}", path.display())).await.expect("a pool");
    let mark = NOW.after(Duration::from_secs(120));
    storage.create(&key(1), record(Some(1), b"canary"), FREE, NOW).await.expect("an answer");
    for n in 1..3 {
        storage.invalidate(&key(n), None, Some(mark)).await.expect("an answer");
    }
    let count = async |condition: &str| -> i64 {
        let sql = format!("SELECT COUNT(*) FROM sessions WHERE {condition}");
        let count = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&pool);
        count.await.expect("a number")
    };
    assert_eq!(count("owner IS NULL AND payload = x''").await, 2);
    assert_eq!(storage.purge_expired(mark, 1).await.expect("an answer"), 0, "no session");
    assert_eq!(count("TRUE").await, 0);
}
