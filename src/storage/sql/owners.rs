//! The index of owners: adding a record, limits, and ending all records of an owner. Each
//! function runs within a transaction of its caller.

use super::engine::Engine;
use super::handle::Sql;
use super::statements::Statements;
use super::value::{Value, millis, number};
use crate::storage::{
    Create, OwnerGuard, OwnerKey, OwnerLimitPolicy, Predecessor, Record, Refused, StorageKey,
    Successor, Timestamp, Version,
};

impl<E: Engine> Sql<E> {
    /// Locks the owner's row until the transaction ends. Returns the reason if the guard refuses
    /// the record.
    pub(super) async fn join(
        &self,
        connection: &mut E::Connection,
        owner: &OwnerKey,
        key: &StorageKey,
        guard: &OwnerGuard,
        now: Timestamp,
    ) -> sqlx::Result<Option<Refused>> {
        let replaced = guard.replaces.as_ref().unwrap_or(key);
        let [key, replaced] = [key, replaced].map(|key| Value::Bytes(key.as_bytes()));
        let owner = Value::Bytes(owner.as_bytes());
        let now = millis(now);
        self.execute(connection, &self.statements.join, &[owner, now, now]).await?;
        if let Some(begun) = guard.generation {
            let generation = &self.statements.generation;
            if self.fetch_number(connection, generation, &[owner]).await?
                > begun.as_u64().cast_signed()
            {
                return Ok(Some(Refused::Revoked));
            }
        }
        if let Some(limit) = guard.limit {
            let count = &self.statements.count_others;
            let others = self.fetch_number(connection, count, &[owner, now, key, replaced]).await?;
            let surplus = others.saturating_add(1).saturating_sub(number(limit.max));
            if surplus > 0 {
                if limit.policy == OwnerLimitPolicy::Refuse {
                    return Ok(Some(Refused::LimitReached));
                }
                let oldest = &[owner, now, key, replaced, Value::Number(surplus)];
                self.execute(connection, &self.statements.end_oldest, oldest).await?;
            }
        }
        Ok(None)
    }

    /// Creates the record `new` if its guard allows it, then replaces the record `old` if it has
    /// the expected version. Returns whether `old` was replaced.
    pub(super) async fn begin(
        &self,
        connection: &mut E::Connection,
        new: &Successor<'_>,
        old: Option<&Predecessor<'_>>,
        now: Timestamp,
    ) -> sqlx::Result<(Create, bool)> {
        let Successor { key, record, guard } = new;
        if let Some(owner) = &record.owner
            && let Some(refused) = self.join(connection, owner, key, guard, now).await?
        {
            return Ok((Create::Refused(refused), false));
        }
        let created = self.insert(connection, key, record).await?;
        let Some(Predecessor { key, expected, record }) = old else {
            return Ok((created, false));
        };
        let replaced = self.swap(connection, (key, *expected), record, now).await?;
        Ok((created, replaced))
    }

    pub(super) async fn insert(
        &self,
        connection: &mut E::Connection,
        key: &StorageKey,
        record: &Record,
    ) -> sqlx::Result<Create> {
        let [version, owner, created, last_seen, expires, payload] = values(record);
        let key = Value::Bytes(key.as_bytes());
        let values = [key, version, owner, created, last_seen, expires, payload];
        self.execute(connection, &self.statements.insert, &values).await.map(|_| Create::Created)
    }

    /// Begins a new generation of an owner and deletes every record of the owner except `except`.
    /// Returns how many of them were live.
    pub(super) async fn end_all(
        &self,
        connection: &mut E::Connection,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> sqlx::Result<usize> {
        let (count, delete) = self.statements.owner_except(except.len());
        let (owner, now) = (Value::Bytes(owner.as_bytes()), millis(now));
        let except = except.iter().map(|key| Value::Bytes(key.as_bytes()));
        let counted: Vec<_> = [owner, now].into_iter().chain(except.clone()).collect();
        let deleted: Vec<_> = [owner].into_iter().chain(except).collect();
        self.execute(connection, &self.statements.revoke, &[owner, now, now, now, now]).await?;
        let ended = self.fetch_number(connection, &count, &counted).await?;
        self.execute(connection, &delete, &deleted).await?;
        Ok(usize::try_from(ended).unwrap_or_default())
    }

    /// Replaces a live record of the expected version. The record keeps its owner or loses it.
    pub(super) async fn swap(
        &self,
        connection: &mut E::Connection,
        (key, expected): (&StorageKey, Version),
        record: &Record,
        now: Timestamp,
    ) -> sqlx::Result<bool> {
        let new = values(record);
        let [_, owner, ..] = new;
        let found = [
            Value::Bytes(key.as_bytes()),
            Value::Number(expected.as_u64().cast_signed()),
            millis(now),
            owner,
        ];
        let Statements { update, disown, .. } = &*self.statements;
        let (statement, used) = if record.owner.is_some() { (update, 4) } else { (disown, 3) };
        let values: Vec<_> = new.into_iter().chain(found.into_iter().take(used)).collect();
        Ok(self.execute(connection, statement, &values).await? > 0)
    }
}

fn values(record: &Record) -> [Value<'_>; 6] {
    [
        Value::Number(record.version.as_u64().cast_signed()),
        record.owner.as_ref().map_or(Value::Nothing, |owner| Value::Bytes(owner.as_bytes())),
        millis(record.created),
        millis(record.last_seen),
        millis(record.expires),
        Value::Bytes(&record.payload),
    ]
}
