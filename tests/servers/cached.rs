//! Caches in front of Redis: what one node ends, the others hear of at once. The
//! `ttl` of an hour proves that it is not what they wait for.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::storage::{
    Cached, Change, OwnerKey, Redis, SessionStorage, StorageKey, Update,
};
use rocket_typed_sessions::testing::storage::conformance;

use crate::process::run;
use crate::proxy::Proxy;
use crate::redis::{
    FREE, SHORT_OF_A_MASTER, ask, cluster, master_of, now, record, redis, started, url, urls,
    version,
};

const TTL: Duration = Duration::from_secs(3600);

async fn node(urls: &[String]) -> Cached {
    Cached::new(Redis::open(urls, "app").await.expect("a connection"), 10_000, TTL)
}

fn key(byte: u8) -> StorageKey {
    StorageKey::from_bytes([byte; 32])
}

async fn reads(node: &Cached, byte: u8) -> Option<Vec<u8>> {
    try_read(node, byte).await.expect("an answer")
}

async fn try_read(node: &Cached, byte: u8) -> Result<Option<Vec<u8>>, StorageError> {
    let found = node.read(&key(byte), now()).await?;
    Ok(found.map(|stored| stored.payload.to_vec()))
}

/// How long until a node reads what it should.
async fn until(node: &Cached, byte: u8, expected: Option<&[u8]>) -> Duration {
    let started = Instant::now();
    // A request waits no longer for a storage, and then the silent connection is replaced.
    let is_read = async || {
        let read = tokio::time::timeout(Duration::from_secs(2), try_read(node, byte)).await;
        matches!(read, Ok(Ok(found)) if found.as_deref() == expected)
    };
    while !is_read().await {
        assert!(started.elapsed() < Duration::from_secs(20), "{byte} is not heard of");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    started.elapsed()
}

/// What a node does to a record of each slot's master, another hears of.
async fn is_heard(here: &Cached, there: &Cached, first: u8) {
    for byte in first..first + 12 {
        let session = record(Some(byte), 100);
        here.create(&key(byte), session.clone(), FREE, now()).await.expect("an answer");
        let found = there.read(&key(byte), now()).await.expect("an answer").expect("a record");
        let changed = rocket_typed_sessions::storage::Record {
            version: version(),
            payload: b"changed".as_slice().into(),
            ..session
        };
        let update = here.update(&key(byte), found.version, changed, now()).await;
        assert!(matches!(update, Ok(Update::Updated)), "{update:?}");
        let took = until(there, byte, Some(b"changed")).await;
        assert!(took < Duration::from_secs(1), "a change took {took:?}");
        let owner = OwnerKey::from_bytes([byte; 32]);
        let ended = here
            .owners()
            .expect("an index")
            .invalidate_owner(&owner, &[], now())
            .await
            .expect("an answer");
        assert_eq!(ended, 1);
        let took = until(there, byte, None).await;
        assert!(took < Duration::from_secs(1), "an end took {took:?}");
    }
}

/// Until a node hears what happens: it reads nothing from copies that it may
/// have made before.
async fn listens(here: &Cached, there: &Cached) {
    let started = Instant::now();
    loop {
        here.create(&key(255), record(None, 100), FREE, now()).await.expect("an answer");
        assert!(reads(there, 255).await.is_some());
        here.invalidate(&key(255), None, None).await.expect("an answer");
        tokio::time::sleep(Duration::from_millis(200)).await;
        if reads(there, 255).await.is_none() {
            break;
        }
        // Only what it writes itself frees it of the copy.
        there.invalidate(&key(255), None, None).await.expect("an answer");
        assert!(started.elapsed() < Duration::from_secs(20), "it never hears anything");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_node_ends_the_others_hear_of_at_once() {
    let (redis, valkey) = (redis(&[]), started("valkey-server", "--port", &[]));
    for server in [redis, valkey] {
        let urls = urls(std::slice::from_ref(&server));
        let (here, there) = (node(&urls).await, node(&urls).await);
        listens(&here, &there).await;
        is_heard(&here, &there, 0).await;
    }
}

/// All that goes through one cache sees no difference to the server behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cache_that_listens_keeps_every_promise_on_its_own_node() {
    let server = redis(&[]);
    let urls = urls(std::slice::from_ref(&server));
    let nodes = tokio::sync::Mutex::new(HashMap::new());
    conformance(async |name| {
        let mut nodes = nodes.lock().await;
        if !nodes.contains_key(name) {
            let storage = Redis::open(&urls, name).await.expect("a connection");
            nodes.insert(name.to_owned(), Cached::new(storage, 10_000, TTL));
        }
        nodes[name].clone()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn copies_are_read_and_not_the_server() {
    let server = redis(&[]);
    let urls = urls(std::slice::from_ref(&server));
    let (here, there) = (node(&urls).await, node(&urls).await);
    listens(&here, &there).await;
    here.create(&key(1), record(None, 100), FREE, now()).await.expect("an answer");
    // It hears of that, too.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(reads(&there, 1).await.is_some());
    let gets = || -> u64 {
        let stats = ask(&server, "INFO commandstats");
        let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_get:calls="));
        line.and_then(|line| line.split(',').next()).expect("the figure").parse().expect("a number")
    };
    let before = gets();
    for _ in 0..100 {
        assert!(reads(&there, 1).await.is_some());
    }
    assert_eq!(gets(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_restart_or_a_silence_a_node_listens_again_and_trusts_no_copy() {
    let mut server = redis(&["--appendonly", "yes", "--appendfsync", "always"]);
    let direct = urls(std::slice::from_ref(&server));
    let network = Proxy::to(server.port).await;
    let here = node(&direct).await;
    let there = node(&[url(network.port)]).await;
    listens(&here, &there).await;
    here.create(&key(1), record(None, 1000), FREE, now()).await.expect("an answer");
    assert!(reads(&there, 1).await.is_some());
    server.restart();
    while !ask(&server, "PING").contains("PONG") {}
    let ended = tokio::time::timeout(Duration::from_secs(5), async {
        while here.invalidate(&key(1), None, None).await.is_err() {}
    });
    ended.await.expect("a connection");
    until(&there, 1, None).await;
    listens(&here, &there).await;

    here.create(&key(1), record(None, 1000), FREE, now()).await.expect("an answer");
    // It hears of that, too.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(reads(&there, 1).await.is_some());
    network.forget_connections();
    here.invalidate(&key(1), None, None).await.expect("an answer");
    assert!(reads(&there, 1).await.is_some(), "it has not noticed yet");
    let took = until(&there, 1, None).await;
    println!("noticed after {took:?}");
    listens(&here, &there).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_master_of_a_cluster_is_heard_also_the_next_one() {
    let mut nodes = cluster(&SHORT_OF_A_MASTER);
    let urls = urls(&nodes);
    let (here, there) = (node(&urls).await, node(&urls).await);
    listens(&here, &there).await;
    is_heard(&here, &there, 0).await;

    // A node that joins later is given most of the slots, and no connection breaks.
    let [first, joins] = [&nodes[0], &redis(&["--cluster-enabled", "yes"])];
    let [first, address] = [first, joins].map(|node| format!("127.0.0.1:{}", node.port));
    let id = ask(joins, "CLUSTER MYID").lines().nth(1).expect("its id").trim().to_owned();
    let cluster = |words: &str| run(&words.split(' ').map(str::to_owned).collect::<Vec<_>>());
    cluster(&format!("redis-cli --cluster add-node {address} {first}"));
    while !ask(joins, "CLUSTER INFO").contains("cluster_known_nodes:7") {}
    std::thread::sleep(Duration::from_secs(2));
    cluster(&format!(
        "redis-cli --cluster reshard {first} --cluster-from all --cluster-to {id} --cluster-slots 12000 --cluster-yes"
    ));
    tokio::time::sleep(Duration::from_secs(8)).await;
    is_heard(&here, &there, 20).await;

    let master = master_of(&nodes);
    nodes[master].kill();
    let started = Instant::now();
    for byte in 100..112 {
        while here.create(&key(byte), record(None, 100), FREE, now()).await.is_err() {
            assert!(started.elapsed() < Duration::from_secs(40), "no failover");
        }
    }
    listens(&here, &there).await;
    is_heard(&here, &there, 50).await;
    nodes[master].restart();
}

#[tokio::test]
async fn a_node_that_may_not_listen_goes_by_the_ttl() {
    let server = redis(&[]);
    assert!(ask(&server, "ACL SETUSER app on nopass ~* +@all -client|tracking").contains("OK"));
    let url = format!("redis://app:any@127.0.0.1:{}/", server.port);
    let ttl = Duration::from_secs(1);
    let open =
        async || Cached::new(Redis::open([&url], "app").await.expect("a connection"), 10_000, ttl);
    let (here, there) = (open().await, open().await);
    here.create(&key(1), record(None, 100), FREE, now()).await.expect("an answer");
    assert!(reads(&there, 1).await.is_some());
    here.invalidate(&key(1), None, None).await.expect("an answer");
    let took = until(&there, 1, None).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn who_stops_listening_leaves_nothing_behind() {
    use rocket::futures::StreamExt;

    let server = redis(&[]);
    let listeners = || {
        let clients = ask(&server, "CLIENT LIST");
        clients.lines().filter(|client| client.contains("flags=tB")).count()
    };
    let storage = Redis::open(urls(std::slice::from_ref(&server)), "app").await.expect("a server");
    let mut changes = storage.changes().expect("Redis tells");
    assert_eq!(changes.next().await, Some(Change::Any), "it begins");
    assert_eq!(listeners(), 1);
    storage.create(&key(1), record(None, 100), FREE, now()).await.expect("an answer");
    assert_eq!(changes.next().await, Some(Change::Record(key(1))));
    drop(changes);
    let started = Instant::now();
    while listeners() > 0 {
        assert!(started.elapsed() < Duration::from_secs(5), "a connection stays");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
