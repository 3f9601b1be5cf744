//! Sessions by id: the token is an id, and the session is a record in a storage.
//!
//! | file | what it does |
//! |---|---|
//! | `tracker` | the storage of a definition, and the end of a session in it |
//! | `find`, `list` | what an id stands for; the sessions of an owner |
//! | `record`, `envelope`, `secrets`, `trail`, `bytes` | what is in a record |
//! | `present` | a record as it stands in its storage |
//! | `commit` | carries out the plan |
//! | `job`, `proposal` | what the steps of a commit share |
//! | `login` | a session that begins, and the one that it replaces |
//! | `replace`, `migrate`, `touch` | a session that goes on |
//! | `settle` | what became of a write whose answer was lost |
//! | `unheld` | the end of a record of which no client holds an id |

use std::time::Duration;

mod bytes;
mod commit;
mod envelope;
mod find;
mod job;
mod list;
mod login;
mod migrate;
mod present;
mod proposal;
mod record;
mod replace;
mod secrets;
mod settle;
mod touch;
mod tracker;
mod trail;
mod unheld;

pub(crate) use commit::commit;
#[cfg(fuzzing)]
pub(crate) use envelope::Envelope;
#[cfg(feature = "testing")]
pub(crate) use envelope::Provenance;
pub(crate) use find::{Lookup, ReadRecord, find, load};
pub(crate) use list::{Listed, list};
pub(crate) use present::is_replaced;
#[cfg(feature = "testing")]
pub(crate) use record::Draft;
pub(crate) use record::Located;
#[cfg(feature = "testing")]
pub(crate) use secrets::Secrets;
pub(crate) use settle::{Attempt, Settled, settle};
pub(crate) use tracker::{ById, EndOutcome, Identity, MakeIdentity, RecordStore};
#[cfg(feature = "testing")]
pub(crate) use trail::Trail;
pub(crate) use unheld::{end_unheld, end_unsent};

/// How long an end is remembered, so that it refuses writes that were sent before it; a
/// replaced record and an outdated id as long.
const MARK: Duration = Duration::from_secs(120);
