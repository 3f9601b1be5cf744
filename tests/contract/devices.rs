//! An owner's sessions: the list of devices.

use std::time::Duration;

use rocket::http::{Header, Status};
use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::storage::{LastWriteWins, Memory, SimpleStorage, Timestamp};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, SessionError, SessionHandle, Sessions};

use crate::concurrency::storages;
use crate::support::*;

/// One line a device: its handle, what it holds, and its age and idle time in minutes.
#[get("/devices")]
async fn devices(sessions: &Sessions, session: Session<User>) -> Result<String, SessionError> {
    let Some(user) = session.get() else { return Ok(String::new()) };
    let list = sessions.of::<User>().list(&user.id).await?;
    let lines = list.iter().map(|info| {
        let between = |from: std::time::SystemTime, to: std::time::SystemTime| {
            to.duration_since(from).map_or(0, |time| time.as_secs() / 60)
        };
        let seen = between(info.created_at, info.last_seen_at);
        let rest = between(info.last_seen_at, info.expires_at);
        format!("{} {} {} {seen} {rest}", info.handle, info.value.id, info.value.count)
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

#[get("/end/<owner>/<handle>")]
async fn end(sessions: &Sessions, owner: &str, handle: &str) -> Result<String, SessionError> {
    Ok(sessions.of::<User>().revoke(owner, &SessionHandle::from(handle)).await?.to_string())
}

async fn lines(client: &Client, token: &str) -> Vec<String> {
    text(client, "/devices", token).await.lines().map(str::to_owned).collect()
}

fn handle(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

#[tokio::test]
async fn s48_devices_are_listed_and_one_is_ended_by_its_owner_only() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        let clock = Clock::new();
        let figment = figment.merge(("sessions.user.idle_timeout", "2 hours"));
        let figment = figment.merge(("sessions.user.touch_after", "1 minute"));
        let fairing = Sessions::fairing().clock(&clock);
        let client = client_with(figment, fairing, routes![devices, end]).await;
        let mut ann = Vec::new();
        for _ in 0..3 {
            ann.push(logged_in(&client, "ann").await);
            clock.advance(Duration::from_secs(600));
        }
        let bob = logged_in(&client, "bob").await;
        text(&client, "/count", &ann[1]).await;

        let list = lines(&client, &ann[0]).await;
        assert_eq!(list.len(), 3);
        let rest: Vec<_> = list.iter().map(|line| line.split_once(' ').expect("more").1).collect();
        // The first asks now, but is touched at the end of its request.
        assert_eq!(rest, ["ann 0 0 121", "ann 1 20 121", "ann 0 0 121"]);
        for line in &list {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            assert!(handle(line).len() == 22 && handle(line).bytes().all(plain), "{line}");
        }

        let renewed = sent(&with_cookie(&client, "/renew", &ann[2]).await).expect("a token");
        assert_eq!(handle(&lines(&client, &renewed).await[2]), handle(&list[2]), "it survives");

        let not_bobs = format!("/end/bob/{}", handle(&list[2]));
        assert_eq!(text(&client, &not_bobs, "").await, "false");
        for nonsense in ["x", "AAAAAAAAAAAAAAAAAAAAAA", "%00"] {
            assert_eq!(text(&client, &format!("/end/ann/{nonsense}"), "").await, "false");
        }
        let hers = format!("/end/ann/{}", handle(&list[2]));
        assert_eq!(text(&client, &hers, "").await, "true");
        assert_eq!(text(&client, &hers, "").await, "false", "only once");
        assert_eq!(text(&client, "/get", &renewed).await, "absent");
        assert_eq!(lines(&client, &ann[0]).await.len(), 2);
        assert_eq!(lines(&client, &bob).await.len(), 1);

        // What has expired is on nobody's list.
        clock.advance(Duration::from_secs(7190));
        assert_eq!(text(&client, "/get", &ann[0]).await, "ann 0");
        clock.advance(Duration::from_secs(70));
        assert_eq!(lines(&client, &ann[0]).await.len(), 1);
    }
}

/// Keeps nothing; only asked what it can do.
struct Nothing;

#[rocket::async_trait]
impl SimpleStorage for Nothing {
    async fn write(&self, _: &str, _: &[u8], _: Timestamp) -> Result<(), StorageError> {
        Ok(())
    }

    async fn read(&self, _: &str) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(None)
    }

    async fn invalidate(&self, _: &str) -> Result<(), StorageError> {
        Ok(())
    }
}

#[get("/list")]
async fn list(sessions: &Sessions) -> String {
    let listed = sessions.of::<User>().list("ann").await.map(|list| list.len());
    let ended = sessions.of::<User>().revoke_owner("ann").await;
    let unsupported = |error: &SessionError| matches!(error, SessionError::Unsupported(_));
    format!("{} {}", listed.is_err_and(|e| unsupported(&e)), ended.is_err_and(|e| unsupported(&e)))
}

#[tokio::test]
async fn what_a_storage_cannot_do_is_unsupported_and_no_failure() {
    for place in ["client", "simple"] {
        let fairing = Sessions::fairing().storage("simple", LastWriteWins::new(Nothing));
        let client = client_with(figment(place), fairing, routes![list]).await;
        let response = client.get("/list").dispatch().await;
        assert_eq!(response.status(), Status::Ok);
        assert_eq!(response.into_string().await.as_deref(), Some("true true"), "{place}");
    }
}

#[tokio::test]
async fn over_the_limit_the_oldest_ends_or_the_newest_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        let figment = figment.merge(("sessions.user.max_sessions_per_owner", 2));
        for (policy, ended) in [("end-oldest", 0), ("refuse", 2)] {
            let figment = figment.clone().merge(("sessions.user.owner_limit_policy", policy));
            let clock = Clock::new();
            let fairing = Sessions::fairing().clock(&clock);
            let client = client_with(figment, fairing, vec![]).await;
            let mut tokens = Vec::new();
            for _ in 0..3 {
                let response = client.get(format!("/login/{policy}")).dispatch().await;
                tokens.push(sent(&response).unwrap_or_default());
                let refused = policy == "refuse" && tokens.len() == 3;
                let status = if refused { Status::InternalServerError } else { Status::Ok };
                assert_eq!(response.status(), status, "{policy}");
                clock.advance(Duration::from_secs(1));
            }
            for (n, token) in tokens.iter().enumerate() {
                let expected = if n == ended { "absent".into() } else { format!("{policy} 0") };
                assert_eq!(text(&client, "/get", token).await, expected, "{policy} {n}");
            }
            // Logging in again on one device, and others, are not in the way.
            let again = with_cookie(&client, &format!("/login/{policy}"), &tokens[1]).await;
            assert_eq!(again.status(), Status::Ok, "{policy}");
            logged_in(&client, "somebody-else").await;
        }
    }
}

/// Each waits for the other one's second write.
#[tokio::test]
async fn clicks_that_meet_in_one_process_are_not_refused() {
    let storage = faulty();
    let figment = figment("faulty")
        .merge(("sessions.user.max_sessions_per_owner", 1))
        .merge(("sessions.user.owner_limit_policy", "refuse"));
    let fairing = Sessions::fairing().storage("faulty", storage.clone());
    let client = client_with(figment, fairing, vec![]).await;
    for logins_before in [0, 1, 2] {
        let before = logged_in(&client, &format!("guest-{logins_before}")).await;
        let uri = format!("/login/ann-{logins_before}");
        for _ in 0..logins_before {
            assert_eq!(with_cookie(&client, &uri, &before).await.status(), Status::Ok);
        }
        storage.set(Operation::Update, Fault::Slow(Duration::from_millis(50)));
        let clicks = (0..3).map(|_| with_cookie(&client, &uri, &before));
        let clicks = rocket::futures::future::join_all(clicks).await;
        storage.mend();
        let mut live = 0;
        for response in clicks {
            assert_eq!(response.status(), Status::Ok, "after {logins_before} logins");
            let token = sent(&response).expect("a token");
            live += usize::from(text(&client, "/get", &token).await != "absent");
        }
        assert_eq!(live, 1, "after {logins_before} logins");
    }
}

/// On two nodes one click may be between its two writes when another one comes, whose
/// session pushes the first one's out.
#[tokio::test]
async fn of_two_clicks_that_meet_on_two_nodes_one_session_lives() {
    let memory = Memory::new(1000);
    let slow = Faulty::new(memory.clone());
    let figment = figment("shared").merge(("sessions.user.max_sessions_per_owner", 1));
    let node = async |fairing| client_with(figment.clone(), fairing, vec![]).await;
    let one = node(Sessions::fairing().storage("shared", slow.clone())).await;
    let other = node(Sessions::fairing().storage("shared", memory)).await;
    let before = logged_in(&one, "guest").await;
    slow.set(Operation::Update, Fault::Slow(Duration::from_millis(300)));
    let click = async |client, wait| {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let response = with_cookie(client, "/login/ann", &before).await;
        assert_eq!(response.status(), Status::Ok);
        sent(&response).expect("a token")
    };
    let (first, second) = rocket::futures::future::join(click(&one, 0), click(&other, 100)).await;
    assert_eq!(text(&other, "/get", &first).await, "absent");
    assert_eq!(text(&other, "/get", &second).await, "ann 0");
}

#[get("/jump")]
fn jump(session: Session<User>) {
    session.update(|user| user.count = 100);
}

/// Only on what another request wrote does this make the session ann's.
#[get("/hesitant")]
async fn hesitant(session: Session<User>) {
    session.update(|user| {
        user.count += 1;
        if user.count > 100 {
            user.id = "ann".into();
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
}

#[tokio::test]
async fn the_limit_also_holds_for_a_session_that_becomes_an_owners_in_a_replay() {
    let figment = figment("memory")
        .merge(("sessions.user.max_sessions_per_owner", 1))
        .merge(("sessions.user.owner_limit_policy", "refuse"));
    let client = client_with(figment, Sessions::fairing(), routes![jump, hesitant]).await;
    let ann = logged_in(&client, "ann").await;
    let guest = sent(&client.get("/set/guest").dispatch().await).expect("a token");
    let (status, ()) = rocket::futures::future::join(
        async { with_cookie(&client, "/hesitant", &guest).await.status() },
        async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(with_cookie(&client, "/jump", &guest).await.status(), Status::Ok);
        },
    )
    .await;
    assert_eq!(status, Status::InternalServerError, "ann has a session already");
    assert_eq!(text(&client, "/get", &guest).await, "guest 100");
    assert_eq!(text(&client, "/get", &ann).await, "ann 0");
}

#[tokio::test]
async fn a_login_under_way_when_its_owner_is_revoked_leaves_nothing_alive() {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("faulty", storage.clone());
    let client = client_with(figment("faulty"), fairing, routes![devices]).await;
    let client = std::sync::Arc::new(client);
    // The login has begun to commit; its write takes a while.
    storage.set(Operation::Create, Fault::Slow(Duration::from_millis(500)));
    let slow = std::sync::Arc::clone(&client);
    let login = tokio::spawn(async move { slow.get("/login/ann").dispatch().await.status() });
    tokio::time::sleep(Duration::from_millis(150)).await;
    let sessions = client.rocket().state::<Sessions>().expect("the fairing");
    sessions.of::<User>().revoke_owner("ann").await.expect("memory answers");
    assert_eq!(login.await.expect("no panic"), Status::Unauthorized);
    storage.mend();
    assert!(sessions.of::<User>().list("ann").await.expect("memory answers").is_empty());
}

/// Whose sessions there are, with which clients: what a page of devices shows.
#[get("/clients/<owner>")]
async fn clients(sessions: &Sessions, owner: &str) -> Result<String, SessionError> {
    let list = sessions.of::<User>().list(owner).await?;
    let lines = list.iter().map(|info| format!("{:?}", info.client));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

#[tokio::test]
async fn a_list_of_devices_says_who_the_client_is_if_it_is_to_be_remembered() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        for remember in [true, false] {
            let figment = figment.clone().merge(("sessions.user.remember_client", remember));
            let client = client_with(figment, Sessions::fairing(), routes![clients]).await;
            let owner = format!("ann-{remember}");
            let hostile = format!("<b>\u{202e}ünï\tcode{}", "x".repeat(10_000));
            let mut tokens = Vec::new();
            for agent in ["curl/8", &hostile, "  ", ""] {
                let request = client.get(format!("/login/{owner}"));
                let request = request.header(Header::new("User-Agent", agent.to_owned()));
                let remote = "[2001:db8::1]:443".parse().expect("an address");
                tokens.push(sent(&request.remote(remote).dispatch().await).expect("a token"));
            }
            let shown = text(&client, &format!("/clients/{owner}"), "").await;
            let lines: Vec<_> = shown.lines().collect();
            assert_eq!(lines.len(), 4);
            if !remember {
                assert_eq!(lines, ["None"; 4]);
                continue;
            }
            let all = lines.iter().all(|line| line.contains("address: Some(2001:db8::1)"));
            assert!(all, "{lines:?}");
            let told = lines.iter().filter(|line| line.contains("Some(\"curl/8\")")).count();
            let silent = lines.iter().filter(|line| line.contains("user_agent: None")).count();
            assert_eq!((told, silent), (1, 2), "{lines:?}");
            let cut = lines.iter().find(|line| line.contains("<b>")).expect("the hostile one");
            assert!(cut.contains("<b>??n??codex") && cut.len() < 400, "{cut}");

            // As it was when the session was last written.
            let request = client.get("/count").header(Header::new("Cookie", tokens[0].clone()));
            request.header(Header::new("User-Agent", "curl/9")).dispatch().await;
            let shown = text(&client, &format!("/clients/{owner}"), "").await;
            assert!(shown.contains("curl/9") && !shown.contains("curl/8"), "{shown}");
        }
    }
}

#[tokio::test]
async fn hostile_owners_are_owners_like_others() {
    let dir = tempfile::tempdir().expect("a folder");
    let owners = [
        "a\0b",
        "a\nb",
        "'; DROP TABLE sessions; --",
        "\"",
        "../../etc",
        "𒀀",
        " ann",
        &"x".repeat(4096),
    ];
    for figment in storages(dir.path()) {
        let client = client_with(figment, Sessions::fairing(), routes![clients, as_owner]).await;
        for owner in owners {
            let encoded = rocket::http::RawStr::percent_encode_bytes(owner.as_bytes());
            let login = client.get("/as-owner").header(Header::new("x-owner", encoded.to_string()));
            let token = sent(&login.dispatch().await).expect("a token");
            assert_eq!(text(&client, "/get", &token).await, format!("{owner} 0"));
            let sessions = client.rocket().state::<Sessions>().expect("managed");
            let sessions = sessions.of::<User>();
            let list = sessions.list(owner).await.expect("a list");
            assert_eq!((list.len(), list[0].value.id.as_str()), (1, owner));
            assert_eq!(sessions.revoke_owner(owner).await.expect("an end"), 1, "{owner:?}");
            assert_eq!(text(&client, "/get", &token).await, "absent");
        }
    }
}

/// Logs in whoever `x-owner` says, percent-encoded.
#[get("/as-owner")]
fn as_owner(session: Session<User>, owner: Owner) {
    session.login(user(&owner.0));
}

struct Owner(String);

#[rocket::async_trait]
impl<'r> rocket::request::FromRequest<'r> for Owner {
    type Error = ();

    async fn from_request(request: &'r rocket::Request<'_>) -> rocket::request::Outcome<Self, ()> {
        let owner = request.headers().get_one("x-owner").unwrap_or_default();
        let owner = rocket::http::RawStr::new(owner).percent_decode_lossy().into_owned();
        rocket::request::Outcome::Success(Self(owner))
    }
}
