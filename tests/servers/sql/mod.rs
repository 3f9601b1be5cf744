//! PostgreSQL, MariaDB and SQLite: every promise, and what is particular to them.

mod connections;
mod contents;
mod sqlite;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use rocket_typed_sessions::storage::{
    MySql, OwnerGuard, OwnerKey, Postgres, Record, SessionStorage, Sqlite, StorageKey, Timestamp,
};
use rocket_typed_sessions::testing::storage::conformance;

use crate::process::{Server, as_user, give, run};
use crate::shared::version;

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
