//! The calls of the contract on the model, and the end of a request.

use crate::kept::Lifetime;
use crate::model::Model;
use crate::scenario::{Call, Own, Owner};
use crate::trace::{Answer, Failure, Value};
use crate::view::View;

impl Model {
    /// One call. `count` is what it sets. `UpdateNow` has changed the value
    /// already, and commits it here.
    pub fn call(&mut self, view: &mut View, call: Call, count: u32) -> Answer {
        let value = |owner| Value { owner, count };
        match call {
            Call::Get => {}
            Call::GetOrInsert => {
                if view.value.is_none() {
                    view.set(value(Owner::Ann));
                }
                return Answer::Value(view.value);
            }
            Call::Update => {
                view.update();
                return Answer::Value(view.value);
            }
            Call::Set(owner) => view.set(value(owner)),
            Call::Login(owner) => view.login(value(owner)),
            Call::Clear => view.clear(),
            Call::Discard => view.discard(),
            Call::Renew => view.renew(),
            Call::SetLifetime(own) => {
                let seconds = crate::app::seconds_of(count);
                view.pending.lifetime = Some(match own {
                    Own::Configured => Lifetime::Configured,
                    Own::Idle => Lifetime::Idle(seconds),
                    Own::Until => Lifetime::Until(self.now + seconds),
                    Own::Browser => Lifetime::Browser,
                });
            }
            Call::Touch => view.touch(true),
            Call::SkipTouch => view.touch(false),
            Call::Refresh => {
                self.refresh(view);
                return Answer::Value(view.value);
            }
            Call::Save => return self.save(view).map_or_else(Answer::Failed, |()| Answer::Nothing),
            Call::UpdateNow => {
                let saved = self.save(view);
                let count = view.value.map(|value| value.count);
                return saved.map_or_else(Answer::Failed, |()| Answer::Count(count));
            }
        }
        Answer::Nothing
    }

    /// `save`: `Ended` if changes were dropped, because the session was over.
    fn save(&mut self, view: &mut View) -> Result<(), Failure> {
        self.commit(view, false)?;
        if view.lost { Err(Failure::Ended) } else { Ok(()) }
    }

    /// Not everything was saved: only an end holds. What became of a write is still
    /// found out where the client must be told.
    pub fn give_up(&mut self, view: &mut View) {
        view.gives_up = false;
        view.unsettled = view.unsettled.filter(|write| write.sends);
        view.drop_changes();
        let _ = self.settle(view, true);
    }

    /// The end of a request: what a 5xx drops, and the commit.
    pub fn finish(&mut self, view: &mut View, failed: bool) -> Result<(), Failure> {
        if failed {
            view.drop_changes();
        }
        let committed = self.commit(view, failed);
        view.gives_up = committed.is_err();
        committed
    }
}
