//! The index of an owner's records. In a cluster it lies in another slot than the records.

use std::collections::HashSet;

use redis::Pipeline;
use rocket::futures::future::try_join_all;

use super::ask::to_storage_error;
use super::entry::IndexEntry;
use super::handle::{Redis, Result};
use super::record::{Header, MARK_BYTES};
use super::script::Call;
use super::ttl::{GENERATION, MARK, SETTLED_SECONDS, index_ttl, millis};
use crate::storage::{
    Generation, OwnerGuard, OwnerIndex, OwnerKey, OwnerLimitPolicy, OwnerPage, Record, Refused,
    StorageError, StorageKey, Timestamp, in_order,
};

/// How many records of an owner are ended at the same time.
const REVOKED_AT_ONCE: usize = 500;
/// The TTL of the index is renewed only if a record's expiry moves into another span of this
/// length. The TTL has more than that to spare.
const KEPT_MILLIS: u64 = 12 * 3_600_000;

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
            let found =
                try_join_all(entries.iter().map(|entry| self.find_entry(entry, now))).await?;
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
        let mut call = self.scripts.revoke.key(self.owner_key(owner, 'i'));
        call.key(self.owner_key(owner, 'g')).arg(millis(GENERATION));
        let mut entries = IndexEntry::all(owner, &self.run::<Vec<Vec<u8>>>(call).await?);
        let (mut seen, mut ended) = (HashSet::new(), 0);
        loop {
            entries.retain(|entry| !except.contains(&entry.key) && seen.insert(entry.member()));
            if entries.is_empty() {
                return Ok(ended);
            }
            // The newest entries come first: an old index may hold many entries without a live
            // record.
            for entries in entries.rchunks(REVOKED_AT_ONCE) {
                let all = entries.iter().map(|entry| self.end_reserved(entry, "revoked", now));
                ended += try_join_all(all).await?.into_iter().sum::<usize>();
                // Entries go after their records, so that a crash leaves no record that is not in
                // the index.
                self.remove_entries(entries).await;
            }
            // A login may have moved a session to another key meanwhile.
            entries = self.entries(owner).await?;
        }
    }

    async fn generation(&self, owner: &OwnerKey) -> Result<Generation> {
        let mut command = redis::cmd("GET");
        command.arg(self.owner_key(owner, 'g'));
        let found: Option<u64> = self.ask(command).await?;
        Ok(Generation::from_u64(found.unwrap_or_default()))
    }
}

/// Adds the arguments of the script `reserve`.
pub(super) fn add_reservation(
    call: &mut Call<'_>,
    entry: &IndexEntry,
    record: &Record,
    guard: &OwnerGuard,
    checked: bool,
    now: Timestamp,
) {
    let OwnerGuard { generation, limit, replaces } = guard;
    let refuse = limit.is_some_and(|limit| limit.policy == OwnerLimitPolicy::Refuse);
    call.arg(&entry.member()[..])
        .arg(record.created.as_millis())
        .arg(generation.map_or(String::new(), |generation| generation.as_u64().to_string()))
        .arg(limit.map_or(0, |limit| limit.max))
        .arg(if refuse { "refuse" } else { "end" })
        .arg(index_ttl(record.expires, now))
        .arg(if checked { "checked" } else { "" })
        .arg(SETTLED_SECONDS)
        .arg(replaces.as_ref().map_or(&[][..], |replaced| replaced.as_bytes()));
}

pub(super) enum Reserved {
    /// The entry is `None` for a record without an owner.
    Yes(Option<IndexEntry>),
    No(Refused),
}

impl Redis {
    /// Reserves an entry for a record in its owner's index. `full` says that the index was found
    /// full.
    pub(super) async fn reserve(
        &self,
        key: &StorageKey,
        record: &Record,
        guard: &OwnerGuard,
        mut full: bool,
        now: Timestamp,
    ) -> Result<Reserved> {
        let Some(mut entry) = IndexEntry::new(key, record) else { return Ok(Reserved::Yes(None)) };
        loop {
            if full {
                self.remove_settled_dead(&entry.owner, now).await?;
            }
            let mut call = self.scripts.reserve.call();
            self.add_owner_keys(&mut call, &entry.owner);
            add_reservation(&mut call, &entry, record, guard, full, now);
            let (word, since, victims, suspects): (String, _, Vec<Vec<u8>>, Vec<Vec<u8>>) =
                self.run(call).await?;
            match word.as_str() {
                "revoked" => return Ok(Reserved::No(Refused::Revoked)),
                "limit" => return Ok(Reserved::No(Refused::LimitReached)),
                "full" => full = true,
                _ => {
                    let mut victims = IndexEntry::all(&entry.owner, &victims);
                    if !victims.is_empty() && self.is_sent_again(&entry, now).await? {
                        victims.clear();
                    }
                    let ended = victims.iter().map(|entry| self.end_reserved(entry, "pushed", now));
                    try_join_all(ended).await?;
                    self.remove_entries(&victims).await;
                    self.check_suspects(&entry.owner, &suspects, now).await;
                    entry.since = since;
                    return Ok(Reserved::Yes(Some(entry)));
                }
            }
        }
    }

    /// Whether the record of an entry was created before, or a mark prevents its creation.
    async fn is_sent_again(&self, entry: &IndexEntry, now: Timestamp) -> Result<bool> {
        let first = entry.first.as_u64().to_be_bytes();
        let mut both = redis::pipe();
        both.cmd("GETRANGE").arg(self.record_key(&entry.key)).arg(0).arg(MARK_BYTES);
        both.cmd("HGET").arg(self.marks_key(&entry.key)).arg(&first[..]);
        let asked = both.query_async(&mut self.connection.clone()).await;
        let (found, mark): (Vec<u8>, Option<Vec<u8>>) = asked.map_err(to_storage_error)?;
        let ended = <[u8; MARK_BYTES]>::try_from(&found[..])
            .is_ok_and(|until| now < Timestamp::from_millis(u64::from_be_bytes(until)));
        let began = found.len() > MARK_BYTES && found.starts_with(&first);
        Ok(mark.is_some() || ended || began)
    }

    /// Adds the keys of the script `reserve`.
    pub(super) fn add_owner_keys(&self, call: &mut Call<'_>, owner: &OwnerKey) {
        for what in ['i', 'w', 'g'] {
            call.key(self.owner_key(owner, what));
        }
    }

    /// Removes those of the `suspects` whose records are not live. An error is ignored, because a
    /// login must not fail for it.
    pub(super) async fn check_suspects(
        &self,
        owner: &OwnerKey,
        suspects: &[Vec<u8>],
        now: Timestamp,
    ) {
        let _ = self.remove_dead(IndexEntry::all(owner, suspects), now).await;
    }

    /// Removes the entries without a live record, except those whose records may still be
    /// written.
    async fn remove_settled_dead(&self, owner: &OwnerKey, now: Timestamp) -> Result<()> {
        let mut call = self.scripts.settled.key(self.owner_key(owner, 'i'));
        call.key(self.owner_key(owner, 'w')).arg(SETTLED_SECONDS);
        let entries = IndexEntry::all(owner, &self.run::<Vec<Vec<u8>>>(call).await?);
        self.remove_dead(entries, now).await
    }

    /// Removes those entries whose records are not live. None of these records may be about to be
    /// written.
    async fn remove_dead(&self, mut entries: Vec<IndexEntry>, now: Timestamp) -> Result<()> {
        let found = entries.iter().map(|entry| self.find_entry(entry, now));
        let mut found = try_join_all(found).await?.into_iter();
        entries.retain(|_| found.next().is_some_and(|found| found.is_none()));
        let Some(removal) = self.removal(&entries) else { return Ok(()) };
        removal.query_async(&mut self.connection.clone()).await.map_err(to_storage_error)
    }

    /// The live record of an entry. `None` if the record is corrupt or no longer has this owner.
    pub(super) async fn find_entry(
        &self,
        entry: &IndexEntry,
        now: Timestamp,
    ) -> Result<Option<Record>> {
        match self.find(&entry.key, now).await {
            Ok(found) => Ok(found
                .filter(|(first, _)| *first == entry.first)
                .map(|(_, record)| record)
                .filter(|record| record.owner.as_ref() == Some(&entry.owner))),
            Err(StorageError::Corrupt(_)) => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    /// Removes entries of one owner whose records were deleted or never written.
    pub(super) async fn remove_entries(&self, entries: impl IntoIterator<Item = &IndexEntry>) {
        if let Some(removal) = self.removal(entries) {
            self.run_in_background(removal).await;
        }
    }

    fn removal<'e>(&self, entries: impl IntoIterator<Item = &'e IndexEntry>) -> Option<Pipeline> {
        let mut entries = entries.into_iter().peekable();
        let IndexEntry { owner, .. } = entries.peek()?;
        let mut remove = redis::cmd("ZREM");
        remove.arg(self.owner_key(owner, 'i'));
        let mut settle = redis::cmd("HDEL");
        settle.arg(self.owner_key(owner, 'w'));
        for entry in entries {
            remove.arg(&entry.member()[..]);
            settle.arg(&entry.member()[..]);
        }
        let mut both = redis::pipe();
        both.add_command(remove).ignore().add_command(settle).ignore();
        Some(both)
    }

    /// Confirms the entry of a record that has been written.
    pub(super) async fn confirm(&self, entry: Option<&IndexEntry>) {
        let Some(entry) = entry else { return };
        let mut command = redis::pipe();
        command.cmd("HDEL").arg(self.owner_key(&entry.owner, 'w')).arg(&entry.member()[..]);
        self.run_in_background(command).await;
    }

    pub(super) async fn entries(&self, owner: &OwnerKey) -> Result<Vec<IndexEntry>> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.owner_key(owner, 'i')).arg(0).arg(-1);
        Ok(IndexEntry::all(owner, &self.ask::<Vec<Vec<u8>>>(command).await?))
    }

    /// Deletes the record of an entry, or prevents its creation. Returns 1 if the record was
    /// live.
    pub(super) async fn end_reserved(
        &self,
        entry: &IndexEntry,
        mark: &str,
        now: Timestamp,
    ) -> Result<usize> {
        let mut call = self.scripts.end_reserved.key(self.record_key(&entry.key));
        call.key(self.marks_key(&entry.key)).arg(now.as_millis());
        call.arg(&entry.first.as_u64().to_be_bytes()).arg(mark).arg(millis(MARK));
        call.arg(&entry.owner.as_bytes()[..]);
        self.run(call).await
    }

    /// Updates the owner's index after an `update`.
    pub(super) async fn update_index(
        &self,
        key: &StorageKey,
        record: &Record,
        before: &[u8],
        now: Timestamp,
    ) {
        let Some(before) = Header::read(before) else { return };
        if before.owner == record.owner {
            self.prolong_index(&before, record.expires, now).await;
        } else {
            self.remove_entries(before.entry(key).as_ref()).await;
        }
    }

    /// Prolongs the TTL of an owner's index if a record now lives longer.
    pub(super) async fn prolong_index(&self, before: &Header, expires: Timestamp, now: Timestamp) {
        let span = |expires: Timestamp| expires.as_millis() / KEPT_MILLIS;
        let Some(owner) = before.owner.as_ref().filter(|_| span(before.expires) < span(expires))
        else {
            return;
        };
        let mut command = redis::pipe();
        let index = self.owner_key(owner, 'i');
        command.cmd("PEXPIRE").arg(index).arg(index_ttl(expires, now)).arg("GT");
        self.run_in_background(command).await;
    }
}
