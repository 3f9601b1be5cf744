//! Sentinels.

use std::time::Duration;

use rocket::futures::StreamExt;
use rocket_typed_sessions::storage::{
    Change, Invalidate, Redis, SessionStorage, StorageError, StorageKey, Touch,
};

use super::*;
use crate::process::Server;

/// A master, its replica and three Sentinels; the master dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sentinels_name_the_next_master() {
    let mut master = redis(&[]);
    let replica = redis(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    let watches: Vec<_> = (0..3)
        .map(|_| {
            Server::start(|port, folder| {
                let file = format!("{folder}/sentinel.conf");
                let lines = format!(
                    "port {port}\ndir {folder}\nbind 127.0.0.1\n\
                     sentinel monitor mymaster 127.0.0.1 {} 2\n\
                     sentinel down-after-milliseconds mymaster 1000\n\
                     sentinel failover-timeout mymaster 3000\n",
                    master.port
                );
                std::fs::write(&file, lines).expect("written");
                vec!["redis-server".into(), file, "--sentinel".into()]
            })
        })
        .collect();
    let knows = |watch: &Server, what: &str| {
        ask(watch, "SENTINEL MASTER mymaster").replace("\r\n", " ").contains(what)
    };
    let started = std::time::Instant::now();
    while !watches
        .iter()
        .all(|watch| knows(watch, "num-slaves $1 1 ") && knows(watch, "num-other-sentinels $1 2 "))
    {
        assert!(started.elapsed() < Duration::from_secs(30), "the Sentinels do not see each other");
    }
    let urls = urls(&watches);
    let storage = Redis::open_sentinel(&urls, "redis://mymaster/0", "app").await;
    let storage = storage.expect("a master");
    let mut changes = storage.changes().expect("Redis tells");
    assert_eq!(changes.next().await, Some(Change::Any), "it begins");
    let key = StorageKey::from_bytes([7; 32]);
    storage.create(&key, record(Some(1), 100), FREE, now()).await.expect("an answer");
    while !ask(&replica, "KEYS *").contains("}:r") {
        assert!(started.elapsed() < Duration::from_secs(40), "no replication");
    }
    master.kill();
    let started = std::time::Instant::now();
    loop {
        let touched = storage.touch(&key, now(), now().after(Duration::from_secs(100)));
        match tokio::time::timeout(Duration::from_secs(5), touched).await.expect("no hanging") {
            Ok(touched) => break assert_eq!(touched, Touch::Touched),
            Err(StorageError::Unavailable(..)) => {}
            Err(cause) => panic!("{cause:?}"),
        }
        assert!(started.elapsed() < Duration::from_secs(30), "no failover");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(ask(&replica, "ROLE").contains("master"));
    // The next master is listened to as well.
    assert_eq!(changes.next().await, Some(Change::Record(key.clone())));
    while changes.next().await != Some(Change::Any) {}
    assert_eq!(
        storage.invalidate(&key, None, None).await.expect("an answer"),
        Invalidate::Invalidated
    );
    assert_eq!(changes.next().await, Some(Change::Record(key)));
    let unknown = Redis::open_sentinel(&urls, "redis://nobody/", "app").await;
    assert!(matches!(unknown, Err(StorageError::Unavailable(..))), "{unknown:?}");
}
