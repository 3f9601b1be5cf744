//! Requests that give up, and servers that have no connection left or take no writes.

use std::time::Duration;

use rocket::futures::future::join_all;
use rocket_typed_sessions::storage::{MySql, Postgres, SessionStorage, StorageError};

use super::*;

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

/// Why a database cannot be used, as launch says it, without the password.
async fn refusal(url: &str) -> String {
    let cause = if url.starts_with("mysql") {
        MySql::open(url, "sessions").await.expect_err("no storage")
    } else {
        Postgres::open(url, "sessions").await.expect_err("no storage")
    };
    assert!(!format!("{cause} {cause:?}").contains("wrong-password"), "{cause:?}");
    cause.to_string()
}

#[tokio::test]
async fn launch_says_which_part_of_the_url_is_wrong() {
    let (postgres, mariadb) = (postgres(&[]), mariadb(&[]));
    let admin = sqlx::PgPool::connect(&postgres_url(&postgres)).await.expect("a connection");
    let hba: String =
        sqlx::query_scalar("SHOW hba_file").fetch_one(&admin).await.expect("the file's path");
    std::fs::write(hba, "host all app 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 md5\n")
        .expect("written");
    for statement in ["CREATE USER eve PASSWORD 'right'", "SELECT pg_reload_conf()"] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&admin).await.expect("done");
    }
    let (pg, my) = (format!("127.0.0.1:{}", postgres.port), format!("127.0.0.1:{}", mariadb.port));
    let closed = format!("127.0.0.1:{}", crate::process::free_port());
    let wrong = "wrong-password";
    for (url, parts) in [
        (format!("postgres://eve:{wrong}@{pg}/postgres"), &["the password in `url`"][..]),
        (format!("postgres://app@{pg}/none"), &["\"none\"", "create this database"]),
        (format!("postgres://app:{wrong}@{closed}/postgres"), &["refused", "running"]),
        (format!("postgres://app:{wrong}@no-such-host.invalid/postgres"), &["lookup", "the host"]),
        (format!("postgres://app@{pg}/postgres?sslmode=require"), &["TLS", "`sslmode`"]),
        (format!("mysql://app:{wrong}@{my}/app"), &["denied", "the password in `url`"]),
        (format!("mysql://root@{my}/none"), &["'none'", "create this database"]),
        (format!("mysql://app:{wrong}@{closed}/app"), &["refused", "running"]),
        (format!("mysql://app:{wrong}@no-such-host.invalid/app"), &["lookup", "the host"]),
        (format!("mysql://app:canary@{my}/app?ssl-mode=REQUIRED"), &["TLS", "`ssl-mode`"]),
    ] {
        let said = refusal(&url).await;
        for part in parts {
            assert!(said.contains(part), "{url}: {said}");
        }
    }
}
