//! Ending sessions that the client carries (checklist S47), and ending them from outside.

use std::sync::Arc;
use std::time::Duration;

use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::storage::Memory;
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, SessionError, SessionId, Sessions};

use crate::errors::fails;
use crate::support::*;

#[get("/revoke-owner/<owner>")]
async fn revoke_owner(sessions: &Sessions, owner: &str) -> Result<String, SessionError> {
    Ok(sessions.of::<User>().revoke_owner(owner).await?.to_string())
}

#[get("/revoke-others")]
async fn revoke_others(
    sessions: &Sessions,
    session: Session<User>,
) -> Result<String, SessionError> {
    Ok(sessions.of::<User>().revoke_others(&session).await?.to_string())
}

#[get("/revoke-others-then-fail")]
async fn then_fail(sessions: &Sessions, session: Session<User>) -> Result<Status, SessionError> {
    sessions.of::<User>().revoke_others(&session).await?;
    Ok(Status::InternalServerError)
}

#[get("/revoke-id/<id>")]
async fn revoke_id(sessions: &Sessions, id: &str) -> Result<String, SessionError> {
    let id: SessionId = id.parse().expect("an id");
    Ok(sessions.of::<User>().revoke_id(&id).await?.to_string())
}

#[get("/id")]
fn id(session: Session<User>) -> String {
    session.id().map_or_else(String::new, |id| id.to_text())
}

/// Renews or changes the session after its end on another node.
#[get("/late/<what>")]
async fn late(session: Session<User>, what: &str) {
    match what {
        "renew" => session.renew(),
        _ => drop(session.update(|user| user.count += 1)),
    }
    tokio::time::sleep(Duration::from_millis(600)).await;
}

fn routes() -> Vec<rocket::Route> {
    routes![revoke_owner, revoke_others, then_fail, revoke_id, id, late, fails]
}

/// Nodes that share what they remember.
struct Nodes {
    storage: Faulty,
    clock: Clock,
    revocation: &'static str,
}

impl Nodes {
    fn new(revocation: &'static str) -> Self {
        Self { storage: Faulty::new(Memory::new(1000)), clock: Clock::new(), revocation }
    }

    async fn node(&self) -> Client {
        let figment = figment("client").merge(("sessions.user.revocation", self.revocation));
        let fairing = Sessions::fairing().storage("shared", self.storage.clone());
        client_with(figment, fairing.clock(&self.clock), routes()).await
    }
}

#[tokio::test]
async fn s47_an_ended_client_session_is_refused_by_every_node() {
    let nodes = Nodes::new("shared");
    let (one, other) = (nodes.node().await, nodes.node().await);
    for ending in ["/clear", "/renew", "/login/bob", "/fails/500/clear"] {
        let token = logged_in(&one, "ann").await;
        let copy = sent(&with_cookie(&one, "/count", &token).await).expect("re-issued");
        let next = sent(&with_cookie(&one, ending, &copy).await).expect("a token or a removal");
        for node in [&one, &other] {
            for stolen in [&token, &copy] {
                assert_eq!(text(node, "/get", stolen).await, "absent", "{ending}");
                assert_eq!(sent(&with_cookie(node, "/renew", stolen).await), None, "{ending}");
            }
        }
        let alive = match ending {
            "/renew" => "ann 1",
            "/login/bob" => "bob 0",
            _ => "absent",
        };
        assert_eq!(text(&other, "/get", &next).await, alive, "{ending}");
    }
    // Where nothing remembers it, a copy lives on until it expires, as documented.
    let forgetful = Nodes::new("none").node().await;
    let token = logged_in(&forgetful, "ann").await;
    with_cookie(&forgetful, "/clear", &token).await;
    assert_eq!(text(&forgetful, "/get", &token).await, "ann 0");
}

#[tokio::test]
async fn s47_a_slow_request_cannot_revive_an_ended_client_session() {
    let nodes = Nodes::new("shared");
    let node = Arc::new(nodes.node().await);
    for what in ["count", "renew"] {
        for ending in ["/clear", "/revoke-owner/ann"] {
            let token = logged_in(&node, "ann").await;
            let (slow, cookie) = (Arc::clone(&node), token.clone());
            let uri = format!("/late/{what}");
            let slow = tokio::spawn(async move { sent(&with_cookie(&slow, &uri, &cookie).await) });
            tokio::time::sleep(Duration::from_millis(200)).await;
            with_cookie(&node, ending, &token).await;
            assert_eq!(slow.await.expect("no panic"), None, "{what} {ending}: no token");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s47_of_concurrent_renewals_of_a_client_session_one_wins() {
    let node = Arc::new(Nodes::new("shared").node().await);
    let token = logged_in(&node, "ann").await;
    let renewals = (0..20).map(|_| {
        let (node, token) = (Arc::clone(&node), token.clone());
        tokio::spawn(async move { sent(&with_cookie(&node, "/renew", &token).await) })
    });
    let mut tokens = Vec::new();
    for renewal in renewals.collect::<Vec<_>>() {
        tokens.extend(renewal.await.expect("no panic"));
    }
    assert_eq!(tokens.len(), 1);
    assert_eq!(text(&node, "/get", &tokens[0]).await, "ann 0");
}

#[tokio::test]
async fn s47_s48_an_owners_epoch_ends_all_sessions_of_the_owner_and_spares_the_callers() {
    let nodes = Nodes::new("shared");
    let (one, other) = (nodes.node().await, nodes.node().await);
    let mut ann = Vec::new();
    for node in [&one, &other, &one] {
        ann.push(logged_in(node, "ann").await);
    }
    let bob = logged_in(&one, "bob").await;
    for round in 0..3 {
        let kept = sent(&with_cookie(&one, "/revoke-others", &ann[0]).await).expect("re-issued");
        assert_eq!(text(&other, "/get", &kept).await, "ann 0", "round {round}");
        for token in &ann {
            assert_eq!(text(&other, "/get", token).await, "absent", "round {round}");
        }
        let device = logged_in(&other, "ann").await;
        assert_eq!(text(&one, "/get", &device).await, "ann 0", "round {round}");
        ann = vec![kept, device];
    }
    let response = with_cookie(&one, "/revoke-others-then-fail", &ann[0]).await;
    assert_eq!(response.status(), Status::InternalServerError);
    let kept = sent(&response).expect("the caller keeps a session");
    assert_eq!(text(&other, "/get", &kept).await, "ann 0");
    assert_eq!(text(&other, "/get", &ann[1]).await, "absent");
    text(&other, "/revoke-owner/ann", "").await;
    assert_eq!(text(&one, "/get", &kept).await, "absent");
    assert_eq!(text(&one, "/get", &bob).await, "bob 0");
    // The epoch is no time: it holds whatever the clock says, and for ever.
    nodes.clock.advance(Duration::from_secs(29 * 86_400));
    assert_eq!(text(&one, "/get", &logged_in(&one, "ann").await).await, "ann 0");
}

#[tokio::test]
async fn s47_without_an_answer_from_the_revocation_storage_nobody_is_let_in() {
    let nodes = Nodes::new("shared");
    let node = nodes.node().await;
    let token = logged_in(&node, "ann").await;
    for operation in [Operation::Read, Operation::Create] {
        nodes.storage.set(operation, down());
        let uris: &[&str] = match operation {
            Operation::Read => &["/get", "/count", "/login/bob", "/clear"],
            _ => &["/clear", "/renew", "/login/bob"],
        };
        for uri in uris {
            let response = with_cookie(&node, uri, &token).await;
            assert_eq!(response.status(), Status::ServiceUnavailable, "{operation:?} {uri}");
            assert_eq!(sent(&response), None, "{operation:?} {uri}");
        }
        nodes.storage.mend();
        assert_eq!(text(&node, "/get", &token).await, "ann 0", "{operation:?}");
    }
}

#[tokio::test]
async fn s47_ended_sessions_are_forgotten_when_no_token_could_live_any_more() {
    let nodes = Nodes::new("shared");
    let node = nodes.node().await;
    let token = logged_in(&node, "ann").await;
    with_cookie(&node, "/clear", &token).await;
    nodes.clock.advance(Duration::from_secs(31 * 86_400));
    assert_eq!(text(&node, "/get", &token).await, "absent", "expired by now");
    nodes.clock.advance(Duration::from_secs(31 * 86_400));
    let purged = nodes.storage.inner().purge_expired(nodes.clock.now(), 10).await;
    assert_eq!(purged.expect("memory answers"), 1);
}

#[tokio::test]
async fn server_sessions_are_revoked_by_owner_and_by_id() {
    let client = client_with(figment("memory"), Sessions::fairing(), routes()).await;
    let mut ann = Vec::new();
    for _ in 0..3 {
        ann.push(logged_in(&client, "ann").await);
    }
    let bob = logged_in(&client, "bob").await;
    assert_eq!(text(&client, "/revoke-others", &ann[1]).await, "2");
    for (token, expected) in [(&ann[0], "absent"), (&ann[1], "ann 0"), (&ann[2], "absent")] {
        assert_eq!(text(&client, "/get", token).await, expected);
    }
    assert_eq!(text(&client, "/revoke-owner/ann", "").await, "1");
    assert_eq!(text(&client, "/get", &ann[1]).await, "absent");
    let id = text(&client, "/id", &bob).await;
    assert_eq!(text(&client, &format!("/revoke-id/{id}"), "").await, "true");
    assert_eq!(text(&client, &format!("/revoke-id/{id}"), "").await, "false");
    assert_eq!(text(&client, "/get", &bob).await, "absent");
}

#[tokio::test]
async fn client_sessions_without_revocation_cannot_be_ended_from_outside() {
    let client = client_with(figment("client"), Sessions::fairing(), routes()).await;
    let token = logged_in(&client, "ann").await;
    for uri in ["/revoke-owner/ann", "/revoke-others"] {
        let response = with_cookie(&client, uri, &token).await;
        assert_eq!(response.status(), Status::InternalServerError, "{uri}");
    }
    assert_eq!(text(&client, "/get", &token).await, "ann 0");
}

fn hostile() -> Vec<String> {
    let mut owners: Vec<String> =
        ["a\0b", "a", "a\0", "'; DROP TABLE sessions; --", "../../etc/passwd"]
            .map(str::to_owned)
            .to_vec();
    owners.extend(
        ["\r\nSet-Cookie: evil=1", "*", "\u{10ffff}\u{1f4a9}", " ", "\"", "${jndi:x}"]
            .map(str::to_owned),
    );
    owners.push("x".repeat(4096));
    owners.push("x".repeat(4097));
    owners
}

#[get("/hostile-login/<n>")]
fn hostile_login(session: Session<User>, n: usize) {
    session.login(user(&hostile()[n]));
}

#[get("/hostile-revoke/<n>")]
async fn hostile_revoke(sessions: &Sessions, n: usize) -> Result<String, SessionError> {
    Ok(sessions.of::<User>().revoke_owner(&hostile()[n]).await?.to_string())
}

#[tokio::test]
async fn hostile_owners_round_trip_and_never_meet() {
    let dir = tempfile::tempdir().expect("a folder");
    let nodes = Nodes::new("shared");
    let mut figments = crate::concurrency::storages(dir.path()).to_vec();
    figments.push(figment("client").merge(("sessions.user.revocation", "shared")));
    for figment in figments {
        let on_client = figment.find_value("sessions.user.revocation").is_ok();
        // The largest must fit into a cookie.
        let count = if on_client { hostile().len() - 2 } else { hostile().len() };
        let fairing = Sessions::fairing().storage("shared", nodes.storage.clone());
        let client = client_with(figment, fairing, routes![hostile_login, hostile_revoke]).await;
        let mut tokens = Vec::new();
        for n in 0..count {
            let response = client.get(format!("/hostile-login/{n}")).dispatch().await;
            tokens.push(sent(&response).expect("a token"));
        }
        for n in 0..count {
            let ended = text(&client, &format!("/hostile-revoke/{n}"), "").await;
            assert_eq!(ended, if on_client { "0" } else { "1" }, "{n}");
            for (m, token) in tokens.iter().enumerate() {
                let expected =
                    if m <= n { "absent".to_owned() } else { format!("{} 0", hostile()[m]) };
                assert_eq!(text(&client, "/get", token).await, expected, "{n} {m}");
            }
        }
    }
}
