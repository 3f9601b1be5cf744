//! Redis: every promise, what it leaves on the server, and what it costs.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rocket::futures::StreamExt;
use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::storage::{
    Change, Create, Invalidate, OwnerGuard, OwnerKey, OwnerLimit, OwnerLimitPolicy, Predecessor,
    Record, Redis, Refused, SessionStorage, StorageKey, Succeed, Successor, Timestamp, Touch,
    Update, Version,
};
use rocket_typed_sessions::testing::storage::conformance;

use crate::process::Server;
use crate::proxy::Proxy;

pub fn redis(more: &[&str]) -> Server {
    started("redis-server", "--port", more)
}

pub fn started(program: &str, port_option: &str, more: &[&str]) -> Server {
    Server::start(|port, folder| {
        let port = port.to_string();
        let fixed =
            [program, port_option, &port, "--dir", folder, "--bind", "127.0.0.1", "--save", ""];
        fixed.iter().chain(more).map(|word| (*word).to_owned()).collect()
    })
}

pub fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}/")
}

async fn open(server: &Server, prefix: &str) -> Redis {
    Redis::open([url(server.port)], prefix).await.expect("a connection")
}

/// The same, where the server does not say whether it has all slots: each step of a login
/// is one of its own, as in a cluster.
pub fn url_of_steps(server: &Server, port: u16) -> String {
    ask(server, "ACL SETUSER steps on >steps ~* &* +@all -info");
    format!("redis://steps:steps@127.0.0.1:{port}/")
}

/// On an empty server, a storage that logs in at once, or step by step.
async fn opened(at_once: bool, server: &Server, port: u16) -> Redis {
    ask(server, "FLUSHALL");
    let url = if at_once { url(port) } else { url_of_steps(server, port) };
    Redis::open([url], "app").await.expect("a connection")
}

/// One command in Redis's own plain form; its answer as it comes.
pub fn ask(server: &Server, command: &str) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", server.port)).expect("a connection");
    socket.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    socket.write_all(format!("{command}\r\n").as_bytes()).expect("sent");
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

pub fn now() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
}

/// One that no record has had.
pub fn version() -> Version {
    Version(RandomState::new().build_hasher().finish())
}

pub fn record(owner: Option<u8>, seconds: u64) -> Record {
    Record {
        version: version(),
        payload: b"canary-of-the-payload".as_slice().into(),
        owner: owner.map(|byte| OwnerKey::from_bytes([byte; 32])),
        created: now(),
        last_seen: now(),
        expires: now().after(Duration::from_secs(seconds)),
    }
}

pub const FREE: OwnerGuard = OwnerGuard { generation: None, limit: None, replaces: None };

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_every_promise() {
    let server = redis(&[]);
    conformance(async |name| open(&server, name).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_every_promise_step_by_step() {
    let server = redis(&[]);
    let url = url_of_steps(&server, server.port);
    conformance(async |name| Redis::open([&url], name).await.expect("a connection")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn valkey_keeps_every_promise() {
    let server = started("valkey-server", "--port", &[]);
    conformance(async |name| open(&server, name).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_user_with_the_documented_rights_needs_no_more() {
    let server = redis(&[]);
    let documented = include_str!("../../docs/operations.md");
    let command = documented.lines().find(|line| line.starts_with("ACL SETUSER"));
    let command = command.expect("in the documentation");
    let of_the_test = command.replace("~sessions:*", "~*").replace(">password", ">canary");
    assert!(ask(&server, &of_the_test).contains("OK"), "{command}");
    let url = format!("redis://shop:canary@127.0.0.1:{}/", server.port);
    conformance(async |name| Redis::open([&url], name).await.expect("a connection")).await;
    let storage = Redis::open([&url], "app").await.expect("a connection");
    let mut changes = storage.changes().expect("Redis tells");
    let first = tokio::time::timeout(Duration::from_secs(5), changes.next()).await;
    assert_eq!(first.expect("it may listen"), Some(Change::Any));
    // Nothing that it tried was refused.
    assert!(ask(&server, "ACL LOG").lines().count() < 2, "{}", ask(&server, "ACL LOG"));
}

#[tokio::test]
async fn s39_every_record_has_a_ttl_and_no_command_searches_or_flushes() {
    let server = redis(&[]);
    let mut monitor = TcpStream::connect(("127.0.0.1", server.port)).expect("a connection");
    monitor.write_all(b"MONITOR\r\n").expect("sent");
    let storage = open(&server, "app").await;
    let key = StorageKey::from_bytes([7; 32]);
    let ttl = |what: &str, most: u64| {
        let answer = ask(&server, &format!("PTTL app:{{{key}}}:r"));
        let left: i64 = answer.trim().trim_start_matches(':').parse().expect("a number");
        let most = i64::try_from(most * 1000).expect("small");
        assert!(left > most - 5000 && left <= most, "{what}: {left} of {most}");
    };
    let first = record(Some(1), 100);
    let version = first.version;
    let created = storage.create(&key, first, FREE, now()).await.expect("an answer");
    assert_eq!(created, Create::Created);
    ttl("create", 100);
    storage.read(&key, now()).await.expect("an answer").expect("a record");
    ttl("read", 100);
    storage.touch(&key, now(), now().after(Duration::from_secs(200))).await.expect("an answer");
    ttl("touch", 200);
    storage.update(&key, version, record(Some(1), 50), now()).await.expect("an answer");
    ttl("update", 50);
    let again = storage.create(&key, record(None, 1000), FREE, now()).await.expect("an answer");
    assert_eq!(again, Create::Exists, "create-only");
    ttl("a create that was refused", 50);

    let owner = OwnerKey::from_bytes([1; 32]);
    assert_eq!(
        storage
            .owners()
            .expect("an index")
            .list(&owner, None, 10, now())
            .await
            .expect("a page")
            .records
            .len(),
        1
    );
    assert_eq!(
        storage
            .owners()
            .expect("an index")
            .invalidate_owner(&owner, &[], now())
            .await
            .expect("an answer"),
        1
    );
    assert_eq!(storage.invalidate(&key, None, None).await.expect("an answer"), Invalidate::Missing);
    let mark = now().after(Duration::from_secs(120));
    assert_eq!(
        storage.invalidate(&key, None, Some(mark)).await.expect("an answer"),
        Invalidate::Missing
    );
    ttl("a mark", 121);
    storage.purge_expired(now(), 1000).await.expect("an answer");

    // Whatever is left has a TTL and our prefix.
    let left = ask(&server, "KEYS *");
    for name in left.lines().filter(|line| line.contains(':')) {
        assert!(name.starts_with("app:{"), "{name}");
        let ttl = ask(&server, &format!("PTTL {name}"));
        assert!(!ttl.starts_with(":-1"), "{name} stays for ever");
    }
    let mut seen = Vec::new();
    monitor.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    let _ = monitor.read_to_end(&mut seen);
    let seen = String::from_utf8_lossy(&seen).to_uppercase();
    assert!(seen.contains("GET") && seen.contains("EVALSHA"), "the monitor sees");
    for command in ["\"SCAN\"", "\"FLUSHDB\"", "\"FLUSHALL\"", "\"KEYS\" \"APP"] {
        assert!(!seen.contains(command), "{command}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_without_its_password() {
    let port = crate::process::free_port();
    let url = format!("redis://user:canary@127.0.0.1:{port}/");
    let started = std::time::Instant::now();
    let cause = Redis::open([url], "app").await.expect_err("nobody listens");
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(!format!("{cause} {cause:?}").contains("canary"), "{cause:?}");
    assert!(cause.to_string().contains("refuses connections"), "{cause}");
    let server = redis(&["--requirepass", "secret"]);
    for (url, says) in [("redis://:canary@", "the password"), ("redis://", "NOAUTH")] {
        let url = format!("{url}127.0.0.1:{}/", server.port);
        let cause = Redis::open([url], "app").await.expect_err("it knows no such password");
        assert!(!format!("{cause} {cause:?}").contains("canary"), "{cause:?}");
        assert!(cause.to_string().contains(says), "{cause}");
    }
}

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
async fn a_cluster_keeps_every_promise() {
    let nodes = cluster(&[]);
    let urls = urls(&nodes);
    conformance(async |name| Redis::open(&urls, name).await.expect("a connection")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_node_of_a_cluster_is_enough_to_find_the_others() {
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

#[tokio::test]
async fn a_server_that_has_forgotten_the_scripts_learns_them_again() {
    let server = redis(&[]);
    let storage = open(&server, "app").await;
    for byte in 0..3 {
        ask(&server, "SCRIPT FLUSH");
        let key = StorageKey::from_bytes([byte; 32]);
        storage.create(&key, record(Some(1), 100), FREE, now()).await.expect("an answer");
        ask(&server, "SCRIPT FLUSH");
        let touched = storage.touch(&key, now(), now().after(Duration::from_secs(200))).await;
        assert_eq!(touched.expect("an answer"), Touch::Touched);
    }
    let owner = OwnerKey::from_bytes([1; 32]);
    ask(&server, "SCRIPT FLUSH");
    assert_eq!(
        storage
            .owners()
            .expect("an index")
            .invalidate_owner(&owner, &[], now())
            .await
            .expect("an answer"),
        3
    );
}

/// Logins that nobody waits for any more, broken off at any moment, with a limit
/// that ends others.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_is_broken_off_a_revocation_finds_every_session() {
    let server = redis(&[]);
    let limit = Some(OwnerLimit { max: 2, policy: OwnerLimitPolicy::EndOldest });
    let key = |n: u32| {
        let mut name = [7; 32];
        name[..4].copy_from_slice(&n.to_be_bytes());
        StorageKey::from_bytes(name)
    };
    for at_once in [true, false] {
        let storage = opened(at_once, &server, server.port).await;
        let owner = OwnerKey::from_bytes([1; 32]);
        let mut before = Version(0);
        for n in 0..600_u32 {
            let (new, old) = (key(n), key(n.saturating_sub(1)));
            let begun = record(Some(1), 100);
            let expected = std::mem::replace(&mut before, begun.version);
            let guard = OwnerGuard { limit, replaces: Some(old.clone()), ..FREE };
            let patience = if n % 100 == 99 { 5_000_000 } else { u64::from(n) * 3 };
            let patience = Duration::from_micros(patience);
            // Every other one takes the place of the one before.
            if n % 2 == 1 {
                let new = Successor { key: &new, record: begun, guard };
                let replaced = record(None, 100);
                let old = Predecessor { key: &old, expected, record: replaced };
                let _ = tokio::time::timeout(patience, storage.succeed(new, old, now())).await;
            } else {
                let guard = OwnerGuard { replaces: None, ..guard };
                let login = storage.create(&new, begun, guard, now());
                let _ = tokio::time::timeout(patience, login).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let theirs = async |n| {
            let found = storage.read(&key(n), now()).await.expect("an answer");
            found.is_some_and(|found| found.owner.is_some())
        };
        let mut live = 0;
        for n in 0..600 {
            live += u32::from(theirs(n).await);
        }
        assert!(live > 0, "some were whole");
        let index = storage.owners().expect("an index");
        index.invalidate_owner(&owner, &[], now()).await.expect("an answer");
        for n in 0..600 {
            assert!(!theirs(n).await, "{n} of {live}");
        }
    }
}

/// A session goes on under another key (as one with an id of Ktor's does when it
/// is renewed) while its owner is revoked: it is over, under either.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s48_a_session_that_moves_does_not_escape_a_revocation() {
    let server = redis(&[]);
    let network = Proxy::far_from(server.port, Duration::from_millis(2)).await;
    let far = Redis::open([url(network.port)], "app").await.expect("a connection");
    for at_once in [true, false] {
        let storage = opened(at_once, &server, server.port).await;
        let mut moved_on = 0;
        for n in 0..100_u8 {
            let owner = OwnerKey::from_bytes([n; 32]);
            let (old, new) =
                (StorageKey::from_bytes([n; 32]), StorageKey::from_bytes([n ^ 255; 32]));
            storage.create(&old, record(Some(n), 100), FREE, now()).await.expect("an answer");
            let moving = tokio::spawn({
                let (storage, old, new) = (storage.clone(), old.clone(), new.clone());
                async move {
                    tokio::time::sleep(Duration::from_micros(u64::from(n) * 100)).await;
                    storage
                        .create(&new, record(Some(n), 100), FREE, now())
                        .await
                        .expect("an answer");
                    let ended = storage.invalidate(&old, None, None).await.expect("an answer");
                    ended == Invalidate::Invalidated
                }
            });
            far.owners()
                .expect("an index")
                .invalidate_owner(&owner, &[], now())
                .await
                .expect("an answer");
            let moved = moving.await.expect("no panic");
            let goes_on = storage.read(&new, now()).await.expect("an answer").is_some();
            assert!(!(moved && goes_on), "{n} has escaped");
            moved_on += u32::from(moved);
            storage.invalidate(&new, None, None).await.expect("an answer");
        }
        assert!(moved_on > 10, "{moved_on} moved in time");
    }
}

/// The server does what it is asked, and its answer is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_login_whose_answer_is_lost_is_one_login() {
    let server = redis(&[]);
    let network = Proxy::to(server.port).await;
    let limit = Some(OwnerLimit { max: 2, policy: OwnerLimitPolicy::EndOldest });
    let guard = OwnerGuard { limit, ..FREE };
    for at_once in [true, false] {
        let storage = opened(at_once, &server, network.port).await;
        for lost in 1..=2 {
            let owner = OwnerKey::from_bytes([lost; 32]);
            let [first, second] = [1, 2].map(|n| StorageKey::from_bytes([lost * 16 + n; 32]));
            let begun = record(Some(lost), 100);
            storage.create(&first, begun, guard.clone(), now()).await.expect("an answer");
            tokio::time::sleep(Duration::from_millis(100)).await;
            network.lose_answer(lost.into());
            let sent = record(Some(lost), 100);
            let created = storage.create(&second, sent.clone(), guard.clone(), now()).await;
            assert!(
                matches!(created, Ok(Create::Created)),
                "at once: {at_once}, {lost}: {created:?}"
            );
            let found = storage.read(&second, now()).await.expect("an answer").expect("a record");
            assert_eq!(found, sent);
            let index = storage.owners().expect("an index");
            let page = index.list(&owner, None, 10, now()).await.expect("a page");
            assert_eq!(page.records.len(), 2, "at once: {at_once}, {lost}: none was pushed out");
        }
    }
}

/// The core sends it again, or looks at what has become of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_login_over_a_session_whose_answer_is_lost_may_be_sent_again() {
    let server = redis(&[]);
    let network = Proxy::to(server.port).await;
    for at_once in [true, false] {
        let storage = opened(at_once, &server, network.port).await;
        for lost in 1..=4 {
            let owner = OwnerKey::from_bytes([lost; 32]);
            let [old, new] = [1, 2].map(|n| StorageKey::from_bytes([lost * 16 + n; 32]));
            let (before, begun) = (record(Some(lost), 100), record(Some(lost), 100));
            let (expected, replaced) = (before.version, record(None, 100));
            storage.create(&old, before, FREE, now()).await.expect("an answer");
            tokio::time::sleep(Duration::from_millis(100)).await;
            let limit = Some(OwnerLimit { max: 1, policy: OwnerLimitPolicy::Refuse });
            let guard = OwnerGuard { limit, replaces: Some(old.clone()), ..FREE };
            let send = async || {
                let new = Successor { key: &new, record: begun.clone(), guard: guard.clone() };
                let old = Predecessor { key: &old, expected, record: replaced.clone() };
                storage.succeed(new, old, now()).await
            };
            network.lose_answer(lost.into());
            let mut answer = send().await;
            if answer.is_err() {
                answer = send().await;
            }
            let replaced_it = Succeed::Created(Update::Updated);
            assert!(answer.is_ok_and(|answer| answer == replaced_it), "at once: {at_once}, {lost}");
            network.lose_answer(i64::MAX);
            let found = storage.read(&new, now()).await.expect("an answer");
            assert_eq!(found, Some(begun.clone()), "at once: {at_once}, {lost}");
            let found = storage.read(&old, now()).await.expect("an answer");
            assert_eq!(found, Some(replaced.clone()), "at once: {at_once}, {lost}");
            let index = storage.owners().expect("an index");
            let page = index.list(&owner, None, 10, now()).await.expect("a page");
            assert_eq!(page.records, [(new, begun)], "at once: {at_once}, {lost}");
            if at_once {
                let left = ["ZCARD", "HLEN"].map(|command| {
                    let what = if command == "ZCARD" { 'i' } else { 'w' };
                    ask(&server, &format!("{command} app:{{{owner}}}:{what}"))
                });
                assert_eq!(left, [":1\r\n", ":0\r\n"], "{lost}");
            }
        }
    }
}

/// The client of a cluster sends a login again when its answer is lost, as late as
/// that may be. Whatever has ended it meanwhile, it stays ended.
#[tokio::test]
async fn e1_a_login_that_is_sent_again_after_its_end_does_not_come_back() {
    let server = redis(&[]);
    let limit = Some(OwnerLimit { max: 1, policy: OwnerLimitPolicy::EndOldest });
    let mark = Some(now().after(Duration::from_secs(120)));
    for at_once in [true, false] {
        let here = opened(at_once, &server, server.port).await;
        let there = open(&server, "app").await;
        let index = there.owners().expect("an index");
        let ends = ["revoke", "end", "end with a mark", "push out", "replace", "nobody's"];
        for (n, end) in (1..).zip(ends) {
            let (key, owner) = (StorageKey::from_bytes([n; 32]), OwnerKey::from_bytes([n; 32]));
            let sent = record((end != "nobody's").then_some(n), 100);
            let create = async || here.create(&key, sent.clone(), FREE, now()).await;
            assert!(matches!(create().await, Ok(Create::Created)), "{end}");
            match end {
                "revoke" => {
                    assert!(matches!(index.invalidate_owner(&owner, &[], now()).await, Ok(1)));
                }
                "push out" => {
                    let (next, guard) =
                        (StorageKey::from_bytes([99; 32]), OwnerGuard { limit, ..FREE });
                    let pushed = there.create(&next, record(Some(n), 100), guard, now()).await;
                    assert!(matches!(pushed, Ok(Create::Created)), "{pushed:?}");
                    assert_eq!(
                        there.invalidate(&next, None, None).await.expect("an answer"),
                        Invalidate::Invalidated
                    );
                }
                "replace" => {
                    let left = record(None, 100);
                    let updated = there.update(&key, sent.version, left, now()).await;
                    assert!(matches!(updated, Ok(Update::Updated)), "{updated:?}");
                    assert!(matches!(create().await, Ok(Create::Created)), "{end}");
                    let found = there.read(&key, now()).await.expect("an answer");
                    assert_eq!(found.and_then(|found| found.owner), None, "{end}");
                    assert!(matches!(index.invalidate_owner(&owner, &[], now()).await, Ok(0)));
                    assert!(there.read(&key, now()).await.expect("an answer").is_some());
                    let ended = there.invalidate(&key, None, None).await.expect("an answer");
                    assert_eq!(ended, Invalidate::Invalidated);
                }
                _ => {
                    let mark = mark.filter(|_| end == "end with a mark");
                    assert_eq!(
                        there.invalidate(&key, None, mark).await.expect("an answer"),
                        Invalidate::Invalidated
                    );
                }
            }
            let again = create().await.expect("an answer");
            // Pushed out, it had begun.
            let expected = Create::Refused(Refused::Revoked);
            assert_eq!(again, if end == "push out" { Create::Created } else { expected }, "{end}");
            assert_eq!(there.read(&key, now()).await.expect("an answer"), None, "{end}");
            tokio::time::sleep(Duration::from_millis(100)).await;
            let entries = ask(&server, &format!("EXISTS app:{{{owner}}}:i"));
            assert_eq!(entries.trim(), ":0", "{end}");
        }
    }
}

/// E1: nor does it push anybody out, whatever has become of its own session.
#[tokio::test]
async fn e1_a_login_that_is_sent_again_after_its_end_ends_no_other_session() {
    let server = redis(&[]);
    let limit = Some(OwnerLimit { max: 1, policy: OwnerLimitPolicy::EndOldest });
    let mark = Some(now().after(Duration::from_secs(120)));
    for at_once in [true, false] {
        let storage = opened(at_once, &server, server.port).await;
        for (n, end) in (1..).zip(["push out", "end", "end with a mark", "replace"]) {
            let [key, next] = [n, n + 100].map(|n| StorageKey::from_bytes([n; 32]));
            let sent = record(Some(n), 100);
            let guard = |replaces| OwnerGuard { limit, replaces, ..FREE };
            let create = async || storage.create(&key, sent.clone(), guard(None), now()).await;
            assert!(matches!(create().await, Ok(Create::Created)), "{end}");
            match end {
                "push out" | "replace" => {}
                _ => {
                    let mark = mark.filter(|_| end == "end with a mark");
                    storage.invalidate(&key, None, mark).await.expect("an answer");
                }
            }
            let replaces = (end == "replace").then(|| key.clone());
            let later = record(Some(n), 100);
            let created = storage.create(&next, later, guard(replaces), now()).await;
            assert!(matches!(created, Ok(Create::Created)), "{end}: {created:?}");
            if end == "replace" {
                let updated = storage.update(&key, sent.version, record(None, 100), now()).await;
                assert!(matches!(updated, Ok(Update::Updated)), "{updated:?}");
            }
            create().await.expect("an answer");
            let found = storage.read(&next, now()).await.expect("an answer");
            assert!(found.is_some(), "{end}: it has pushed out the session after it");
            let owner = OwnerKey::from_bytes([n; 32]);
            let index = storage.owners().expect("an index");
            let page = index.list(&owner, None, 10, now()).await.expect("an answer");
            let listed: Vec<_> = page.records.iter().map(|(key, _)| key).collect();
            assert_eq!(listed, [&next], "{end}");
        }
        ask(&server, "FLUSHALL");
    }
}

#[tokio::test]
async fn on_a_full_server_sessions_can_be_ended() {
    let server = redis(&[]);
    let storage = open(&server, "app").await;
    let [one, other] = [1, 2].map(|n| StorageKey::from_bytes([n; 32]));
    for key in [&one, &other] {
        storage.create(key, record(Some(1), 100), FREE, now()).await.expect("an answer");
    }
    ask(&server, "CONFIG SET maxmemory 1");
    let full = storage.create(&one, record(None, 100), FREE, now()).await;
    assert!(matches!(full, Ok(Create::Exists)), "it need not write: {full:?}");
    let full = storage.create(&StorageKey::from_bytes([3; 32]), record(None, 9), FREE, now()).await;
    assert!(full.is_err_and(|cause| cause.to_string().contains("OOM")));
    let [third, owner] = [StorageKey::from_bytes([3; 32]), StorageKey::from_bytes([9; 32])];
    let login = storage.create(&third, record(Some(9), 100), FREE, now()).await;
    assert!(login.is_err_and(|cause| cause.to_string().contains("OOM")));
    let left =
        ask(&server, &format!("EXISTS app:{{{third}}}:r app:{{{owner}}}:i app:{{{owner}}}:w"));
    assert_eq!(left.trim(), ":0", "a login that finds no room leaves nothing");
    let mark = now().after(Duration::from_secs(120));
    assert_eq!(
        storage.invalidate(&one, None, Some(mark)).await.expect("room enough to delete"),
        Invalidate::Invalidated
    );
    let late = storage.create(&one, record(None, 100), FREE, now()).await;
    assert!(matches!(late, Ok(Create::Refused(Refused::Revoked))), "{late:?}");
    assert_eq!(
        storage.invalidate(&other, None, None).await.expect("room enough to delete"),
        Invalidate::Invalidated
    );
}

#[tokio::test]
async fn an_owners_index_does_not_grow_with_what_has_expired() {
    let server = redis(&[]);
    let storage = open(&server, "app").await;
    let login = async |n: u32, seconds: u64| {
        let mut name = [7; 32];
        name[..4].copy_from_slice(&n.to_be_bytes());
        let key = StorageKey::from_bytes(name);
        storage.create(&key, record(Some(1), seconds), FREE, now()).await.expect("an answer");
    };
    for n in 0..100 {
        login(n, 1).await;
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    for n in 100..300 {
        login(n, 100).await;
    }
    let owner = OwnerKey::from_bytes([1; 32]);
    let answer = ask(&server, &format!("ZCARD app:{{{owner}}}:i"));
    let entries: u32 = answer.trim().trim_start_matches(':').parse().expect("a number");
    assert!((200..250).contains(&entries), "{entries}");
}

#[tokio::test]
async fn a_generation_that_was_forgotten_does_not_come_again() {
    let server = redis(&[]);
    let storage = open(&server, "app").await;
    let owner = OwnerKey::from_bytes([1; 32]);
    for _ in 0..3 {
        storage
            .owners()
            .expect("an index")
            .invalidate_owner(&owner, &[], now())
            .await
            .expect("an answer");
    }
    let generation =
        Some(storage.owners().expect("an index").generation(&owner).await.expect("an answer"));
    // A day later Redis has forgotten it.
    ask(&server, &format!("DEL app:{{{owner}}}:g"));
    storage
        .owners()
        .expect("an index")
        .invalidate_owner(&owner, &[], now())
        .await
        .expect("an answer");
    let guard = OwnerGuard { generation, ..FREE };
    let key = StorageKey::from_bytes([7; 32]);
    let created = storage.create(&key, record(Some(1), 100), guard, now()).await;
    assert_eq!(created.expect("an answer"), Create::Refused(Refused::Revoked));
}

#[tokio::test]
async fn a_restart_while_nobody_asks_goes_unnoticed() {
    let mut server = redis(&["--appendonly", "yes", "--appendfsync", "always"]);
    let storage = open(&server, "app").await;
    let key = StorageKey::from_bytes([7; 32]);
    storage.create(&key, record(None, 100), FREE, now()).await.expect("an answer");
    for _ in 0..3 {
        server.restart();
        while !ask(&server, "PING").contains("PONG") {}
        assert!(storage.read(&key, now()).await.expect("at the first try").is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owners_index_outlives_a_session_that_is_kept_alive() {
    let server = redis(&[]);
    let storage = open(&server, "app").await;
    let key = StorageKey::from_bytes([7; 32]);
    let owner = OwnerKey::from_bytes([1; 32]);
    let index = || -> u64 {
        // Nobody waits for it.
        std::thread::sleep(Duration::from_millis(200));
        let answer = ask(&server, &format!("PTTL app:{{{owner}}}:i"));
        answer.trim().trim_start_matches(':').parse().expect("a number")
    };
    let days = |days: u64| Duration::from_secs(days * 86_400);
    storage.create(&key, record(Some(1), 100), FREE, now()).await.expect("an answer");
    assert!(index() >= 86_400_000);
    storage.touch(&key, now(), now().after(days(3))).await.expect("an answer");
    assert!(index() >= 3 * 86_400_000, "a touch");
    let stored = storage.read(&key, now()).await.expect("an answer").expect("a record");
    let before = stored.version;
    let longer = Record { version: version(), expires: now().after(days(9)), ..stored };
    storage.update(&key, before, longer, now()).await.expect("an answer");
    assert!(index() >= 9 * 86_400_000, "an update");
}

#[tokio::test]
async fn a_foreign_value_under_our_key_is_corrupt_and_harms_nobody() {
    let server = redis(&[]);
    let storage = open(&server, "app").await;
    let key = StorageKey::from_bytes([7; 32]);
    for foreign in ["SET app:{KEY}:r short", "HSET app:{KEY}:r a b"] {
        ask(&server, &format!("DEL app:{{{key}}}:r"));
        ask(&server, &foreign.replace("KEY", &key.to_string()));
        let read = storage.read(&key, now()).await;
        assert!(matches!(read, Err(StorageError::Corrupt(_))), "{foreign}: {read:?}");
        let update = storage.update(&key, Version(1), record(None, 9), now()).await;
        assert!(matches!(update, Ok(Update::Missing) | Err(StorageError::Corrupt(_))));
    }
}

#[tokio::test]
async fn a_unix_socket_will_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("redis.sock").to_string_lossy().into_owned();
    let _server = redis(&["--unixsocket", &socket]);
    let storage = Redis::open([format!("unix://{socket}")], "app").await.expect("a connection");
    let key = StorageKey::from_bytes([7; 32]);
    storage.create(&key, record(None, 100), FREE, now()).await.expect("an answer");
    assert!(storage.read(&key, now()).await.expect("an answer").is_some());
}

#[tokio::test]
async fn a_server_out_of_connections_is_unavailable_and_recovers() {
    let server = redis(&["--maxclients", "4"]);
    let storage = open(&server, "app").await;
    let only = StorageKey::from_bytes([7; 32]);
    storage.create(&only, record(None, 100), FREE, now()).await.expect("an answer");
    let hogs: Vec<_> =
        (0..8).map(|_| TcpStream::connect(("127.0.0.1", server.port)).expect("a socket")).collect();
    std::thread::sleep(Duration::from_millis(100));
    // Who has a connection keeps it; who comes now is told no.
    assert!(storage.read(&only, now()).await.expect("an answer").is_some());
    let refused = Redis::open([url(server.port)], "app").await.expect_err("no connection is left");
    assert!(matches!(refused, StorageError::Unavailable(..)), "{refused:?}");
    drop(hogs);
    std::thread::sleep(Duration::from_millis(100));
    assert!(open(&server, "app").await.read(&only, now()).await.expect("an answer").is_some());
}

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

/// Runs twice: first to make a server with a certificate of an authority that
/// nobody knows, then in a process that is told of it, as an operator would.
#[tokio::test]
async fn over_tls_the_servers_certificate_is_verified() {
    const URL: &str = "TEST_TLS_URL";
    if let Ok(url) = std::env::var(URL) {
        let storage = Redis::open([&url], "app").await.expect("a connection");
        let key = StorageKey::from_bytes([7; 32]);
        storage.create(&key, record(None, 100), FREE, now()).await.expect("an answer");
        assert!(storage.read(&key, now()).await.expect("an answer").is_some());
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (authority, certificate, key) = (file("ca.pem"), file("cert.pem"), file("key.pem"));
    std::fs::write(file("names"), "subjectAltName=DNS:localhost").expect("written");
    let (authority_key, request, names) = (file("ca.key"), file("csr"), file("names"));
    for arguments in [
        vec!["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=ca", "-days", "1"],
        vec!["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"],
        vec!["x509", "-req", "-CAcreateserial", "-days", "1"],
    ]
    .into_iter()
    .zip([
        vec!["-keyout", &authority_key, "-out", &authority],
        vec!["-keyout", &key, "-out", &request],
        vec![
            "-in",
            &request,
            "-CA",
            &authority,
            "-CAkey",
            &authority_key,
            "-extfile",
            &names,
            "-out",
            &certificate,
        ],
    ])
    .map(|(start, end)| [vec!["openssl"], start, end].concat())
    {
        crate::process::run(&arguments.into_iter().map(str::to_owned).collect::<Vec<_>>());
    }
    let server = started(
        "redis-server",
        "--tls-port",
        &[
            "--port",
            "0",
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &authority,
            "--tls-auth-clients",
            "no",
        ],
    );
    let url = format!("rediss://localhost:{}/", server.port);
    let refused = Redis::open([&url], "app").await.expect_err("nobody knows the authority");
    assert!(matches!(refused, StorageError::Unavailable(..)), "{refused:?}");
    let output = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "redis::over_tls_the_servers_certificate_is_verified"])
        .env("SSL_CERT_FILE", &authority)
        .env(URL, &url)
        .output()
        .expect("this program again");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
