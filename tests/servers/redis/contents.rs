//! What a server holds, for how long, and what it does when it is full.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rocket_typed_sessions::storage::{
    Create, Invalidate, OwnerGuard, OwnerKey, Record, Redis, Refused, SessionStorage, StorageError,
    StorageKey, Touch, Update, Version,
};

use super::*;

/// Ends every session of an owner. Returns how many lived.
async fn end_all(storage: &Redis, owner: &OwnerKey) -> usize {
    let index = storage.owners().expect("an index");
    index.invalidate_owner(owner, &[], now()).await.expect("an answer")
}

#[tokio::test]
async fn s39_every_record_has_a_ttl_and_no_command_searches_or_flushes() {
    let server = redis(&[]);
    let mut monitor = TcpStream::connect(("127.0.0.1", server.port)).expect("a connection");
    monitor.write_all(b"MONITOR\r\n").expect("sent");
    let storage = open(&server, "app").await;
    let key = StorageKey::from_bytes([7; 32]);
    let ttl = |what: &str, most: u64| {
        let answer = ask(&server, &format!("PTTL app:{{{key}}}:r"));
        let left: i64 = answer.trim().trim_start_matches(':').parse().expect("a number");
        let most = i64::try_from(most * 1000).expect("small");
        assert!(left > most - 5000 && left <= most, "{what}: {left} of {most}");
    };
    let first = record(Some(1), 100);
    let version = first.version;
    let created = storage.create(&key, first, FREE, now()).await.expect("an answer");
    assert_eq!(created, Create::Created);
    ttl("create", 100);
    storage.read(&key, now()).await.expect("an answer").expect("a record");
    ttl("read", 100);
    storage.touch(&key, now(), now().after(Duration::from_secs(200))).await.expect("an answer");
    ttl("touch", 200);
    storage.update(&key, version, record(Some(1), 50), now()).await.expect("an answer");
    ttl("update", 50);
    let again = storage.create(&key, record(None, 1000), FREE, now()).await.expect("an answer");
    assert_eq!(again, Create::Exists, "create-only");
    ttl("a create that was refused", 50);

    let owner = OwnerKey::from_bytes([1; 32]);
    assert_eq!(
        storage
            .owners()
            .expect("an index")
            .list(&owner, None, 10, now())
            .await
            .expect("a page")
            .records
            .len(),
        1
    );
    assert_eq!(end_all(&storage, &owner).await, 1);
    assert_eq!(storage.invalidate(&key, None, None).await.expect("an answer"), Invalidate::Missing);
    let mark = now().after(Duration::from_secs(120));
    assert_eq!(
        storage.invalidate(&key, None, Some(mark)).await.expect("an answer"),
        Invalidate::Missing
    );
    ttl("a mark", 121);
    storage.purge_expired(now(), 1000).await.expect("an answer");

    // Whatever is left has a TTL and our prefix.
    let left = ask(&server, "KEYS *");
    let names: Vec<_> = left.lines().filter(|line| line.contains(':')).collect();
    assert!(!names.is_empty(), "a mark is left: {left}");
    for name in names {
        assert!(name.starts_with("app:{"), "{name}");
        let ttl = ask(&server, &format!("PTTL {name}"));
        assert!(!ttl.starts_with(":-1"), "{name} stays for ever");
    }
    let mut seen = Vec::new();
    monitor.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    let _ = monitor.read_to_end(&mut seen);
    let seen = String::from_utf8_lossy(&seen).to_uppercase();
    assert!(seen.contains("GET") && seen.contains("EVALSHA"), "the monitor sees");
    for command in ["\"SCAN\"", "\"FLUSHDB\"", "\"FLUSHALL\"", "\"KEYS\" \"APP"] {
        assert!(!seen.contains(command), "{command}");
    }
}

#[tokio::test]
async fn a_server_that_has_forgotten_the_scripts_learns_them_again() {
    let server = redis(&[]);
    let storage = open(&server, "app").await;
    for byte in 0..3 {
        ask(&server, "SCRIPT FLUSH");
        let key = StorageKey::from_bytes([byte; 32]);
        storage.create(&key, record(Some(1), 100), FREE, now()).await.expect("an answer");
        ask(&server, "SCRIPT FLUSH");
        let touched = storage.touch(&key, now(), now().after(Duration::from_secs(200))).await;
        assert_eq!(touched.expect("an answer"), Touch::Touched);
    }
    let owner = OwnerKey::from_bytes([1; 32]);
    ask(&server, "SCRIPT FLUSH");
    assert_eq!(end_all(&storage, &owner).await, 3);
}

#[tokio::test]
async fn on_a_full_server_sessions_can_be_ended() {
    let server = redis(&[]);
    let storage = open(&server, "app").await;
    let [one, other] = [1, 2].map(|n| StorageKey::from_bytes([n; 32]));
    for key in [&one, &other] {
        storage.create(key, record(Some(1), 100), FREE, now()).await.expect("an answer");
    }
    ask(&server, "CONFIG SET maxmemory 1");
    let full = storage.create(&one, record(None, 100), FREE, now()).await;
    assert!(matches!(full, Ok(Create::Exists)), "it need not write: {full:?}");
    let full = storage.create(&StorageKey::from_bytes([3; 32]), record(None, 9), FREE, now()).await;
    assert!(full.is_err_and(|cause| cause.to_string().contains("OOM")));
    let [third, owner] = [StorageKey::from_bytes([3; 32]), StorageKey::from_bytes([9; 32])];
    let login = storage.create(&third, record(Some(9), 100), FREE, now()).await;
    assert!(login.is_err_and(|cause| cause.to_string().contains("OOM")));
    let left =
        ask(&server, &format!("EXISTS app:{{{third}}}:r app:{{{owner}}}:i app:{{{owner}}}:w"));
    assert_eq!(left.trim(), ":0", "a login that finds no room leaves nothing");
    let mark = now().after(Duration::from_secs(120));
    assert_eq!(
        storage.invalidate(&one, None, Some(mark)).await.expect("room enough to delete"),
        Invalidate::Invalidated
    );
    let late = storage.create(&one, record(None, 100), FREE, now()).await;
    assert!(matches!(late, Ok(Create::Refused(Refused::Revoked))), "{late:?}");
    assert_eq!(
        storage.invalidate(&other, None, None).await.expect("room enough to delete"),
        Invalidate::Invalidated
    );
}

#[tokio::test]
async fn an_owners_index_does_not_grow_with_what_has_expired() {
    let server = redis(&[]);
    let storage = open(&server, "app").await;
    let login = async |n: u32, seconds: u64| {
        let mut name = [7; 32];
        name[..4].copy_from_slice(&n.to_be_bytes());
        let key = StorageKey::from_bytes(name);
        storage.create(&key, record(Some(1), seconds), FREE, now()).await.expect("an answer");
    };
    for n in 0..100 {
        login(n, 1).await;
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    for n in 100..300 {
        login(n, 100).await;
    }
    let owner = OwnerKey::from_bytes([1; 32]);
    let answer = ask(&server, &format!("ZCARD app:{{{owner}}}:i"));
    let entries: u32 = answer.trim().trim_start_matches(':').parse().expect("a number");
    assert!((200..250).contains(&entries), "{entries}");
}

#[tokio::test]
async fn a_generation_that_was_forgotten_does_not_come_again() {
    let server = redis(&[]);
    let storage = open(&server, "app").await;
    let owner = OwnerKey::from_bytes([1; 32]);
    for _ in 0..3 {
        end_all(&storage, &owner).await;
    }
    let generation =
        Some(storage.owners().expect("an index").generation(&owner).await.expect("an answer"));
    // A day later Redis has forgotten it.
    ask(&server, &format!("DEL app:{{{owner}}}:g"));
    end_all(&storage, &owner).await;
    let guard = OwnerGuard { generation, ..FREE };
    let key = StorageKey::from_bytes([7; 32]);
    let created = storage.create(&key, record(Some(1), 100), guard, now()).await;
    assert_eq!(created.expect("an answer"), Create::Refused(Refused::Revoked));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owners_index_outlives_a_session_that_is_kept_alive() {
    let server = redis(&[]);
    let storage = open(&server, "app").await;
    let key = StorageKey::from_bytes([7; 32]);
    let owner = OwnerKey::from_bytes([1; 32]);
    let index = || -> u64 {
        // Nobody waits for it.
        std::thread::sleep(Duration::from_millis(200));
        let answer = ask(&server, &format!("PTTL app:{{{owner}}}:i"));
        answer.trim().trim_start_matches(':').parse().expect("a number")
    };
    let days = |days: u64| Duration::from_secs(days * 86_400);
    storage.create(&key, record(Some(1), 100), FREE, now()).await.expect("an answer");
    assert!(index() >= 86_400_000);
    storage.touch(&key, now(), now().after(days(3))).await.expect("an answer");
    assert!(index() >= 3 * 86_400_000, "a touch");
    let stored = storage.read(&key, now()).await.expect("an answer").expect("a record");
    let before = stored.version;
    let longer = Record { version: version(), expires: now().after(days(9)), ..stored };
    storage.update(&key, before, longer, now()).await.expect("an answer");
    assert!(index() >= 9 * 86_400_000, "an update");
}

#[tokio::test]
async fn a_foreign_value_under_our_key_is_corrupt_and_harms_nobody() {
    let server = redis(&[]);
    let storage = open(&server, "app").await;
    let key = StorageKey::from_bytes([7; 32]);
    for foreign in ["SET app:{KEY}:r short", "HSET app:{KEY}:r a b"] {
        ask(&server, &format!("DEL app:{{{key}}}:r"));
        ask(&server, &foreign.replace("KEY", &key.to_string()));
        let read = storage.read(&key, now()).await;
        assert!(matches!(read, Err(StorageError::Corrupt(_))), "{foreign}: {read:?}");
        let update = storage.update(&key, Version::from_u64(1), record(None, 9), now()).await;
        assert!(matches!(update, Ok(Update::Missing) | Err(StorageError::Corrupt(_))));
    }
}
