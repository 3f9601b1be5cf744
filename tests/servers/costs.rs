//! What a request asks of its server, as `docs/operations.md` says.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rocket::local::asynchronous::Client;
use rocket_typed_sessions::storage::{
    MySql, OwnerGuard, OwnerLimit, OwnerLimitPolicy, Predecessor, Redis, SessionStorage,
    StorageKey, Succeed, Successor, Update,
};
use sqlx::Row;
use sqlx::mysql::MySqlPoolOptions;

use crate::nodes::{figment, logged_in, node_of, text};
use crate::process::Server;
use crate::redis::{FREE, now, record, redis, url, url_of_steps};
use crate::sql::{mariadb, mariadb_url};

/// Everything that clients send to Redis.
struct Monitor(TcpStream);

impl Monitor {
    fn on(server: &Server) -> Self {
        let mut socket = TcpStream::connect(("127.0.0.1", server.port)).expect("a connection");
        socket.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
        socket.write_all(b"MONITOR\r\n").expect("sent");
        let monitor = Self(socket);
        monitor.commands();
        monitor
    }

    /// The names of the commands since the last time; what a script does is its own affair.
    fn commands(&self) -> Vec<String> {
        let mut seen = Vec::new();
        let _ = (&self.0).read_to_end(&mut seen);
        let seen = String::from_utf8_lossy(&seen).into_owned();
        let command = |line: &str| {
            let (from, command) = line.split_once("] ")?;
            let name = command.split('"').nth(1)?.to_uppercase();
            (!from.ends_with("lua")).then_some(name)
        };
        seen.lines().filter_map(command).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_to_redis_costs_what_is_documented() {
    let server = redis(&[]);
    let client = node_of(figment(&url(server.port))).await;
    // Every script is known, every connection made.
    let cookie = logged_in(&client, "ann").await;
    text(&client, "/count", &cookie).await;
    let other = logged_in(&client, "dave").await;
    text(&client, "/logout", &other).await;
    logged_in(&client, "carol").await;
    text(&client, "/everywhere/carol", "").await;
    let monitor = Monitor::on(&server);
    text(&client, "/get", &cookie).await;
    assert_eq!(monitor.commands(), ["GET"]);
    text(&client, "/count", &cookie).await;
    assert_eq!(monitor.commands(), ["GET", "EVALSHA"]);
    logged_in(&client, "ann").await;
    assert_eq!(monitor.commands(), ["GET", "EVALSHA"]);
    text(&client, "/get", "").await;
    assert_eq!(monitor.commands().len(), 0, "nobody");
    text(&client, "/get", "user=forged").await;
    assert_eq!(monitor.commands().len(), 0, "a forgery");
    let other = logged_in(&client, "dave").await;
    monitor.commands();
    text(&client, "/logout", &other).await;
    assert_eq!(monitor.commands(), ["GET", "EVALSHA", "ZREM", "HDEL"], "nobody waits for two");
    text(&client, "/everywhere/ann", "").await;
    let mut commands = monitor.commands();
    commands.retain(|command| command != "MULTI" && command != "EXEC");
    assert_eq!(commands, ["EVALSHA", "EVALSHA", "EVALSHA", "ZREM", "HDEL", "ZRANGE"], "of two");

    let touching = figment(&url(server.port)).merge(("sessions.user.touch_after", 0));
    let client = node_of(touching).await;
    let cookie = logged_in(&client, "bob").await;
    text(&client, "/get", &cookie).await;
    monitor.commands();
    text(&client, "/get", &cookie).await;
    assert_eq!(monitor.commands(), ["GET", "EVALSHA"], "a touch");
}

/// What the core asks of a storage for a login over the session 1 of an owner; with it the
/// session 2 begins.
async fn login_over_a_session(storage: &dyn SessionStorage) {
    let [old, new] = [1, 2].map(|n| StorageKey::from_bytes([n; 32]));
    let before = storage.read(&old, now()).await.expect("an answer").expect("a session");
    let begun = record(Some(1), 100);
    let owner = begun.owner.clone().expect("an owner");
    let index = storage.owners().expect("an index");
    let generation = Some(index.generation(&owner).await.expect("an answer"));
    let limit = Some(OwnerLimit { max: 1, policy: OwnerLimitPolicy::Refuse });
    let guard = OwnerGuard { generation, limit, replaces: Some(old.clone()) };
    let successor = Successor { key: &new, record: begun, guard };
    let replaced = record(None, 100);
    let predecessor = Predecessor { key: &old, expected: before.version, record: replaced };
    let login = storage.succeed(successor, predecessor, now()).await;
    assert!(matches!(login, Ok(Succeed::Created(Update::Updated))), "{login:?}");
}

async fn session(storage: &dyn SessionStorage) {
    let [old, new] = [1, 2].map(|n| StorageKey::from_bytes([n; 32]));
    for key in [&old, &new] {
        storage.invalidate(key, None, None).await.expect("an answer");
    }
    storage.create(&old, record(Some(1), 100), FREE, now()).await.expect("an answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_login_over_a_session_costs_what_is_documented() {
    let server = redis(&[]);
    let steps = url_of_steps(&server, server.port);
    let [at_once, by_steps]: [&[&str]; 2] = [
        &["GET", "GET", "EVALSHA"],
        &["GET", "GET", "EVALSHA", "EVALSHA", "HDEL", "EVALSHA", "ZREM", "HDEL"],
    ];
    for (url, commands) in [(url(server.port), at_once), (steps, by_steps)] {
        let storage = Redis::open([url], "app").await.expect("a connection");
        // Every script is known.
        session(&storage).await;
        login_over_a_session(&storage).await;
        session(&storage).await;
        let monitor = Monitor::on(&server);
        login_over_a_session(&storage).await;
        let mut seen = monitor.commands();
        seen.retain(|command| command != "MULTI" && command != "EXEC");
        // Nobody waits for `HDEL` and `ZREM`.
        assert_eq!(seen, commands);
    }
    let server = mariadb(&[]);
    let pool = sqlx::MySqlPool::connect(&mariadb_url(&server)).await.expect("a connection");
    // Another connection would begin with statements of its own.
    let one = MySqlPoolOptions::new().max_connections(1);
    let one = one.connect(&mariadb_url(&server)).await.expect("a connection");
    let storage = MySql::with_pool(one, "sessions").await.expect("a storage");
    session(&storage).await;
    let status = async || {
        let mut figures = [0; 3];
        for (figure, name) in figures.iter_mut().zip(["stmt_execute", "begin", "commit"]) {
            let sql = format!("SHOW GLOBAL STATUS LIKE 'Com_{name}'");
            let asked = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
            let row = asked.fetch_one(&pool).await.expect("the figure");
            *figure = row.get::<String, _>(1).parse::<u32>().expect("a number");
        }
        figures
    };
    let before = status().await;
    login_over_a_session(&storage).await;
    let after = status().await;
    let cost = [0, 1, 2].map(|n| after[n] - before[n]);
    assert_eq!(cost, [7, 1, 1], "two SELECTs, and five in a transaction");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_to_a_database_costs_what_is_documented() {
    let server = mariadb(&[]);
    // Another connection would begin with a statement of its own.
    let one = figment(&mariadb_url(&server)).merge(("sessions.user.storage.max_connections", 1));
    let client = node_of(one).await;
    let pool = sqlx::MySqlPool::connect(&mariadb_url(&server)).await.expect("a connection");
    // Not prepared, so that asking does not count.
    let executed = async || -> u32 {
        let asked = sqlx::raw_sql("SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'");
        let row = asked.fetch_one(&pool).await.expect("the figure");
        row.get::<String, _>(1).parse().expect("a number")
    };
    let costs = async |client: &Client, uri: &str, cookie: &str| {
        let before = executed().await;
        text(client, uri, cookie).await;
        executed().await - before
    };
    let cookie = logged_in(&client, "ann").await;
    assert_eq!(costs(&client, "/get", &cookie).await, 1);
    assert_eq!(costs(&client, "/count", &cookie).await, 2);
    let before = executed().await;
    logged_in(&client, "ann").await;
    assert_eq!(executed().await - before, 4, "one SELECT, and three in a transaction");
    assert_eq!(costs(&client, "/get", "").await, 0, "nobody");
    assert_eq!(costs(&client, "/get", "user=forged").await, 0, "a forgery");
    assert_eq!(costs(&client, "/everywhere/ann", "").await, 3);
    let cookie = logged_in(&client, "ann").await;
    assert_eq!(costs(&client, "/logout", &cookie).await, 2, "the mark takes the record's row");
}
