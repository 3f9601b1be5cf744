//! What the Redis storage adds to a bare client, in one run: interleaved, so
//! that both meet the same machine; and the memory that sessions take.
//!
//!     redis-server --port 7777 --save '' &
//!     cargo run --release -- redis://127.0.0.1:7777/

use std::time::{Duration, Instant};

use redis::AsyncCommands;
use redis::aio::ConnectionManager;
use rocket_typed_sessions::storage::{
    Create, OwnerGuard, OwnerKey, Record, Redis, SessionStorage, StorageKey, Timestamp, Update,
    Version,
};

const ROUNDS: usize = 20_000;
const PAYLOAD: usize = 500;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).unwrap_or_else(|| "redis://127.0.0.1/".into());
    let client = redis::Client::open(url.as_str()).expect("a URL");
    let mut bare = ConnectionManager::new(client).await.expect("a server");
    let storage = Redis::open([url], "bench").await.expect("a server");

    let now = now();
    let record = Record {
        version: Version::from_u64(0),
        payload: vec![7; PAYLOAD].into(),
        owner: None,
        created: now,
        last_seen: now,
        expires: now.after(Duration::from_secs(3600)),
    };
    let key = StorageKey::from_bytes([7; 32]);
    let free = OwnerGuard::default();
    storage.invalidate(&key, None, None).await.expect("an answer");
    let created = storage.create(&key, record.clone(), free, now).await.expect("an answer");
    assert_eq!(created, Create::Created);
    let _: () = bare.set("bench:bare", vec![7_u8; PAYLOAD]).await.expect("an answer");

    let (mut gets, mut reads, mut sets, mut updates) = (vec![], vec![], vec![], vec![]);
    for round in 0..ROUNDS as u64 {
        let started = Instant::now();
        let found: Vec<u8> = bare.get("bench:bare").await.expect("an answer");
        gets.push(started.elapsed());
        assert_eq!(found.len(), PAYLOAD);

        let started = Instant::now();
        let found = storage.read(&key, now).await.expect("an answer");
        reads.push(started.elapsed());
        assert!(found.is_some());

        let started = Instant::now();
        let _: () = bare.set("bench:bare", vec![7_u8; PAYLOAD]).await.expect("an answer");
        sets.push(started.elapsed());

        let started = Instant::now();
        let next = Record { version: Version::from_u64(round + 1), ..record.clone() };
        let updated = storage.update(&key, Version::from_u64(round), next, now).await;
        updates.push(started.elapsed());
        assert_eq!(updated.expect("an answer"), Update::Updated);
    }
    let ratio = |ours: Duration, bare: Duration| ours.as_secs_f64() / bare.as_secs_f64();
    let (get, read, set, update) = (median(gets), median(reads), median(sets), median(updates));
    println!("read   {read:?}, a bare GET {get:?}: {:.2} times", ratio(read, get));
    println!("update {update:?}, a bare SET {set:?}: {:.2} times", ratio(update, set));
    for owned in [false, true] {
        let bytes = bytes_a_session(&mut bare, &storage, &record, owned).await;
        println!("memory {bytes} bytes a session of {PAYLOAD}, owned: {owned}");
    }
}

/// What the server's memory grows by, everything counted.
async fn bytes_a_session(
    bare: &mut ConnectionManager,
    storage: &Redis,
    record: &Record,
    owned: bool,
) -> usize {
    const SESSIONS: usize = 50_000;
    let mut used = async || -> usize {
        let info: String = redis::cmd("INFO").arg("memory").query_async(bare).await.expect("INFO");
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        line.expect("the figure").trim().parse().expect("a number")
    };
    let before = used().await;
    for n in 0..SESSIONS {
        let mut hash = [u8::from(owned); 32];
        hash[..8].copy_from_slice(&n.to_be_bytes());
        let owner = owned.then(|| OwnerKey::from_bytes(hash));
        let record = Record { owner, ..record.clone() };
        let key = StorageKey::from_bytes(hash);
        storage.create(&key, record, OwnerGuard::default(), now()).await.expect("an answer");
    }
    (used().await - before) / SESSIONS
}

fn now() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
}
