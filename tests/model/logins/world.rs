//! A client with one cookie, an attacker, the requests of both, and every step that
//! they can take.

use std::collections::BTreeSet;

use stateright::{Model, Property};

use super::properties::{self, Claim};
use super::record::{
    Client, Found, Index, Key, Kind, Record, Secret, Secrets, Session, Slot, Tick, Token,
};
use super::rules::Rules;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    Read,
    /// Another value; where there is no session, one begins.
    Set,
    Clear,
    Renew,
    Login,
}

/// How many sessions an owner may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    None,
    OneOrRefuse,
    OneEndsOldest,
}

/// What runs beside each other, and how much can go wrong.
#[derive(Clone)]
pub struct World {
    pub rules: Rules,
    /// The client's requests, and after them the attacker's.
    pub tasks: Vec<Task>,
    pub attacks: Vec<Task>,
    /// The client has a session; its owner, if it has one, is the client.
    pub session: Option<bool>,
    /// The attacker planted that session's cookie.
    pub planted: bool,
    /// He may see the cookie once before the login.
    pub sees: bool,
    /// Ids are renewed periodically, and the first one is due.
    pub renews: bool,
    pub limit: Limit,
    /// The storage does both writes of a login in one step.
    pub at_once: bool,
    /// How long a run is, and how long a request is under way at most.
    pub ticks: Tick,
    pub delay: Tick,
    /// How many answers are lost, how many swaps of a login fail, how often the
    /// client's owner is revoked.
    pub lost: u8,
    pub fails: u8,
    pub revocations: u8,
    /// What may cost the client its login, as an answer that comes late.
    pub allowed: &'static [Late],
    pub promises: &'static [Claim],
    pub witnesses: &'static [Claim],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    Login,
    Renewal,
    Beginning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    Nothing,
    Token(Token, Why),
    Removal,
    /// The limit refuses the login.
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Idle,
    Sent,
    Loaded(Found),
    /// The login's session has begun, over this one.
    Created(Session),
    Answered(Answer),
    Arrived(Answer),
    Lost(Answer),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    pub phase: Phase,
    pub shown: Option<Token>,
    pub sent: Tick,
    /// The client's generation when it began.
    pub generation: u8,
    /// The login whose session it was found to show.
    pub under: Option<Index>,
    /// The session that it was found to show, or that a login has replaced.
    pub over: Option<Key>,
    /// It lived.
    pub found_session: bool,
    /// The same, or the session of which it showed a former id.
    pub origin: Option<Key>,
}

/// An answer to a request that was sent before the client's present cookie arrived, and
/// that takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Late {
    /// That of a `clear` which found another session alive than the present one.
    Removal,
    /// The next id of a renewal.
    Renewal,
    /// A session that begins for a request which showed none, or one of which nothing was
    /// left.
    Beginning,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Browser {
    pub cookie: Option<Token>,
    /// The session of the last login or renewal that arrived.
    pub last: Option<Key>,
    /// The cookie is from a late answer.
    pub late: Option<Late>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attacker {
    pub tokens: BTreeSet<Token>,
    /// Locator and generation of each CSRF token that he was given.
    pub csrf: BTreeSet<(Key, u8)>,
    pub may_see: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub slots: Vec<Slot>,
    pub requests: Vec<Request>,
    pub browser: Browser,
    pub attacker: Attacker,
    pub generation: u8,
    pub now: Tick,
    pub lost: u8,
    pub fails: u8,
    pub revocations: u8,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The client sends a request with its cookie.
    Send(Index),
    Load(Index),
    /// The attacker sends a request, which is loaded at once.
    Attack(Index, Token),
    /// The request's next step in the storage.
    Step(Index),
    /// The swap of a login has no answer.
    Fail {
        request: Index,
        applied: bool,
    },
    Arrive(Index),
    Lose(Index),
    /// The attacker sees the client's cookie.
    See,
    Revoke,
    Tick,
}

const FIRST: Token = Token { key: 0, secret: 0 };

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let requests = self.tasks.len() + self.attacks.len();
        let mut slots = vec![Slot::default(); 1 + requests];
        slots[0].record = self.session.map(|owned| Record {
            version: 0,
            kind: Kind::Session,
            owner: owned.then_some(Client::Victim),
            secrets: Secrets::of(0, None),
        });
        let cookie = self.session.map(|_| FIRST);
        vec![State {
            slots,
            requests: vec![Request::IDLE; requests],
            browser: Browser { cookie, last: cookie.map(|cookie| cookie.key), late: None },
            attacker: Attacker {
                tokens: cookie.filter(|_| self.planted).into_iter().collect(),
                csrf: BTreeSet::new(),
                may_see: self.sees,
            },
            generation: 0,
            now: 0,
            lost: self.lost,
            fails: self.fails,
            revocations: self.revocations,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for index in 0..state.requests.len() {
            self.steps(state, index, actions);
        }
        if state.attacker.may_see && self.cookie_from_before(state).is_some() {
            actions.push(Action::See);
        }
        if state.revocations > 0 {
            actions.push(Action::Revoke);
        }
        let waits = state
            .requests
            .iter()
            .any(|request| request.is_under_way() && request.sent + self.delay <= state.now);
        if state.now < self.ticks && !waits {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Send(request) => state.send(request, state.browser.cookie),
            Action::Load(request) => self.load(&mut state, request),
            Action::Attack(request, token) => {
                state.send(request, Some(token));
                self.load(&mut state, request);
            }
            Action::Step(request) => self.step(&mut state, request),
            Action::Fail { request, applied } => self.fail(&mut state, request, applied),
            Action::Arrive(request) => state.arrive(request),
            Action::Lose(request) => {
                state.lost -= 1;
                let asked = &mut state.requests[request];
                if let Phase::Answered(answer) = asked.phase {
                    (asked.phase, asked.sent) = (Phase::Lost(answer), 0);
                }
            }
            Action::See => {
                state.attacker.may_see = false;
                state.attacker.tokens.extend(state.browser.cookie);
            }
            Action::Revoke => state.revoke(),
            Action::Tick => state.now += 1,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}

impl World {
    pub fn client(&self, request: Index) -> Client {
        if request < self.tasks.len() { Client::Victim } else { Client::Attacker }
    }

    pub fn task(&self, request: Index) -> Task {
        *self.tasks.iter().chain(&self.attacks).nth(request).unwrap_or(&Task::Read)
    }

    /// What a request can do.
    fn steps(&self, state: &State, index: Index, actions: &mut Vec<Action>) {
        let by_client = self.client(index) == Client::Victim;
        match &state.requests[index].phase {
            Phase::Idle if self.has_twin(state, index) => {}
            Phase::Idle if by_client => actions.push(Action::Send(index)),
            Phase::Idle => {
                let tokens = state.attacker.tokens.iter();
                actions.extend(tokens.map(|token| Action::Attack(index, *token)));
            }
            Phase::Sent => actions.push(Action::Load(index)),
            Phase::Answered(_) => {
                actions.push(Action::Arrive(index));
                if state.lost > 0 {
                    actions.push(Action::Lose(index));
                }
            }
            Phase::Loaded(_) => actions.push(Action::Step(index)),
            Phase::Created(_) => {
                actions.push(Action::Step(index));
                if state.fails > 0 {
                    let fail = |applied| Action::Fail { request: index, applied };
                    actions.extend([true, false].map(fail));
                }
            }
            Phase::Arrived(_) | Phase::Lost(_) => {}
        }
    }

    /// Whether an equal request has not begun: which of the two does is the same.
    fn has_twin(&self, state: &State, index: Index) -> bool {
        (0..index).any(|other| {
            self.client(other) == self.client(index)
                && self.task(other) == self.task(index)
                && state.requests[other].phase == Phase::Idle
        })
    }

    /// The client's cookie, if it is from before every login and `renew`.
    fn cookie_from_before(&self, state: &State) -> Option<Token> {
        let renewed = |secret: Secret| secret > 0 && self.task(secret - 1) == Task::Renew;
        let from_before =
            |token: &Token| state.slots[token.key].login.is_none() && !renewed(token.secret);
        state.browser.cookie.filter(from_before)
    }

    pub fn find(&self, state: &State, shown: Option<Token>) -> Found {
        let Some(shown) = shown else { return Found::Nobody };
        let found = state.slots[shown.key].find(shown, state.now, &self.rules);
        match found {
            Found::Session(one) => Found::Session(Session { due: one.due && self.renews, ..one }),
            found => found,
        }
    }
}

impl Request {
    const IDLE: Self = Self {
        phase: Phase::Idle,
        shown: None,
        sent: 0,
        generation: 0,
        under: None,
        over: None,
        found_session: false,
        origin: None,
    };

    fn is_under_way(&self) -> bool {
        !matches!(self.phase, Phase::Idle | Phase::Arrived(_) | Phase::Lost(_))
    }

    /// What it was answered, whether that has arrived or not.
    pub fn answer(&self) -> Option<Answer> {
        match self.phase {
            Phase::Answered(answer) | Phase::Arrived(answer) | Phase::Lost(answer) => Some(answer),
            _ => None,
        }
    }

    pub fn has_arrived(&self) -> bool {
        matches!(self.phase, Phase::Arrived(_))
    }
}

impl State {
    fn send(&mut self, request: Index, shown: Option<Token>) {
        let (sent, generation) = (self.now, self.generation);
        let phase = Phase::Sent;
        self.requests[request] = Request { phase, shown, sent, generation, ..Request::IDLE };
    }

    /// The last answer that arrives counts.
    fn arrive(&mut self, request: Index) {
        let asked = &mut self.requests[request];
        let Phase::Answered(answer) = asked.phase else { return };
        (asked.phase, asked.sent) = (Phase::Arrived(answer), 0);
        let is_late = asked.shown != self.browser.cookie;
        let ends_another = asked.found_session && asked.over != self.browser.last;
        let browser = &mut self.browser;
        let (token, why) = match answer {
            Answer::Nothing | Answer::Refused => return,
            Answer::Removal => {
                browser.cookie = None;
                browser.late = (is_late && ends_another).then_some(Late::Removal);
                if !is_late {
                    browser.last = None;
                }
                return;
            }
            Answer::Token(token, why) => (token, why),
        };
        // A session that begins where a late answer has left none is the client's.
        if why != Why::Beginning || browser.late.is_some() {
            browser.last = Some(token.key);
        }
        browser.cookie = Some(token);
        browser.late = match why {
            Why::Renewal if is_late => Some(Late::Renewal),
            Why::Beginning if is_late => Some(Late::Beginning),
            _ => None,
        };
    }
}
