//! The URL of an engine that runs as a server.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::engine::Engine;
use super::handle::{Result, Sql, to_storage_error};
use super::tables::Tables;
use crate::storage::config::EngineConfig;
use crate::storage::url::Url;
use crate::storage::{EngineTable, SessionStorage};

/// What the table of a server says.
#[derive(Debug)]
pub(super) struct Server<E> {
    /// Its `type`.
    kind: &'static str,
    url: Url,
    tables: Tables,
    engine: PhantomData<fn() -> E>,
}

impl<E: Engine> Server<E> {
    /// Reads a URL that begins with one of `schemes`. Messages show `example`.
    pub fn read(
        table: &mut EngineTable<'_, '_, '_>,
        kind: &'static str,
        schemes: [&str; 2],
        example: &str,
    ) -> Option<Arc<dyn EngineConfig>> {
        let (mut urls, key) = table.urls();
        let is_known = |url: &Url| schemes.iter().any(|scheme| url.0.starts_with(scheme));
        if urls.len() != 1 || !urls.iter().all(is_known) {
            if table.is_sound() {
                let message =
                    format!("missing or not one URL of this scheme; write url = {example:?}");
                table.problem(key, message);
            }
            return None;
        }
        let (url, tables) = (urls.pop()?, Tables::read(table));
        Some(Arc::new(Self { kind, url, tables, engine: PhantomData }))
    }
}

impl<E> PartialEq for Server<E> {
    fn eq(&self, other: &Self) -> bool {
        (&self.url, &self.tables) == (&other.url, &other.tables)
    }
}

impl<E> fmt::Display for Server<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tables { name, max_connections } = &self.tables;
        write!(f, "{}, table {name}, at most {max_connections} connections", self.kind)
    }
}

#[rocket::async_trait]
impl<E: Engine> EngineConfig for Server<E> {
    fn is_shared(&self) -> bool {
        true
    }

    fn is_remote(&self) -> bool {
        true
    }

    async fn open(&self, _: &mut Vec<String>) -> Result<Arc<dyn SessionStorage>> {
        Ok(Arc::new(connect::<E>(&self.url.0, &self.tables).await?))
    }
}

/// Opens the storage on the server that a URL names.
pub(super) async fn connect<E: Engine>(url: &str, tables: &Tables) -> Result<Sql<E>> {
    let options = url.parse().map_err(to_storage_error::<E>)?;
    Sql::open_pool(options, tables).await
}
