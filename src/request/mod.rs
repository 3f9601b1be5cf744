//! The sessions of one request, from the first guard to the response.
//!
//! | file | what it does |
//! |---|---|
//! | `entries` | holds the sessions of one request, and loads each once |
//! | `load`, `presented` | find the session that the request presents |
//! | `entry` | is what every guard of one session type shares |
//! | `committable` | is the view of an `Entry` that the response fairing has, without its type |
//! | `calls`, `pending` | record what the application asks for |
//! | `outlook` | predicts the commit, for `id`, `expires_at` and the like |
//! | `save` | saves a session, and reads it again, while the request runs |
//! | `state`, `parts` | hold the state of one session under one lock |
//! | `ended`, `unsettled` | change the `state` after an end, and after a write without an answer |
//! | `work` | passes the changes of a type `T` to a commit, and takes its outcome back |
//! | `carry_out` | commits by value ([`crate::by_value`]) or by id ([`crate::by_id`]) |
//! | `delivery` | decides which token the response sends |
//! | `replay` | knows when an application's closure is run again |
//! | `prefetch`, `prefetched` | read the sessions that a route uses in one round trip |
//! | `budget` | counts how long the request may still wait for its storages |
//! | `hooks`, `minting` | let the test helpers of applications give sessions to a request |

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
mod prefetch;
mod prefetched;
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
