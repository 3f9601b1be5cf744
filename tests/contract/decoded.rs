//! A record that stays in the process keeps the value that was decoded from it (D14).

use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use parking_lot::Mutex;
use rocket::futures::FutureExt;
use rocket::local::asynchronous::Client;
use rocket::{Route, get, routes};
use rocket_typed_sessions::storage::{
    Cached, Directory, Memory, OwnerKey, SessionStorage, StorageKey, Timestamp,
};
use rocket_typed_sessions::{DecodeError, Session, SessionData, Sessions, SessionsFairing};
use serde::{Deserialize, Serialize};

use crate::support::*;

/// How often a value with this number was decoded.
static DECODED: [AtomicU32; 4] = [const { AtomicU32::new(0) }; 4];

#[derive(Clone, Serialize, Deserialize)]
struct Page {
    number: usize,
    visits: u32,
    #[serde(skip)]
    note: String,
}

impl SessionData for Page {
    const NAME: &'static str = "user";

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let cause = |cause| DecodeError::caused_by("JSON failed", cause);
        let page: Self = serde_json::from_slice(bytes).map_err(cause)?;
        DECODED[page.number].fetch_add(1, Ordering::SeqCst);
        Ok(page)
    }
}

#[get("/begin/<number>")]
fn begin(session: Session<Page>, number: usize) {
    session.set(Page { number, visits: 0, note: "of this request".into() });
}

#[get("/visit")]
fn visit(session: Session<Page>) -> &'static str {
    session.update(|page| page.visits += 1).map_or("nobody", |_| "visited")
}

#[get("/look")]
fn look(session: Session<Page>) -> String {
    session.get().map_or_else(|| "nobody".into(), |page| format!("{}{}", page.visits, page.note))
}

fn page_routes() -> Vec<Route> {
    routes![begin, visit, look]
}

/// An application with these routes alone.
async fn application(storage: &str, fairing: SessionsFairing, routes: Vec<Route>) -> Client {
    let rocket = rocket::custom(figment(storage)).attach(fairing).mount("/", routes);
    Client::untracked(rocket).await.expect("a valid configuration")
}

/// Counts how often the session is decoded by its first write and by three reads, and then by
/// another write and by three reads.
async fn decoded(client: &Client, number: usize) -> [u32; 4] {
    let seen = || DECODED[number].swap(0, Ordering::SeqCst);
    let begun = client.get(format!("/begin/{number}")).dispatch().await;
    let token = sent(&begun).expect("a token");
    let mut counts = [seen(), 0, 0, 0];
    for (at, visits) in [(1, "0"), (3, "1")] {
        for _ in 0..3 {
            assert_eq!(text(client, "/look", &token).await, visits);
        }
        counts[at] = seen();
        if at == 1 {
            assert_eq!(text(client, "/visit", &token).await, "visited");
            counts[2] = seen();
        }
    }
    counts
}

#[tokio::test]
async fn d14_a_record_in_the_process_is_decoded_once_per_write() {
    let folder = tempfile::tempdir().unwrap();
    let directory = || Directory::open(folder.path().join("sessions")).unwrap();
    let client = |storage, fairing| application(storage, fairing, page_routes());
    // The only decoding is the check of a write that it reads back as it was.
    assert_eq!(decoded(&client("memory", Sessions::fairing()).await, 0).await, [1, 0, 1, 0]);
    let cached = || {
        let storage = Cached::new(directory(), 1000, Duration::from_secs(60));
        client("cached", Sessions::fairing().storage("cached", storage))
    };
    assert_eq!(decoded(&cached().await, 1).await, [1, 0, 1, 0]);
    let disk = client("disk", Sessions::fairing().storage("disk", directory())).await;
    assert_eq!(decoded(&disk, 2).await, [1, 3, 2, 3]);

    // The first read of another node brings the record into its cache.
    let token = sent(&disk.get("/begin/2").dispatch().await).expect("a token");
    let another = cached().await;
    DECODED[2].store(0, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(text(&another, "/look", &token).await, "0");
    }
    assert_eq!(DECODED[2].load(Ordering::SeqCst), 1);
}

/// It can change behind a shared reference.
#[derive(Serialize, Deserialize)]
struct Changing {
    seen: AtomicU32,
}

impl Clone for Changing {
    fn clone(&self) -> Self {
        Self { seen: AtomicU32::new(self.seen.load(Ordering::SeqCst)) }
    }
}

impl SessionData for Changing {
    const NAME: &'static str = "user";
    const SHARE: bool = false;
}

#[get("/begin")]
fn begin_changing(session: Session<Changing>) {
    session.set(Changing { seen: AtomicU32::new(0) });
}

/// Changes the value behind the session's back.
#[get("/see")]
fn see(session: Session<Changing>) -> Option<String> {
    Some(session.get()?.seen.fetch_add(1, Ordering::SeqCst).to_string())
}

#[tokio::test]
async fn d14_a_type_that_opts_out_never_leaks_from_one_request_to_another() {
    let routes = routes![begin_changing, see];
    let client = application("memory", Sessions::fairing(), routes).await;
    let token = sent(&client.get("/begin").dispatch().await).expect("a token");
    for _ in 0..3 {
        assert_eq!(text(&client, "/see", &token).await, "0");
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Other {
    visits: u64,
}

impl SessionData for Other {
    const NAME: &'static str = "user";
}

#[get("/look")]
fn look_other(session: Session<Other>) -> String {
    session.get().map_or_else(|| "nobody".into(), |other| format!("other {}", other.visits))
}

/// Two applications in one process share a storage, and name their types alike.
#[tokio::test]
async fn d14_a_kept_value_of_another_type_is_not_used() {
    let storage = Memory::new(1000);
    let fairing = || Sessions::fairing().storage("shared", storage.clone());
    let one = application("shared", fairing(), page_routes()).await;
    let other = application("shared", fairing(), routes![look_other]).await;
    let token = sent(&one.get("/begin/3").dispatch().await).expect("a token");
    assert_eq!(text(&other, "/look", &token).await, "other 0");
    assert_eq!(text(&one, "/look", &token).await, "0");
}

/// A value whose `Drop` uses the storage that kept it.
#[derive(Clone, Serialize, Deserialize)]
struct Nosy(u32);

static KEPT_BY: Mutex<Option<Arc<dyn SessionStorage>>> = Mutex::new(None);

impl Drop for Nosy {
    fn drop(&mut self) {
        let Some(storage) = KEPT_BY.lock().clone() else { return };
        let now = Timestamp::from_millis(1);
        // The index of a disk is used on other threads, which this one does not wait for.
        let owners = storage.owners().filter(|_| !storage.loses_answers());
        // One of these keys is in the same part of the storage, whatever its parts are, and one of
        // these owners in the same part of the index.
        for last in 0..=u8::MAX {
            let mut key = [0; 32];
            key[31] = last;
            storage.read(&StorageKey::from_bytes(key), now).now_or_never();
            if let Some(owners) = owners {
                owners.invalidate_owner(&OwnerKey::from_bytes(key), &[], now).now_or_never();
            }
        }
    }
}

impl SessionData for Nosy {
    const NAME: &'static str = "user";

    fn owner(&self) -> Option<Cow<'_, str>> {
        Some(format!("owner {}", self.0 % 2).into())
    }
}

#[get("/nosy/<number>")]
async fn nosy(session: Session<Nosy>, sessions: &Sessions, number: u32) -> String {
    match number {
        0 => session.clear(),
        1 => session.set(Nosy(number)),
        4 => drop(sessions.of::<Nosy>().revoke_owner("owner 1").await),
        _ => drop(session.update(move |nosy| nosy.0 = number)),
    }
    number.to_string()
}

/// Begins 300 sessions, more than there is room for, and writes to some and ends them. A write of 2
/// changes the owner.
async fn use_nosy_sessions(storage: impl SessionStorage + Clone, limit: Option<u32>) {
    *KEPT_BY.lock() = Some(Arc::new(storage.clone()));
    let fairing = Sessions::fairing().storage("nosy", storage);
    let mut figment = figment("nosy");
    if let Some(limit) = limit {
        figment = figment.merge(("sessions.user.max_sessions_per_owner", limit));
    }
    let rocket = rocket::custom(figment).attach(fairing).mount("/", routes![nosy]);
    let client = Client::untracked(rocket).await.expect("a valid configuration");
    for number in 0..300 {
        let token = sent(&client.get("/nosy/1").dispatch().await).expect("a token");
        // The others make room for new ones.
        if number % 3 == 0 {
            text(&client, "/nosy/3", &token).await;
            text(&client, "/nosy/0", &token).await;
        } else if number % 30 == 1 {
            text(&client, "/nosy/2", &token).await;
        }
    }
    text(&client, "/nosy/4", "").await;
    *KEPT_BY.lock() = None;
}

#[test]
fn d14_a_kept_value_is_dropped_outside_all_locks() {
    let (done, waiting) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = rocket::tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            for limit in [None, Some(2)] {
                use_nosy_sessions(Memory::new(100), limit).await;
                let folder = tempfile::tempdir().unwrap();
                let directory = Directory::open(folder.path().join("sessions")).unwrap();
                let cached = Cached::new(directory, 64, Duration::from_secs(60));
                use_nosy_sessions(cached, limit).await;
            }
        });
        done.send(()).expect("the test waits");
    });
    waiting.recv_timeout(Duration::from_secs(120)).expect("no storage waits for itself");
}
