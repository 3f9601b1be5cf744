//! What the memory storage does when it is full or holds expired records.

use std::collections::BTreeSet;

use super::*;

#[tokio::test]
async fn s50_a_hundred_thousand_expired_records_go_in_batches_and_the_living_stays() {
    let storage: Storage = Arc::new(Memory::new(200_000));
    for n in 0..100_000 {
        create(&storage, &numbered(n), record(b"x", None)).await;
    }
    let living = Record { expires: at(1000), ..record(b"living", None) };
    create(&storage, &numbered(100_000), living).await;
    let mut batches = 0;
    loop {
        let purged = storage.purge_expired(at(100), 1000).await.unwrap();
        assert!(purged <= 1000);
        batches += 1;
        if purged < 1000 {
            break;
        }
    }
    assert_eq!(batches, 101, "a hundred full ones and the end");
    for n in 0..100_000 {
        assert!(
            storage
                .create(&numbered(n), record(b"y", None), OwnerGuard::default(), NOW)
                .await
                .is_ok_and(|made| made != Create::Exists)
        );
    }
    assert!(storage.read(&numbered(100_000), at(500)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_create_removes_what_expired_without_any_purge() {
    let storage = Memory::new(1_000_000);
    for n in 0..20_000 {
        let now = at(u64::from(n));
        let record = Record {
            created: now,
            last_seen: now,
            expires: at(u64::from(n) + 100),
            ..record(b"x", None)
        };
        let created =
            storage.create(&numbered(n), record, OwnerGuard::default(), now).await.unwrap();
        assert!(created == Create::Created);
    }
    // At most a hundred records are live at any time, and each use of a shard sweeps it.
    let left = storage.purge_expired(at(1_000_000), usize::MAX).await.unwrap();
    assert!(left < 10_000, "of 20,000 records, 100 of them alive, {left} were still there");
}

/// A record that begins `seconds` after the start and lives for a hundred seconds.
fn begun(seconds: u64) -> Record {
    let begins = at(seconds);
    Record { created: begins, last_seen: begins, expires: at(seconds + 100), ..record(b"x", None) }
}

async fn lives(storage: &Storage, key: &StorageKey, now: Timestamp) -> bool {
    // The list of the owner is used, because a read would count as the client's coming back.
    let index = storage.owners().unwrap();
    let page = index.list(&owner(1), None, usize::MAX, now).await.unwrap();
    page.records.iter().any(|(listed, _)| listed == key)
}

#[tokio::test]
async fn s56_of_the_sessions_that_no_client_came_back_with_the_oldest_make_room() {
    let storage: Storage = Arc::new(Memory::new(300));
    for n in 0..300 {
        create(&storage, &numbered(n), Record { owner: Some(owner(1)), ..begun(n.into()) }).await;
    }
    // Every third client comes back, half of them by a read and half by a touch.
    for n in (0..300).step_by(3) {
        if n % 2 == 0 {
            assert!(storage.read(&numbered(n), NOW).await.unwrap().is_some());
        } else {
            let touched = storage.touch(&numbered(n), NOW, NOW).await.unwrap();
            assert_eq!(touched, Touch::Touched);
        }
    }
    for round in 0..200 {
        create(&storage, &numbered(1000 + round), begun(1000)).await;
        let gone = (0..300).filter(|n| n % 3 != 0).take(round as usize + 1);
        let last = gone.last().unwrap();
        if round % 20 == 19 {
            for n in 0..300 {
                let expected = n % 3 == 0 || n > last;
                assert_eq!(lives(&storage, &numbered(n), NOW).await, expected, "{n} after {round}");
            }
        }
    }
}

#[tokio::test]
async fn s56_a_full_memory_without_room_says_so_until_something_expires() {
    let storage: Storage = Arc::new(Memory::new(300));
    let try_create = async |n, now| {
        let record =
            Record { created: now, last_seen: now, expires: at(1000), ..record(b"x", None) };
        let made = storage.create(&numbered(n), record, OwnerGuard::default(), now).await;
        if made.is_ok() {
            storage.read(&numbered(n), now).await.unwrap().expect("a record");
        }
        made
    };
    for n in 0..300 {
        let expires = at(if n % 2 == 0 { 50 } else { 1000 });
        create(&storage, &numbered(n), Record { expires, ..record(b"x", None) }).await;
        storage.read(&numbered(n), NOW).await.unwrap().expect("a record");
    }
    let full = try_create(300, at(49)).await;
    assert!(
        matches!(full, Err(StorageError::Unavailable(ref text, _)) if text.contains("raise its `capacity`")),
        "{full:?}"
    );
    for n in 301..451 {
        let made = try_create(n, at(50)).await;
        assert!(matches!(made, Ok(Create::Created)), "{n}: expired records make room: {made:?}");
    }
    assert!(try_create(451, at(50)).await.is_err(), "there is none left");
    let living = (0..300).filter(|n| n % 2 == 1).chain(301..451);
    for n in living {
        assert!(storage.read(&numbered(n), at(50)).await.unwrap().is_some(), "{n} has gone");
    }
}

/// The request that begins a session may write it again. A client has come back only if it
/// presents the session.
#[tokio::test]
async fn s56_a_second_write_of_a_session_does_not_keep_it() {
    let storage: Storage = Arc::new(Memory::new(5));
    create(&storage, &key(1), record(b"a client's", None)).await;
    storage.read(&key(1), NOW).await.unwrap().expect("a record");
    for n in 0..100 {
        let version = create(&storage, &numbered(n), record(b"flood", None)).await;
        let again = record(b"flood again", None);
        let updated = storage.update(&numbered(n), version, again, NOW).await.unwrap();
        assert!(updated == Update::Updated, "{updated:?}");
    }
    let login = create(&storage, &key(2), record(b"a login", None)).await;
    let found = storage.read(&key(2), NOW).await.unwrap().expect("a record");
    assert_eq!(found.version, login);
    assert!(storage.read(&key(1), NOW).await.unwrap().is_some(), "it was presented");
}

/// The sweep of a `create` does not reach the expired record.
#[tokio::test]
async fn a_memory_replaces_an_expired_record_wherever_it_is() {
    let storage: Storage = Arc::new(Memory::new(1000));
    for n in 0..60 {
        let mut bytes = [n; 32];
        bytes[31] = 0; // All in one shard.
        let expires = at(if n == 59 { 10 } else { 1000 });
        let record = Record { expires, ..record(b"x", Some(owner(n))) };
        create(&storage, &StorageKey::from_bytes(bytes), record).await;
    }
    let mut bytes = [59; 32];
    bytes[31] = 0;
    let key = StorageKey::from_bytes(bytes);
    let again = Record { expires: at(1000), ..record(b"again", Some(owner(1))) };
    let created = storage.create(&key, again, OwnerGuard::default(), at(10)).await.unwrap();
    assert!(created == Create::Created, "{created:?}");
    let index = storage.owners().unwrap();
    let listed = async |n| index.list(&owner(n), None, 9, at(10)).await.unwrap().records.len();
    assert_eq!((listed(59).await, listed(1).await), (0, 2));
    let mut purged = 0;
    for _ in 0..10 {
        purged += storage.purge_expired(at(2000), 1000).await.unwrap();
    }
    assert_eq!(purged, 60, "the replaced record is counted no more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s56_a_full_memory_never_holds_more_than_its_capacity() {
    let storage: Storage = Arc::new(Memory::new(100));
    let floods = (0..8_u32).map(|flood| {
        let storage = Arc::clone(&storage);
        tokio::spawn(async move {
            for n in 0..500 {
                create(&storage, &numbered(flood * 1000 + n), record(b"x", Some(owner(1)))).await;
                if n % 50 == 0 {
                    let index = storage.owners().unwrap();
                    let page = index.list(&owner(1), None, usize::MAX, NOW).await.unwrap();
                    assert!(page.records.len() <= 100, "{} records", page.records.len());
                }
            }
        })
    });
    for flood in floods.collect::<Vec<_>>() {
        flood.await.unwrap();
    }
    let index = storage.owners().unwrap();
    let page = index.list(&owner(1), None, usize::MAX, NOW).await.unwrap();
    assert_eq!(page.records.len(), 100, "each made room for no more than itself");
}

/// A full storage must not walk over thousands of slots, which would take hundreds of times as
/// long. `benches/memory` measures about twice as long. The margins allow for unoptimized code
/// and a busy machine.
#[tokio::test]
async fn s56_a_new_session_costs_little_more_in_a_full_memory() {
    const CAPACITY: u32 = 20_000;
    const BATCH: u32 = 2000;
    let storage: Storage = Arc::new(Memory::new(CAPACITY as usize));
    let mut next = 0;
    // Only the best batch counts, because other work on the machine disturbs the rest.
    let mut best = async |batches: u32, accepted: bool| {
        let mut best = std::time::Duration::MAX;
        for _ in 0..batches {
            let keys: Vec<_> = (next..next + BATCH).map(numbered).collect();
            next += BATCH;
            let started = std::time::Instant::now();
            for key in &keys {
                let made =
                    storage.create(key, record(b"x", None), OwnerGuard::default(), NOW).await;
                assert_eq!(made.is_ok(), accepted);
            }
            best = best.min(started.elapsed());
        }
        (best, next)
    };
    let (below, _) = best(CAPACITY / BATCH, true).await;
    let (at_capacity, made) = best(5, true).await;
    for n in 0..made {
        storage.read(&numbered(n), NOW).await.unwrap();
        // Touched records only seem to be due, so searching for them finds nothing.
        storage.touch(&numbered(n), NOW, at(10_000)).await.unwrap();
    }
    let (refused, _) = best(5, false).await;
    println!("below {below:?}, at the capacity {at_capacity:?}, refused {refused:?}");
    let most = if cfg!(debug_assertions) { 200 } else { 6 };
    assert!(at_capacity < most * below, "{at_capacity:?} against {below:?} below the capacity");
    assert!(refused < most * below, "{refused:?} against {below:?} below the capacity");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_login_in_memory_never_counts_twice() {
    a_login_never_counts_twice(Arc::new(Memory::new(100_000)), 20_000).await;
}

/// The index of owners compares only the first bytes of their keys.
#[tokio::test]
async fn owners_with_similar_keys_are_apart_in_memory() {
    let storage: Storage = Arc::new(Memory::new(100));
    let similar = |n| {
        let mut bytes = [7; 32];
        bytes[16] = n;
        OwnerKey::from_bytes(bytes)
    };
    let limit = Some(OwnerLimit { max: 2, policy: OwnerLimitPolicy::Refuse });
    let refuse = OwnerGuard { limit, ..OwnerGuard::default() };
    for n in 0..8 {
        let theirs = record(b"x", Some(similar(n % 4)));
        let made = storage.create(&numbered(n.into()), theirs, refuse.clone(), NOW).await;
        assert_eq!(made.unwrap(), Create::Created, "only the owner's own records count");
    }
    let index = storage.owners().unwrap();
    assert_eq!(index.invalidate_owner(&similar(0), &[numbered(4)], NOW).await.unwrap(), 1);
    for (n, left) in [(0, vec![4]), (1, vec![1, 5]), (2, vec![2, 6]), (4, vec![])] {
        let listed = index.list(&similar(n), None, 9, NOW).await.unwrap().records;
        let listed: BTreeSet<_> = listed.into_iter().map(|(key, _)| key).collect();
        assert_eq!(listed, left.into_iter().map(numbered).collect(), "owner {n}");
    }
    // The owner leaves, and another's record takes the place.
    storage.invalidate(&numbered(4), None, None).await.unwrap();
    assert_eq!(index.list(&similar(0), None, 9, NOW).await.unwrap().records, []);
}
