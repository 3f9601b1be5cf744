//! Closures that call back into their session, values whose `Drop` does, and
//! changes that are taken out of the state while they are applied.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{State, get, routes};
use rocket_typed_sessions::{Lifetime, Session, SessionData, SessionError, Sessions};
use serde::{Deserialize, Serialize};

use crate::support::*;

/// What the closure of an `update` does to its own session.
#[get("/nested/<what>/<meanwhile>")]
async fn nested(
    session: Session<User>,
    what: String,
    meanwhile: bool,
    storage: &State<Faulty>,
) -> String {
    let inner = session.clone();
    let after = session.update(move |user| {
        match what.as_str() {
            "update" => drop(inner.update(|user| user.count += 10)),
            "set" => inner.set(User { id: "ann".into(), count: 50 }),
            "clear" => inner.clear(),
            "discard" => inner.discard(),
            "renew" => inner.renew(),
            _ => drop(inner.get()),
        }
        user.count += 100;
    });
    if meanwhile {
        elsewhere(storage, "count").await;
    }
    format!("{:?}", after.map(|user| user.count))
}

#[tokio::test]
async fn c17_a_closure_that_calls_its_session_ends_at_once_and_every_change_counts_once() {
    for (what, shown, left) in [
        ("update", "Some(110)", 110),
        ("set", "Some(150)", 150),
        ("discard", "Some(100)", 100),
        ("renew", "Some(100)", 100),
        ("get", "Some(100)", 100),
        ("clear", "None", 0),
    ] {
        for meanwhile in [false, true] {
            let storage = faulty();
            let fairing = Sessions::fairing().storage("fault", storage.clone());
            let rocket = build(figment("fault"), fairing, routes![nested]).manage(storage.clone());
            let client = Client::untracked(rocket).await.expect("a rocket");
            let token = logged_in(&client, "ann").await;
            let uri = format!("/nested/{what}/{meanwhile}");
            let asked = with_cookie(&client, &uri, &token);
            let response = tokio::time::timeout(Duration::from_secs(5), asked).await;
            let response = response.expect("it ends at once");
            assert_eq!(response.status(), Status::Ok, "{uri}");
            let token = sent(&response).unwrap_or(token);
            assert_eq!(response.into_string().await.as_deref(), Some(shown), "{uri}");
            // What another request counted meanwhile is kept, unless it was set.
            let kept = u32::from(meanwhile && what != "set");
            let expected =
                if what == "clear" { "absent".into() } else { format!("ann {}", left + kept) };
            assert_eq!(text(&client, "/get", &token).await, expected, "{uri}");
        }
    }
}

#[get("/save-in-a-change")]
async fn save_in_a_change(session: Session<User>, storage: &State<Faulty>) -> String {
    let (inner, outcomes) = (session.clone(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&outcomes);
    // The first time nothing is being committed, and the session is saved.
    session.update(move |user| {
        user.count += 10;
        let runtime = tokio::runtime::Handle::current();
        let saved = tokio::task::block_in_place(|| runtime.block_on(inner.save()));
        seen.lock().push(matches!(saved, Err(SessionError::Unsupported(_))));
    });
    elsewhere(storage, "count").await;
    let saved = session.save().await;
    format!("{saved:?} {:?} {}", outcomes.lock(), show(&session))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c17_a_change_that_saves_its_session_while_it_is_applied_again_is_refused_and_hangs_nothing()
 {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("fault", storage.clone());
    let rocket =
        build(figment("fault"), fairing, routes![save_in_a_change]).manage(storage.clone());
    let client = Client::untracked(rocket).await.expect("a rocket");
    let token = logged_in(&client, "ann").await;
    let asked = text(&client, "/save-in-a-change", &token);
    let text = tokio::time::timeout(Duration::from_secs(5), asked).await.expect("nothing hangs");
    assert_eq!(text, "Ok(()) [false, true, true] ann 11");
}

#[get("/fail-during-refresh")]
async fn fail_during_refresh(session: Session<User>) -> Status {
    session.update(|user| {
        std::thread::sleep(Duration::from_millis(50));
        user.count += 1;
    });
    let task = session.clone();
    rocket::tokio::spawn(async move { task.refresh().await });
    rocket::tokio::time::sleep(Duration::from_millis(20)).await;
    Status::InternalServerError
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c8_a_5xx_while_a_refresh_applies_the_changes_again_drops_them() {
    let client =
        client_with(figment("memory"), Sessions::fairing(), routes![fail_during_refresh]).await;
    let token = logged_in(&client, "ann").await;
    assert_eq!(with_cookie(&client, "/fail-during-refresh", &token).await.status().code, 500);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(text(&client, "/get", &token).await, "ann 0");
}

#[get("/drop-during-save/<how>")]
async fn drop_during_save(session: Session<User>, how: &str, storage: &State<Faulty>) -> Status {
    session.update(|user| user.count += 10);
    elsewhere(storage, "count").await;
    // The save meets the conflict, and reads for a while.
    storage.set(Operation::Read, Fault::Slow(Duration::from_millis(100)));
    let task = session.clone();
    let saved = rocket::tokio::spawn(async move { task.save().await });
    rocket::tokio::time::sleep(Duration::from_millis(30)).await;
    if how == "discard" {
        session.discard();
        assert!(saved.await.expect("no panic").is_ok());
        return Status::Ok;
    }
    Status::InternalServerError
}

#[tokio::test]
async fn c8_changes_that_a_save_is_about_to_write_are_dropped_by_discard_and_by_a_5xx() {
    for how in ["discard", "fail"] {
        let storage = faulty();
        let fairing = Sessions::fairing().storage("fault", storage.clone());
        let rocket =
            build(figment("fault"), fairing, routes![drop_during_save]).manage(storage.clone());
        let client = Client::untracked(rocket).await.expect("a rocket");
        let token = logged_in(&client, "ann").await;
        with_cookie(&client, &format!("/drop-during-save/{how}"), &token).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        storage.mend();
        assert_eq!(text(&client, "/get", &token).await, "ann 1", "{how}");
    }
}

/// A value that looks at its session when it is dropped.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Nosy {
    count: u32,
    #[serde(skip)]
    _watch: Watch,
}

/// Sees its session from inside the session's own value.
#[derive(Clone, Default)]
struct Watch(Option<Arc<Session<Nosy>>>);

/// The session that values see which were decoded.
static DECODED_SEE: Mutex<Option<Arc<Session<Nosy>>>> = Mutex::new(None);

impl Drop for Watch {
    fn drop(&mut self) {
        let session = self.0.clone().or_else(|| DECODED_SEE.lock().clone());
        if let Some(session) = session {
            session.get();
            session.id();
            let _ = session.set_lifetime(Lifetime::BrowserSession);
            session.touch();
        }
    }
}

impl SessionData for Nosy {
    const NAME: &'static str = "nosy";
}

#[get("/nosy")]
async fn nosy(session: Session<Nosy>) -> Result<String, SessionError> {
    let watch = Watch(Some(Arc::new(session.clone())));
    DECODED_SEE.lock().clone_from(&watch.0);
    let value = |count| Nosy { count, _watch: watch.clone() };
    session.set(value(1));
    session.set(value(2));
    let captured = watch.clone();
    session.update(move |nosy| {
        let _ = &captured;
        nosy.count += 1;
    });
    for count in [4, 3] {
        session.save().await?;
        session.set(value(count));
    }
    session.save().await?;
    session.set(value(5));
    session.discard();
    session.refresh().await?;
    let shown = session.get().map_or(0, |nosy| nosy.count);
    session.set(value(9));
    session.clear();
    session.save().await?;
    *DECODED_SEE.lock() = None;
    Ok(shown.to_string())
}

/// Changes the session, which the response saves.
#[get("/nosy/later")]
fn nosy_later(session: Session<Nosy>) -> String {
    let seen = Some(Arc::new(session.clone()));
    // The session before is dropped outside the lock, which its values take.
    let before = std::mem::replace(&mut *DECODED_SEE.lock(), seen);
    drop(before);
    let count = session.get().map_or(0, |nosy| nosy.count);
    session.set(Nosy { count: count + 1, _watch: Watch::default() });
    count.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c26_values_and_closures_whose_drop_calls_the_session_hang_nothing() {
    for place in PLACES {
        let figment = figment("client").merge(("sessions.nosy.storage", place));
        let routes = routes![nosy, nosy_later];
        let client = Arc::new(client_with(figment, Sessions::fairing(), routes).await);
        let asked = tokio::spawn(async move {
            let shown = client.get("/nosy").dispatch().await.into_string().await;
            let token = sent(&with_cookie(&client, "/nosy/later", "").await).expect("a token");
            let later = text(&client, "/nosy/later", &token).await;
            let kept = DECODED_SEE.lock().take();
            drop(kept);
            (shown, later)
        });
        let answer = tokio::time::timeout(Duration::from_secs(10), asked).await;
        let (shown, later) = answer.expect("nothing hangs").expect("no panic");
        assert_eq!((shown.as_deref(), &*later), (Some("3"), "1"), "{place}");
    }
}
