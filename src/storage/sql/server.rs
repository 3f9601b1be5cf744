//! The URL of an engine that runs as a server.

use std::str::FromStr;

use sqlx::Connection;

use super::engine::Engine;
use super::handle::{Result, Sql, to_storage_error};
use super::tables::Tables;
use crate::storage::url::Url;
use crate::table::Table;

#[derive(Debug, PartialEq)]
pub(super) struct Server {
    url: Url,
    pub tables: Tables,
}

impl Server {
    /// Reads a URL that begins with one of `schemes`. Messages show `example`.
    pub fn read(table: &mut Table<'_, '_>, schemes: [&str; 2], example: &str) -> Option<Self> {
        let url = table.text("url").unwrap_or_default();
        if !schemes.iter().any(|scheme| url.starts_with(scheme)) {
            table.problem("url", format!("missing or of another scheme: write url = {example:?}"));
            return None;
        }
        Some(Self { url: Url(url), tables: Tables::read(table) })
    }

    pub async fn open<E: Engine>(&self) -> Result<Sql<E>>
    where
        <E::Connection as Connection>::Options: FromStr<Err = sqlx::Error>,
    {
        connect(&self.url.0, &self.tables).await
    }
}

/// Opens the storage on the server that a URL names.
pub(super) async fn connect<E: Engine>(url: &str, tables: &Tables) -> Result<Sql<E>>
where
    <E::Connection as Connection>::Options: FromStr<Err = sqlx::Error>,
{
    let options = url.parse().map_err(to_storage_error::<E>)?;
    Sql::open_pool(options, tables).await
}
