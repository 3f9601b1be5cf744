//! A custom storage that keeps every promise: records in a map behind one lock.
//!
//! ```sh
//! cargo run --example custom_storage
//! curl -c jar -b jar http://127.0.0.1:8000/        # Visit number 1.
//! curl -c jar -b jar http://127.0.0.1:8000/        # Visit number 2.
//! curl -c jar -b jar http://127.0.0.1:8000/forget  # Forgotten.
//! ```
//!
//! `tests/conformance` runs the conformance kit on it.

use std::collections::HashMap;
use std::sync::Arc;

use rocket::tokio::sync::Mutex;
use rocket::{async_trait, get, launch, routes};
use rocket_typed_sessions::config::SessionConfig;
use rocket_typed_sessions::storage::{
    Create, Generation, Invalidate, OwnerGuard, OwnerIndex, OwnerKey, OwnerLimitPolicy, OwnerPage,
    Record, Refused, StorageKey, Timestamp, Touch, Update, Version,
};
use rocket_typed_sessions::storage::{SessionStorage, StorageError};
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

/// One lock around everything makes every operation atomic. A database does the
/// same with one statement or one transaction for each operation. A clone is
/// another handle on the same rows.
#[derive(Clone, Default)]
pub struct Table(Arc<Mutex<Rows>>);

#[derive(Default)]
struct Rows {
    records: HashMap<StorageKey, Record>,
    /// How often each owner was revoked.
    generations: HashMap<OwnerKey, u64>,
    /// The keys of ended records, and until when no record may be created there.
    marks: HashMap<StorageKey, Timestamp>,
}

impl Rows {
    fn live(&self, key: &StorageKey, now: Timestamp) -> Option<&Record> {
        self.records.get(key).filter(|record| record.is_live(now))
    }

    fn of<'a>(&'a self, owner: &'a OwnerKey) -> impl Iterator<Item = (&'a StorageKey, &'a Record)> {
        self.records.iter().filter(move |(_, record)| record.owner.as_ref() == Some(owner))
    }

    /// Checks the guard of a new record, and ends the records that exceed the limit.
    fn admit(
        &mut self,
        record: &Record,
        guard: &OwnerGuard,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let Some(owner) = &record.owner else { return Ok(()) };
        if guard.generation.is_some_and(|generation| generation < self.generation(owner)) {
            return Err(Refused::Revoked);
        }
        let Some(limit) = guard.limit else { return Ok(()) };
        let live = self.of(owner).filter(|(_, record)| record.is_live(now));
        // The record that this one replaces does not count.
        let live = live.filter(|(key, _)| guard.replaces.as_ref() != Some(*key));
        let mut by_age: Vec<_> = live.map(|(key, record)| (record.created, key.clone())).collect();
        by_age.sort();
        let surplus = (by_age.len() + 1).saturating_sub(limit.max);
        if surplus > 0 && limit.policy == OwnerLimitPolicy::Refuse {
            return Err(Refused::LimitReached);
        }
        for (_, key) in &by_age[..surplus] {
            self.records.remove(key);
        }
        Ok(())
    }

    fn generation(&self, owner: &OwnerKey) -> Generation {
        Generation::from_u64(self.generations.get(owner).copied().unwrap_or(0))
    }
}

#[async_trait]
impl SessionStorage for Table {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create, StorageError> {
        let mut rows = self.0.lock().await;
        if let Some(found) = rows.live(key, now) {
            let again = found.version == record.version;
            return Ok(if again { Create::Created } else { Create::Exists });
        }
        if rows.marks.get(key).is_some_and(|until| now < *until) {
            return Ok(Create::Refused(Refused::Revoked));
        }
        Ok(match rows.admit(&record, &guard, now) {
            Ok(()) => {
                rows.records.insert(key.clone(), record);
                Create::Created
            }
            Err(refused) => Create::Refused(refused),
        })
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>, StorageError> {
        Ok(self.0.lock().await.live(key, now).cloned())
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        let mut rows = self.0.lock().await;
        let Some(before) = rows.live(key, now) else { return Ok(Update::Missing) };
        if before.version == record.version {
            return Ok(Update::Updated);
        }
        if before.version != expected {
            return Ok(Update::Conflict);
        }
        if record.owner.is_some() && record.owner != before.owner {
            return Err(StorageError::Other("the record has another owner".into(), None));
        }
        rows.records.insert(key.clone(), record);
        Ok(Update::Updated)
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError> {
        let mut rows = self.0.lock().await;
        match rows.records.get_mut(key).filter(|record| record.is_live(last_seen)) {
            Some(record) => {
                record.last_seen = record.last_seen.max(last_seen);
                record.expires = record.expires.max(expires);
                Ok(Touch::Touched)
            }
            None => Ok(Touch::Missing),
        }
    }

    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate, StorageError> {
        let mut rows = self.0.lock().await;
        let present = rows.records.get(key).map(|record| record.version);
        if expected.is_some_and(|expected| present.is_some_and(|present| present != expected)) {
            return Ok(Invalidate::Conflict);
        }
        if let Some(until) = mark {
            let mark = rows.marks.entry(key.clone()).or_insert(until);
            *mark = until.max(*mark);
        }
        rows.records.remove(key);
        Ok(present.map_or(Invalidate::Missing, |_| Invalidate::Invalidated))
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError> {
        let mut rows = self.0.lock().await;
        rows.marks.retain(|_, until| now < *until);
        let expired = rows.records.iter().filter(|(_, record)| !record.is_live(now));
        let expired: Vec<_> = expired.map(|(key, _)| key.clone()).take(limit).collect();
        for key in &expired {
            rows.records.remove(key);
        }
        Ok(expired.len())
    }

    /// Leave this out if the storage cannot find the records of an owner.
    fn owners(&self) -> Option<&dyn OwnerIndex> {
        Some(self)
    }
}

#[async_trait]
impl OwnerIndex for Table {
    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError> {
        let rows = self.0.lock().await;
        let theirs = rows.of(owner).map(|(key, _)| key.clone());
        OwnerPage::find(theirs, after, limit, |key| Ok(rows.live(key, now).cloned()))
    }

    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize, StorageError> {
        let mut rows = self.0.lock().await;
        *rows.generations.entry(owner.clone()).or_default() += 1;
        let keys: Vec<_> = rows.of(owner).map(|(key, _)| key.clone()).collect();
        let keys = keys.iter().filter(|key| !except.contains(key));
        let ended = keys.filter_map(|key| rows.records.remove(key));
        Ok(ended.filter(|record| record.is_live(now)).count())
    }

    async fn generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError> {
        Ok(self.0.lock().await.generation(owner))
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Visits(u32);

impl SessionData for Visits {
    const NAME: &'static str = "visits";
}

#[get("/")]
fn index(session: Session<Visits>) -> String {
    session.get_or_insert_with(|| Visits(0));
    let visits = session.update(|visits| visits.0 += 1);
    format!("Visit number {}.", visits.map_or(0, |visits| visits.0))
}

#[get("/forget")]
fn forget(session: Session<Visits>) -> &'static str {
    session.clear();
    "Forgotten."
}

#[launch]
fn rocket() -> _ {
    // Your application can write the same in Rocket.toml:
    // [default.sessions.visits] storage = "table".
    let visits = SessionConfig { storage: Some("table".into()), ..Default::default() };
    let sessions = Sessions::fairing().storage("table", Table::default());
    rocket::build().attach(sessions.configure::<Visits>(visits)).mount("/", routes![index, forget])
}
