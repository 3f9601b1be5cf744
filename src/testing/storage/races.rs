//! Several at once. On a runtime with several threads they really race.

use std::sync::Arc;

use rocket::futures::future::{join, join_all, poll_immediate};
use tokio::sync::Barrier;

use super::case::{Case, Check, cases, holds};
use super::logins::replacing;
use super::subject::{FREE, LIFE, NOW, Subject, at, key, owned_by, owner, record};
use crate::storage::{
    Create, OwnerGuard, OwnerLimit, OwnerLimitPolicy, Record, Refused, Succeed, Update,
};

cases! {
    CASES;
    a_hundred_increments_lose_nothing: "concurrent read-modify-writes lose nothing",
    concurrent_creates_have_one_winner: "of concurrent `create`s under one key one succeeds",
    concurrent_updates_have_one_winner: "of concurrent `update`s with the same version one succeeds, so a renewal has one winner",
    of_concurrent_logins_one_replaces: "of concurrent logins over one record each begins, and one replaces it",
    invalidate_beats_every_update: "`invalidate` beats every write that started before it",
    touch_loses_no_update: "a `touch` loses no concurrent `update`",
    a_dropped_operation_is_whole: "an operation whose future is dropped happened completely or not at all",
}

cases! {
    OWNER_CASES;
    invalidate_owner_beats_every_login: "no guarded `create` that began before `invalidate_owner` survives it, however they race",
    a_limit_holds_under_concurrency: "an owner's limit holds however many sessions begin at once",
    a_limit_holds_for_concurrent_logins: "an owner's limit holds however many logins over one record begin at once",
}

/// Runs tasks at once and gives what they return.
async fn together<R, Task>(count: usize, task: impl Fn(usize) -> Task) -> Check<Vec<R>>
where
    R: Send + 'static,
    Task: Future<Output = Check<R>> + Send + 'static,
{
    let start = Arc::new(Barrier::new(count));
    let tasks = (0..count).map(|n| {
        let (start, work) = (Arc::clone(&start), task(n));
        rocket::tokio::spawn(async move {
            start.wait().await;
            work.await
        })
    });
    let done = join_all(tasks.collect::<Vec<_>>()).await;
    done.into_iter().map(|done| done.map_err(|_| "it panicked".to_owned())?).collect()
}

/// Adds one to the number in the record under key 1, however often it takes.
async fn increment(it: &Subject) -> Check {
    loop {
        let found = it.found(1).await?;
        // Let the others read the same before this one writes.
        rocket::tokio::task::yield_now().await;
        let number = String::from_utf8_lossy(&found.payload).parse::<u32>();
        let number = number.map_err(|_| "a payload came back that nobody wrote")?;
        let next = record((number + 1).to_string());
        if let Update::Updated = it.update(1, found.version, next).await? {
            return Ok(());
        }
    }
}

async fn a_hundred_increments_lose_nothing(it: Subject) -> Check {
    it.create(1, record("0")).await?;
    // All read at once, ten times.
    let round = Arc::new(Barrier::new(10));
    together(10, |n| {
        let (mut it, round) = (it.clone(), Arc::clone(&round));
        if n % 2 == 1 {
            // Through both handles.
            std::mem::swap(&mut it.storage, &mut it.again);
        }
        async move {
            let mut outcome = Ok(());
            for _ in 0..10 {
                // A task that fails still takes part in every round.
                round.wait().await;
                outcome = outcome.and(increment(&it).await);
            }
            outcome
        }
    })
    .await?;
    let last = it.found(1).await?.payload;
    holds!(*last == *b"100", "100 increments made {}", String::from_utf8_lossy(&last));
    Ok(())
}

async fn concurrent_creates_have_one_winner(it: Subject) -> Check {
    for round in 0..20 {
        let created = together(8, |n| {
            let it = it.clone();
            async move {
                let made = it.storage.create(&key(round), record(n.to_string()), FREE, NOW).await?;
                Ok((made == Create::Created).then_some(n))
            }
        });
        let winners: Vec<usize> = created.await?.into_iter().flatten().collect();
        holds!(winners.len() == 1, "{} of 8 `create`s under one key succeeded", winners.len());
        let found = it.found(round).await?.payload;
        holds!(*found == *winners[0].to_string().as_bytes(), "the record is not the winner's");
    }
    Ok(())
}

async fn concurrent_updates_have_one_winner(it: Subject) -> Check {
    for round in 0..20 {
        let version = it.create(round, record("before")).await?;
        let updated = together(8, |n| {
            let it = it.clone();
            async move {
                let made = it.update(round, version, record(n.to_string())).await?;
                Ok((made == Update::Updated).then_some(n))
            }
        });
        let winners: Vec<usize> = updated.await?.into_iter().flatten().collect();
        holds!(winners.len() == 1, "{} of 8 `update`s with one version succeeded", winners.len());
        let found = it.found(round).await?.payload;
        holds!(*found == *winners[0].to_string().as_bytes(), "the record is not the winner's");
    }
    Ok(())
}

async fn of_concurrent_logins_one_replaces(it: Subject) -> Check {
    for round in 0..20 {
        let old = round * 10;
        let expected = it.create(old, record("before")).await?;
        let logins = together(8, |n| {
            let (it, n) = (it.clone(), n as u64);
            let predecessor = (old, expected, record(n.to_string()));
            async move { it.succeed((old + 1 + n, record("new"), FREE), predecessor, NOW).await }
        });
        let logins = logins.await?;
        let replaced = |login: &Succeed| *login == Succeed::Created(Update::Updated);
        let winners: Vec<_> = (0..8).filter(|n| replaced(&logins[*n])).collect();
        holds!(winners.len() == 1, "of 8 logins {} replaced one record", winners.len());
        for (n, login) in (0..).zip(&logins) {
            let conflict = *login == Succeed::Created(Update::Conflict);
            holds!(replaced(login) || conflict, "a login beside others was {login:?}");
            let found = it.found(old + 1 + n).await?.payload;
            holds!(*found == *b"new", "a login that began is another");
        }
        let found = it.found(old).await?.payload;
        holds!(*found == *winners[0].to_string().as_bytes(), "the record is not the winner's");
    }
    Ok(())
}

async fn invalidate_beats_every_update(it: Subject) -> Check {
    for round in 0..50 {
        let version = it.create(round, owned_by(0)).await?;
        together(3, |n| {
            let it = it.clone();
            async move {
                // Every order comes first once in a while.
                for _ in 0..(n as u64 + round) % 3 {
                    rocket::tokio::task::yield_now().await;
                }
                match n {
                    0 => drop(it.invalidate(round).await?),
                    1 => drop(it.update(round, version, owned_by(0)).await?),
                    _ => {
                        let later = at(1).after(LIFE);
                        it.storage.touch(&key(round), at(1), later).await?;
                    }
                }
                Ok(())
            }
        })
        .await?;
        holds!(it.read(round).await?.is_none(), "a write brought an ended session back");
        let listed = it.listed(&owner(0), 0..50, NOW).await?;
        holds!(listed.is_empty(), "a write brought an ended session back into the index");
    }
    Ok(())
}

async fn touch_loses_no_update(it: Subject) -> Check {
    for round in 0..50 {
        let version = it.create(round, record("before")).await?;
        let later = at(1).after(LIFE);
        together(2, |n| {
            let it = it.clone();
            async move {
                if n == 0 {
                    it.storage.touch(&key(round), at(1), later).await?;
                } else {
                    it.updated(round, version, record("after")).await?;
                }
                Ok(())
            }
        })
        .await?;
        let found = it.found(round).await?;
        holds!(*found.payload == *b"after", "a `touch` undid an `update`");
        holds!(found.version != version, "a `touch` brought an old version back");
    }
    Ok(())
}

async fn invalidate_owner_beats_every_login(it: Subject) -> Check {
    for round in 0..30 {
        let generation = it.index()?.generation(&owner(0)).await?;
        let guard = OwnerGuard { generation: Some(generation), ..FREE };
        together(8, |n| {
            let (it, guard) = (it.clone(), guard.clone());
            async move {
                let number = round * 10 + n as u64;
                match n {
                    0 => drop(it.index()?.invalidate_owner(&owner(0), &[], NOW).await?),
                    _ => drop(it.storage.create(&key(number), owned_by(0), guard, NOW).await?),
                }
                Ok(())
            }
        })
        .await?;
        let listed = it.listed(&owner(0), 0..300, NOW).await?;
        holds!(listed.is_empty(), "{} login(s) survived", listed.len());
        for n in 0..10 {
            let found = it.read(round * 10 + n).await?;
            let theirs = found.is_some_and(|found| found.owner.is_some());
            holds!(!theirs, "a login survived outside the index");
        }
    }
    Ok(())
}

async fn a_limit_holds_under_concurrency(it: Subject) -> Check {
    for round in 0..10 {
        let even = round % 2 == 0;
        let policy = if even { OwnerLimitPolicy::EndOldest } else { OwnerLimitPolicy::Refuse };
        let guard = OwnerGuard { limit: Some(OwnerLimit { max: 3, policy }), ..FREE };
        let first = round * 100;
        let made = together(16, |n| {
            let (it, guard) = (it.clone(), guard.clone());
            async move {
                let n = n as u64;
                let record = Record { created: at(n), ..owned_by(round) };
                Ok(it.storage.create(&key(first + n), record, guard, NOW).await?)
            }
        });
        let made = made.await?;
        let created = made.iter().filter(|made| **made == Create::Created).count();
        let expected = if policy == OwnerLimitPolicy::Refuse { 3 } else { 16 };
        holds!(created == expected, "with {policy:?} {created} of 16 began instead of {expected}");
        let listed = it.listed(&owner(round), first..first + 16, NOW).await?;
        holds!(listed.len() == 3, "{} sessions live with a limit of 3", listed.len());
        let mut alive = 0;
        for n in 0..16 {
            alive += usize::from(it.read(first + n).await?.is_some());
        }
        holds!(alive == 3, "{alive} sessions can be read with a limit of 3");
    }
    Ok(())
}

async fn a_limit_holds_for_concurrent_logins(it: Subject) -> Check {
    for round in 0..10 {
        let even = round % 2 == 0;
        let policy = if even { OwnerLimitPolicy::EndOldest } else { OwnerLimitPolicy::Refuse };
        let old = round * 100;
        let expected = it.create(old, owned_by(round)).await?;
        let logins = together(8, |n| {
            let (it, n) = (it.clone(), n as u64);
            let begun = Record { created: at(n), ..owned_by(round) };
            let successor = (old + 1 + n, begun, replacing(old, 3, policy));
            let predecessor = (old, expected, record("replaced"));
            async move { it.succeed(successor, predecessor, NOW).await }
        });
        let logins = logins.await?;
        let count = |outcome| logins.iter().filter(|login| **login == outcome).count();
        let replaced = count(Succeed::Created(Update::Updated));
        let began = replaced + count(Succeed::Created(Update::Conflict));
        let refused = count(Succeed::Refused(Refused::LimitReached));
        let expected = if even { (8, 0) } else { (3, 5) };
        holds!(
            (began, refused) == expected && replaced == 1,
            "with {policy:?} the logins were {logins:?}"
        );
        let listed = it.listed(&owner(round), old..old + 10, NOW).await?;
        holds!(
            listed.len() == 3 && !listed.contains(&old),
            "with {policy:?} and a limit of 3, {listed:?} live"
        );
        holds!(it.read(old).await?.is_some(), "with {policy:?} the replaced record is gone");
    }
    Ok(())
}

async fn a_dropped_operation_is_whole(it: Subject) -> Check {
    for polls in 0..20 {
        let version = it.create(polls, owned_by(0)).await?;
        {
            let name = key(polls);
            let next = record("next");
            let update = it.storage.update(&name, version, next, NOW);
            let mut update = std::pin::pin!(update);
            for _ in 0..polls {
                if poll_immediate(&mut update).await.is_some() {
                    break;
                }
                rocket::tokio::task::yield_now().await;
            }
        }
        // Whatever goes on behind the scenes, nothing is locked for ever.
        let (read, touched) =
            join(it.read(polls), it.storage.touch(&key(polls), at(1), at(1).after(LIFE))).await;
        touched?;
        let Some(found) = read? else { return Err("a dropped `update` ended the session".into()) };
        let old = *found.payload == *b"owned" && found.owner == Some(owner(0));
        let new = *found.payload == *b"next" && found.owner.is_none();
        holds!(old || new, "a dropped `update` left half a record: {found:?}");
        holds!(it.invalidate(polls).await?, "after a dropped `update` the session cannot be ended");
        holds!(it.read(polls).await?.is_none(), "an ended session came back");
    }
    let listed = it.listed(&owner(0), 0..20, NOW).await?;
    holds!(listed.is_empty(), "a dropped `update` left an ended record in an index");
    Ok(())
}
