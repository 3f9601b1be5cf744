//! The application that is driven.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rocket::data::{IoHandler, IoStream};
use rocket::fairing::AdHoc;
use rocket::figment::Figment;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::response::{Redirect, Responder, Response, Result as ResponseResult};
use rocket::{Request, State, get, routes};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Lifetime, Session, SessionError, Sessions};

use crate::run::{Run, is_watched};
use crate::scenario::{Call, Fault, Limit, Outcome, Own, Place, Settings, Step};
use crate::shared::KEY;
pub use crate::shared::User;
use crate::storage::{Hooked, Intercepted};
use crate::trace::{Answer, Failure, StepTrace, Value};
use crate::world::{World, value_of};

/// Seconds.
pub const IDLE: u64 = 100;
pub const ABSOLUTE: u64 = 250;
pub const TOUCH_AFTER: u64 = 10;
/// An id is renewed after that, where ids are renewed.
pub const RENEW_AFTER: u64 = 15;
/// So long the id before opens the session when the next one is shown.
pub const GRACE: u64 = 20;
/// So long a session says that a login has replaced it.
pub const REPLACED: u64 = 120;

/// The header that tells a test that the response would upgrade.
pub const UPGRADES: &str = "X-Upgrades";
const PROTOCOL: &str = "driver";

/// The definition as it would stand in Rocket.toml.
pub fn figment(settings: Settings) -> Figment {
    let figment = Figment::from(rocket::Config::default())
        .select("release")
        .merge(("log_level", std::env::var("TEST_LOG").unwrap_or("off".into())))
        .merge(("sessions.secret", KEY))
        .merge(("sessions.user.storage_timeout", "30 seconds"))
        .merge(("sessions.user.idle_timeout", IDLE))
        .merge(("sessions.user.absolute_timeout", ABSOLUTE))
        .merge(("sessions.user.touch_after", TOUCH_AFTER));
    let figment = match settings.place {
        Place::Client => figment.merge(("sessions.user.storage", "client")),
        Place::Revocable => figment
            .merge(("sessions.user.storage", "client"))
            .merge(("sessions.user.revocation", "hooked")),
        Place::Memory | Place::Directory => figment.merge(("sessions.user.storage", "hooked")),
    };
    let figment = if settings.renews {
        figment
            .merge(("sessions.user.renew_after", RENEW_AFTER))
            .merge(("sessions.user.renewal_grace", GRACE))
    } else {
        figment
    };
    let policy = match settings.limit {
        Limit::None => return figment,
        Limit::EndOldest => "end-oldest",
        Limit::Refuse => "refuse",
    };
    figment
        .merge(("sessions.user.max_sessions_per_owner", 2))
        .merge(("sessions.user.owner_limit_policy", policy))
}

pub async fn node(
    settings: Settings,
    storage: Hooked,
    clock: &Clock,
    stage: &Arc<Stage>,
) -> Client {
    let fairing = Sessions::fairing().storage("hooked", Intercepted(storage)).clock(clock);
    let tell = AdHoc::on_response("tells of upgrades", |_, response| {
        Box::pin(async move {
            if response.upgrade(PROTOCOL).is_some() {
                response.set_raw_header(UPGRADES, "yes");
            }
        })
    });
    let rocket = rocket::custom(figment(settings))
        .attach(fairing)
        .attach(tell)
        .manage(Arc::clone(stage))
        .mount("/", routes![drive]);
    Client::untracked(rocket).await.expect("a valid configuration")
}

/// The requests under way, by number.
#[derive(Default)]
pub struct Stage(Mutex<HashMap<usize, Arc<Run>>>);

impl Stage {
    pub fn enter(&self, number: usize, run: &Arc<Run>) {
        self.0.lock().insert(number, Arc::clone(run));
    }

    pub fn leave(&self, number: usize) {
        self.0.lock().remove(&number);
    }
}

#[get("/<number>")]
async fn drive(session: Session<User>, number: usize, stage: &State<Arc<Stage>>) -> Reply {
    let run = stage.0.lock().get(&number).map(Arc::clone).expect("a run");
    let loading = run.nested().await;
    run.plan(&[], Fault::None, None);
    *run.session.lock() = Some(session.clone());
    {
        let mut trace = run.trace.lock();
        trace.loading = loading;
        trace.first = Some(run.world.seen(&session));
    }
    let mut failure = None;
    for (at, step) in run.scenario.steps.iter().enumerate() {
        perform(&run, &session, at, step, &mut failure).await;
    }
    let outcome = run.scenario.outcome;
    let dropped = match outcome {
        Outcome::DroppedAt(operation, edge) => Some((operation, edge)),
        _ => None,
    };
    run.plan(&run.scenario.committing, run.scenario.fault, dropped);
    match outcome {
        Outcome::Ok | Outcome::DroppedAt(..) => Reply::Status(Status::Ok),
        Outcome::Redirect => Reply::Redirect(Box::new(Redirect::to("/elsewhere"))),
        Outcome::NotFound => Reply::Status(Status::NotFound),
        Outcome::Failed => Reply::Status(Status::InternalServerError),
        Outcome::Panic => panic!("{PANIC}"),
        Outcome::Upgrade => Reply::Upgrade,
        Outcome::Question => failure.map_or(Reply::Status(Status::Ok), Reply::Error),
        Outcome::Dropped => {
            run.gone.notify_one();
            std::future::pending().await
        }
    }
}

/// What a handler that panics says.
pub const PANIC: &str = "the driver's handler panics";

async fn perform(
    run: &Arc<Run>,
    session: &Session<User>,
    at: usize,
    step: &Step,
    failure: &mut Option<SessionError>,
) {
    let before = match step.before {
        Some(what) => Some(run.meanwhile(what).await),
        None => None,
    };
    run.plan(&step.during, step.fault, None);
    let count = count_of(run.salt, at);
    let (call, world) = (step.call, &run.world);
    let done = if step.spawned {
        let (world, session) = (Arc::clone(world), session.clone());
        tokio::spawn(async move { self::call(&world, &session, call, count).await })
            .await
            .expect("the task ends")
    } else {
        self::call(world, session, call, count).await
    };
    let during = run.nested().await;
    if is_watched() {
        world.storage.calm();
    }
    let answer = done.unwrap_or_else(|cause| {
        let answer = Answer::Failed(failure_of(&cause));
        *failure = Some(cause);
        answer
    });
    let seen = world.seen(session);
    run.trace.lock().steps.push(StepTrace { before, during, answer, seen });
}

/// The count that the call of this number sets, if it sets one.
pub fn count_of(salt: u32, at: usize) -> u32 {
    salt + 10 * u32::try_from(at + 1).expect("few calls")
}

/// The seconds of the lifetime that the call with this count gives. A tenth of them
/// is whole.
pub fn seconds_of(count: u32) -> u64 {
    20 + 10 * (u64::from(count % 1000) / 10 % 14)
}

/// The lifetime that this call gives.
fn lifetime_of(own: Own, count: u32, clock: &Clock) -> Lifetime {
    let seconds = Duration::from_secs(seconds_of(count));
    match own {
        Own::Configured => Lifetime::Configured,
        Own::Idle => Lifetime::Idle(seconds),
        Own::Until => Lifetime::Until(clock.now().after(seconds).to_system_time().expect("a time")),
        Own::Browser => Lifetime::BrowserSession,
    }
}

fn failure_of(cause: &SessionError) -> Failure {
    match cause {
        SessionError::Storage(_) => Failure::Storage,
        SessionError::Ended => Failure::Ended,
        SessionError::LimitReached => Failure::LimitReached,
        SessionError::TooLate => Failure::TooLate,
        _ => Failure::Other,
    }
}

async fn call(
    world: &World,
    session: &Session<User>,
    call: Call,
    count: u32,
) -> Result<Answer, SessionError> {
    let value = |user: Option<Arc<User>>| Answer::Value(user.map(|user| value_of(&user)));
    let add = |user: &mut User| {
        user.count += 1;
        user.count
    };
    match call {
        Call::UpdateNow => session.update_now(add).await.map(Answer::Count),
        Call::Refresh => session.refresh().await.map(value),
        Call::Save => session.save().await.map(|()| Answer::Nothing),
        call => Ok(plain_call(world, session, call, count)),
    }
}

/// A call that does not wait.
pub fn plain_call(world: &World, session: &Session<User>, call: Call, count: u32) -> Answer {
    let user = |owner| world.user(Value { owner, count });
    let value = |user: Option<Arc<User>>| Answer::Value(user.map(|user| value_of(&user)));
    match call {
        Call::GetOrInsert => {
            let inserted = session.get_or_insert_with(|| user(crate::scenario::Owner::Ann));
            return value(Some(inserted));
        }
        Call::Update => return value(session.update(|user| user.count += 1)),
        Call::Set(owner) => session.set(user(owner)),
        Call::Login(owner) => session.login(user(owner)),
        Call::Clear => session.clear(),
        Call::Discard => session.discard(),
        Call::Renew => session.renew(),
        Call::SetLifetime(own) => {
            let lifetime = lifetime_of(own, count, &world.clock);
            session.set_lifetime(lifetime).expect("some time");
        }
        Call::Touch => session.touch(),
        Call::SkipTouch => session.skip_touch(),
        Call::Get | Call::UpdateNow | Call::Refresh | Call::Save => {}
    }
    Answer::Nothing
}

/// What the handler answers.
enum Reply {
    Status(Status),
    Redirect(Box<Redirect>),
    Upgrade,
    Error(SessionError),
}

impl<'r> Responder<'r, 'static> for Reply {
    fn respond_to(self, request: &'r Request<'_>) -> ResponseResult<'static> {
        match self {
            Self::Status(status) if status == Status::Ok => Ok(Response::new()),
            Self::Status(status) => Err(status),
            Self::Redirect(redirect) => redirect.respond_to(request),
            Self::Upgrade => Ok(Response::build().upgrade(PROTOCOL, Silent).finalize()),
            Self::Error(cause) => cause.respond_to(request),
        }
    }
}

/// A connection on which nothing is said.
struct Silent;

#[rocket::async_trait]
impl IoHandler for Silent {
    async fn io(self: Pin<Box<Self>>, _: IoStream) -> io::Result<()> {
        Ok(())
    }
}
