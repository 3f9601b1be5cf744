//! From login to end on every engine.

use rocket_typed_sessions::storage::{MySql, Postgres, Redis, Sqlite};

use crate::process::Server;
use crate::redis::{cluster, redis, url, urls};
use crate::sql::{mariadb, mariadb_url, postgres, postgres_url};

#[path = "../shared/logins.rs"]
mod shared;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn from_login_to_end_on_redis_and_a_cluster() {
    let server = redis(&[]);
    let storage = Redis::open([url(server.port)], "app").await.expect("a connection");
    shared::from_login_to_end(storage).await;
    let nodes: Vec<Server> = cluster(&[]);
    let storage = Redis::open(urls(&nodes), "app").await.expect("a connection");
    shared::from_login_to_end(storage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn from_login_to_end_on_postgres() {
    let server = postgres(&[]);
    let storage = Postgres::open(&postgres_url(&server), "sessions").await;
    shared::from_login_to_end(storage.expect("a connection")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn from_login_to_end_on_mariadb() {
    let server = mariadb(&[]);
    let storage = MySql::open(&mariadb_url(&server), "sessions").await;
    shared::from_login_to_end(storage.expect("a connection")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn from_login_to_end_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = Sqlite::open(folder.path().join("sessions"), "sessions").await;
    shared::from_login_to_end(storage.expect("a file")).await;
}
