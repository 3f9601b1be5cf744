//! The conformance kit for storages, and a storage that fails on demand.
//!
//! [`conformance`] tries every promise of [`SessionStorage`] on a storage of yours,
//! and every promise of [`OwnerIndex`](crate::storage::OwnerIndex) if the storage has
//! an index of owners. Time is given, never slept. A failure names the promise that
//! broke.
//!
//! ```
//! use rocket_typed_sessions::storage::Memory;
//! use rocket_typed_sessions::testing::storage::conformance;
//! use std::collections::HashMap;
//! use std::sync::Mutex;
//!
//! # rocket::tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
//! // Two calls with one name open the same backend; a new name opens an empty one.
//! // Here that is a map; for a database it would be a table or a prefix.
//! let backends = Mutex::new(HashMap::new());
//! conformance(async |name| {
//!     let mut backends = backends.lock().expect("no panic");
//!     backends.entry(name.to_owned()).or_insert_with(|| Memory::new(10_000)).clone()
//! })
//! .await;
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```

mod basics;
mod case;
mod expiry;
mod faulty;
mod logins;
mod marks;
mod owners;
mod races;
mod subject;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use case::Case;
pub use faulty::{Fault, Faulty, Operation};
use subject::Subject;

use crate::storage::SessionStorage;

/// No case waits for anything but the storage.
const PATIENCE: Duration = Duration::from_secs(120);

/// A promise that a storage did not keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenPromise {
    /// The case that found it.
    pub case: &'static str,
    /// What every storage promises.
    pub promise: &'static str,
    /// What this one did.
    pub what: String,
}

impl fmt::Display for BrokenPromise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}.\n    But {}.", self.case, self.promise, self.what)
    }
}

/// Tries every promise of [`SessionStorage`] on a storage, and those of its
/// [`owners`](SessionStorage::owners) if there are any.
///
/// `open` opens a handle on the backend of the given name (lower-case letters
/// and `_`): a new name means an empty backend, a known one a second handle on
/// the same records. The backend must have room for 10,000 records. Call it on
/// a runtime with several threads, so that races really race.
///
/// # Panics
///
/// If a promise is broken, with the list of all that are.
pub async fn conformance<S: SessionStorage>(open: impl AsyncFn(&str) -> S) {
    let broken = broken_promises(open).await;
    let list: Vec<_> = broken.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "{} promise(s) broken:\n{}", list.len(), list.join("\n"));
}

/// The promises that a storage breaks; see [`conformance`].
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
            Ok(Ok(Err(what))) => what,
            Ok(Err(_)) => format!("it did not finish within {} seconds", PATIENCE.as_secs()),
            Err(_) => "it panicked".to_owned(),
        };
        broken.push(BrokenPromise { case: case.name, promise: case.promise, what });
    }
    broken
}

/// The names of all cases and the promises they try, in the order they run.
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
