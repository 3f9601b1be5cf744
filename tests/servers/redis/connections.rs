//! Connections that fail, and other ways to connect.

use std::net::TcpStream;
use std::time::Duration;

use rocket_typed_sessions::storage::{Redis, SessionStorage, StorageError, StorageKey};

use super::*;

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

/// Why a server cannot be used, as launch says it, without the password.
async fn refusal(url: &str) -> String {
    let cause = Redis::open([url], "app").await.expect_err("no storage");
    assert!(!format!("{cause} {cause:?}").contains("canary"), "{cause:?}");
    cause.to_string()
}

#[tokio::test]
async fn launch_says_which_part_of_the_url_is_wrong() {
    let server = redis(&["--requirepass", "right"]);
    let at = format!("127.0.0.1:{}", server.port);
    let closed = format!("redis://:canary@127.0.0.1:{}/", crate::process::free_port());
    for (url, parts) in [
        (format!("redis://:canary@{at}/"), &["the user or the password", "`url`"][..]),
        (format!("redis://canary:right@{at}/"), &["the user or the password"]),
        (format!("redis://{at}/"), &["NOAUTH", "requires a password", "redis://:password@host/"]),
        (format!("redis://:right@{at}/99"), &["no database", "`CONFIG GET databases`"]),
        (format!("rediss://:canary@{at}/"), &[&*at, "speaks no TLS", "`redis://`"]),
        ("redis://:canary@no-such-host.invalid/".into(), &["no-such-host.invalid", "not found"]),
        ("rediss://:canary@no-such-host.invalid/".into(), &["no-such-host.invalid", "not found"]),
        (closed, &["refuses connections", "running"]),
    ] {
        let said = refusal(&url).await;
        for part in parts {
            assert!(said.contains(part), "{url}: {said}");
        }
    }
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
    let said = refusal(&url).await;
    assert!(said.contains("TLS with localhost") && said.contains("certificate"), "{said}");
    let said = refusal(&url.replace("rediss:", "redis:")).await;
    assert!(said.contains("speaks TLS: write `rediss://`"), "{said}");
    let output = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "redis::connections::over_tls_the_servers_certificate_is_verified"])
        .env("SSL_CERT_FILE", &authority)
        .env(URL, &url)
        .output()
        .expect("this program again");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
