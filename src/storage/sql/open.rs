//! Opening the storage: the pool, and the tables.

use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::{Connection, Pool};
use tokio::time::timeout;

use super::engine::Engine;
use super::handle::{Result, Sql, failed};
use super::lease::{SILENCE, Suspicion};
use super::statements::Statements;
use crate::config::storage::is_table;
use crate::storage::StorageError;

/// How long to wait for a connection; the core's own budget is the `storage_timeout`.
const PATIENCE: Duration = Duration::from_secs(2);
/// A connection that was idle for longer is tried before it is used.
const IDLE: Duration = Duration::from_secs(1);
/// Unless Rocket.toml says otherwise.
const CONNECTIONS: u32 = 10;

#[cfg(feature = "postgres")]
impl Sql<sqlx::Postgres> {
    /// Connects to `postgres://user:password@host/database` and makes the
    /// tables `table` and `<table>_owners` if they are not there.
    pub async fn open(url: &str, table: &str) -> Result<Self> {
        Self::connect(url, table, CONNECTIONS).await
    }

    pub(crate) async fn connect(url: &str, table: &str, connections: u32) -> Result<Self> {
        let options = url.parse().map_err(failed::<sqlx::Postgres>)?;
        Self::pooled(options, table, connections).await
    }
}

#[cfg(feature = "mysql")]
impl Sql<sqlx::MySql> {
    /// Connects to `mysql://user:password@host/database` and makes the
    /// tables `table` and `<table>_owners` if they are not there.
    pub async fn open(url: &str, table: &str) -> Result<Self> {
        Self::connect(url, table, CONNECTIONS).await
    }

    pub(crate) async fn connect(url: &str, table: &str, connections: u32) -> Result<Self> {
        let options = url.parse().map_err(failed::<sqlx::MySql>)?;
        Self::pooled(options, table, connections).await
    }
}

#[cfg(feature = "sqlite")]
impl Sql<sqlx::Sqlite> {
    /// Opens or makes the file, which only its user may read, and in it the
    /// tables `table` and `<table>_owners`.
    ///
    /// It writes ahead (`journal_mode = WAL`) and waits for the disk at every
    /// commit (`synchronous = FULL`).
    pub async fn open(path: impl AsRef<std::path::Path>, table: &str) -> Result<Self> {
        Self::connect(path.as_ref(), table, CONNECTIONS).await
    }

    pub(crate) async fn connect(
        path: &std::path::Path,
        table: &str,
        connections: u32,
    ) -> Result<Self> {
        use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

        make_private(path).map_err(|cause| {
            StorageError::other(format!("SQLite: making {}: {cause}", path.display()), cause)
        })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE);
        let mut attempts = 0;
        loop {
            attempts += 1;
            match Self::pooled(options.clone(), table, connections).await {
                // Switching to WAL waits for nobody: another process may be at it.
                Err(StorageError::Unavailable(..)) if attempts < 10 => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                opened => return opened,
            }
        }
    }
}

/// An empty file for its user only, unless it is there; its journals inherit that.
#[cfg(feature = "sqlite")]
fn make_private(path: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true).mode(0o600).open(path).map(drop)
}

impl<E: Engine> Sql<E> {
    /// A storage on a pool that the application has already. It makes the
    /// tables `table` and `<table>_owners` if they are not there.
    ///
    /// `table` is letters, digits and `_`, at most 40 of them.
    pub async fn with_pool(pool: Pool<E>, table: &str) -> Result<Self> {
        Self::with(pool, Suspicion::default(), table).await
    }

    async fn with(pool: Pool<E>, suspicion: Suspicion, table: &str) -> Result<Self> {
        if !is_table(table) {
            return Err(StorageError::Other(format!("{table:?} is no name of a table"), None));
        }
        let statements = Arc::new(Statements::new(&E::DIALECT, table));
        let storage = Self { pool, suspicion, turns: Arc::default(), statements };
        storage.prepare(table).await.map_err(failed::<E>)?;
        Ok(storage)
    }

    async fn pooled(
        options: <E::Connection as Connection>::Options,
        table: &str,
        connections: u32,
    ) -> Result<Self> {
        let suspicion = Suspicion::default();
        let raised = suspicion.clone();
        let pool = PoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .after_connect(|connection: &mut E::Connection, _| {
                Box::pin(async move {
                    let Some(session) = E::DIALECT.session else { return Ok(()) };
                    E::execute(connection, session.into(), E::Arguments::default()).await?;
                    Ok(())
                })
            })
            .before_acquire(move |connection: &mut E::Connection, meta| {
                let raised = raised.clone();
                Box::pin(async move {
                    if raised.falls_on(meta.idle_for) {
                        return Ok(false);
                    }
                    if meta.idle_for > IDLE {
                        let answer = timeout(SILENCE, connection.ping()).await;
                        let answer = answer.unwrap_or(Err(sqlx::Error::PoolTimedOut));
                        return answer.map(|()| true).inspect_err(|_| raised.raise());
                    }
                    Ok(true)
                })
            });
        let pool = pool.connect_with(options).await.map_err(failed::<E>)?;
        Self::with(pool, suspicion, table).await
    }

    /// Makes the tables, unless they are there: whoever made them need not have
    /// left the right to make more.
    async fn prepare(&self, table: &str) -> sqlx::Result<()> {
        let mut connection = self.pool.acquire().await?;
        let schema = E::DIALECT.schema.replace("sessions", table);
        let mut made = Ok(0);
        for attempt in 0..10 {
            if attempt > 0 {
                // Somebody else may be making them at the same time: look again.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if self.probe(&mut connection).await.is_ok() {
                return Ok(());
            }
            for statement in schema.split(';').filter(|statement| !statement.trim().is_empty()) {
                made = self.execute(&mut connection, &statement.into(), &[]).await;
                if made.is_err() {
                    break;
                }
            }
        }
        made?;
        self.probe(&mut connection).await
    }

    /// Fails if the tables are not there, or are others.
    async fn probe(&self, connection: &mut E::Connection) -> sqlx::Result<()> {
        for probe in &self.statements.probes {
            self.execute(connection, probe, &[]).await?;
        }
        Ok(())
    }
}
