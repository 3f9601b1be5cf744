//! A cache in front of a storage that several nodes share.

use std::time::Duration;

use rocket::futures::stream::{self, BoxStream};
use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::storage::{
    Cached, Change, Create, Invalidate, Memory, OwnerGuard, OwnerIndex, OwnerKey, OwnerLimit,
    OwnerLimitPolicy, Predecessor, Record, SessionStorage, StorageKey, Succeed, Successor,
    Timestamp, Touch, Update, Version,
};
use rocket_typed_sessions::{SessionError, Sessions};
use tokio::sync::broadcast::{Sender, channel};

use crate::support::*;

const NOW: Timestamp = Timestamp::from_millis(1_900_000_000_000);
const TTL: Duration = Duration::from_secs(2);
const FREE: OwnerGuard = OwnerGuard { generation: None, limit: None, replaces: None };

fn key(byte: u8) -> StorageKey {
    StorageKey::from_bytes([byte; 32])
}

fn record(payload: &str, owner: Option<u8>) -> Record {
    Record {
        version: version(),
        payload: payload.as_bytes().into(),
        owner: owner.map(|byte| OwnerKey::from_bytes([byte; 32])),
        created: NOW,
        last_seen: NOW,
        expires: NOW.after(Duration::from_secs(100)),
    }
}

fn nodes(storage: &Faulty) -> [Cached; 2] {
    [Cached::new(storage.clone(), 1000, TTL), Cached::new(storage.clone(), 1000, TTL)]
}

fn owners(storage: &Cached) -> &dyn OwnerIndex {
    storage.owners().expect("an index of owners")
}

async fn payload(storage: &impl SessionStorage, name: u8) -> Option<String> {
    let found = storage.read(&key(name), NOW).await.expect("an answer")?;
    Some(String::from_utf8(found.payload.to_vec()).expect("text"))
}

async fn create(storage: &impl SessionStorage, name: u8, record: Record) {
    let created = storage.create(&key(name), record, FREE, NOW).await;
    assert!(matches!(created, Ok(Create::Created)), "{created:?}");
}

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
    assert!(update.is_err());
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

/// A storage that is told of changes, here by the test.
#[derive(Clone)]
struct Telling(Faulty, Sender<Change>);

impl Telling {
    fn new() -> (Self, Sender<Change>) {
        let (tell, _) = channel(16);
        (Self(faulty(), tell.clone()), tell)
    }
}

storage_over! {
    Telling.0;

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        self.0.update(key, expected, record, now).await
    }

    fn changes(&self) -> Option<BoxStream<'static, Change>> {
        let changes = stream::unfold(self.1.subscribe(), async |mut told| {
            told.recv().await.ok().map(|change| (change, told))
        });
        Some(Box::pin(changes))
    }
}

async fn heard(tell: &Sender<Change>, change: Change) {
    tell.send(change).expect("somebody listens");
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_storage_tells_of_is_read_again_and_nothing_else() {
    let (far, tell) = Telling::new();
    let near = Cached::new(far.clone(), 1000, TTL);
    for name in [1, 2] {
        create(&far, name, record("x", None)).await;
        assert!(payload(&near, name).await.is_some());
        far.invalidate(&key(name), None, None).await.expect("an answer");
    }
    heard(&tell, Change::Record(key(1))).await;
    assert_eq!(payload(&near, 1).await, None);
    assert!(payload(&near, 2).await.is_some(), "a copy");
    heard(&tell, Change::Any).await;
    assert_eq!(payload(&near, 2).await, None);
    drop(near);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(tell.receiver_count(), 0, "nobody listens any more");
}

#[tokio::test(start_paused = true)]
async fn what_is_told_while_an_answer_is_on_its_way_makes_it_no_copy() {
    for change in [Change::Record(key(1)), Change::Any] {
        let (far, tell) = Telling::new();
        let near = Cached::new(far.clone(), 1000, TTL);
        create(&far, 1, record("x", None)).await;
        far.0.set(Operation::Read, Fault::SlowAnswer(Duration::from_millis(100)));
        let read = tokio::spawn({
            let near = near.clone();
            async move { payload(&near, 1).await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        far.invalidate(&key(1), None, None).await.expect("an answer");
        heard(&tell, change).await;
        assert!(read.await.expect("no panic").is_some(), "what was, when it was asked");
        far.0.mend();
        assert_eq!(payload(&near, 1).await, None);
    }
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
        assert!(succeed(&near, version).await.is_err());
        far.mend();
        let expected = if operation == Operation::Create { "old" } else { "replaced" };
        let asked = far.calls(Operation::Read);
        assert_eq!(payload(&near, 1).await.as_deref(), Some(expected));
        assert_eq!(payload(&near, 2).await.as_deref(), Some("new"));
        assert_eq!(far.calls(Operation::Read), asked + 2, "with {operation:?}");
    }
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

#[get("/everywhere/<id>")]
async fn everywhere(sessions: &Sessions, id: &str) -> Result<String, SessionError> {
    Ok(sessions.of::<User>().revoke_owner(id).await?.to_string())
}

async fn applications(far: &Faulty, ttl: &str) -> [Client; 2] {
    let open = async || {
        let figment = figment("far")
            .merge(("sessions.user.cache.ttl", ttl))
            .merge(("sessions.user.cache.capacity", 100));
        let fairing = Sessions::fairing().storage("far", far.clone());
        client_with(figment, fairing, routes![everywhere]).await
    };
    [open().await, open().await]
}

#[tokio::test]
async fn nobody_is_logged_out_because_another_node_has_given_them_a_new_id() {
    let far = faulty();
    let [here, there] = applications(&far, "1 hour").await;
    let anonymous = sent(&here.get("/set/guest").dispatch().await).expect("a token");
    assert_eq!(text(&here, "/get", &anonymous).await, "guest 0");
    assert_eq!(text(&there, "/get", &anonymous).await, "guest 0");
    // `renew` gives the same record a new id, which `there` has an old copy of.
    let renewed = sent(&with_cookie(&here, "/renew", &anonymous).await).expect("a new id");
    assert_ne!(renewed, anonymous);
    assert_eq!(text(&there, "/get", &renewed).await, "guest 0");
    let asked = far.calls(Operation::Read);
    assert_eq!(text(&there, "/get", &renewed).await, "guest 0");
    assert_eq!(far.calls(Operation::Read), asked, "the newer record is the copy now");
    assert_eq!(text(&there, "/get", &anonymous).await, "absent", "the old id is over");
}

#[tokio::test]
async fn an_application_with_a_cache_counts_right_on_every_node() {
    let far = faulty();
    let nodes = applications(&far, "1 hour").await;
    let token = logged_in(&nodes[0], "ann").await;
    for n in 0..20 {
        text(&nodes[n % 2], "/count", &token).await;
    }
    assert_eq!(text(&nodes[1], "/get", &token).await, "ann 20");
    // Where it is ended, it is ended at once.
    assert_eq!(text(&nodes[1], "/everywhere/ann", &token).await, "1");
    assert_eq!(text(&nodes[1], "/get", &token).await, "absent");
}

#[tokio::test]
async fn a_ttl_of_zero_caches_nothing() {
    let far = faulty();
    let [here, _] = applications(&far, "0").await;
    let token = logged_in(&here, "ann").await;
    let asked = far.calls(Operation::Read);
    for _ in 0..3 {
        assert_eq!(text(&here, "/get", &token).await, "ann 0");
    }
    assert_eq!(far.calls(Operation::Read), asked + 3);
}
