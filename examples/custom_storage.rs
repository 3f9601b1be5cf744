//! A storage of your own, with all promises: records in a map behind one lock.
//!
//! ```sh
//! cargo run --example custom_storage
//! curl -c jar -b jar http://127.0.0.1:8000/        # Visit number 1.
//! curl -c jar -b jar http://127.0.0.1:8000/        # Visit number 2.
//! curl -c jar -b jar http://127.0.0.1:8000/forget  # Forgotten.
//! ```
//!
//! `tests/conformance` runs the conformance kit on it.

use std::collections::{BTreeMap, HashMap};

use rocket::tokio::sync::Mutex;
use rocket::{async_trait, get, launch, routes};
use rocket_typed_sessions::storage::{
    Create, Generation, OwnerGuard, OwnerKey, OwnerLimitPolicy, OwnerPage, Record, StorageKey,
    Stored, Timestamp, Touch, Update, Version,
};
use rocket_typed_sessions::{Session, SessionData, SessionStorage, Sessions, StorageError};
use serde::{Deserialize, Serialize};

/// One lock around everything makes every operation one step. A database does
/// the same with one statement or one transaction an operation.
#[derive(Default)]
pub struct Table(Mutex<Rows>);

#[derive(Default)]
struct Rows {
    records: BTreeMap<StorageKey, Stored>,
    /// How often each owner was revoked.
    generations: HashMap<OwnerKey, u64>,
    last_version: u64,
}

/// Why an owner may not have another record.
enum Refused {
    Revoked,
    LimitReached,
}

impl Rows {
    fn live(&self, key: &StorageKey, now: Timestamp) -> Option<&Stored> {
        self.records.get(key).filter(|stored| stored.record.is_live(now))
    }

    fn of<'a>(&'a self, owner: &'a OwnerKey) -> impl Iterator<Item = (&'a StorageKey, &'a Stored)> {
        self.records.iter().filter(move |(_, stored)| stored.record.owner.as_ref() == Some(owner))
    }

    /// Checks the guard of a record that its owner does not have yet, and ends
    /// those that the limit pushes out.
    fn admit(&mut self, record: &Record, guard: OwnerGuard, now: Timestamp) -> Result<(), Refused> {
        let Some(owner) = &record.owner else { return Ok(()) };
        if guard.generation.is_some_and(|generation| generation < self.generation(owner)) {
            return Err(Refused::Revoked);
        }
        let Some(limit) = guard.limit else { return Ok(()) };
        let live = self.of(owner).filter(|(_, stored)| stored.record.is_live(now));
        let mut by_age: Vec<_> =
            live.map(|(key, stored)| (stored.record.created, key.clone())).collect();
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

    fn put(&mut self, key: &StorageKey, record: Record) -> Version {
        self.last_version += 1;
        let version = Version(self.last_version);
        self.records.insert(key.clone(), Stored { version, record });
        version
    }

    fn generation(&self, owner: &OwnerKey) -> Generation {
        Generation(self.generations.get(owner).copied().unwrap_or(0))
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
        if rows.records.contains_key(key) {
            return Ok(Create::Exists);
        }
        Ok(match rows.admit(&record, guard, now) {
            Ok(()) => Create::Created(rows.put(key, record)),
            Err(Refused::Revoked) => Create::Revoked,
            Err(Refused::LimitReached) => Create::LimitReached,
        })
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Stored>, StorageError> {
        Ok(self.0.lock().await.live(key, now).cloned())
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        let mut rows = self.0.lock().await;
        let Some(before) = rows.live(key, now) else { return Ok(Update::Missing) };
        if before.version != expected {
            return Ok(Update::Conflict);
        }
        let moves = before.record.owner != record.owner;
        let admitted = if moves { rows.admit(&record, guard, now) } else { Ok(()) };
        Ok(match admitted {
            Ok(()) => Update::Updated(rows.put(key, record)),
            Err(Refused::Revoked) => Update::Revoked,
            Err(Refused::LimitReached) => Update::LimitReached,
        })
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError> {
        let mut rows = self.0.lock().await;
        match rows.records.get_mut(key).filter(|stored| stored.record.is_live(last_seen)) {
            Some(Stored { record, .. }) => {
                record.last_seen = record.last_seen.max(last_seen);
                record.expires = record.expires.max(expires);
                Ok(Touch::Touched)
            }
            None => Ok(Touch::Missing),
        }
    }

    async fn invalidate(&self, key: &StorageKey) -> Result<bool, StorageError> {
        Ok(self.0.lock().await.records.remove(key).is_some())
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError> {
        let mut rows = self.0.lock().await;
        let expired = rows.records.iter().filter(|(_, stored)| !stored.record.is_live(now));
        let expired: Vec<_> = expired.map(|(key, _)| key.clone()).take(limit).collect();
        for key in &expired {
            rows.records.remove(key);
        }
        Ok(expired.len())
    }

    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError> {
        let rows = self.0.lock().await;
        let theirs = rows.of(owner).filter(|(key, stored)| {
            stored.record.is_live(now) && after.is_none_or(|after| *key > after)
        });
        let mut records: Vec<_> =
            theirs.map(|(key, stored)| (key.clone(), stored.clone())).take(limit + 1).collect();
        let more = records.len() > limit;
        records.truncate(limit);
        let next = records.last().filter(|_| more).map(|(key, _)| key.clone());
        Ok(OwnerPage { records, next })
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
        Ok(ended.filter(|stored| stored.record.is_live(now)).count())
    }

    async fn owner_generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError> {
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
    let sessions = Sessions::fairing().storage("table", Table::default());
    // Rocket.toml's [default.sessions.visits] storage = "table". Here, because the
    // other examples, which share Rocket.toml, have no such storage.
    let figment = rocket::Config::figment().merge(("sessions.visits.storage", "table"));
    rocket::custom(figment).attach(sessions).mount("/", routes![index, forget])
}
