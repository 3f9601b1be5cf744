//! PostgreSQL, MariaDB and SQLite: every promise, and what is particular to them.

use std::sync::Arc;
use std::time::Duration;

use rocket::futures::future::join_all;
use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::storage::{
    Create, Invalidate, MySql, OwnerGuard, OwnerKey, Postgres, Record, Refused, SessionStorage,
    Sqlite, StorageKey, Timestamp, Update,
};
use rocket_typed_sessions::testing::storage::conformance;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use crate::process::{Server, as_user, give, run};
use crate::redis::version;

fn words(command: &[&str]) -> Vec<String> {
    command.iter().map(|word| (*word).to_owned()).collect()
}

/// Where Debian keeps the programs of the newest PostgreSQL.
fn postgres_program(name: &str) -> String {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .map(|found| found.flatten().map(|entry| entry.path().join("bin").join(name)).max());
    let program = versions.ok().flatten();
    program.map_or_else(|| name.to_owned(), |program| program.to_string_lossy().into_owned())
}

pub fn postgres(more: &[&str]) -> Server {
    Server::start(|port, folder| {
        let data = format!("{folder}/data");
        give(folder, "postgres");
        run(&as_user(
            "postgres",
            &[&postgres_program("initdb"), "-D", &data, "-U", "app", "-A", "trust", "--no-sync"],
        ));
        let (program, port) = (postgres_program("postgres"), port.to_string());
        let fixed =
            [&program, "-D", &data, "-p", &port, "-k", folder, "-c", "listen_addresses=127.0.0.1"];
        as_user("postgres", &fixed.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
    })
}

pub fn mariadb(more: &[&str]) -> Server {
    let server = Server::start(|port, folder| {
        // Each server clears away the temporary files of its folder when it starts.
        let temporary = format!("--tmpdir={folder}");
        let data = format!("--datadir={folder}/data");
        give(folder, "mysql");
        let install = [
            "mariadb-install-db",
            "--no-defaults",
            &data,
            &temporary,
            "--auth-root-authentication-method=normal",
        ];
        run(&as_user("mysql", &install));
        let (port, socket) = (format!("--port={port}"), format!("--socket={folder}/sock"));
        let fixed = [
            "mariadbd",
            "--no-defaults",
            &data,
            &temporary,
            &port,
            &socket,
            "--bind-address=127.0.0.1",
            "--skip-log-bin",
            "--innodb-buffer-pool-size=32M",
        ];
        as_user("mysql", &fixed.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
    });
    let port = server.port.to_string();
    run(&words(&[
        "mariadb",
        "--no-defaults",
        "-h",
        "127.0.0.1",
        "-P",
        &port,
        "-u",
        "root",
        "-e",
        "CREATE DATABASE app; CREATE USER app@localhost IDENTIFIED BY 'canary'; GRANT ALL ON app.* TO app@localhost",
    ]));
    server
}

pub fn postgres_url(server: &Server) -> String {
    format!("postgres://app@127.0.0.1:{}/postgres", server.port)
}

pub fn mariadb_url(server: &Server) -> String {
    format!("mysql://app:canary@127.0.0.1:{}/app", server.port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_every_promise() {
    let server = postgres(&[]);
    let url = postgres_url(&server);
    let open = async |name: &str| Postgres::open(&url, &table(name)).await.expect("a connection");
    conformance(open).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mariadb_keeps_every_promise() {
    let server = mariadb(&[]);
    let url = mariadb_url(&server);
    conformance(async |name| MySql::open(&url, &table(name)).await.expect("a connection")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_every_promise() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    conformance(async |name| Sqlite::open(path(name), "sessions").await.expect("a file")).await;
}

/// Whatever an administrator has set as a default for everybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_with_other_defaults_keep_every_promise() {
    let server = postgres(&["-c", "default_transaction_isolation=serializable"]);
    let url = postgres_url(&server);
    let open = async |name: &str| Postgres::open(&url, &table(name)).await.expect("a connection");
    conformance(open).await;
    let server = mariadb(&[
        "--transaction-isolation=SERIALIZABLE",
        "--innodb-snapshot-isolation=ON",
        "--autocommit=0",
        "--sql-mode=ANSI,TRADITIONAL",
    ]);
    let url = mariadb_url(&server);
    conformance(async |name| MySql::open(&url, &table(name)).await.expect("a connection")).await;
}

/// Somebody locks the table; requests give up, and so must the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_waits_on_the_server_for_long_after_its_request_has_given_up() {
    let server = postgres(&[]);
    let url = postgres_url(&server);
    let storage = Postgres::open(&url, "sessions").await.expect("a connection");
    let admin = sqlx::PgPool::connect(&url).await.expect("a connection");
    let mut lock = admin.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE sessions").execute(&mut *lock).await.expect("the lock");
    let waiting = async || -> i64 {
        let asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        sqlx::query_scalar(asked).fetch_one(&admin).await.expect("the figure")
    };
    gives_up(&storage, waiting).await;
    drop(lock);

    let server = mariadb(&[]);
    let url = mariadb_url(&server);
    let storage = MySql::open(&url, "sessions").await.expect("a connection");
    storage.create(&key(1), record(None, b"x"), FREE, NOW).await.expect("an answer");
    let admin = sqlx::MySqlPool::connect(&url).await.expect("a connection");
    let mut lock = admin.begin().await.expect("a transaction");
    sqlx::query("SELECT * FROM sessions FOR UPDATE").execute(&mut *lock).await.expect("the lock");
    let waiting = async || -> i64 {
        let asked = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE%'";
        sqlx::query_scalar(asked).fetch_one(&admin).await.expect("the figure")
    };
    gives_up(&storage, waiting).await;
    drop(lock);
}

async fn gives_up(storage: &impl SessionStorage, waiting: impl AsyncFn() -> i64) {
    for _ in 0..3 {
        join_all((0..8).map(|_| async {
            let only = key(1);
            let touch = storage.touch(&only, NOW.after(Duration::from_secs(1)), NOW);
            let _ = tokio::time::timeout(Duration::from_millis(200), touch).await;
        }))
        .await;
    }
    assert!(waiting().await > 0, "they do wait");
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(waiting().await, 0);
}

/// The kit's names are longer than a table's may be.
fn table(name: &str) -> String {
    let start: String = name.chars().take(20).collect();
    let hash = name.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(31) + u64::from(byte));
    format!("{start}_{hash:x}")
}

const FREE: OwnerGuard = OwnerGuard { generation: None, limit: None, replaces: None };
const NOW: Timestamp = Timestamp::from_millis(1_900_000_000_000);

fn key(byte: u8) -> StorageKey {
    StorageKey::from_bytes([byte; 32])
}

fn record(owner: Option<u8>, payload: &[u8]) -> Record {
    Record {
        version: version(),
        payload: payload.into(),
        owner: owner.map(|byte| OwnerKey::from_bytes([byte; 32])),
        created: NOW,
        last_seen: NOW,
        expires: NOW.after(Duration::from_secs(100)),
    }
}

/// One of each engine, on tables of this name.
async fn engines(
    servers: &(Server, Server, tempfile::TempDir),
    table: &str,
) -> Vec<(&'static str, Arc<dyn SessionStorage>)> {
    let (postgres, mariadb, folder) = servers;
    let postgres = Postgres::open(&postgres_url(postgres), table).await.expect("PostgreSQL");
    let mariadb = MySql::open(&mariadb_url(mariadb), table).await.expect("MariaDB");
    let sqlite = Sqlite::open(folder.path().join("db"), table).await.expect("SQLite");
    vec![
        ("PostgreSQL", Arc::new(postgres)),
        ("MariaDB", Arc::new(mariadb)),
        ("SQLite", Arc::new(sqlite)),
    ]
}

fn servers() -> (Server, Server, tempfile::TempDir) {
    (postgres(&[]), mariadb(&[]), tempfile::tempdir().expect("a folder"))
}

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
async fn s38_a_table_that_is_no_identifier_is_refused() {
    let pool = SqlitePool::connect("sqlite::memory:").await.expect("a pool");
    for table in ["", "a b", "a;", "x'; DROP TABLE y; --", "1a", "a.b", "ä", &"a".repeat(41)] {
        let opened = Sqlite::with_pool(pool.clone(), table).await;
        let message = opened.expect_err("no name of a table").to_string();
        assert!(message.contains("no name of a table"), "{message}");
    }
    Sqlite::with_pool(pool, "web_sessions_2").await.expect("a name");
}

#[tokio::test]
async fn tables_that_an_administrator_made_need_no_more_rights() {
    let server = postgres(&[]);
    let admin = sqlx::PgPool::connect(&postgres_url(&server)).await.expect("a connection");
    for statement in [
        include_str!("../../src/storage/sql/postgres.sql"),
        "CREATE ROLE web LOGIN",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, sessions_owners TO web",
    ] {
        sqlx::raw_sql(statement).execute(&admin).await.expect(statement);
    }
    let url = postgres_url(&server).replace("app@", "web@");
    let storage = Postgres::open(&url, "sessions").await.expect("no right to create is needed");
    let created = storage.create(&key(1), record(Some(1), b"x"), FREE, NOW).await;
    assert!(matches!(created, Ok(Create::Created)), "{created:?}");
    let refused = Postgres::open(&url, "others").await.expect_err("no right to make tables");
    assert!(refused.to_string().contains("permission denied"), "{refused}");
}

#[tokio::test]
async fn other_tables_of_that_name_are_refused_at_once() {
    let pool = SqlitePool::connect("sqlite::memory:").await.expect("a pool");
    sqlx::query("CREATE TABLE sessions (id TEXT)").execute(&pool).await.expect("made");
    let refused = Sqlite::with_pool(pool, "sessions").await.expect_err("another table");
    assert!(refused.to_string().contains("no such column"), "{refused}");
}

/// Opens at once on a database without tables, as many processes of one
/// application do.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_processes_may_make_the_tables_at_once() {
    let (postgres, mariadb, folder) = servers();
    let (postgres, mariadb) = (postgres_url(&postgres), mariadb_url(&mariadb));
    let path = folder.path().join("db");
    for round in 0..5 {
        let table = format!("t{round}");
        join_all((0..8).map(|_| Postgres::open(&postgres, &table)))
            .await
            .into_iter()
            .for_each(|opened| drop(opened.expect("PostgreSQL")));
        join_all((0..8).map(|_| MySql::open(&mariadb, &table)))
            .await
            .into_iter()
            .for_each(|opened| drop(opened.expect("MariaDB")));
        join_all((0..8).map(|_| Sqlite::open(&path, &table)))
            .await
            .into_iter()
            .for_each(|opened| drop(opened.expect("SQLite")));
    }
}

#[tokio::test]
async fn a_server_out_of_connections_is_unavailable_and_recovers() {
    let server = postgres(&["-c", "max_connections=14", "-c", "superuser_reserved_connections=0"]);
    let url = postgres_url(&server);
    let storage = Postgres::open(&url, "sessions").await.expect("a connection");
    let hog = async || <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.ok();
    is_unavailable_and_recovers(&storage, hog).await;

    let server = mariadb(&["--max-connections=14"]);
    let url = mariadb_url(&server);
    let storage = MySql::open(&url, "sessions").await.expect("a connection");
    let hog = async || <sqlx::MySqlConnection as sqlx::Connection>::connect(&url).await.ok();
    is_unavailable_and_recovers(&storage, hog).await;
}

async fn is_unavailable_and_recovers<C>(
    storage: &impl SessionStorage,
    hog: impl AsyncFn() -> Option<C>,
) {
    let only = key(1);
    storage.create(&only, record(None, b"x"), FREE, NOW).await.expect("an answer");
    let mut hogs = Vec::new();
    while let Some(hog) = hog().await {
        hogs.push(hog);
    }
    // One connection is ours: more at once than it can serve wait for it, or fail.
    let answers = join_all((0..50).map(|_| storage.read(&only, NOW))).await;
    let good = answers.iter().filter(|answer| matches!(answer, Ok(Some(_)))).count();
    let failed = answers
        .iter()
        .filter(|answer| matches!(answer, Err(StorageError::Unavailable(..))))
        .count();
    assert_eq!(good + failed, 50, "{answers:?}");
    assert!(good > 0, "{answers:?}");
    drop(hogs);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let answers = join_all((0..50).map(|_| storage.read(&only, NOW))).await;
    let failed: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[tokio::test]
async fn a_database_that_takes_no_writes_still_reads() {
    let server = postgres(&[]);
    let url = postgres_url(&server);
    let storage = Postgres::open(&url, "sessions").await.expect("a connection");
    storage.create(&key(1), record(None, b"x"), FREE, NOW).await.expect("an answer");
    let url = format!("{url}?options=-c%20default_transaction_read_only=on");
    let storage = Postgres::open(&url, "sessions").await.expect("a connection");
    let found = storage.read(&key(1), NOW).await.expect("an answer").expect("a record");
    let update = storage.update(&key(1), found.version, record(None, b"y"), NOW).await;
    assert!(matches!(update, Err(StorageError::Unavailable(..))), "{update:?}");
    let created = storage.create(&key(2), record(Some(1), b"y"), FREE, NOW).await;
    assert!(matches!(created, Err(StorageError::Unavailable(..))), "{created:?}");
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
        assert!(generation.0 > 0, "{engine}");
        storage.purge_expired(hours(25), 100).await.expect("an answer");
        assert_eq!(
            storage.owners().expect("an index").generation(&owner).await.expect("an answer").0,
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
