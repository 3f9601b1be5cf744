//! A request goes on while its session ends elsewhere, or a login or a renewal there
//! makes another of it.

use std::time::Duration;

use rocket::figment::Figment;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::request::{FromRequest, Outcome};
use rocket::tokio::time::sleep;
use rocket::{Request, State, get, routes};
use rocket_typed_sessions::storage::Memory;
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Lifetime, Session, SessionError, Sessions};

use crate::support::*;

/// A value that the session does not have.
fn another(id: &str) -> User {
    User { count: 7, ..user(if id == "nobody" { "" } else { id }) }
}

/// The request's cookie, as it was sent.
struct Cookie<'r>(&'r str);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Cookie<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        Outcome::Success(Self(request.headers().get_one("Cookie").unwrap_or_default()))
    }
}

/// Another node on the same storage.
struct Elsewhere(Client);

impl Elsewhere {
    /// Another request of the client that this one comes from.
    async fn ask(&self, cookie: &Cookie<'_>, uri: &str) {
        assert_eq!(with_cookie(&self.0, uri, cookie.0).await.status(), Status::Ok, "{uri}");
    }
}

/// Calls and what happens elsewhere, in this order. Gives what became of each `save`,
/// and the session in the end.
#[get("/run/<steps>")]
async fn run(
    session: Session<User>,
    steps: &str,
    cookie: Cookie<'_>,
    elsewhere: &State<Elsewhere>,
) -> Result<String, SessionError> {
    let mut told = Vec::new();
    for step in steps.split('.') {
        match step {
            "save" => told.push(format!("{:?}", session.save().await)),
            "refresh" => drop(session.refresh().await?),
            "touch" => session.touch(),
            "skip" => session.skip_touch(),
            "renew" => session.renew(),
            "count" => drop(session.update(|user| user.count += 1)),
            "idle" => session.set_lifetime(Lifetime::Idle(Duration::from_secs(3600)))?,
            "discard" => session.discard(),
            "login" => session.login(another("ann")),
            "other-device" => elsewhere.ask(&Cookie(""), "/login/ann").await,
            _ => match step.split_once('-') {
                Some(("set", id)) => session.set(another(id)),
                Some(("other", "login")) => elsewhere.ask(&cookie, "/login/ann").await,
                Some(("other", "bob")) => elsewhere.ask(&cookie, "/login/bob").await,
                Some(("other", call)) => elsewhere.ask(&cookie, &format!("/{call}")).await,
                _ => panic!("{step}"),
            },
        }
    }
    told.push(show(&session));
    Ok(told.join(" "))
}

/// A save meets a login elsewhere while another task of its request sets a value.
#[get("/two-tasks/<id>")]
async fn two_tasks(
    session: Session<User>,
    id: &str,
    cookie: Cookie<'_>,
    elsewhere: &State<Elsewhere>,
    storage: &State<Faulty>,
) -> String {
    session.update(|user| user.count += 1);
    storage.set(Operation::Update, Fault::Slow(Duration::from_millis(100)));
    let (first, second) = rocket::tokio::join!(session.save(), async {
        sleep(Duration::from_millis(30)).await;
        elsewhere.ask(&cookie, "/login/ann").await;
        session.set(another(id));
        session.save().await
    });
    storage.mend();
    format!("{first:?} {second:?} {}", show(&session))
}

/// A `clear` that meets a login elsewhere, and one more call while that is found out.
#[get("/two-clears/<call>")]
async fn two_clears(
    session: Session<User>,
    call: &str,
    cookie: Cookie<'_>,
    elsewhere: &State<Elsewhere>,
    storage: &State<Faulty>,
) -> String {
    let _ = session.get();
    elsewhere.ask(&cookie, "/login/ann").await;
    session.clear();
    storage.set(Operation::Invalidate, Fault::Slow(Duration::from_millis(100)));
    let (saved, ()) = rocket::tokio::join!(session.save(), async {
        sleep(Duration::from_millis(30)).await;
        match call {
            "renew" => session.renew(),
            "touch" => session.touch(),
            _ => session.clear(),
        }
    });
    storage.mend();
    session.set(another("nobody"));
    let id = session.id().is_some();
    format!("{saved:?} {id} {:?} {}", session.save().await, show(&session))
}

struct Nodes(Client);

async fn nodes() -> Nodes {
    nodes_with(figment("shared")).await
}

async fn nodes_with(figment: Figment) -> Nodes {
    let memory = Memory::new(1000);
    let fairing = Sessions::fairing().storage("shared", memory.clone());
    let other = client_with(figment.clone(), fairing, routes![]).await;
    let storage = Faulty::new(memory);
    let fairing = Sessions::fairing().storage("shared", storage.clone());
    let this = build(figment, fairing, routes![run, two_tasks, two_clears]);
    let this = this.manage(Elsewhere(other)).manage(storage);
    Nodes(Client::untracked(this).await.expect("a rocket"))
}

impl Nodes {
    /// What the steps give for a client whose session is Ann's, and what its cookie
    /// then reads.
    async fn run(&self, uri: &str) -> (String, Option<String>) {
        let token = logged_in(&self.0, "ann").await;
        let response = with_cookie(&self.0, uri, &token).await;
        let sent = sent(&response);
        let told = response.into_string().await.expect("a body");
        let reads = match sent {
            Some(token) => Some(text(&self.0, "/get", &token).await),
            None => None,
        };
        (told, reads)
    }
}

#[tokio::test]
async fn d15_a_change_of_owner_counts_as_a_login_although_another_login_came_first() {
    let nodes = nodes().await;
    let begins = |told: &str, id: &str| (format!("{told}{id} 7"), Some(format!("{id} 7")));
    for (id, reads) in [("bob", "bob"), ("nobody", "")] {
        for steps in ["set-{}.other-login.save", "set-{}.other-login.refresh.save"] {
            let uri = format!("/run/{}", steps.replace("{}", id));
            assert_eq!(nodes.run(&uri).await, begins("Ok(()) ", reads), "{uri}");
        }
    }
    let told = begins("Err(Ended) Ok(()) ", "bob");
    assert_eq!(nodes.run("/two-tasks/bob").await, told);
}

#[tokio::test]
async fn d23_a_value_of_the_same_owner_is_no_login_and_is_dropped_with_the_session() {
    let nodes = nodes().await;
    for steps in [
        "set-ann.other-login.save",
        "set-ann.other-login.refresh.save",
        "set-bob.other-login.refresh.set-ann.save",
        // What was replaced has no owner.
        "other-login.refresh.set-bob.save",
    ] {
        let told = ("Err(Ended) absent".to_owned(), None);
        assert_eq!(nodes.run(&format!("/run/{steps}")).await, told, "{steps}");
    }
    let told = ("Err(Ended) Err(Ended) absent".to_owned(), None);
    assert_eq!(nodes.run("/two-tasks/ann").await, told);
}

#[tokio::test]
async fn d23_a_second_clear_begins_nothing_where_a_login_has_replaced_the_session() {
    let nodes = nodes().await;
    for call in ["clear", "renew", "touch"] {
        let told = ("Ok(()) false Err(Ended) absent".to_owned(), None);
        assert_eq!(nodes.run(&format!("/two-clears/{call}")).await, told, "{call}");
    }
}

#[tokio::test]
async fn d23_a_touch_of_a_session_that_is_over_says_so() {
    let nodes = nodes().await;
    for elsewhere in ["login", "clear", "renew"] {
        let uri = format!("/run/other-{elsewhere}.touch.save");
        assert_eq!(nodes.run(&uri).await, ("Err(Ended) absent".into(), None), "{elsewhere}");
    }
    // One that is taken back is none.
    let taken_back = nodes.run("/run/touch.skip.other-renew.refresh.save").await;
    assert_eq!(taken_back, ("Ok(()) absent".into(), None));
    assert_eq!(nodes.run("/run/other-count.touch.save").await, ("Ok(()) ann 0".into(), None));
}

/// Its client may have the cookie of the login or of the other renewal already.
#[tokio::test]
async fn d22_d23_a_token_that_a_save_earned_does_not_go_out_once_its_session_is_over() {
    let nodes = nodes().await;
    for elsewhere in ["login", "clear", "renew"] {
        for last in ["count.save", "refresh"] {
            let uri = format!("/run/idle.save.other-{elsewhere}.{last}");
            let (told, reads) = nodes.run(&uri).await;
            assert!(told.starts_with("Ok(()) "), "{uri}: {told}");
            assert_eq!(reads, None, "{uri}");
        }
    }
    let goes_out = nodes.run("/run/idle.save.other-count.count.save").await;
    assert_eq!(goes_out, ("Ok(()) Ok(()) ann 2".into(), Some("ann 2".into())));
}

/// Another click has logged in, one more has taken its place, and so does this one. If
/// the other one was somebody else's, there is no place to take.
#[tokio::test]
async fn d23_a_login_that_finds_no_room_and_its_session_replaced_is_nobody() {
    let figment = figment("shared")
        .merge(("sessions.user.max_sessions_per_owner", 2))
        .merge(("sessions.user.owner_limit_policy", "refuse"));
    let nodes = nodes_with(figment.clone()).await;
    let steps = "other-login.other-login.other-device.login.save";
    let told = ("Ok(()) ann 7".to_owned(), Some("ann 7".to_owned()));
    assert_eq!(nodes.run(&format!("/run/{steps}")).await, told);
    let nodes = nodes_with(figment).await;
    let steps = "other-bob.other-device.other-device.login.save.discard";
    let told = ("Err(LimitReached) absent".to_owned(), None);
    assert_eq!(nodes.run(&format!("/run/{steps}")).await, told);
}

/// Lets its session expire, and changes it then.
#[get("/expire")]
async fn expire(session: Session<User>) -> Result<String, SessionError> {
    session.set_lifetime(Lifetime::Idle(Duration::from_secs(20)))?;
    session.skip_touch();
    let first = session.save().await;
    session.update(|user| user.count += 1);
    Ok(format!("{first:?} {:?} {}", session.save().await, show(&session)))
}

#[tokio::test]
async fn d16_a_session_that_expires_while_its_request_goes_on_is_over() {
    for place in PLACES {
        let clock = Clock::new();
        let fairing = Sessions::fairing().clock(&clock);
        let client = client_with(figment(place), fairing, routes![expire]).await;
        let token = logged_in(&client, "ann").await;
        clock.advance(Duration::from_secs(30));
        let response = with_cookie(&client, "/expire", &token).await;
        assert_eq!(sent(&response), None, "{place}");
        let told = response.into_string().await;
        assert_eq!(told.as_deref(), Some("Ok(()) Err(Ended) absent"), "{place}");
    }
}
