//! Ending and purging.

use std::time::Duration;

use super::engine::{Engine, Value};
use super::{Sql, millis, number};
use crate::storage::{StorageKey, Timestamp};

/// At most so many batches of marks, and of owners, go with a batch of sessions.
const OTHER_BATCHES: usize = 10;
/// An owner's generation needs to outlast the logins under way only.
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

    /// The usual end is one statement. A second one is for what was not there, or is
    /// marked already.
    pub(super) async fn try_invalidate(
        &self,
        key: &StorageKey,
        mark: Option<Timestamp>,
    ) -> sqlx::Result<bool> {
        let key = Value::Bytes(key.as_bytes());
        let Some(until) = mark else {
            return Ok(self.execute_one(&self.statements.delete, &[key]).await? > 0);
        };
        let (nothing, until) = (Value::Bytes(&[]), mark_until(until));
        let ended = self.execute_one(&self.statements.end, &[until, nothing, key]).await? > 0;
        if !ended {
            let values = [key, until, nothing, until, nothing];
            self.execute_one(&self.statements.mark, &values).await?;
        }
        Ok(ended)
    }
}

/// A mark until this time, as `expires` of its row.
pub(super) fn mark_until(until: Timestamp) -> Value<'static> {
    Value::Number(i64::try_from(until.as_millis()).map_or(-i64::MAX, |until| -until))
}
