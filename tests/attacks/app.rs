//! The application that the attacks run against: its handlers do what a test sends them.

use std::sync::Arc;

use parking_lot::Mutex;
use rocket::fairing::AdHoc;
use rocket::figment::Figment;
use rocket::futures::future::BoxFuture;
use rocket::http::Status;
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, State, get, routes};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

use crate::hook::*;
pub use crate::shared::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cart {
    pub items: Vec<String>,
}
impl SessionData for Cart {
    const NAME: &'static str = "cart";
}

pub struct Ctx {
    pub user: Session<User>,
    pub sessions: Sessions,
}
pub struct Both {
    pub user: Session<User>,
    pub cart: Session<Cart>,
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

pub type Job = Box<dyn FnOnce(Ctx) -> BoxFuture<'static, Status> + Send>;
pub type JobBoth = Box<dyn FnOnce(Both) -> BoxFuture<'static, Status> + Send>;
#[derive(Default)]
pub struct Stage {
    pub job: Mutex<Option<Job>>,
    pub both: Mutex<Option<JobBoth>>,
}

#[get("/go")]
pub async fn go(ctx: Ctx, stage: &State<Stage>) -> Status {
    let job = stage.job.lock().take().expect("a job");
    job(ctx).await
}
#[get("/both")]
pub async fn both(user: Session<User>, cart: Session<Cart>, stage: &State<Stage>) -> Status {
    let job = stage.both.lock().take().expect("a job");
    job(Both { user, cart }).await
}
#[get("/cartfirst")]
pub async fn cartfirst(cart: Session<Cart>, user: Session<User>, stage: &State<Stage>) -> Status {
    let job = stage.both.lock().take().expect("a job");
    job(Both { user, cart }).await
}

pub struct App {
    pub client: Client,
    pub hook: Hook,
    pub clock: Clock,
}

pub fn figment() -> Figment {
    Figment::from(rocket::Config::default())
        .select("release")
        .merge(("log_level", std::env::var("TEST_LOG").unwrap_or("off".into())))
        .merge(("sessions.secret", KEY))
        .merge(("sessions.user.storage", "hook"))
        .merge(("sessions.cart.storage", "hook2"))
}

pub fn ktor_figment() -> Figment {
    figment()
        .merge(("sessions.user.format", "ktor"))
        .merge(("sessions.user.sign_key", KEY))
        .merge(("sessions.user.protect", "sign"))
}

pub async fn app(figment: Figment) -> App {
    app_with(figment, |rocket| rocket).await
}

pub async fn app_with(
    figment: Figment,
    more: impl FnOnce(rocket::Rocket<rocket::Build>) -> rocket::Rocket<rocket::Build>,
) -> App {
    app_on(Hook::new(), figment, more).await
}

pub async fn app_on(
    hook: Hook,
    figment: Figment,
    more: impl FnOnce(rocket::Rocket<rocket::Build>) -> rocket::Rocket<rocket::Build>,
) -> App {
    let clock = Clock::new();
    let fairing = Sessions::fairing()
        .storage("hook", Intercepted(hook.clone()))
        .storage("hook2", Intercepted(hook.clone()))
        .clock(&clock);
    let rocket = rocket::custom(figment)
        .attach(fairing)
        .manage(Stage::default())
        .mount("/", routes![go, both, cartfirst]);
    let client = Client::untracked(more(rocket)).await.expect("a valid configuration");
    App { client, hook, clock }
}

pub struct Answer {
    pub status: Status,
    pub cookies: Vec<String>,
    pub headers: Vec<(String, String)>,
}
impl Answer {
    pub fn of(response: &LocalResponse<'_>) -> Self {
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
    pub fn token(&self, part: &str) -> Option<String> {
        let cookie = self.cookies.iter().find(|c| c.contains(part))?;
        Some(cookie.split(';').next()?.to_owned())
    }
    pub fn user(&self) -> String {
        self.token("user").expect("a token of user")
    }
    pub fn removed(&self) -> bool {
        self.cookies.iter().any(|c| c.contains("Max-Age=0"))
    }
}

/// A test whose acts never happened has tested nothing.
impl Drop for App {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.hook.missed(), []);
        }
    }
}

impl App {
    pub async fn ask(&self, uri: &str, cookie: &str) -> Answer {
        let mut request = self.client.get(uri.to_owned());
        if !cookie.is_empty() {
            request.add_header(rocket::http::Header::new("Cookie", cookie.to_owned()));
        }
        Answer::of(&request.dispatch().await)
    }
    pub async fn go<F>(&self, cookie: &str, job: impl FnOnce(Ctx) -> F + Send + 'static) -> Answer
    where
        F: Future<Output = Status> + Send + 'static,
    {
        self.set_job(job);
        self.ask("/go", cookie).await
    }
    pub fn set_job<F>(&self, job: impl FnOnce(Ctx) -> F + Send + 'static)
    where
        F: Future<Output = Status> + Send + 'static,
    {
        let stage = self.client.rocket().state::<Stage>().unwrap();
        *stage.job.lock() = Some(Box::new(move |ctx| Box::pin(job(ctx))));
    }
    pub async fn both<F>(
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
    pub async fn login(&self, id: &str) -> String {
        let id = id.to_owned();
        self.go("", async move |ctx| {
            ctx.user.login(user(&id));
            Status::Ok
        })
        .await
        .user()
    }
    pub async fn value(&self, cookie: &str) -> Option<User> {
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

pub fn behind(rocket: rocket::Rocket<rocket::Build>) -> rocket::Rocket<rocket::Build> {
    rocket.attach(AdHoc::on_response("behind", |request, _| {
        Box::pin(async move {
            if let Some(cart) = request.guard::<Session<Cart>>().await.succeeded() {
                cart.set(Cart { items: vec!["last page".into()] });
            }
        })
    }))
}
