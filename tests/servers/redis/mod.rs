//! Redis: every promise, what it leaves on the server, and what it costs.

mod cluster;
mod connections;
mod contents;
mod logins;
mod sentinels;

pub use cluster::*;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rocket::futures::StreamExt;
use rocket_typed_sessions::storage::{
    Change, OwnerGuard, OwnerKey, Record, Redis, SessionStorage, Timestamp,
};
use rocket_typed_sessions::testing::storage::conformance;

use crate::process::Server;
pub use crate::shared::version;

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

pub async fn open(server: &Server, prefix: &str) -> Redis {
    Redis::open([url(server.port)], prefix).await.expect("a connection")
}

/// The same, where the server does not say whether it has all slots: each step of a login
/// is one of its own, as in a cluster.
pub fn url_of_steps(server: &Server, port: u16) -> String {
    ask(server, "ACL SETUSER steps on >steps ~* &* +@all -info");
    format!("redis://steps:steps@127.0.0.1:{port}/")
}

/// On an empty server, a storage that logs in at once, or step by step.
pub async fn opened(at_once: bool, server: &Server, port: u16) -> Redis {
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
pub async fn redis_keeps_every_promise() {
    let server = redis(&[]);
    conformance(async |name| open(&server, name).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
pub async fn redis_keeps_every_promise_step_by_step() {
    let server = redis(&[]);
    let url = url_of_steps(&server, server.port);
    conformance(async |name| Redis::open([&url], name).await.expect("a connection")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
pub async fn valkey_keeps_every_promise() {
    let server = started("valkey-server", "--port", &[]);
    conformance(async |name| open(&server, name).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
pub async fn a_user_with_the_documented_rights_needs_no_more() {
    let server = redis(&[]);
    let documented = include_str!("../../../docs/operations.md");
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
