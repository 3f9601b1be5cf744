//! The session of `oauth.rs` that remembers which logins are under way.

use std::time::{Duration, SystemTime};

use rocket_typed_sessions::SessionData;
use serde::{Deserialize, Serialize};

/// A login that is under way.
#[derive(Clone, Serialize, Deserialize)]
pub struct Flow {
    pub state: String,
    pub verifier: String,
    pub next: String,
    /// The user to link the account to.
    pub link_to: Option<u32>,
    pub began: SystemTime,
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Flows {
    pub open: Vec<Flow>,
}

impl SessionData for Flows {
    const NAME: &'static str = "flows";
}

impl Flows {
    /// So many tabs at most. The oldest one must begin again.
    const MOST: usize = 8;
    const LIFETIME: Duration = Duration::from_secs(600);

    pub fn begin(&mut self, flow: Flow) {
        let oldest = (self.open.len() + 1).saturating_sub(Self::MOST);
        self.open.drain(..oldest);
        self.open.push(flow);
    }

    /// The login with this `state`, which is not under way any more.
    pub fn take(&mut self, state: &str) -> Option<Flow> {
        let at = self.open.iter().position(|flow| flow.state == state)?;
        let flow = self.open.remove(at);
        (flow.began.elapsed().unwrap_or_default() < Self::LIFETIME).then_some(flow)
    }
}
