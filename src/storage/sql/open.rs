//! Opens the storage: the pool and the tables.

use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::{Connection, Pool};
use tokio::time::timeout;

use super::engine::Engine;
use super::handle::{Result, Sql, to_storage_error};
use super::lease::{SILENCE, Suspicion};
use super::statements::Statements;
use super::tables::{Tables, is_table};
use crate::storage::StorageError;

/// How long to wait for the first connection.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait for a later connection. It is longer than any `storage_timeout`, which is how
/// long the request itself waits.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A connection that was idle for longer is tested before it is used.
const IDLE: Duration = Duration::from_secs(1);

impl<E: Engine> Sql<E> {
    /// Makes a storage that uses a connection pool of the application. It creates
    /// the tables `table` and `<table>_owners` if they do not exist.
    ///
    /// `table` consists of letters, digits and `_`, at most 40 of them.
    ///
    /// # Errors
    ///
    /// An error if `table` is not such a name, or if the database cannot be reached.
    ///
    /// ```no_run
    /// use rocket_typed_sessions::{Sessions, storage::Postgres};
    ///
    /// # async fn open(pool: sqlx::PgPool) -> Result<(), rocket_typed_sessions::storage::StorageError> {
    /// // In Rocket.toml: storage = "shop"
    /// let sessions = Sessions::fairing().storage("shop", Postgres::with_pool(pool, "sessions").await?);
    /// # drop(sessions);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn with_pool(pool: Pool<E>, table: &str) -> Result<Self> {
        Self::with(pool, Suspicion::default(), table).await
    }

    async fn with(pool: Pool<E>, suspicion: Suspicion, table: &str) -> Result<Self> {
        if !is_table(table) {
            return Err(StorageError::Other(
                format!(
                    "{table:?} is not a table name: write at most 40 letters, digits and `_`, beginning with a letter"
                ),
                None,
            ));
        }
        let statements = Arc::new(Statements::new(&E::DIALECT, table));
        let storage = Self { pool, suspicion, turns: Arc::default(), statements };
        storage.prepare(table).await.map_err(to_storage_error::<E>)?;
        Ok(storage)
    }

    pub(super) async fn open_pool(
        options: <E::Connection as Connection>::Options,
        tables: &Tables,
    ) -> Result<Self> {
        let suspicion = Suspicion::default();
        let raised = suspicion.clone();
        let pool = PoolOptions::new()
            .max_connections(tables.max_connections)
            .acquire_timeout(LONGEST_WAIT)
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
        let connected = timeout(PATIENCE, pool.connect_with(options.clone())).await;
        let pool = match connected.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
            Err(sqlx::Error::PoolTimedOut) => return Err(why_unreachable::<E>(&options).await),
            opened => opened.map_err(to_storage_error::<E>)?,
        };
        Self::with(pool, suspicion, &tables.name).await
    }

    /// Creates the tables if they do not exist. If they exist, the right to create tables is not
    /// needed.
    async fn prepare(&self, table: &str) -> sqlx::Result<()> {
        let mut connection = self.pool.acquire().await?;
        let schema = E::DIALECT.schema.replace("sessions", table);
        let mut made = Ok(0);
        for attempt in 0..10 {
            if attempt > 0 {
                // Another process may be creating the tables at the same time, so look for them
                // again.
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

    /// Fails if the tables do not exist or have other columns.
    async fn probe(&self, connection: &mut E::Connection) -> sqlx::Result<()> {
        for probe in &self.statements.probes {
            self.execute(connection, probe, &[]).await?;
        }
        Ok(())
    }
}

/// Returns why a pool got no connection in time. A pool tries again while the server refuses
/// connections, and does not say why it failed.
async fn why_unreachable<E: Engine>(
    options: &<E::Connection as Connection>::Options,
) -> StorageError {
    let direct = timeout(PATIENCE, E::Connection::connect_with(options)).await;
    let cause = match direct {
        Ok(Err(cause)) => cause,
        Ok(Ok(_)) | Err(_) => sqlx::Error::PoolTimedOut,
    };
    to_storage_error::<E>(cause)
}
