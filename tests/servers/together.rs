//! The sessions of one route on one server cost one round trip.

use std::time::Duration;

use rocket::figment::Figment;
use rocket::{get, routes};
use rocket_typed_sessions::storage::{Redis, SessionStorage, Sqlite, StorageError, StorageKey};
use rocket_typed_sessions::{Session, SessionData};
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;

use crate::nodes::{User, figment, logged_in, node_with, text};
use crate::proxy::Proxy;
use crate::redis::{FREE, ask, now, record, redis, url};
use crate::shared::{cookies, with_cookie};
use crate::sql::{mariadb, mariadb_url, postgres, postgres_url};

#[derive(Clone, Serialize, Deserialize)]
struct Cart(u32);

impl SessionData for Cart {
    const NAME: &'static str = "cart";
}

#[derive(Clone, Serialize, Deserialize)]
struct Theme(String);

impl SessionData for Theme {
    const NAME: &'static str = "theme";
}

#[get("/begin")]
fn begin(cart: Session<Cart>, theme: Session<Theme>) {
    cart.set(Cart(3));
    theme.set(Theme("dark".into()));
}

#[get("/all")]
fn all(user: Session<User>, cart: Session<Cart>, theme: Session<Theme>) -> String {
    let found = [user.get().is_some(), cart.get().is_some(), theme.get().is_some()];
    found.iter().filter(|found| **found).count().to_string()
}

/// Three sessions with one storage table.
fn three_on(one: Figment) -> Figment {
    let storage: rocket::figment::value::Value =
        one.find_value("sessions.user.storage").expect("a table");
    one.merge(("sessions.cart.storage", &storage)).merge(("sessions.theme.storage", &storage))
}

/// What the first request for three sessions sends to the server, and what later ones do. A machine
/// under load may take too long between two guards, so the least of a few counts.
async fn costs_on(storage: Figment, proxy: &Proxy) -> (i64, i64) {
    let client = node_with(three_on(storage), routes![begin, all]).await;
    let user = logged_in(&client, "ann").await;
    // Every statement that reads one record is prepared.
    text(&client, "/get", &user).await;
    let mut sent = cookies(&with_cookie(&client, "/begin", "").await);
    assert_eq!(sent.len(), 2, "{sent:?}");
    sent.push(user);
    let cookie = sent.join("; ");
    let mut costs = Vec::new();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let before = proxy.requests();
        assert_eq!(text(&client, "/all", &cookie).await, "3");
        tokio::time::sleep(Duration::from_millis(100)).await;
        costs.push(proxy.requests() - before);
    }
    (costs[0], costs[1..].iter().copied().min().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_sessions_in_redis_cost_one_round_trip() {
    let server = redis(&[]);
    let proxy = Proxy::to(server.port).await;
    assert_eq!(costs_on(figment(&url(proxy.port)), &proxy).await, (3, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_sessions_in_a_database_cost_one_round_trip() {
    let servers = [postgres(&[]), mariadb(&[])];
    let urls = [postgres_url(&servers[0]), mariadb_url(&servers[1])];
    for (server, url) in servers.iter().zip(urls) {
        let proxy = Proxy::to(server.port).await;
        let url = url.replace(&server.port.to_string(), &proxy.port.to_string());
        // Another connection would begin with statements of its own.
        let one = figment(&url).merge(("sessions.user.storage.max_connections", 1));
        // After each statement the pool tests its connection, for which nobody waits.
        assert_eq!(costs_on(one, &proxy).await, (3 * 2, 2), "{url}");
    }
}

/// Two records, the second of which was `spoiled`: it alone cannot be read.
async fn one_of_two(storage: &dyn SessionStorage, spoil: impl AsyncFnOnce(&StorageKey)) {
    let keys = [7, 8].map(|byte| StorageKey::from_bytes([byte; 32]));
    for key in &keys {
        storage.create(key, record(None, 100), FREE, now()).await.expect("an answer");
    }
    spoil(&keys[1]).await;
    let found = storage.read_many(&keys, now()).await;
    assert!(matches!(&found[..], [Ok(Some(_)), Err(StorageError::Corrupt(_))]), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_no_record_fails_no_other() {
    let server = redis(&[]);
    let storage = Redis::open([url(server.port)], "app").await.expect("a connection");
    for foreign in ["SET app:{KEY}:r short", "HSET app:{KEY}:r a b"] {
        ask(&server, "FLUSHALL");
        one_of_two(&storage, async |key| {
            ask(&server, &format!("DEL app:{{{key}}}:r"));
            ask(&server, &foreign.replace("KEY", &key.to_string()));
        })
        .await;
    }
    let spoil = "UPDATE sessions SET owner = x'73' WHERE id = ";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sessions.db");
    let storage = Sqlite::open(&file, "sessions").await.expect("a file");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", file.display())).await;
    let pool = pool.expect("a connection");
    one_of_two(&storage, async |key| {
        let sql = AssertSqlSafe(format!("{spoil} x'{key}'"));
        sqlx::raw_sql(sql).execute(&pool).await.expect("an update");
    })
    .await;
}
