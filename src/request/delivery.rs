//! [`Delivery`]: what the response tells the client to hold.

use crate::commit::Holds;

/// What the client is to hold after the response, if it differs from what it presented.
/// Each commit replaces the answer of the commit before it, so the response sends one.
#[derive(Default)]
pub(super) struct Delivery {
    /// The outcome of the commits that the response does not carry yet.
    holds: Option<Holds>,
    /// The outcome of the last commit, if it counts only once every session is saved.
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

    /// Takes back a token whose session has ended. A removal stays.
    pub fn take_back(&mut self) {
        let is_token = |holds: &mut Holds| matches!(holds, Holds::Token { .. });
        self.holds.take_if(is_token);
        self.on_success.take_if(is_token);
    }

    /// Returns the token or removal to send, if any. `presented` says whether the client
    /// holds a token, valid or not.
    pub fn deliver(&mut self, presented: bool, succeeded: bool) -> Option<Holds> {
        match self.on_success.take() {
            // The session has ended, even if another session could not be saved.
            Some(last) if succeeded || last == Holds::Nothing => self.holds = Some(last),
            _ => {}
        }
        let holds = self.holds.take()?;
        let has_token = presented || self.carries_token;
        self.carries_token = holds != Holds::Nothing;
        (has_token || self.carries_token).then_some(holds)
    }

    /// Whether [`deliver`](Self::deliver) has nothing to send.
    pub fn is_delivered(&self) -> bool {
        self.on_success.is_none() && self.holds.is_none()
    }
}
