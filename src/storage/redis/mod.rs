//! Records in Redis or Valkey, on one server or a cluster.
//!
//! ```text
//! <prefix>:{<key>}:r      the record: a hash of version, owner, times and payload
//! <prefix>:{<key>}:m      marks: owners who were revoked, and reservations that a limit
//!                         pushed out, while a login made the record theirs
//! <prefix>:{<owner>}:i    the owner's records, by their beginning
//! <prefix>:{<owner>}:w    those that are about to be written, and since when
//! <prefix>:{<owner>}:g    how often the owner was revoked
//! ```
//!
//! A record and its owner lie in different slots of a cluster, so no script
//! touches both. A login first reserves an entry in the owner's index, then
//! writes the record, then confirms. So the index is never short of a live
//! record; an entry without one is not listed. A revocation begins a new
//! generation first: whoever has not reserved yet is refused there; whoever has
//! is in the index, and either has written (the record is deleted) or finds the
//! revocation's mark beside the record.
//!
//! Every record has a TTL besides its expiry, so Redis itself removes what has
//! expired.

mod connection;
mod owners;

use std::time::Duration;

use connection::Connection;
use owners::{Place, Reserved};
use redis::aio::ConnectionManager;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, Script};
use rocket::futures::future::try_join_all;

use super::{
    Create, Generation, OwnerGuard, OwnerKey, OwnerPage, Record, SessionStorage, StorageError,
    StorageKey, Stored, Timestamp, Touch, Update, Version,
};
use crate::random::Random;

type Result<T> = std::result::Result<T, StorageError>;

/// How long to wait for a connection, and for an answer; the core's own budget
/// is the `storage_timeout`.
const PATIENCE: Duration = Duration::from_secs(2);
/// No login takes longer between its reservation and its record.
const LOGIN_SECONDS: u64 = 60;
/// Marks and generations need to outlast the logins under way only.
const MARK: Duration = Duration::from_secs(2 * LOGIN_SECONDS);
const GENERATION: Duration = Duration::from_secs(86_400);
/// Redis takes no TTL without end.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// A storage in Redis (7 or later) or Valkey: for several machines.
///
/// A read is one round trip, an update two with the read before it; both are
/// one on the wire of a multiplexed connection that reconnects by itself.
/// What was acknowledged is as durable as the server's configuration says:
/// see `docs/operations.md`.
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
pub struct Redis {
    connection: Connection,
    prefix: String,
    scripts: Scripts,
}

struct Scripts {
    create: Script,
    update: Script,
    touch: Script,
    end: Script,
    end_owned: Script,
    reserve: Script,
    forget: Script,
    revoke: Script,
}

impl Redis {
    /// Connects to a server (one URL: `redis://`, `rediss://`, `unix://`) or to
    /// the cluster that several URLs are nodes of. Keys begin with `prefix`.
    pub async fn open<U: AsRef<str>>(
        urls: impl IntoIterator<Item = U>,
        prefix: impl Into<String>,
    ) -> Result<Self> {
        let urls: Vec<String> = urls.into_iter().map(|url| url.as_ref().to_owned()).collect();
        let connection = Connection::open(&urls).await.map_err(failed)?;
        let storage = Self::with(connection, prefix.into());
        let _: String = storage.ask(redis::cmd("PING")).await?;
        Ok(storage)
    }

    /// A storage on a connection that the application has already.
    pub fn with_connection(connection: ConnectionManager, prefix: impl Into<String>) -> Self {
        Self::with(Connection::Single(connection), prefix.into())
    }

    fn with(connection: Connection, prefix: String) -> Self {
        let scripts = Scripts {
            create: Script::new(include_str!("create.lua")),
            update: Script::new(include_str!("update.lua")),
            touch: Script::new(include_str!("touch.lua")),
            end: Script::new(include_str!("end.lua")),
            end_owned: Script::new(include_str!("end_owned.lua")),
            reserve: Script::new(include_str!("reserve.lua")),
            forget: Script::new(include_str!("forget.lua")),
            revoke: Script::new(include_str!("revoke.lua")),
        };
        Self { connection, prefix, scripts }
    }

    async fn ask<T: FromRedisValue>(&self, command: Cmd) -> Result<T> {
        command.query_async(&mut self.connection.clone()).await.map_err(failed)
    }

    /// Runs a script, loading it first where it is not known.
    async fn run<T: FromRedisValue>(&self, invocation: redis::ScriptInvocation<'_>) -> Result<T> {
        invocation.invoke_async(&mut self.connection.clone()).await.map_err(failed)
    }

    fn record(&self, key: &StorageKey) -> String {
        format!("{}:{{{key}}}:r", self.prefix)
    }

    fn mark(&self, key: &StorageKey) -> String {
        format!("{}:{{{key}}}:m", self.prefix)
    }

    fn of_owner(&self, owner: &OwnerKey, what: char) -> String {
        format!("{}:{{{owner}}}:{what}", self.prefix)
    }

    /// What `create` and `update` write, after the script's keys.
    fn written<'a>(
        &self,
        script: &'a Script,
        key: &StorageKey,
        record: &Record,
        (version, place): (Version, Option<Place>),
        now: Timestamp,
    ) -> redis::ScriptInvocation<'a> {
        let mut invocation = script.key(self.record(key));
        invocation.key(self.mark(key));
        invocation
            .arg(now.as_millis())
            .arg(ttl(record.expires, now))
            .arg(version.0)
            .arg(owner_bytes(record.owner.as_ref()))
            .arg(place.map_or(String::new(), |place| place.generation.to_string()))
            .arg(record.created.as_millis())
            .arg(record.last_seen.as_millis())
            .arg(record.expires.as_millis())
            .arg(&record.payload[..])
            .arg(place.map_or(0, |place| place.reservation));
        invocation
    }
}

/// Version, owner, created, last seen, expiry, payload.
type Fields =
    (Option<u64>, Option<Vec<u8>>, Option<u64>, Option<u64>, Option<u64>, Option<Vec<u8>>);

#[rocket::async_trait]
impl SessionStorage for Redis {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create> {
        let place = match self.reserve(key, &record, guard, now).await? {
            Reserved::Yes(place) => place,
            Reserved::Revoked => return Ok(Create::Revoked),
            Reserved::LimitReached => return Ok(Create::LimitReached),
        };
        // A key that is used again must not repeat versions: begin anywhere.
        let version = Version(random_number()? >> 1);
        let invocation =
            self.written(&self.scripts.create, key, &record, (version, Some(place)), now);
        let answer: String = self.run(invocation).await?;
        let owner = record.owner.as_ref();
        match answer.as_str() {
            "done" => {
                self.confirm(owner, key).await?;
                Ok(Create::Created(version))
            }
            // It began, and a later login ended it at once.
            "pushed" => Ok(Create::Created(version)),
            other => {
                self.release(owner, key, place.new).await?;
                Ok(if other == "exists" { Create::Exists } else { Create::Revoked })
            }
        }
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Stored>> {
        let mut command = redis::cmd("HMGET");
        command.arg(self.record(key)).arg(&["v", "o", "c", "s", "e", "p"]);
        let found: Fields = self.ask(command).await?;
        let (Some(version), Some(owner), Some(created), Some(seen), Some(expires), Some(payload)) =
            found
        else {
            return Ok(None);
        };
        let record = Record {
            payload: payload.into(),
            owner: owner_key(&owner),
            created: Timestamp::from_millis(created),
            last_seen: Timestamp::from_millis(seen),
            expires: Timestamp::from_millis(expires),
        };
        Ok(Some(Stored { version: Version(version), record }).filter(|s| s.record.is_live(now)))
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Update> {
        let version = Version(expected.0.wrapping_add(1));
        let swap = async |place: Option<Place>| {
            let mut invocation =
                self.written(&self.scripts.update, key, &record, (version, place), now);
            invocation.arg(expected.0);
            self.run::<Vec<Vec<u8>>>(invocation).await
        };
        let owner = record.owner.as_ref();
        let mut answer = swap(None).await?;
        if let [word, before] = &answer[..]
            && word == b"moves"
        {
            let before = owner_key(before);
            let place = match self.reserve(key, &record, guard, now).await? {
                Reserved::Yes(place) => place,
                Reserved::Revoked => return Ok(Update::Revoked),
                Reserved::LimitReached => return Ok(Update::LimitReached),
            };
            answer = swap(Some(place)).await?;
            if answer.first().is_some_and(|word| word == b"done") {
                self.confirm(owner, key).await?;
                if let Some(before) = before {
                    self.forget(&before, [key], 0).await?;
                }
            } else {
                self.release(owner, key, place.new).await?;
            }
        }
        match answer.first().map(|word| &word[..]) {
            Some(b"done") => {
                self.keep_index(owner_bytes(owner), record.expires, now).await?;
                Ok(Update::Updated(version))
            }
            // It began, and a later login ended it at once.
            Some(b"pushed") => Ok(Update::Updated(version)),
            Some(b"conflict") => Ok(Update::Conflict),
            Some(b"revoked") => Ok(Update::Revoked),
            _ => Ok(Update::Missing),
        }
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch> {
        let mut invocation = self.scripts.touch.key(self.record(key));
        invocation.arg(last_seen.as_millis()).arg(expires.as_millis());
        let owner: Option<Vec<u8>> = self.run(invocation).await?;
        let Some(owner) = owner else { return Ok(Touch::Missing) };
        self.keep_index(&owner, expires, last_seen).await?;
        Ok(Touch::Touched)
    }

    async fn invalidate(&self, key: &StorageKey) -> Result<bool> {
        self.end(key).await
    }

    /// Nothing: every record has a TTL.
    async fn purge_expired(&self, _: Timestamp, _: usize) -> Result<usize> {
        Ok(0)
    }

    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage> {
        let mut entries = self.entries(owner).await?;
        entries.sort_unstable();
        entries.retain(|key| after.is_none_or(|after| key > after));
        let mut page = OwnerPage::default();
        for keys in entries.chunks(limit.max(1)) {
            let found = try_join_all(keys.iter().map(|key| self.read(key, now))).await?;
            for (key, found) in keys.iter().zip(found) {
                let own = found.filter(|found| found.record.owner.as_ref() == Some(owner));
                let Some(found) = own else { continue };
                if page.records.len() == limit {
                    page.next = page.records.last().map(|(key, _)| key.clone());
                    return Ok(page);
                }
                page.records.push((key.clone(), found));
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
        let mut invocation = self.scripts.revoke.key(self.of_owner(owner, 'i'));
        invocation.key(self.of_owner(owner, 'g')).arg(millis(GENERATION));
        let answer: Vec<Vec<u8>> = self.run(invocation).await?;
        let Some((generation, entries)) = answer.split_first() else {
            return Err(StorageError::Corrupt("an answer of the wrong length"));
        };
        let entries: Vec<_> = entries.iter().filter_map(|key| storage_key(key)).collect();
        let entries: Vec<_> = entries.into_iter().filter(|key| !except.contains(key)).collect();
        let mark = (&owner.as_bytes()[..], &generation[..]);
        let ended = entries.iter().map(|key| self.end_owned(key, owner, mark, now));
        let ended = try_join_all(ended).await?.into_iter().sum();
        if !entries.is_empty() {
            // After their records, so that a crash leaves none that nobody finds.
            self.forget(owner, &entries, 0).await?;
        }
        Ok(ended)
    }

    async fn owner_generation(&self, owner: &OwnerKey) -> Result<Generation> {
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

fn random_number() -> Result<u64> {
    let random = Random::default().bytes();
    let bytes = random.map_err(|cause| StorageError::other("drawing a random number", cause))?;
    Ok(u64::from_be_bytes(bytes))
}

fn owner_bytes(owner: Option<&OwnerKey>) -> &[u8] {
    owner.map_or(&[], |owner| owner.as_bytes())
}

fn owner_key(bytes: &[u8]) -> Option<OwnerKey> {
    bytes.try_into().ok().map(OwnerKey::from_bytes)
}

fn storage_key(bytes: &[u8]) -> Option<StorageKey> {
    bytes.try_into().ok().map(StorageKey::from_bytes)
}

fn number(text: &[u8]) -> Result<u64> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.ok_or(StorageError::Corrupt("a number that is none"))
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

/// Whatever keeps Redis from answering: a retry may help. Its message may quote
/// what was sent, so only the kind of failure is told.
fn failed(cause: RedisError) -> StorageError {
    let kind = cause.kind();
    let what = format!("Redis: {kind:?}");
    match kind {
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => StorageError::Other(what, None),
        ErrorKind::InvalidClientConfig => StorageError::Other(format!("{what}: {cause}"), None),
        _ => StorageError::Unavailable(what, None),
    }
}
