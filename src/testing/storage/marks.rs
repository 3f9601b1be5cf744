//! What arrives after the end of its record, and the marks that keep it out.

use super::case::{Case, Check, cases, holds};
use super::subject::{FREE, LIFE, NOW, Subject, at, key, owned_by, owner, record};
use crate::storage::{
    Create, Invalidate, OwnerGuard, OwnerLimit, OwnerLimitPolicy, Record, Refused, Timestamp,
    Touch, Update, Version,
};

cases! {
    CASES;
    a_create_after_the_end_is_refused: "a `create` that arrives after the end of its record is refused while the mark is valid",
    a_create_after_an_unknown_end_is_refused: "the end of a record that does not exist yet leaves a mark, too",
    a_mark_ends: "a key is free from the time in its mark on",
    without_a_mark_a_key_is_free: "an end without a mark leaves its key free at once",
    the_later_mark_counts: "of several ends of one key, the latest mark counts",
    a_mark_is_no_record: "a mark is not read, updated, touched, listed or ended",
    a_mark_is_purged_in_time: "a purge removes no valid mark, and counts no marks",
}

cases! {
    OWNER_CASES;
    a_create_sent_again_counts_once: "a repeated `create` ends no other session and is not refused",
    a_create_after_the_end_of_its_owners_is_refused: "a guarded `create` that is repeated after `invalidate_owner` is refused, unless its record was excepted",
}

const REVOKED: Create = Create::Refused(Refused::Revoked);

impl Subject {
    async fn create_at(&self, n: u64, record: Record, now: Timestamp) -> Check<Create> {
        Ok(self.storage.create(&key(n), record, FREE, now).await?)
    }

    /// Ends a record; the mark stands for so many seconds.
    async fn end_until(&self, n: u64, seconds: u64) -> Check<bool> {
        Ok(self.end(n, None, Some(at(seconds))).await? == Invalidate::Invalidated)
    }
}

/// A millisecond before so many seconds.
fn before(seconds: u64) -> Timestamp {
    Timestamp::from_millis(at(seconds).as_millis() - 1)
}

async fn a_create_after_the_end_is_refused(it: Subject) -> Check {
    for (n, sent) in [(1, record("")), (2, owned_by(0))] {
        it.create(n, sent.clone()).await?;
        holds!(it.end_until(n, 120).await?, "`invalidate` says that a live record was not there");
        for now in [NOW, before(120)] {
            let again = it.create_at(n, sent.clone(), now).await?;
            holds!(again == REVOKED, "a repeated `create` was {again:?}");
            let other = it.create_at(n, owned_by(0), now).await?;
            holds!(other == REVOKED, "another `create` was {other:?}");
        }
        holds!(it.read(n).await?.is_none(), "a refused `create` left a record");
    }
    let listed = it.listed(&owner(0), 0..3, NOW).await?;
    holds!(listed.is_empty(), "a refused `create` left {listed:?} in its owner's index");
    Ok(())
}

async fn a_create_after_an_unknown_end_is_refused(it: Subject) -> Check {
    for (n, sent) in [(1, record("")), (2, owned_by(0))] {
        holds!(
            !it.end_until(n, 120).await?,
            "`invalidate` of an unknown key says that it was there"
        );
        let late = it.create_at(n, sent, before(120)).await?;
        holds!(late == REVOKED, "a late `create` was {late:?}");
        holds!(it.read(n).await?.is_none(), "a refused `create` left a record");
    }
    Ok(())
}

async fn a_mark_ends(it: Subject) -> Check {
    it.create(1, owned_by(0)).await?;
    for (n, next) in [(1, owned_by(1)), (2, record("next"))] {
        it.end_until(n, 120).await?;
        let created = it.create_at(n, next.clone(), at(120)).await?;
        holds!(created == Create::Created, "at the time in its mark, a `create` was {created:?}");
        let found = it.storage.read(&key(n), at(120)).await?;
        holds!(found.as_ref() == Some(&next), "after a mark, `read` gave {found:?}");
        it.updated(n, next.version, record("")).await?;
    }
    Ok(())
}

async fn without_a_mark_a_key_is_free(it: Subject) -> Check {
    for round in 0..3 {
        it.invalidate(1).await?;
        let created = it.create_at(1, owned_by(round), NOW).await?;
        holds!(created == Create::Created, "in round {round} a `create` was {created:?}");
    }
    Ok(())
}

async fn the_later_mark_counts(it: Subject) -> Check {
    it.create(1, record("")).await?;
    for seconds in [60, 120, 30] {
        it.end_until(1, seconds).await?;
    }
    it.invalidate(1).await?;
    let early = it.create_at(1, record(""), before(120)).await?;
    holds!(
        early == REVOKED,
        "with marks of 60, 120 and 30 s, a `create` before 120 s was {early:?}"
    );
    let created = it.create_at(1, record(""), at(120)).await?;
    holds!(created == Create::Created, "after all of them a `create` was {created:?}");
    Ok(())
}

async fn a_mark_is_no_record(it: Subject) -> Check {
    let version = it.create(1, owned_by(0)).await?;
    for n in 1..3 {
        it.end_until(n, 120).await?;
        let found = it.read(n).await?;
        holds!(found.is_none(), "`read` of a mark gave {found:?}");
        let fresh = it.fresh(n).await?;
        holds!(fresh.is_none(), "`read_fresh` of a mark gave {fresh:?}");
        for expected in [version, Version::from_u64(0)] {
            let updated = it.update(n, expected, owned_by(0)).await?;
            holds!(updated == Update::Missing, "`update` of a mark was {updated:?}");
        }
        let touched = it.storage.touch(&key(n), at(1), at(1).after(LIFE)).await?;
        holds!(touched == Touch::Missing, "`touch` of a mark was {touched:?}");
        let listed = it.listed(&owner(0), 0..3, NOW).await?;
        holds!(listed.is_empty(), "`list` gives the mark of {listed:?}");
        holds!(!it.invalidate(n).await?, "`invalidate` says that a mark was a record");
    }
    let Some(index) = it.storage.owners() else { return Ok(()) };
    let ended = index.invalidate_owner(&owner(0), &[], NOW).await?;
    holds!(ended == 0, "`invalidate_owner` counts {ended} mark(s)");
    let late = it.create_at(1, record(""), NOW).await?;
    holds!(late == REVOKED, "after `invalidate_owner`, the mark is gone: {late:?}");
    Ok(())
}

async fn a_mark_is_purged_in_time(it: Subject) -> Check {
    it.create(1, owned_by(0)).await?;
    for n in 1..20 {
        it.end_until(n, 120).await?;
    }
    for (now, standing) in [(before(120), true), (at(120), false)] {
        for _ in 0..10 {
            let purged = it.storage.purge_expired(now, 10).await?;
            holds!(purged == 0, "`purge_expired` counts {purged} mark(s)");
        }
        for n in 1..20 {
            let late = it.create_at(n, record(""), now).await?;
            holds!(
                (late == REVOKED) == standing,
                "at {now}, after a purge, a `create` was {late:?}"
            );
        }
    }
    Ok(())
}

async fn a_create_sent_again_counts_once(it: Subject) -> Check {
    for (owner, policy) in [(0, OwnerLimitPolicy::EndOldest), (1, OwnerLimitPolicy::Refuse)] {
        let guard = OwnerGuard { limit: Some(OwnerLimit { max: 2, policy }), ..FREE };
        let sent = [0, 1].map(|n| (owner * 10 + n, Record { created: at(n), ..owned_by(owner) }));
        for (n, record) in sent.iter().chain(&sent) {
            let made = it.storage.create(&key(*n), record.clone(), guard.clone(), NOW).await?;
            holds!(made == Create::Created, "with {policy:?} record {n} was {made:?}");
        }
        let listed = it.listed(&super::subject::owner(owner), 0..20, NOW).await?;
        holds!(listed.len() == 2, "with {policy:?} {listed:?} are left of two");
    }
    Ok(())
}

async fn a_create_after_the_end_of_its_owners_is_refused(it: Subject) -> Check {
    let index = it.index()?;
    let generation = Some(index.generation(&owner(0)).await?);
    let guard = OwnerGuard { generation, ..FREE };
    let sent = [1, 2].map(|n| (n, owned_by(0)));
    let create = async |(n, record): &(u64, Record)| {
        it.storage.create(&key(*n), record.clone(), guard.clone(), NOW).await
    };
    for sent in &sent {
        create(sent).await?;
    }
    let ended = index.invalidate_owner(&owner(0), &[key(2)], NOW).await?;
    holds!(ended == 1, "of one record `invalidate_owner` ended {ended}");
    for (sent, expected) in sent.iter().zip([REVOKED, Create::Created]) {
        let again = create(sent).await?;
        holds!(again == expected, "record {} was {again:?} when it was sent again", sent.0);
    }
    let listed = it.listed(&owner(0), 0..3, NOW).await?;
    holds!(listed == [2], "after it, {listed:?} live");
    Ok(())
}
