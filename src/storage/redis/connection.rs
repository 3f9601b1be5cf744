//! One server, a cluster, or the master that a group of Sentinels watches.

use std::sync::Arc;

use parking_lot::Mutex;
use redis::aio::{
    ConnectionLike, ConnectionManager, ConnectionManagerConfig, MultiplexedConnection,
};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, Pipeline,
    RedisError, RedisFuture, RedisResult, TlsMode, Value,
};

use super::PATIENCE;

/// A multiplexed connection; its clones share it.
#[derive(Clone)]
pub(super) enum Connection {
    Single(ConnectionManager),
    Cluster(ClusterConnection),
    Sentinel(Arc<Watched>),
}

impl Connection {
    pub async fn open(urls: &[String]) -> RedisResult<Self> {
        prepare_tls(urls);
        if let [one] = urls {
            let config = ConnectionManagerConfig::new()
                .set_number_of_retries(1)
                .set_connection_timeout(Some(PATIENCE))
                .set_response_timeout(Some(PATIENCE));
            let client = redis::Client::open(one.as_str())?;
            return ConnectionManager::new_with_config(client, config).await.map(Self::Single);
        }
        let client = ClusterClient::builder(urls.iter().cloned())
            .connection_timeout(PATIENCE)
            .response_timeout(PATIENCE)
            .build()?;
        client.get_async_connection().await.map(Self::Cluster)
    }

    /// The master whose name is the host of `url`, as the Sentinels know it.
    pub fn open_sentinel(sentinels: &[String], url: &str) -> RedisResult<Self> {
        prepare_tls(sentinels.iter().map(String::as_str).chain([url]));
        let master = url.into_connection_info()?;
        let (name, tls) = match master.addr() {
            ConnectionAddr::Tcp(name, _) => (name.clone(), None),
            ConnectionAddr::TcpTls { host, .. } => (host.clone(), Some(TlsMode::Secure)),
            _ => {
                let what = "the URL of a master has its name for a host";
                return Err(RedisError::from((ErrorKind::InvalidClientConfig, what)));
            }
        };
        let mut node = SentinelNodeConnectionInfo::default()
            .set_redis_connection_info(master.redis_settings().clone());
        if let Some(mode) = tls {
            node = node.set_tls_mode(mode);
        }
        let client = SentinelClient::build(
            sentinels.iter().map(String::as_str).collect(),
            name,
            Some(node),
            SentinelServerType::Master,
        )?;
        let watched = Watched { sentinels: client.into(), master: Mutex::default() };
        Ok(Self::Sentinel(Arc::new(watched)))
    }
}

/// Rustls takes the provider that the process has chosen; if it has chosen none
/// and several are compiled in, it would panic.
fn prepare_tls<U: AsRef<str>>(urls: impl IntoIterator<Item = U>) {
    let tls = urls.into_iter().any(|url| url.as_ref().starts_with("rediss:"));
    if tls && rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error says that somebody else was faster, which will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// A master that the Sentinels may replace.
pub(super) struct Watched {
    sentinels: tokio::sync::Mutex<SentinelClient>,
    /// The last one, until it fails.
    master: Mutex<Option<MultiplexedConnection>>,
}

impl Watched {
    async fn master(&self) -> RedisResult<MultiplexedConnection> {
        if let Some(master) = self.master.lock().clone() {
            return Ok(master);
        }
        // One asks, the others wait for the answer.
        let mut sentinels = self.sentinels.lock().await;
        if let Some(master) = self.master.lock().clone() {
            return Ok(master);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let asked = sentinels.get_async_connection_with_config(&config);
        let master = tokio::time::timeout(PATIENCE, asked).await.map_err(|_| {
            RedisError::from((ErrorKind::Io, "no Sentinel names a master that answers"))
        })??;
        *self.master.lock() = Some(master.clone());
        Ok(master)
    }

    /// A master that is gone, or is none any more, is asked for again.
    fn judge<T>(&self, answer: RedisResult<T>) -> RedisResult<T> {
        if let Err(cause) = &answer
            && (cause.is_io_error()
                || cause.is_unrecoverable_error()
                || cause.code() == Some("READONLY"))
        {
            *self.master.lock() = None;
        }
        answer
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(one) => one.req_packed_command(command),
            Self::Cluster(cluster) => cluster.req_packed_command(command),
            Self::Sentinel(watched) => Box::pin(async move {
                let mut master = watched.master().await?;
                watched.judge(master.req_packed_command(command).await)
            }),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(one) => one.req_packed_commands(pipeline, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(pipeline, offset, count),
            Self::Sentinel(watched) => Box::pin(async move {
                let mut master = watched.master().await?;
                watched.judge(master.req_packed_commands(pipeline, offset, count).await)
            }),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(one) => one.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
            // Each connection selects it when it begins.
            Self::Sentinel(_) => 0,
        }
    }
}
