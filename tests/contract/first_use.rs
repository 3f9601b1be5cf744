//! A session that a request uses first outside of its handler is committed like any other.

use std::sync::Arc;

use rocket::fairing::AdHoc;
use rocket::figment::Figment;
use rocket::http::Header;
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::{Request, State, catch, catchers, get, routes};
use rocket_typed_sessions::{Session, Sessions};
use tokio::sync::Semaphore;

use crate::support::*;

/// Where a request uses its session first, and the request.
const USES: [(&str, &str); 6] = [
    ("request fairing", "/plain"),
    ("request fairing", "/nowhere"),
    ("fairing in front", "/plain"),
    ("fairing behind", "/plain"),
    ("fairing behind", "/nowhere"),
    ("catcher", "/nowhere"),
];

/// Counts in the session if the request says that it is used here.
async fn count(request: &Request<'_>, here: &str) {
    if request.headers().get_one("Use") == Some(here) {
        let session = request.guard::<Session<User>>().await.expect("a session");
        session.get_or_insert_with(|| user("ann"));
        session.update(|user| user.count += 1);
    }
}

#[get("/plain")]
fn plain() {}

/// Its session stays open until the test ends.
#[get("/hold")]
async fn hold(session: Session<User>, end: &State<Semaphore>) -> String {
    let _end = end.acquire().await;
    show(&session)
}

#[catch(404)]
async fn not_found(request: &Request<'_>) {
    count(request, "catcher").await;
}

async fn application(figment: Figment) -> Client {
    let rocket = rocket::custom(figment)
        .attach(AdHoc::on_request("Before", |request, _| {
            Box::pin(async move { count(request, "request fairing").await })
        }))
        .attach(AdHoc::on_response("In front", |request, _| {
            Box::pin(count(request, "fairing in front"))
        }))
        .attach(Sessions::fairing())
        .attach(AdHoc::on_response("Behind", |request, _| {
            Box::pin(count(request, "fairing behind"))
        }));
    let rocket = rocket.manage(Semaphore::new(0)).register("/", catchers![not_found]);
    let rocket = rocket.mount("/", login_route()).mount("/", routes![plain, hold]);
    Client::untracked(rocket).await.expect("a valid configuration")
}

async fn used<'c>(client: &'c Client, use_: (&str, &'c str), cookie: &str) -> LocalResponse<'c> {
    let (here, uri) = (Header::new("Use", use_.0.to_owned()), use_.1);
    let cookie = Header::new("Cookie", cookie.to_owned());
    client.get(uri).header(here).header(cookie).dispatch().await
}

async fn count_of(client: &Client, cookie: &str) -> String {
    client.rocket().state::<Semaphore>().expect("it is managed").add_permits(1);
    text(client, "/hold", cookie).await
}

#[tokio::test]
async fn a_session_is_committed_wherever_a_request_uses_it_first() {
    for place in PLACES {
        let client = application(figment(place)).await;
        for use_ in USES {
            let response = used(&client, use_, "").await;
            assert_eq!(response.headers().get_one("Vary"), Some("Cookie"), "{place} {use_:?}");
            let began = sent(&response).expect("a token");
            let response = used(&client, use_, &began).await;
            let cookie = sent(&response).unwrap_or(began);
            assert_eq!(count_of(&client, &cookie).await, "ann 2", "{place} {use_:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_commit_is_lost_beside_requests_whose_sessions_stay_open() {
    const HELD: usize = 50;
    const EACH: usize = 40;
    let client = Arc::new(application(figment("memory")).await);
    let cookie = logged_in(&client, "ann").await;
    let ask = |uri, here| {
        let (client, cookie) = (Arc::clone(&client), cookie.clone());
        tokio::spawn(async move { used(&client, (here, uri), &cookie).await.status() })
    };
    let held: Vec<_> = (0..HELD).map(|_| ask("/hold", "handler")).collect();
    let uses = USES.iter().cycle().take(USES.len() * EACH);
    for request in uses.map(|(here, uri)| ask(*uri, *here)).collect::<Vec<_>>() {
        request.await.expect("no panic");
    }
    let end = client.rocket().state::<Semaphore>().expect("it is managed");
    assert!(held.iter().all(|request| !request.is_finished()));
    end.add_permits(HELD);
    for request in held {
        request.await.expect("no panic");
    }
    assert_eq!(count_of(&client, &cookie).await, format!("ann {}", USES.len() * EACH));
}
