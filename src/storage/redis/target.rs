//! One server, a cluster, or the master that a group of Sentinels watches.

use std::io;
use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo, Pipeline, ProtocolVersion, PushInfo, RedisError, RedisFuture, RedisResult,
    TlsMode, Value,
};
use tokio::sync::mpsc::UnboundedSender;

/// How long to wait for a connection, and for an answer of a cluster's node.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait for an answer of a single server. It is longer than any `storage_timeout`, which
/// is how long the request itself waits.
const ANSWER: Duration = Duration::from_secs(60);

/// The channel to a listener for changes.
pub(super) type Pushes = UnboundedSender<PushInfo>;

/// The server, cluster or master to connect to.
pub(super) enum Target {
    Server(ConnectionInfo),
    Cluster(Vec<ConnectionInfo>),
    Sentinels {
        sentinels: Vec<ConnectionInfo>,
        /// The host of this address is the master's name, by which the Sentinels know it.
        master: ConnectionInfo,
    },
    /// The application's own connection, which reconnects by itself.
    Given(Link),
}

/// A multiplexed connection. A clone shares it.
#[derive(Clone)]
pub(super) enum Link {
    One(MultiplexedConnection),
    Managed(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Target {
    pub fn new(urls: &[String]) -> RedisResult<Self> {
        let mut nodes = parse(urls)?;
        Ok(if nodes.len() == 1 { Self::Server(nodes.remove(0)) } else { Self::Cluster(nodes) })
    }

    pub fn sentinels(urls: &[String], master: &str) -> RedisResult<Self> {
        let master = parse(&[master.to_owned()])?.remove(0);
        match master.addr() {
            ConnectionAddr::Tcp(..) | ConnectionAddr::TcpTls { .. } => {}
            _ => {
                let what = "the URL of a master has its name for a host";
                return Err((ErrorKind::InvalidClientConfig, what).into());
            }
        }
        Ok(Self::Sentinels { sentinels: parse(urls)?, master })
    }

    /// Whether the records are on several servers.
    pub fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_) | Self::Given(Link::Cluster(_)))
    }

    /// Opens a link. A link that reports changes uses RESP3.
    pub async fn open(&self, pushes: Option<Pushes>) -> RedisResult<Link> {
        match self {
            Self::Given(link) => Ok(link.clone()),
            Self::Server(server) => {
                let server = speaking(server, pushes.is_some()).set_tcp_settings(tcp());
                open(&Client::open(server)?, pushes).await
            }
            Self::Sentinels { sentinels, master } => {
                let master = speaking(master, pushes.is_some());
                let mut client = sentinel_client(sentinels.clone(), &master)?;
                open(&client.async_get_client().await?, pushes).await
            }
            Self::Cluster(nodes) => {
                let mut client = ClusterClient::builder(nodes.iter().cloned())
                    .connection_timeout(PATIENCE)
                    .response_timeout(PATIENCE)
                    .tcp_settings(tcp());
                if let Some(pushes) = pushes {
                    client = client.use_protocol(ProtocolVersion::RESP3).push_sender(pushes);
                }
                client.build()?.get_async_connection().await.map(Link::Cluster)
            }
        }
    }
}

fn parse(urls: &[String]) -> RedisResult<Vec<ConnectionInfo>> {
    prepare_tls(urls);
    urls.iter().map(|url| url.as_str().into_connection_info()).collect()
}

/// Chooses a provider for Rustls if the process has not chosen one. Otherwise Rustls would panic
/// if several are compiled in.
fn prepare_tls(urls: &[String]) {
    let tls = urls.iter().any(|url| url.starts_with("rediss:"));
    if tls && rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error means that another thread has just chosen one, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

fn speaking(node: &ConnectionInfo, resp3: bool) -> ConnectionInfo {
    let mut settings = node.redis_settings().clone();
    if resp3 {
        settings = settings.set_protocol(ProtocolVersion::RESP3);
    }
    node.clone().set_redis_settings(settings)
}

/// Sends requests without waiting for the acknowledgement of earlier ones. If the other end
/// acknowledges nothing for some time, the connection breaks.
fn tcp() -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let settings = settings.set_user_timeout(2 * PATIENCE);
    settings
}

async fn open(client: &Client, pushes: Option<Pushes>) -> RedisResult<Link> {
    let mut config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(ANSWER));
    if let Some(pushes) = pushes {
        config = config.set_push_sender(pushes);
    }
    client.get_multiplexed_async_connection_with_config(&config).await.map(Link::One)
}

fn sentinel_client(
    sentinels: Vec<ConnectionInfo>,
    master: &ConnectionInfo,
) -> RedisResult<SentinelClient> {
    let mut node = SentinelNodeConnectionInfo::default()
        .set_redis_connection_info(master.redis_settings().clone())
        .set_tcp_settings(tcp());
    let name = match master.addr() {
        ConnectionAddr::TcpTls { host, .. } => {
            node = node.set_tls_mode(TlsMode::Secure);
            host
        }
        ConnectionAddr::Tcp(name, _) => name,
        _ => "",
    };
    SentinelClient::build(sentinels, name, Some(node), SentinelServerType::Master)
}

/// The error for an answer that has not come in time.
pub(super) fn silent(what: &'static str) -> RedisError {
    io::Error::new(io::ErrorKind::TimedOut, what).into()
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(one) => one.req_packed_command(command),
            Self::Managed(managed) => managed.req_packed_command(command),
            Self::Cluster(cluster) => cluster.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(one) => one.req_packed_commands(pipeline, offset, count),
            Self::Managed(managed) => managed.req_packed_commands(pipeline, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(one) => one.get_db(),
            Self::Managed(managed) => managed.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
        }
    }
}
