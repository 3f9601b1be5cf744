//! The index of an owner's records, which lies in another slot than they do.

use rocket::futures::future::try_join_all;

use super::{
    LOGIN_SECONDS, MARK, Redis, Result, index_ttl, millis, number, owner_key, random_number,
    storage_key,
};
use crate::storage::{
    OwnerGuard, OwnerKey, OwnerLimitPolicy, Record, SessionStorage, StorageError, StorageKey,
    Timestamp,
};

/// An entry in an owner's index.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Of the owner, when the entry was made.
    pub generation: u64,
    pub reservation: u64,
    /// The record had no entry before.
    pub new: bool,
}

pub(super) enum Reserved {
    Yes(Place),
    Revoked,
    LimitReached,
}

impl Redis {
    /// Makes room for a record in its owner's index.
    pub(super) async fn reserve(
        &self,
        key: &StorageKey,
        record: &Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Reserved> {
        let reservation = random_number()?;
        let nobodys = Place { generation: 0, reservation, new: false };
        let Some(owner) = &record.owner else { return Ok(Reserved::Yes(nobodys)) };
        let limit = guard.limit.map_or(0, |limit| limit.max);
        let refuse = guard.limit.is_some_and(|limit| limit.policy == OwnerLimitPolicy::Refuse);
        let mut checked = "";
        loop {
            let mut invocation = self.scripts.reserve.key(self.of_owner(owner, 'i'));
            invocation.key(self.of_owner(owner, 'w')).key(self.of_owner(owner, 'g'));
            invocation
                .arg(&key.as_bytes()[..])
                .arg(record.created.as_millis())
                .arg(guard.generation.map_or(String::new(), |generation| generation.0.to_string()))
                .arg(limit)
                .arg(if refuse { "refuse" } else { "end" })
                .arg(index_ttl(record.expires, now))
                .arg(checked)
                .arg(reservation);
            let answer: Vec<Vec<u8>> = self.run(invocation).await?;
            let words = &answer[..];
            match words {
                [word, ..] if word == b"revoked" => return Ok(Reserved::Revoked),
                [word, ..] if word == b"limit" => return Ok(Reserved::LimitReached),
                [word, ..] if word == b"full" => {
                    self.forget_dead(owner, now).await?;
                    checked = "checked";
                }
                [_, generation, had, victims @ ..] => {
                    let victims = victims.chunks_exact(2).filter_map(|victim| {
                        Some((storage_key(&victim[0])?, [b"pushed:", &victim[1][..]].concat()))
                    });
                    let ended = victims.map(|(victim, mark)| async move {
                        self.end_owned(&victim, owner, (&mark, b"1"), now).await
                    });
                    try_join_all(ended).await?;
                    let new = had == b"new";
                    return Ok(Reserved::Yes(Place {
                        generation: number(generation)?,
                        reservation,
                        new,
                    }));
                }
                _ => return Err(StorageError::Corrupt("an answer of the wrong length")),
            }
        }
    }

    /// Removes an owner's entries whose records do not live.
    pub(super) async fn forget_dead(&self, owner: &OwnerKey, now: Timestamp) -> Result<()> {
        let entries = self.entries(owner).await?;
        let found = entries.iter().map(|key| self.read(key, now));
        let dead = entries
            .iter()
            .zip(try_join_all(found).await?)
            .filter(|(_, found)| {
                found.as_ref().is_none_or(|found| found.record.owner.as_ref() != Some(owner))
            })
            .map(|(key, _)| key);
        self.forget(owner, dead, LOGIN_SECONDS).await
    }

    /// Removes entries from an owner's index.
    pub(super) async fn forget(
        &self,
        owner: &OwnerKey,
        keys: impl IntoIterator<Item = &StorageKey>,
        pending: u64,
    ) -> Result<()> {
        let mut invocation = self.scripts.forget.key(self.of_owner(owner, 'i'));
        invocation.key(self.of_owner(owner, 'w')).arg(pending);
        for key in keys {
            invocation.arg(&key.as_bytes()[..]);
        }
        self.run(invocation).await
    }

    /// The record has been written: its entry is there to stay.
    pub(super) async fn confirm(&self, owner: Option<&OwnerKey>, key: &StorageKey) -> Result<()> {
        let Some(owner) = owner else { return Ok(()) };
        let mut command = redis::cmd("HDEL");
        command.arg(self.of_owner(owner, 'w')).arg(&key.as_bytes()[..]);
        self.ask(command).await
    }

    /// The record was not written: its entry goes, if it was made for it.
    pub(super) async fn release(
        &self,
        owner: Option<&OwnerKey>,
        key: &StorageKey,
        new: bool,
    ) -> Result<()> {
        match owner.filter(|_| new) {
            None => Ok(()),
            Some(owner) => {
                self.confirm(Some(owner), key).await?;
                self.forget(owner, [key], 0).await
            }
        }
    }

    pub(super) async fn entries(&self, owner: &OwnerKey) -> Result<Vec<StorageKey>> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.of_owner(owner, 'i')).arg(0).arg(-1);
        let entries: Vec<Vec<u8>> = self.ask(command).await?;
        Ok(entries.iter().filter_map(|entry| storage_key(entry)).collect())
    }

    /// Deletes a record and its entry; its expiry, if it was there.
    pub(super) async fn end(&self, key: &StorageKey) -> Result<bool> {
        let found: Option<(Vec<u8>, u64)> =
            self.run(self.scripts.end.key(self.record(key))).await?;
        let Some((owner, _)) = found else { return Ok(false) };
        if let Some(owner) = owner_key(&owner) {
            self.confirm(Some(&owner), key).await?;
            self.forget(&owner, [key], 0).await?;
        }
        Ok(true)
    }

    /// Deletes a record if it is this owner's and leaves a mark if it is not; 1
    /// if it lived.
    pub(super) async fn end_owned(
        &self,
        key: &StorageKey,
        owner: &OwnerKey,
        (mark, value): (&[u8], &[u8]),
        now: Timestamp,
    ) -> Result<usize> {
        let mut invocation = self.scripts.end_owned.key(self.record(key));
        invocation.key(self.mark(key)).arg(now.as_millis()).arg(&owner.as_bytes()[..]);
        invocation.arg(mark).arg(value).arg(millis(MARK));
        self.run(invocation).await
    }

    /// Keeps an owner's index for as long as a record that lives longer now.
    pub(super) async fn keep_index(
        &self,
        owner: &[u8],
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        let Some(owner) = owner_key(owner) else { return Ok(()) };
        let mut command = redis::cmd("PEXPIRE");
        command.arg(self.of_owner(&owner, 'i')).arg(index_ttl(expires, now)).arg("GT");
        self.ask(command).await
    }
}
