//! The operations on records.

use std::sync::Arc;

use rocket::futures::future::join_all;
use rocket::futures::stream::BoxStream;

use super::answer::read_update;
use super::changes;
use super::handle::{Redis, Result};
use super::record::{Header, pack};
use super::target::Target;
use super::ttl::{MARK, millis, ttl};
use crate::storage::{
    Change, Create, Invalidate, OwnerGuard, OwnerIndex, Predecessor, Record, SessionStorage,
    StorageKey, Succeed, Successor, Timestamp, Touch, Update, Version,
};

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

    /// In a cluster each server is asked for its own records, at the same time.
    async fn read_many(&self, keys: &[StorageKey], now: Timestamp) -> Vec<Result<Option<Record>>> {
        if self.connection.target().is_cluster() {
            return join_all(keys.iter().map(|key| self.read(key, now))).await;
        }
        self.find_many(keys, now).await
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update> {
        let mut call = self.scripts.update.key(self.record_key(key));
        call.arg(now.as_millis())
            .arg(ttl(record.expires, now))
            .arg(pack(&record))
            .arg(&expected.as_u64().to_be_bytes());
        let (word, before): (String, Vec<u8>) = self.run(call).await?;
        if word == "done" {
            self.update_index(key, &record, &before, now).await;
        }
        read_update(&word)
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
        let mut call = self.scripts.touch.key(self.record_key(key));
        for time in [last_seen, expires] {
            call.arg(&time.as_millis().to_be_bytes());
        }
        let before: Option<Vec<u8>> = self.run(call).await?;
        let Some(before) = before.as_deref().and_then(Header::read) else {
            return Ok(Touch::Missing);
        };
        self.prolong_index(&before, expires, last_seen).await;
        Ok(Touch::Touched)
    }

    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate> {
        let mut call = self.scripts.end.key(self.record_key(key));
        call.key(self.marks_key(key));
        match mark {
            Some(until) => call.arg(&until.as_millis().to_be_bytes()),
            None => call.arg(""),
        };
        call.arg(millis(MARK));
        match expected {
            Some(version) => call.arg(&version.as_u64().to_be_bytes()),
            None => call.arg(""),
        };
        let (word, found): (String, Vec<u8>) = self.run(call).await?;
        self.remove_entries(Header::read(&found).and_then(|header| header.entry(key)).as_ref())
            .await;
        Ok(match word.as_str() {
            "done" => Invalidate::Invalidated,
            "conflict" => Invalidate::Conflict,
            _ => Invalidate::Missing,
        })
    }

    /// Redis removes expired records itself, because every record has a TTL.
    async fn purge_expired(&self, _: Timestamp, _: usize) -> Result<usize> {
        Ok(0)
    }

    /// The client of a cluster repeats commands by itself.
    fn sends_again(&self) -> bool {
        matches!(**self.connection.target(), Target::Cluster(_))
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn owners(&self) -> Option<&dyn OwnerIndex> {
        Some(self)
    }

    /// Client tracking reports the changes. A connection that the application has opened does not
    /// use it.
    fn changes(&self) -> Option<BoxStream<'static, Change>> {
        let target = self.connection.target();
        let own = !matches!(**target, Target::Given(_));
        own.then(|| changes::changes(Arc::clone(target), self.prefix.to_string()))
    }
}
