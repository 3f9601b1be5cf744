//! Owners that a type does not name, though its sessions are listed, revoked or limited (N29).

use rocket::{get, routes};
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

use crate::app::figment;
use crate::log::{ALONE, install_log, lines};
use rocket::local::asynchronous::Client;

/// A user whose `owner` nobody has written.
#[derive(Clone, Serialize, Deserialize)]
struct Forgetful {
    id: String,
}

impl SessionData for Forgetful {
    const NAME: &'static str = "user";
}

#[get("/login")]
fn login(session: Session<Forgetful>) {
    session.login(Forgetful { id: "ann".into() });
}

#[get("/visit")]
fn visit(session: Session<Forgetful>) {
    session.set(Forgetful { id: String::new() });
}

#[get("/list")]
async fn list(sessions: &Sessions) -> String {
    let listed = sessions.of::<Forgetful>().list("ann").await;
    listed.map_or_else(|cause| cause.to_string(), |listed| listed.len().to_string())
}

#[get("/revoke")]
async fn revoke(sessions: &Sessions) -> String {
    let ended = sessions.of::<Forgetful>().revoke_owner("ann").await;
    ended.map_or_else(|cause| cause.to_string(), |ended| ended.to_string())
}

#[get("/others")]
async fn others(session: Session<Forgetful>, sessions: &Sessions) -> String {
    let ended = sessions.of::<Forgetful>().revoke_others(&session).await;
    ended.expect_err("no owner").to_string()
}

async fn client(limit: bool) -> Client {
    install_log();
    let mut figment = figment("memory");
    if limit {
        figment = figment.merge(("sessions.user.max_sessions_per_owner", 1));
    }
    let routes = routes![login, visit, list, revoke, others];
    let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", routes);
    let client = Client::tracked(rocket).await.expect("a valid configuration");
    lines();
    client
}

async fn text(client: &Client, uri: &str) -> String {
    client.get(uri.to_owned()).dispatch().await.into_string().await.unwrap_or_default()
}

fn names_the_type(line: &str) {
    for part in ["owners::Forgetful`", "Implement `SessionData::owner`", "fn owner(&self)"] {
        assert!(line.contains(part), "{line}");
    }
}

#[tokio::test]
async fn a_login_without_an_owner_under_a_limit_is_named_once() {
    let _alone = ALONE.lock().await;
    let client = client(true).await;
    text(&client, "/visit").await;
    assert!(lines().is_empty(), "a visitor has no owner");
    text(&client, "/login").await;
    let [line] = &lines()[..] else { panic!("one line") };
    assert!(line.contains("Session `user`") && line.contains("`max_sessions_per_owner`"), "{line}");
    names_the_type(line);
    text(&client, "/login").await;
    assert!(lines().is_empty(), "once");
}

#[tokio::test]
async fn an_empty_list_is_named_where_no_login_has_an_owner() {
    let _alone = ALONE.lock().await;
    for uri in ["/list", "/revoke"] {
        let client = client(false).await;
        assert_eq!(text(&client, uri).await, "0");
        assert!(lines().is_empty(), "nobody has logged in");
        text(&client, "/login").await;
        assert_eq!(text(&client, uri).await, "0");
        let [line] = &lines()[..] else { panic!("one line") };
        names_the_type(line);
        assert_eq!(text(&client, uri).await, "0");
        assert!(lines().is_empty(), "once");
    }
}

#[tokio::test]
async fn revoke_others_says_what_to_implement() {
    let _alone = ALONE.lock().await;
    let client = client(false).await;
    text(&client, "/login").await;
    names_the_type(&text(&client, "/others").await);
}

#[tokio::test]
async fn an_owner_who_has_no_session_is_no_news_where_others_have() {
    let _alone = ALONE.lock().await;
    let client = crate::app::client(figment("memory")).await;
    crate::app::get(&client, "/login/ann", &[]).await;
    let sessions = client.rocket().state::<Sessions>().expect("the fairing");
    let of_nobody = sessions.of::<crate::shared::User>().list("bob").await;
    assert_eq!(of_nobody.expect("an answer").len(), 0);
    assert!(lines().is_empty());
}
