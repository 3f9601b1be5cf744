//! Logins that are broken off, sent again, or meet a revocation.

use std::time::Duration;

use rocket_typed_sessions::storage::{
    Create, Invalidate, OwnerGuard, OwnerKey, OwnerLimit, OwnerLimitPolicy, Predecessor, Redis,
    Refused, SessionStorage, StorageKey, Succeed, Successor, Update, Version,
};

use super::*;
use crate::proxy::Proxy;

/// Logins that nobody waits for any more, broken off at any moment, with a limit
/// that ends others.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_is_broken_off_a_revocation_finds_every_session() {
    let server = redis(&[]);
    let limit = Some(OwnerLimit { max: 2, policy: OwnerLimitPolicy::EndOldest });
    let key = |n: u32| {
        let mut name = [7; 32];
        name[..4].copy_from_slice(&n.to_be_bytes());
        StorageKey::from_bytes(name)
    };
    for at_once in [true, false] {
        let storage = opened(at_once, &server, server.port).await;
        let owner = OwnerKey::from_bytes([1; 32]);
        let mut before = Version::from_u64(0);
        for n in 0..600_u32 {
            let (new, old) = (key(n), key(n.saturating_sub(1)));
            let begun = record(Some(1), 100);
            let expected = std::mem::replace(&mut before, begun.version);
            let guard = OwnerGuard { limit, replaces: Some(old.clone()), ..FREE };
            let patience = if n % 100 == 99 { 5_000_000 } else { u64::from(n) * 3 };
            let patience = Duration::from_micros(patience);
            // Every other one takes the place of the one before.
            if n % 2 == 1 {
                let new = Successor { key: &new, record: begun, guard };
                let replaced = record(None, 100);
                let old = Predecessor { key: &old, expected, record: replaced };
                let _ = tokio::time::timeout(patience, storage.succeed(new, old, now())).await;
            } else {
                let guard = OwnerGuard { replaces: None, ..guard };
                let login = storage.create(&new, begun, guard, now());
                let _ = tokio::time::timeout(patience, login).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let theirs = async |n| {
            let found = storage.read(&key(n), now()).await.expect("an answer");
            found.is_some_and(|found| found.owner.is_some())
        };
        let mut live = 0;
        for n in 0..600 {
            live += u32::from(theirs(n).await);
        }
        assert!(live > 0, "some were whole");
        let index = storage.owners().expect("an index");
        index.invalidate_owner(&owner, &[], now()).await.expect("an answer");
        for n in 0..600 {
            assert!(!theirs(n).await, "{n} of {live}");
        }
    }
}

/// A session goes on under another key (as one with an id of Ktor's does when it
/// is renewed) while its owner is revoked: it is over, under either.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s48_a_session_that_moves_does_not_escape_a_revocation() {
    let server = redis(&[]);
    let network = Proxy::far_from(server.port, Duration::from_millis(2)).await;
    let far = Redis::open([url(network.port)], "app").await.expect("a connection");
    for at_once in [true, false] {
        let storage = opened(at_once, &server, server.port).await;
        let mut moved_on = 0;
        for n in 0..100_u8 {
            let owner = OwnerKey::from_bytes([n; 32]);
            let (old, new) =
                (StorageKey::from_bytes([n; 32]), StorageKey::from_bytes([n ^ 255; 32]));
            storage.create(&old, record(Some(n), 100), FREE, now()).await.expect("an answer");
            let moving = tokio::spawn({
                let (storage, old, new) = (storage.clone(), old.clone(), new.clone());
                async move {
                    tokio::time::sleep(Duration::from_micros(u64::from(n) * 100)).await;
                    storage
                        .create(&new, record(Some(n), 100), FREE, now())
                        .await
                        .expect("an answer");
                    let ended = storage.invalidate(&old, None, None).await.expect("an answer");
                    ended == Invalidate::Invalidated
                }
            });
            far.owners()
                .expect("an index")
                .invalidate_owner(&owner, &[], now())
                .await
                .expect("an answer");
            let moved = moving.await.expect("no panic");
            let goes_on = storage.read(&new, now()).await.expect("an answer").is_some();
            assert!(!(moved && goes_on), "{n} has escaped");
            moved_on += u32::from(moved);
            storage.invalidate(&new, None, None).await.expect("an answer");
        }
        assert!(moved_on > 10, "{moved_on} moved in time");
    }
}

/// The server does what it is asked, and its answer is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_login_whose_answer_is_lost_is_one_login() {
    let server = redis(&[]);
    let network = Proxy::to(server.port).await;
    let limit = Some(OwnerLimit { max: 2, policy: OwnerLimitPolicy::EndOldest });
    let guard = OwnerGuard { limit, ..FREE };
    for at_once in [true, false] {
        let storage = opened(at_once, &server, network.port).await;
        for lost in 1..=2 {
            let owner = OwnerKey::from_bytes([lost; 32]);
            let [first, second] = [1, 2].map(|n| StorageKey::from_bytes([lost * 16 + n; 32]));
            let begun = record(Some(lost), 100);
            storage.create(&first, begun, guard.clone(), now()).await.expect("an answer");
            tokio::time::sleep(Duration::from_millis(100)).await;
            network.lose_answer(lost.into());
            let sent = record(Some(lost), 100);
            let created = storage.create(&second, sent.clone(), guard.clone(), now()).await;
            assert!(
                matches!(created, Ok(Create::Created)),
                "at once: {at_once}, {lost}: {created:?}"
            );
            let found = storage.read(&second, now()).await.expect("an answer").expect("a record");
            assert_eq!(found, sent);
            let index = storage.owners().expect("an index");
            let page = index.list(&owner, None, 10, now()).await.expect("a page");
            assert_eq!(page.records.len(), 2, "at once: {at_once}, {lost}: none was pushed out");
        }
    }
}

/// The core sends it again, or looks at what has become of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_login_over_a_session_whose_answer_is_lost_may_be_sent_again() {
    let server = redis(&[]);
    let network = Proxy::to(server.port).await;
    for at_once in [true, false] {
        let storage = opened(at_once, &server, network.port).await;
        for lost in 1..=4 {
            let owner = OwnerKey::from_bytes([lost; 32]);
            let [old, new] = [1, 2].map(|n| StorageKey::from_bytes([lost * 16 + n; 32]));
            let (before, begun) = (record(Some(lost), 100), record(Some(lost), 100));
            let (expected, replaced) = (before.version, record(None, 100));
            storage.create(&old, before, FREE, now()).await.expect("an answer");
            tokio::time::sleep(Duration::from_millis(100)).await;
            let limit = Some(OwnerLimit { max: 1, policy: OwnerLimitPolicy::Refuse });
            let guard = OwnerGuard { limit, replaces: Some(old.clone()), ..FREE };
            let send = async || {
                let new = Successor { key: &new, record: begun.clone(), guard: guard.clone() };
                let old = Predecessor { key: &old, expected, record: replaced.clone() };
                storage.succeed(new, old, now()).await
            };
            network.lose_answer(lost.into());
            let mut answer = send().await;
            if answer.is_err() {
                answer = send().await;
            }
            let replaced_it = Succeed::Created(Update::Updated);
            assert!(answer.is_ok_and(|answer| answer == replaced_it), "at once: {at_once}, {lost}");
            network.lose_answer(i64::MAX);
            let found = storage.read(&new, now()).await.expect("an answer");
            assert_eq!(found, Some(begun.clone()), "at once: {at_once}, {lost}");
            let found = storage.read(&old, now()).await.expect("an answer");
            assert_eq!(found, Some(replaced.clone()), "at once: {at_once}, {lost}");
            let index = storage.owners().expect("an index");
            let page = index.list(&owner, None, 10, now()).await.expect("a page");
            assert_eq!(page.records, [(new, begun)], "at once: {at_once}, {lost}");
            if at_once {
                let left = ["ZCARD", "HLEN"].map(|command| {
                    let what = if command == "ZCARD" { 'i' } else { 'w' };
                    ask(&server, &format!("{command} app:{{{owner}}}:{what}"))
                });
                assert_eq!(left, [":1\r\n", ":0\r\n"], "{lost}");
            }
        }
    }
}

/// The client of a cluster sends a login again when its answer is lost, as late as
/// that may be. Whatever has ended it meanwhile, it stays ended.
#[tokio::test]
async fn e1_a_login_that_is_sent_again_after_its_end_does_not_come_back() {
    let server = redis(&[]);
    let limit = Some(OwnerLimit { max: 1, policy: OwnerLimitPolicy::EndOldest });
    let mark = Some(now().after(Duration::from_secs(120)));
    for at_once in [true, false] {
        let here = opened(at_once, &server, server.port).await;
        let there = open(&server, "app").await;
        let index = there.owners().expect("an index");
        let ends = ["revoke", "end", "end with a mark", "push out", "replace", "nobody's"];
        for (n, end) in (1..).zip(ends) {
            let (key, owner) = (StorageKey::from_bytes([n; 32]), OwnerKey::from_bytes([n; 32]));
            let sent = record((end != "nobody's").then_some(n), 100);
            let create = async || here.create(&key, sent.clone(), FREE, now()).await;
            assert!(matches!(create().await, Ok(Create::Created)), "{end}");
            match end {
                "revoke" => {
                    assert!(matches!(index.invalidate_owner(&owner, &[], now()).await, Ok(1)));
                }
                "push out" => {
                    let (next, guard) =
                        (StorageKey::from_bytes([99; 32]), OwnerGuard { limit, ..FREE });
                    let pushed = there.create(&next, record(Some(n), 100), guard, now()).await;
                    assert!(matches!(pushed, Ok(Create::Created)), "{pushed:?}");
                    assert_eq!(
                        there.invalidate(&next, None, None).await.expect("an answer"),
                        Invalidate::Invalidated
                    );
                }
                "replace" => {
                    let left = record(None, 100);
                    let updated = there.update(&key, sent.version, left, now()).await;
                    assert!(matches!(updated, Ok(Update::Updated)), "{updated:?}");
                    assert!(matches!(create().await, Ok(Create::Created)), "{end}");
                    let found = there.read(&key, now()).await.expect("an answer");
                    assert_eq!(found.and_then(|found| found.owner), None, "{end}");
                    assert!(matches!(index.invalidate_owner(&owner, &[], now()).await, Ok(0)));
                    assert!(there.read(&key, now()).await.expect("an answer").is_some());
                    let ended = there.invalidate(&key, None, None).await.expect("an answer");
                    assert_eq!(ended, Invalidate::Invalidated);
                }
                _ => {
                    let mark = mark.filter(|_| end == "end with a mark");
                    assert_eq!(
                        there.invalidate(&key, None, mark).await.expect("an answer"),
                        Invalidate::Invalidated
                    );
                }
            }
            let again = create().await.expect("an answer");
            // Pushed out, it had begun.
            let expected = Create::Refused(Refused::Revoked);
            assert_eq!(again, if end == "push out" { Create::Created } else { expected }, "{end}");
            assert_eq!(there.read(&key, now()).await.expect("an answer"), None, "{end}");
            tokio::time::sleep(Duration::from_millis(100)).await;
            let entries = ask(&server, &format!("EXISTS app:{{{owner}}}:i"));
            assert_eq!(entries.trim(), ":0", "{end}");
        }
    }
}

/// E1: nor does it push anybody out, whatever has become of its own session.
#[tokio::test]
async fn e1_a_login_that_is_sent_again_after_its_end_ends_no_other_session() {
    let server = redis(&[]);
    let limit = Some(OwnerLimit { max: 1, policy: OwnerLimitPolicy::EndOldest });
    let mark = Some(now().after(Duration::from_secs(120)));
    for at_once in [true, false] {
        let storage = opened(at_once, &server, server.port).await;
        for (n, end) in (1..).zip(["push out", "end", "end with a mark", "replace"]) {
            let [key, next] = [n, n + 100].map(|n| StorageKey::from_bytes([n; 32]));
            let sent = record(Some(n), 100);
            let guard = |replaces| OwnerGuard { limit, replaces, ..FREE };
            let create = async || storage.create(&key, sent.clone(), guard(None), now()).await;
            assert!(matches!(create().await, Ok(Create::Created)), "{end}");
            match end {
                "push out" | "replace" => {}
                _ => {
                    let mark = mark.filter(|_| end == "end with a mark");
                    storage.invalidate(&key, None, mark).await.expect("an answer");
                }
            }
            let replaces = (end == "replace").then(|| key.clone());
            let later = record(Some(n), 100);
            let created = storage.create(&next, later, guard(replaces), now()).await;
            assert!(matches!(created, Ok(Create::Created)), "{end}: {created:?}");
            if end == "replace" {
                let updated = storage.update(&key, sent.version, record(None, 100), now()).await;
                assert!(matches!(updated, Ok(Update::Updated)), "{updated:?}");
            }
            create().await.expect("an answer");
            let found = storage.read(&next, now()).await.expect("an answer");
            assert!(found.is_some(), "{end}: it has pushed out the session after it");
            let owner = OwnerKey::from_bytes([n; 32]);
            let index = storage.owners().expect("an index");
            let page = index.list(&owner, None, 10, now()).await.expect("an answer");
            let listed: Vec<_> = page.records.iter().map(|(key, _)| key).collect();
            assert_eq!(listed, [&next], "{end}");
        }
        ask(&server, "FLUSHALL");
    }
}
