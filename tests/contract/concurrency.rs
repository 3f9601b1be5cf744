//! Concurrent requests lose nothing; what is ended stays ended.

use std::sync::Arc;
use std::time::Duration;

use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::{Session, SessionError, Sessions};

use crate::support::*;

#[get("/slow/<millis>/<what>")]
async fn slow(session: Session<User>, millis: u64, what: &str) {
    match what {
        "count" => drop(session.update(|user| user.count += 1)),
        "login" => session.login(user("eve")),
        "login-again" => session.login(user("ann")),
        "set" => session.set(user("ann")),
        _ => {}
    }
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

#[get("/number")]
async fn number(session: Session<User>) -> Result<String, SessionError> {
    let number = session.update_now(|user| {
        user.count += 1;
        user.count
    });
    Ok(number.await?.map_or_else(String::new, |number| number.to_string()))
}

pub fn storages(dir: &std::path::Path) -> [rocket::figment::Figment; 2] {
    let directory = figment("client")
        .merge(("sessions.user.storage.type", "directory"))
        .merge(("sessions.user.storage.path", dir.to_string_lossy()));
    [figment("memory"), directory]
}

async fn together(client: &Arc<Client>, uri: &str, token: &str, times: usize) -> Vec<String> {
    let requests = (0..times).map(|_| {
        let (client, uri, token) = (Arc::clone(client), uri.to_owned(), token.to_owned());
        tokio::spawn(async move { text_or_empty(&client, &uri, &token).await })
    });
    let mut texts = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        texts.push(request.await.expect("no panic"));
    }
    texts
}

async fn text_or_empty(client: &Client, uri: &str, token: &str) -> String {
    let response = with_cookie(client, uri, token).await;
    assert_eq!(response.status().code, 200, "{uri}");
    response.into_string().await.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s57_a_hundred_concurrent_updates_count_to_a_hundred() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        let client =
            Arc::new(client_with(figment, Sessions::fairing(), routes![slow, number]).await);
        let token = logged_in(&client, "ann").await;
        together(&client, "/slow/20/count", &token, 100).await;
        assert_eq!(text(&client, "/get", &token).await, "ann 100");
        let mut numbers = together(&client, "/number", &token, 50).await;
        numbers.sort();
        numbers.dedup();
        assert_eq!(numbers.len(), 50, "update_now returns the committed run's result");
        assert_eq!(text(&client, "/get", &token).await, "ann 150");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s58_a_slow_request_cannot_revive_an_ended_session() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        let client = Arc::new(client_with(figment, Sessions::fairing(), routes![slow]).await);
        for (what, ending) in
            [("count", "/clear"), ("count", "/renew"), ("count", "/login/bob"), ("set", "/clear")]
        {
            let token = logged_in(&client, "ann").await;
            let (slow_client, slow_token) = (Arc::clone(&client), token.clone());
            let uri = format!("/slow/600/{what}");
            let slow =
                tokio::spawn(
                    async move { sent(&with_cookie(&slow_client, &uri, &slow_token).await) },
                );
            tokio::time::sleep(Duration::from_millis(200)).await;
            with_cookie(&client, ending, &token).await;
            assert_eq!(slow.await.expect("no panic"), None, "{what} {ending}: no token");
            assert_eq!(text(&client, "/get", &token).await, "absent", "{what} {ending}");
        }
        for (what, expected) in [("login", "eve 0"), ("login-again", "ann 0")] {
            let token = logged_in(&client, "ann").await;
            let (slow_client, slow_token) = (Arc::clone(&client), token.clone());
            let uri = format!("/slow/600/{what}");
            let slow =
                tokio::spawn(
                    async move { sent(&with_cookie(&slow_client, &uri, &slow_token).await) },
                );
            tokio::time::sleep(Duration::from_millis(200)).await;
            with_cookie(&client, "/clear", &token).await;
            let fresh = slow.await.expect("no panic").expect("a login starts fresh");
            assert_eq!(text(&client, "/get", &fresh).await, expected);
            assert_eq!(text(&client, "/get", &token).await, "absent");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_concurrent_renewal_has_one_winner() {
    let client = Arc::new(client(figment("memory")).await);
    let token = logged_in(&client, "ann").await;
    let renewals = (0..20).map(|_| {
        let (client, token) = (Arc::clone(&client), token.clone());
        tokio::spawn(async move { sent(&with_cookie(&client, "/renew", &token).await) })
    });
    let mut tokens = Vec::new();
    for renewal in renewals.collect::<Vec<_>>() {
        tokens.extend(renewal.await.expect("no panic"));
    }
    let mut alive = 0;
    for token in &tokens {
        alive += usize::from(text(&client, "/get", token).await == "ann 0");
    }
    assert_eq!((tokens.len(), alive), (1, 1));
    assert_eq!(text(&client, "/get", &token).await, "absent");
}

/// Answers, panics or is given up on, with the session in hand.
#[get("/own/<turn>")]
async fn own(session: Session<User>, turn: usize) -> String {
    session.update(|user| user.count += 1);
    tokio::task::yield_now().await;
    assert_ne!(turn % 17, 3, "on purpose");
    if turn % 17 == 5 {
        // The client hangs up meanwhile.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    show(&session)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s59_nobody_ever_sees_anothers_session() {
    const USERS: usize = 100;
    const TURNS: usize = 60;
    for place in PLACES {
        let client = Arc::new(client_with(figment(place), Sessions::fairing(), routes![own]).await);
        let users = (0..USERS).map(|n| {
            let client = Arc::clone(&client);
            tokio::spawn(async move {
                let name = format!("user-{n}");
                let mut token = logged_in(&client, &name).await;
                for turn in 0..TURNS {
                    let uri = format!("/own/{}", turn + n);
                    let request = with_cookie(&client, &uri, &token);
                    let patience =
                        Duration::from_millis(if (turn + n) % 17 == 5 { 1 } else { 60_000 });
                    let Ok(response) = tokio::time::timeout(patience, request).await else {
                        continue;
                    };
                    let failed = response.status().code != 200;
                    if let Some(fresh) = sent(&response) {
                        token = fresh;
                    }
                    let body = response.into_string().await.unwrap_or_default();
                    assert!(failed || body.starts_with(&format!("{name} ")), "{name} saw {body}");
                }
                let last = text(&client, "/get", &token).await;
                assert!(last.starts_with(&format!("{name} ")), "{name} saw {last}");
            })
        });
        for user in users.collect::<Vec<_>>() {
            user.await.expect("only their own");
        }
    }
}
