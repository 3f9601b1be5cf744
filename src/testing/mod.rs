//! Help for tests of applications and storages (feature `testing`).
//!
//! - [`SessionRequest`] gives a session to a request. [`SessionResponse`] and
//!   [`AsyncSessionResponse`] read the session that a response leaves.
//! - [`Clock`] is a clock that the test moves.
//! - [`storage`] tests whether a storage keeps its promises, and what an
//!   application does when its storage fails.

mod client;
mod clock;
pub mod storage;

pub use client::{AsyncSessionResponse, SessionRequest, SessionResponse};
pub use clock::Clock;
