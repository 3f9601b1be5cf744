//! A cart over the clicks of a double click on "Log in", each of which carries the cookie from before
//! the login.

use rocket::figment::Figment;
use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::{Session, Sessions};

use crate::concurrency::storages;
use crate::support::*;

/// Begins a visitor's session with so many things.
#[get("/fill/<count>")]
fn fill(session: Session<User>, count: u32) {
    session.set(User { count, ..visitor() });
}

/// A value without an owner.
fn visitor() -> User {
    User { id: String::new(), ..user("") }
}

#[get("/take-over/<id>")]
fn take_over(session: Session<User>, id: String) -> String {
    let count = |before: Option<&User>| before.map_or(0, |before| before.count);
    let login = session.login_with(move |before| User { count: count(before), ..user(&id) });
    login.count.to_string()
}

#[get("/clear-and-take-over/<id>")]
fn clear_and_take_over(session: Session<User>, id: String) {
    session.clear();
    take_over(session, id);
}

async fn application(figment: Figment) -> Client {
    let routes = routes![fill, take_over, clear_and_take_over];
    client_with(figment, Sessions::fairing(), routes).await
}

async fn click(client: &Client, uri: &str, token: &str) -> String {
    let response = with_cookie(client, uri, token).await;
    sent(&response).unwrap_or_else(|| panic!("{uri}: {}", response.status()))
}

/// Without a limit and with limits, on both storages of this process.
fn figments(dir: &std::path::Path) -> Vec<Figment> {
    let limits = [(0, "end-oldest"), (1, "end-oldest"), (1, "refuse"), (3, "refuse")];
    let all = limits.into_iter().enumerate().flat_map(|(number, (most, policy))| {
        storages(&dir.join(number.to_string())).map(|figment| match most {
            0 => figment,
            _ => figment
                .merge(("sessions.user.max_sessions_per_owner", most))
                .merge(("sessions.user.owner_limit_policy", policy)),
        })
    });
    all.collect()
}

#[tokio::test]
async fn every_click_of_one_user_takes_the_cart_over() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in figments(dir.path()) {
        let client = application(figment).await;
        let before = click(&client, "/fill/7", "").await;
        let first = click(&client, "/take-over/ann", &before).await;
        assert_eq!(text(&client, "/get", &first).await, "ann 7");
        // What the user has put into it meanwhile is there as well.
        text(&client, "/count", &first).await;
        let second = click(&client, "/take-over/ann", &before).await;
        assert_eq!(text(&client, "/get", &second).await, "ann 8");
        let third = click(&client, "/take-over/ann", &before).await;
        assert_eq!(text(&client, "/get", &third).await, "ann 8");
    }
}

#[tokio::test]
async fn nobody_takes_the_cart_of_another_user_over() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in figments(dir.path()) {
        let client = application(figment).await;
        let before = click(&client, "/fill/7", "").await;
        click(&client, "/take-over/ann", &before).await;
        let other = click(&client, "/take-over/bob", &before).await;
        assert_eq!(text(&client, "/get", &other).await, "bob 0");
    }
}

#[tokio::test]
async fn whoever_clears_before_takes_nothing_over() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in figments(dir.path()) {
        let client = application(figment).await;
        let before = click(&client, "/fill/7", "").await;
        click(&client, "/take-over/ann", &before).await;
        let second = click(&client, "/clear-and-take-over/ann", &before).await;
        assert_eq!(text(&client, "/get", &second).await, "ann 0");
    }
}
