//! A server that is killed, paused, full or read-only gives 503, and then all is well.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::*;
use crate::process::Server;
use crate::redis::{SHORT_OF_A_MASTER, ask, cluster, master_of, redis, replicated, url, urls};
use crate::sql::{mariadb, mariadb_url, postgres, postgres_url};

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
            .args([
                "--exact",
                "nodes::failures::s65_sqlite_on_a_full_disk_gives_503_and_then_all_is_well",
            ])
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
        match response.status().code {
            200 => kept.push(token.expect("a token").to_owned()),
            503 => {
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
