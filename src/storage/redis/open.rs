//! Opens the storage and checks the server's settings.

use std::sync::Arc;

use redis::aio::ConnectionManager;
use redis::cluster_async::ClusterConnection;
use redis::{FromRedisValue, Value};
use tokio::time::timeout;

use super::ask::{is_clear, to_storage_error};
use super::connection::{Connection, OPENING};
use super::diagnosis::diagnose;
use super::handle::{Redis, Result};
use super::script::Scripts;
use super::target::{Link, Target};
use crate::storage::StorageError;

/// The first version that has all commands.
const OLDEST: u32 = 7;

impl Redis {
    /// Connects to a server, by one URL with `redis://`, `rediss://` or `unix://`,
    /// or to the cluster whose nodes the URLs name. The keys in Redis begin with
    /// `prefix`.
    ///
    /// # Errors
    ///
    /// An error if the server cannot be reached or is older than Redis 7.
    ///
    /// ```no_run
    /// use rocket_typed_sessions::{Sessions, storage::Redis};
    ///
    /// # async fn open() -> Result<(), rocket_typed_sessions::storage::StorageError> {
    /// // In Rocket.toml: storage = "shared"
    /// let storage = Redis::open(["redis://127.0.0.1/"], "shop").await?;
    /// let sessions = Sessions::fairing().storage("shared", storage);
    /// # drop(sessions);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open<U: AsRef<str>>(
        urls: impl IntoIterator<Item = U>,
        prefix: impl Into<String>,
    ) -> Result<Self> {
        let urls: Vec<String> = urls.into_iter().map(|url| url.as_ref().to_owned()).collect();
        let target = Target::new(&urls).map_err(to_storage_error)?;
        Self::connect(target, prefix.into()).await
    }

    /// Connects to the master that Sentinels name. The host of `url` is the
    /// master's name; its user, password and database are those of the master. The
    /// Sentinels are asked again when the master fails.
    ///
    /// ```no_run
    /// use rocket_typed_sessions::storage::Redis;
    ///
    /// # async fn open() -> Result<(), rocket_typed_sessions::storage::StorageError> {
    /// let sentinels = ["redis://10.0.0.1:26379", "redis://10.0.0.2:26379"];
    /// let storage = Redis::open_sentinel(sentinels, "redis://mymaster/0", "sessions").await?;
    /// # drop(storage);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open_sentinel<U: AsRef<str>>(
        sentinels: impl IntoIterator<Item = U>,
        url: &str,
        prefix: impl Into<String>,
    ) -> Result<Self> {
        let sentinels: Vec<_> = sentinels.into_iter().map(|url| url.as_ref().to_owned()).collect();
        let target = Target::sentinels(&sentinels, url).map_err(to_storage_error)?;
        Self::connect(target, prefix.into()).await
    }

    /// Makes a storage that uses a connection of the application, which must
    /// reconnect by itself. A [cache](crate::storage::Cached) in front of it relies
    /// on its `ttl`, because only a connection that the storage opened reports
    /// changes.
    ///
    /// ```no_run
    /// use redis::aio::ConnectionManager;
    /// use rocket_typed_sessions::storage::Redis;
    ///
    /// # async fn open() -> redis::RedisResult<()> {
    /// let client = redis::Client::open("redis://127.0.0.1/")?;
    /// let connection = ConnectionManager::new(client).await?;
    /// let storage = Redis::with_connection(connection, "sessions");
    /// # drop(storage);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_connection(connection: ConnectionManager, prefix: impl Into<String>) -> Self {
        Self::with(Target::Given(Link::Managed(connection)), prefix.into())
    }

    /// Makes a storage that uses the application's connection to a cluster, as
    /// [`with_connection`](Self::with_connection) does.
    ///
    /// ```no_run
    /// use redis::cluster::ClusterClient;
    /// use rocket_typed_sessions::storage::Redis;
    ///
    /// # async fn open() -> redis::RedisResult<()> {
    /// let client = ClusterClient::new(["redis://10.0.0.1/", "redis://10.0.0.2/"])?;
    /// let connection = client.get_async_connection().await?;
    /// let storage = Redis::with_cluster(connection, "sessions");
    /// # drop(storage);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_cluster(connection: ClusterConnection, prefix: impl Into<String>) -> Self {
        Self::with(Target::Given(Link::Cluster(connection)), prefix.into())
    }

    fn with(target: Target, prefix: String) -> Self {
        Self {
            connection: Connection::new(target),
            prefix: prefix.into(),
            scripts: Arc::new(Scripts::new()),
            one_server: false,
            warning: None,
        }
    }

    /// Opens the storage and checks whether sessions are safe there.
    async fn connect(target: Target, prefix: String) -> Result<Self> {
        let connected = timeout(2 * OPENING, Self::checked(target, prefix)).await;
        connected.unwrap_or_else(|_| {
            Err(StorageError::Unavailable("Redis does not answer".into(), None))
        })
    }

    async fn checked(target: Target, prefix: String) -> Result<Self> {
        let mut storage = Self::with(target, prefix);
        storage.reach().await?;
        let about = storage.about().await;
        if about.iter().any(|server| server.is("cluster_enabled", "1"))
            && let Target::Server(node) = &**storage.connection.target()
        {
            // One node is enough to find the others.
            storage = Self::with(Target::Cluster(vec![node.clone()]), storage.prefix.to_string());
            let _: Value = storage.ask(redis::cmd("PING")).await?;
        }
        storage.one_server = matches!(&*about, [one] if one.is("cluster_enabled", "0"));
        storage.warning = check(&about)?;
        Ok(storage)
    }

    /// Connects for the first time. The error says what to look at.
    async fn reach(&self) -> Result<()> {
        let mut connection = self.connection.clone();
        let reached = redis::cmd("PING").query_async::<Value>(&mut connection).await;
        let Err(cause) = reached else { return Ok(()) };
        let unclear = !is_clear(&cause);
        let found = if unclear { diagnose(self.connection.target(), &cause).await } else { None };
        Err(found.map_or_else(
            || to_storage_error(cause),
            |found| StorageError::Unavailable(format!("Redis: {found}"), None),
        ))
    }

    /// The `INFO` of each server. The list is empty if the user may not ask for it.
    async fn about(&self) -> Vec<About> {
        match self.ask(redis::cmd("INFO")).await {
            Ok(Value::Map(nodes)) => {
                nodes.into_iter().filter_map(|(_, it)| About::read(it)).collect()
            }
            Ok(one) => About::read(one).into_iter().collect(),
            Err(_) => Vec::new(),
        }
    }

    /// The warning that is logged at launch.
    pub(crate) fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }
}

/// An error if a server cannot keep sessions, or a warning if it may lose them.
fn check(about: &[About]) -> Result<Option<String>> {
    let mut warning = None;
    for server in about {
        let version = server.field("redis_version").unwrap_or_default();
        let major = version.split('.').next().and_then(|major| major.parse().ok());
        if major.is_some_and(|major: u32| major < OLDEST) {
            let what = format!("Redis {version} is too old: use {OLDEST} or later, or Valkey");
            return Err(StorageError::Other(what, None));
        }
        let policy = server.field("maxmemory_policy").unwrap_or("noeviction");
        if policy != "noeviction" && !server.is("maxmemory", "0") {
            warning = Some(format!(
                "when Redis is full, it evicts sessions (maxmemory-policy {policy}) and logs users out; set `maxmemory-policy noeviction`"
            ));
        }
    }
    Ok(warning)
}

/// The lines of an answer to `INFO`.
struct About(String);

impl About {
    fn read(answer: Value) -> Option<Self> {
        String::from_redis_value(answer).ok().map(Self)
    }

    fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.0.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.field(name) == Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(lines: &str) -> [About; 1] {
        [About(lines.replace('\n', "\r\n"))]
    }

    #[test]
    fn an_old_server_is_refused() {
        for version in ["6.2.14", "5.0.3"] {
            let cause = check(&about(&format!("# Server\nredis_version:{version}\n")));
            assert!(cause.is_err_and(|cause| cause.to_string().contains(version)));
        }
        for version in ["7.0.15", "8.2.1", "10.0.0", ""] {
            assert_eq!(check(&about(&format!("redis_version:{version}\n"))).unwrap(), None);
        }
        assert_eq!(check(&[]).unwrap(), None, "it may not be asked");
    }

    #[test]
    fn a_server_that_evicts_is_warned_of() {
        let of = |policy: &str, most: &str| {
            let lines = format!("maxmemory:{most}\nmaxmemory_policy:{policy}\n");
            check(&about(&lines)).unwrap()
        };
        assert!(
            of("allkeys-lru", "1000000").is_some_and(|warning| warning.contains("allkeys-lru"))
        );
        assert_eq!(of("noeviction", "1000000"), None);
        assert_eq!(of("volatile-ttl", "0"), None, "it has no limit");
    }
}
