//! What happens beside a request, on the model: before what it does, after it or in the
//! middle of it.

use crate::check::{Check, Stop};
use crate::preparation::Show;
use crate::scenario::*;
use crate::trace::*;
use crate::view::{Pending, View};

/// A request's state, and its salt.
pub type Caller<'a> = (&'a mut View, u32);

/// Something that was to happen and did.
pub type Happened<'a> = (Meanwhile, &'a Nested);

/// The request's own calls, and what others do: each in their order.
type Beside<'a, 'b> = (&'a [Happened<'b>], &'a [Happened<'b>]);

/// Another request that has begun and not ended.
type UnderWay<'a> = (Scenario, &'a Trace, View);

/// What the request drops its changes with.
const DROPS: [Meanwhile; 2] = [Meanwhile::Own(Call::Clear), Meanwhile::Own(Call::Discard)];

fn drops((what, _): &Happened<'_>) -> bool {
    DROPS.contains(what)
}

fn revokes((what, _): &Happened<'_>) -> bool {
    matches!(what, Meanwhile::Revoke(_))
}

fn logs_in((what, _): &Happened<'_>) -> bool {
    matches!(what, Meanwhile::Request(_, Call::Login(_)))
}

impl Check {
    /// Does something; what has happened meanwhile comes either before or after it.
    pub fn around(
        &mut self,
        (view, salt): Caller<'_>,
        happened: &[Happened<'_>],
        shown: &[Show],
        effect: impl FnOnce(&mut Self, &mut View),
    ) -> Result<(), Stop> {
        let is_own = |(what, _): &Happened<'_>| matches!(what, Meanwhile::Own(_));
        let (own, others): (Vec<_>, Vec<_>) = happened.iter().copied().partition(is_own);
        let dropping = own.iter().any(drops);
        let own = own.split_at(self.model.choices.choose(own.len() + 1));
        let others = others.split_at(others.len() - self.model.choices.choose(others.len() + 1));
        let mut under_way = self.before((view, salt), (own.0, others.0), shown)?;
        let rest = (own.1, others.1);
        let (own, others) = self.between((view, salt), rest, &mut under_way, shown)?;
        let revokes = others.iter().any(revokes);
        self.model.revoking = revokes && self.model.choices.choose(2) == 1;
        let limited = self.model.settings.limit != Limit::None;
        let tells = revokes || limited && others.iter().any(logs_in);
        (self.model.tells, self.model.revokes) = (tells, revokes);
        self.model.dropping = dropping && !own.iter().any(drops);
        self.model.meets = happened.iter().any(|(what, _)| !matches!(what, Meanwhile::Own(_)));
        let had = view.found.map(|found| found.value.owner);
        let cleared = view.pending.ended;
        effect(self, view);
        if view.found.is_none() && !cleared {
            // Its own calls came while it had the session.
            view.former = view.former.or(had);
        }
        (self.model.revoking, self.model.revokes) = (false, false);
        (self.model.tells, self.model.dropping, self.model.meets) = (false, false, false);
        self.model.writes = Some(Fault::None);
        let rest: Vec<_> = own.iter().chain(others).copied().collect();
        self.after((view, salt), &rest, (under_way, tells), shown)
    }

    /// What happens before it. Gives the requests that have begun and not ended.
    fn before<'b>(
        &mut self,
        (view, salt): Caller<'_>,
        (own, others): Beside<'_, 'b>,
        shown: &[Show],
    ) -> Result<Vec<UnderWay<'b>>, Stop> {
        if let Some(value) = view.value
            && others.iter().any(revokes)
            && others.len() > 1
            && self.model.choices.choose(2) == 1
        {
            // It has asked for the owner before.
            self.model.guard(view, value.owner);
        }
        let mut under_way = Vec::new();
        let limited = self.model.settings.limit != Limit::None;
        for happened in others {
            if limited && logs_in(happened) {
                self.model.ends_first(view);
            }
            self.happens((view, salt), *happened, &mut under_way, shown)?;
        }
        for happened in own {
            self.nested((view, salt), *happened, shown)?;
        }
        Ok(under_way)
    }

    /// What happens after a write that was not answered is sent again, and before what
    /// comes next. Gives what is left to happen.
    fn between<'a, 'b>(
        &mut self,
        (view, salt): Caller<'_>,
        (own, others): Beside<'a, 'b>,
        under_way: &mut Vec<UnderWay<'b>>,
        shown: &[Show],
    ) -> Result<Beside<'a, 'b>, Stop> {
        let in_two = view.unsettled.is_some() && !(own.is_empty() && others.is_empty());
        if !in_two || self.model.choices.choose(2) == 0 {
            return Ok((own, others));
        }
        view.failure = self.model.settle(view, false).err();
        let own = own.split_at(self.model.choices.choose(own.len() + 1));
        let others = others.split_at(self.model.choices.choose(others.len() + 1));
        for happened in own.0.iter().chain(others.0) {
            self.happens((view, salt), *happened, under_way, shown)?;
        }
        Ok((own.1, others.1))
    }

    /// What happens after it. A request under way ends before or after what else comes
    /// then, and so does what is left to do of a login, or of this request.
    fn after(
        &mut self,
        (view, salt): Caller<'_>,
        happened: &[Happened<'_>],
        (mut under_way, tells): (Vec<UnderWay<'_>>, bool),
        shown: &[Show],
    ) -> Result<(), Stop> {
        for happened in happened {
            if tells && self.model.may_complete() {
                self.model.completes();
            }
            if view.gives_up && self.model.choices.choose(2) == 1 {
                self.model.give_up(view);
            }
            let ends = self.model.choices.choose(under_way.len() + 1);
            for (scenario, trace, view) in under_way.drain(..ends) {
                self.end(&scenario, trace, view, shown)?;
            }
            self.happens((view, salt), *happened, &mut under_way, shown)?;
        }
        for (scenario, trace, view) in under_way {
            self.end(&scenario, trace, view, shown)?;
        }
        if tells {
            self.model.completes();
        }
        if view.gives_up {
            self.model.give_up(view);
        }
        view.former = view.former.filter(|_| view.pending != Pending::default());
        Ok(())
    }

    /// Something happens beside the request, whole or as far as it begins.
    fn happens<'b>(
        &mut self,
        caller: Caller<'_>,
        happened: Happened<'b>,
        under_way: &mut Vec<UnderWay<'b>>,
        shown: &[Show],
    ) -> Result<(), Stop> {
        match self.spans(happened, shown)? {
            Some(request) => under_way.push(request),
            None => self.nested(caller, happened, shown)?,
        }
        Ok(())
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
    pub fn nested(
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
            // is open, but for one of another owner. The request is told.
            (Meanwhile::Own(Call::Set(owner)), _)
                if view.lost && view.former == Some(owner) && self.model.choices.choose(2) == 1 => {
            }
            (Meanwhile::Own(call), _) => {
                self.model.call(view, call, salt + 900);
            }
        }
        Ok(())
    }
}

/// Other requests show the first token that this one shows.
fn of_others(shown: &[Show]) -> &[Show] {
    match shown {
        [Show::Token(_), ..] => &shown[..1],
        _ => &[],
    }
}
