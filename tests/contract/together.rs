//! The sessions of one request on one server are read in one round trip.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::outcome::Outcome;
use rocket::request::{FromRequest, Outcome as GuardOutcome};
use rocket::{Request, get, routes};
use rocket_typed_sessions::storage::Memory;
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, SessionData, SessionError, Sessions, TrySession};
use serde::{Deserialize, Serialize};

use crate::support::*;

#[derive(Clone, Serialize, Deserialize)]
struct Theme(String);

impl SessionData for Theme {
    const NAME: &'static str = "theme";
}

/// A server far away, which counts the keys of each `read_many`. Of those it answers as many as the
/// test says, and the rest with an error.
#[derive(Clone)]
struct Far {
    memory: Memory,
    asked: Arc<Mutex<Vec<usize>>>,
    answers: Arc<Mutex<usize>>,
}

storage_over! {
    Far.memory;

    fn owners(&self) -> Option<&dyn OwnerIndex> {
        self.memory.owners()
    }

    async fn read_many(
        &self,
        keys: &[StorageKey],
        now: Timestamp,
    ) -> Vec<Result<Option<Record>, StorageError>> {
        self.asked.lock().push(keys.len());
        let mut found = self.memory.read_many(keys, now).await;
        for unanswered in found.iter_mut().skip(*self.answers.lock()) {
            *unanswered = Err(StorageError::Unavailable("on demand".into(), None));
        }
        found
    }

    fn is_remote(&self) -> bool {
        true
    }
}

#[get("/begin/<id>")]
fn begin(user_: Session<User>, cart: Session<Cart>, theme: Session<Theme>, id: &str) {
    user_.set(user(id));
    cart.set(Cart(3));
    theme.set(Theme("dark".into()));
}

fn shown<T: SessionData>(session: &TrySession<T>) -> &'static str {
    match session {
        TrySession::Present(_) => "present",
        TrySession::Absent(_) => "absent",
        TrySession::Unavailable(_) => "unavailable",
    }
}

/// Does in the middle of a request what the query says.
struct Meanwhile;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Meanwhile {
    type Error = SessionError;

    async fn from_request(request: &'r Request<'_>) -> GuardOutcome<Self, SessionError> {
        let storage = request.rocket().state::<Faulty>().expect("a storage");
        let sessions = request.guard::<&Sessions>().await.expect("the fairing");
        match request.uri().query().map(|query| query.as_str()) {
            Some("end") => end_all(storage).await,
            Some("wait") => {
                end_all(storage).await;
                tokio::time::sleep(Duration::from_millis(80)).await;
            }
            Some("expire") => {
                let clock = request.rocket().state::<Clock>().expect("a clock");
                clock.advance(Duration::from_secs(30 * 86_400));
            }
            Some("revoke-by-state") => {
                // This manager does not know the request.
                let sessions = request.rocket().state::<Sessions>().expect("the fairing");
                let ended = sessions.of::<User>().revoke_owner("ann").await;
                assert!(matches!(ended, Ok(1)), "{ended:?}");
            }
            Some("revoke") => {
                let ended = sessions.of::<User>().revoke_owner("ann").await;
                assert!(matches!(ended, Ok(1)), "{ended:?}");
            }
            _ => {}
        }
        Outcome::Success(Self)
    }
}

/// Another node ends every session.
async fn end_all(storage: &Faulty) {
    for key in storage.created() {
        storage.inner().invalidate(&key, None, None).await.expect("memory answers");
    }
}

#[get("/all")]
fn all(
    cart: TrySession<Cart>,
    _m: Meanwhile,
    user: TrySession<User>,
    theme: TrySession<Theme>,
) -> String {
    format!("{} {} {}", shown(&cart), shown(&user), shown(&theme))
}

#[get("/refresh")]
async fn refresh(cart: Session<Cart>, user: Session<User>) -> Result<String, SessionError> {
    user.refresh().await?;
    Ok(format!("{} {}", cart.get().is_some(), user.get().is_some()))
}

#[get("/cart")]
fn cart_alone(cart: TrySession<Cart>) -> &'static str {
    shown(&cart)
}

struct App {
    client: Client,
    storage: Faulty,
    far: Far,
    cookies: Vec<String>,
}

impl App {
    async fn new() -> Self {
        let far = Far {
            memory: Memory::new(1000),
            asked: Arc::default(),
            answers: Arc::new(Mutex::new(usize::MAX)),
        };
        let (storage, clock) = (Faulty::new(far.clone()), Clock::new());
        let fairing = Sessions::fairing().storage("far", storage.clone()).clock(&clock);
        let figment = figment("far")
            .merge(("sessions.cart.storage", "far"))
            .merge(("sessions.theme.storage", "far"));
        let rocket = build(figment, fairing, routes![begin, all, refresh, cart_alone]);
        let client = Client::untracked(rocket.manage(storage.clone()).manage(clock))
            .await
            .expect("it launches");
        let cookies = cookies(&with_cookie(&client, "/begin/ann", "").await);
        assert_eq!(cookies.len(), 3, "{cookies:?}");
        Self { client, storage, far, cookies }
    }

    /// An application that knows what each route uses.
    async fn that_knows_its_routes() -> Self {
        let app = Self::new().await;
        assert_eq!(app.get("/all").await, ("present present present".into(), 3, vec![]));
        assert_eq!(app.get("/refresh").await.0, "true true");
        app
    }

    /// The answer, how many records were read alone, and how many together.
    async fn get(&self, uri: &str) -> (String, usize, Vec<usize>) {
        self.get_with(uri, &self.cookies.join("; ")).await
    }

    async fn get_with(&self, uri: &str, cookie: &str) -> (String, usize, Vec<usize>) {
        let before = self.storage.calls(Operation::Read);
        self.far.asked.lock().clear();
        let answer = text(&self.client, uri, cookie).await;
        let alone = self.storage.calls(Operation::Read) - before;
        (answer, alone, self.far.asked.lock().clone())
    }
}

#[tokio::test(start_paused = true)]
async fn from_the_second_request_on_a_route_reads_its_sessions_at_once() {
    let app = App::new().await;
    assert_eq!(app.get("/all").await, ("present present present".into(), 3, vec![]));
    for _ in 0..3 {
        assert_eq!(app.get("/all").await, ("present present present".into(), 0, vec![3]));
    }
    // Another route reads what it uses itself.
    for _ in 0..2 {
        assert_eq!(app.get("/cart").await, ("present".into(), 1, vec![]));
    }
    // A client that has one session only.
    assert_eq!(app.get_with("/all", &app.cookies[0]).await.1, 1);
}

#[tokio::test(start_paused = true)]
async fn what_ended_a_moment_ago_is_served_for_some_milliseconds_only() {
    let app = App::that_knows_its_routes().await;
    assert_eq!(app.get("/all?wait").await, ("present absent absent".into(), 0, vec![3, 2]));
    assert_eq!(app.get("/all").await.0, "absent absent absent");
}

#[tokio::test(start_paused = true)]
async fn what_the_request_itself_revokes_is_read_again() {
    let app = App::that_knows_its_routes().await;
    assert_eq!(app.get("/all?revoke").await, ("present absent present".into(), 2, vec![3]));
}

#[tokio::test(start_paused = true)]
async fn what_this_process_revokes_is_read_again() {
    let app = App::that_knows_its_routes().await;
    let found = app.get("/all?revoke-by-state").await;
    assert_eq!(found, ("present absent present".into(), 0, vec![3, 2]));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_asks_the_storage() {
    let app = App::that_knows_its_routes().await;
    assert_eq!(app.get("/refresh").await, ("true true".into(), 1, vec![2]));
}

#[tokio::test(start_paused = true)]
async fn a_forged_or_doubtful_token_is_not_read_ahead() {
    let app = App::that_knows_its_routes().await;
    let [user, cart, theme] = &["user=", "cart=", "theme="]
        .map(|name| app.cookies.iter().find(|cookie| cookie.starts_with(name)).expect("a cookie"));
    let forged = format!("{user}; {cart}; theme=AgAAforged");
    assert_eq!(app.get_with("/all", &forged).await, ("present present absent".into(), 0, vec![2]));
    // Of several values none is preferred before each of them is read.
    let other = cookies(&with_cookie(&app.client, "/begin/bob", "").await);
    let other = other.iter().find(|cookie| cookie.starts_with("theme=")).expect("a cookie");
    let two = format!("{user}; {cart}; {theme}; {other}");
    assert_eq!(app.get_with("/all", &two).await, ("present present absent".into(), 2, vec![2]));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_another_session_is_no_error_of_this_one() {
    let app = App::that_knows_its_routes().await;
    *app.far.answers.lock() = 1;
    // Each guard reads again what could not be read with another session.
    assert_eq!(app.get("/all").await, ("present present present".into(), 1, vec![3, 2]));
    *app.far.answers.lock() = 0;
    assert_eq!(app.get("/all").await, ("unavailable unavailable present".into(), 1, vec![3, 2]));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_not_answered_keeps_no_other_session_waiting() {
    let app = App::that_knows_its_routes().await;
    app.storage.set(Operation::ReadMany, Fault::Hangs);
    assert_eq!(app.get("/all").await.0, "present present present");
    app.storage.set(Operation::Read, down());
    app.storage.set(Operation::ReadMany, down());
    assert_eq!(app.get("/all").await.0, "unavailable unavailable unavailable");
    let response = with_cookie(&app.client, "/refresh", &app.cookies.join("; ")).await;
    assert_eq!(response.status(), Status::ServiceUnavailable);
    app.storage.mend();
    assert_eq!(app.get("/all").await, ("present present present".into(), 0, vec![3]));
}

#[tokio::test(start_paused = true)]
async fn what_expires_meanwhile_is_not_served() {
    let app = App::that_knows_its_routes().await;
    let answer = app.get("/all?expire").await;
    assert_eq!(answer, ("present absent absent".into(), 0, vec![3]));
}
