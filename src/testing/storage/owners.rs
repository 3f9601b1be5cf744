//! The index of owners: it names what lives, and nothing else.

use super::case::{Broken, Case, Check, cases, holds};
use super::subject::{FREE, LIFE, NOW, Subject, at, key, owned_by, owner, record};
use crate::storage::{
    Create, OwnerGuard, OwnerKey, OwnerLimit, OwnerLimitPolicy, Record, Refused, StorageKey,
};

cases! {
    OWNER_CASES;
    list_names_an_owners_records: "`list` returns an owner's live records, and no others",
    list_goes_by_pages: "the pages of `list` give every record once, in the order of their keys",
    the_index_follows_the_owner: "a record stays in its owner's index until it has no owner",
    the_index_has_no_ghosts: "an ended or purged record is not in its owner's index",
    list_leaves_out_the_expired: "an expired record is in no list, even if it was not purged",
    invalidate_owner_counts_the_living: "`invalidate_owner` does not count expired records",
    invalidate_owner_ends_all: "`invalidate_owner` ends an owner's records, except those given, and no other owner's",
    an_invalidated_owner_refuses_older_writes: "no guarded `create` that began before `invalidate_owner` leaves a live record",
    a_limit_ends_the_oldest: "over an owner's limit, the oldest session ends in the same step",
    a_limit_refuses: "over an owner's limit with `Refuse`, nothing is written",
    a_limit_counts_the_living: "only live records count towards an owner's limit",
    owners_are_apart: "owners whose keys differ in one bit are independent",
}

fn limit(max: usize, policy: OwnerLimitPolicy) -> OwnerGuard {
    OwnerGuard { limit: Some(OwnerLimit { max, policy }), ..FREE }
}

async fn list_names_an_owners_records(it: Subject) -> Check {
    for n in 0..9 {
        it.create(n, owned_by(n % 3)).await?;
    }
    it.create(9, record("nobody's")).await?;
    for n in 0..3 {
        let listed = it.listed(&owner(n), 0..10, NOW).await?;
        holds!(
            listed == [n, n + 3, n + 6],
            "of records {n}, {}, {} it listed {listed:?}",
            n + 3,
            n + 6
        );
    }
    let page = it.index()?.list(&owner(0), None, 10, NOW).await?;
    for (key, stored) in page.records {
        let read = it.storage.read(&key, NOW).await?;
        holds!(read.as_ref() == Some(&stored), "`list` gave {stored:?}, `read` {read:?}");
    }
    let unknown = it.listed(&owner(3), 0..10, NOW).await?;
    holds!(unknown.is_empty(), "`list` returns records of an owner that has none");
    Ok(())
}

async fn list_goes_by_pages(it: Subject) -> Check {
    for n in 0..25 {
        it.create(n, owned_by(0)).await?;
    }
    let mut seen: Vec<StorageKey> = Vec::new();
    let mut after = None;
    for _ in 0..26 {
        let page = it.index()?.list(&owner(0), after.as_ref(), 4, NOW).await?;
        holds!(page.records.len() <= 4, "a page of 4 has {} records", page.records.len());
        seen.extend(page.records.into_iter().map(|(key, _)| key));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut expected: Vec<_> = (0..25).map(key).collect();
    expected.sort_unstable();
    holds!(seen == expected, "25 records came as {} in pages of 4, or out of order", seen.len());
    Ok(())
}

async fn the_index_follows_the_owner(it: Subject) -> Check {
    let version = it.create(1, owned_by(1)).await?;
    let version = it.updated(1, version, Record { created: at(5), ..owned_by(1) }).await?;
    holds!(it.listed(&owner(1), 0..2, NOW).await? == [1], "the record left its own owner's index");
    it.updated(1, version, record("nobody's")).await?;
    holds!(
        it.listed(&owner(1), 0..2, NOW).await?.is_empty(),
        "a record without an owner is in an owner's index"
    );
    let ended = it.index()?.invalidate_owner(&owner(1), &[], NOW).await?;
    holds!(ended == 0, "it ended {ended} record(s) without an owner");
    holds!(it.read(1).await?.is_some(), "`invalidate_owner` ended a record without an owner");
    Ok(())
}

async fn the_index_has_no_ghosts(it: Subject) -> Check {
    for n in 0..6 {
        let expires = if n == 5 { at(10) } else { NOW.after(LIFE) };
        it.create(n, Record { expires, ..owned_by(0) }).await?;
    }
    it.invalidate(0).await?;
    for _ in 0..10 {
        it.storage.purge_expired(at(10), 10).await?;
    }
    holds!(it.listed(&owner(0), 0..6, at(10)).await? == [1, 2, 3, 4], "an ended record is listed");
    let ended = it.index()?.invalidate_owner(&owner(0), &[], at(10)).await?;
    holds!(ended == 4, "of 4 records `invalidate_owner` ended {ended}");
    holds!(it.listed(&owner(0), 0..6, at(10)).await?.is_empty(), "an ended record is listed");
    Ok(())
}

/// Three of this owner's records: 0 lives, 1 expired as it was made, 2 by an
/// `update`. Nobody purges.
async fn two_of_three_expired(it: &Subject) -> Check {
    it.create(0, Record { created: NOW, ..owned_by(0) }).await?;
    it.create(1, Record { created: at(1), expires: at(10), ..owned_by(0) }).await?;
    let version = it.create(2, Record { created: at(2), ..owned_by(0) }).await?;
    let shorter = Record { created: at(2), expires: at(10), ..owned_by(0) };
    it.updated(2, version, shorter).await.map(drop)
}

async fn list_leaves_out_the_expired(it: Subject) -> Check {
    two_of_three_expired(&it).await?;
    let listed = it.listed(&owner(0), 0..3, at(10)).await?;
    holds!(listed == [0], "of three records, two of them expired, it listed {listed:?}");
    // They take no place on a page either.
    let page = it.index()?.list(&owner(0), None, 1, at(10)).await?;
    holds!(page.records.len() == 1, "an expired record takes the place of a live one");
    holds!(page.next.is_none(), "after the only live record comes another page");
    Ok(())
}

async fn invalidate_owner_counts_the_living(it: Subject) -> Check {
    two_of_three_expired(&it).await?;
    let ended = it.index()?.invalidate_owner(&owner(0), &[], at(10)).await?;
    holds!(ended == 1, "of three records, two of them expired, it ended {ended}");
    Ok(())
}

async fn invalidate_owner_ends_all(it: Subject) -> Check {
    for n in 0..12 {
        it.create(n, owned_by(n % 2)).await?;
    }
    let except = [key(0), key(1)];
    let ended = it.index()?.invalidate_owner(&owner(0), &except, NOW).await?;
    holds!(ended == 5, "of 5 records to end it ended {ended}");
    for n in 0..12 {
        let lives = n == 0 || n % 2 == 1;
        holds!(it.read(n).await?.is_some() == lives, "record {n} lives: {}", !lives);
    }
    holds!(it.listed(&owner(0), 0..12, NOW).await? == [0], "the excepted record left the index");
    let again = it.index()?.invalidate_owner(&owner(0), &[], NOW).await?;
    let nobody = it.index()?.invalidate_owner(&owner(7), &[], NOW).await?;
    holds!(
        (again, nobody) == (1, 0),
        "ending the last record, then those of an owner without any, gave {again}, {nobody}"
    );
    Ok(())
}

/// Returns a guard that an `invalidate_owner` has made outdated, and a fresh one.
async fn guards(it: &Subject, owner: &OwnerKey) -> Check<(OwnerGuard, OwnerGuard)> {
    let taken = async || {
        let generation = it.index()?.generation(owner).await?;
        Ok::<_, Broken>(OwnerGuard { generation: Some(generation), ..FREE })
    };
    let old = taken().await?;
    it.index()?.invalidate_owner(owner, &[], NOW).await?;
    Ok((old, taken().await?))
}

async fn an_invalidated_owner_refuses_older_writes(it: Subject) -> Check {
    for round in 0..3 {
        let (old, fresh) = guards(&it, &owner(0)).await?;
        let late = it.storage.create(&key(1), owned_by(0), old.clone(), NOW).await?;
        holds!(
            late == Create::Refused(Refused::Revoked),
            "in round {round} the older `create` was {late:?}"
        );
        holds!(it.read(1).await?.is_none(), "the refused `create` left a record");
        let other = it.storage.create(&key(2), owned_by(1), old, NOW).await?;
        holds!(other == Create::Created, "another owner's `create` was {other:?}");
        let now = it.storage.create(&key(1), owned_by(0), fresh, NOW).await?;
        holds!(now == Create::Created, "a `create` that began after it was {now:?}");
        it.invalidate(1).await?;
        it.invalidate(2).await?;
    }
    Ok(())
}

async fn a_limit_ends_the_oldest(it: Subject) -> Check {
    let guard = limit(3, OwnerLimitPolicy::EndOldest);
    // The oldest by `created`, not by the order of writing.
    for (n, created) in [(0, 30), (1, 10), (2, 20), (3, 40), (4, 50)] {
        let record = Record { created: at(created), ..owned_by(0) };
        let outcome = it.storage.create(&key(n), record, guard.clone(), NOW).await?;
        holds!(outcome == Create::Created, "a `create` over the limit was {outcome:?}");
    }
    let listed = it.listed(&owner(0), 0..5, NOW).await?;
    holds!(listed == [0, 3, 4], "of 5 sessions with a limit of 3, {listed:?} live");
    for n in [1, 2] {
        holds!(it.read(n).await?.is_none(), "a session over the limit can still be read");
    }
    Ok(())
}

async fn a_limit_refuses(it: Subject) -> Check {
    let guard = limit(2, OwnerLimitPolicy::Refuse);
    for (n, expected) in [(0, true), (1, true), (2, false)] {
        let outcome = it.storage.create(&key(n), owned_by(0), guard.clone(), NOW).await?;
        holds!((outcome == Create::Created) == expected, "`create` number {n} was {outcome:?}");
        holds!(
            expected || outcome == Create::Refused(Refused::LimitReached),
            "over the limit, `create` was {outcome:?}"
        );
    }
    holds!(
        it.listed(&owner(0), 0..3, NOW).await? == [0, 1],
        "a refused `create` changed the index"
    );
    let version = it.found(0).await?.version;
    it.updated(0, version, owned_by(0)).await?;
    it.invalidate(1).await?;
    let outcome = it.storage.create(&key(3), owned_by(0), guard.clone(), NOW).await?;
    holds!(outcome == Create::Created, "an ended session still counts: {outcome:?}");
    Ok(())
}

async fn a_limit_counts_the_living(it: Subject) -> Check {
    two_of_three_expired(&it).await?;
    let refuse = limit(2, OwnerLimitPolicy::Refuse);
    let record = Record { created: at(10), expires: at(10).after(LIFE), ..owned_by(0) };
    let outcome = it.storage.create(&key(3), record.clone(), refuse, at(10)).await?;
    holds!(outcome == Create::Created, "expired sessions count towards the limit: {outcome:?}");
    let end = limit(3, OwnerLimitPolicy::EndOldest);
    let outcome = it.storage.create(&key(4), record, end, at(10)).await?;
    holds!(outcome == Create::Created, "a `create` within the limit was {outcome:?}");
    for n in [0, 3, 4] {
        let found = it.storage.read(&key(n), at(10)).await?;
        holds!(found.is_some(), "a live session ended because expired ones were counted");
    }
    Ok(())
}

async fn owners_are_apart(it: Subject) -> Check {
    let value_owner = |bit: usize| {
        let mut bytes = [0xa5; 32];
        bytes[bit / 8] ^= 1 << (bit % 8);
        OwnerKey::from_bytes(bytes)
    };
    for (n, bit) in (0..).zip((0..256).step_by(5)) {
        it.create(n, Record { owner: Some(value_owner(bit)), ..record("") }).await?;
    }
    it.index()?.invalidate_owner(&value_owner(0), &[], NOW).await?;
    for (n, bit) in (0..).zip((0..256).step_by(5)) {
        let listed = it.listed(&value_owner(bit), 0..52, NOW).await?;
        let expected: &[u64] = if bit == 0 { &[] } else { &[n] };
        holds!(listed == expected, "owner number {n} has the sessions {listed:?}");
    }
    Ok(())
}
