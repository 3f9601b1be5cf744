//! Records in Redis or Valkey, on one server or a cluster.
//!
//! ```text
//! <prefix>:{<key>}:r      the record, or a mark of its end: see `record.rs`
//! <prefix>:{<key>}:m      marks of records that were ended: see `record.rs`
//! <prefix>:{<owner>}:i    the owner's entries, by the beginning of their records
//! <prefix>:{<owner>}:w    those whose records are about to be written, and since when
//! <prefix>:{<owner>}:g    the owner's generation: when the owner was last revoked
//! ```
//!
//! A record and its owner lie in different slots of a cluster, so no script
//! touches both there. A login first reserves an entry in the owner's index, then
//! writes the record, then confirms. So the index is never short of a live
//! record; an entry without one is not listed. An entry is the record's key and
//! the version that it is created with. The record keeps that, too: no two logins
//! share one, so whoever removes an entry can never remove a later one.
//!
//! Where one server has all slots, and says so, one script does these three steps,
//! and what it does to the session that the login replaces. Only if others have to
//! make room first, the steps are taken one by one. What follows holds for both.
//!
//! A revocation begins a new generation first: whoever has not reserved yet is
//! refused there; whoever has is in the index. Its record is deleted, and a mark
//! beside it stops whoever has yet to create it, or creates it again.
//!
//! A limit ends the records of the entries that it pushes out before these leave
//! the index; whoever breaks off in between leaves one too many, which the next
//! login counts.
//!
//! A script may have run although its answer was lost, and in a cluster the
//! client sends it again by itself: each knows its own work when it meets it.
//!
//! Every record has a TTL besides its expiry, so Redis itself removes what has
//! expired. Its entry stays: each login has a look at some of a long index.

mod ask;
mod changes;
mod connection;
mod login;
mod open;
mod owners;
mod record;
mod script;
mod target;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use connection::Connection;
use owners::Entry;
use record::{Header, MARK_BYTES, packed, unpacked};
use rocket::futures::future::try_join_all;
use rocket::futures::stream::BoxStream;
use script::Scripts;
use target::Target;

use super::{
    Change, Create, Generation, Invalidate, OwnerGuard, OwnerIndex, OwnerKey, OwnerPage,
    Predecessor, Record, Refused, SessionStorage, StorageError, StorageKey, Succeed, Successor,
    Timestamp, Touch, Update, Version, another_owner, in_order,
};

type Result<T> = std::result::Result<T, StorageError>;

/// A record that is written longer than this after its reservation is refused.
const LOGIN_SECONDS: u64 = 30;
/// A reservation without a record for so long never gets one.
const SETTLED_SECONDS: u64 = 2 * LOGIN_SECONDS;
/// How many sessions of an owner are ended at once.
const REVOKED_AT_ONCE: usize = 500;
/// Marks and generations need to outlast the logins under way only.
const MARK: Duration = Duration::from_secs(2 * SETTLED_SECONDS);
const GENERATION: Duration = Duration::from_secs(86_400);
/// Redis takes no TTL without end.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// A storage in Redis (7 or later) or Valkey: for several machines.
///
/// A read is one round trip, an update two with the read before it; both are
/// one on the wire of a multiplexed connection that reconnects by itself.
/// What was acknowledged is as durable as the server's configuration says:
/// see `docs/operations.md`. Its clones are handles on the same connection.
///
/// ```no_run
/// use rocket_typed_sessions::storage::Redis;
///
/// # async fn open() -> Result<(), rocket_typed_sessions::StorageError> {
/// let storage = Redis::open(["redis://127.0.0.1/"], "sessions").await?;
/// # drop(storage);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Redis {
    connection: Connection,
    prefix: Arc<str>,
    scripts: Arc<Scripts>,
    /// One has all slots, and says so.
    one_server: bool,
    warning: Option<String>,
}

impl Redis {
    fn record(&self, key: &StorageKey) -> String {
        format!("{}:{{{key}}}:r", self.prefix)
    }

    fn marks(&self, key: &StorageKey) -> String {
        format!("{}:{{{key}}}:m", self.prefix)
    }

    fn of_owner(&self, owner: &OwnerKey, what: char) -> String {
        format!("{}:{{{owner}}}:{what}", self.prefix)
    }

    /// What is left to do for the owner's index after an `update`.
    async fn keep_books(&self, key: &StorageKey, record: &Record, before: &[u8], now: Timestamp) {
        let Some(before) = Header::of(before) else { return };
        if before.owner == record.owner {
            self.keep_index(&before, record.expires, now).await;
        } else {
            self.forget(before.entry(key).as_ref()).await;
        }
    }

    /// The record of a key, and the version that it was created with.
    async fn find(&self, key: &StorageKey, now: Timestamp) -> Result<Option<(Version, Record)>> {
        let mut command = redis::cmd("GET");
        command.arg(self.record(key));
        let found = self.ask::<Option<Vec<u8>>>(command).await?;
        let Some(bytes) = found.filter(|bytes| bytes.len() != MARK_BYTES) else { return Ok(None) };
        Ok(Some(unpacked(&bytes)?).filter(|(_, record)| record.is_live(now)))
    }
}

#[rocket::async_trait]
impl SessionStorage for Redis {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create> {
        let new = Successor { key, record, guard };
        if self.one_server && new.record.owner.is_some() {
            return Ok(self.create_at_once(&new, None, now).await?.0);
        }
        self.create_apart(&new, false, now).await
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>> {
        Ok(self.find(key, now).await?.map(|(_, record)| record))
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update> {
        let mut call = self.scripts.update.key(self.record(key));
        call.arg(now.as_millis())
            .arg(ttl(record.expires, now))
            .arg(packed(&record))
            .arg(&expected.0.to_be_bytes());
        let (word, before): (String, Vec<u8>) = self.run(call).await?;
        if word == "done" {
            self.keep_books(key, &record, &before, now).await;
        }
        updated(&word)
    }

    async fn succeed(
        &self,
        new: Successor<'_>,
        old: Predecessor<'_>,
        now: Timestamp,
    ) -> Result<Succeed> {
        let (created, replaced) = if self.one_server {
            self.create_at_once(&new, Some(&old), now).await?
        } else {
            (self.create_apart(&new, false, now).await?, None)
        };
        Ok(match (created, replaced) {
            (Create::Created, Some(replaced)) => Succeed::Created(replaced),
            (Create::Created, None) => {
                let Predecessor { key, expected, record } = old;
                Succeed::Created(self.update(key, expected, record, now).await?)
            }
            (Create::Exists, _) => Succeed::Exists,
            (Create::Refused(refused), _) => Succeed::Refused(refused),
        })
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch> {
        let mut call = self.scripts.touch.key(self.record(key));
        for time in [last_seen, expires] {
            call.arg(&time.as_millis().to_be_bytes());
        }
        let before: Option<Vec<u8>> = self.run(call).await?;
        let Some(before) = before.as_deref().and_then(Header::of) else {
            return Ok(Touch::Missing);
        };
        self.keep_index(&before, expires, last_seen).await;
        Ok(Touch::Touched)
    }

    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate> {
        let mut call = self.scripts.end.key(self.record(key));
        call.key(self.marks(key));
        match mark {
            Some(until) => call.arg(&until.as_millis().to_be_bytes()),
            None => call.arg(""),
        };
        call.arg(millis(MARK));
        match expected {
            Some(version) => call.arg(&version.0.to_be_bytes()),
            None => call.arg(""),
        };
        let (word, found): (String, Vec<u8>) = self.run(call).await?;
        self.forget(Header::of(&found).and_then(|header| header.entry(key)).as_ref()).await;
        Ok(match word.as_str() {
            "done" => Invalidate::Invalidated,
            "conflict" => Invalidate::Conflict,
            _ => Invalidate::Missing,
        })
    }

    /// Nothing: every record has a TTL.
    async fn purge_expired(&self, _: Timestamp, _: usize) -> Result<usize> {
        Ok(0)
    }

    /// A cluster's client asks again by itself.
    fn sends_again(&self) -> bool {
        matches!(**self.connection.target(), Target::Cluster(_))
    }

    fn owners(&self) -> Option<&dyn OwnerIndex> {
        Some(self)
    }

    /// By client tracking; not on a connection of the application's own.
    fn changes(&self) -> Option<BoxStream<'static, Change>> {
        let target = self.connection.target();
        let own = !matches!(**target, Target::Given(_));
        own.then(|| changes::changes(Arc::clone(target), self.prefix.to_string()))
    }
}

#[rocket::async_trait]
impl OwnerIndex for Redis {
    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage> {
        let entries = in_order(self.entries(owner).await?, after, |entry| &entry.key);
        let mut page = OwnerPage::default();
        for entries in entries.chunks(limit.max(1)) {
            let found = try_join_all(entries.iter().map(|entry| self.find_of(entry, now))).await?;
            for (entry, found) in entries.iter().zip(found) {
                let Some(found) = found else { continue };
                if page.push(limit, entry.key.clone(), found).is_break() {
                    return Ok(page);
                }
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
        let mut call = self.scripts.revoke.key(self.of_owner(owner, 'i'));
        call.key(self.of_owner(owner, 'g')).arg(millis(GENERATION));
        let mut entries = Entry::all(owner, &self.run::<Vec<Vec<u8>>>(call).await?);
        let (mut seen, mut ended) = (HashSet::new(), 0);
        loop {
            entries.retain(|entry| !except.contains(&entry.key) && seen.insert(entry.member()));
            if entries.is_empty() {
                return Ok(ended);
            }
            // The newest first: they live, and an old index may hold many that do not.
            for entries in entries.rchunks(REVOKED_AT_ONCE) {
                let all = entries.iter().map(|entry| self.end_reserved(entry, "revoked", now));
                ended += try_join_all(all).await?.into_iter().sum::<usize>();
                // After their records, so that a crash leaves none that nobody finds.
                self.forget(entries).await;
            }
            // A session may have moved on to another key meanwhile.
            entries = self.entries(owner).await?;
        }
    }

    async fn generation(&self, owner: &OwnerKey) -> Result<Generation> {
        let mut command = redis::cmd("GET");
        command.arg(self.of_owner(owner, 'g'));
        let found: Option<u64> = self.ask(command).await?;
        Ok(Generation(found.unwrap_or_default()))
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// What the script `create` says.
fn created(word: &str) -> Result<Create> {
    match word {
        // If pushed, it began, and a later login has ended it.
        "done" | "pushed" => Ok(Create::Created),
        "exists" => Ok(Create::Exists),
        "revoked" => Ok(Create::Refused(Refused::Revoked)),
        _ => Err(late()),
    }
}

/// What the script `update` says.
fn updated(word: &str) -> Result<Update> {
    match word {
        "done" => Ok(Update::Updated),
        "conflict" => Ok(Update::Conflict),
        "missing" => Ok(Update::Missing),
        _ => Err(another_owner()),
    }
}

fn late() -> StorageError {
    StorageError::Unavailable("Redis: a login took too long".into(), None)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// How long Redis keeps a record; at least a millisecond.
fn ttl(expires: Timestamp, now: Timestamp) -> u64 {
    millis(expires.since(now).min(LONGEST)).max(1)
}

/// An index outlives its records, should one miss a refresh.
fn index_ttl(expires: Timestamp, now: Timestamp) -> u64 {
    2 * ttl(expires, now) + millis(GENERATION)
}
