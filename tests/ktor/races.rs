//! Two requests, or a request and Ktor, that meet at one of Ktor's sessions.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rocket::figment::Figment;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::event::SessionEventKind;
use rocket_typed_sessions::{Session, Sessions, SessionsFairing};

use crate::app::*;

/// A request that waits, between its load and its commit, for another one.
#[derive(Default, Clone)]
struct Gate(Arc<(tokio::sync::Notify, tokio::sync::Notify)>);

#[get("/slow/<what>")]
async fn slow(session: Session<UserSession>, gate: &rocket::State<Gate>, what: &str) {
    gate.0.0.notify_one();
    gate.0.1.notified().await;
    match what {
        "renew" => session.renew(),
        "add" => drop(session.update(|user| user.cart.push("late".into()))),
        _ => {}
    }
}

/// An application, and a session of ann's in one of Ktor's files.
struct Race {
    client: Arc<Client>,
    gate: Gate,
    file: PathBuf,
    cookie: String,
}

impl Race {
    async fn new(figment: Figment, fairing: SessionsFairing, dir: &Path) -> Self {
        let gate = Gate::default();
        let rocket = rocket::custom(figment)
            .attach(fairing)
            .mount("/", routes![get_it, clear, slow])
            .manage(gate.clone());
        let client = Arc::new(Client::untracked(rocket).await.expect("a valid configuration"));
        let id = "12".repeat(32);
        let file = write_file(dir, &id, ANN);
        Self { client, gate, file, cookie: signed_id(&id) }
    }

    /// A request during which something else happens: its status and its token.
    async fn during(&self, what: &str, meanwhile: impl AsyncFnOnce()) -> (Status, Option<String>) {
        let (client, cookie) = (Arc::clone(&self.client), self.cookie.clone());
        let uri = format!("/slow/{what}");
        let request = tokio::spawn(async move {
            let response = with(&client, &uri, &cookie).await;
            (response.status(), sent(&response))
        });
        self.gate.0.0.notified().await;
        meanwhile().await;
        self.gate.0.1.notify_one();
        request.await.expect("no panic")
    }
}

fn migrating(dir: &Path) -> Figment {
    let lines = in_directory(dir)[1..].to_vec();
    and(lines, &[("accept", vec!["ktor"].into()), ("secret", SECRET.into())])
}

#[tokio::test]
async fn of_two_readers_that_migrate_one_session_one_moves_it_and_the_other_does_not_mind() {
    let dir = tempfile::tempdir().expect("a folder");
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&events);
    let fairing = Sessions::fairing().on_event(move |event| told.lock().push(event.kind));
    let race = Race::new(migrating(dir.path()), fairing, dir.path()).await;
    let mut native = None;
    let late = race.during("nothing", async || {
        native = sent(&with(&race.client, "/get", &race.cookie).await);
    });
    assert_eq!(late.await, (Status::Ok, None));
    assert_eq!(text(&race.client, "/get", &native.expect("re-issued")).await, "ann ");
    assert!(!events.lock().contains(&SessionEventKind::ChangesDropped), "{:?}", events.lock());
}

#[tokio::test]
async fn a_file_that_ktor_gives_to_another_user_meanwhile_takes_no_update_of_the_first() {
    let dir = tempfile::tempdir().expect("a folder");
    let figment = figment(&in_directory(dir.path()));
    let race = Race::new(figment, Sessions::fairing(), dir.path()).await;
    let late = race.during("add", async || {
        // Ktor keeps the id when somebody logs in.
        std::fs::write(&race.file, "{\"userId\":\"bob\",\"cart\":[]}").expect("a file");
    });
    let (status, token) = late.await;
    assert_eq!(status, Status::Ok);
    let live = token.unwrap_or_else(|| race.cookie.clone());
    let shown = text(&race.client, "/get", &live).await;
    assert!(shown == "bob late" || shown == "bob ", "{shown}: a session that its client can reach");
}

#[tokio::test]
async fn s58_what_ends_while_a_request_moves_it_stays_ended() {
    for (migrate, what) in
        [(false, "renew"), (false, "add"), (true, "renew"), (true, "add"), (true, "nothing")]
    {
        let dir = tempfile::tempdir().expect("a folder");
        let figment =
            if migrate { migrating(dir.path()) } else { figment(&in_directory(dir.path())) };
        let race = Race::new(figment, Sessions::fairing(), dir.path()).await;
        let late = race.during(what, async || {
            with(&race.client, "/clear", &race.cookie).await;
        });
        assert_eq!(late.await, (Status::Ok, None), "{migrate} {what}");
        let records = walk(dir.path()).into_iter().filter(|path| {
            let mut folders = path.iter();
            let other = folders.any(|name| name == "locks" || name == "owners");
            path.is_file() && !other && path.extension().is_none_or(|ending| ending != "ended")
        });
        let records: Vec<_> = records.collect();
        assert!(records.is_empty(), "{migrate} {what}: {records:?} live");
    }
}
