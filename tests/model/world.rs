//! Requests, nodes, a network and a storage, and every step that they can take.
//!
//! A request that is dropped is one that takes no further step, so every
//! beginning of a run stands for a run in which requests were dropped.

use stateright::{Model, Property};

use crate::properties::{self, Claim};
use crate::request::{Cut, Known, Outcome, Phase, Request, Task};
use crate::rules::Rules;
use crate::storage::{Clocks, Operation, Record, Slot, Storage, Tick};

/// What runs beside each other, and how much can go wrong.
#[derive(Clone)]
pub struct World {
    pub rules: Rules,
    pub tasks: Vec<Task>,
    /// How many sessions are there before the run, and how many keys there are.
    pub sessions: usize,
    pub keys: usize,
    pub cached: bool,
    pub cut: Cut,
    /// By how much each node's clock is ahead.
    pub clocks: [Tick; 2],
    /// How many answers are lost, how many messages arrive twice.
    pub lost: u8,
    pub doubled: u8,
    /// How often an update is replayed.
    pub replays: u8,
    /// How long a run is, and how long a message is under way at most.
    pub ticks: Tick,
    pub delay: Tick,
    /// Promises of these runs beside those of every run, and what one of them must show.
    pub also: &'static [Claim],
    pub witnesses: &'static [Claim],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Message {
    pub from: usize,
    pub operation: Operation,
    /// When its first copy was sent.
    pub sent: Tick,
    /// Whether the request still waits for its answer.
    pub awaited: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub storage: Storage,
    pub requests: Vec<Request>,
    /// Each node's copy of the session with key 0. It may be kept for ever.
    pub caches: [Option<Record>; 2],
    /// In no order.
    pub network: Vec<Message>,
    pub now: Tick,
    pub lost: u8,
    pub doubled: u8,
}

/// What becomes of a message that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    None,
    /// Another one is still under way.
    Another,
    /// The answer is lost to the client library, which sends it again.
    Resent,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The request reads and sends its operation. Of the trail it keeps `kept` versions.
    Begin {
        request: usize,
        cached: bool,
        kept: usize,
    },
    Arrive {
        message: Message,
        copies: Copies,
    },
    /// The answer is lost, or its future dropped.
    Lose {
        request: usize,
    },
    Settle {
        request: usize,
        kept: usize,
    },
    Discard {
        request: usize,
    },
    Tick,
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let there = Record { version: 0, trail: Vec::new(), payload: [0; 4], began: 0 };
        let slot =
            |key| Slot { record: (key < self.sessions).then(|| there.clone()), ..Slot::default() };
        vec![State {
            storage: Storage { slots: (0..self.keys).map(slot).collect(), generation: 0 },
            requests: vec![Request::NEW; self.tasks.len()],
            caches: [None, None],
            network: Vec::new(),
            now: 0,
            lost: self.lost,
            doubled: self.doubled,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (request, task) in self.tasks.iter().enumerate() {
            self.steps(state, request, *task, actions);
        }
        for (place, message) in state.network.iter().enumerate() {
            // Equal messages are the same step.
            if state.network[..place].contains(message) || state.now > message.sent + self.delay {
                continue;
            }
            let mut arrive =
                |copies| actions.push(Action::Arrive { message: message.clone(), copies });
            arrive(Copies::None);
            if state.doubled > 0 {
                arrive(Copies::Another);
                if message.awaited {
                    arrive(Copies::Resent);
                }
            }
        }
        if state.now < self.ticks {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Begin { request, cached, kept } => {
                self.begin(&mut state, request, cached, kept);
            }
            Action::Arrive { message, copies } => self.arrive(&mut state, &message, copies),
            Action::Lose { request } => {
                state.lost -= 1;
                state.drop_call(request);
                if !self.rules.attempt_is_kept {
                    state.requests[request].phase = Phase::Idle;
                }
            }
            Action::Settle { request, kept } => self.settle(&mut state, request, kept),
            Action::Discard { request } => {
                state.requests[request].discarded = true;
                state.requests[request].resent = false;
                state.drop_call(request);
            }
            Action::Tick => state.now += 1,
        }
        self.tidy(&mut state);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}

impl State {
    pub fn record(&self, key: usize) -> Option<&Record> {
        self.storage.slots[key].record.as_ref()
    }

    pub fn send(&mut self, from: usize, operation: Operation) {
        self.network.push(Message { from, operation, sent: self.now, awaited: true });
        self.requests[from].phase = Phase::Waiting;
    }

    /// Whether whoever sends the request knows of the session.
    fn knows(&self, task: Task) -> bool {
        match task {
            Task::Update { known, key, .. } | Task::End { known, key } => match known {
                Known::Always => true,
                Known::From(login) => self.requests[login].is(Outcome::Acknowledged),
                Known::Listed => self.record(key).is_some(),
            },
            _ => true,
        }
    }

    /// The request waits for nothing any more.
    fn drop_call(&mut self, request: usize) {
        self.ignore_answers(request);
        self.requests[request].phase = Phase::Unsettled;
    }

    fn ignore_answers(&mut self, request: usize) {
        for message in self.network.iter_mut().filter(|message| message.from == request) {
            message.awaited = false;
        }
    }
}

impl World {
    /// What a request can do.
    fn steps(&self, state: &State, request: usize, task: Task, actions: &mut Vec<Action>) {
        let Request { phase, discarded, .. } = &state.requests[request];
        match phase {
            Phase::Idle if state.knows(task) && !self.has_twin(state, request) => {
                let copy = task.updates_on().and_then(|node| state.caches[node].as_ref());
                let reads = [(false, Some(state.record(task.key()))), (true, copy.map(Some))];
                for (cached, base) in reads {
                    let begin = |kept| Action::Begin { request, cached, kept };
                    actions.extend(base.into_iter().flat_map(|base| self.cuts(base)).map(begin));
                }
            }
            Phase::Unsettled => {
                let settle = |kept| Action::Settle { request, kept };
                actions.extend(self.cuts(state.record(task.key())).map(settle));
            }
            _ => {}
        }
        let waits = *phase == Phase::Waiting;
        // Others would only send the same message again.
        if waits && state.lost > 0 && (task.updates_on().is_some() || task.is_login()) {
            actions.push(Action::Lose { request });
        }
        let discards = matches!(task, Task::Discard { .. }) && !discarded;
        if discards && (waits || *phase == Phase::Unsettled) {
            actions.push(Action::Discard { request });
        }
    }

    /// Whether an equal request has not begun: which of the two does is the same.
    fn has_twin(&self, state: &State, request: usize) -> bool {
        (0..request).any(|other| {
            self.tasks[other] == self.tasks[request] && state.requests[other].phase == Phase::Idle
        })
    }

    /// How many versions the trail of the next write may keep.
    fn cuts(&self, base: Option<&Record>) -> std::ops::RangeInclusive<usize> {
        match (self.cut, base) {
            (Cut::Anywhere, Some(base)) => 1..=base.trail.len() + 1,
            _ => 1..=1,
        }
    }

    /// Leaves out what makes no difference any more.
    fn tidy(&self, state: &mut State) {
        let State { network, requests, storage, .. } = state;
        let slots = &storage.slots;
        network.retain(|message| match &message.operation {
            Operation::Update { expected, .. }
                if self.rules.compare_and_swap && self.rules.update_never_inserts =>
            {
                let record = slots[self.tasks[message.from].key()].record.as_ref();
                message.awaited || record.is_some_and(|record| record.version == *expected)
            }
            _ => true,
        });
        network.sort();
        for request in requests.iter_mut().filter(|request| matches!(request.phase, Phase::Done(_)))
        {
            request.attempt = None;
        }
    }

    fn arrive(&self, state: &mut State, message: &Message, copies: Copies) {
        if copies == Copies::None {
            let place = state.network.iter().position(|other| other == message);
            place.map(|place| state.network.remove(place));
        } else {
            state.doubled -= 1;
        }
        let Message { from, operation, sent, awaited } = message;
        let task = self.tasks[*from];
        let clocks = Clocks { here: state.now, sender: *sent + self.clocks[task.node()] };
        let answer = state.storage.answer(&self.rules, task.key(), operation, *sent, clocks);
        if *awaited && copies != Copies::Resent {
            state.ignore_answers(*from);
            self.take(state, *from, operation, answer);
        }
    }
}
