//! What the storages in databases add to a bare statement on the same pool, in
//! one run: interleaved, so that both meet the same machine; and the space that
//! sessions take.
//!
//!     cargo run --release -- postgres://app@127.0.0.1/app
//!     cargo run --release -- mysql://app:password@127.0.0.1/app
//!     cargo run --release -- sqlite:bench.db

use std::time::{Duration, Instant};

use rocket_typed_sessions::storage::{
    Create, MySql, OwnerGuard, OwnerKey, Postgres, Record, SessionStorage, Sqlite, StorageKey,
    Timestamp, Update, Version,
};
use sqlx::{MySqlPool, PgPool, SqlitePool};

const ROUNDS: usize = 3_000;
const PAYLOAD: usize = 500;
const SESSIONS: u64 = 20_000;
const FREE: OwnerGuard = OwnerGuard { generation: None, limit: None, replaces: None };

fn now() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
}

fn record() -> Record {
    Record {
        version: Version::from_u64(0),
        payload: vec![7; PAYLOAD].into(),
        owner: None,
        created: now(),
        last_seen: now(),
        expires: now().after(Duration::from_secs(3600)),
    }
}

fn name(n: u64) -> [u8; 32] {
    // Spread as hashes are.
    let mut name = [0; 32];
    for (at, chunk) in name.chunks_mut(8).enumerate() {
        let mixed = (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(at as u32 * 16);
        chunk.copy_from_slice(&mixed.to_be_bytes());
    }
    name
}

fn report(what: &str, bare: &mut [Duration], ours: &mut [Duration]) {
    bare.sort_unstable();
    ours.sort_unstable();
    let (bare, ours) = (bare[bare.len() / 2], ours[ours.len() / 2]);
    let ratio = ours.as_secs_f64() / bare.as_secs_f64();
    println!("{what}: {ours:?}, bare {bare:?}: {ratio:.2} times");
}

macro_rules! bench {
    ($storage:expr, $pool:expr, $select:literal, $update:literal, $size:literal) => {{
        let (storage, pool) = ($storage, $pool);
        let key = StorageKey::from_bytes(name(0));
        storage.invalidate(&key, None, None).await.expect("an answer");
        let created = storage.create(&key, record(), FREE, now()).await.expect("an answer");
        assert_eq!(created, Create::Created);
        let (mut selects, mut reads, mut sets, mut updates) = (vec![], vec![], vec![], vec![]);
        for round in 0..ROUNDS as u64 {
            let started = Instant::now();
            let query = sqlx::query($select).bind(&key.as_bytes()[..]);
            query.fetch_one(&pool).await.expect("a row");
            selects.push(started.elapsed());

            let started = Instant::now();
            storage.read(&key, now()).await.expect("an answer").expect("a record");
            reads.push(started.elapsed());

            let started = Instant::now();
            let query =
                sqlx::query($update).bind(vec![round as u8; PAYLOAD]).bind(&key.as_bytes()[..]);
            query.execute(&pool).await.expect("a row");
            sets.push(started.elapsed());

            let started = Instant::now();
            let next = Record { version: Version::from_u64(round + 1), ..record() };
            let updated = storage.update(&key, Version::from_u64(round), next, now()).await;
            updates.push(started.elapsed());
            assert_eq!(updated.expect("an answer"), Update::Updated);
        }
        report("read  ", &mut selects, &mut reads);
        report("update", &mut sets, &mut updates);
        let size =
            async || -> i64 { sqlx::query_scalar($size).fetch_one(&pool).await.expect("its size") };
        let before = size().await;
        for n in 1..=SESSIONS {
            let owner = Some(OwnerKey::from_bytes(name(n)));
            let key = StorageKey::from_bytes(name(n + SESSIONS));
            let record = Record { owner, ..record() };
            storage.create(&key, record, FREE, now()).await.expect("an answer");
        }
        println!(
            "space : {} bytes a session of {PAYLOAD} with an owner",
            (size().await - before) / SESSIONS as i64
        );
    }};
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).expect("a URL");
    if url.starts_with("postgres") {
        let pool = PgPool::connect(&url).await.expect("a server");
        let storage = Postgres::with_pool(pool.clone(), "bench").await.expect("tables");
        bench!(
            storage,
            pool,
            "SELECT payload FROM bench WHERE id = $1",
            "UPDATE bench SET payload = $1 WHERE id = $2",
            "SELECT pg_total_relation_size('bench') + pg_total_relation_size('bench_owners')"
        );
    } else if url.starts_with("mysql") {
        let pool = MySqlPool::connect(&url).await.expect("a server");
        let storage = MySql::with_pool(pool.clone(), "bench").await.expect("tables");
        bench!(
            storage,
            pool,
            "SELECT payload FROM bench WHERE id = ?",
            "UPDATE bench SET payload = ? WHERE id = ?",
            "SELECT CAST(SUM(file_size) AS SIGNED) FROM information_schema.innodb_sys_tablespaces WHERE name LIKE '%/bench%'"
        );
    } else {
        let path = url.trim_start_matches("sqlite:");
        let storage = Sqlite::open(path, "bench").await.expect("a file");
        let pool = SqlitePool::connect(&url).await.expect("a file");
        bench!(
            storage,
            pool,
            "SELECT payload FROM bench WHERE id = ?",
            "UPDATE bench SET payload = ? WHERE id = ?",
            "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        );
    }
}
