//! Runs a scenario on two nodes that share a storage, and writes down what it shows.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use rocket::futures::future::BoxFuture;
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket_typed_sessions::csrf::CsrfToken;
use rocket_typed_sessions::storage::{Directory, Memory, Timestamp};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{Lifetime, Session, SessionId};

use crate::app::{self, Stage, User};
use crate::kept;
use crate::preparation::{Prepare, Show, preparation};
use crate::run::{Run, is_watched};
use crate::scenario::*;
use crate::storage::Hooked;
use crate::trace::*;

/// When every run begins, in milliseconds.
const START: u64 = 1_800_000_000_000;
/// After so many runs a directory is purged.
const RUNS: usize = 500;

/// Two nodes with one definition.
pub struct World {
    pub settings: Settings,
    pub nodes: [Client; 2],
    pub stage: Arc<Stage>,
    pub storage: Hooked,
    pub clock: Clock,
    book: Mutex<Book>,
    _folder: Option<tempfile::TempDir>,
}

/// What this run has seen so far.
#[derive(Default)]
struct Book {
    /// Tells the owners of one run from those of others.
    run: usize,
    requests: usize,
    tokens: Vec<String>,
    ids: Vec<SessionId>,
    csrf: Vec<String>,
}

impl World {
    pub async fn new(settings: Settings) -> Arc<Self> {
        let shm = std::path::Path::new("/dev/shm");
        let in_directory = settings.place == Place::Directory;
        let folder = in_directory.then(|| {
            let made = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() };
            made.expect("a folder")
        });
        let storage = match &folder {
            Some(folder) => Hooked::new(Directory::open(folder.path()).expect("a directory")),
            None => Hooked::new(Memory::new(1000)),
        };
        let (clock, stage) = (Clock::new(), Arc::<Stage>::default());
        let this = app::node(settings, storage.clone(), &clock, &stage).await;
        let other = app::node(settings, storage.plain(), &clock, &stage).await;
        let (nodes, book) = ([this, other], Mutex::default());
        Arc::new(Self { settings, nodes, stage, storage, clock, book, _folder: folder })
    }

    pub fn node(&self, node: Node) -> &Client {
        &self.nodes[usize::from(node == Node::Other)]
    }

    pub fn name_of(&self, owner: Owner) -> String {
        match owner {
            Owner::Nobody => String::new(),
            owner => format!("{owner:?} {}", self.book.lock().run),
        }
    }

    pub fn user(&self, Value { owner, count }: Value) -> User {
        User { id: self.name_of(owner), count }
    }

    async fn begin(&self) {
        self.storage.wipe().await;
        if self.settings.place != Place::Directory {
            self.storage.replace(Arc::new(Memory::new(1000)));
        } else if self.book.lock().run.is_multiple_of(RUNS) {
            self.storage.purge(Timestamp::from_millis(u64::MAX)).await;
        }
        self.clock.set(Timestamp::from_millis(START));
        let mut book = self.book.lock();
        *book = Book { run: book.run + 1, ..Book::default() };
    }

    /// Runs the scenario and everything that is asked afterwards.
    pub async fn run(self: &Arc<Self>, scenario: &Scenario) -> Record {
        self.begin().await;
        let mut record = Record::default();
        let (steps, shown) = preparation(scenario.presented);
        for step in steps {
            match step {
                Prepare::Wait(seconds) => self.clock.advance(Duration::from_secs(seconds)),
                Prepare::Request(call, token) => {
                    let other = Scenario::other(self.settings, call);
                    let cookie = token.map(|token| vec![Show::Token(token)]).unwrap_or_default();
                    record.preparation.push(self.request(other, Node::Other, cookie, None).await);
                }
            }
        }
        let first = shown.first().and_then(|show| show.token());
        record.request = self.request(scenario.clone(), Node::This, shown.clone(), first).await;
        self.storage.calm();
        self.look(scenario, &shown, &mut record).await;
        record
    }

    /// What is left after the request.
    async fn look(self: &Arc<Self>, scenario: &Scenario, shown: &[Show], record: &mut Record) {
        let sent = record.request.response.map_or(Sent::Nothing, |response| response.sent);
        let held = match sent {
            Sent::Nothing => shown.to_vec(),
            Sent::Removal => Vec::new(),
            Sent::Token(token) => vec![Show::Token(token)],
        };
        let read = || Scenario::other(scenario.settings, Call::Get);
        record.next = self.request(read(), Node::Other, held, None).await;
        let tokens = self.book.lock().tokens.len();
        for token in 0..tokens {
            let cookie = vec![Show::Token(token)];
            record.tokens.push(self.request(read(), Node::Other, cookie, None).await);
        }
        if scenario.settings.place.on_server() {
            record.records = self.records().await;
        }
    }

    async fn records(&self) -> usize {
        let (inner, now) = (self.storage.inner(), self.clock.now());
        let mut keys = self.storage.created();
        keys.sort_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
        keys.dedup();
        let mut live = 0;
        for key in keys {
            live += usize::from(inner.read(&key, now).await.expect("it answers").is_some());
        }
        live
    }

    fn cookie(&self, shown: &[Show]) -> String {
        let book = self.book.lock();
        let token = |show: &Show| match *show {
            Show::Token(token) => book.tokens[token].clone(),
            Show::Forged(token) => {
                let mut forged = book.tokens[token].clone();
                let last = if forged.ends_with('A') { 'Q' } else { 'A' };
                forged.pop();
                forged.push(last);
                forged
            }
        };
        let pairs: Vec<_> = shown.iter().map(|show| format!("user={}", token(show))).collect();
        pairs.join("; ")
    }

    /// One request, from its cookie to its response.
    pub fn request(
        self: &Arc<Self>,
        scenario: Scenario,
        node: Node,
        cookie: Vec<Show>,
        shown: Option<usize>,
    ) -> BoxFuture<'static, Trace> {
        let world = Arc::clone(self);
        Box::pin(async move {
            let number = {
                let mut book = world.book.lock();
                book.requests += 1;
                book.requests
            };
            let salt = u32::try_from(number * 1000).expect("few requests");
            let run = Run::new(&world, scenario, salt, shown);
            world.stage.enter(number, &run);
            run.plan(&run.scenario.loading, Fault::None, None);
            let mut request = world.node(node).get(format!("/{number}"));
            let cookie = world.cookie(&cookie);
            if !cookie.is_empty() {
                request = request.header(rocket::http::Header::new("Cookie", cookie));
            }
            let response = tokio::select! {
                response = request.dispatch() => Some(world.response(&response)),
                () = run.gone.notified() => None,
            };
            let committing = run.nested().await;
            let mut trace = std::mem::take(&mut *run.trace.lock());
            trace.salt = salt;
            trace.response = response;
            trace.committing = committing;
            if is_watched() {
                world.storage.calm();
            }
            world.stage.leave(number);
            run.session.lock().take();
            trace
        })
    }

    fn response(&self, response: &LocalResponse<'_>) -> Response {
        let mut cookies = response.headers().get("Set-Cookie");
        let cookie = cookies.next();
        let age = cookie.into_iter().flat_map(|cookie| cookie.split("; "));
        let mut age = age.filter_map(|attribute| attribute.strip_prefix("Max-Age="));
        let max_age = age.next().map(|age| age.parse().expect("seconds"));
        let sent = match cookie.and_then(|cookie| cookie.split(';').next()) {
            None => Sent::Nothing,
            Some("user=") => Sent::Removal,
            Some(cookie) => {
                let token = cookie.strip_prefix("user=").expect("our cookie").to_owned();
                let mut book = self.book.lock();
                book.tokens.push(token);
                Sent::Token(book.tokens.len() - 1)
            }
        };
        assert!(cookies.next().is_none(), "one cookie");
        let upgrades = response.headers().contains(app::UPGRADES);
        Response { status: response.status().code, sent, max_age, upgrades }
    }

    pub fn seen(&self, session: &Session<User>) -> Seen {
        let value = session.get().map(|user| value_of(&user));
        let (id, csrf) = (session.id(), session.csrf_token().expect("a token"));
        let mut book = self.book.lock();
        let id = id.map(|id| number_of(&mut book.ids, id, |one, other| one == other));
        let csrf = csrf.map(|token: CsrfToken<User>| {
            let known = |one: &String, _: &String| token.verify(one).is_ok();
            number_of(&mut book.csrf, token.to_string(), known)
        });
        let time = |time: SystemTime| Timestamp::from(time).as_millis().saturating_sub(START);
        let (created, expires) = (session.created_at().map(time), session.expires_at().map(time));
        let lifetime = match session.lifetime() {
            Lifetime::Configured => kept::Lifetime::Configured,
            Lifetime::Idle(idle) => kept::Lifetime::Idle(idle.as_secs()),
            Lifetime::Until(end) => kept::Lifetime::Until(time(end) / 1000),
            Lifetime::BrowserSession => kept::Lifetime::Browser,
            other => panic!("{other:?}"),
        };
        Seen { value, id, csrf, created, expires, lifetime }
    }
}

pub fn value_of(user: &User) -> Value {
    let owner = match user.id.split(' ').next() {
        Some("Ann") => Owner::Ann,
        Some("Bob") => Owner::Bob,
        _ => Owner::Nobody,
    };
    Value { owner, count: user.count }
}

fn number_of<T>(known: &mut Vec<T>, new: T, same: impl Fn(&T, &T) -> bool) -> usize {
    let found = known.iter().position(|one| same(one, &new));
    found.unwrap_or_else(|| {
        known.push(new);
        known.len() - 1
    })
}
