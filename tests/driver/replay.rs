//! Walks through a run and the model side by side.

use crate::app::count_of;
use crate::check::{Aspect, Check, Stop};
use crate::kept::Token;
use crate::meanwhile::Happened;
use crate::preparation::{Prepare, Show, preparation};
use crate::scenario::*;
use crate::trace::*;
use crate::view::{Sends, View};

impl Check {
    pub fn run(&mut self, scenario: &Scenario, record: &Record) -> Result<(), Stop> {
        let (steps, shown) = preparation(scenario.presented);
        let mut traces = record.preparation.iter();
        self.chapter = "preparation, ";
        for step in steps {
            match (step, traces.as_slice().first()) {
                (Prepare::Wait(seconds), _) => self.model.now += seconds,
                (Prepare::Request(call, token), Some(trace)) => {
                    traces.next();
                    let other = Scenario::other(scenario.settings, call);
                    let cookie = token.map(Show::Token);
                    self.request(&other, trace, cookie.as_slice())?;
                }
                (Prepare::Request(..), None) => return Err(Stop),
            }
        }
        self.chapter = "";
        self.request(scenario, &record.request, &shown)?;
        self.afterwards(scenario, record, shown)
    }

    /// What is left after the request.
    fn afterwards(
        &mut self,
        scenario: &Scenario,
        record: &Record,
        shown: Vec<Show>,
    ) -> Result<(), Stop> {
        let read = Scenario::other(scenario.settings, Call::Get);
        let sent = record.request.response.map_or(Sent::Nothing, |response| response.sent);
        let held = match sent {
            Sent::Nothing => shown,
            Sent::Removal => Vec::new(),
            Sent::Token(token) => vec![Show::Token(token)],
        };
        self.chapter = "the next request, ";
        self.request(&read, &record.next, &held)?;
        self.chapter = "a request with a former token, ";
        for (token, trace) in record.tokens.iter().enumerate() {
            self.request(&read, trace, &[Show::Token(token)])?;
        }
        self.chapter = "";
        if scenario.settings.place.on_server() {
            self.model.ends_unheld();
            let records = self.model.records();
            self.equal("what is left", Aspect::Records, &records, &record.records)?;
        }
        Ok(())
    }

    /// One request, from its load to its response.
    pub fn request(
        &mut self,
        scenario: &Scenario,
        trace: &Trace,
        shown: &[Show],
    ) -> Result<(), Stop> {
        let view = self.begin(scenario, trace, shown)?;
        self.end(scenario, trace, view, shown)
    }

    /// What a request finds, and its calls.
    pub fn begin(
        &mut self,
        scenario: &Scenario,
        trace: &Trace,
        shown: &[Show],
    ) -> Result<View, Stop> {
        let tokens = shown.iter().filter_map(|show| self.tokens.get(&show.token()?));
        let tokens: Vec<Token> = tokens.copied().collect();
        let mut view = View::new(!shown.is_empty(), None, Vec::new());
        let happened = happened(&scenario.loading, &trace.loading);
        self.around((&mut view, trace.salt), &happened, shown, |check, view| {
            check.model.ends_unheld();
            *view = check.model.load(view.carried, &tokens);
        })?;
        let got = || format!("{:?}", trace.response);
        let Some(first) = trace.first else {
            return Err(self.stops("the guard", Aspect::Status, "success", got()));
        };
        self.seen("the guard", &mut view, first)?;
        for (at, step) in scenario.steps.iter().enumerate() {
            let place = format!("call {at}, {:?}", step.call);
            let Some(step_trace) = trace.steps.get(at) else {
                return Err(self.stops(&place, Aspect::Status, "that it runs", got()));
            };
            if let (Some(what), Some(nested)) = (step.before, &step_trace.before) {
                self.nested((&mut view, trace.salt), (what, nested), shown)?;
            }
            self.step(&place, step, step_trace, (&mut view, trace.salt, at), shown)?;
        }
        Ok(view)
    }

    fn step(
        &mut self,
        place: &str,
        step: &Step,
        trace: &StepTrace,
        (view, salt, at): (&mut View, u32, usize),
        shown: &[Show],
    ) -> Result<(), Stop> {
        if step.call == Call::UpdateNow && view.value.is_none() {
            // It does nothing, and asks nobody.
            self.equal(place, Aspect::Answer, &Answer::Count(None), &trace.answer)?;
            return self.seen(place, view, trace.seen);
        }
        if step.call == Call::UpdateNow {
            view.update();
        }
        let mut answer = Answer::Nothing;
        let count = count_of(salt, at);
        let happened = happened(&step.during, &trace.during);
        self.around((view, salt), &happened, shown, |check, view| {
            check.model.writes = Some(step.fault);
            answer = check.model.call(view, step.call, count);
        })?;
        self.equal(place, Aspect::Answer, &answer, &trace.answer)?;
        self.seen(place, view, trace.seen)
    }

    /// The outcome of the handler, the commit, the response.
    pub fn end(
        &mut self,
        scenario: &Scenario,
        trace: &Trace,
        mut view: View,
        shown: &[Show],
    ) -> Result<(), Stop> {
        if scenario.outcome == Outcome::Dropped {
            self.model.lets_go(&view, None);
            return Ok(());
        }
        let status = status_of(scenario.outcome, &trace.steps);
        let dropped = matches!(scenario.outcome, Outcome::DroppedAt(..));
        let dropped = dropped && trace.response.is_none();
        let (mut committed, found) = (Ok(()), view.found);
        let happened = happened(&scenario.committing, &trace.committing);
        self.around((&mut view, trace.salt), &happened, shown, |check, view| {
            check.model.writes = Some(scenario.fault).filter(|_| !dropped);
            committed = check.model.finish(view, status >= 500);
        })?;
        self.model.lets_go(&view, found.filter(|_| dropped));
        if dropped {
            return Ok(());
        }
        let status = committed.map_or_else(status_of_failure, |()| status);
        let Some(response) = trace.response else {
            let expected = status.to_string();
            return Err(self.stops("the response", Aspect::Status, &expected, "none".into()));
        };
        self.equal("the response", Aspect::Status, &status, &response.status)?;
        self.sent(&view, response)?;
        let upgrades = scenario.outcome == Outcome::Upgrade && committed.is_ok();
        self.equal("the response", Aspect::Upgrade, &upgrades, &response.upgrades)
    }

    fn sent(&mut self, view: &View, response: Response) -> Result<(), Stop> {
        let kind = match response.sent {
            Sent::Nothing => Sends::Nothing,
            Sent::Removal => Sends::Removal,
            Sent::Token(_) => Sends::Token,
        };
        self.equal("the response", Aspect::Sent, &view.sends, &kind)?;
        if let (Sent::Token(number), Some(token)) = (response.sent, view.token) {
            self.tokens.insert(number, token);
            self.equal("the response", Aspect::MaxAge, &view.max_age, &response.max_age)?;
        }
        Ok(())
    }
}

fn happened<'a>(during: &[During], traces: &'a [Option<Nested>]) -> Vec<Happened<'a>> {
    let pairs = during.iter().zip(traces);
    pairs.filter_map(|(during, trace)| Some((during.what, trace.as_ref()?))).collect()
}

fn status_of(outcome: Outcome, steps: &[StepTrace]) -> u16 {
    let failure = steps.iter().rev().find_map(|step| match step.answer {
        Answer::Failed(failure) => Some(failure),
        _ => None,
    });
    match outcome {
        Outcome::Redirect => 303,
        Outcome::NotFound => 404,
        Outcome::Failed | Outcome::Panic => 500,
        Outcome::Question => failure.map_or(200, status_of_failure),
        _ => 200,
    }
}

/// As a response: 503 where a retry may help, 401 where the session is over.
fn status_of_failure(failure: Failure) -> u16 {
    match failure {
        Failure::Storage => 503,
        Failure::Ended => 401,
        _ => 500,
    }
}
