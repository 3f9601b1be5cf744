//! A login takes the place of a session: the two writes of `succeed`, and the limit
//! where one session replaces another.

use super::case::{Case, Check, cases, holds};
use super::subject::{FREE, LIFE, NOW, Subject, at, key, owned_by, owner, record};
use crate::storage::{
    Create, OwnerGuard, OwnerLimit, OwnerLimitPolicy, Record, Refused, Succeed, Update,
};

cases! {
    CASES;
    a_login_writes_both: "`succeed` creates one record and replaces the other",
    a_login_sent_again_is_one_login: "a repeated `succeed` gives the same answer and changes nothing",
    a_login_that_is_not_created_replaces_nothing: "if the successor is not created, `succeed` writes nothing",
    a_login_stays_whatever_became_of_the_session: "if the predecessor has changed or is gone, the successor stays all the same",
}

cases! {
    OWNER_CASES;
    a_refused_login_replaces_nothing: "if the guard refuses the successor, `succeed` writes nothing",
    a_replaced_session_leaves_the_index: "a record that `succeed` replaces leaves its owner's index and no longer counts",
    a_replaced_session_does_not_count: "a session that the guard replaces does not count against the limit, and does not end for it",
    only_a_live_session_of_the_owner_is_replaced: "a guard that replaces anything but a live record of the owner works like one that replaces nothing",
}

const CREATED: Succeed = Succeed::Created(Update::Updated);
const POLICIES: [OwnerLimitPolicy; 2] = [OwnerLimitPolicy::EndOldest, OwnerLimitPolicy::Refuse];

pub(super) fn replacing(n: u64, max: usize, policy: OwnerLimitPolicy) -> OwnerGuard {
    let limit = Some(OwnerLimit { max, policy });
    OwnerGuard { limit, replaces: Some(key(n)), ..FREE }
}

/// The records that stand under these keys.
async fn all(it: &Subject, keys: std::ops::Range<u64>) -> Check<Vec<Option<Record>>> {
    let mut found = Vec::new();
    for n in keys {
        found.push(it.read(n).await?);
    }
    Ok(found)
}

async fn a_login_writes_both(it: Subject) -> Check {
    let expected = it.create(1, record("old")).await?;
    let (new, replaced) = (record("new"), record("replaced"));
    let login = it.succeed((2, new.clone(), FREE), (1, expected, replaced.clone()), NOW).await?;
    holds!(login == CREATED, "`succeed` over a live record was {login:?}");
    let found = it.read(2).await?;
    holds!(found == Some(new), "under the successor's key there is {found:?}");
    let found = it.read(1).await?;
    holds!(found == Some(replaced), "under the predecessor's key there is {found:?}");
    Ok(())
}

/// Sent again after both writes, and after each of them alone.
async fn a_login_sent_again_is_one_login(it: Subject) -> Check {
    for (round, before) in (0..).zip(["both", "the first", "the second"]) {
        let (old, new) = (round * 2, round * 2 + 1);
        let expected = it.create(old, record("old")).await?;
        let successor = (new, record("new"), FREE);
        let predecessor = (old, expected, record("replaced"));
        let send = async || it.succeed(successor.clone(), predecessor.clone(), NOW).await;
        match before {
            "both" => drop(send().await?),
            "the first" => drop(it.create(new, successor.1.clone()).await?),
            _ => drop(it.updated(old, expected, predecessor.2.clone()).await?),
        }
        let later = at(1).after(LIFE);
        it.storage.touch(&key(old), at(1), later).await?;
        let again = send().await?;
        holds!(again == CREATED, "after {before} of its writes `succeed` was {again:?}");
        let found = it.found(old).await?;
        holds!(*found.payload == *b"replaced", "after {before} the predecessor is {found:?}");
        let touched = before == "the first" || found.expires == later;
        holds!(touched, "after {before} the predecessor was written again");
        let found = it.found(new).await?;
        holds!(found == successor.1, "after {before} the successor is {found:?}");
    }
    Ok(())
}

async fn a_login_that_is_not_created_replaces_nothing(it: Subject) -> Check {
    let expected = it.create(1, record("old")).await?;
    it.create(2, record("another")).await?;
    it.end(3, None, Some(at(100))).await?;
    let before = all(&it, 1..4).await?;
    for (n, outcome) in [(2, Succeed::Exists), (3, Succeed::Refused(Refused::Revoked))] {
        let login = it.succeed((n, record("new"), FREE), (1, expected, record("")), NOW).await?;
        holds!(login == outcome, "`succeed` that should be {outcome:?} was {login:?}");
        let after = all(&it, 1..4).await?;
        holds!(after == before, "{outcome:?} left {after:?} of {before:?}");
    }
    Ok(())
}

async fn a_login_stays_whatever_became_of_the_session(it: Subject) -> Check {
    let stale = it.create(1, record("old")).await?;
    it.updated(1, stale, record("changed")).await?;
    let expired = it.create(2, Record { expires: at(10), ..record("old") }).await?;
    let cases =
        [(1, stale, Update::Conflict), (2, expired, Update::Missing), (3, stale, Update::Missing)];
    for (old, expected, outcome) in cases {
        let before = it.read(old).await?;
        let new = Record { expires: at(10).after(LIFE), ..record("new") };
        let login =
            it.succeed((old + 10, new.clone(), FREE), (old, expected, record("")), at(10)).await?;
        holds!(
            login == Succeed::Created(outcome),
            "with a predecessor that is {outcome:?}, `succeed` was {login:?}"
        );
        holds!(it.found(old + 10).await? == new, "the successor of record {old} is another");
        let after = it.read(old).await?;
        // Any operation may remove an expired record.
        let kept = after == before || outcome == Update::Missing && after.is_none();
        holds!(kept, "a predecessor that is {outcome:?} became {after:?}");
    }
    Ok(())
}

async fn a_refused_login_replaces_nothing(it: Subject) -> Check {
    let old = it.index()?.generation(&owner(0)).await?;
    it.index()?.invalidate_owner(&owner(0), &[], NOW).await?;
    let expected = it.create(0, record("nobody's")).await?;
    it.create(1, owned_by(0)).await?;
    let full = OwnerLimit { max: 1, policy: OwnerLimitPolicy::Refuse };
    let revoked = OwnerGuard { generation: Some(old), ..FREE };
    let full = OwnerGuard { limit: Some(full), ..FREE };
    let before = all(&it, 0..3).await?;
    for (guard, refused) in [(revoked, Refused::Revoked), (full, Refused::LimitReached)] {
        let login = it.succeed((2, owned_by(0), guard), (0, expected, record("")), NOW).await?;
        holds!(
            login == Succeed::Refused(refused),
            "`succeed` that should be refused as {refused:?} was {login:?}"
        );
        let after = all(&it, 0..3).await?;
        holds!(after == before, "a `succeed` refused as {refused:?} left {after:?} of {before:?}");
        let listed = it.listed(&owner(0), 0..3, NOW).await?;
        holds!(listed == [1], "a `succeed` refused as {refused:?} left {listed:?} in the index");
    }
    Ok(())
}

/// Over a session of the same owner, of another's, and of nobody's.
async fn a_replaced_session_leaves_the_index(it: Subject) -> Check {
    let before = [owned_by(0), owned_by(1), record("nobody's")];
    for (old, before) in (0..).zip(before) {
        let (new, theirs) = (old + 10, before.owner.clone());
        let expected = it.create(old, before).await?;
        let guard = replacing(old, 10, OwnerLimitPolicy::Refuse);
        let login = it.succeed((new, owned_by(0), guard), (old, expected, record("")), NOW).await?;
        holds!(login == CREATED, "a login over {theirs:?} was {login:?}");
        let listed = it.listed(&owner(0), 0..20, NOW).await?;
        holds!(listed == [new], "after a login over {theirs:?} the index has {listed:?}");
        let listed = it.listed(&owner(1), 0..20, NOW).await?;
        holds!(listed.is_empty(), "after a login over {theirs:?} theirs has {listed:?}");
        // With one other, there are two: the replaced one no longer counts.
        let other = replacing(99, 2, OwnerLimitPolicy::Refuse);
        let made = it.storage.create(&key(19), owned_by(0), other, NOW).await?;
        holds!(made == Create::Created, "after a login over {theirs:?} another was {made:?}");
        let ended = it.index()?.invalidate_owner(&owner(0), &[], NOW).await?;
        holds!(ended == 2, "of the login and another one, {ended} ended");
        holds!(it.read(old).await?.is_some(), "the replaced record ended with them");
    }
    Ok(())
}

async fn a_replaced_session_does_not_count(it: Subject) -> Check {
    for (owner, policy) in (0..).zip(POLICIES) {
        let first = owner * 100;
        let begun = |n: u64| Record { created: at(n), ..owned_by(owner) };
        it.create(first, begun(0)).await?;
        it.create(first + 1, begun(1)).await?;
        let guard = replacing(first, 2, policy);
        let made = it.storage.create(&key(first + 2), begun(2), guard.clone(), NOW).await?;
        holds!(made == Create::Created, "with {policy:?} `create` was {made:?}");
        let listed = listed(&it, owner).await?;
        holds!(listed == [0, 1, 2], "with {policy:?}, {listed:?} are left of the three");
        // One more is one too many, whichever is replaced.
        let more = it.storage.create(&key(first + 3), begun(3), guard, NOW).await?;
        let (outcome, left): (_, &[u64]) = match policy {
            OwnerLimitPolicy::EndOldest => (Create::Created, &[0, 2, 3]),
            OwnerLimitPolicy::Refuse => (Create::Refused(Refused::LimitReached), &[0, 1, 2]),
        };
        holds!(more == outcome, "with {policy:?} one too many was {more:?}");
        let listed = self::listed(&it, owner).await?;
        holds!(listed == left, "with {policy:?} one too many left {listed:?} instead of {left:?}");
    }
    Ok(())
}

/// The sessions of an owner whose keys begin at a hundred times its number.
async fn listed(it: &Subject, owner: u64) -> Check<Vec<u64>> {
    let first = owner * 100;
    let listed = it.listed(&super::subject::owner(owner), first..first + 100, NOW).await?;
    Ok(listed.into_iter().map(|n| n - first).collect())
}

/// Another's, one that has expired, one that has ended, and none at all.
async fn only_a_live_session_of_the_owner_is_replaced(it: Subject) -> Check {
    it.create(1000, owned_by(9)).await?;
    let refused = Create::Refused(Refused::LimitReached);
    for (owner, policy) in (0..).zip(POLICIES) {
        let first = owner * 100;
        it.create(first + 1, Record { expires: at(10), ..owned_by(owner) }).await?;
        it.create(first + 2, owned_by(owner)).await?;
        it.invalidate(first + 2).await?;
        it.create(first, Record { created: at(5), ..owned_by(owner) }).await?;
        let mut live = first;
        for (n, replaced) in (10..).zip([1000, first + 1, first + 2, first + 3]) {
            let record = Record { created: at(n), ..owned_by(owner) };
            let guard = replacing(replaced, 1, policy);
            let made = it.storage.create(&key(first + n), record, guard, at(10)).await?;
            let end = policy == OwnerLimitPolicy::EndOldest;
            let outcome = if end { Create::Created } else { refused };
            holds!(made == outcome, "with {policy:?}, replacing {replaced}, it was {made:?}");
            live = if end { first + n } else { live };
            let listed = it.listed(&super::subject::owner(owner), 0..200, at(10)).await?;
            holds!(listed == [live], "with {policy:?}, replacing {replaced}, {listed:?} live");
        }
        let others = it.read(1000).await?;
        holds!(others.is_some(), "with {policy:?} another owner's session ended");
    }
    Ok(())
}
