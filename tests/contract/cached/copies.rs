//! When a copy is read, for how long, and how many there are.

use std::time::Duration;

use rocket_typed_sessions::storage::{Cached, Memory, OwnerKey, SessionStorage, Touch, Update};

use super::*;
use crate::support::*;

#[tokio::test(start_paused = true)]
async fn reading_again_asks_nobody_until_the_copy_is_too_old() {
    let far = faulty();
    let [near, _] = nodes(&far);
    create(&far, 1, record("x", None)).await;
    for _ in 0..10 {
        assert_eq!(payload(&near, 1).await.as_deref(), Some("x"));
    }
    assert_eq!(far.calls(Operation::Read), 1);
    tokio::time::advance(TTL).await;
    payload(&near, 1).await;
    assert_eq!(far.calls(Operation::Read), 2);
    // That there is nothing is not remembered.
    assert_eq!(payload(&near, 2).await, None);
    create(&far, 2, record("y", None)).await;
    assert_eq!(payload(&near, 2).await.as_deref(), Some("y"));
    // What has expired is not served, however young the copy.
    let later = record("x", None).expires;
    assert_eq!(near.read(&key(1), later).await.expect("an answer"), None);
}

#[tokio::test]
async fn of_many_only_those_are_read_that_have_no_copy() {
    let far = faulty();
    let [near, _] = nodes(&far);
    for name in 1..=3 {
        create(&far, name, record("x", None)).await;
    }
    assert!(payload(&near, 2).await.is_some());
    let keys = [1, 2, 3, 4].map(key);
    let asked = || (far.calls(Operation::Read), far.calls(Operation::ReadMany));
    far.set(Operation::ReadMany, down());
    let found = near.read_many(&keys, NOW).await;
    assert!(matches!(found[..], [Err(_), Ok(Some(_)), Err(_), Err(_)]), "{found:?}");
    far.mend();
    for (together, keys) in [(2, &keys[..]), (2, &keys[..3])] {
        let found = near.read_many(keys, NOW).await;
        let live = found.iter().filter(|found| matches!(found, Ok(Some(_)))).count();
        assert_eq!((found.len(), live), (keys.len(), 3));
        assert_eq!(asked(), (1, together));
    }
    // What was read is a copy from now on.
    assert!(payload(&near, 1).await.is_some());
    assert_eq!(asked(), (1, 2));
}

#[tokio::test]
async fn a_fresh_read_passes_every_cache_and_renews_the_copy() {
    let far = faulty();
    let between = Cached::new(far.clone(), 1000, TTL);
    let near = Cached::new(between, 1000, TTL);
    assert!(near.may_be_behind() && near.loses_answers());
    let first = record("first", None);
    create(&near, 1, first.clone()).await;
    let update = far.update(&key(1), first.version, record("second", None), NOW).await;
    assert!(matches!(update, Ok(Update::Updated)), "{update:?}");
    assert_eq!(payload(&near, 1).await.as_deref(), Some("first"));
    let fresh = near.read_fresh(&key(1), NOW).await.expect("an answer").expect("a record");
    assert_eq!(&*fresh.payload, b"second");
    let asked = far.calls(Operation::Read);
    assert_eq!(payload(&near, 1).await.as_deref(), Some("second"));
    assert_eq!(far.calls(Operation::Read), asked);
}

#[tokio::test(start_paused = true)]
async fn what_another_node_ended_is_read_for_no_longer_than_the_ttl() {
    let far = faulty();
    let [here, there] = nodes(&far);
    for (name, owner) in [(1, None), (2, Some(7))] {
        create(&there, name, record("x", owner)).await;
        assert!(payload(&here, name).await.is_some());
    }
    there.invalidate(&key(1), None, None).await.expect("an answer");
    owners(&there)
        .invalidate_owner(&OwnerKey::from_bytes([7; 32]), &[], NOW)
        .await
        .expect("an answer");
    for name in [1, 2] {
        assert_eq!(payload(&there, name).await, None, "at once where it was ended");
        assert!(payload(&here, name).await.is_some(), "a copy");
        let touch = here.touch(&key(name), NOW, NOW.after(TTL)).await;
        assert_eq!(touch.expect("an answer"), Touch::Missing, "a write asks the storage");
        assert_eq!(payload(&here, name).await, None, "and learns");
    }
    create(&there, 3, record("x", None)).await;
    assert!(payload(&here, 3).await.is_some());
    there.invalidate(&key(3), None, None).await.expect("an answer");
    tokio::time::advance(Duration::from_millis(1_999)).await;
    assert!(payload(&here, 3).await.is_some());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(payload(&here, 3).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_was_under_way_leaves_no_copy_of_what_was_ended() {
    let far = faulty();
    let [near, _] = nodes(&far);
    create(&far, 1, record("x", None)).await;
    create(&far, 2, record("x", Some(7))).await;
    far.set(Operation::Read, Fault::SlowAnswer(Duration::from_millis(100)));
    let reads: Vec<_> = [1, 2]
        .map(|name| {
            let near = near.clone();
            tokio::spawn(async move { payload(&near, name).await })
        })
        .into_iter()
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    near.invalidate(&key(1), None, None).await.expect("an answer");
    owners(&near)
        .invalidate_owner(&OwnerKey::from_bytes([7; 32]), &[], NOW)
        .await
        .expect("an answer");
    for read in reads {
        let _ = read.await.expect("no panic");
    }
    far.mend();
    assert_eq!(payload(&near, 1).await, None);
    assert_eq!(payload(&near, 2).await, None);
}

#[tokio::test]
async fn a_cache_is_bounded() {
    let far = Faulty::new(Memory::new(10_000));
    let near = Cached::new(far.clone(), 64, TTL);
    for n in 0..=255 {
        create(&far, n, record("x", None)).await;
        assert!(payload(&near, n).await.is_some());
    }
    let before = far.calls(Operation::Read);
    for n in 0..=255 {
        payload(&near, n).await;
    }
    assert!(far.calls(Operation::Read) - before >= 256 - 64);
}
