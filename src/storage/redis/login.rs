//! Creates the record of a login and replaces the record before it.

use super::answer::{read_create, read_update};
use super::entry::IndexEntry;
use super::handle::{Redis, Result};
use super::owners::{Reserved, add_reservation};
use super::record::pack;
use super::script::Call;
use super::ttl::{LOGIN_SECONDS, ttl};
use crate::storage::{Create, Predecessor, Refused, Successor, Timestamp, Update};

impl Redis {
    /// Creates a record step by step, because the record and its owner may lie on two servers.
    /// `full` says that the owner's index was found full.
    pub(super) async fn create_apart(
        &self,
        new: &Successor<'_>,
        full: bool,
        now: Timestamp,
    ) -> Result<Create> {
        let Successor { key, record, guard } = new;
        let entry = match self.reserve(key, record, guard, full, now).await? {
            Reserved::Yes(entry) => entry,
            Reserved::No(refused) => return self.refuse(new, refused, now).await,
        };
        let mut call = self.scripts.create.key(self.record_key(key));
        call.key(self.marks_key(key))
            .arg(now.as_millis())
            .arg(ttl(record.expires, now))
            .arg(pack(record))
            .arg(entry.as_ref().map_or("", |entry| &entry.since))
            .arg(LOGIN_SECONDS);
        let answer: String = self.run(call).await?;
        if answer == "done" {
            self.confirm(entry.as_ref()).await;
        } else {
            self.remove_entries(entry.as_ref()).await;
        }
        read_create(&answer)
    }

    /// Creates a record in one round trip, on a server that has all slots. The second part of the
    /// answer is the outcome for the predecessor, or `None` if the script did not try to replace
    /// it.
    pub(super) async fn create_at_once(
        &self,
        new: &Successor<'_>,
        old: Option<&Predecessor<'_>>,
        now: Timestamp,
    ) -> Result<(Create, Option<Update>)> {
        let call = self.login(new, old, now);
        let (word, suspects, replaced, before): (String, Vec<Vec<u8>>, String, Vec<u8>) =
            self.run(call).await?;
        match word.as_str() {
            "full" => return Ok((self.create_apart(new, true, now).await?, None)),
            "revoked" => return Ok((self.refuse(new, Refused::Revoked, now).await?, None)),
            _ => {}
        }
        if let Some(owner) = new.record.owner.as_ref().filter(|_| !suspects.is_empty()) {
            self.check_suspects(owner, &suspects, now).await;
        }
        let created = read_create(&word)?;
        let Some(old) = old else { return Ok((created, None)) };
        if replaced == "done" {
            self.update_index(old.key, &old.record, &before, now).await;
        }
        let replaced = (!replaced.is_empty()).then(|| read_update(&replaced));
        Ok((created, replaced.transpose()?))
    }

    /// The call of the script for a login.
    fn login(
        &self,
        new: &Successor<'_>,
        old: Option<&Predecessor<'_>>,
        now: Timestamp,
    ) -> Call<'_> {
        let Successor { key, record, guard } = new;
        let script = if old.is_some() { &self.scripts.succeed } else { &self.scripts.login };
        let entry = IndexEntry::new(key, record);
        let mut call = script.key(self.record_key(key));
        call.key(self.marks_key(key))
            .arg(now.as_millis())
            .arg(ttl(record.expires, now))
            .arg(pack(record))
            .arg(LOGIN_SECONDS);
        match old {
            Some(Predecessor { key, expected, record }) => {
                call.arg(ttl(record.expires, now)).arg(pack(record));
                call.arg(&expected.as_u64().to_be_bytes()).arg(&key.as_bytes()[..]);
            }
            None => {
                call.arg("").arg("").arg("").arg("");
            }
        }
        if let Some(entry) = &entry {
            self.add_owner_keys(&mut call, &entry.owner);
            add_reservation(&mut call, entry, record, guard, false, now);
        }
        if let Some(old) = old {
            call.key(self.record_key(old.key));
        }
        call
    }

    /// The answer for a refused record. A repeated call whose record was written before is not
    /// refused, even if the owner was revoked except for this record.
    async fn refuse(
        &self,
        new: &Successor<'_>,
        refused: Refused,
        now: Timestamp,
    ) -> Result<Create> {
        let found = self.find(new.key, now).await?;
        let own = found.is_some_and(|(_, found)| found.version == new.record.version);
        Ok(if own { Create::Created } else { Create::Refused(refused) })
    }
}
