//! From login to end on every engine.

use rocket::http::{Header, Status};
use rocket_typed_sessions::storage::{MySql, Postgres, Redis, Sqlite};

use crate::nodes::{figment, logged_in, node_of, text};
use crate::process::Server;
use crate::proxy::Proxy;
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

/// It goes on, or nothing has happened: nobody is logged out.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_login_over_a_session_logs_nobody_out_whichever_answer_is_lost() {
    let servers = [redis(&[]), postgres(&[]), mariadb(&[])];
    let urls = [url(servers[0].port), postgres_url(&servers[1]), mariadb_url(&servers[2])];
    for (server, url) in servers.iter().zip(urls) {
        let network = Proxy::to(server.port).await;
        let url = url.replace(&server.port.to_string(), &network.port.to_string());
        let client = node_of(figment(&url)).await;
        let mut cookie = logged_in(&client, "ann").await;
        let mut last = Status::ServiceUnavailable;
        for n in 1..=30 {
            network.lose_answer(n);
            let shown = Header::new("Cookie", cookie.clone());
            let response = client.get("/login/ann").header(shown).dispatch().await;
            network.lose_answer(0);
            let sent = response.headers().get_one("Set-Cookie");
            let sent = sent.and_then(|sent| sent.split(';').next()).map(str::to_owned);
            last = response.status();
            assert_eq!(sent.is_some(), last == Status::Ok, "{url}, {n}");
            if let Some(after) = sent {
                assert_eq!(text(&client, "/get", &cookie).await, "absent", "{url}, {n}");
                cookie = after;
            }
            assert_eq!(text(&client, "/get", &cookie).await, "ann 0", "{url}, {n}");
        }
        assert_eq!(last, Status::Ok, "so many answers there are not");
    }
}
