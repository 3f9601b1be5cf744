//! An application whose requests overlap as a test says, beside the model.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rocket::figment::Figment;
use rocket::local::asynchronous::Client;
use rocket::{State, get, routes};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Session, Sessions};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::sequential::*;
use crate::support::*;

/// Handlers that wait until the test lets them go.
#[derive(Default)]
pub struct Gates(pub Mutex<HashMap<usize, Gate>>);

/// Says that the handler has started, and waits.
pub type Gate = (oneshot::Sender<()>, oneshot::Receiver<()>);

#[get("/step/<number>/<what>/<count>")]
pub async fn perform(
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
pub struct Request {
    pub change: Change,
    pub found: Option<Found>,
    pub presented: Presented,
    pub go_on: oneshot::Sender<()>,
    /// The token that it was given, and what it saw of its session.
    pub response: JoinHandle<(Option<String>, String)>,
}

pub struct World {
    pub client: Arc<Client>,
    pub clock: Clock,
    pub gates: Arc<Gates>,
    pub model: Model,
    pub tokens: Vec<String>,
    pub under_way: Vec<Request>,
    pub requests: usize,
}

impl World {
    pub async fn new(figment: Figment) -> Self {
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

    pub async fn start(&mut self, change: Change, token: Option<usize>) {
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

    pub async fn finish(&mut self, at: usize) {
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

    pub async fn run(&mut self, steps: &[Step]) {
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
