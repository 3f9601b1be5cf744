//! Runs a statement.

use std::collections::HashMap;
use std::sync::Arc;

use super::engine::Engine;
use super::handle::{Result, Sql, to_storage_error};
use super::lease::Lease;
use super::value::{Value, millis};
use crate::storage::{OwnerKey, Record, StorageKey, Timestamp, Version};

impl<E: Engine> Sql<E> {
    pub(super) async fn execute(
        &self,
        connection: &mut E::Connection,
        sql: &Arc<str>,
        values: &[Value<'_>],
    ) -> sqlx::Result<u64> {
        E::execute(connection, Arc::clone(sql), arguments::<E>(values)?).await
    }

    pub(super) async fn lease(&self) -> sqlx::Result<Lease<E>> {
        let connection = self.pool.acquire().await?;
        Ok(Lease::new(connection, self.suspicion.clone(), None))
    }

    pub(super) async fn lease_to_write(&self) -> sqlx::Result<Lease<E>> {
        let turn = Arc::clone(&self.turns).lock_owned();
        let turn = if E::DIALECT.one_writer { Some(turn.await) } else { None };
        let connection = self.pool.acquire().await?;
        Ok(Lease::new(connection, self.suspicion.clone(), turn))
    }

    /// Runs a single statement that writes, on a connection of its own.
    pub(super) async fn execute_one(
        &self,
        sql: &Arc<str>,
        values: &[Value<'_>],
    ) -> sqlx::Result<u64> {
        let mut lease = self.lease_to_write().await?;
        let answer = self.execute(&mut lease, sql, values).await;
        lease.finish(answer)
    }

    /// The number that a query finds, or 0 if it finds nothing.
    pub(super) async fn fetch_number(
        &self,
        connection: &mut E::Connection,
        sql: &Arc<str>,
        values: &[Value<'_>],
    ) -> sqlx::Result<i64> {
        let rows = E::fetch(connection, Arc::clone(sql), arguments::<E>(values)?).await?;
        rows.first().map_or(Ok(0), |row| E::number(row, 0))
    }

    /// The version and the expiry that a query finds.
    pub(super) async fn fetch_pair(
        &self,
        connection: &mut E::Connection,
        sql: &Arc<str>,
        values: &[Value<'_>],
    ) -> sqlx::Result<Option<(Version, i64)>> {
        let rows = E::fetch(connection, Arc::clone(sql), arguments::<E>(values)?).await?;
        let pair = |row| Ok((version::<E>(row, 0)?, E::number(row, 1)?));
        rows.first().map(pair).transpose()
    }

    /// Reads several records in one statement. A row that is not a record fails only its own key.
    pub(super) async fn find_many(
        &self,
        keys: &[StorageKey],
        now: Timestamp,
    ) -> sqlx::Result<Vec<Result<Option<Record>>>> {
        let Some(last) = keys.last() else { return Ok(Vec::new()) };
        // The last key is repeated, so that connections prepare few different statements.
        let count = keys.len().next_power_of_two();
        let ids = keys.iter().chain(std::iter::repeat(last)).take(count);
        let ids = ids.map(|key| Value::Bytes(key.as_bytes()));
        let values: Vec<_> = std::iter::once(millis(now)).chain(ids).collect();
        let mut lease = self.lease().await?;
        let arguments = arguments::<E>(&values)?;
        let rows = E::fetch(&mut lease, self.statements.read_many(count), arguments).await;
        let mut found = HashMap::with_capacity(keys.len());
        for row in lease.finish(rows)? {
            let read = record::<E>(&row).map(|(_, record)| Some(record));
            found.insert(key::<E>(&row)?, read.map_err(to_storage_error::<E>));
        }
        Ok(keys.iter().map(|key| found.get(key).cloned().unwrap_or(Ok(None))).collect())
    }

    pub(super) async fn fetch_records(
        &self,
        sql: &Arc<str>,
        values: &[Value<'_>],
    ) -> sqlx::Result<Vec<(StorageKey, Record)>> {
        let mut lease = self.lease().await?;
        let rows = E::fetch(&mut lease, Arc::clone(sql), arguments::<E>(values)?).await;
        lease.finish(rows)?.iter().map(record::<E>).collect()
    }
}

fn arguments<E: Engine>(values: &[Value<'_>]) -> sqlx::Result<E::Arguments> {
    let mut arguments = E::Arguments::default();
    for value in values {
        E::bind(&mut arguments, *value).map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// Reads a row of `id, version, owner, created, last_seen, expires, payload`.
fn record<E: Engine>(row: &E::Row) -> sqlx::Result<(StorageKey, Record)> {
    let bytes = |column| E::bytes(row, column);
    let time =
        |column| E::number(row, column).map(|time| Timestamp::from_millis(time.cast_unsigned()));
    let record = Record {
        version: version::<E>(row, 1)?,
        payload: bytes(6)?.unwrap_or_default().into(),
        owner: bytes(2)?.map(hash).transpose()?.map(OwnerKey::from_bytes),
        created: time(3)?,
        last_seen: time(4)?,
        expires: time(5)?,
    };
    Ok((key::<E>(row)?, record))
}

/// Reads the column `id`.
fn key<E: Engine>(row: &E::Row) -> sqlx::Result<StorageKey> {
    Ok(StorageKey::from_bytes(hash(E::bytes(row, 0)?.unwrap_or_default())?))
}

fn hash(bytes: Vec<u8>) -> sqlx::Result<[u8; 32]> {
    bytes.try_into().map_err(|_| sqlx::Error::Decode("no hash of 32 bytes".into()))
}

fn version<E: Engine>(row: &E::Row, column: usize) -> sqlx::Result<Version> {
    E::number(row, column).map(|number| Version::from_u64(number.cast_unsigned()))
}
