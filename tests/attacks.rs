//! Ways around the core that were tried from outside. Each test says the right
//! outcome: unlucky schedules of storages, tasks, fairings and catchers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::pedantic)]

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rocket::fairing::AdHoc;
use rocket::figment::Figment;
use rocket::futures::future::BoxFuture;
use rocket::http::Status;
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, State, get, routes};
use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::storage::{
    Create, Generation, Invalidate, Memory, OwnerGuard, OwnerIndex, OwnerKey, OwnerPage, Record,
    SessionStorage, StorageKey, Timestamp, Touch, Update, Version,
};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Lifetime, Session, SessionData, SessionError, Sessions};
use serde::{Deserialize, Serialize};

const KEY: &str = "hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978";
const OTHER: &str = "hex:1b3d5f7092a4c6e8f0e1d2c3b4a5968778695a4b3c2d1e0f9f8e7d6c5b4a3920";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: String,
    count: u32,
}
impl SessionData for User {
    const NAME: &'static str = "user";
    fn owner(&self) -> Option<Cow<'_, str>> {
        (!self.id.is_empty()).then_some(Cow::Borrowed(self.id.as_str()))
    }
}
fn user(id: &str) -> User {
    User { id: id.into(), count: 0 }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cart {
    items: Vec<String>,
}
impl SessionData for Cart {
    const NAME: &'static str = "cart";
}

// ---------------------------------------------------------------- storage

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Op {
    Create,
    Read,
    Update,
    Touch,
    Invalidate,
    Generation,
    InvalidateOwner,
}

enum Act {
    Run(Box<dyn FnOnce() + Send>),
    Do(BoxFuture<'static, ()>),
    Hang,
    Fail,
}

#[derive(Clone)]
struct Hook(Arc<Inner>);
struct Inner {
    memory: Memory,
    before: Mutex<Vec<(Op, Act)>>,
    after: Mutex<Vec<(Op, Act)>>,
    calls: Mutex<HashMap<Op, usize>>,
    keys: Mutex<Vec<StorageKey>>,
}

impl Hook {
    fn new() -> Self {
        Self(Arc::new(Inner {
            memory: Memory::new(10_000),
            before: Mutex::default(),
            after: Mutex::default(),
            calls: Mutex::default(),
            keys: Mutex::default(),
        }))
    }
    fn before(&self, op: Op, act: Act) {
        self.0.before.lock().push((op, act));
    }
    fn after(&self, op: Op, act: Act) {
        self.0.after.lock().push((op, act));
    }
    fn calls(&self, op: Op) -> usize {
        self.0.calls.lock().get(&op).copied().unwrap_or(0)
    }
    async fn live(&self) -> usize {
        let keys = self.0.keys.lock().clone();
        let mut n = 0;
        for key in keys {
            let now = Timestamp::from(std::time::SystemTime::now());
            n += usize::from(self.0.memory.read(&key, now).await.unwrap().is_some());
        }
        n
    }
    fn pop(list: &Mutex<Vec<(Op, Act)>>, op: Op) -> Option<Act> {
        let mut list = list.lock();
        let at = list.iter().position(|(of, _)| *of == op)?;
        Some(list.remove(at).1)
    }
    async fn act(act: Option<Act>) -> Result<(), StorageError> {
        match act {
            None => Ok(()),
            Some(Act::Run(run)) => {
                run();
                Ok(())
            }
            Some(Act::Do(run)) => {
                run.await;
                Ok(())
            }
            Some(Act::Hang) => std::future::pending().await,
            Some(Act::Fail) => Err(StorageError::Unavailable("on demand".into(), None)),
        }
    }
    async fn pass<R>(
        &self,
        op: Op,
        work: impl Future<Output = Result<R, StorageError>>,
    ) -> Result<R, StorageError> {
        *self.0.calls.lock().entry(op).or_default() += 1;
        Self::act(Self::pop(&self.0.before, op)).await?;
        let result = work.await;
        Self::act(Self::pop(&self.0.after, op)).await?;
        result
    }
}

#[rocket::async_trait]
impl SessionStorage for Hook {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create, StorageError> {
        self.0.keys.lock().push(key.clone());
        self.pass(Op::Create, self.0.memory.create(key, record, guard, now)).await
    }
    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Record>, StorageError> {
        self.pass(Op::Read, self.0.memory.read(key, now)).await
    }
    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        self.pass(Op::Update, self.0.memory.update(key, expected, record, now)).await
    }
    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError> {
        self.pass(Op::Touch, self.0.memory.touch(key, last_seen, expires)).await
    }
    async fn invalidate(
        &self,
        key: &StorageKey,
        expected: Option<Version>,
        mark: Option<Timestamp>,
    ) -> Result<Invalidate, StorageError> {
        self.pass(Op::Invalidate, self.0.memory.invalidate(key, expected, mark)).await
    }
    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError> {
        self.0.memory.purge_expired(now, limit).await
    }
    fn owners(&self) -> Option<&dyn OwnerIndex> {
        Some(self)
    }
}
#[rocket::async_trait]
impl OwnerIndex for Hook {
    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError> {
        self.0.memory.owners().unwrap().list(owner, after, limit, now).await
    }
    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize, StorageError> {
        self.pass(
            Op::InvalidateOwner,
            self.0.memory.owners().unwrap().invalidate_owner(owner, except, now),
        )
        .await
    }
    async fn generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError> {
        self.pass(Op::Generation, self.0.memory.owners().unwrap().generation(owner)).await
    }
}

// ---------------------------------------------------------------- application

struct Ctx {
    user: Session<User>,
    sessions: Sessions,
}
struct Both {
    user: Session<User>,
    cart: Session<Cart>,
}
#[rocket::async_trait]
impl<'r> FromRequest<'r> for Ctx {
    type Error = ();
    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let sessions = request.guard::<&Sessions>().await.succeeded().unwrap().clone();
        match request.guard::<Session<User>>().await {
            Outcome::Success(user) => Outcome::Success(Self { user, sessions }),
            Outcome::Error((status, _)) => Outcome::Error((status, ())),
            Outcome::Forward(status) => Outcome::Forward(status),
        }
    }
}

type Job = Box<dyn FnOnce(Ctx) -> BoxFuture<'static, Status> + Send>;
type JobBoth = Box<dyn FnOnce(Both) -> BoxFuture<'static, Status> + Send>;
#[derive(Default)]
struct Stage {
    job: Mutex<Option<Job>>,
    both: Mutex<Option<JobBoth>>,
}

#[get("/go")]
async fn go(ctx: Ctx, stage: &State<Stage>) -> Status {
    let job = stage.job.lock().take().expect("a job");
    job(ctx).await
}
#[get("/both")]
async fn both(user: Session<User>, cart: Session<Cart>, stage: &State<Stage>) -> Status {
    let job = stage.both.lock().take().expect("a job");
    job(Both { user, cart }).await
}
#[get("/cartfirst")]
async fn cartfirst(cart: Session<Cart>, user: Session<User>, stage: &State<Stage>) -> Status {
    let job = stage.both.lock().take().expect("a job");
    job(Both { user, cart }).await
}

struct App {
    client: Client,
    hook: Hook,
    clock: Clock,
}

fn figment() -> Figment {
    Figment::from(rocket::Config::default())
        .select("release")
        .merge(("log_level", std::env::var("TEST_LOG").unwrap_or("off".into())))
        .merge(("sessions.secret", KEY))
        .merge(("sessions.user.storage", "hook"))
        .merge(("sessions.cart.storage", "hook2"))
}

fn ktor_figment() -> Figment {
    figment()
        .merge(("sessions.user.format", "ktor"))
        .merge(("sessions.user.sign_key", KEY))
        .merge(("sessions.user.protect", "sign"))
}

async fn app(figment: Figment) -> App {
    app_with(figment, |rocket| rocket).await
}

async fn app_with(
    figment: Figment,
    more: impl FnOnce(rocket::Rocket<rocket::Build>) -> rocket::Rocket<rocket::Build>,
) -> App {
    let (hook, clock) = (Hook::new(), Clock::new());
    let fairing = Sessions::fairing()
        .storage("hook", hook.clone())
        .storage("hook2", hook.clone())
        .clock(&clock);
    let rocket = rocket::custom(figment)
        .attach(fairing)
        .manage(Stage::default())
        .mount("/", routes![go, both, cartfirst]);
    let client = Client::untracked(more(rocket)).await.expect("a valid configuration");
    App { client, hook, clock }
}

struct Answer {
    status: Status,
    cookies: Vec<String>,
    headers: Vec<(String, String)>,
}
impl Answer {
    fn of(response: &LocalResponse<'_>) -> Self {
        let headers = response
            .headers()
            .iter()
            .map(|h| (h.name().to_string(), h.value().to_string()))
            .collect::<Vec<_>>();
        let cookies = headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case("set-cookie"))
            .map(|(_, v)| v.clone())
            .collect();
        Self { status: response.status(), cookies, headers }
    }
    /// `name=value`
    fn token(&self, part: &str) -> Option<String> {
        let cookie = self.cookies.iter().find(|c| c.contains(part))?;
        Some(cookie.split(';').next()?.to_owned())
    }
    fn user(&self) -> String {
        self.token("user").expect("a token of user")
    }
    fn removed(&self) -> bool {
        self.cookies.iter().any(|c| c.contains("Max-Age=0"))
    }
}

impl App {
    async fn ask(&self, uri: &str, cookie: &str) -> Answer {
        let mut request = self.client.get(uri.to_owned());
        if !cookie.is_empty() {
            request.add_header(rocket::http::Header::new("Cookie", cookie.to_owned()));
        }
        Answer::of(&request.dispatch().await)
    }
    async fn go<F>(&self, cookie: &str, job: impl FnOnce(Ctx) -> F + Send + 'static) -> Answer
    where
        F: Future<Output = Status> + Send + 'static,
    {
        self.set_job(job);
        self.ask("/go", cookie).await
    }
    fn set_job<F>(&self, job: impl FnOnce(Ctx) -> F + Send + 'static)
    where
        F: Future<Output = Status> + Send + 'static,
    {
        let stage = self.client.rocket().state::<Stage>().unwrap();
        *stage.job.lock() = Some(Box::new(move |ctx| Box::pin(job(ctx))));
    }
    async fn both<F>(
        &self,
        uri: &str,
        cookie: &str,
        job: impl FnOnce(Both) -> F + Send + 'static,
    ) -> Answer
    where
        F: Future<Output = Status> + Send + 'static,
    {
        let stage = self.client.rocket().state::<Stage>().unwrap();
        *stage.both.lock() = Some(Box::new(move |ctx| Box::pin(job(ctx))));
        self.ask(uri, cookie).await
    }
    async fn login(&self, id: &str) -> String {
        let id = id.to_owned();
        self.go("", async move |ctx| {
            ctx.user.login(user(&id));
            Status::Ok
        })
        .await
        .user()
    }
    async fn value(&self, cookie: &str) -> Option<User> {
        let found = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&found);
        self.go(cookie, async move |ctx| {
            *slot.lock() = ctx.user.get().map(|u| User::clone(&u));
            Status::Ok
        })
        .await;
        found.lock().take()
    }
}

// ---------------------------------------------------------------- tests

/// A later change of another thread must not be committed twice.
#[tokio::test]
async fn updates_beside_saves_of_other_threads_count_once() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    const N: u32 = 40_000;
    let answer = app
        .go(&cookie, async move |ctx| {
            let other = ctx.user.clone();
            let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
            let flag = done.clone();
            let thread = std::thread::spawn(move || {
                for i in 0..N {
                    other.update(|u| u.count += 1);
                    if i % 16 == 0 {
                        std::thread::yield_now();
                    }
                }
                flag.store(true, std::sync::atomic::Ordering::SeqCst);
            });
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                ctx.user.save().await.unwrap();
            }
            thread.join().unwrap();
            Status::Ok
        })
        .await;
    assert_eq!(answer.status, Status::Ok);
    assert_eq!(app.value(&cookie).await.unwrap().count, N);
}

/// `clear(); set(); save()` fails after the end; `discard()` must not show the ended session.
#[tokio::test]
async fn a_session_that_a_failed_save_has_ended_does_not_come_back_by_discard() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.clear();
            ctx.user.set(user("bob"));
            hook.before(Op::Create, Act::Fail);
            assert!(ctx.user.save().await.is_err());
            assert_eq!(hook.live().await, 0, "ann's session has ended");
            ctx.user.discard();
            let shown = ctx.user.get();
            // what an unsuspecting application does next
            ctx.user.update(|u| u.count += 1);
            if shown.is_some() { Status::Conflict } else { Status::Ok }
        })
        .await;
    assert_eq!(
        app.hook.live().await,
        0,
        "the ended session came back as a new record; {:?}",
        answer.cookies
    );
    assert_eq!(answer.status, Status::Ok, "the value of the ended session was shown");
}

/// revoke_others after the response: TooLate before anything is written.
#[tokio::test]
async fn a_late_revoke_others_by_value_writes_nothing_if_its_own_token_cannot_go_out() {
    let app = app(figment()
        .merge(("sessions.user.storage", "client"))
        .merge(("sessions.user.revocation", "hook")))
    .await;
    let cookie = app.login("ann").await;
    let late = Arc::new(Mutex::new(None));
    let slot = late.clone();
    app.go(&cookie, async move |ctx| {
        *slot.lock() = Some((ctx.user, ctx.sessions));
        Status::Ok
    })
    .await;
    let (session, sessions) = late.lock().take().unwrap();
    let result = sessions.of::<User>().revoke_others(&session).await;
    assert!(matches!(result, Err(SessionError::TooLate)), "{result:?}");
    assert!(app.value(&cookie).await.is_some(), "the caller's own session was ended");
}

/// A hung save that is not polled any more must not hang the response.
#[tokio::test]
async fn a_save_that_nobody_polls_any_more_does_not_hang_the_response() {
    let app = app(figment().merge(("sessions.user.storage_timeout", "1 second"))).await;
    let cookie = app.login("ann").await;
    let kept = Arc::new(Mutex::new(None));
    let (slot, hook) = (kept.clone(), app.hook.clone());
    app.set_job(async move |ctx| {
        ctx.user.update(|u| u.count += 1);
        hook.before(Op::Update, Act::Hang);
        let session = ctx.user.clone();
        let mut save: BoxFuture<'static, Result<(), SessionError>> =
            Box::pin(async move { session.save().await });
        let _ = tokio::time::timeout(Duration::from_millis(20), &mut save).await;
        *slot.lock() = Some(save); // to be awaited in the response's stream, for example
        Status::Ok
    });
    let answer = tokio::time::timeout(Duration::from_secs(5), app.ask("/go", &cookie)).await;
    assert!(answer.is_ok(), "the response never comes");
}

/// `select!` on `&mut save`, then another call of the same handler.
#[tokio::test]
async fn a_refresh_beside_an_unfinished_save_ends_within_the_timeout() {
    let app = app(figment().merge(("sessions.user.storage_timeout", "1 second"))).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    app.set_job(async move |ctx| {
        ctx.user.update(|u| u.count += 1);
        hook.before(Op::Update, Act::Hang);
        let mut save = std::pin::pin!(ctx.user.save());
        tokio::select! {
            _ = &mut save => {}
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        let _ = ctx.user.refresh().await;
        Status::Ok
    });
    let answer = tokio::time::timeout(Duration::from_secs(5), app.ask("/go", &cookie)).await;
    assert!(answer.is_ok(), "the response never comes");
}

/// `set` of a value with an owner begins an authenticated session, wherever it is.
async fn authenticated_after_set(storage: &str) -> (bool, bool) {
    let app = app(figment().merge(("sessions.user.storage", storage))).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let slot = seen.clone();
    let cookie = app
        .go("", async move |ctx| {
            ctx.user.set(user("ann"));
            slot.lock().push(ctx.user.authenticated_at().is_some());
            Status::Ok
        })
        .await
        .user();
    let slot = seen.clone();
    app.go(&cookie, async move |ctx| {
        slot.lock().push(ctx.user.authenticated_at().is_some());
        Status::Ok
    })
    .await;
    let seen = seen.lock();
    (seen[0], seen[1])
}
#[tokio::test]
async fn a_session_that_begins_by_set_with_an_owner_is_authenticated_in_the_next_request_too() {
    assert_eq!(authenticated_after_set("hook").await, (true, true), "server");
    assert_eq!(authenticated_after_set("client").await, (true, true), "client");
}

/// id() while the login's save is under way is the committed id.
#[tokio::test]
async fn the_id_that_is_told_during_a_save_is_the_one_that_is_committed() {
    let app = app(figment()).await;
    let hook = app.hook.clone();
    let answer = app
        .go("", async move |ctx| {
            ctx.user.login(user("ann"));
            let (session, slot) = (ctx.user.clone(), Arc::new(Mutex::new(None)));
            let told = slot.clone();
            hook.before(Op::Create, Act::Run(Box::new(move || *told.lock() = session.id())));
            ctx.user.save().await.unwrap();
            if *slot.lock() == ctx.user.id() { Status::Ok } else { Status::Conflict }
        })
        .await;
    assert_eq!(answer.status, Status::Ok);
}
#[tokio::test]
async fn the_csrf_token_that_is_told_during_a_save_is_the_sessions() {
    let app = app(figment()).await;
    let hook = app.hook.clone();
    let answer = app
        .go("", async move |ctx| {
            ctx.user.login(user("ann"));
            let (session, slot) = (ctx.user.clone(), Arc::new(Mutex::new(String::new())));
            let told = slot.clone();
            hook.before(
                Op::Generation,
                Act::Run(Box::new(move || {
                    *told.lock() = session.csrf_token().unwrap().unwrap().to_string()
                })),
            );
            ctx.user.save().await.unwrap();
            let now = ctx.user.csrf_token().unwrap().unwrap();
            if now.verify(&slot.lock()).is_ok() { Status::Ok } else { Status::Conflict }
        })
        .await;
    assert_eq!(answer.status, Status::Ok);
}

/// A login's changes dropped by a discard or a 5xx before anything is written.
#[tokio::test]
async fn a_login_that_was_discarded_before_its_record_was_written_leaves_none() {
    let app = app(figment()).await;
    let hook = app.hook.clone();
    let answer = app
        .go("", async move |ctx| {
            ctx.user.login(user("ann"));
            let session = ctx.user.clone();
            hook.after(Op::Generation, Act::Run(Box::new(move || session.discard())));
            let _ = ctx.user.save().await;
            Status::Ok
        })
        .await;
    assert_eq!((app.hook.live().await, answer.cookies), (0, vec![]));
}
#[tokio::test]
async fn a_tasks_login_whose_request_failed_before_its_record_was_written_leaves_none() {
    let app = app(figment()).await;
    let hook = app.hook.clone();
    let answer = app
        .go("", async move |ctx| {
            ctx.user.login(user("ann"));
            let session = ctx.user.clone();
            hook.before(
                Op::Generation,
                Act::Do(Box::pin(tokio::time::sleep(Duration::from_millis(100)))),
            );
            rocket::tokio::spawn(async move {
                let _ = session.save().await;
            });
            rocket::tokio::time::sleep(Duration::from_millis(20)).await;
            Status::InternalServerError
        })
        .await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!((app.hook.live().await, answer.cookies), (0, vec![]));
}

/// update_now says what was committed.
#[tokio::test]
async fn update_now_whose_change_was_discarded_does_not_say_that_it_counted() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    let said = Arc::new(Mutex::new(None));
    let slot = said.clone();
    app.go(&cookie, async move |ctx| {
        // another request writes meanwhile: a conflict, and then a discard
        let key = hook.0.keys.lock()[0].clone();
        let (memory, session) = (hook.0.memory.clone(), ctx.user.clone());
        hook.before(
            Op::Update,
            Act::Do(Box::pin(async move {
                let now = Timestamp::from(std::time::SystemTime::now());
                let stored = memory.read(&key, now).await.unwrap().unwrap();
                let next = Record { version: Version(!stored.version.0), ..stored.clone() };
                memory.update(&key, stored.version, next, now).await.unwrap();
                session.discard();
            })),
        );
        *slot.lock() = Some(
            ctx.user
                .update_now(|u| {
                    u.count += 1;
                    u.count
                })
                .await
                .map_err(|e| e.to_string()),
        );
        Status::Ok
    })
    .await;
    let count = app.value(&cookie).await.unwrap().count;
    assert_eq!(count, 0);
    let said = said.lock().take().unwrap();
    assert!(!matches!(said, Ok(Some(1))), "said {said:?}, committed {count}");
}

// --- tokens

/// The touch finds that the session has ended: nothing goes out.
#[tokio::test]
async fn a_touch_of_a_session_that_has_ended_meanwhile_sends_no_token() {
    let app = app(figment()
        .merge(("sessions.user.cookie.max_age", "10 days"))
        .merge(("sessions.user.touch_after", "1 minute")))
    .await;
    let cookie = app.login("ann").await;
    app.clock.advance(Duration::from_secs(3600));
    let hook = app.hook.clone();
    let answer = app
        .go(&cookie, async move |_| {
            // the user logs out in another tab
            let key = hook.0.keys.lock()[0].clone();
            hook.0.memory.invalidate(&key, None, None).await.unwrap();
            Status::Ok
        })
        .await;
    assert_eq!(answer.cookies, Vec::<String>::new(), "a token of an ended session was sent");
}
/// The same with a renewal by another request: the old id must not overwrite the new one.
#[tokio::test]
async fn a_touch_beside_another_requests_renewal_does_not_send_the_old_id() {
    let app = Arc::new(
        app(figment()
            .merge(("sessions.user.cookie.max_age", "10 days"))
            .merge(("sessions.user.touch_after", "1 minute")))
        .await,
    );
    let cookie = app.login("ann").await;
    app.clock.advance(Duration::from_secs(3600));
    let (slow, slow_cookie) = (app.clone(), cookie.clone());
    let (loaded, go) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (l, g) = (loaded.clone(), go.clone());
    app.set_job(async move |_| {
        l.notify_one();
        g.notified().await;
        Status::Ok
    });
    let late = rocket::tokio::spawn(async move { slow.ask("/go", &slow_cookie).await });
    loaded.notified().await;
    let renewed = app
        .go(&cookie, async move |ctx| {
            ctx.user.renew();
            Status::Ok
        })
        .await
        .user();
    assert_ne!(renewed, cookie);
    go.notify_one();
    let late = late.await.unwrap();
    // the browser holds what came last
    let holds = late.token("user").unwrap_or(renewed);
    assert!(app.value(&holds).await.is_some(), "the late answer logged the user out");
}
/// The same for a key that is rotated: no storage is asked at all.
#[tokio::test]
async fn a_resealed_token_of_a_session_that_has_ended_meanwhile_is_not_sent() {
    let old = app(figment()).await;
    let cookie = old.login("ann").await;
    let hook = old.hook.clone();
    let clock = Clock::new();
    let fairing = Sessions::fairing()
        .storage("hook", hook.clone())
        .storage("hook2", hook.clone())
        .clock(&clock);
    let figment = figment().merge(("sessions.secret", vec![OTHER, KEY]));
    let rocket =
        rocket::custom(figment).attach(fairing).manage(Stage::default()).mount("/", routes![go]);
    let client = Client::untracked(rocket).await.unwrap();
    let app = App { client, hook: hook.clone(), clock };
    let answer = app
        .go(&cookie, async move |ctx| {
            assert!(ctx.user.get().is_some());
            let key = hook.0.keys.lock()[0].clone();
            hook.0.memory.invalidate(&key, None, None).await.unwrap();
            Status::Ok
        })
        .await;
    assert_eq!(answer.cookies, Vec::<String>::new(), "a token of an ended session was sent");
}

fn behind(rocket: rocket::Rocket<rocket::Build>) -> rocket::Rocket<rocket::Build> {
    rocket.attach(AdHoc::on_response("behind", |request, _| {
        Box::pin(async move {
            if let Some(cart) = request.guard::<Session<Cart>>().await.succeeded() {
                cart.set(Cart { items: vec!["last page".into()] });
            }
        })
    }))
}

/// A renewed id that the first turn sent survives a failure in the last turn.
#[tokio::test]
async fn a_renewed_id_goes_out_although_a_session_of_a_fairing_behind_fails() {
    let app = app_with(figment(), behind).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.renew();
            hook.before(Op::Create, Act::Fail); // the cart's
            Status::Ok
        })
        .await;
    assert_eq!(answer.status, Status::ServiceUnavailable);
    let holds = answer.token("user").unwrap_or(cookie);
    assert!(
        app.value(&holds).await.is_some(),
        "old and new id are both lost: {:?}",
        answer.cookies
    );
}
/// A removal that the first turn sent survives it, too.
#[tokio::test]
async fn a_removal_goes_out_although_a_session_of_a_fairing_behind_fails() {
    let app = app_with(figment().merge(("sessions.user.storage", "client")), behind).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.clear();
            hook.before(Op::Create, Act::Fail); // the cart's
            Status::Ok
        })
        .await;
    assert_eq!(answer.status, Status::ServiceUnavailable);
    assert!(answer.removed(), "the logout is lost, and the token lives: {:?}", answer.headers);
}

/// A touch that failed is not tried again by the same request.
#[tokio::test]
async fn a_failing_touch_is_tried_once_a_request() {
    let app = app(figment().merge(("sessions.user.touch_after", "1 minute"))).await;
    let cookie = app.login("ann").await;
    app.clock.advance(Duration::from_secs(3600));
    let hook = app.hook.clone();
    app.go(&cookie, async move |_| {
        for _ in 0..4 {
            hook.before(Op::Touch, Act::Fail);
        }
        Status::Ok
    })
    .await;
    assert_eq!(app.hook.calls(Op::Touch), 1);
}
/// ... and a hanging one costs one timeout.
#[tokio::test]
async fn a_hanging_touch_costs_one_timeout() {
    let app = app(figment()
        .merge(("sessions.user.touch_after", "1 minute"))
        .merge(("sessions.user.cookie.max_age", "10 days"))
        .merge(("sessions.user.storage_timeout", "1 second")))
    .await;
    let cookie = app.login("ann").await;
    app.clock.advance(Duration::from_secs(3600));
    let hook = app.hook.clone();
    let started = std::time::Instant::now();
    app.go(&cookie, async move |_| {
        for _ in 0..4 {
            hook.before(Op::Touch, Act::Hang);
        }
        Status::Ok
    })
    .await;
    assert!(started.elapsed() < Duration::from_millis(1500), "{:?}", started.elapsed());
}

/// join!(save, revoke): the ended session's token is not sent.
#[tokio::test]
async fn a_session_that_this_request_revokes_during_its_own_save_sends_no_token() {
    let app = app(figment()).await;
    let hook = app.hook.clone();
    let answer = app
        .go("", async move |ctx| {
            ctx.user.login(user("ann"));
            ctx.user.save().await.unwrap();
            ctx.user.renew();
            hook.after(
                Op::Update,
                Act::Do(Box::pin(tokio::time::sleep(Duration::from_millis(50)))),
            );
            let (_, revoked) = tokio::join!(ctx.user.save(), async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                ctx.sessions.of::<User>().revoke_owner("ann").await
            });
            assert_eq!(revoked.unwrap(), 1);
            if ctx.user.get().is_some() { Status::Conflict } else { Status::Ok }
        })
        .await;
    assert_eq!(app.hook.live().await, 0);
    assert_eq!(answer.cookies, Vec::<String>::new(), "the token of an ended session went out");
    assert_eq!(answer.status, Status::Ok, "the ended session is shown");
}
/// join!(refresh, revoke)
#[tokio::test]
async fn a_session_that_this_request_revokes_during_its_own_refresh_is_over() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    let answer = app
        .go(&cookie, async move |ctx| {
            hook.after(Op::Read, Act::Do(Box::pin(tokio::time::sleep(Duration::from_millis(50)))));
            let (_, revoked) = tokio::join!(ctx.user.refresh(), async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                ctx.sessions.of::<User>().revoke_owner("ann").await
            });
            assert_eq!(revoked.unwrap(), 1);
            if ctx.user.get().is_some() { Status::Conflict } else { Status::Ok }
        })
        .await;
    assert_eq!(answer.status, Status::Ok, "the ended session is shown");
    assert!(answer.removed());
}

/// A lifetime, whose save fails, then a login meanwhile: it is the same request's.
#[tokio::test]
async fn a_login_during_a_failing_save_of_a_lifetime_has_it() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    let (hook, said) = (app.hook.clone(), Arc::new(Mutex::new(None)));
    let slot = said.clone();
    app.go(&cookie, async move |ctx| {
        ctx.user.set_lifetime(Lifetime::Idle(Duration::from_secs(60))).unwrap();
        let session = ctx.user.clone();
        hook.before(Op::Update, Act::Run(Box::new(move || session.login(user("ann")))));
        hook.after(Op::Update, Act::Fail);
        let _ = ctx.user.save().await;
        let now = std::time::SystemTime::now();
        *slot.lock() = ctx.user.expires_at().map(|at| at.duration_since(now).unwrap());
        Status::Ok
    })
    .await;
    let said = said.lock().take().unwrap();
    assert!(said <= Duration::from_secs(66), "the login has the configured time: {said:?}");
}

/// Every entry is freed, and routes without sessions cost nothing again.
#[tokio::test]
async fn everything_is_freed_after_a_request() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    let probe = Arc::new(());
    for status in [Status::Ok, Status::InternalServerError, Status::NotFound] {
        let held = probe.clone();
        app.go(&cookie, async move |ctx| {
            let own = ctx.user.clone();
            ctx.user.update(move |u| {
                let _ = (&held, own.get());
                u.count += 1
            });
            status
        })
        .await;
        assert_eq!(Arc::strong_count(&probe), 1, "{status}");
    }
}

/// An unfinished save that somebody keeps must not stop the session's other requests.
#[tokio::test]
async fn a_save_that_nobody_polls_any_more_does_not_stop_other_requests() {
    let app = app(figment().merge(("sessions.user.storage_timeout", "1 second"))).await;
    let cookie = app.login("ann").await;
    let kept = Arc::new(Mutex::new(None));
    let (slot, hook, ended) =
        (kept.clone(), app.hook.clone(), Arc::new(tokio::sync::Notify::new()));
    let job = async move |ctx: Ctx| {
        ctx.user.update(|u| u.count += 1);
        hook.before(Op::Update, Act::Hang);
        let session = ctx.user.clone();
        let mut save: BoxFuture<'static, Result<(), SessionError>> =
            Box::pin(async move { session.save().await });
        let _ = tokio::time::timeout(Duration::from_millis(20), &mut save).await;
        *slot.lock() = Some(save);
        ended.notified().await;
        Status::Ok
    };
    app.set_job(job);
    let _ = tokio::time::timeout(Duration::from_millis(200), app.ask("/go", &cookie)).await;
    tokio::time::sleep(Duration::from_secs(3)).await; // much longer than the storage may take
    let other = app
        .go(&cookie, async move |ctx| {
            ctx.user.update(|u| u.count += 1);
            Status::Ok
        })
        .await;
    assert_eq!(other.status, Status::Ok, "every write of this session is 503");
}

/// A logout beside another session that cannot be saved.
async fn clear_beside(uri: &str, too_large: bool, user_in: &str) -> (bool, bool) {
    let figment = figment().merge(("sessions.user.storage", user_in));
    let figment =
        if too_large { figment.merge(("sessions.cart.storage", "client")) } else { figment };
    let app = app(figment).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    let answer = app
        .both(uri, &cookie, async move |both| {
            both.user.clear();
            both.cart.set(Cart { items: vec!["x".repeat(if too_large { 10_000 } else { 1 })] });
            if !too_large {
                hook.before(Op::Create, Act::Fail);
            }
            Status::Ok
        })
        .await;
    assert!(answer.status.code >= 500);
    let ended = app.value(&cookie).await.is_none();
    (ended, answer.removed())
}
#[tokio::test]
async fn a_logout_holds_although_another_session_of_the_request_is_too_large() {
    assert_eq!(clear_beside("/both", true, "hook").await, (true, true));
}
#[tokio::test]
async fn a_logout_holds_although_another_session_of_the_request_fails_before_it() {
    assert_eq!(clear_beside("/both", false, "hook").await, (true, true), "the logout first");
    assert_eq!(clear_beside("/cartfirst", false, "hook").await, (true, true), "the other first");
}
#[tokio::test]
async fn a_client_logout_holds_although_another_session_of_the_request_fails_before_it() {
    assert!(clear_beside("/both", false, "client").await.1, "the logout first");
    assert!(clear_beside("/cartfirst", false, "client").await.1, "the other first");
}

type Seen = Arc<Mutex<Option<Option<String>>>>;
#[rocket::catch(503)]
async fn catch_user(request: &Request<'_>) -> &'static str {
    let session = request.guard::<Session<User>>().await.succeeded().unwrap();
    *request.rocket().state::<Seen>().unwrap().lock() = Some(session.get().map(|u| u.id.clone()));
    "sorry"
}
/// The page of a failed login must not show the login.
#[tokio::test]
async fn the_503_catcher_does_not_see_a_client_login_that_never_goes_out() {
    let seen = Seen::default();
    let state = seen.clone();
    let app = app_with(figment().merge(("sessions.user.storage", "client")), |rocket| {
        rocket.manage(state).register("/", rocket::catchers![catch_user])
    })
    .await;
    let hook = app.hook.clone();
    let answer = app
        .both("/both", "", async move |both| {
            both.user.login(user("ann"));
            both.cart.set(Cart { items: vec![] });
            hook.before(Op::Create, Act::Fail);
            Status::Ok
        })
        .await;
    assert_eq!((answer.status, answer.token("user")), (Status::ServiceUnavailable, None));
    assert_eq!(*seen.lock(), Some(None), "the catcher sees a login of which nothing goes out");
}
/// Nor a session that the request has ended.
#[tokio::test]
async fn the_503_catcher_does_not_see_a_session_that_was_cleared_before_the_next_could_not_be_created()
 {
    let seen = Seen::default();
    let state = seen.clone();
    let app = app_with(figment(), |rocket| {
        rocket.manage(state).register("/", rocket::catchers![catch_user])
    })
    .await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.clear();
            ctx.user.login(user("bob"));
            hook.before(Op::Create, Act::Fail);
            Status::Ok
        })
        .await;
    assert_eq!(
        (answer.status, answer.removed(), app.hook.live().await),
        (Status::ServiceUnavailable, true, 0)
    );
    assert_eq!(*seen.lock(), Some(None), "the catcher sees the ended session");
}

/// Ktor's files beside an index of owners.
#[tokio::test]
async fn sessions_with_an_owner_work_in_ktors_format_in_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(ktor_figment()
        .merge(("sessions.user.storage.type", "directory"))
        .merge(("sessions.user.storage.path", folder.path().to_str().unwrap())))
    .await;
    let answer = app
        .go("", async move |ctx| {
            ctx.user.login(user("ann"));
            Status::Ok
        })
        .await;
    assert_eq!(answer.status, Status::Ok);
    let cookie = answer.user();
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.update(|u| u.count += 1);
            Status::Ok
        })
        .await;
    assert_eq!(answer.status, Status::Ok);
    assert_eq!(app.value(&cookie).await.map(|u| u.count), Some(1));
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.login(user("bob"));
            Status::Ok
        })
        .await;
    assert_eq!(answer.status, Status::Ok);
    assert!(app.value(&answer.user()).await.is_some() && app.value(&cookie).await.is_none());
}

/// Stress: save() is Ok only if its token goes out.
#[tokio::test]
async fn a_renewal_that_a_task_saved_with_ok_always_reaches_the_client() {
    let app = app(figment()).await;
    let mut cookie = app.login("ann").await;
    let mut lost = 0;
    for turn in 0..6000u32 {
        let (send, receive) = std::sync::mpsc::channel();
        let answer = app
            .go(&cookie, async move |ctx| {
                let session = ctx.user;
                let handle = tokio::runtime::Handle::current();
                let barrier = Arc::new(std::sync::Barrier::new(2));
                let other = barrier.clone();
                std::thread::spawn(move || {
                    other.wait();
                    for _ in 0..(turn % 200) * 40 {
                        std::hint::black_box(0);
                    }
                    session.renew();
                    let saved = handle.block_on(session.save());
                    let id = session.id();
                    if saved.is_err() {
                        session.discard();
                    }
                    let _ = send.send((saved, id));
                });
                barrier.wait();
                Status::Ok
            })
            .await;
        let (saved, _) = receive.recv().unwrap();
        match answer.token("user") {
            Some(token) => cookie = token,
            None if saved.is_ok() => {
                lost += 1;
                cookie = app.login("ann").await;
            }
            None => {}
        }
    }
    assert_eq!(lost, 0, "save() said Ok and the token never went out");
}

/// What login_with made of a session that this request then revoked.
#[tokio::test]
async fn a_login_with_over_a_session_that_the_request_revokes_keeps_nothing_of_it() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    app.go(&cookie, async move |ctx| {
        ctx.user.update(|u| u.count = 5);
        Status::Ok
    })
    .await;
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.login_with(|former| User {
                id: "ann".into(),
                count: former.map_or(0, |u| u.count),
            });
            ctx.sessions.of::<User>().revoke_owner("ann").await.unwrap();
            Status::Ok
        })
        .await;
    assert_eq!(app.value(&answer.user()).await.map(|u| u.count), Some(0));
}

/// A storage or a transformer that panics in the commit.
#[tokio::test]
async fn a_storage_that_panics_in_the_commit_is_a_5xx_and_the_session_goes_on() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.update(|u| u.count += 1);
            hook.before(Op::Update, Act::Run(Box::new(|| panic!("storage"))));
            Status::Ok
        })
        .await;
    assert!(answer.status.code >= 500);
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.update(|u| u.count += 1);
            Status::Ok
        })
        .await;
    assert_eq!((answer.status, app.value(&cookie).await.unwrap().count), (Status::Ok, 1));
}

#[tokio::test]
async fn two_updates_and_a_5xx_count_nothing_and_a_4xx_counts() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    for (status, expected) in [(Status::InternalServerError, 0), (Status::NotFound, 2)] {
        app.go(&cookie, async move |ctx| {
            ctx.user.update(|u| u.count += 1);
            ctx.user.update(|u| u.count += 1);
            status
        })
        .await;
        assert_eq!(app.value(&cookie).await.unwrap().count, expected, "{status}");
    }
}

/// Dropped saves at every await point of a count: never more than the tries, and one session.
#[tokio::test]
async fn a_dropped_save_before_its_write_counts_once() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    app.go(&cookie, async move |ctx| {
        for _ in 0..5 {
            ctx.user.update(|u| u.count += 1);
            hook.before(Op::Update, Act::Hang);
            let _ = tokio::time::timeout(Duration::from_millis(5), ctx.user.save()).await;
        }
        Status::Ok
    })
    .await;
    assert_eq!(app.value(&cookie).await.unwrap().count, 5);
}

/// refresh() of a session by value notices that its time is over, as by id.
async fn refresh_after_expiry(storage: &str) -> (bool, bool) {
    let app = app(figment().merge(("sessions.user.storage", storage))).await;
    let cookie = app.login("ann").await;
    let kept = Arc::new(Mutex::new(None));
    let slot = kept.clone();
    app.go(&cookie, async move |ctx| {
        *slot.lock() = Some(ctx.user);
        Status::Ok
    })
    .await;
    let session = kept.lock().take().unwrap();
    app.clock.advance(Duration::from_secs(400 * 86_400));
    (session.refresh().await.unwrap().is_none(), app.value(&cookie).await.is_none())
}
#[tokio::test]
async fn a_refresh_notices_that_the_sessions_time_is_over() {
    assert_eq!(refresh_after_expiry("hook").await, (true, true), "server");
    assert_eq!(refresh_after_expiry("client").await, (true, true), "client");
}

#[rocket::catch(503)]
async fn catch_and_clear(request: &Request<'_>) -> &'static str {
    request.guard::<Session<User>>().await.succeeded().unwrap().clear();
    "sorry"
}
/// The catcher of a failure at the last turn logs out.
#[tokio::test]
async fn a_clear_in_the_503_catcher_holds_at_either_turn() {
    for last in [false, true] {
        let app = app_with(figment(), |rocket| {
            let rocket = if last { behind(rocket) } else { rocket };
            rocket.register("/", rocket::catchers![catch_and_clear])
        })
        .await;
        let cookie = app.login("ann").await;
        let hook = app.hook.clone();
        let answer = app
            .both("/both", &cookie, async move |both| {
                if !last {
                    both.cart.set(Cart { items: vec![] });
                }
                hook.before(Op::Create, Act::Fail);
                Status::Ok
            })
            .await;
        assert_eq!(answer.status, Status::ServiceUnavailable);
        assert!(app.value(&cookie).await.is_none() && answer.removed(), "last turn: {last}");
    }
}

/// A transport that panics at the last turn.
struct Panics;
impl rocket_typed_sessions::transport::SessionTransport for Panics {
    fn receive<'r>(&self, _: &'r Request<'_>, _: &str) -> Vec<Cow<'r, str>> {
        Vec::new()
    }
    fn send(
        &self,
        _: &mut rocket::Response<'_>,
        _: &str,
        _: rocket_typed_sessions::transport::Outgoing<'_>,
    ) {
        panic!("send")
    }
    fn clear(&self, _: &mut rocket::Response<'_>, _: &str) {
        panic!("clear")
    }
    fn vary<'a>(&self, _: &'a str) -> Option<&'a str> {
        panic!("vary")
    }
}
#[tokio::test]
async fn a_transport_that_panics_at_the_last_turn_costs_no_other_session_its_token() {
    let (hook, clock) = (Hook::new(), Clock::new());
    let fairing = Sessions::fairing()
        .storage("hook", hook.clone())
        .storage("hook2", hook.clone())
        .clock(&clock)
        .transport("panics", Panics);
    let rocket = rocket::custom(figment().merge(("sessions.cart.transport", "panics")))
        .attach(fairing)
        .manage(Stage::default())
        .mount("/", routes![go]);
    let client = Client::untracked(behind(rocket)).await.unwrap();
    let app = App { client, hook, clock };
    let answer = app
        .go("", async move |ctx| {
            ctx.user.login(user("ann"));
            Status::Ok
        })
        .await;
    assert!(answer.token("user").is_some(), "{} {:?}", answer.status, answer.cookies);
}

/// Two saves of one request, of which the first hangs: the second fails at its own deadline, not later.
#[tokio::test]
async fn concurrent_update_nows_of_one_request_count_once_each() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    let answer = app
        .go(&cookie, async move |ctx| {
            let mut all = Vec::new();
            for _ in 0..20 {
                let session = ctx.user.clone();
                all.push(rocket::tokio::spawn(async move {
                    session
                        .update_now(|u| {
                            u.count += 1;
                            u.count
                        })
                        .await
                        .unwrap()
                        .unwrap()
                }));
            }
            let mut got = Vec::new();
            for one in all {
                got.push(one.await.unwrap());
            }
            got.sort_unstable();
            if got == (1..=20).collect::<Vec<_>>() { Status::Ok } else { Status::Conflict }
        })
        .await;
    assert_eq!((answer.status, app.value(&cookie).await.unwrap().count), (Status::Ok, 20));
}
