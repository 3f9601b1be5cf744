//! Create, read, update and invalidate, one after the other.

use std::sync::Arc;

use super::case::{Case, Check, cases, holds};
use super::subject::{FREE, LIFE, NOW, Subject, at, key, owned_by, owner, record};
use crate::storage::{
    Create, Generation, Invalidate, OwnerGuard, OwnerLimit, OwnerLimitPolicy, Record, Refused,
    StorageKey, Update, Version,
};

cases! {
    CASES;
    create_inserts_only: "`create` inserts only and never overwrites",
    what_was_written_is_read_back: "a record is read back as it was written, whatever its bytes",
    reading_creates_nothing: "`read` of an unknown key returns nothing and creates nothing",
    reading_many_is_reading_each: "`read_many` returns for each key, in order, what `read` returns",
    keys_are_apart: "records under different keys are independent",
    versions_are_kept_as_given: "a storage keeps the version that it is given, and makes up none",
    a_create_sent_again_is_created: "a repeated `create` answers `Created`, and writes nothing",
    an_update_sent_again_is_updated: "a repeated `update` answers `Updated`, and writes nothing",
    update_compares_the_version: "`update` writes only over the version it was given",
    a_conflict_leaves_the_record: "a conflict leaves the record as it was",
    update_never_inserts: "`update` never inserts",
    update_after_invalidate_is_missing: "an `update` never brings back an ended record",
    an_update_keeps_the_owner: "an `update` that names another owner is an error, and writes nothing",
    invalidate_is_idempotent: "`invalidate` deletes the record, and says whether there was one",
    invalidate_compares_the_version: "`invalidate` of one version leaves a record with another, and no mark",
    a_guard_needs_an_index: "a storage without an index of owners refuses every guard that needs one, and stores a record that has an owner",
    two_handles_agree: "two handles on one backend see the same records",
}

async fn create_inserts_only(it: Subject) -> Check {
    let version = it.create(1, record("first")).await?;
    let again = it.storage.create(&key(1), record("second"), FREE, NOW).await?;
    holds!(again == Create::Exists, "a second `create` under one key was {again:?}");
    let found = it.found(1).await?;
    holds!(*found.payload == *b"first", "the second `create` overwrote the first");
    holds!(found.version == version, "the second `create` changed the version");
    Ok(())
}

async fn what_was_written_is_read_back(it: Subject) -> Check {
    let every_byte: Vec<u8> = (0..=255).collect();
    let large: Vec<u8> = every_byte.iter().copied().cycle().take(64 * 1024).collect();
    let payloads: [&[u8]; 6] =
        [b"", b"\0", &every_byte, &large, b"'; --\r\n../", "\u{10ffff}".as_bytes()];
    for (n, payload) in (0..).zip(payloads) {
        let written = Record {
            owner: (n % 2 == 0).then(|| owner(n)),
            created: at(n),
            last_seen: at(10 + n),
            expires: at(1000 + n),
            ..record(payload)
        };
        it.create(n, written.clone()).await?;
        let found = it.found(n).await?;
        holds!(found == written, "a payload of {} bytes came back as {found:?}", payload.len());
        let changed = Record { expires: at(2000), ..record(payload) };
        it.updated(n, found.version, changed.clone()).await?;
        let found = it.found(n).await?;
        holds!(found == changed, "an updated record came back as {found:?}");
    }
    Ok(())
}

async fn reading_creates_nothing(it: Subject) -> Check {
    for n in 0..100 {
        holds!(it.read(n).await?.is_none(), "an unknown key was found");
    }
    let purged = it.storage.purge_expired(at(1_000_000), 1000).await?;
    holds!(purged == 0, "reading unknown keys left {purged} record(s)");
    it.create(1, record("")).await.map(drop)
}

async fn reading_many_is_reading_each(it: Subject) -> Check {
    // Every third is unknown, and one is expired and one ended.
    for n in (0..600).filter(|n| n % 3 != 0) {
        it.create(n, record(n.to_be_bytes())).await?;
    }
    it.create(600, Record { expires: at(1), ..owned_by(0) }).await?;
    it.end(1, None, Some(at(120))).await?;
    let all: Vec<u64> = (0..=600).rev().chain([5, 5, 600]).collect();
    for numbers in [&all[..], &all[..5], &all[..1], &[]] {
        let keys: Vec<_> = numbers.iter().map(|n| key(*n)).collect();
        let found = it.storage.read_many(&keys, at(10)).await;
        let (count, asked) = (found.len(), keys.len());
        holds!(count == asked, "for {asked} keys `read_many` gave {count} results");
        for (key, found) in keys.iter().zip(found) {
            let (found, read) = (found?, it.storage.read(key, at(10)).await?);
            holds!(found == read, "`read_many` gave {found:?}, and `read` gives {read:?}");
        }
    }
    Ok(())
}

async fn keys_are_apart(it: Subject) -> Check {
    // Each differs from the first in one bit, at any place.
    let first = [0x5a; 32];
    let bits = (0..256).step_by(5);
    let others = bits.map(|bit| {
        let mut bytes = first;
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    });
    let extremes = [first, [0; 32], [0xff; 32]];
    let keys: Vec<StorageKey> =
        extremes.into_iter().chain(others).map(StorageKey::from_bytes).collect();
    for key in &keys {
        let created = it.storage.create(key, record(key.as_bytes()), FREE, NOW).await?;
        holds!(created == Create::Created, "another key's record stands in the way of {key:?}");
    }
    for key in &keys {
        let found = it.storage.read(key, NOW).await?;
        let own = found.is_some_and(|found| *found.payload == *key.as_bytes());
        holds!(own, "{key:?} does not have its own record");
    }
    it.storage.invalidate(&keys[0], None, None).await?;
    for key in &keys[1..] {
        let found = it.storage.read(key, NOW).await?;
        holds!(found.is_some(), "ending one session ended the one under {key:?}");
    }
    Ok(())
}

async fn versions_are_kept_as_given(it: Subject) -> Check {
    // Of a signed number the smallest and the largest, and what a float cannot hold.
    for (n, bits) in (0..).zip([0, 1, (1 << 53) + 1, u64::MAX >> 1, 1 << 63, u64::MAX - 1]) {
        let given = Version::from_u64(bits);
        it.create(n, Record { version: given, ..owned_by(0) }).await?;
        let found = it.found(n).await?.version;
        holds!(found == given, "`create` was given {given:?}, and `read` gives {found:?}");
        let next = Version::from_u64(!bits);
        it.updated(n, given, Record { version: next, ..owned_by(0) }).await?;
        let found = it.found(n).await?.version;
        holds!(found == next, "`update` was given {next:?}, and `read` gives {found:?}");
        let fresh = it.fresh(n).await?.map(|found| found.version);
        holds!(fresh == Some(next), "`read_fresh` gives {fresh:?} instead of {next:?}");
        if let Some(index) = it.storage.owners() {
            let page = index.list(&owner(0), None, 10, NOW).await?;
            let listed = page.records.iter().any(|(_, record)| record.version == next);
            holds!(listed, "`list` does not give {next:?}");
        }
    }
    Ok(())
}

async fn a_create_sent_again_is_created(it: Subject) -> Check {
    let sent = record("first");
    it.create(1, sent.clone()).await?;
    it.storage.touch(&key(1), at(1), at(1).after(LIFE)).await?;
    let before = it.fresh(1).await?;
    let again = it.storage.create(&key(1), sent, FREE, NOW).await?;
    holds!(again == Create::Created, "a `create` that was sent again was {again:?}");
    holds!(it.fresh(1).await? == before, "a `create` that was sent again was written again");
    Ok(())
}

async fn an_update_sent_again_is_updated(it: Subject) -> Check {
    let first = it.create(1, owned_by(0)).await?;
    let sent = owned_by(0);
    it.updated(1, first, sent.clone()).await?;
    it.storage.touch(&key(1), at(1), at(1).after(LIFE)).await?;
    let before = it.fresh(1).await?;
    let again = it.update(1, first, sent).await?;
    holds!(again == Update::Updated, "an `update` that was sent again was {again:?}");
    holds!(it.fresh(1).await? == before, "an `update` that was sent again was written again");
    Ok(())
}

async fn update_compares_the_version(it: Subject) -> Check {
    let first = it.create(1, record("first")).await?;
    let second = it.updated(1, first, record("second")).await?;
    holds!(second != first, "`update` did not change the version");
    let stale = it.update(1, first, record("stale")).await?;
    holds!(stale == Update::Conflict, "`update` with an old version was {stale:?}");
    let invented = it.update(1, Version::from_u64(u64::MAX), record("invented")).await?;
    holds!(
        invented == Update::Conflict,
        "`update` with a version that no record has was {invented:?}"
    );
    let found = it.found(1).await?;
    holds!(found.version == second, "`read` gives another version than `update` did");
    holds!(*found.payload == *b"second", "an `update` with another version was written");
    Ok(())
}

async fn a_conflict_leaves_the_record(it: Subject) -> Check {
    let first = it.create(1, record("first")).await?;
    it.updated(1, first, record("second")).await?;
    let before = it.found(1).await?;
    let other = Record { owner: Some(owner(1)), expires: at(1), ..record("stale") };
    it.update(1, first, other).await?;
    let after = it.found(1).await?;
    holds!(before == after, "a refused `update` changed {before:?} to {after:?}");
    let listed = it.listed(&owner(1), 0..2, NOW).await?;
    holds!(listed.is_empty(), "a refused `update` entered the record in an owner's index");
    Ok(())
}

async fn update_never_inserts(it: Subject) -> Check {
    let outcome = it.update(1, Version::from_u64(0), record("")).await?;
    holds!(outcome == Update::Missing, "`update` of an unknown key was {outcome:?}");
    holds!(it.read(1).await?.is_none(), "`update` of an unknown key made a record");
    Ok(())
}

async fn update_after_invalidate_is_missing(it: Subject) -> Check {
    let version = it.create(1, record("")).await?;
    it.invalidate(1).await?;
    let outcome = it.update(1, version, record("late")).await?;
    holds!(outcome == Update::Missing, "`update` after `invalidate` was {outcome:?}");
    holds!(it.read(1).await?.is_none(), "`update` after `invalidate` revived the record");
    Ok(())
}

async fn invalidate_is_idempotent(it: Subject) -> Check {
    holds!(!it.invalidate(1).await?, "`invalidate` of an unknown key says that it was there");
    it.create(1, record("")).await?;
    it.create(2, record("")).await?;
    holds!(it.invalidate(1).await?, "`invalidate` says that a live record was not there");
    holds!(it.read(1).await?.is_none(), "`invalidate` left the record");
    holds!(!it.invalidate(1).await?, "a second `invalidate` says that the record was there");
    holds!(it.read(2).await?.is_some(), "`invalidate` deleted another record");
    Ok(())
}

async fn an_update_keeps_the_owner(it: Subject) -> Check {
    for (n, before) in (0..).zip([record("nobody's"), owned_by(0)]) {
        let version = it.create(n, before.clone()).await?;
        let updated = it.storage.update(&key(n), version, owned_by(1), NOW).await;
        holds!(updated.is_err(), "an `update` that names another owner was {updated:?}");
        holds!(it.found(n).await? == before, "an `update` that is an error was written");
    }
    for n in 0..2 {
        let listed = it.listed(&owner(n), 0..2, NOW).await?;
        let theirs: &[u64] = if n == 0 && it.storage.owners().is_some() { &[1] } else { &[] };
        holds!(listed == theirs, "after it, owner {n} has {listed:?}");
    }
    Ok(())
}

async fn invalidate_compares_the_version(it: Subject) -> Check {
    let marks = [None, Some(at(120))];
    for (n, mark) in (1..).zip(marks) {
        let first = it.create(n, owned_by(0)).await?;
        let present = it.updated(n, first, owned_by(0)).await?;
        for stale in [first, Version::from_u64(0)] {
            let ended = it.end(n, Some(stale), mark).await?;
            holds!(ended == Invalidate::Conflict, "`invalidate` of another version was {ended:?}");
            holds!(it.found(n).await?.version == present, "a conflict changed the record");
        }
        let listed = it.listed(&owner(0), n..n + 1, NOW).await?;
        holds!(listed.is_empty() == it.storage.owners().is_none(), "a conflict left {listed:?}");
        it.storage.touch(&key(n), at(1), at(1).after(LIFE)).await?;
        let ended = it.end(n, Some(present), mark).await?;
        holds!(
            ended == Invalidate::Invalidated,
            "`invalidate` of the present version was {ended:?}"
        );
        holds!(it.read(n).await?.is_none(), "`invalidate` of the present version left the record");
        let again = it.end(n, Some(present), mark).await?;
        holds!(again == Invalidate::Missing, "`invalidate` of an ended record was {again:?}");
        let unknown = it.end(n + 10, Some(present), mark).await?;
        holds!(
            unknown == Invalidate::Missing,
            "`invalidate` of a record that never existed was {unknown:?}"
        );
        for n in [n, n + 10] {
            let made = it.storage.create(&key(n), record(""), FREE, NOW).await?;
            let marked = made == Create::Refused(Refused::Revoked);
            holds!(marked == mark.is_some(), "with the mark {mark:?} a `create` was {made:?}");
        }
    }
    // What a conflict leaves may still be ended, and begun again.
    let version = it.create(3, record("")).await?;
    it.end(3, Some(Version::from_u64(0)), Some(at(120))).await?;
    it.end(3, Some(version), None).await?;
    let made = it.storage.create(&key(3), record(""), FREE, NOW).await?;
    holds!(made == Create::Created, "a conflict left a mark: `create` was {made:?}");
    Ok(())
}

async fn a_guard_needs_an_index(it: Subject) -> Check {
    if it.storage.owners().is_some() {
        return Ok(());
    }
    let limit = Some(OwnerLimit { max: 1, policy: OwnerLimitPolicy::EndOldest });
    let guards = [
        OwnerGuard { limit, ..FREE },
        OwnerGuard { generation: Some(Generation::from_u64(u64::MAX)), ..FREE },
    ];
    for (n, guard) in (0..).zip(guards) {
        let created = it.storage.create(&key(n), owned_by(0), guard, NOW).await;
        holds!(created.is_err(), "without an index, a guarded `create` was {created:?}");
        holds!(it.read(n).await?.is_none(), "a refused `create` left a record");
        it.create(n, owned_by(0)).await?;
    }
    // Without a limit, the record that the guard replaces makes no difference.
    let replacing = OwnerGuard { replaces: Some(key(0)), ..FREE };
    let created = it.storage.create(&key(9), owned_by(0), replacing, NOW).await?;
    holds!(
        created == Create::Created,
        "without a limit, one that replaces another was {created:?}"
    );
    Ok(())
}

async fn two_handles_agree(it: Subject) -> Check {
    let other = Subject { storage: Arc::clone(&it.again), again: Arc::clone(&it.storage) };
    let first = it.create(1, record("first")).await?;
    let exists = other.storage.create(&key(1), record("other"), FREE, NOW).await?;
    holds!(exists == Create::Exists, "the other handle's `create` of one key was {exists:?}");
    let seen = other.found(1).await?;
    holds!(seen.version == first, "the other handle reads another version");
    other.updated(1, seen.version, record("second")).await?;
    let late = it.update(1, first, record("late")).await?;
    holds!(late == Update::Conflict, "after the other handle's write, `update` was {late:?}");
    holds!(*it.found(1).await?.payload == *b"second", "the other handle's write is not seen");
    it.invalidate(1).await?;
    holds!(other.read(1).await?.is_none(), "an ended session lives on in the other handle");
    Ok(())
}
