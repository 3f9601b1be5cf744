//! Connections that fall silent, and answers that are lost.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rocket::futures::future::join_all;
use rocket::http::Status;

use super::*;
use crate::proxy::Proxy;
use crate::redis::{ask, redis, url};
use crate::sql::{mariadb, mariadb_url, postgres, postgres_url};

/// The network forgets its connections and tells nobody: a firewall does, and a
/// machine that has lost its power. The server is fine.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s66_connections_that_say_nothing_any_more_are_replaced() {
    let servers = [redis(&[]), postgres(&[]), mariadb(&[])];
    let urls = [url(servers[0].port), postgres_url(&servers[1]), mariadb_url(&servers[2])];
    for (server, url) in servers.iter().zip(urls) {
        let network = Proxy::to(server.port).await;
        let url = url.replace(&server.port.to_string(), &network.port.to_string());
        let client = node(&url).await;
        let cookie = logged_in(&client, "ann").await;
        join_all((0..20).map(|_| answer(&client, "/count", &cookie))).await;
        // At work, and after a pause.
        for pause in [0, 1100] {
            wait(pause).await;
            network.forget_connections();
            let started = Instant::now();
            recovers(&client, "/count", &cookie).await;
            let took = started.elapsed();
            assert!(took < Duration::from_millis(3500), "{url}: {took:?}");
            let all = join_all((0..20).map(|_| answer(&client, "/get", &cookie))).await;
            assert!(all.iter().all(|status| *status == Status::Ok), "{url}: {all:?}");
        }
    }
}

/// A server that is slow for three seconds, as under load, and an application that waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s66_a_request_waits_for_its_storage_as_long_as_it_is_configured_to() {
    let servers = [redis(&[]), postgres(&[]), mariadb(&[])];
    let urls = [url(servers[0].port), postgres_url(&servers[1]), mariadb_url(&servers[2])];
    for (server, url) in servers.iter().zip(urls) {
        let patient = figment(&url).merge(("sessions.user.storage_timeout", "20 seconds"));
        let client = node_of(patient).await;
        let cookie = logged_in(&client, "ann").await;
        server.signal("STOP");
        let (counted, ()) =
            join(join_all((0..3).map(|_| answer(&client, "/count", &cookie))), async {
                wait(3000).await;
                server.signal("CONT");
            })
            .await;
        assert_eq!(counted, [Status::Ok; 3], "{url}");
        assert_eq!(text(&client, "/get", &cookie).await, "ann 3", "{url}");
    }
}

/// A cluster's client asks again by itself when an answer is lost. What it asks
/// for may have been done.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s57_an_update_whose_answer_is_lost_is_not_made_twice() {
    let server = redis(&["--cluster-enabled", "yes"]);
    let network = Proxy::to(server.port).await;
    ask(&server, &format!("CONFIG SET cluster-announce-port {}", network.port));
    ask(&server, "CLUSTER ADDSLOTSRANGE 0 16383");
    while !ask(&server, "CLUSTER INFO").contains("cluster_state:ok") {}
    let url = url(network.port);
    let client = node_of(configured("redis", [&url])).await;
    let cookie = logged_in(&client, "ann").await;
    text(&client, "/count", &cookie).await;
    for round in 2..20 {
        // The first is that of the read, the second that of the write.
        network.lose_answer(2);
        assert_eq!(text(&client, "/count", &cookie).await, format!("ann {round}"));
        assert_eq!(text(&client, "/get", &cookie).await, format!("ann {round}"));
    }
}

/// The same in the middle of the work, on a pool whose only connection may be
/// anywhere: at work, idle, or just given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s66_a_pool_is_whole_again_after_a_silence_under_load() {
    let servers = [postgres(&[]), mariadb(&[])];
    let urls = [postgres_url(&servers[0]), mariadb_url(&servers[1])];
    for (server, url) in servers.iter().zip(urls) {
        let network = Proxy::to(server.port).await;
        let url = url.replace(&server.port.to_string(), &network.port.to_string());
        let one = figment(&url).merge(("sessions.user.storage.max_connections", 1));
        let client = node_of(one).await;
        let cookie = logged_in(&client, "ann").await;
        for round in 0..6 {
            loaded(&client, &cookie, async |load| {
                wait(100 + round * 3).await;
                network.forget_connections();
                load.store(false, Ordering::Relaxed);
            })
            .await;
            let started = Instant::now();
            recovers(&client, "/count", &cookie).await;
            let took = started.elapsed();
            assert!(took < Duration::from_millis(3500), "{url}: {took:?}");
        }
    }
}
