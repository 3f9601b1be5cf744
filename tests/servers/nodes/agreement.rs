//! Several nodes are one application.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rocket_typed_sessions::Sessions;

use super::*;
use crate::redis::{ask, redis, url};
use crate::sql::{mariadb, mariadb_url, postgres, postgres_url};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_are_one_application_on_redis() {
    let server = redis(&[]);
    two_nodes_are_one_application(&url(server.port)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_are_one_application_on_postgres() {
    let server = postgres(&[]);
    two_nodes_are_one_application(&postgres_url(&server)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_are_one_application_on_mariadb() {
    let server = mariadb(&[]);
    two_nodes_are_one_application(&mariadb_url(&server)).await;
}

async fn two_nodes_are_one_application(url: &str) {
    let nodes = [Arc::new(node(url).await), Arc::new(node(url).await)];
    let cookie = logged_in(&nodes[0], "ann").await;
    assert_eq!(text(&nodes[1], "/get", &cookie).await, "ann 0");
    let all: Vec<_> = (0..100)
        .map(|n| {
            let (node, cookie) = (Arc::clone(&nodes[n % 2]), cookie.clone());
            tokio::spawn(async move { text(&node, "/count", &cookie).await })
        })
        .collect();
    for one in all {
        one.await.expect("no panic");
    }
    assert_eq!(text(&nodes[0], "/get", &cookie).await, "ann 100", "s57: nothing is lost");
    assert_eq!(text(&nodes[1], "/everywhere/ann", "").await, "1");
    assert_eq!(text(&nodes[0], "/get", &cookie).await, "absent", "at once on every node");
}

/// With copies that are good for an hour, were it not for Redis that tells of changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s48_an_end_on_one_node_is_seen_on_the_others_whatever_they_have_cached() {
    let server = redis(&[]);
    let figment = figment(&url(server.port)).merge(("sessions.user.cache.ttl", "1 hour"));
    let nodes = [node_of(figment.clone()).await, node_of(figment).await];
    // Until both listen.
    while !ask(&server, "CLIENT LIST").contains("flags=tB") {}
    wait(500).await;
    for (end, all) in [("/everywhere/ann", "2"), ("/logout", "bye")] {
        let cookies = [logged_in(&nodes[0], "ann").await, logged_in(&nodes[0], "ann").await];
        for (node, cookie) in nodes.iter().zip(&cookies).chain(nodes.iter().rev().zip(&cookies)) {
            assert_eq!(text(node, "/get", cookie).await, "ann 0");
        }
        assert_eq!(text(&nodes[0], end, &cookies[0]).await, all);
        let started = Instant::now();
        while text(&nodes[1], "/get", &cookies[0]).await != "absent" {
            assert!(started.elapsed() < Duration::from_secs(1), "{end}: it goes on there");
        }
        let other = text(&nodes[1], "/get", &cookies[1]).await;
        assert_eq!(other, if end == "/logout" { "ann 0" } else { "absent" });
    }
}

#[tokio::test]
async fn launch_is_refused_without_a_server_and_shows_no_password() {
    let port = crate::process::free_port();
    for scheme in ["redis", "postgres", "mysql"] {
        let url = format!("{scheme}://user:canary@127.0.0.1:{port}/app");
        let rocket = rocket::custom(figment(&url)).attach(Sessions::fairing()).ignite().await;
        assert!(rocket.is_err_and(|cause| !cause.kind().to_string().contains("canary")));
    }
}
