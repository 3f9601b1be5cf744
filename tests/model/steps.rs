//! What a request does: it begins, takes an answer, settles.

use crate::request::{Attempt, Outcome, Phase, Task, Verdict, settle, trail, version};
use crate::storage::{Answer, Operation, Record, Version};
use crate::world::{State, World};

impl World {
    pub fn begin(&self, state: &mut State, request: usize, cached: bool, kept: usize) {
        match self.tasks[request] {
            Task::Update { key, node, .. } | Task::Discard { key, node } => {
                let read =
                    if cached { state.caches[node].clone() } else { state.record(key).cloned() };
                if self.cached {
                    state.caches[node].clone_from(&read);
                }
                self.write(state, request, read.as_ref(), kept);
            }
            task @ (Task::Login { .. } | Task::LoginOver { .. }) => {
                let generation = state.storage.generation;
                let record = Record {
                    version: draw(state, request),
                    trail: Vec::new(),
                    payload: [0; 4],
                    began: generation,
                };
                let attempt = Attempt { expected: replaced(state, task), record, generation };
                state.send(request, attempt.create(task));
                state.requests[request].attempt = Some(attempt);
            }
            Task::End { .. } => state.send(request, Operation::End { lost_create: false }),
            Task::RevokeOwner => {
                let generation = state.storage.generation;
                state.send(request, Operation::RevokeOwner { generation });
            }
        }
    }

    /// Applies the request's update to what it read, as a new attempt.
    fn write(&self, state: &mut State, request: usize, read: Option<&Record>, kept: usize) {
        let Some(base) = read else {
            state.requests[request].phase = Phase::Done(Outcome::Ended);
            return;
        };
        let attempt = self.attempt(state, request, base, kept, 1);
        state.send(request, attempt.update());
        state.requests[request].conflict = false;
        state.requests[request].attempt = Some(attempt);
    }

    fn attempt(
        &self,
        state: &mut State,
        request: usize,
        base: &Record,
        kept: usize,
        times: u8,
    ) -> Attempt {
        let mut record = base.clone();
        let now = state.now + self.clocks[self.tasks[request].node()];
        record.trail = trail(&self.rules, self.cut, base, now, kept);
        record.version = draw(state, request);
        record.payload[request] += times;
        Attempt { expected: base.version, record, generation: 0 }
    }

    pub fn take(&self, state: &mut State, request: usize, operation: &Operation, answer: Answer) {
        let task = self.tasks[request];
        let outcome = match (operation, answer) {
            (Operation::Update { record, .. }, _) => {
                return self.take_update(state, request, record, answer);
            }
            (_, Answer::Exists) if self.created(state, request) => {
                return Self::take_created(state, request, task);
            }
            (_, Answer::Exists) => Outcome::Exists,
            (_, Answer::Revoked) => Outcome::Revoked,
            // The login is there, and the session before it has changed or still stands.
            (_, Answer::Conflict | Answer::Created) => {
                return Self::take_created(state, request, task);
            }
            (Operation::End { lost_create: true }, _) => Outcome::Failed,
            _ => Outcome::Acknowledged,
        };
        state.requests[request].phase = Phase::Done(outcome);
    }

    fn take_update(&self, state: &mut State, request: usize, record: &Record, answer: Answer) {
        let asked = &mut state.requests[request];
        asked.conflict = answer == Answer::Conflict;
        asked.phase = match answer {
            Answer::Conflict
                if !self.rules.settled_before_giving_up && asked.drawn > self.replays =>
            {
                Phase::Done(Outcome::Conflict)
            }
            Answer::Conflict if !self.rules.conflict_is_settled => {
                let read = state.record(self.tasks[request].key()).cloned();
                return self.write(state, request, read.as_ref(), 1);
            }
            Answer::Missing => Phase::Done(Outcome::Ended),
            Answer::Done if !asked.discarded => {
                if let Some(node) = self.tasks[request].updates_on().filter(|_| self.cached) {
                    state.caches[node] = Some(record.clone());
                }
                Phase::Done(Outcome::Acknowledged)
            }
            // `Done` here answers the write that makes a discarded attempt a conflict.
            _ => Phase::Unsettled,
        };
    }

    fn take_created(state: &mut State, request: usize, task: Task) {
        if let Task::LoginOver { old, .. } = task {
            let expected = replaced(state, task);
            state.send(request, Operation::Replace { old, expected });
        } else {
            state.requests[request].phase = Phase::Done(Outcome::Acknowledged);
        }
    }

    /// Whether `Exists` speaks of the request's own record.
    fn created(&self, state: &State, request: usize) -> bool {
        let stored = state.record(self.tasks[request].key());
        let own = state.requests[request].attempt.as_ref();
        self.rules.exists_is_settled
            && stored.zip(own).is_some_and(|(stored, own)| stored.remembers(own.record.version))
    }

    pub fn settle(&self, state: &mut State, request: usize, kept: usize) {
        let Some(attempt) = state.requests[request].attempt.clone() else { return };
        let task = self.tasks[request];
        let Some(node) = task.updates_on() else {
            return self.settle_create(state, request, attempt);
        };
        let copy = state.caches[node].as_ref().filter(|_| !self.rules.settling_passes_cache);
        let found = copy.or(state.record(task.key())).cloned();
        let verdict = settle(&self.rules, &attempt, found.as_ref());
        let asked = &mut state.requests[request];
        asked.beyond |= verdict == Verdict::Unknown;
        let wanted = !(asked.discarded && self.rules.discarded_is_not_sent);
        let outcome = match verdict {
            Verdict::Gone => Outcome::Ended,
            Verdict::Unknown if self.rules.unknown_is_error => Outcome::Unknown,
            Verdict::Applied if asked.discarded => Outcome::Kept,
            Verdict::Applied => Outcome::Acknowledged,
            Verdict::StillExpected if wanted && self.rules.same_attempt_again => {
                asked.resent = true;
                return state.send(request, attempt.update());
            }
            Verdict::NotApplied if wanted && asked.drawn > self.replays => Outcome::Conflict,
            _ if wanted => return self.write(state, request, found.as_ref(), kept),
            Verdict::StillExpected if self.rules.discard_writes => {
                return self.write_as_it_is(state, request, found.as_ref(), kept);
            }
            _ => Outcome::Dropped,
        };
        asked.settled = true;
        asked.phase = Phase::Done(outcome);
    }

    /// A write that changes nothing, so that the attempt, which stays to be
    /// settled, can only meet a conflict from now on.
    fn write_as_it_is(
        &self,
        state: &mut State,
        request: usize,
        found: Option<&Record>,
        kept: usize,
    ) {
        let Some(base) = found else { return };
        let write = self.attempt(state, request, base, kept, 0);
        state.send(request, write.update());
    }

    fn settle_create(&self, state: &mut State, request: usize, mut attempt: Attempt) {
        if let Task::LoginOver { old, .. } = self.tasks[request]
            && self.rules.lost_swap_is_settled
            && state.storage.slots[old].replaced
        {
            state.requests[request].settled = true;
            state.requests[request].phase = Phase::Done(Outcome::Acknowledged);
            return;
        }
        state.requests[request].late |= state.network.iter().any(|message| message.from == request);
        if !self.rules.create_never_resent {
            if !self.rules.generation_read_once {
                attempt.generation = state.storage.generation;
            }
            state.requests[request].resent = true;
            state.send(request, attempt.create(self.tasks[request]));
        } else if self.rules.lost_create_is_ended {
            state.send(request, Operation::End { lost_create: true });
        } else {
            state.requests[request].phase = Phase::Done(Outcome::Failed);
        }
    }
}

/// The version of the session that a login replaces.
fn replaced(state: &State, task: Task) -> Version {
    match task {
        Task::LoginOver { old, .. } => state.record(old).map_or(0, |record| record.version),
        _ => 0,
    }
}

/// A version that nobody has drawn before.
fn draw(state: &mut State, request: usize) -> Version {
    let drawn = &mut state.requests[request].drawn;
    *drawn += 1;
    version(request, *drawn)
}
