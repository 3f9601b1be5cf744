//! The operations on records, and the index of owners.

use super::engine::Engine;
use super::handle::{Result, Sql, to_storage_error};
use super::value::{Value, millis, number};
use crate::storage::{
    Create, Generation, Invalidate, OwnerGuard, OwnerIndex, OwnerKey, OwnerPage, Predecessor,
    Record, SessionStorage, StorageKey, Succeed, Successor, Timestamp, Touch, Update, Version,
};

/// How often an operation is tried if the engine keeps rolling it back.
const ATTEMPTS: usize = 20;
/// The most keys of one statement. Engines limit how many values a statement binds.
const MOST_KEYS: usize = 256;

/// Tries `attempt` again as long as the engine rolls it back in favour of another transaction.
macro_rules! retry {
    ($attempt:expr) => {{
        let mut attempts = 0;
        loop {
            attempts += 1;
            match $attempt.await {
                Err(cause) if attempts < ATTEMPTS && begins_again::<E>(&cause) => {}
                answer => break answer.map_err(to_storage_error::<E>),
            }
        }
    }};
}

#[rocket::async_trait]
impl<E: Engine> SessionStorage for Sql<E> {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create> {
        let new = Successor { key, record, guard };
        retry!(self.try_create(&new, None, now)).map(|(created, _)| created)
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>> {
        self.find(key, now).await.map_err(to_storage_error::<E>)
    }

    async fn read_many(&self, keys: &[StorageKey], now: Timestamp) -> Vec<Result<Option<Record>>> {
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(MOST_KEYS) {
            match self.find_many(keys, now).await.map_err(to_storage_error::<E>) {
                Ok(records) => found.extend(records),
                Err(cause) => found.resize(found.len() + keys.len(), Err(cause)),
            }
        }
        found
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update> {
        retry!(self.try_update(key, expected, &record, now))?
    }

    async fn succeed(
        &self,
        new: Successor<'_>,
        old: Predecessor<'_>,
        now: Timestamp,
    ) -> Result<Succeed> {
        retry!(self.try_succeed(&new, &old, now))?
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch> {
        let now = millis(last_seen);
        let values = [now, millis(expires), Value::Bytes(key.as_bytes()), now];
        let touched = retry!(self.execute_one(&self.statements.touch, &values))?;
        Ok(if touched > 0 { Touch::Touched } else { Touch::Missing })
    }

    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate> {
        retry!(self.try_invalidate(key, expected, mark))
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize> {
        let purged = retry!(self.try_purge(now, limit))?;
        Ok(usize::try_from(purged).unwrap_or(usize::MAX))
    }

    fn owners(&self) -> Option<&dyn OwnerIndex> {
        Some(self)
    }

    fn is_remote(&self) -> bool {
        true
    }
}

#[rocket::async_trait]
impl<E: Engine> OwnerIndex for Sql<E> {
    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage> {
        let after = after.map_or(&[][..], |after| after.as_bytes());
        let values = [
            Value::Bytes(owner.as_bytes()),
            millis(now),
            Value::Bytes(after),
            Value::Number(number(limit).saturating_add(1)),
        ];
        let found = self.fetch_records(&self.statements.list, &values).await;
        let mut page = OwnerPage::default();
        for (key, record) in found.map_err(to_storage_error::<E>)? {
            if page.push(limit, key, record).is_break() {
                break;
            }
        }
        Ok(page)
    }

    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize> {
        retry!(self.try_invalidate_owner(owner, except, now))
    }

    async fn generation(&self, owner: &OwnerKey) -> Result<Generation> {
        let found = async {
            let mut lease = self.lease().await?;
            let owner = [Value::Bytes(owner.as_bytes())];
            let found = self.fetch_number(&mut lease, &self.statements.generation, &owner).await;
            lease.finish(found)
        };
        found
            .await
            .map(|found| Generation::from_u64(found.cast_unsigned()))
            .map_err(to_storage_error::<E>)
    }
}

fn begins_again<E: Engine>(cause: &sqlx::Error) -> bool {
    cause.as_database_error().is_some_and(E::begins_again)
}
