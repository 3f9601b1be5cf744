//! SQLite.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::engine::{Delete, Dialect, engine};
use super::handle::{Result, Sql};
use super::open::PATIENCE;
use super::tables::Tables;
use crate::storage::EngineTable;
use crate::storage::config::EngineConfig;
use crate::storage::platform::{create_dirs, private};
use crate::storage::{SessionStorage, StorageError};

/// A storage in an SQLite file, for one machine. Feature `sqlite`.
pub type Sqlite = Sql<sqlx::Sqlite>;

engine!(
    sqlx::Sqlite,
    Dialect {
        name: "SQLite",
        schema: include_str!("sqlite.sql"),
        // The transaction takes the lock for writing before it reads anything.
        begin: "BEGIN IMMEDIATE",
        session: None,
        one_writer: true,
        numbered: false,
        same: "IS",
        larger: "MAX",
        smaller: "MIN",
        or_update: "ON CONFLICT ({key}) DO UPDATE SET",
        delete: Delete::ByKeys,
    }
);

impl Sql<sqlx::Sqlite> {
    /// Opens the file, and creates it if it does not exist, readable only for its
    /// user. It creates the tables `table` and `<table>_owners` in it.
    ///
    /// The journal is a write-ahead log (`journal_mode = WAL`). A commit waits for
    /// the disk (`synchronous = FULL`).
    ///
    /// ```
    /// use rocket_typed_sessions::{Sessions, storage::Sqlite};
    ///
    /// # rocket::async_test(async {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("sessions.db");
    /// // In Rocket.toml: storage = "file"
    /// let sessions = Sessions::fairing().storage("file", Sqlite::open(path, "sessions").await?);
    /// # drop(sessions);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn open(path: impl AsRef<Path>, table: &str) -> Result<Self> {
        Self::connect_file(path.as_ref(), &Tables::new(table)).await
    }

    async fn connect_file(path: &Path, tables: &Tables) -> Result<Self> {
        make_private(path).map_err(|cause| {
            StorageError::other(format!("SQLite: making {}: {cause}; `path` must be a file in a folder that this process can write to", path.display()), cause)
        })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE);
        let mut attempts = 0;
        loop {
            attempts += 1;
            match Self::open_pool(options.clone(), tables).await {
                // Switching to WAL does not wait for another process that switches at the same
                // time, so try again.
                Err(StorageError::Unavailable(..)) if attempts < 10 => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                opened => return opened,
            }
        }
    }
}

/// Creates an empty file that only its user can read, unless it exists. SQLite's journals get the
/// same mode.
fn make_private(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        create_dirs(folder)?;
    }
    private().create(true).append(true).open(path).map(drop)
}

#[derive(Debug, PartialEq)]
struct SqliteConfig {
    path: PathBuf,
    tables: Tables,
}

/// Reads `{ type = "sqlite", … }`.
pub(crate) fn read_config(table: &mut EngineTable<'_, '_, '_>) -> Option<Arc<dyn EngineConfig>> {
    let path = read_path(table)?;
    Some(Arc::new(SqliteConfig { path, tables: Tables::read(table) }))
}

/// Reads `path`, or `url` for the same file.
fn read_path(table: &mut EngineTable<'_, '_, '_>) -> Option<PathBuf> {
    let Some(url) = table.config.url.as_ref() else { return table.file("sessions.db") };
    if table.config.path.is_some() {
        table.problem("url", "cannot be combined with `path`; keep one of them");
        return None;
    }
    let file = match &*url.0 {
        [url] => url.strip_prefix("sqlite:"),
        _ => None,
    };
    match file.map(|file| file.strip_prefix("//").unwrap_or(file)) {
        Some(file) if !file.is_empty() && !file.contains([':', '?']) => {
            Some(table.resolve("url", file))
        }
        _ => {
            table.problem("url", "does not name a file; write path = \"sessions.db\"");
            None
        }
    }
}

impl fmt::Display for SqliteConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite {}, table {}", self.path.display(), self.tables.name)
    }
}

#[rocket::async_trait]
impl EngineConfig for SqliteConfig {
    fn is_remote(&self) -> bool {
        true
    }

    async fn open(&self, _: &mut Vec<String>) -> Result<Arc<dyn SessionStorage>> {
        Ok(Arc::new(Sqlite::connect_file(&self.path, &self.tables).await?))
    }
}
