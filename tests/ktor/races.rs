//! Two requests, or a request and Ktor, that meet at one of Ktor's sessions.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::event::SessionEventKind;
use rocket_typed_sessions::{Session, Sessions};

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

#[tokio::test]
async fn of_two_readers_that_migrate_one_session_one_moves_it_and_the_other_does_not_mind() {
    let dir = tempfile::tempdir().expect("a folder");
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&events);
    let lines = and(
        in_directory(dir.path())[1..].to_vec(),
        &[("accept", vec!["ktor"].into()), ("secret", SECRET.into())],
    );
    let gate = Gate::default();
    let fairing = Sessions::fairing().on_event(move |event| told.lock().push(event.kind));
    let rocket = rocket::custom(lines)
        .attach(fairing)
        .mount("/", routes![get_it, slow])
        .manage(gate.clone());
    let client = Arc::new(Client::untracked(rocket).await.expect("a valid configuration"));
    let id = "56".repeat(32);
    let file = file_of(dir.path(), &id);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
    std::fs::write(&file, "{\"userId\":\"ann\",\"cart\":[]}").expect("a file");
    let request = tokio::spawn({
        let (client, cookie) = (Arc::clone(&client), signed_id(&id));
        async move {
            let response = with(&client, "/slow/nothing", &cookie).await;
            (response.status(), sent(&response))
        }
    });
    gate.0.0.notified().await;
    let native = sent(&with(&client, "/get", &signed_id(&id)).await).expect("re-issued");
    gate.0.1.notify_one();
    assert_eq!(request.await.expect("no panic"), (Status::Ok, None));
    assert_eq!(text(&client, "/get", &native).await, "ann ");
    assert!(!events.lock().contains(&SessionEventKind::ChangesDropped), "{:?}", events.lock());
}

#[tokio::test]
async fn a_file_that_ktor_gives_to_another_user_meanwhile_takes_no_update_of_the_first() {
    let dir = tempfile::tempdir().expect("a folder");
    let gate = Gate::default();
    let rocket = rocket::custom(figment(&in_directory(dir.path())))
        .attach(Sessions::fairing())
        .mount("/", routes![get_it, slow])
        .manage(gate.clone());
    let client = Arc::new(Client::untracked(rocket).await.expect("a valid configuration"));
    let id = "78".repeat(32);
    let file = file_of(dir.path(), &id);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
    std::fs::write(&file, "{\"userId\":\"ann\",\"cart\":[]}").expect("a file");
    let request = tokio::spawn({
        let (client, cookie) = (Arc::clone(&client), signed_id(&id));
        async move {
            let response = with(&client, "/slow/add", &cookie).await;
            (response.status(), sent(&response))
        }
    });
    gate.0.0.notified().await;
    // Ktor keeps the id when somebody logs in.
    std::fs::write(&file, "{\"userId\":\"bob\",\"cart\":[]}").expect("a file");
    gate.0.1.notify_one();
    let (status, token) = request.await.expect("no panic");
    assert_eq!(status, Status::Ok);
    let live = token.unwrap_or_else(|| signed_id(&id));
    let shown = text(&client, "/get", &live).await;
    assert!(shown == "bob late" || shown == "bob ", "{shown}: a session that its client can reach");
}

#[tokio::test]
async fn s58_what_ends_while_a_request_moves_it_stays_ended() {
    for (migrate, what) in
        [(false, "renew"), (false, "add"), (true, "renew"), (true, "add"), (true, "nothing")]
    {
        let dir = tempfile::tempdir().expect("a folder");
        let lines = in_directory(dir.path());
        let lines = if migrate {
            and(lines[1..].to_vec(), &[("accept", vec!["ktor"].into()), ("secret", SECRET.into())])
        } else {
            figment(&lines)
        };
        let gate = Gate::default();
        let rocket = rocket::custom(lines)
            .attach(Sessions::fairing())
            .mount("/", routes![get_it, set, add, renew, clear, id, slow])
            .manage(gate.clone());
        let client = Arc::new(Client::untracked(rocket).await.expect("a valid configuration"));
        let id = "12".repeat(32);
        let file = file_of(dir.path(), &id);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
        std::fs::write(&file, "{\"userId\":\"ann\",\"cart\":[]}").expect("a file");
        let cookie = signed_id(&id);
        let request = tokio::spawn({
            let (client, cookie) = (Arc::clone(&client), cookie.clone());
            async move {
                let response = with(&client, &format!("/slow/{what}"), &cookie).await;
                (response.status(), sent(&response))
            }
        });
        gate.0.0.notified().await;
        with(&client, "/clear", &cookie).await;
        gate.0.1.notify_one();
        assert_eq!(request.await.expect("no panic"), (Status::Ok, None), "{migrate} {what}");
        let records = walk(dir.path()).into_iter().filter(|path| {
            let mut folders = path.iter();
            let other = folders.any(|name| name == "locks" || name == "owners");
            path.is_file() && !other && path.extension().is_none_or(|ending| ending != "ended")
        });
        assert_eq!(
            records.collect::<Vec<_>>(),
            Vec::<PathBuf>::new(),
            "{migrate} {what}: nothing lives"
        );
    }
}
