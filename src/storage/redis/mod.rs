//! Records in Redis or Valkey, on one server or a cluster.
//!
//! ```text
//! <prefix>:{<key>}:r      the record, or the mark of its end: see `record.rs`
//! <prefix>:{<key>}:m      marks of records that were ended: see `record.rs`
//! <prefix>:{<owner>}:i    the owner's entries, ordered by when their records began
//! <prefix>:{<owner>}:w    the entries whose records are not yet written, and since when
//! <prefix>:{<owner>}:g    the owner's generation: when the owner was last revoked
//! ```
//!
//! In a cluster, a record and its owner lie in different slots, so no script can touch both. A
//! login first reserves an entry in the owner's index, then writes the record, then confirms the
//! entry. So every live record is in the index. An entry without a record is not listed. An entry
//! consists of the record's key and the version that the record was created with, which the
//! record keeps as well. No two logins share an entry, so removing an entry never removes that of
//! a later login.
//!
//! On a server that has all slots and confirms this, one script does all three steps and replaces
//! the record of the session before the login. If the index is full, the steps are taken one by
//! one. The rest of this page holds for both ways.
//!
//! A revocation first begins a new generation. From then on, a login that has not reserved an
//! entry yet is refused. The entries of all other logins are in the index. Their records are
//! deleted, and a mark beside each record refuses a `create` that is late or repeated.
//!
//! A limit ends the records of surplus entries before it removes these entries from the index. If
//! the process dies in between, an entry too many remains, which the next login counts.
//!
//! A script may have run although its answer was lost, and the client of a cluster repeats a
//! script by itself. So each script recognizes its own earlier work.
//!
//! Every record has a TTL besides its expiry, so Redis itself removes expired records. Their
//! entries remain. Each login checks some entries of a long index and removes those without a
//! record.

mod answer;
mod ask;
mod changes;
mod config;
mod connection;
mod diagnosis;
mod entry;
mod handle;
mod login;
mod open;
mod owners;
mod record;
mod script;
mod storage;
mod target;
mod ttl;

pub(crate) use config::read_config;
pub use handle::Redis;
