//! A storage that fails on demand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::intercept::{Intercept, Intercepted, Operation};
use crate::storage::{SessionStorage, StorageError, StorageKey};

/// What an operation does instead of answering at once.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It fails with this error and does nothing.
    Fails(StorageError),
    /// It does its work and fails afterwards, as when the answer is lost on the
    /// network.
    FailsAfterwards(StorageError),
    /// It never answers.
    Hangs,
    /// It begins its work after this time.
    Slow(Duration),
    /// It does its work at once, and answers after this time.
    SlowAnswer(Duration),
}

/// A storage around another one that fails, hangs or is slow when a test says so,
/// for each operation separately. A clone is another handle on the same storage.
///
/// ```
/// use rocket_typed_sessions::Sessions;
/// use rocket_typed_sessions::storage::{Memory, StorageError};
/// use rocket_typed_sessions::testing::storage::{Fault, Faulty, Operation};
///
/// let storage = Faulty::new(Memory::new(1000));
/// let sessions = Sessions::fairing().storage("faulty", storage.clone());
/// // … start the application, log in, and then:
/// storage.set(Operation::Read, Fault::Fails(StorageError::Unavailable("down".into(), None)));
/// // … requests get 503, until
/// storage.mend();
/// ```
pub type Faulty = Intercepted<Faults>;

/// The faults of a [`Faulty`] storage.
#[derive(Clone)]
pub struct Faults(Arc<Inner>);

struct Inner {
    storage: Arc<dyn SessionStorage>,
    faults: Mutex<[Option<Fault>; Operation::ALL.len()]>,
    calls: [AtomicUsize; Operation::ALL.len()],
    created: Mutex<Vec<StorageKey>>,
}

impl Inner {
    fn fault(&self, operation: Operation) -> Option<Fault> {
        let faults = self.faults.lock();
        let reads = operation == Operation::ReadMany;
        let of_read = || faults[Operation::Read as usize].as_ref().filter(|_| reads);
        faults[operation as usize].as_ref().or_else(of_read).cloned()
    }
}

impl Faulty {
    /// Wraps `storage`. Every operation works at first.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::Memory;
    /// use rocket_typed_sessions::testing::storage::{Faulty, Operation};
    ///
    /// let storage = Faulty::new(Memory::new(1000));
    /// assert_eq!(storage.calls(Operation::Read), 0);
    /// ```
    pub fn new(storage: impl SessionStorage) -> Self {
        Self(Faults(Arc::new(Inner {
            storage: Arc::new(storage),
            faults: Mutex::default(),
            calls: Default::default(),
            created: Mutex::default(),
        })))
    }

    /// Gives a fault to an operation, from now on. A fault of [`Operation::Read`] applies to
    /// [`Operation::ReadMany`] as well, unless that has its own.
    ///
    /// ```
    /// # use rocket::http::Status;
    /// # use rocket_typed_sessions::{testing::*, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// # #[rocket::get("/")]
    /// # fn index(_session: Session<User>) {}
    /// use rocket_typed_sessions::storage::{Memory, StorageError};
    /// use rocket_typed_sessions::testing::storage::{Fault, Faulty, Operation};
    ///
    /// let storage = Faulty::new(Memory::new(1000));
    /// let sessions = Sessions::fairing().storage("faulty", storage.clone());
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "faulty"));
    /// # let rocket = rocket::custom(figment).attach(sessions).mount("/", rocket::routes![index]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    /// storage.set(Operation::Read, Fault::Fails(StorageError::Unavailable("down".into(), None)));
    ///
    /// let response = client.get("/").session(&User { id: 7 }).dispatch();
    /// assert_eq!(response.status(), Status::ServiceUnavailable);
    /// ```
    pub fn set(&self, operation: Operation, fault: Fault) {
        self.0.0.faults.lock()[operation as usize] = Some(fault);
    }

    /// Removes the faults of every operation.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::{Memory, SessionStorage, Timestamp};
    /// use rocket_typed_sessions::testing::storage::{Fault, Faulty, Operation};
    ///
    /// # rocket::async_test(async {
    /// let storage = Faulty::new(Memory::new(1000));
    /// storage.set(Operation::PurgeExpired, Fault::Hangs);
    /// storage.mend();
    /// assert_eq!(storage.purge_expired(Timestamp::ZERO, 100).await?, 0);
    /// # Ok::<(), rocket_typed_sessions::storage::StorageError>(())
    /// # }).unwrap();
    /// ```
    pub fn mend(&self) {
        *self.0.0.faults.lock() = Default::default();
    }

    /// Returns how often an operation was called.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::*, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// # #[rocket::get("/")]
    /// # fn index(_one: Session<User>, _other: Session<User>) {}
    /// use rocket_typed_sessions::storage::Memory;
    /// use rocket_typed_sessions::testing::storage::{Faulty, Operation};
    ///
    /// let storage = Faulty::new(Memory::new(1000));
    /// let sessions = Sessions::fairing().storage("faulty", storage.clone());
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "faulty"));
    /// # let rocket = rocket::custom(figment).attach(sessions).mount("/", rocket::routes![index]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// client.get("/").session(&User { id: 7 }).dispatch();
    /// assert_eq!(storage.calls(Operation::Read), 1); // two guards share one session
    /// ```
    pub fn calls(&self, operation: Operation) -> usize {
        self.0.0.calls[operation as usize].load(Ordering::SeqCst)
    }

    /// Returns the keys that [`create`](SessionStorage::create) was called with.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::*, Session, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// # #[rocket::post("/login")]
    /// # fn login(session: Session<User>) { session.login(User { id: 7 }) }
    /// use rocket_typed_sessions::storage::Memory;
    /// use rocket_typed_sessions::testing::storage::Faulty;
    ///
    /// let storage = Faulty::new(Memory::new(1000));
    /// let sessions = Sessions::fairing().storage("faulty", storage.clone());
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "faulty"));
    /// # let rocket = rocket::custom(figment).attach(sessions).mount("/", rocket::routes![login]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// client.post("/login").dispatch();
    /// assert_eq!(storage.created().len(), 1);
    /// ```
    pub fn created(&self) -> Vec<StorageKey> {
        self.0.0.created.lock().clone()
    }

    /// Returns the storage inside. Its operations have no faults, so a test can
    /// look at the records behind the application's back.
    ///
    /// ```
    /// use rocket_typed_sessions::storage::{Memory, Timestamp};
    /// use rocket_typed_sessions::testing::storage::{Fault, Faulty, Operation};
    ///
    /// # rocket::async_test(async {
    /// let storage = Faulty::new(Memory::new(1000));
    /// storage.set(Operation::PurgeExpired, Fault::Hangs);
    /// assert_eq!(storage.inner().purge_expired(Timestamp::ZERO, 100).await?, 0);
    /// # Ok::<(), rocket_typed_sessions::storage::StorageError>(())
    /// # }).unwrap();
    /// ```
    pub fn inner(&self) -> &dyn SessionStorage {
        &*self.0.0.storage
    }
}

impl Intercept for Faults {
    fn storage(&self) -> Arc<dyn SessionStorage> {
        Arc::clone(&self.0.storage)
    }

    async fn intercept<R: Send>(
        &self,
        operation: Operation,
        key: Option<&StorageKey>,
        work: impl Future<Output = Result<R, StorageError>> + Send,
    ) -> Result<R, StorageError> {
        self.0.calls[operation as usize].fetch_add(1, Ordering::SeqCst);
        if operation == Operation::Create {
            self.0.created.lock().extend(key.cloned());
        }
        let fault = self.0.fault(operation);
        match fault {
            None => work.await,
            Some(Fault::Fails(cause)) => Err(cause),
            Some(Fault::FailsAfterwards(cause)) => work.await.and(Err(cause)),
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::Slow(delay)) => {
                tokio::time::sleep(delay).await;
                work.await
            }
            Some(Fault::SlowAnswer(delay)) => {
                let answer = work.await;
                tokio::time::sleep(delay).await;
                answer
            }
        }
    }
}
