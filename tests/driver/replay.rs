//! Walks through a run and the model side by side.

use crate::app::count_of;
use crate::check::{Aspect, Check, Stop};
use crate::kept::Token;
use crate::preparation::{Prepare, Show, preparation};
use crate::scenario::*;
use crate::trace::*;
use crate::view::{Sends, View};

/// A request's state, and its salt.
type Caller<'a> = (&'a mut View, u32);
/// What the request drops its changes with.
const DROPS: [Meanwhile; 2] = [Meanwhile::Own(Call::Clear), Meanwhile::Own(Call::Discard)];

/// Something that was to happen and did.
type Happened<'a> = (Meanwhile, &'a Nested);

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
                (Prepare::Request(..), None) => return Err(Stop::Deviates),
            }
        }
        self.chapter = "";
        self.drops = drops_changes(scenario);
        match self.request(scenario, &record.request, &shown) {
            Err(Stop::Unsure) => return self.after_a_lost_answer(scenario, record, &shown),
            compared => compared?,
        }
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

    /// Whatever became of the write whose answer was lost: a `clear` that was
    /// committed later is an end, and no token goes out after it.
    fn after_a_lost_answer(
        &mut self,
        scenario: &Scenario,
        record: &Record,
        shown: &[Show],
    ) -> Result<(), Stop> {
        let steps = &scenario.steps;
        let cleared = steps.iter().rposition(|step| step.call == Call::Clear);
        let is_last = cleared.is_some_and(|at| {
            let moot = [Call::Save, Call::Refresh, Call::Renew, Call::Update, Call::UpdateNow];
            steps[at + 1..].iter().all(|step| moot.contains(&step.call))
        });
        let alone = scenario.committing.is_empty()
            && steps.iter().all(|step| step.before.is_none() && step.during.is_empty());
        let response = record.request.response.filter(|_| !record.request.faulted);
        let Some(response) = response.filter(|_| is_last && alone) else { return Ok(()) };
        let sends_token = matches!(response.sent, Sent::Token(_));
        self.equal("the response after `clear`", Aspect::Sent, &false, &sends_token)?;
        for token in shown.iter().filter_map(|show| show.token()) {
            let value = record.tokens[token].first.and_then(|seen| seen.value);
            self.equal("a token from before `clear`", Aspect::Value, &None, &value)?;
        }
        Ok(())
    }

    /// One request, from its load to its response.
    fn request(&mut self, scenario: &Scenario, trace: &Trace, shown: &[Show]) -> Result<(), Stop> {
        let view = self.begin(scenario, trace, shown)?;
        self.end(scenario, trace, view, shown)
    }

    /// What a request finds, and its calls.
    fn begin(&mut self, scenario: &Scenario, trace: &Trace, shown: &[Show]) -> Result<View, Stop> {
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
            if self.is_open(scenario, at, step_trace.faulted) {
                return Err(Stop::Unsure);
            }
            self.step(&place, step, step_trace, (&mut view, trace.salt, at), shown)?;
        }
        Ok(view)
    }

    /// Whether a step's write was not answered, and what follows is open: it may be
    /// sent again by itself before what comes later, or together with it.
    fn is_open(&self, scenario: &Scenario, at: usize, faulted: bool) -> bool {
        let step = &scenario.steps[at];
        if !faulted || step.fault == Fault::None {
            return false;
        }
        // A client session is under its next token when that goes out, not before.
        !self.model.settings.place.on_server() && step.fault == Fault::LostAnswer
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

    /// Does something; what has happened meanwhile comes either before or after it.
    fn around(
        &mut self,
        (view, salt): Caller<'_>,
        happened: &[Happened<'_>],
        shown: &[Show],
        effect: impl FnOnce(&mut Self, &mut View),
    ) -> Result<(), Stop> {
        let is_own = |(what, _): &Happened<'_>| matches!(what, Meanwhile::Own(_));
        let (own, others): (Vec<_>, Vec<_>) = happened.iter().copied().partition(is_own);
        let drops = |(what, _): &Happened<'_>| DROPS.contains(what);
        let dropping = own.iter().any(drops);
        // Its own calls and those of others are each in order.
        let own = own.split_at(self.model.choices.choose(own.len() + 1));
        let others = others.split_at(others.len() - self.model.choices.choose(others.len() + 1));
        let revokes = others.0.iter().any(|(what, _)| matches!(what, Meanwhile::Revoke(_)));
        if let Some(value) = view.value
            && revokes
            && others.0.len() > 1
            && self.model.choices.choose(2) == 1
        {
            // It has asked for the owner before.
            self.model.guard(view, value.owner);
        }
        let mut under_way = Vec::new();
        let logs_in =
            |(what, _): &Happened<'_>| matches!(what, Meanwhile::Request(_, Call::Login(_)));
        let limited = self.model.settings.limit != Limit::None;
        for happened in others.0 {
            if limited && logs_in(happened) {
                self.model.ends_first(view);
            }
            match self.spans(*happened, shown)? {
                Some(request) => under_way.push(request),
                None => self.nested((view, salt), *happened, shown)?,
            }
        }
        for happened in own.0 {
            self.nested((view, salt), *happened, shown)?;
        }
        let (own, others) = self.between((view, salt), (own.1, others.1), shown)?;
        let revokes = others.iter().any(|(what, _)| matches!(what, Meanwhile::Revoke(_)));
        self.model.revoking = revokes && self.model.choices.choose(2) == 1;
        let tells = revokes || limited && others.iter().any(logs_in);
        (self.model.tells, self.model.revokes) = (tells, revokes);
        self.model.dropping = dropping && !own.iter().any(drops);
        effect(self, view);
        (self.model.revoking, self.model.revokes) = (false, false);
        (self.model.tells, self.model.dropping) = (false, false);
        self.model.writes = Some(Fault::None);
        for happened in own.iter().chain(others) {
            if tells && self.model.may_complete() {
                self.model.completes();
            }
            // A request under way ends before or after what else comes then.
            let ends = self.model.choices.choose(under_way.len() + 1);
            for (scenario, trace, view) in under_way.drain(..ends) {
                self.end(&scenario, trace, view, shown)?;
            }
            match self.spans(*happened, shown)? {
                Some(request) => under_way.push(request),
                None => self.nested((view, salt), *happened, shown)?,
            }
        }
        for (scenario, trace, view) in under_way {
            self.end(&scenario, trace, view, shown)?;
        }
        if tells {
            self.model.completes();
        }
        Ok(())
    }

    /// What happens after a write that was not answered is sent again, and before what
    /// comes next. Gives what is left to happen.
    fn between<'a, 'b>(
        &mut self,
        (view, salt): Caller<'_>,
        (own, others): (&'a [Happened<'b>], &'a [Happened<'b>]),
        shown: &[Show],
    ) -> Result<(&'a [Happened<'b>], &'a [Happened<'b>]), Stop> {
        let in_two = view.unsettled.is_some() && !(own.is_empty() && others.is_empty());
        if !in_two || self.model.choices.choose(2) == 0 {
            return Ok((own, others));
        }
        view.failure = self.model.settle(view, false).err();
        let own = own.split_at(self.model.choices.choose(own.len() + 1));
        let others = others.split_at(self.model.choices.choose(others.len() + 1));
        for happened in own.0.iter().chain(others.0) {
            self.nested((view, salt), *happened, shown)?;
        }
        Ok((own.1, others.1))
    }

    /// A request that began before an operation of another one, or before another
    /// request, may end after it.
    fn spans<'a>(
        &mut self,
        (what, nested): Happened<'a>,
        shown: &[Show],
    ) -> Result<Option<(Scenario, &'a Trace, View)>, Stop> {
        let (Meanwhile::Request(_, call), Nested::Request(trace)) = (what, nested) else {
            return Ok(None);
        };
        if !trace.late || self.model.choices.choose(2) == 0 {
            return Ok(None);
        }
        let scenario = Scenario::other(self.model.settings, call);
        let mut view = self.begin(&scenario, trace, of_others(shown))?;
        if let Call::Login(owner) = call
            && self.model.choices.choose(2) == 1
        {
            // What it waits for comes after it has asked for its owner.
            self.model.guard(&mut view, owner);
        }
        Ok(Some((scenario, trace, view)))
    }

    /// Something beside the request.
    fn nested(
        &mut self,
        (view, salt): Caller<'_>,
        (what, nested): Happened<'_>,
        shown: &[Show],
    ) -> Result<(), Stop> {
        match (what, nested) {
            (Meanwhile::Request(_, call), Nested::Request(trace)) => {
                let chapter = std::mem::replace(&mut self.chapter, "meanwhile, ");
                let scenario = Scenario::other(self.model.settings, call);
                self.request(&scenario, trace, of_others(shown))?;
                self.chapter = chapter;
            }
            (Meanwhile::Request(..), Nested::Done) => {}
            (Meanwhile::Revoke(_), _) => self.model.revoke(Owner::Ann),
            (Meanwhile::Wait(seconds), _) => self.model.now += seconds,
            // Whether a value that is set while changes are dropped is dropped with them,
            // is open. The request is told.
            (Meanwhile::Own(Call::Set(_)), _) if view.lost && self.model.choices.choose(2) == 1 => {
            }
            (Meanwhile::Own(call), _) => {
                self.model.call(view, call, salt + 900);
            }
        }
        Ok(())
    }

    /// The outcome of the handler, the commit, the response.
    fn end(
        &mut self,
        scenario: &Scenario,
        trace: &Trace,
        mut view: View,
        shown: &[Show],
    ) -> Result<(), Stop> {
        let on_server = self.model.settings.place.on_server();
        if scenario.fault == Fault::LostAnswer && trace.faulted && !on_server {
            return Err(Stop::Unsure);
        }
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

/// Other requests show the first token that this one shows.
fn of_others(shown: &[Show]) -> &[Show] {
    match shown {
        [Show::Token(_), ..] => &shown[..1],
        _ => &[],
    }
}

/// Whether the request may drop its changes: what it then sees of a write whose
/// answer was lost is open.
fn drops_changes(scenario: &Scenario) -> bool {
    let during = scenario.steps.iter().flat_map(|step| &step.during);
    let mut own = during.chain(&scenario.committing).map(|during| during.what);
    let kept = matches!(
        scenario.outcome,
        Outcome::Ok | Outcome::Redirect | Outcome::NotFound | Outcome::Upgrade
    );
    !kept
        || own.any(|what| what == Meanwhile::Own(Call::Discard))
        || scenario.steps.iter().any(|step| step.call == Call::Discard)
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
