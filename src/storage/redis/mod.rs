//! Records in Redis or Valkey, on one server or a cluster.
//!
//! ```text
//! <prefix>:{<key>}:r      the record, or a mark of its end: see `record.rs`
//! <prefix>:{<key>}:m      marks of records that were ended: see `record.rs`
//! <prefix>:{<owner>}:i    the owner's entries, by the beginning of their records
//! <prefix>:{<owner>}:w    those whose records are about to be written, and since when
//! <prefix>:{<owner>}:g    the owner's generation: when the owner was last revoked
//! ```
//!
//! A record and its owner lie in different slots of a cluster, so no script
//! touches both there. A login first reserves an entry in the owner's index, then
//! writes the record, then confirms. So the index is never short of a live
//! record; an entry without one is not listed. An entry is the record's key and
//! the version that it is created with. The record keeps that, too: no two logins
//! share one, so whoever removes an entry can never remove a later one.
//!
//! Where one server has all slots, and says so, one script does these three steps,
//! and what it does to the session that the login replaces. Only if others have to
//! make room first, the steps are taken one by one. What follows holds for both.
//!
//! A revocation begins a new generation first: whoever has not reserved yet is
//! refused there; whoever has is in the index. Its record is deleted, and a mark
//! beside it stops whoever has yet to create it, or creates it again.
//!
//! A limit ends the records of the entries that it pushes out before these leave
//! the index; whoever breaks off in between leaves one too many, which the next
//! login counts.
//!
//! A script may have run although its answer was lost, and in a cluster the
//! client sends it again by itself: each knows its own work when it meets it.
//!
//! Every record has a TTL besides its expiry, so Redis itself removes what has
//! expired. Its entry stays: each login has a look at some of a long index.

mod answer;
mod ask;
mod changes;
mod config;
mod connection;
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
