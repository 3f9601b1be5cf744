//! An access token is refreshed once, however many requests on however many nodes need it, and whatever becomes of
//! the one that refreshes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rocket::tokio::sync::Mutex;
use rocket_typed_sessions::Sessions;
use rocket_typed_sessions::storage::Memory;
use rocket_typed_sessions::testing::storage::{Fault, Faulty, Operation};
use tokio::time::sleep;

use crate::recipes::token_endpoint::{Endpoint, Refused, Tokens};
use crate::recipes::token_refresh;
use crate::server::{Answer, Browser, Server, figment, serve};

/// What the endpoint does with a request.
#[derive(Clone, Copy, PartialEq)]
enum Act {
    Answers,
    /// The request dies with it.
    Panics,
    Hangs,
    Fails,
    Refuses,
}

/// Accepts each refresh token once.
struct Provider {
    act: Mutex<Act>,
    valid: Mutex<usize>,
    asked: AtomicUsize,
    lifetime: Duration,
}

#[rocket::async_trait]
impl Endpoint for Provider {
    async fn refresh(&self, token: &str) -> Result<Tokens, Refused> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        sleep(Duration::from_millis(100)).await;
        match *self.act.lock().await {
            Act::Answers => {}
            Act::Panics => panic!("the request dies"),
            Act::Hangs => std::future::pending().await,
            Act::Fails => return Err(Refused::Unavailable),
            Act::Refuses => return Err(Refused::Invalid),
        }
        let mut valid = self.valid.lock().await;
        if token != format!("refresh-{valid}") {
            return Err(Refused::Invalid);
        }
        *valid += 1;
        let [access, refresh] = ["access", "refresh"].map(|kind| format!("{kind}-{valid}"));
        Ok(Tokens { access, refresh, lifetime: self.lifetime })
    }
}

struct World {
    nodes: Vec<Server>,
    storage: Faulty,
    provider: Arc<Provider>,
    browser: Browser,
}

impl World {
    /// Two nodes on one storage, and a browser whose token has expired.
    async fn new(lifetime: Duration) -> Self {
        let act = Mutex::new(Act::Answers);
        let asked = AtomicUsize::new(0);
        let provider = Arc::new(Provider { act, valid: Mutex::new(0), asked, lifetime });
        let storage = Faulty::new(Memory::new(100));
        let mut nodes = Vec::new();
        for _ in 0..2 {
            let figment = figment()
                .merge((
                    "sessions.secret",
                    "hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978",
                ))
                .merge(("sessions.grant.storage", "shared"));
            let endpoint: Arc<dyn Endpoint> = Arc::clone(&provider) as _;
            let rocket = rocket::custom(figment)
                .attach(Sessions::fairing().storage("shared", storage.clone()))
                .manage(endpoint)
                .manage(())
                .mount("/", token_refresh::routes());
            nodes.push(serve::<()>(rocket).await.0);
        }
        let mut browser = nodes[0].browser();
        assert_eq!(browser.post("/login", "").await.status, 200);
        Self { nodes, storage, provider, browser }
    }

    async fn act(&self, act: Act) {
        *self.provider.act.lock().await = act;
    }

    fn asked(&self) -> usize {
        self.provider.asked.load(Ordering::SeqCst)
    }

    async fn ask(&self) -> Answer {
        self.browser.send("GET /", &[], "").await
    }

    /// So many requests at once, on both nodes in turn.
    async fn ask_at_once(&self, count: usize) -> Vec<Answer> {
        let browsers = self.nodes.iter().cycle().take(count).map(|node| self.browser.at(node));
        let requests = browsers
            .map(|browser| tokio::spawn(async move { browser.send("GET /", &[], "").await }));
        let requests: Vec<_> = requests.collect();
        let mut answers = Vec::new();
        for request in requests {
            answers.push(request.await.expect("no panic"));
        }
        answers
    }
}

fn assert_all(answers: &[Answer], expected: &str) {
    for answer in answers {
        assert_eq!((answer.status, answer.body.as_str()), (200, expected));
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_on_two_nodes_refresh_once() {
    let world = World::new(HOUR).await;
    // All of them have read that the token has expired before one writes its claim.
    world.storage.set(Operation::Update, Fault::Slow(Duration::from_millis(200)));
    assert_all(&world.ask_at_once(40).await, "The API is called with access-1.\n");
    assert_eq!(world.asked(), 1);
    assert!(world.storage.calls(Operation::Update) > 20, "they have claimed at the same time");
    assert_all(&world.ask_at_once(4).await, "The API is called with access-1.\n");
    assert_eq!(world.asked(), 1, "it is fresh");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_expiry_is_one_refresh() {
    // What is good for less than a second is not used, so this one is good for two.
    let world = World::new(Duration::from_secs(3)).await;
    for round in 1..=3 {
        let answers = world.ask_at_once(8).await;
        assert_all(&answers, &format!("The API is called with access-{round}.\n"));
        assert_eq!(world.asked(), round);
        sleep(Duration::from_millis(2100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_request_that_refreshes_dies_the_next_one_takes_over() {
    let world = World::new(HOUR).await;
    world.act(Act::Panics).await;
    let began = Instant::now();
    assert_eq!(world.ask().await.status, 500);
    world.act(Act::Answers).await;
    assert_all(&world.ask_at_once(8).await, "The API is called with access-1.\n");
    assert_eq!(world.asked(), 2, "the one that died, and one of the eight");
    assert!(began.elapsed() > Duration::from_secs(5), "they have waited for the claim");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_does_not_answer_keeps_nobody_waiting_in_turn() {
    let world = World::new(HOUR).await;
    for (act, longest) in [(Act::Fails, 3), (Act::Hangs, 7)] {
        world.act(act).await;
        let (before, began) = (world.asked(), Instant::now());
        for answer in world.ask_at_once(8).await {
            assert_eq!(answer.status, 502);
        }
        assert_eq!(world.asked(), before + 1);
        assert!(began.elapsed() < Duration::from_secs(longest), "{:?}", began.elapsed());
    }
    world.act(Act::Answers).await;
    assert_all(&world.ask_at_once(8).await, "The API is called with access-1.\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_that_is_refused_ends_the_session() {
    let world = World::new(HOUR).await;
    world.act(Act::Refuses).await;
    for answer in world.ask_at_once(8).await {
        assert_eq!(answer.status, 401);
    }
    assert_eq!(world.asked(), 1);
    world.act(Act::Answers).await;
    assert_eq!(world.ask().await.status, 401);
    assert_eq!(world.asked(), 1);
}
