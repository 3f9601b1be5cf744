//! Ids that an application makes itself: when it is asked, and what the log says of a bad one (K18).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rocket::figment::Figment;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::Client;
use rocket::{get, post, routes};
use rocket_typed_sessions::{Session, SessionError, Sessions};

use crate::app::figment;
use crate::log::{ALONE, install_log, lines};
use crate::shared::{KEY, User, sent, user};

#[get("/get")]
fn show(session: Session<User>) -> String {
    session.get().map_or("nobody".into(), |user| user.id.clone())
}

#[get("/login")]
fn login(session: Session<User>) {
    session.login(user("ann"));
}

#[post("/login")]
async fn post_login(session: Session<User>) -> Result<String, SessionError> {
    session.login(user("bob"));
    session.save().await?;
    Ok(session.id().map(|id| id.to_text()).unwrap_or_default())
}

#[get("/early")]
async fn early(session: Session<User>) -> String {
    session.login(user("eve"));
    let cause = session.save().await.expect_err("the id is not there yet");
    session.discard();
    cause.to_string()
}

fn ktor() -> Figment {
    figment("memory")
        .merge(("sessions.user.format", "ktor"))
        .merge(("sessions.user.protect", "sign"))
        .merge(("sessions.user.sign_key", KEY))
}

/// An application whose ids begin with `prefix` and end in a number, and how many it has made.
async fn client(prefix: &'static str) -> (Client, Arc<AtomicUsize>) {
    install_log();
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let fairing = Sessions::fairing()
        .identity::<User>(move |_| format!("{prefix}{}", count.fetch_add(1, Ordering::SeqCst)));
    let rocket = rocket::custom(ktor().merge(("sessions.secret", KEY))).attach(fairing);
    let rocket = rocket.mount("/", routes![show, login, post_login, early]);
    let client = Client::untracked(rocket).await.expect("a valid configuration");
    lines();
    (client, made)
}

const LONG: &str = "tenant-0123456789abcdef-";

#[tokio::test]
async fn a_request_that_only_reads_its_session_asks_for_no_id() {
    let _alone = ALONE.lock().await;
    let (client, made) = client(LONG).await;
    let cookie = sent(&client.get("/login").dispatch().await).expect("a cookie");
    assert!(cookie.starts_with(&format!("user={LONG}0")), "{cookie}");
    let header = || Header::new("Cookie", cookie.clone());
    for _ in 0..3 {
        let answer = client.get("/get").header(header()).dispatch().await;
        assert_eq!(answer.into_string().await.as_deref(), Some("ann"));
    }
    assert_eq!(made.load(Ordering::SeqCst), 1, "only where a session begins");
    let again = sent(&client.get("/login").header(header()).dispatch().await).expect("a cookie");
    assert!(again.starts_with(&format!("user={LONG}1")), "{again}");
    let post = client.post("/login").header(Header::new("Cookie", again)).dispatch().await;
    let id = post.into_string().await.expect("an id");
    assert_eq!(id, format!("{LONG}2"), "a login has it at once");
}

#[tokio::test]
async fn a_get_request_has_no_id_for_another_session_before_its_response() {
    let _alone = ALONE.lock().await;
    let (client, _) = client(LONG).await;
    let cookie = sent(&client.get("/login").dispatch().await).expect("a cookie");
    let early = client.get("/early").header(Header::new("Cookie", cookie)).dispatch().await;
    let said = early.into_string().await.expect("a text");
    assert!(said.contains("`identity`") && said.contains("POST"), "{said}");
}

#[tokio::test]
async fn a_short_id_is_refused_by_the_name_of_its_type_and_the_limit() {
    let _alone = ALONE.lock().await;
    let (client, _) = client("seventeen-digits").await;
    let response = client.get("/login").dispatch().await;
    assert_eq!(response.status(), Status::InternalServerError);
    let lines = lines();
    let line = lines.iter().find(|line| line.contains("`identity`")).expect("a line");
    for part in ["shared::User`", "17 characters", "at least 22", "debug profile"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(!line.contains("seventeen"), "{line}");
}
