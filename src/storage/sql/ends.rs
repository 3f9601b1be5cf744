//! Ends one session, and purges expired ones.

use std::time::Duration;

use super::engine::Engine;
use super::handle::Sql;
use super::statements::Statements;
use super::value::{Value, mark_until, millis, number};
use crate::storage::{Invalidate, StorageKey, Timestamp, Version};

/// The most batches of marks, and of owners, that are purged together with one batch of records.
const OTHER_BATCHES: usize = 10;
/// An owner's generation is only needed as long as a login that read it may still be running.
const GENERATION: Duration = Duration::from_secs(86_400);

impl<E: Engine> Sql<E> {
    pub(super) async fn try_purge(&self, now: Timestamp, limit: usize) -> sqlx::Result<u64> {
        let limit = number(limit);
        let batch = Value::Number(limit);
        let purge = &self.statements.purge;
        let records = [Value::Number(0), millis(now), batch];
        let marks = [mark_until(now), Value::Number(-1), batch];
        let unused =
            Timestamp::from_millis(now.as_millis().saturating_sub(GENERATION.as_secs() * 1000));
        let owners = [millis(unused), batch];
        let purged = self.execute_one(purge, &records).await?;
        for (purge, others) in [(purge, &marks[..]), (&self.statements.purge_owners, &owners)] {
            for _ in 0..OTHER_BATCHES {
                let gone = self.execute_one(purge, others).await?;
                if i64::try_from(gone).is_ok_and(|gone| gone < limit) {
                    break;
                }
            }
        }
        Ok(purged)
    }

    /// Ends a record, usually by one statement. A second statement follows if there was no record
    /// or only a mark.
    pub(super) async fn try_invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> sqlx::Result<Invalidate> {
        let Statements { delete, delete_expected, end, end_expected, mark: leave, .. } =
            &*self.statements;
        let key = Value::Bytes(key.as_bytes());
        let (nothing, until) = (Value::Bytes(&[]), mark.map(mark_until));
        let (any, one, mut values) = match until {
            None => (delete, delete_expected, vec![key]),
            Some(until) => (end, end_expected, vec![until, nothing, key]),
        };
        values.extend(expected.map(|version| Value::Number(version.as_u64().cast_signed())));
        let statement = if expected.is_some() { one } else { any };
        if self.execute_one(statement, &values).await? > 0 {
            return Ok(Invalidate::Invalidated);
        }
        if expected.is_some() && self.is_there(key).await? {
            return Ok(Invalidate::Conflict);
        }
        if let Some(until) = until {
            self.execute_one(leave, &[key, until, nothing, until, nothing]).await?;
        }
        Ok(Invalidate::Missing)
    }

    /// Whether there is a record under the key. A mark does not count.
    async fn is_there(&self, key: Value<'_>) -> sqlx::Result<bool> {
        let mut lease = self.lease().await?;
        let found = self.fetch_pair(&mut lease, &self.statements.occupant, &[key]).await;
        Ok(lease.finish(found)?.is_some_and(|(_, expires)| expires >= 0))
    }
}
