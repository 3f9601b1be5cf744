//! A request goes on while its session gets another id elsewhere. It is still the session
//! that its client holds: `clear()` ends it, whatever the request has found out.

use std::time::Duration;

use parking_lot::Mutex;
use rocket::figment::Figment;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::tokio::time::sleep;
use rocket::{Build, Rocket, State, get, routes};
use rocket_typed_sessions::storage::{Cached, Directory, Memory, SessionStorage};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, SessionError, Sessions};

use crate::renewal::{GRACE, HOUR, periodic};
use crate::support::*;

/// The same client on another node, with the cookie that it has by now.
struct Elsewhere {
    node: Client,
    clock: Clock,
    cookie: Mutex<String>,
}

impl Elsewhere {
    async fn ask(&self, uri: &str) -> String {
        let cookie = self.cookie.lock().clone();
        let response = with_cookie(&self.node, uri, &cookie).await;
        assert_eq!(response.status(), Status::Ok, "{uri}");
        if let Some(cookie) = sent(&response) {
            *self.cookie.lock() = cookie;
        }
        response.into_string().await.unwrap_or_default()
    }

    /// The client does not get the answer.
    async fn counts_unheard(&self) {
        let cookie = self.cookie.lock().clone();
        self.ask("/count").await;
        *self.cookie.lock() = cookie;
    }

    /// Another id for the session of its client.
    async fn renews(&self, how: &str) {
        for step in how.split('.') {
            match step {
                "hour" => self.clock.advance(HOUR),
                "grace" => self.clock.advance(GRACE),
                call => drop(self.ask(&format!("/{call}")).await),
            }
        }
    }
}

#[get("/reauthenticate")]
fn reauthenticate(session: Session<User>) {
    session.reauthenticate();
}

/// Calls, and how another id is given meanwhile. Gives what became of each `save`, and
/// the session in the end.
#[get("/run/<steps>/<how>")]
async fn run(
    session: Session<User>,
    sessions: &Sessions,
    steps: &str,
    how: &str,
    elsewhere: &State<Elsewhere>,
) -> Result<String, SessionError> {
    let id = session.id();
    let mut told = Vec::new();
    for step in steps.split('.') {
        match step {
            "meanwhile" => elsewhere.renews(how).await,
            "login" => drop(elsewhere.ask("/login/ann").await),
            "refresh" => drop(session.refresh().await?),
            "clear" => session.clear(),
            "log-in" => session.login(user("bob")),
            "count" => drop(session.update(|user| user.count += 1)),
            "set" => session.set(user("eve")),
            "set-bob" => session.set(user("bob")),
            "touch" => session.touch(),
            "save" => told.push(format!("{:?}", session.save().await)),
            "csrf" => told.push(session.csrf_token()?.is_some().to_string()),
            "revoke" => {
                let id = id.clone().expect("an id");
                told.push(sessions.of::<User>().revoke_id(&id).await?.to_string());
            }
            _ => panic!("{step}"),
        }
    }
    told.push(show(&session));
    Ok(told.join(" "))
}

/// A save that two writes elsewhere come before. The first has renewed the id.
#[get("/overtaken")]
async fn overtaken(
    session: Session<User>,
    elsewhere: &State<Elsewhere>,
    storage: &State<Faulty>,
) -> String {
    elsewhere.counts_unheard().await;
    session.update(|user| user.count += 1);
    let second = storage.calls(Operation::Update) + 2;
    storage.set(Operation::Update, Fault::Slow(Duration::from_millis(300)));
    let (saved, ()) = rocket::tokio::join!(session.save(), async {
        while storage.calls(Operation::Update) < second {
            sleep(Duration::from_millis(5)).await;
        }
        storage.mend();
        elsewhere.counts_unheard().await;
    });
    format!("{saved:?} {}", show(&session))
}

struct Nodes {
    this: Client,
}

impl Nodes {
    async fn new(storage: impl SessionStorage + Clone, figment: Figment) -> Self {
        Self::on(storage, figment, |rocket| rocket).await
    }

    /// Over a storage that counts, or fails on demand.
    async fn faulty(figment: Figment) -> (Self, Faulty) {
        let storage = faulty();
        let more =
            |rocket: Rocket<Build>| rocket.manage(storage.clone()).mount("/", routes![overtaken]);
        (Self::on(storage.clone(), figment, more).await, storage)
    }

    async fn on(
        storage: impl SessionStorage + Clone,
        figment: Figment,
        more: impl FnOnce(Rocket<Build>) -> Rocket<Build>,
    ) -> Self {
        let clock = Clock::new();
        let fairing = || Sessions::fairing().storage("shared", storage.clone()).clock(&clock);
        let node = client_with(figment.clone(), fairing(), routes![reauthenticate]).await;
        let elsewhere = Elsewhere { node, clock: clock.clone(), cookie: Mutex::default() };
        let this = more(build(figment, fairing(), routes![run]).manage(elsewhere));
        Self { this: Client::untracked(this).await.expect("a rocket") }
    }

    fn elsewhere(&self) -> &Elsewhere {
        self.this.rocket().state().expect("it is managed")
    }

    /// What the steps give and what cookie goes out, and what the client then reads with
    /// the one that it was sent elsewhere.
    async fn run(&self, steps: &str, how: &str) -> (String, Option<String>, String) {
        let token = logged_in(&self.this, "ann").await;
        (*self.elsewhere().cookie.lock()).clone_from(&token);
        let response = with_cookie(&self.this, &format!("/run/{steps}/{how}"), &token).await;
        assert_eq!(response.status(), Status::Ok, "{steps} {how}");
        let sent = sent(&response);
        let told = response.into_string().await.expect("a body");
        assert_ne!(*self.elsewhere().cookie.lock(), token, "another id");
        (told, sent, self.elsewhere().ask("/get").await)
    }
}

/// How a session gets another id.
const RENEWALS: [&str; 8] = [
    "renew",
    "renew.renew",
    "renew.renew.renew",
    "reauthenticate",
    // A periodic renewal that nobody has shown, in its grace, and after that.
    "hour.get",
    "hour.get.get",
    "hour.get.get.grace",
    LONG_AGO,
];

/// Two renewals, so long ago that the first id is a stranger's.
const LONG_AGO: &str = "hour.get.get.hour.get.get";

fn ended(told: &str) -> (String, Option<String>, String) {
    (told.into(), Some("user=".into()), "absent".into())
}

async fn a_clear_ends_it(storage: impl SessionStorage + Clone) {
    let without_grace = periodic(figment("shared")).merge(("sessions.user.renewal_grace", 0));
    for figment in [periodic(figment("shared")), without_grace] {
        let nodes = Nodes::new(storage.clone(), figment).await;
        for how in RENEWALS {
            for (steps, told) in [
                ("meanwhile.clear", "absent"),
                ("meanwhile.refresh.clear", "absent"),
                ("meanwhile.refresh.clear.save", "Ok(()) absent"),
                ("meanwhile.refresh.refresh.clear.save.save", "Ok(()) Ok(()) absent"),
                ("meanwhile.clear.refresh.save", "Ok(()) absent"),
                ("meanwhile.refresh.clear.csrf", "false absent"),
            ] {
                assert_eq!(nodes.run(steps, how).await, ended(told), "{steps} {how}");
            }
        }
    }
}

#[tokio::test]
async fn d22_a_clear_ends_a_session_that_goes_on_under_another_id() {
    a_clear_ends_it(Memory::new(1000)).await;
    a_clear_ends_it(Cached::new(Memory::new(1000), 1000, Duration::from_secs(2))).await;
    let folder = tempfile::tempdir().expect("a folder");
    a_clear_ends_it(Directory::open(folder.path()).expect("a directory")).await;
}

/// A save finds it out as a `refresh` does.
#[tokio::test]
async fn d22_a_clear_ends_it_whatever_has_told_of_the_other_id() {
    let nodes = Nodes::new(Memory::new(1000), figment("shared")).await;
    for steps in ["meanwhile.count.save.clear.save", "meanwhile.touch.save.clear.save"] {
        let told = nodes.run(steps, "renew").await;
        assert_eq!(told, ended("Err(Ended) Ok(()) absent"), "{steps}");
    }
}

#[tokio::test]
async fn d22_what_is_set_after_such_a_clear_begins_another_session() {
    let nodes = Nodes::new(Memory::new(1000), figment("shared")).await;
    for steps in ["meanwhile.clear.set", "meanwhile.refresh.clear.set"] {
        let (told, sent, reads) = nodes.run(steps, "renew").await;
        assert_eq!((&*told, &*reads), ("eve 0", "absent"), "{steps}");
        let sent = sent.expect("a token");
        assert_eq!(text(&nodes.this, "/get", &sent).await, "eve 0", "{steps}");
    }
    // Without it nothing begins: a cookie is on its way.
    let dropped = nodes.run("meanwhile.refresh.set.save", "renew").await;
    assert_eq!(dropped, ("Err(Ended) absent".into(), None, "ann 0".into()));
}

#[tokio::test]
async fn d15_a_login_replaces_a_session_that_goes_on_under_another_id() {
    for limit in [None, Some(1)] {
        let mut figment = periodic(figment("shared"));
        if let Some(limit) = limit {
            figment = figment
                .merge(("sessions.user.max_sessions_per_owner", limit))
                .merge(("sessions.user.owner_limit_policy", "refuse"));
        }
        for how in RENEWALS.into_iter().filter(|how| *how != LONG_AGO) {
            for steps in ["log-in", "refresh.log-in", "set-bob.refresh", "count.save.log-in"] {
                let nodes = Nodes::new(Memory::new(1000), figment.clone()).await;
                let steps = format!("meanwhile.{steps}.save");
                let (told, sent, reads) = nodes.run(&steps, how).await;
                assert!(told.ends_with("Ok(()) bob 0"), "{steps} {how}: {told}");
                assert_eq!(reads, "absent", "{steps} {how}");
                let sent = sent.expect("a token");
                assert_eq!(text(&nodes.this, "/get", &sent).await, "bob 0", "{steps} {how}");
            }
        }
    }
}

/// It is over then. A storage that fails to end it once more is no reason for a 503.
#[tokio::test]
async fn d15_a_clear_does_not_end_what_a_login_of_its_request_has_replaced() {
    for steps in ["meanwhile.refresh.log-in.save.clear", "meanwhile.log-in.save.clear"] {
        let (nodes, storage) = Nodes::faulty(figment("shared")).await;
        assert_eq!(nodes.run(steps, "renew").await, ended("Ok(()) absent"), "{steps}");
        assert_eq!(storage.calls(Operation::Invalidate), 1, "{steps}: the login's session");
    }
}

/// However often its write meets another one, its client has not been shown the next id.
#[tokio::test]
async fn d22_a_write_that_is_overtaken_twice_still_sends_the_next_id() {
    let (nodes, _) = Nodes::faulty(periodic(figment("shared"))).await;
    let token = logged_in(&nodes.this, "ann").await;
    (*nodes.elsewhere().cookie.lock()).clone_from(&token);
    nodes.elsewhere().clock.advance(HOUR);
    let response = with_cookie(&nodes.this, "/overtaken", &token).await;
    let next = sent(&response).expect("the next id");
    assert_eq!(response.into_string().await.as_deref(), Some("Ok(()) ann 3"));
    assert_ne!(next, token);
    assert_eq!(text(&nodes.this, "/get", &next).await, "ann 3");
}

/// It is another session than the one that the request has found.
#[tokio::test]
async fn d15_a_clear_never_ends_the_session_of_a_login_that_came_after_a_renewal() {
    let nodes = Nodes::new(Memory::new(1000), figment("shared")).await;
    for (steps, told) in [
        ("meanwhile.login.refresh.clear.save", "Ok(()) absent"),
        ("meanwhile.refresh.login.clear.save", "Ok(()) absent"),
        ("meanwhile.refresh.login.clear.set.save", "Err(Ended) absent"),
    ] {
        let stays = (told.into(), None, "ann 0".into());
        assert_eq!(nodes.run(steps, "renew").await, stays, "{steps}");
    }
}

#[tokio::test]
async fn d22_an_end_by_its_id_reaches_a_session_that_goes_on_under_another() {
    let nodes = Nodes::new(Memory::new(1000), figment("shared")).await;
    for how in ["renew", "renew.renew", "reauthenticate"] {
        for steps in ["meanwhile.revoke", "meanwhile.refresh.revoke"] {
            let (told, _, reads) = nodes.run(steps, how).await;
            assert_eq!((&*told, &*reads), ("true absent", "absent"), "{steps} {how}");
        }
    }
}
