//! A small application whose log is read.

use rocket::figment::Figment;
use rocket::http::Header;
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::{get, routes};
use rocket_typed_sessions::{Session, Sessions, SessionsFairing};

use crate::log::{install_log, lines};
use crate::shared::{KEY, User, user};

#[get("/login/<id>")]
fn login(session: Session<User>, id: &str) {
    session.login(user(id));
}

#[get("/set")]
fn set(session: Session<User>) {
    session.set(user(""));
}

#[get("/get")]
fn show(session: Session<User>) -> String {
    session.get().map_or("nobody".into(), |user| user.id.clone())
}

/// A configuration in the release profile.
pub fn figment(storage: &str) -> Figment {
    Figment::from(rocket::Config::default())
        .select("release")
        .merge(("log_level", "critical"))
        .merge(("sessions.secret", KEY))
        .merge(("sessions.user.storage", storage))
}

/// The application, mounted at `/` and at `/shop`. The log begins with its launch.
pub async fn launch(figment: Figment, fairing: SessionsFairing) -> Client {
    install_log();
    lines();
    let routes = || routes![login, set, show];
    let rocket = rocket::custom(figment).attach(fairing);
    let rocket = rocket.mount("/", routes()).mount("/shop", routes());
    Client::untracked(rocket).await.expect("a valid configuration")
}

/// The application whose launch has been logged.
pub async fn client(figment: Figment) -> Client {
    let client = launch(figment, Sessions::fairing()).await;
    lines();
    client
}

/// A request with headers, each of them `name: value`.
pub async fn get<'c>(client: &'c Client, uri: &str, headers: &[&str]) -> LocalResponse<'c> {
    let mut request = client.get(uri.to_owned());
    for header in headers {
        let (name, value) = header.split_once(": ").expect("a name and a value");
        request = request.header(Header::new(name.to_owned(), value.to_owned()));
    }
    request.dispatch().await
}
