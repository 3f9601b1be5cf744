//! A whole application on a server: several nodes, and what happens when the server fails.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rocket::figment::Figment;
use rocket::futures::future::{join, join_all};
use rocket::http::{Header, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::{Route, get, routes};
use rocket_typed_sessions::{Session, SessionData, SessionError, Sessions};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::process::Server;
use crate::proxy::Proxy;
use crate::redis::{SHORT_OF_A_MASTER, ask, cluster, master_of, redis, replicated, url, urls};
use crate::sql::{mariadb, mariadb_url, postgres, postgres_url};

pub const SECRET: &str = "hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978";

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    id: String,
    count: u32,
    filler: String,
}

impl SessionData for User {
    const NAME: &'static str = "user";

    fn owner(&self) -> Option<Cow<'_, str>> {
        Some(self.id.as_str().into())
    }
}

#[get("/login/<id>?<filler>")]
fn login(session: Session<User>, id: &str, filler: Option<usize>) {
    session.login(User { id: id.into(), count: 0, filler: "x".repeat(filler.unwrap_or(0)) });
}

#[get("/get")]
fn get_it(session: Session<User>) -> String {
    session.get().map_or_else(|| "absent".into(), |user| format!("{} {}", user.id, user.count))
}

#[get("/count")]
fn count(session: Session<User>) -> String {
    session.update(|user| user.count += 1);
    get_it(session)
}

#[get("/logout")]
fn logout(session: Session<User>) -> &'static str {
    session.clear();
    "bye"
}

#[get("/everywhere/<id>")]
async fn everywhere(sessions: &Sessions, id: &str) -> Result<String, SessionError> {
    Ok(sessions.of::<User>().revoke_owner(id).await?.to_string())
}

pub fn figment(url: &str) -> Figment {
    let kind = match url.split_once(':') {
        Some(("redis" | "rediss", _)) => "redis",
        Some(("postgres", _)) => "postgres",
        _ => "mysql",
    };
    configured(kind, url)
}

/// One URL, or a list.
pub fn configured(kind: &str, url: impl Serialize) -> Figment {
    Figment::from(rocket::Config::default())
        .select("release")
        .merge(("log_level", std::env::var("TEST_LOG").unwrap_or("off".into())))
        .merge(("sessions.secret", SECRET))
        .merge(("sessions.app", "nodes"))
        .merge(("sessions.user.storage.type", kind))
        .merge(("sessions.user.storage.url", url))
}

async fn node(url: &str) -> Client {
    node_of(figment(url)).await
}

pub async fn node_of(figment: Figment) -> Client {
    node_with(figment, vec![]).await
}

pub async fn node_with(figment: Figment, more: Vec<Route>) -> Client {
    let rocket = rocket::custom(figment)
        .attach(Sessions::fairing())
        .mount("/", routes![login, get_it, count, logout, everywhere])
        .mount("/", more);
    Client::untracked(rocket).await.expect("a valid configuration")
}

async fn with<'c>(client: &'c Client, uri: &str, cookie: &str) -> LocalResponse<'c> {
    let cookie = Header::new("Cookie", cookie.to_owned());
    client.get(uri.to_owned()).header(cookie).dispatch().await
}

pub async fn text(client: &Client, uri: &str, cookie: &str) -> String {
    let response = with(client, uri, cookie).await;
    assert_eq!(response.status(), Status::Ok, "{uri}");
    response.into_string().await.expect("a body")
}

pub async fn logged_in(client: &Client, id: &str) -> String {
    let response = client.get(format!("/login/{id}")).dispatch().await;
    let cookie = response.headers().get_one("Set-Cookie").expect("a token");
    cookie.split(';').next().expect("a value").to_owned()
}

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

/// 200 or 503, and within the deadline.
async fn answer(client: &Client, uri: &str, cookie: &str) -> Status {
    let started = Instant::now();
    let response = with(client, uri, cookie).await;
    let took = started.elapsed();
    assert!(took < Duration::from_secs(5), "{uri} took {took:?}");
    let status = response.status();
    assert!([Status::Ok, Status::ServiceUnavailable].contains(&status), "{uri}: {status}");
    if status != Status::Ok {
        assert_eq!(response.headers().get_one("Set-Cookie"), None, "the token is left alone");
    }
    status
}

async fn recovers(client: &Client, uri: &str, cookie: &str) {
    let started = Instant::now();
    while answer(client, uri, cookie).await != Status::Ok {
        assert!(started.elapsed() < Duration::from_secs(20), "no recovery");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Pauses a server, and kills it thrice in the middle of the work.
async fn paused_and_killed(server: &mut Server, client: &Client, cookie: &str) {
    server.signal("STOP");
    assert_eq!(answer(client, "/get", cookie).await, Status::ServiceUnavailable);
    assert_eq!(answer(client, "/count", cookie).await, Status::ServiceUnavailable);
    server.signal("CONT");
    recovers(client, "/get", cookie).await;

    let mut counted = count_of(client, cookie).await;
    for round in 0..3 {
        let acknowledged = loaded(client, cookie, async |load| {
            wait(300).await;
            server.kill();
            wait(300).await;
            server.restart();
            recovers(client, "/get", cookie).await;
            load.store(false, Ordering::Relaxed);
        });
        let (before, acknowledged) = (counted, acknowledged.await);
        counted = count_of(client, cookie).await;
        assert!(acknowledged > 0, "there was a load");
        assert!(
            counted - before >= acknowledged,
            "round {round}: {} of {acknowledged} acknowledged",
            counted - before
        );
    }
}

/// What the session counts.
async fn count_of(client: &Client, cookie: &str) -> u32 {
    text(client, "/get", cookie).await.trim_start_matches("ann ").parse().expect("a number")
}

async fn wait(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// Four clients count until `meanwhile` says stop; how often they were told that they did.
async fn loaded(client: &Client, cookie: &str, meanwhile: impl AsyncFnOnce(&AtomicBool)) -> u32 {
    loaded_each(client, &[cookie.to_owned()], meanwhile).await
}

/// The same, in several sessions by turns.
async fn loaded_each(
    client: &Client,
    cookies: &[String],
    meanwhile: impl AsyncFnOnce(&AtomicBool),
) -> u32 {
    let goes_on = AtomicBool::new(true);
    let counts = (0..4).map(async |first: usize| {
        let mut acknowledged = 0;
        for cookie in cookies.iter().cycle().skip(first * 7) {
            if !goes_on.load(Ordering::Relaxed) {
                break;
            }
            acknowledged += u32::from(answer(client, "/count", cookie).await == Status::Ok);
            wait(1).await;
        }
        acknowledged
    });
    let (counts, ()) = join(join_all(counts), meanwhile(&goes_on)).await;
    counts.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s65_postgres_killed_or_paused_gives_503_and_then_all_is_well() {
    let mut server = postgres(&[]);
    let client = node(&postgres_url(&server)).await;
    let cookie = logged_in(&client, "ann").await;
    paused_and_killed(&mut server, &client, &cookie).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s65_mariadb_killed_or_paused_gives_503_and_then_all_is_well() {
    let mut server = mariadb(&[]);
    let client = node(&mariadb_url(&server)).await;
    let cookie = logged_in(&client, "ann").await;
    paused_and_killed(&mut server, &client, &cookie).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s65_s66_a_server_that_is_killed_paused_or_full_gives_503_and_then_all_is_well() {
    // Every acknowledged write is on the disk: what Redis calls `always`.
    let mut server = redis(&["--appendonly", "yes", "--appendfsync", "always"]);
    let client = node(&url(server.port)).await;
    let cookie = logged_in(&client, "ann").await;

    paused_and_killed(&mut server, &client, &cookie).await;

    ask(&server, "CONFIG SET maxmemory 1500kb");
    let mut refused = 0;
    for n in 0..200 {
        let status = answer(&client, &format!("/login/u{n}?filler=20000"), "").await;
        refused += u32::from(status == Status::ServiceUnavailable);
    }
    assert!(refused > 0, "the memory is full");
    assert_eq!(answer(&client, "/get", &cookie).await, Status::Ok, "reading goes on");
    ask(&server, "CONFIG SET maxmemory 0");
    recovers(&client, "/count", &cookie).await;
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s65_a_cluster_that_loses_a_master_gives_503_and_then_all_is_well() {
    let mut nodes = cluster(&SHORT_OF_A_MASTER);
    let urls = urls(&nodes);
    let client = node_of(configured("redis", &urls)).await;
    let mut cookies = Vec::new();
    for n in 0..30 {
        cookies.push(logged_in(&client, &format!("u{n}")).await);
    }
    let count_all = async |uri: &str| {
        let mut counts = 0;
        for cookie in &cookies {
            let said = text(&client, uri, cookie).await;
            counts += said.split(' ').nth(1).expect("a session").parse::<u32>().expect("a number");
        }
        counts
    };
    let before = count_all("/count").await;
    assert_eq!(before, 30);
    replicated(&nodes);
    for fault in ["STOP", "KILL"] {
        let (before, master) = (count_all("/get").await, master_of(&nodes));
        let acknowledged = loaded_each(&client, &cookies, async |load| {
            wait(300).await;
            nodes[master].signal(fault);
            // Those whose master is another go on being served.
            wait(1500).await;
            let mut served = 0;
            for cookie in &cookies {
                let asked = with(&client, "/get", cookie);
                let asked = tokio::time::timeout(Duration::from_millis(500), asked).await;
                served += u32::from(asked.is_ok_and(|answer| answer.status() == Status::Ok));
            }
            assert!(served >= 8, "{fault}: {served} of 30 sessions served meanwhile");
            for cookie in &cookies {
                recovers(&client, "/count", cookie).await;
            }
            // A process that starts meanwhile finds its way.
            let another = node_of(configured("redis", &urls)).await;
            assert!(text(&another, "/get", &cookies[0]).await.starts_with("u0 "));
            load.store(false, Ordering::Relaxed);
        });
        let acknowledged = acknowledged.await + 30;
        let counted = count_all("/get").await - before;
        // Replication is asynchronous: each client may have lost its last one.
        assert!(counted + 4 >= acknowledged, "{fault}: {counted} of {acknowledged}");
        if fault == "STOP" {
            nodes[master].signal("CONT");
        } else {
            nodes[master].restart();
        }
        replicated(&nodes);
    }
}

/// Runs again in a process of its own, in which no file may grow over 1 MiB:
/// what a full disk is to SQLite. Then there is room again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s65_sqlite_on_a_full_disk_gives_503_and_then_all_is_well() {
    const URL: &str = "TEST_SQLITE_URL";
    let Ok(url) = std::env::var(URL) else {
        let folder = tempfile::tempdir().expect("a folder");
        let output = std::process::Command::new("bash")
            .args(["-c", "trap '' XFSZ; ulimit -S -f 1024; exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().expect("this program"))
            .args(["--exact", "nodes::s65_sqlite_on_a_full_disk_gives_503_and_then_all_is_well"])
            .env(URL, format!("sqlite:{}", folder.path().join("sessions.db").display()))
            .output()
            .expect("this program again");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    };
    let client = node_of(configured("sqlite", url)).await;
    let cookie = logged_in(&client, "ann").await;
    let (mut kept, mut refused) = (Vec::new(), 0);
    while refused < 20 {
        let response = client.get(format!("/login/u{}?filler=9000", kept.len())).dispatch().await;
        let token = response.headers().get_one("Set-Cookie");
        match response.status() {
            Status::Ok => kept.push(token.expect("a token").to_owned()),
            Status::ServiceUnavailable => {
                assert_eq!(token, None);
                refused += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(answer(&client, "/get", &cookie).await, Status::Ok, "reading goes on");
    let room = Rlimit { current: None, maximum: None };
    setrlimit(Resource::Fsize, room).expect("the hard limit is higher");
    recovers(&client, "/count", &cookie).await;
    assert!(kept.len() > 5, "{} were kept", kept.len());
    for (n, cookie) in kept.iter().enumerate() {
        let cookie = cookie.split(';').next().expect("a value");
        assert_eq!(text(&client, "/get", cookie).await, format!("u{n} 0"), "it was acknowledged");
    }
}

#[tokio::test]
async fn a_read_only_replica_refuses_writes_with_503() {
    let master = redis(&[]);
    let replica = redis(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    let cookie = logged_in(&node(&url(master.port)).await, "ann").await;
    let client = node(&url(replica.port)).await;
    recovers(&client, "/get", &cookie).await;
    let started = Instant::now();
    while text(&client, "/get", &cookie).await != "ann 0" {
        assert!(started.elapsed() < Duration::from_secs(10), "no replication");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(answer(&client, "/count", &cookie).await, Status::ServiceUnavailable);
    assert_eq!(answer(&client, "/login/bob", "").await, Status::ServiceUnavailable);
}
