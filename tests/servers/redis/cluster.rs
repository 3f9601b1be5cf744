//! A cluster.

use std::time::Duration;

use rocket_typed_sessions::storage::{Redis, SessionStorage, StorageKey};
use rocket_typed_sessions::testing::storage::conformance;

use super::*;
use crate::process::Server;

/// Of a cluster that does without a master soon, and serves the others' slots meanwhile.
pub const SHORT_OF_A_MASTER: [&str; 4] =
    ["--cluster-node-timeout", "3000", "--cluster-require-full-coverage", "no"];

/// Six nodes, three of them masters; ready when every slot is served and every
/// master has a replica that could follow it.
pub fn cluster(more: &[&str]) -> Vec<Server> {
    let fixed = ["--cluster-enabled", "yes", "--repl-diskless-sync-delay", "0"];
    let options = [&fixed, more].concat();
    let nodes: Vec<_> = (0..6).map(|_| redis(&options)).collect();
    let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
    let made = std::process::Command::new("redis-cli")
        .args(["--cluster", "create"])
        .args(addresses)
        .args(["--cluster-replicas", "1", "--cluster-yes"])
        .output()
        .expect("redis-cli");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    let started = std::time::Instant::now();
    while !nodes.iter().all(|node| ask(node, "CLUSTER INFO").contains("cluster_state:ok")) {
        assert!(started.elapsed() < Duration::from_secs(30), "the cluster does not come up");
    }
    replicated(&nodes);
    nodes
}

/// Waits until every master of a cluster has a replica that has all that it has.
pub fn replicated(nodes: &[Server]) {
    let started = std::time::Instant::now();
    let safe = |node: &Server| {
        let about = ask(node, "INFO replication");
        about.contains("role:master") && about.contains("state=online")
            || about.contains("master_link_status:up")
    };
    while !nodes.iter().all(safe) {
        assert!(started.elapsed() < Duration::from_secs(60), "a master stays without a replica");
    }
    for node in nodes {
        ask(node, "WAIT 1 1000");
    }
}

/// One of a cluster's masters.
pub fn master_of(nodes: &[Server]) -> usize {
    let master = |node| ask(node, "INFO replication").contains("role:master");
    nodes.iter().position(master).expect("a master")
}

pub fn urls(nodes: &[Server]) -> Vec<String> {
    nodes.iter().map(|node| url(node.port)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
pub async fn a_cluster_keeps_every_promise() {
    let nodes = cluster(&[]);
    let urls = urls(&nodes);
    conformance(async |name| Redis::open(&urls, name).await.expect("a connection")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
pub async fn one_node_of_a_cluster_is_enough_to_find_the_others() {
    let nodes = cluster(&[]);
    let one = urls(&nodes[3..4]);
    let storage = Redis::open(&one, "app").await.expect("a connection");
    let theirs = redis::cluster::ClusterClient::new(one).expect("a client");
    let theirs = theirs.get_async_connection().await.expect("a connection");
    let theirs = Redis::with_cluster(theirs, "app");
    // Keys in the slots of every master.
    for byte in 0..30 {
        let key = StorageKey::from_bytes([byte; 32]);
        storage.create(&key, record(Some(byte), 100), FREE, now()).await.expect("an answer");
        assert!(theirs.read(&key, now()).await.expect("an answer").is_some());
    }
}
