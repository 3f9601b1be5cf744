//! Reads and opens `storage = { type = "redis", … }`.

use std::fmt;
use std::sync::Arc;

use super::handle::Redis;
use crate::storage::config::EngineConfig;
use crate::storage::url::Url;
use crate::storage::{EngineTable, SessionStorage, StorageError};

#[derive(Debug, PartialEq)]
struct RedisConfig {
    /// The URL of one server, or the URLs of the nodes of a cluster.
    urls: Vec<Url>,
    /// The URLs of the Sentinels. If there are any, the host of the only URL in `urls` is the
    /// master's name.
    sentinels: Vec<Url>,
    prefix: String,
}

pub(crate) fn read_config(table: &mut EngineTable<'_, '_, '_>) -> Option<Arc<dyn EngineConfig>> {
    const EXPECTED: &str = "missing or not a Redis URL; write url = \"redis://127.0.0.1/\", or for a cluster a list of its nodes. In a password, `@`, `/`, `:` and `%` are written as %40, %2F, %3A and %25";
    let (urls, key) = table.urls();
    if urls.is_empty() || !urls.iter().all(is_known) {
        if table.is_sound() {
            table.problem(key, EXPECTED);
        }
        return None;
    }
    let sentinels = table.config.sentinels.clone();
    let sentinels: Option<Vec<_>> = sentinels.map(|urls| urls.0.into_iter().map(Url).collect());
    if sentinels.as_ref().is_some_and(|urls| urls.is_empty() || !urls.iter().all(is_known)) {
        table.problem(
            "sentinels",
            "not Redis URLs; write sentinels = [\"redis://10.0.0.1:26379\", …]",
        );
    }
    let sentinels = sentinels.unwrap_or_default();
    if !sentinels.is_empty() && urls.len() > 1 {
        table.problem(
            key,
            "with `sentinels` it names the one master; write url = \"redis://mymaster/\"",
        );
    }
    let prefix = table.config.prefix.clone().unwrap_or_else(|| "sessions".into());
    if prefix.is_empty() || prefix.contains(['{', '}']) || prefix.contains(char::is_whitespace) {
        table.problem(
            "prefix",
            "must not be empty or contain braces or spaces; write prefix = \"sessions\"",
        );
    }
    Some(Arc::new(RedisConfig { urls, sentinels, prefix }))
}

fn is_known(url: &Url) -> bool {
    let schemes = ["redis://", "rediss://", "unix://", "redis+unix://"];
    schemes.iter().any(|scheme| url.0.starts_with(scheme))
        && redis::IntoConnectionInfo::into_connection_info(url.0.as_str()).is_ok()
}

impl fmt::Display for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = match (self.urls.len(), self.sentinels.len()) {
            (1, 0) => "one server",
            (1, _) => "the master of Sentinels",
            _ => "a cluster",
        };
        write!(f, "redis, {nodes}, prefix {}", self.prefix)
    }
}

#[rocket::async_trait]
impl EngineConfig for RedisConfig {
    fn is_shared(&self) -> bool {
        true
    }

    fn is_remote(&self) -> bool {
        true
    }

    async fn open(
        &self,
        warnings: &mut Vec<String>,
    ) -> Result<Arc<dyn SessionStorage>, StorageError> {
        let text = |url: &Url| url.0.clone();
        let prefix = self.prefix.as_str();
        let opened = match (&*self.urls, &*self.sentinels) {
            ([master], sentinels @ [_, ..]) => {
                Redis::open_sentinel(sentinels.iter().map(text), &master.0, prefix).await
            }
            (urls, _) => Redis::open(urls.iter().map(text), prefix).await,
        }?;
        warnings.extend(opened.warning().map(str::to_owned));
        Ok(Arc::new(opened))
    }
}
