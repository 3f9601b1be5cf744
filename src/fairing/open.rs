//! Opens the storages that have a feature each.

// Without its feature nothing is awaited.
#![allow(clippy::unused_async)]

use std::sync::Arc;

use crate::config::{Engine, Url};
use crate::storage::{SessionStorage, StorageError};

type Opened = Result<Arc<dyn SessionStorage>, StorageError>;

/// What the operator should know about it is added to `warnings`.
pub(super) async fn redis(
    urls: &[Url],
    sentinels: &[Url],
    prefix: &str,
    warnings: &mut Vec<String>,
) -> Opened {
    #[cfg(feature = "redis")]
    {
        use crate::storage::Redis;

        let text = |url: &Url| url.0.clone();
        let opened = match (urls, sentinels) {
            ([master], [_, ..]) => {
                Redis::open_sentinel(sentinels.iter().map(text), &master.0, prefix).await
            }
            _ => Redis::open(urls.iter().map(text), prefix).await,
        }?;
        warnings.extend(opened.warning().map(str::to_owned));
        Ok(Arc::new(opened))
    }
    #[cfg(not(feature = "redis"))]
    without_feature((urls, sentinels, prefix, warnings))
}

pub(super) async fn database(engine: Engine, url: &str, table: &str, connections: u32) -> Opened {
    match engine {
        #[cfg(feature = "postgres")]
        Engine::Postgres => {
            Ok(Arc::new(crate::storage::Postgres::connect(url, table, connections).await?))
        }
        #[cfg(feature = "mysql")]
        Engine::MySql => {
            Ok(Arc::new(crate::storage::MySql::connect(url, table, connections).await?))
        }
        #[cfg(feature = "sqlite")]
        Engine::Sqlite => {
            Ok(Arc::new(crate::storage::Sqlite::connect(url.as_ref(), table, connections).await?))
        }
        #[allow(unreachable_patterns)]
        _ => without_feature((url, table, connections)),
    }
}

/// The configuration has refused it already.
#[allow(dead_code)]
fn without_feature<T>(_: T) -> Opened {
    Err(StorageError::Other("its feature is not enabled".into(), None))
}
