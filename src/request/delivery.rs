//! What the client is to hold in the end.

use crate::commit::Holds;

/// What the client is to hold in the end, if not what it presented. It is a
/// state and not a list of events, and the response says it once.
#[derive(Default)]
pub(super) struct Delivery {
    /// What the commits amount to that the response does not say yet.
    holds: Option<Holds>,
    /// The same of the last commit, if every session of the request is saved.
    on_success: Option<Holds>,
    /// The response carries a token already.
    carries_token: bool,
}

impl Delivery {
    pub fn take(&mut self, holds: Holds, confirmed: bool) {
        if confirmed {
            self.holds = Some(holds);
            self.on_success = None;
        } else {
            self.on_success = Some(holds);
        }
    }

    /// A token goes out only as long as its session stands.
    pub fn take_back(&mut self) {
        let is_token = |holds: &mut Holds| matches!(holds, Holds::Token { .. });
        self.holds.take_if(is_token);
        self.on_success.take_if(is_token);
    }

    /// What the response is to say. `presented` says whether the client holds
    /// anything, valid or not.
    pub fn deliver(&mut self, presented: bool, succeeded: bool) -> Option<Holds> {
        match self.on_success.take() {
            // An end holds, whatever became of the other sessions.
            Some(last) if succeeded || last == Holds::Nothing => self.holds = Some(last),
            _ => {}
        }
        let holds = self.holds.take()?;
        let has_token = presented || self.carries_token;
        self.carries_token = holds != Holds::Nothing;
        (has_token || self.carries_token).then_some(holds)
    }

    /// Whether [`deliver`](Self::deliver) has nothing to say.
    pub fn is_delivered(&self) -> bool {
        self.on_success.is_none() && self.holds.is_none()
    }
}
