//! Touch, expiry and purge, at given times.

use super::case::{Case, Check, cases, holds};
use super::subject::{FREE, NOW, Subject, at, key, owner, record};
use crate::storage::{Create, Record, Timestamp, Touch, Update};

cases! {
    CASES;
    touch_moves_the_times: "`touch` moves last seen and expiry forwards",
    touch_leaves_version_and_payload: "`touch` changes neither the version nor the payload",
    touch_never_shortens: "`touch` never shortens the life of a record and moves no time back",
    touch_never_revives: "`touch` never revives an ended or expired record",
    an_expired_record_is_none: "an expired record is absent, whether it was purged or not",
    create_replaces_the_expired: "`create` succeeds over an expired record that was not purged",
    an_expired_record_takes_no_update: "an expired record cannot be updated",
    update_may_shorten_a_life: "`update` sets the expiry as it is given",
    purge_is_bounded: "`purge_expired` removes no more than it is asked for",
    purge_keeps_the_living: "`purge_expired` removes all expired records (none, if the storage removes them by itself) and nothing else",
}

/// A record that expires so many seconds after the beginning.
fn until(seconds: u64) -> Record {
    Record { expires: at(seconds), ..record("until") }
}

async fn touch_moves_the_times(it: Subject) -> Check {
    it.create(1, until(100)).await?;
    let touched = it.storage.touch(&key(1), at(10), at(200)).await?;
    holds!(touched == Touch::Touched, "`touch` of a live record was {touched:?}");
    let found = it.found(1).await?;
    holds!(found.last_seen == at(10), "last seen is {} instead of {}", found.last_seen, at(10));
    holds!(found.expires == at(200), "the expiry is {} instead of {}", found.expires, at(200));
    let later = it.storage.read(&key(1), at(150)).await?;
    holds!(later.is_some(), "a touched record died at its old time");
    Ok(())
}

async fn touch_leaves_version_and_payload(it: Subject) -> Check {
    let created = Record { owner: Some(owner(1)), ..until(100) };
    let version = it.create(1, created.clone()).await?;
    for n in 1..20 {
        it.storage.touch(&key(1), at(n), at(100 + n)).await?;
    }
    let found = it.found(1).await?;
    holds!(found.version == version, "`touch` changed the version");
    holds!(
        Record { last_seen: NOW, expires: at(100), ..found.clone() } == created,
        "`touch` changed more than the times: {:?}",
        found
    );
    it.updated(1, version, record("after")).await.map(drop)
}

async fn touch_never_shortens(it: Subject) -> Check {
    it.create(1, Record { last_seen: at(50), ..until(1000) }).await?;
    it.storage.touch(&key(1), at(20), at(60)).await?;
    let found = it.found(1).await?;
    holds!(found.expires == at(1000), "`touch` shortened the life to {}", found.expires);
    holds!(found.last_seen == at(50), "`touch` moved last seen back to {}", found.last_seen);
    Ok(())
}

async fn touch_never_revives(it: Subject) -> Check {
    it.create(1, until(1000)).await?;
    it.invalidate(1).await?;
    it.create(2, until(10)).await?;
    for (n, what) in [(1, "an ended"), (2, "an expired"), (3, "an unknown")] {
        let outcome = it.storage.touch(&key(n), at(10), at(1000)).await?;
        holds!(outcome == Touch::Missing, "`touch` of {what} record was {outcome:?}");
        let found = it.storage.read(&key(n), at(10)).await?;
        holds!(found.is_none(), "`touch` revived {what} record");
    }
    Ok(())
}

async fn an_expired_record_is_none(it: Subject) -> Check {
    it.create(1, until(10)).await?;
    let before = Timestamp::from_millis(at(10).as_millis() - 1);
    let alive = it.storage.read(&key(1), before).await?;
    holds!(alive.is_some(), "a record died a millisecond early");
    let dead = it.storage.read(&key(1), at(10)).await?;
    holds!(dead.is_none(), "a record lives on at its expiry");
    Ok(())
}

async fn create_replaces_the_expired(it: Subject) -> Check {
    let old = it.create(1, Record { owner: Some(owner(1)), ..until(10) }).await?;
    let next = Record { owner: Some(owner(2)), created: at(10), ..until(1000) };
    let created = it.storage.create(&key(1), next.clone(), FREE, at(10)).await?;
    holds!(created == Create::Created, "`create` over an expired record was {created:?}");
    let found = it.storage.read(&key(1), at(10)).await?;
    holds!(
        found.as_ref() == Some(&next),
        "after `create` over an expired record, `read` gave {found:?}"
    );
    let late = it.storage.update(&key(1), old, until(1000), at(10)).await?;
    holds!(late == Update::Conflict, "`update` of the expired record's version was {late:?}");
    if it.storage.owners().is_some() {
        let listed = it.listed(&owner(1), 0..2, at(10)).await?;
        holds!(listed.is_empty(), "the expired record's owner has the new one");
        let listed = it.listed(&owner(2), 0..2, at(10)).await?;
        holds!(listed == [1], "the new record is not in its owner's index");
    }
    // Purging what has expired leaves it.
    it.storage.purge_expired(at(10), 100).await?;
    let found = it.storage.read(&key(1), at(10)).await?;
    holds!(found.is_some(), "a purge took the new record for the expired one");
    Ok(())
}

async fn an_expired_record_takes_no_update(it: Subject) -> Check {
    let version = it.create(1, until(10)).await?;
    let outcome = it.storage.update(&key(1), version, until(1000), at(10)).await?;
    holds!(outcome == Update::Missing, "`update` of an expired record was {outcome:?}");
    let found = it.storage.read(&key(1), at(11)).await?;
    holds!(found.is_none(), "`update` revived an expired record");
    Ok(())
}

async fn update_may_shorten_a_life(it: Subject) -> Check {
    let version = it.create(1, until(1000)).await?;
    it.updated(1, version, until(10)).await?;
    let found = it.storage.read(&key(1), at(10)).await?;
    holds!(found.is_none(), "a record outlives the expiry that an `update` gave it");
    Ok(())
}

async fn purge_is_bounded(it: Subject) -> Check {
    for n in 0..30 {
        it.create(n, until(10)).await?;
    }
    let purged = it.storage.purge_expired(at(10), 7).await?;
    holds!(purged <= 7, "asked for 7 at the most, it removed {purged}");
    Ok(())
}

async fn purge_keeps_the_living(it: Subject) -> Check {
    for n in 0..60 {
        let seconds = if n % 3 == 0 { 1000 } else { 10 };
        it.create(n, Record { owner: Some(owner(n % 2)), ..until(seconds) }).await?;
    }
    // Touched and updated records live by their present expiry.
    it.storage.touch(&key(1), at(5), at(1000)).await?;
    let version = it.found(2).await?.version;
    it.updated(2, version, until(1000)).await?;
    let mut removed = 0;
    for _ in 0..100 {
        removed += it.storage.purge_expired(at(500), 9).await?;
    }
    for n in 0..60 {
        let lives = n % 3 == 0 || n == 1 || n == 2;
        let found = it.storage.read(&key(n), at(500)).await?;
        holds!(found.is_some() == lives, "record {n} lives: {}, it should: {lives}", !lives);
    }
    holds!(removed == 0 || removed == 38, "of 38 expired records it removed {removed}");
    Ok(())
}
