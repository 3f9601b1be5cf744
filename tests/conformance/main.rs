//! The conformance kit on the built-in storages, and on wrong ones. The kit must
//! find each wrong one out, by the promise that it breaks.

#![allow(clippy::expect_used)]

#[path = "../../examples/custom_storage.rs"]
#[allow(dead_code)]
mod custom_storage;
mod launch;
mod wrong;

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::storage::{
    Cached, Directory, LastWriteWins, Memory, SessionStorage, SimpleStorage, Timestamp,
};
use rocket_typed_sessions::testing::storage::{Faulty, broken_promises, conformance, promises};
use wrong::{Bug, Plain, bugs};

/// One backend a name, shared by all handles on it.
struct Backends<S>(Mutex<HashMap<String, S>>);

impl<S: Clone> Backends<S> {
    fn new() -> Self {
        Self(Mutex::default())
    }

    fn open(&self, name: &str, make: impl FnOnce() -> S) -> S {
        let mut backends = self.0.lock().expect("no panic");
        backends.entry(name.to_owned()).or_insert_with(make).clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_keeps_every_promise() {
    let backends = Backends::new();
    conformance(async |name| backends.open(name, || Memory::new(10_000))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_directory_keeps_every_promise() {
    let dir = tempfile::tempdir().expect("a folder");
    // Two handles are two openings of one folder, as two processes have them.
    conformance(async |name| Directory::open(dir.path().join(name)).expect("a directory")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_examples_own_storage_keeps_every_promise() {
    let backends = Backends::new();
    conformance(async |name| backends.open(name, custom_storage::Table::default)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_faulty_storage_that_works_keeps_every_promise() {
    let backends = Backends::new();
    conformance(async |name| backends.open(name, || Faulty::new(Memory::new(10_000)))).await;
}

/// All that goes through one cache sees no difference to the storage behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cache_keeps_every_promise_on_its_own_node() {
    let backends = Backends::new();
    let open = || Cached::new(Memory::new(10_000), 1000, Duration::from_secs(3600));
    conformance(async |name| backends.open(name, open)).await;
}

/// With a cache each, two nodes read what was for `ttl`, and break no promise
/// but those that compare what two nodes read.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_caches_on_one_storage_are_behind_in_reading_only() {
    let backends = Backends::new();
    let open = async |name: &str| {
        let storage = backends.open(name, || Memory::new(10_000));
        Cached::new(storage, 1000, Duration::from_secs(3600))
    };
    let mut broken: Vec<_> = broken_promises(open).await.iter().map(|broken| broken.case).collect();
    // The increments are all there; what is read at the end may be a copy.
    broken.retain(|case| *case != "a_hundred_increments_lose_nothing");
    assert_eq!(broken, ["two_handles_agree"]);
}

/// Three methods over a map.
#[derive(Default)]
struct Map(tokio::sync::Mutex<HashMap<String, Vec<u8>>>);

#[rocket::async_trait]
impl SimpleStorage for Map {
    async fn write(&self, id: &str, value: &[u8], _: Timestamp) -> Result<(), StorageError> {
        self.0.lock().await.insert(id.to_owned(), value.to_owned());
        Ok(())
    }

    async fn read(&self, id: &str) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.0.lock().await.get(id).cloned())
    }

    async fn invalidate(&self, id: &str) -> Result<(), StorageError> {
        self.0.lock().await.remove(id);
        Ok(())
    }
}

/// It has no index of owners, so nothing of what an index promises is tried.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_simple_storage_in_one_process_keeps_every_promise_without_an_index() {
    let backends = Backends::new();
    conformance(async |name| backends.open(name, || LastWriteWins::new(Map::default()))).await;
    let backends = Backends::new();
    conformance(async |name| backends.open(name, || Plain::new(Bug::NoIndex))).await;
}

/// What wraps a storage has an index only where that one has.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn wrappers_have_the_index_of_what_they_wrap() {
    let hour = Duration::from_secs(3600);
    for (storage, indexed) in [(Plain::new(Bug::None), true), (Plain::new(Bug::NoIndex), false)] {
        assert_eq!(Faulty::new(storage.clone()).owners().is_some(), indexed);
        assert_eq!(Cached::new(storage, 100, hour).owners().is_some(), indexed);
    }
    let memory = Memory::new(100);
    let cached = Cached::new(memory.clone(), 100, hour);
    assert!(!memory.loses_answers() && !cached.loses_answers());
    assert!(!memory.may_be_behind() && cached.may_be_behind());
    assert!(
        !Faulty::new(memory.clone()).may_be_behind() && Faulty::new(cached.clone()).may_be_behind()
    );
    let remote = Plain::new(Bug::None);
    assert!(remote.is_remote() && !cached.is_remote());
    assert!(Faulty::new(remote.clone()).is_remote());
    assert!(Cached::new(remote, 100, hour).is_remote());
    // Its answers are lost on demand.
    assert!(Faulty::new(memory).loses_answers());
    let simple = LastWriteWins::new(Map::default());
    assert!(!simple.compares_and_swaps() && simple.owners().is_none());
    assert!(!Faulty::new(simple.clone()).compares_and_swaps());
    assert!(!Cached::new(simple, 100, hour).compares_and_swaps());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_plain_storage_that_the_wrong_ones_are_made_of_keeps_every_promise() {
    let backends = Backends::new();
    conformance(async |name| backends.open(name, || Plain::new(Bug::None))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_wrong_storage_fails_exactly_the_cases_it_should() {
    let mut differences = Vec::new();
    let mut found = BTreeSet::new();
    for (bug, expected) in bugs() {
        let backends = Backends::new();
        let broken = match bug {
            // Nothing is shared: every handle has records of its own.
            Bug::PrivateHandles => broken_promises(async |_| Plain::new(Bug::None)).await,
            bug => broken_promises(async |name| backends.open(name, || Plain::new(*bug))).await,
        };
        let cases: BTreeSet<_> = broken.iter().map(|broken| broken.case).collect();
        let expected: BTreeSet<_> = expected.iter().copied().collect();
        if cases != expected {
            let missing: Vec<_> = expected.difference(&cases).collect();
            let others: Vec<_> =
                broken.iter().filter(|broken| !expected.contains(broken.case)).collect();
            differences.push(format!("{bug:?}: {missing:?} hold; also broken: {others:#?}"));
        }
        found.extend(cases);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    let never: Vec<_> = promises().map(|(case, _)| case).filter(|c| !found.contains(c)).collect();
    assert!(never.is_empty(), "no wrong storage fails {never:?}");
}
