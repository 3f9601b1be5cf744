//! Every update counts once on every engine.

use rocket_typed_sessions::storage::{MySql, Postgres, Redis, SessionStorage, Sqlite};

use crate::process::Server;
use crate::redis::{cluster, redis, url, urls};
use crate::sql::{mariadb, mariadb_url, postgres, postgres_url};

#[path = "../shared/exactly_once.rs"]
mod shared;

/// None, one, as many as can be told, one more, and many.
const OTHERS: [u32; 5] = [0, 1, 16, 17, 40];

async fn counts_once(storage: impl SessionStorage + Clone) {
    shared::every_update_counts_once(storage.clone(), &OTHERS).await;
    shared::a_lost_create_leaves_nothing(storage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c10_every_update_counts_once_on_redis_and_a_cluster_whatever_became_of_its_answer() {
    let server = redis(&[]);
    counts_once(Redis::open([url(server.port)], "app").await.expect("a connection")).await;
    let nodes: Vec<Server> = cluster(&[]);
    counts_once(Redis::open(urls(&nodes), "app").await.expect("a connection")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c10_every_update_counts_once_on_postgres_whatever_became_of_its_answer() {
    let server = postgres(&[]);
    let storage = Postgres::open(&postgres_url(&server), "sessions").await;
    counts_once(storage.expect("a connection")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c10_every_update_counts_once_on_mariadb_whatever_became_of_its_answer() {
    let server = mariadb(&[]);
    let storage = MySql::open(&mariadb_url(&server), "sessions").await;
    counts_once(storage.expect("a connection")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c10_every_update_counts_once_on_sqlite_whatever_became_of_its_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = Sqlite::open(folder.path().join("sessions"), "sessions").await;
    counts_once(storage.expect("a file")).await;
}
