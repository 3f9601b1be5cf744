//! Records in PostgreSQL, MySQL (MariaDB) or SQLite.
//!
//! One table holds the records, another what is known of owners. Whatever makes
//! a record an owner's, or ends all of them, first locks the owner's row, so
//! that limits and revocations hold under concurrency; everything else is one
//! statement. Every value is bound (checklist S38); a table's name is checked
//! to be a plain identifier.
//!
//! A mark of an end takes its record's row: nobody's, without a payload, and with
//! the negative of the time until which it stands for `expires`. So whatever asks
//! for what expires later than now passes it over.

mod ends;
mod engine;
mod lease;
mod open;
mod owners;
mod run;
mod statements;

use std::sync::Arc;

use ends::mark_until;
pub use engine::Engine;
use engine::Value;
use lease::Suspicion;
use sqlx::{Connection, Pool, Transaction};
use statements::Statements;
use tokio::sync::Mutex;

use super::{
    Create, Generation, Invalidate, OwnerGuard, OwnerIndex, OwnerKey, OwnerPage, Predecessor,
    Record, Refused, SessionStorage, StorageError, StorageKey, Succeed, Successor, Timestamp,
    Touch, Update, Version, keeps_owner,
};

type Result<T> = std::result::Result<T, StorageError>;

/// How often a transaction begins again that the engine broke off for another.
const ATTEMPTS: usize = 20;
/// A storage in a database; see [`Postgres`], [`MySql`], [`Sqlite`]. Its clones
/// are handles on the same connections.
pub struct Sql<E: Engine> {
    pool: Pool<E>,
    suspicion: Suspicion,
    turns: Arc<Mutex<()>>,
    statements: Arc<Statements>,
}

impl<E: Engine> Clone for Sql<E> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            suspicion: self.suspicion.clone(),
            turns: Arc::clone(&self.turns),
            statements: Arc::clone(&self.statements),
        }
    }
}

/// A storage in PostgreSQL; feature `postgres`.
///
/// ```no_run
/// use rocket_typed_sessions::storage::Postgres;
///
/// # async fn open(pool: sqlx::PgPool) -> Result<(), rocket_typed_sessions::StorageError> {
/// let storage = Postgres::open("postgres://user:password@localhost/shop", "sessions").await?;
/// // Or on the pool that the application has already:
/// let storage = Postgres::with_pool(pool, "sessions").await?;
/// # drop(storage);
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "postgres")]
pub type Postgres = Sql<sqlx::Postgres>;

/// A storage in MySQL 8 or MariaDB; feature `mysql`. Opened as [`Postgres`] is.
#[cfg(feature = "mysql")]
pub type MySql = Sql<sqlx::MySql>;

/// A storage in one file, for one machine; feature `sqlite`.
///
/// ```
/// use rocket_typed_sessions::storage::Sqlite;
///
/// # rocket::async_test(async {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("sessions.db");
/// let storage = Sqlite::open(path, "sessions").await?;
/// # drop(storage);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[cfg(feature = "sqlite")]
pub type Sqlite = Sql<sqlx::Sqlite>;

impl<E: Engine> Sql<E> {
    async fn find(&self, key: &StorageKey, now: Timestamp) -> sqlx::Result<Option<Record>> {
        let values = [Value::Bytes(key.as_bytes()), millis(now)];
        let found = self.fetch_records(&self.statements.read, &values).await?;
        Ok(found.into_iter().next().map(|(_, record)| record))
    }

    /// Creates the one record. If the other stands as expected, it is replaced in the
    /// same transaction; the second answer says whether it was.
    async fn try_create(
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
            match lease.settle(begun) {
                Ok((Create::Refused(refused), _)) => {
                    // Unless it was written before, and has been excepted since.
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

    async fn try_succeed(
        &self,
        new: &Successor<'_>,
        old: &Predecessor<'_>,
        now: Timestamp,
    ) -> sqlx::Result<Result<Succeed>> {
        let (created, replaced) = self.try_create(new, Some(old), now).await?;
        Ok(Ok(match created {
            Create::Created if replaced => Succeed::Created(Update::Updated),
            // It was sent before, or what it takes the place of has changed.
            Create::Created => {
                let Predecessor { key, expected, record } = old;
                let updated = self.try_update(key, *expected, record, now).await?;
                return Ok(updated.map(Succeed::Created));
            }
            Create::Exists => Succeed::Exists,
            Create::Refused(refused) => Succeed::Refused(refused),
        }))
    }

    /// Why `record` cannot be written; `None` if nothing is in its way, or something
    /// that has expired.
    async fn in_the_way(
        &self,
        key: &StorageKey,
        record: &Record,
        now: Timestamp,
    ) -> sqlx::Result<Option<Create>> {
        let mut lease = self.lease().await?;
        let key = [Value::Bytes(key.as_bytes())];
        let found = self.fetch_pair(&mut lease, &self.statements.occupant, &key).await;
        let Some((version, expires)) = lease.settle(found)? else { return Ok(None) };
        let lives = Timestamp::from_millis(expires.unsigned_abs()) > now;
        Ok(match expires {
            _ if !lives => None,
            ..0 => Some(Create::Refused(Refused::Revoked)),
            _ if version == record.version => Some(Create::Created),
            _ => Some(Create::Exists),
        })
    }

    async fn try_update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: &Record,
        now: Timestamp,
    ) -> sqlx::Result<Result<Update>> {
        let mut lease = self.lease_to_write().await?;
        let swapped = self.swap(&mut lease, (key, expected), record, now).await;
        if lease.settle(swapped)? {
            return Ok(Ok(Update::Updated));
        }
        Ok(match self.find(key, now).await? {
            None => Ok(Update::Missing),
            Some(found) if found.version == record.version => Ok(Update::Updated),
            Some(found) if found.version == expected => {
                keeps_owner(found.owner.as_ref(), record).map(|()| Update::Conflict)
            }
            Some(_) => Ok(Update::Conflict),
        })
    }

    async fn try_invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> sqlx::Result<usize> {
        let mut lease = self.lease_to_write().await?;
        let mut transaction = lease.begin_with(E::DIALECT.begin).await?;
        let ended = self.end_all_of(&mut transaction, owner, except, now).await;
        let ended = finish(transaction, ended, |_| true).await;
        lease.settle(ended)
    }
}

/// What `attempt` gives, which begins again where the engine broke it off.
macro_rules! settled {
    ($attempt:expr) => {{
        let mut attempts = 0;
        loop {
            attempts += 1;
            match $attempt.await {
                Err(cause) if attempts < ATTEMPTS && begins_again::<E>(&cause) => {}
                answer => break answer.map_err(failed::<E>),
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
        settled!(self.try_create(&new, None, now)).map(|(created, _)| created)
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>> {
        self.find(key, now).await.map_err(failed::<E>)
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update> {
        settled!(self.try_update(key, expected, &record, now))?
    }

    async fn succeed(
        &self,
        new: Successor<'_>,
        old: Predecessor<'_>,
        now: Timestamp,
    ) -> Result<Succeed> {
        settled!(self.try_succeed(&new, &old, now))?
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch> {
        let now = millis(last_seen);
        let values = [now, millis(expires), Value::Bytes(key.as_bytes()), now];
        let touched = settled!(self.execute_one(&self.statements.touch, &values))?;
        Ok(if touched > 0 { Touch::Touched } else { Touch::Missing })
    }

    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate> {
        settled!(self.try_invalidate(key, expected, mark))
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize> {
        let purged = settled!(self.try_purge(now, limit))?;
        Ok(usize::try_from(purged).unwrap_or(usize::MAX))
    }

    fn owners(&self) -> Option<&dyn OwnerIndex> {
        Some(self)
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
        for (key, record) in found.map_err(failed::<E>)? {
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
        settled!(self.try_invalidate_owner(owner, except, now))
    }

    async fn generation(&self, owner: &OwnerKey) -> Result<Generation> {
        let found = async {
            let mut lease = self.lease().await?;
            let owner = [Value::Bytes(owner.as_bytes())];
            let found = self.fetch_number(&mut lease, &self.statements.generation, &owner).await;
            lease.settle(found)
        };
        found.await.map(|found| Generation(found.cast_unsigned())).map_err(failed::<E>)
    }
}

impl<E: Engine> std::fmt::Debug for Sql<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(E::DIALECT.name).finish_non_exhaustive()
    }
}

/// Commits what is to stand, and undoes all else.
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
        // The engine has undone it already; what went wrong before says more.
        Err(sqlx::Error::Database(_)) if outcome.is_err() => outcome,
        ended => ended.and(outcome),
    }
}

fn millis(time: Timestamp) -> Value<'static> {
    Value::Number(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn begins_again<E: Engine>(cause: &sqlx::Error) -> bool {
    cause.as_database_error().is_some_and(E::begins_again)
}

/// What the operator is told: the engine's own words, which hold no payload and
/// no password.
fn failed<E: Engine>(cause: sqlx::Error) -> StorageError {
    let name = E::DIALECT.name;
    match &cause {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            StorageError::Unavailable(format!("{name}: {} ({code})", database.message()), None)
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            StorageError::Corrupt("a column holds something else")
        }
        sqlx::Error::Configuration(_) => {
            StorageError::Other(format!("{name}: the URL is wrong: {cause}"), None)
        }
        _ => StorageError::Unavailable(format!("{name}: {cause}"), None),
    }
}
