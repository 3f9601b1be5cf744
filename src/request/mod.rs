//! What one request holds of its sessions, and what becomes of it.
//!
//! | file | what it does |
//! |---|---|
//! | `entries` | holds the sessions of one request, and loads each once |
//! | `load`, `presented` | find the session that the request presents |
//! | `entry` | is what every guard of one session type shares |
//! | `committable` | is the same for the response fairing, whatever the type |
//! | `calls`, `pending` | what the application asks for |
//! | `outlook` | answers before the commit what it will do: `id`, `expires_at` and the like |
//! | `save` | saves and reads while the request goes on |
//! | `state`, `held` | hold all of this under one lock |
//! | `ended`, `unsettled` | what `state` does about a session that is over, and about a write without an answer |
//! | `work` | brings the changes of a type `T` into a commit, and its outcome back |
//! | `carry_out` | carries the plan out, by value ([`crate::by_value`]) or by id ([`crate::by_id`]) |
//! | `delivery` | what the client is to hold in the end |
//! | `replay` | changes that are applied again |
//! | `budget` | how long the request may still wait for its storages |
//! | `hooks`, `minting` | where the test helpers of applications reach in |

mod budget;
mod calls;
pub(crate) mod carry_out;
pub(crate) mod committable;
pub(crate) mod delivery;
mod ended;
mod entries;
pub(crate) mod entry;
pub(crate) mod hooks;
pub(crate) mod load;
#[cfg(feature = "testing")]
pub(crate) mod minting;
mod outlook;
mod parts;
mod pending;
pub(crate) mod presented;
mod replay;
mod save;
pub(crate) mod state;
#[cfg(test)]
mod tests;
mod unsettled;
mod work;

pub(crate) use budget::Budgets;
pub(crate) use entries::{Entries, RequestSessions, request_session};
