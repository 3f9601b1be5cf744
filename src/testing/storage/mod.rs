//! The conformance kit for storages, and a storage that fails on demand.
//!
//! [`conformance`] tests every promise of [`SessionStorage`], and every promise of
//! [`OwnerIndex`](crate::storage::OwnerIndex) if the storage has an index of
//! owners. It passes times to the storage, so it never sleeps. A failure names the
//! broken promise.
//!
//! [`Faulty`] wraps a storage and fails on demand, for tests of an application.
//! [`Intercepted`] wraps a storage and does what the test says at each operation.

mod basics;
mod case;
mod expiry;
mod faulty;
mod intercept;
mod logins;
mod marks;
mod owners;
mod races;
mod subject;
mod verdict;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use case::{Broken, Case};
pub use faulty::{Fault, Faults, Faulty};
pub use intercept::{Intercept, Intercepted, Operation};
use subject::Subject;

use crate::storage::SessionStorage;

/// How long a case may take. It waits for nothing but the storage.
const PATIENCE: Duration = Duration::from_secs(120);

/// A promise that a storage did not keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenPromise {
    /// The name of the case that found it.
    pub case: &'static str,
    /// The promise, as every storage has to keep it.
    pub promise: &'static str,
    /// What the storage did instead of keeping it.
    pub what: String,
}

impl fmt::Display for BrokenPromise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}.\n    But {}.", self.case, self.promise, self.what)
    }
}

/// Tests every promise of [`SessionStorage`] on a storage, and those of its
/// [`owners`](SessionStorage::owners) if it has an index.
///
/// `open` opens a handle on the backend with the given name, which consists of
/// lower-case letters and `_`. A new name stands for an empty backend, a known one
/// for a second handle on the same records. The backend must have room for 10,000
/// records. Call it on a runtime with several threads, so that concurrent calls
/// really overlap.
///
/// # Panics
///
/// Panics if the storage breaks a promise, and lists all that it breaks.
///
/// ```
/// use rocket_typed_sessions::storage::Memory;
/// use rocket_typed_sessions::testing::storage::conformance;
/// use std::collections::HashMap;
/// use std::sync::Mutex;
///
/// # rocket::tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
/// // A database would have a table or a prefix for each name.
/// let backends = Mutex::new(HashMap::new());
/// conformance(async |name| {
///     let mut backends = backends.lock().expect("no panic");
///     backends.entry(name.to_owned()).or_insert_with(|| Memory::new(10_000)).clone()
/// })
/// .await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn conformance<S: SessionStorage>(open: impl AsyncFn(&str) -> S) {
    let broken = broken_promises(open).await;
    let list: Vec<_> = broken.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "{} promise(s) broken:\n{}", list.len(), list.join("\n"));
}

/// Returns the promises that a storage breaks. It tests what [`conformance`] tests,
/// and does not panic: for a report, or for a storage with known limits.
///
/// ```
/// use rocket_typed_sessions::storage::{Memory, StorageError};
/// use rocket_typed_sessions::testing::storage::{Fault, Faulty, Operation, broken_promises};
/// use std::collections::HashMap;
/// use std::sync::Mutex;
///
/// # rocket::tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
/// // A storage that does not implement `touch`.
/// let backends = Mutex::new(HashMap::new());
/// let broken = broken_promises(async |name| {
///     let mut backends = backends.lock().expect("no panic");
///     let memory = backends.entry(name.to_owned()).or_insert_with(|| Memory::new(10_000));
///     let storage = Faulty::new(memory.clone());
///     let missing = StorageError::Other("not implemented".into(), None);
///     storage.set(Operation::Touch, Fault::Fails(missing));
///     storage
/// })
/// .await;
/// assert!(!broken.is_empty());
/// assert!(broken.iter().all(|promise| promise.what.contains("not implemented")));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn broken_promises<S: SessionStorage>(
    open: impl AsyncFn(&str) -> S,
) -> Vec<BrokenPromise> {
    let mut broken = Vec::new();
    for (case, of_owners) in all_cases() {
        let subject = Subject {
            storage: Arc::new(open(case.name).await),
            again: Arc::new(open(case.name).await),
        };
        if of_owners && subject.storage.owners().is_none() {
            continue;
        }
        // A task of its own: a panic in the storage breaks this promise only.
        let run = rocket::tokio::spawn(tokio::time::timeout(PATIENCE, (case.run)(subject)));
        let what = match run.await {
            Ok(Ok(Ok(()))) => continue,
            Ok(Ok(Err(Broken(what)))) => what,
            Ok(Err(_)) => format!("it did not finish within {} seconds", PATIENCE.as_secs()),
            Err(_) => "it panicked".to_owned(),
        };
        broken.push(BrokenPromise { case: case.name, promise: case.promise, what });
    }
    broken
}

/// Returns the names of all cases and the promises that they test, in the order in
/// which they run.
///
/// ```
/// use rocket_typed_sessions::testing::storage::promises;
///
/// for (case, promise) in promises() {
///     println!("{case}: {promise}");
/// }
/// assert!(promises().count() > 30);
/// ```
pub fn promises() -> impl Iterator<Item = (&'static str, &'static str)> {
    all_cases().map(|(case, _)| (case.name, case.promise))
}

/// Every case, and whether it is for storages with an index of owners only.
fn all_cases() -> impl Iterator<Item = (&'static Case, bool)> {
    let all = [basics::CASES, expiry::CASES, marks::CASES, logins::CASES, races::CASES]
        .into_iter()
        .flatten();
    let of_owners =
        [owners::OWNER_CASES, marks::OWNER_CASES, logins::OWNER_CASES, races::OWNER_CASES]
            .into_iter()
            .flatten();
    all.map(|case| (case, false)).chain(of_owners.map(|case| (case, true)))
}
