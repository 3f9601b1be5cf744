//! Requests that overlap in every order, against a small sequential model:
//! conflict, renewal, login, end and expiry race with update and set.
//!
//! Each request loads its session when it starts and commits when it is let
//! go; in between, others start and finish and time passes. A failing order is
//! recorded in `proptest-regressions` and tried first from then on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use proptest::prelude::*;
use proptest::sample::Index;
use rocket::figment::Figment;
use rocket::local::asynchronous::Client;
use rocket::{State, get, routes};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, Sessions};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::concurrency::storages;
use crate::support::*;

const IDLE: u64 = 100;
const ABSOLUTE: u64 = 250;
const TOUCH_AFTER: u64 = 10;
/// How long a record says that a login replaced its session, or a renewal its id.
const REPLACED: u64 = 120;
/// Of so many ids before the present one a session says that they were its own.
const REMEMBERED: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Nothing,
    Count,
    Set(u32),
    Login(u32),
    Renew,
    CountAndRenew,
    Clear,
}

#[derive(Clone, Debug)]
enum Step {
    /// A request with one of the tokens given out so far, or with none.
    Start(Change, Option<Index>),
    /// One of the requests under way commits.
    Finish(Index),
    /// Seconds pass.
    Wait(u64),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => Just(Change::Nothing),
        6 => Just(Change::Count),
        2 => (0..5_u32).prop_map(Change::Set),
        2 => (0..5_u32).prop_map(Change::Login),
        2 => Just(Change::Renew),
        1 => Just(Change::CountAndRenew),
        1 => Just(Change::Clear),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (change(), proptest::option::weighted(0.9, any::<Index>())).prop_map(|(change, token)| Step::Start(change, token)),
        5 => any::<Index>().prop_map(Step::Finish),
        2 => (1..60_u64).prop_map(Step::Wait),
    ]
}

/// A record as the model sees it. A token's number is its secret.
#[derive(Clone, Copy, Debug)]
struct Row {
    secret: usize,
    count: u32,
    created: u64,
    seen: u64,
    expires: u64,
    /// When a login replaced it.
    replaced: Option<u64>,
}

impl Row {
    fn begin(secret: usize, count: u32, now: u64) -> Self {
        let expires = now + IDLE + TOUCH_AFTER;
        Self { secret, count, created: now, seen: now, expires, replaced: None }
    }

    fn lives(&self, now: u64) -> bool {
        self.replaced.is_none() && now < self.expires
    }

    fn expiry(&self) -> u64 {
        (self.seen + IDLE + TOUCH_AFTER).min(self.created + ABSOLUTE)
    }
}

/// What a request found when it started.
#[derive(Clone, Copy, Debug)]
struct Found {
    record: usize,
    row: Row,
    token: usize,
}

/// What a request's token stood for, if for no session.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Presented {
    Nothing,
    /// A session that a login replaced.
    Replaced,
    Anything,
}

#[derive(Debug, PartialEq)]
enum Sent {
    Nothing,
    Removal,
    Token,
}

/// One record a session; one token after another leads to it.
#[derive(Default)]
struct Model {
    now: u64,
    rows: Vec<Option<Row>>,
    /// Those given out.
    tokens: Vec<Token>,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    record: usize,
    /// When a renewal replaced it.
    renewed: Option<u64>,
}

impl Model {
    fn load(&self, token: Option<usize>) -> Option<Found> {
        let token = token?;
        let Token { record, .. } = self.tokens[token];
        let row = self.rows[record].filter(|row| row.lives(self.now))?;
        (row.secret == token).then_some(Found { record, row, token })
    }

    /// Whether a token stands for a session that a login replaced lately, or for one of
    /// the last ids before a renewal.
    fn is_replaced(&self, token: Option<usize>) -> bool {
        let Some(token) = token else { return false };
        let Token { record, renewed } = self.tokens[token];
        let Some(row) = self.rows[record] else { return false };
        let lately = |at: u64| self.now - at < REPLACED;
        let replaced = self.was_replaced_lately(record);
        let later = self.tokens[token + 1..].iter().filter(|later| later.record == record);
        let renewed = renewed.is_some_and(lately) && later.count() <= REMEMBERED;
        (replaced || row.lives(self.now)) && renewed || replaced && row.secret == token
    }

    fn was_replaced_lately(&self, record: usize) -> bool {
        let replaced = self.rows[record].and_then(|row| row.replaced);
        replaced.is_some_and(|at| self.now - at < REPLACED)
    }

    fn presented(&self, token: Option<usize>) -> Presented {
        match token {
            None => Presented::Nothing,
            Some(_) if self.is_replaced(token) => Presented::Replaced,
            Some(_) => Presented::Anything,
        }
    }

    /// The number of the token that is given out next.
    fn next_token(&self) -> usize {
        self.tokens.len()
    }

    fn create(&mut self, count: u32) -> Sent {
        self.rows.push(Some(Row::begin(self.next_token(), count, self.now)));
        self.tokens.push(Token { record: self.rows.len() - 1, renewed: None });
        Sent::Token
    }

    /// The record as the request may write it now: it lives, under the request's id.
    fn present(&self, found: Found) -> Option<Row> {
        let row = self.rows[found.record].filter(|row| row.lives(self.now))?;
        (row.secret == found.token).then_some(row)
    }

    /// Unchanged content is not written; the expiry may be due.
    fn touch(&mut self, record: usize, seen: Row) -> Sent {
        let now = self.now;
        let due = now - seen.seen >= TOUCH_AFTER;
        if let Some(row) = &mut self.rows[record]
            && due
            && row.lives(now)
        {
            let touched = Row { seen: now, ..seen };
            row.seen = row.seen.max(now);
            row.expires = row.expires.max(touched.expiry());
        }
        Sent::Nothing
    }

    /// A login begins a session of its own, and replaces the one that is there,
    /// whatever id that has by now.
    fn login(&mut self, over: usize, count: u32) -> Sent {
        let now = self.now;
        if let Some(row) = self.rows[over].as_mut().filter(|row| row.lives(now)) {
            row.replaced = Some(now);
        }
        self.create(count)
    }

    fn commit(&mut self, change: Change, found: Option<Found>, presented: Presented) -> Sent {
        let now = self.now;
        let Some(found) = found else {
            return match change {
                Change::Login(count) => self.create(count),
                _ if presented == Presented::Replaced => Sent::Nothing,
                Change::Set(count) => self.create(count),
                Change::Clear if presented == Presented::Anything => Sent::Removal,
                _ => Sent::Nothing,
            };
        };
        let value = |before: u32| match change {
            Change::Count | Change::CountAndRenew => before + 1,
            Change::Set(count) => count,
            _ => before,
        };
        let renews = matches!(change, Change::Renew | Change::CountAndRenew);
        if change == Change::Clear {
            if self.was_replaced_lately(found.record) {
                return Sent::Nothing;
            }
            self.rows[found.record] = None;
            return Sent::Removal;
        }
        if let Change::Login(count) = change {
            return self.login(found.record, count);
        }
        if !renews && value(found.row.count) == found.row.count {
            return self.touch(found.record, found.row);
        }
        let Some(row) = self.present(found) else { return Sent::Nothing };
        let count = value(row.count);
        if !renews && count == row.count {
            return self.touch(found.record, row);
        }
        let mut next = Row { count, seen: now.max(row.seen), ..row };
        next.secret = if renews { self.next_token() } else { row.secret };
        next.expires = next.expiry();
        self.rows[found.record] = Some(next);
        if renews {
            self.tokens[row.secret].renewed = Some(now);
            self.tokens.push(Token { record: found.record, renewed: None });
            Sent::Token
        } else {
            Sent::Nothing
        }
    }
}

/// Handlers that wait until the test lets them go.
#[derive(Default)]
struct Gates(Mutex<HashMap<usize, Gate>>);

/// Says that the handler has started, and waits.
type Gate = (oneshot::Sender<()>, oneshot::Receiver<()>);

#[get("/step/<number>/<what>/<count>")]
async fn perform(
    session: Session<User>,
    number: usize,
    what: &str,
    count: u32,
    gates: &State<Arc<Gates>>,
) -> String {
    let shown = show(&session);
    let value = User { id: "ann".into(), count };
    match what {
        "Count" => drop(session.update(|user| user.count += 1)),
        "Set" => session.set(value),
        "Login" => session.login(value),
        "Renew" => session.renew(),
        "CountAndRenew" => {
            session.update(|user| user.count += 1);
            session.renew();
        }
        "Clear" => session.clear(),
        _ => {}
    }
    let gate = gates.0.lock().remove(&number);
    if let Some((started, go_on)) = gate {
        let _ = started.send(());
        let _ = go_on.await;
    }
    shown
}

/// A request under way.
struct Request {
    change: Change,
    found: Option<Found>,
    presented: Presented,
    go_on: oneshot::Sender<()>,
    /// The token that it was given, and what it saw of its session.
    response: JoinHandle<(Option<String>, String)>,
}

struct World {
    client: Arc<Client>,
    clock: Clock,
    gates: Arc<Gates>,
    model: Model,
    tokens: Vec<String>,
    under_way: Vec<Request>,
    requests: usize,
}

impl World {
    async fn new(figment: Figment) -> Self {
        let clock = Clock::new();
        let gates = Arc::<Gates>::default();
        let figment = figment
            .merge(("sessions.user.idle_timeout", IDLE))
            .merge(("sessions.user.absolute_timeout", ABSOLUTE))
            .merge(("sessions.user.touch_after", TOUCH_AFTER));
        let fairing = Sessions::fairing().clock(&clock);
        let rocket = build(figment, fairing, routes![perform]).manage(Arc::clone(&gates));
        let client = Arc::new(Client::untracked(rocket).await.expect("a rocket"));
        let model = Model::default();
        let (tokens, under_way) = (Vec::new(), Vec::new());
        Self { client, clock, gates, model, tokens, under_way, requests: 0 }
    }

    async fn start(&mut self, change: Change, token: Option<usize>) {
        let (started, has_started) = oneshot::channel();
        let (go_on, wait) = oneshot::channel();
        let number = self.requests;
        self.requests += 1;
        self.gates.0.lock().insert(number, (started, wait));
        let (what, count) = match change {
            Change::Set(count) => ("Set".to_owned(), count),
            Change::Login(count) => ("Login".to_owned(), count),
            other => (format!("{other:?}"), 0),
        };
        let uri = format!("/step/{number}/{what}/{count}");
        let cookie = token.map(|token| self.tokens[token].clone()).unwrap_or_default();
        let client = Arc::clone(&self.client);
        let response = tokio::spawn(async move {
            let response = with_cookie(&client, &uri, &cookie).await;
            assert_eq!(response.status().code, 200, "{uri}");
            (sent(&response), response.into_string().await.unwrap_or_default())
        });
        has_started.await.expect("the handler runs");
        let (found, presented) = (self.model.load(token), self.model.presented(token));
        self.under_way.push(Request { change, found, presented, go_on, response });
    }

    async fn finish(&mut self, at: usize) {
        let Request { change, found, presented, go_on, response } = self.under_way.remove(at);
        let _ = go_on.send(());
        let (sent, saw) = response.await.expect("no panic");
        let expected =
            found.map_or_else(|| "absent".into(), |found| format!("ann {}", found.row.count));
        assert_eq!(saw, expected, "what {change:?} saw of its session");
        let kind = match sent.as_deref() {
            None => Sent::Nothing,
            Some("user=") => Sent::Removal,
            Some(_) => Sent::Token,
        };
        let expected = self.model.commit(change, found, presented);
        assert_eq!(kind, expected, "what {change:?} sent, having found {found:?}");
        if let (Sent::Token, Some(token)) = (kind, sent) {
            self.tokens.push(token);
        }
    }

    async fn run(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Start(change, token) => {
                    let known = self.tokens.len();
                    let token = token.filter(|_| known > 0).map(|token| token.index(known));
                    self.start(*change, token).await;
                }
                Step::Finish(_) if self.under_way.is_empty() => {}
                Step::Finish(which) => self.finish(which.index(self.under_way.len())).await,
                Step::Wait(seconds) => {
                    self.clock.advance(Duration::from_secs(*seconds));
                    self.model.now += seconds;
                }
            }
        }
        while !self.under_way.is_empty() {
            self.finish(0).await;
        }
        // Every token that was ever given out reads what the model says.
        for token in 0..self.tokens.len() {
            self.start(Change::Nothing, Some(token)).await;
            self.finish(0).await;
        }
    }
}

/// More on demand: `PROPTEST_CASES=5000`.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    asked.unwrap_or(100)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn s57_s58_overlapping_requests_agree_with_the_sequential_model(
        steps in proptest::collection::vec(step(), 2..128),
    ) {
        let dir = tempfile::tempdir().expect("a folder");
        for figment in storages(dir.path()) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut world = World::new(figment).await;
                // There is something to race for from the start.
                world.start(Change::Login(0), None).await;
                world.finish(0).await;
                world.run(&steps).await;
            });
        }
    }
}
