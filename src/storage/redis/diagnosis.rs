//! Finds out why the first connection to a server failed, so that launch can say what to write.

use std::sync::Arc;
use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, RedisError};
use rocket::tokio::io::{AsyncReadExt, AsyncWriteExt};
use rocket::tokio::net::{TcpStream, lookup_host};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::time::timeout;

use super::target::Target;

/// How long to wait for each answer. Launch has failed already.
const PATIENCE: Duration = Duration::from_secs(1);

/// Returns what is wrong with an address of the target, if that can be seen.
pub(super) async fn diagnose(target: &Target, cause: &RedisError) -> Option<String> {
    let nodes: &[ConnectionInfo] = match target {
        Target::Server(node) => std::slice::from_ref(node),
        Target::Cluster(nodes) | Target::Sentinels { sentinels: nodes, .. } => nodes,
        Target::Given(_) => &[],
    };
    for node in nodes {
        let found = match node.addr() {
            ConnectionAddr::Tcp(host, port) => look_at_plain(host, *port).await,
            ConnectionAddr::TcpTls { host, port, .. } => look_at_tls(host, *port, cause).await,
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

async fn look_at_plain(host: &str, port: u16) -> Option<String> {
    if let Some(unknown) = look_up(host, port).await {
        return Some(unknown);
    }
    let speaks_tls = speaks_tls(host, port).await;
    speaks_tls
        .then(|| format!("{host}:{port} speaks TLS: write `rediss://` in place of `redis://`"))
}

async fn look_at_tls(host: &str, port: u16, cause: &RedisError) -> Option<String> {
    if let Some(unknown) = look_up(host, port).await {
        return Some(unknown);
    }
    // Redis answers a `PING` without TLS with `+PONG`, or with an error that begins with `-`.
    if matches!(ask(host, port, b"PING\r\n").await, Some(b'+' | b'-')) {
        return Some(format!(
            "{host}:{port} speaks no TLS: write `redis://` in place of `rediss://`, or the port that has TLS"
        ));
    }
    // No command was sent before the handshake, so the cause quotes none.
    let speaks_tls = speaks_tls(host, port).await;
    speaks_tls.then(|| {
        format!(
            "TLS with {host}:{port} failed: {cause}. The certificate must be for {host:?}, and from an authority that this machine trusts"
        )
    })
}

/// Returns what to say if the host is unknown.
async fn look_up(host: &str, port: u16) -> Option<String> {
    let cause = lookup_host((host, port)).await.err()?;
    Some(format!("the host {host:?} is not found ({cause}): check its name in `url`"))
}

async fn speaks_tls(host: &str, port: u16) -> bool {
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    let Some(hello) = client_hello(host) else { return false };
    matches!(ask(host, port, &hello).await, Some(ALERT | HANDSHAKE))
}

/// The first bytes that a client of TLS sends.
fn client_hello(host: &str) -> Option<Vec<u8>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.ok()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let mut hello = Vec::new();
    ClientConnection::new(Arc::new(config), name).ok()?.write_tls(&mut hello).ok()?;
    Some(hello)
}

/// Sends bytes on a connection of its own, and returns the first byte of the answer.
async fn ask(host: &str, port: u16, question: &[u8]) -> Option<u8> {
    let answer = async {
        let mut connection = TcpStream::connect((host, port)).await?;
        connection.write_all(question).await?;
        connection.read_u8().await
    };
    timeout(PATIENCE, answer).await.ok()?.ok()
}
