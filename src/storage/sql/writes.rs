//! The writes of one record, each in its own transaction or statement. If the engine rolls one
//! back, the caller tries it again.

use sqlx::{Connection, Transaction};

use super::engine::Engine;
use super::handle::{Result, Sql};
use super::value::{Value, mark_until, millis};
use crate::storage::{
    Create, OwnerKey, Predecessor, Record, Refused, StorageKey, Succeed, Successor, Timestamp,
    Update, Version,
};

impl<E: Engine> Sql<E> {
    pub(super) async fn find(
        &self,
        key: &StorageKey,
        now: Timestamp,
    ) -> sqlx::Result<Option<Record>> {
        let values = [Value::Bytes(key.as_bytes()), millis(now)];
        let found = self.fetch_records(&self.statements.read, &values).await?;
        Ok(found.into_iter().next().map(|(_, record)| record))
    }

    /// Creates the record `new`. If `old` has the expected version, it is replaced in the same
    /// transaction. Returns whether `old` was replaced.
    pub(super) async fn try_create(
        &self,
        new: &Successor<'_>,
        old: Option<&Predecessor<'_>>,
        now: Timestamp,
    ) -> sqlx::Result<(Create, bool)> {
        let Successor { key, record, .. } = new;
        loop {
            let mut lease = self.lease_to_write().await?;
            let begun = if record.owner.is_none() && old.is_none() {
                self.insert(&mut lease, key, record).await.map(|created| (created, false))
            } else {
                let mut transaction = lease.begin_with(E::DIALECT.begin).await?;
                let begun = self.begin(&mut transaction, new, old, now).await;
                let stands = |(created, _): &(Create, bool)| *created == Create::Created;
                finish(transaction, begun, stands).await
            };
            match lease.finish(begun) {
                Ok((Create::Refused(refused), _)) => {
                    // A repeated call whose record was written before is not refused, even if the
                    // owner was revoked except for this record.
                    let own = self.in_the_way(key, record, now).await? == Some(Create::Created);
                    let answer = if own { Create::Created } else { Create::Refused(refused) };
                    return Ok((answer, false));
                }
                Err(sqlx::Error::Database(cause)) if cause.is_unique_violation() => {
                    if let Some(answer) = self.in_the_way(key, record, now).await? {
                        return Ok((answer, false));
                    }
                    let values = [Value::Bytes(key.as_bytes()), millis(now), mark_until(now)];
                    self.execute_one(&self.statements.delete_expired, &values).await?;
                }
                begun => return begun,
            }
        }
    }

    pub(super) async fn try_succeed(
        &self,
        new: &Successor<'_>,
        old: &Predecessor<'_>,
        now: Timestamp,
    ) -> sqlx::Result<Result<Succeed>> {
        let (created, replaced) = self.try_create(new, Some(old), now).await?;
        Ok(Ok(match created {
            Create::Created if replaced => Succeed::Created(Update::Updated),
            // The call is a repeated one, or the predecessor has changed.
            Create::Created => {
                let Predecessor { key, expected, record } = old;
                let updated = self.try_update(key, *expected, record, now).await?;
                return Ok(updated.map(Succeed::Created));
            }
            Create::Exists => Succeed::Exists,
            Create::Refused(refused) => Succeed::Refused(refused),
        }))
    }

    /// The row that prevents writing `record`, as the answer to `create`. `None` if there is no
    /// row or an expired one.
    pub(super) async fn in_the_way(
        &self,
        key: &StorageKey,
        record: &Record,
        now: Timestamp,
    ) -> sqlx::Result<Option<Create>> {
        let mut lease = self.lease().await?;
        let key = [Value::Bytes(key.as_bytes())];
        let found = self.fetch_pair(&mut lease, &self.statements.occupant, &key).await;
        let Some((version, expires)) = lease.finish(found)? else { return Ok(None) };
        let lives = Timestamp::from_millis(expires.unsigned_abs()) > now;
        Ok(match expires {
            _ if !lives => None,
            ..0 => Some(Create::Refused(Refused::Revoked)),
            _ => Some(Create::over(version, record.version)),
        })
    }

    pub(super) async fn try_update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: &Record,
        now: Timestamp,
    ) -> sqlx::Result<Result<Update>> {
        let mut lease = self.lease_to_write().await?;
        let swapped = self.swap(&mut lease, (key, expected), record, now).await;
        if lease.finish(swapped)? {
            return Ok(Ok(Update::Updated));
        }
        let Some(found) = self.find(key, now).await? else { return Ok(Ok(Update::Missing)) };
        // The record has the expected version only if its owner differs or it was written
        // meanwhile.
        let answer = Update::over((found.version, found.owner.as_ref()), expected, record);
        Ok(answer.map(|answer| answer.unwrap_or(Update::Conflict)))
    }

    pub(super) async fn try_invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> sqlx::Result<usize> {
        let mut lease = self.lease_to_write().await?;
        let mut transaction = lease.begin_with(E::DIALECT.begin).await?;
        let ended = self.end_all(&mut transaction, owner, except, now).await;
        let ended = finish(transaction, ended, |_| true).await;
        lease.finish(ended)
    }
}

/// Commits the transaction if its outcome is to stand. Otherwise rolls it back.
async fn finish<E: Engine, T>(
    transaction: Transaction<'_, E>,
    outcome: sqlx::Result<T>,
    stands: impl FnOnce(&T) -> bool,
) -> sqlx::Result<T> {
    let ended = match &outcome {
        Ok(done) if stands(done) => transaction.commit().await,
        _ => transaction.rollback().await,
    };
    match ended {
        // The engine has already rolled back, and the earlier error says more than this one.
        Err(sqlx::Error::Database(_)) if outcome.is_err() => outcome,
        ended => ended.and(outcome),
    }
}
