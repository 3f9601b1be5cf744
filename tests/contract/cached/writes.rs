//! What writes and ends do to the copies.

use std::time::Duration;

use rocket_typed_sessions::storage::{
    Create, OwnerGuard, OwnerLimit, OwnerLimitPolicy, Predecessor, Record, SessionStorage,
    StorageError, Succeed, Successor, Update, Version,
};

use super::*;
use crate::support::*;

#[tokio::test]
async fn s57_a_stale_copy_never_wins_a_write() {
    let far = faulty();
    let [here, there] = nodes(&far);
    create(&here, 1, record("0", None)).await;
    let stale = there.read(&key(1), NOW).await.expect("an answer").expect("a record");
    let update = here.update(&key(1), stale.version, record("1", None), NOW).await;
    assert!(matches!(update, Ok(Update::Updated)));
    assert_eq!(payload(&there, 1).await.as_deref(), Some("0"), "a stale copy");
    let lost = there.update(&key(1), stale.version, record("lost", None), NOW).await;
    assert_eq!(lost.expect("an answer"), Update::Conflict);
    assert_eq!(payload(&there, 1).await.as_deref(), Some("1"), "a conflict asks the storage");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s57_a_hundred_increments_through_two_caches_lose_nothing() {
    let far = faulty();
    let nodes = nodes(&far);
    create(&far, 1, record("0", None)).await;
    let all: Vec<_> = (0..100)
        .map(|n| {
            let node = nodes[n % 2].clone();
            tokio::spawn(async move {
                loop {
                    let found = node.read(&key(1), NOW).await.expect("an answer").expect("it");
                    let number: u32 =
                        String::from_utf8_lossy(&found.payload).parse().expect("a number");
                    tokio::task::yield_now().await;
                    let next = record(&(number + 1).to_string(), None);
                    let update = node.update(&key(1), found.version, next, NOW).await;
                    if let Update::Updated = update.expect("an answer") {
                        break;
                    }
                }
            })
        })
        .collect();
    for one in all {
        one.await.expect("no panic");
    }
    assert_eq!(payload(&far, 1).await.as_deref(), Some("100"));
}

#[tokio::test(start_paused = true)]
async fn of_two_writes_whose_answers_cross_the_older_leaves_no_copy() {
    let far = faulty();
    let [near, _] = nodes(&far);
    create(&near, 1, record("0", None)).await;
    let version = near.read(&key(1), NOW).await.expect("an answer").expect("it").version;
    far.set(Operation::Update, Fault::SlowAnswer(Duration::from_millis(100)));
    let first = tokio::spawn({
        let near = near.clone();
        async move { near.update(&key(1), version, record("1", None), NOW).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    far.mend();
    let version = far.read(&key(1), NOW).await.expect("an answer").expect("it").version;
    let second = near.update(&key(1), version, record("2", None), NOW).await;
    assert!(matches!(second, Ok(Update::Updated)), "{second:?}");
    assert!(matches!(first.await.expect("no panic"), Ok(Update::Updated)));
    assert_eq!(payload(&near, 1).await.as_deref(), Some("2"));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_failed_or_that_nobody_waited_for_leaves_no_copy() {
    let far = faulty();
    let [near, _] = nodes(&far);
    create(&near, 1, record("0", None)).await;
    let version = near.read(&key(1), NOW).await.expect("an answer").expect("it").version;
    assert_eq!(far.calls(Operation::Read), 0, "what was written is a copy");
    far.set(
        Operation::Update,
        Fault::FailsAfterwards(StorageError::Unavailable("down".into(), None)),
    );
    let update = near.update(&key(1), version, record("1", None), NOW).await;
    assert!(matches!(update, Err(StorageError::Unavailable(..))), "{update:?}");
    assert_eq!(payload(&near, 1).await.as_deref(), Some("1"), "it had been written");

    let version = near.read(&key(1), NOW).await.expect("an answer").expect("it").version;
    far.set(Operation::Update, Fault::Hangs);
    let name = key(1);
    let hanging = near.update(&name, version, record("2", None), NOW);
    assert!(tokio::time::timeout(Duration::from_millis(1), hanging).await.is_err());
    let asked = far.calls(Operation::Read);
    payload(&near, 1).await;
    assert_eq!(far.calls(Operation::Read), asked + 1);
}

#[tokio::test]
async fn the_sessions_that_a_limit_ends_are_ended_in_the_cache() {
    let far = faulty();
    let [near, _] = nodes(&far);
    create(&near, 1, record("old", Some(7))).await;
    let limit = Some(OwnerLimit { max: 1, policy: OwnerLimitPolicy::EndOldest });
    let guard = OwnerGuard { limit, ..FREE };
    let newer = Record { created: NOW.after(TTL), ..record("new", Some(7)) };
    let created = near.create(&key(2), newer, guard, NOW).await;
    assert!(matches!(created, Ok(Create::Created)), "{created:?}");
    assert_eq!(payload(&near, 1).await, None);
    assert_eq!(payload(&near, 2).await.as_deref(), Some("new"));
}

/// The two writes of a login, from 1 to 2.
async fn succeed(storage: &dyn SessionStorage, expected: Version) -> Result<Succeed, StorageError> {
    let (old, new) = (key(1), key(2));
    let successor = Successor { key: &new, record: record("new", Some(7)), guard: FREE };
    let predecessor = Predecessor { key: &old, expected, record: record("replaced", None) };
    storage.succeed(successor, predecessor, NOW).await
}

#[tokio::test]
async fn a_login_leaves_no_copy_of_what_it_replaced() {
    let far = faulty();
    let [near, _] = nodes(&far);
    create(&near, 1, record("old", None)).await;
    let version = near.read(&key(1), NOW).await.expect("an answer").expect("it").version;
    let succeeded = succeed(&near, version).await;
    assert!(matches!(succeeded, Ok(Succeed::Created(Update::Updated))), "{succeeded:?}");
    assert_eq!(payload(&near, 1).await.as_deref(), Some("replaced"));
    let asked = far.calls(Operation::Read);
    assert_eq!(payload(&near, 2).await.as_deref(), Some("new"));
    assert_eq!(far.calls(Operation::Read), asked, "what was written is a copy");
}

#[tokio::test]
async fn a_login_whose_answer_is_lost_leaves_no_copy() {
    for operation in [Operation::Create, Operation::Update] {
        let far = faulty();
        let [near, _] = nodes(&far);
        create(&near, 1, record("old", None)).await;
        let version = near.read(&key(1), NOW).await.expect("an answer").expect("it").version;
        let down = StorageError::Unavailable("down".into(), None);
        far.set(operation, Fault::FailsAfterwards(down));
        let lost = succeed(&near, version).await;
        assert!(matches!(lost, Err(StorageError::Unavailable(..))), "{lost:?}");
        far.mend();
        let expected = if operation == Operation::Create { "old" } else { "replaced" };
        let asked = far.calls(Operation::Read);
        assert_eq!(payload(&near, 1).await.as_deref(), Some(expected));
        assert_eq!(payload(&near, 2).await.as_deref(), Some("new"));
        assert_eq!(far.calls(Operation::Read), asked + 2, "with {operation:?}");
    }
}
